//! TCP sockets (`net/ipv4/tcp_ipv4.c`), those in TIME_WAIT and NEW_SYN_RECV included.

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `tcp`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("tcp"),
    since: Some((5, 9)),
    object: Cow::Borrowed("sk_common"),
    end: End::Null,
    trusted: true,
    shared: false,
    loses: false,
    locks_memory: false,
    parameters: Parameters::Net,
};
