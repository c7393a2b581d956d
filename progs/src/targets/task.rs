//! Tasks, that is, threads (`kernel/bpf/task_iter.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `task`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("task"),
    since: Some((5, 8)),
    object: Cow::Borrowed("task"),
    end: End::Null,
    trusted: true,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::Task,
};
