//! The named columns of each target, and what its paths may begin with: a file each, as there is one in
//! [`kwalk_progs::targets`] for what a program of the target needs to know.

mod shared;

use kwalk_progs::{Target, targets};

use crate::columns::NamedColumn;
use crate::view::View;

macro_rules! views {
    ($($name:ident)*) => {
        $(mod $name;)*

        const ALL: &[(&Target, &View)] = &[$((&targets::$name::TARGET, &$name::VIEW)),*];
    };
}

views! {
    bpf_link
    bpf_map
    bpf_map_elem
    bpf_prog
    bpf_sk_storage_map
    cgroup
    dmabuf
    ipv6_route
    kmem_cache
    ksym
    netlink
    sockmap
    task
    task_file
    task_vma
    tcp
    udp
    unix
}

const _: () = assert!(ALL.len() == targets::ALL.len(), "each target has a file here");

/// The view of the target of this name: without columns, if it is newer than this crate.
pub(crate) fn view(target: &str) -> &'static View {
    ALL.iter().find(|(known, _)| known.name == target).map_or(&View::NONE, |(_, view)| view)
}

/// The named columns of a target, in the order in which they are shown; none of a target that is newer than this crate.
/// Not every kernel has each of them: [`resolved_columns`](crate::resolved_columns) gives those that one has.
pub fn named_columns(target: &str) -> &'static [NamedColumn] {
    view(target).columns
}
