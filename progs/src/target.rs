//! Targets: kinds of kernel objects that iterators can walk.

use alloc::borrow::Cow;

use crate::version::Version;

/// A kind of kernel object that iterators can walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The kernel's name, as in `bpf_iter_<name>`.
    pub name: Cow<'static, str>,
    /// The first kernel that has it, if known.
    pub since: Option<Version>,
    /// The context argument that is the object.
    pub object: Cow<'static, str>,
    /// How the kernel signals the end of a walk.
    pub end: End,
    /// Whether the verifier trusts the context's pointers after a NULL check. Most kfuncs accept only trusted pointers.
    pub trusted: bool,
    /// Whether the objects belong to all threads of a process, so that a walk visits only one thread of each process
    /// unless its link asks for a thread (`kernel/bpf/task_iter.c`, `skip_if_dup_files`).
    pub shared: bool,
    /// Whether a walk can lose objects between two reads, without an error. `unix` does since Linux 5.18: it loses the
    /// rest of a hash bucket, because the next read starts with the next bucket (`net/unix/af_unix.c`,
    /// `bpf_iter_unix_batch`; seen on 6.18).
    /// `netlink` and `ipv6_route` begin each read anew, and pass over as many objects as they have shown, whichever these
    /// are by then: they lose some, and show others twice (`net/netlink/af_netlink.c`, `netlink_seq_start`;
    /// `net/ipv6/ip6_fib.c`, `ipv6_route_seq_start`; seen on 6.18).
    /// `bpf_sk_storage_map` does so in each hash bucket, of which there are about as many as CPUs
    /// (`net/core/bpf_sk_storage.c`, `bpf_sk_storage_map_seq_find_next`; seen on 6.18). `sockmap` begins the bucket of a sockhash again, where it ended a
    /// read (`net/core/sock_map.c`, `sock_hash_seq_find_next`; seen on 6.18).
    pub loses: bool,
    /// Whether the walk holds the `mmap_lock` of the current process, so that a program that reads the process's memory
    /// would deadlock (`kernel/bpf/task_iter.c`, `task_vma_seq_get_next`).
    pub locks_memory: bool,
    /// What a walk of this target can be restricted to.
    pub parameters: Parameters,
}

/// The call that follows the last object of a walk (`kernel/bpf/bpf_iter.c`, `bpf_seq_read`; seen on 6.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A call in which the object is NULL.
    Null,
    /// A call with the last object again: only the index in the `seq_file`, which is one larger than the object's
    /// number, shows that this is the end.
    Stale,
    /// No call.
    None,
}

/// What a walk can be restricted to: by its link (`union bpf_iter_link_info`), or by the namespace in which it is
/// started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// Nothing.
    None,
    /// One process or thread, optionally; since Linux 6.1.
    Task,
    /// The map whose elements are walked, which is required.
    Map,
    /// The cgroup to start from, and the order, which is required.
    Cgroup,
    /// A network namespace: that of the thread that starts the walk (`bpf_iter_init_seq_net`). The link has no
    /// parameter for it.
    Net,
}
