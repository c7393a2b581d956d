//! BPF links.

use crate::columns::{Show::{BootTime, Plain}, columns};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        id, default, Plain, "id", "id of the link";
        type, default, Plain, "type", "type of the link";
        prog, default, Plain, "prog.aux.id", "id of its program";
        name, default, Plain, "prog.aux.name", "name of its program";
        attach, default, Plain, ["attach_type" | "prog.expected_attach_type"],
            "attach type; on older kernels, the one that its program expects";
        function, default, Plain, "prog.aux.attach_func_name",
            "function that its program was loaded to be attached to";
        loaded, more, BootTime, "prog.aux.load_time", "when its program was loaded";
        uid, default, Plain, "prog.aux.user.uid.val", "user id that loaded its program";
    },
    ..View::NONE
};
