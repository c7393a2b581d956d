//! The elements of one BPF map: a hash or an array (`kernel/bpf/map_iter.c`). The key is memory that a
//! program may read, the value memory that it may write.

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `bpf_map_elem`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("bpf_map_elem"),
    since: Some((5, 9)),
    object: Cow::Borrowed("key"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::Map,
};
