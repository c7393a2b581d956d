//! The named columns of each target, and the derived roots of its paths, in a file per target. What a program of the
//! target must know is in [`kwalk_progs::targets`].

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

/// The columns of a target; none if it is newer than this crate.
pub(crate) fn view(target: &str) -> &'static View {
    ALL.iter().find(|(known, _)| known.name == target).map_or(&View::NONE, |(_, view)| view)
}

/// The named columns of a target, in the order in which they are shown; none for a target that is newer than this
/// crate. A kernel may lack some of them: [`resolved_columns`](crate::resolved_columns) gives those that it has.
pub fn named_columns(target: &str) -> &'static [NamedColumn] {
    view(target).columns
}
