//! UDP sockets (`net/ipv4/udp.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `udp`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("udp"),
    since: Some((5, 9)),
    object: Cow::Borrowed("udp_sk"),
    end: End::Null,
    trusted: true,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::Net,
};
