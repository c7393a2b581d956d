//! BPF maps.

use crate::columns::{Show::{Bytes, Hex, Plain}, columns};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        id, default, Plain, "id", "id of the map";
        type, default, Plain, "map_type", "type of the map";
        name, default, Plain, "name", "name that it was created with";
        key, default, Bytes, "key_size", "size of a key";
        value, default, Bytes, "value_size", "size of a value";
        max, default, Plain, "max_entries", "most elements that it can have; of a ring buffer, its bytes";
        // NULL for the types that keep no count.
        entries, more, Plain, "elem_count[0]" in "elements",
            "elements that it has; NULL for arrays and others that count none" since (6, 6);
        flags, default, Hex, "map_flags", "BPF_F_... flags that it was created with";
        refs, more, Plain, "usercnt.counter" in "references",
            "references by user space: file descriptors, pins, iterators";
        frozen, more, Plain, "frozen", "whether user space can no longer write it";
        btf, more, Plain, "btf.id", "id of the BTF that has the types of its keys and values";
    },
    ..View::NONE
};
