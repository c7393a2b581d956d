//! BPF links (`kernel/bpf/link_iter.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `bpf_link`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("bpf_link"),
    since: Some((5, 19)),
    object: Cow::Borrowed("link"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::None,
};
