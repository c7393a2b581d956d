//! Where a field lies, seen from what a program has in its registers.

use kwalk_btf::Field;

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The object of this call, which is not NULL.
    Object,
    /// The context: the first hop loads one of its arguments.
    Context,
}

/// A field, and the way to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) base: Base,
    /// The offsets of the pointers to load, each behind the one before.
    pub(crate) hops: Vec<u32>,
    pub(crate) field: Field,
    /// Whether its bytes are to be turned before it is a number.
    pub(crate) swap: bool,
    /// What the user calls it.
    pub(crate) name: String,
    /// What the kernel's types call it.
    pub(crate) path: String,
}

impl Place {
    /// Whether a program reads it from the same pointer as `other`.
    pub(crate) fn beside(&self, other: &Place) -> bool {
        self.base == other.base && self.hops == other.hops
    }

    /// Whether the way there can end at a NULL pointer.
    pub(crate) fn may_be_null(&self) -> bool {
        !self.hops.is_empty()
    }
}
