//! The elements of one map of type `BPF_MAP_TYPE_SK_STORAGE`, and their sockets
//! (`net/core/bpf_sk_storage.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `bpf_sk_storage_map`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("bpf_sk_storage_map"),
    since: Some((5, 9)),
    object: Cow::Borrowed("sk"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: true,
    locks_memory: false,
    parameters: Parameters::Map,
};
