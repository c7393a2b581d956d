//! The output of a walk.

use crate::iter::Iter;

/// The output of a walk.
pub(super) enum Output {
    /// To be read from the kernel.
    Iter(Iter),
    /// Already read, completely.
    Bytes(Vec<u8>),
}
