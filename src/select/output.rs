//! What a walk gives.

use crate::iter::Iter;

/// A walk of a question's objects.
pub(super) enum Output {
    /// One to be read.
    Iter(Iter),
    /// All that one has given.
    Bytes(Vec<u8>),
}
