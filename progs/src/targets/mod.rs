//! The properties of each target of kernels up to 7.3, in a file per target. Which targets a running kernel has is in
//! its BTF ([`available`](crate::available)).

use crate::target::Target;

macro_rules! targets {
    ($($name:ident)*) => {
        $(pub mod $name;)*

        /// All targets, sorted by name.
        pub const ALL: &[&Target] = &[$(&$name::TARGET),*];
    };
}

targets! {
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

/// The target with this name, if this crate knows it.
pub fn by_name(name: &str) -> Option<&'static Target> {
    ALL.iter().copied().find(|target| target.name == name)
}
