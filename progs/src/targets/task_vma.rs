//! Memory mappings (`kernel/bpf/task_iter.c`). The walk holds the process's `mmap_lock`: a program must not
//! read the process's memory.

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `task_vma`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("task_vma"),
    since: Some((5, 12)),
    object: Cow::Borrowed("task"),
    end: End::Null,
    trusted: false,
    shared: true,
    loses: false,
    locks_memory: true,
    parameters: Parameters::Task,
};
