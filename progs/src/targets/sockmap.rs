//! The elements of one sockmap or sockhash (`net/core/sock_map.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `sockmap`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("sockmap"),
    since: Some((5, 10)),
    object: Cow::Borrowed("key"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: true,
    locks_memory: false,
    parameters: Parameters::Map,
};
