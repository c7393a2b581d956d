//! Where a field lies, seen from what a program has in its registers.

use alloc::string::String;
use alloc::vec::Vec;

use kwalk_btf::{Class, Field};

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The object of this call, which is not NULL.
    Object,
    /// The context: the first hop loads one of its arguments.
    Context,
    /// An argument that the program finds for itself, of so many: there may be none.
    Derived(usize),
}

/// A field, and the way to it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) base: Base,
    /// The offsets of the pointers to load, each behind the one before.
    pub(crate) hops: Vec<u32>,
    pub(crate) field: Field,
    /// Whether the pointers that it lies behind are known not to be NULL.
    pub(crate) never_null: bool,
    /// Whether its bytes are to be turned before it is a number.
    pub(crate) swap: bool,
    /// What the user calls it.
    pub(crate) name: String,
    /// What the kernel's types call it.
    pub(crate) path: String,
}

/// What it is called does not count.
impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.shares_base(other) && self.field == other.field && self.swap == other.swap
    }
}

impl Place {
    /// The end of a path from `base`.
    pub(crate) fn new(base: Base, path: &kwalk_btf::Path, name: &str) -> Place {
        let hops = path.hops.iter().map(|hop| hop.offset).collect();
        Place {
            base,
            hops,
            field: path.field,
            never_null: false,
            swap: false,
            name: name.into(),
            path: name.into(),
        }
    }

    /// The same, as a number that lies in memory with its highest byte first, whatever the machine.
    pub(crate) fn big_endian(self) -> Place {
        Place { swap: cfg!(target_endian = "little") && self.field.size > 1, ..self }
    }

    /// Some bytes of it, as a number without a sign.
    pub(crate) fn part(&self, from: u32, size: u32) -> Place {
        let class = Class::Int { signed: false };
        let field = Field { offset: self.field.offset + from, size, class, bits: None, ..self.field };
        Place { field, ..self.clone() }
    }

    /// Whether a program reads it from the same pointer as `other`.
    pub(crate) fn shares_base(&self, other: &Place) -> bool {
        self.base == other.base && self.hops == other.hops
    }

    /// Whether the way there can end at a NULL pointer.
    pub(crate) fn may_be_null(&self) -> bool {
        !self.never_null && (!self.hops.is_empty() || matches!(self.base, Base::Derived(_)))
    }
}
