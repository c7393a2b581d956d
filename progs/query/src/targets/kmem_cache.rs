//! Slab caches, as `/proc/slabinfo` shows them.

use crate::columns::{Show::{Bytes, Hex, Plain}, columns};
use crate::expr::{case, field};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        name, default, Plain, "s.name", "name of the cache";
        size, default, Bytes, "s.size", "size of an object with its padding and metadata";
        object, default, Bytes, "s.object_size", "size of an object without metadata";
        align, default, Bytes, "s.align", "alignment of objects";
        flags, default, Hex, "s.flags", "SLAB_... flags (include/linux/slab.h)";
        // The walk holds the cache that it shows, unless it is one that is never freed, of which nobody counts.
        refs, more, Plain, {
            case([(field("s.refcount").gt(0), field("s.refcount") - 1)]).or_else(1)
        } in "caches", "caches that are one with it by merging, itself included";
        per_slab, more, Plain, { field("s.oo.x") & 0xffff } in "objects",
            "objects in a slab of the size that is tried first";
    },
    ..View::NONE
};
