//! Slab caches (`kernel/bpf/kmem_cache_iter.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `kmem_cache`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("kmem_cache"),
    since: Some((6, 13)),
    object: Cow::Borrowed("s"),
    end: End::Null,
    trusted: true,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::None,
};
