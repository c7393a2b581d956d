//! Netlink sockets (`net/netlink/af_netlink.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `netlink`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("netlink"),
    since: Some((5, 8)),
    object: Cow::Borrowed("sk"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: true,
    locks_memory: false,
    parameters: Parameters::Net,
};
