//! DMA buffers (`kernel/bpf/dmabuf_iter.c`). No call follows the last object.

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `dmabuf`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("dmabuf"),
    since: Some((6, 16)),
    object: Cow::Borrowed("dmabuf"),
    end: End::None,
    trusted: false,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::None,
};
