//! What a target is: a kind of object that a kernel can walk.

use alloc::borrow::Cow;

use crate::version::Version;

/// A kind of object that the kernel can walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The kernel's name, as in `bpf_iter_<name>`.
    pub name: Cow<'static, str>,
    /// The first kernel that has it, if that is known.
    pub since: Option<Version>,
    /// The context argument that tells an object from the end of the walk.
    pub object: Cow<'static, str>,
    /// How the program learns that the walk has ended.
    pub end: End,
    /// Whether the verifier trusts the arguments that point to kernel objects once they are known not to be NULL;
    /// only then may they go to most kfuncs.
    pub trusted: bool,
    /// Whether the walk passes over threads that share with their process what is walked, unless the link asks for one of
    /// them (`kernel/bpf/task_iter.c`, `skip_if_dup_files`).
    pub shared: bool,
    /// Whether walks lose objects where a read ends, without an error: the rest of a hash bucket of `unix`, since Linux 5.18
    /// (`net/unix/af_unix.c`, `bpf_iter_unix_batch` begins with the next bucket whatever has been shown; seen on 6.18).
    pub loses: bool,
    /// Whether the walk holds the `mmap_lock` of the process that it is at, so that a program that reads the process's
    /// memory would wait for ever (`kernel/bpf/task_iter.c`, `task_vma_seq_get_next`).
    pub locks_memory: bool,
    /// What a walk of this target can be restricted to.
    pub parameters: Parameters,
}

/// The call that follows the last object (`kernel/bpf/bpf_iter.c`, `bpf_seq_read`; measured on 6.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The object is NULL.
    Null,
    /// The object is the last one again, not NULL: only the index in the `seq_file`, one past the object's number, tells.
    Stale,
    /// There is no such call.
    None,
}

/// What a walk can be restricted to: through its link (`union bpf_iter_link_info`), or by where its iterator is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// Nothing.
    None,
    /// One process or one thread, if wanted; since Linux 6.1.
    Task,
    /// Whose elements to walk: a map is needed.
    Map,
    /// Where to begin and in which order to go: an order is needed.
    Cgroup,
    /// A network namespace: the one in which the iterator is opened (`bpf_iter_init_seq_net`). The link has no parameter for
    /// it.
    Net,
}
