//! BPF links.

use crate::columns::{Show::{BootTime, Plain}, columns};
use crate::expr::{Expr, case, field};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        id, default, Plain, "id", "id of the link";
        type, default, Plain, "type", "type of the link";
        prog, default, Plain, "prog.aux.id", "id of its program";
        name, default, Plain, { field("prog.aux").prog_name() }, "name of its program";
        attach, default, Plain, {
            attach("attach_type");
            attach("prog.expected_attach_type")
        }, "attach type; NULL for types of link without any";
        function, default, Plain, "prog.aux.attach_func_name",
            "function that its program was loaded to be attached to";
        loaded, more, BootTime, "prog.aux.load_time", "when its program was loaded";
        uid, default, Plain, "prog.aux.user.uid.val", "user id that loaded its program";
    },
    looked_up: Some(&["bpf_prog_aux", "bpf_func_info", "btf"]),
    ..View::NONE
};

/// The attach type of a link. 0 is that of links to cgroups; in others it means none.
fn attach(name: &str) -> Expr {
    const BPF_LINK_TYPE_CGROUP: i32 = 3;
    case([(field(name).ne(0).or(field("type").eq(BPF_LINK_TYPE_CGROUP)), field(name))])
}
