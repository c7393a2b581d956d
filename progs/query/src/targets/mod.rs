//! The named columns of each target, and the derived roots of its paths, in a file per target. What a program of the
//! target must know is in [`kwalk_progs::targets`].

mod shared;

use kwalk_btf::{Btf, Kind};
use kwalk_progs::{Available, Target, find_with, targets};

use crate::columns::NamedColumn;
use crate::view::{FUNCTIONS, View};

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

/// Finds the target with this name, and in the same pass over the types what its default columns look up.
///
/// # Errors
///
/// As those of [`kwalk_progs::find`].
pub fn find(btf: &Btf<'_>, name: &str) -> Result<Available, kwalk_progs::Error> {
    let structs = view(name).looked_up;
    let functions = structs.map_or(&[][..], |_| &FUNCTIONS).iter().map(|name| (Kind::Func, *name));
    let structs = structs.unwrap_or_default().iter().map(|name| (Kind::Struct, *name));
    find_with(btf, name, functions.chain(structs))
}

/// The named columns of a target, in the order in which they are shown; none for a target that is newer than this
/// crate. A kernel may lack some of them: [`resolved_columns`](crate::resolved_columns) gives those that it has.
pub fn named_columns(target: &str) -> &'static [NamedColumn] {
    view(target).columns
}
