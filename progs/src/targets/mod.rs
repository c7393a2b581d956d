//! What is known of each target of the kernels up to 7.3: a file each. Which targets a *running* kernel has is asked of its
//! BTF ([`available`](crate::available)).

use crate::target::Target;

macro_rules! targets {
    ($($name:ident)*) => {
        $(pub mod $name;)*

        /// All of them, in the order of their names.
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

/// The target of this name, if this crate knows it.
pub fn by_name(name: &str) -> Option<&'static Target> {
    ALL.iter().copied().find(|target| target.name == name)
}
