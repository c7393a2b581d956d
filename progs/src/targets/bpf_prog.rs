//! BPF programs (`kernel/bpf/prog_iter.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `bpf_prog`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("bpf_prog"),
    since: Some((5, 9)),
    object: Cow::Borrowed("prog"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::None,
};
