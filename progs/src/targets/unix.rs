//! Unix sockets (`net/unix/af_unix.c`).

use alloc::borrow::Cow;

use crate::target::{End, Parameters, Target};

/// The target `unix`.
pub const TARGET: Target = Target {
    name: Cow::Borrowed("unix"),
    since: Some((5, 15)),
    object: Cow::Borrowed("unix_sk"),
    end: End::Null,
    trusted: false,
    shared: false,
    loses: true,
    locks_memory: false,
    parameters: Parameters::Net,
};
