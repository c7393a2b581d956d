//! BPF maps (`kernel/bpf/map_iter.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `bpf_map`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("bpf_map"),
    since: Some((5, 8)),
    object: Cow::Borrowed("map"),
    end: End::Null,
    trusted: true,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::None,
};
