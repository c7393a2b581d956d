//! IPv6 routes (`net/ipv6/route.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `ipv6_route`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("ipv6_route"),
    since: Some((5, 8)),
    object: Cow::Borrowed("rt"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: true,
    locks_memory: false,
    parameters: Parameters::Net,
};
