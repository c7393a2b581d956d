//! Kernel symbols (`kernel/kallsyms.c`). The call that follows the last object shows that object again.

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `ksym`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("ksym"),
    since: Some((6, 0)),
    object: Cow::Borrowed("ksym"),
    end: End::Stale,
    trusted: false,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::None,
};
