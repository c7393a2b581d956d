//! Cgroups (`kernel/bpf/cgroup_iter.c`). A walk can't go on beyond the kernel's first buffer: the next read
//! is `EOPNOTSUPP`.

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `cgroup`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("cgroup"),
    since: Some((6, 1)),
    object: Cow::Borrowed("cgroup"),
    end: End::Null,
    trusted: true,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::Cgroup,
};
