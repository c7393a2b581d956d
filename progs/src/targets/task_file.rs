//! Open files (`kernel/bpf/task_iter.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `task_file`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("task_file"),
    since: Some((5, 8)),
    object: Cow::Borrowed("task"),
    end: End::Null,
    trusted: false,
    shared: true,
    loses: false,
    locks_memory: false,
    parameters: Parameters::Task,
};
