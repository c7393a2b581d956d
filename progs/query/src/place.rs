//! Where a field is in memory, from a register that the program has.

use alloc::string::String;
use alloc::vec::Vec;

use kwalk_btf::{Class, Field, TypeId};

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The object, which is not NULL.
    Object,
    /// The context: the first hop loads one of its arguments.
    Context,
    /// The derived root with this number, which may be NULL.
    Derived(usize),
}

/// A field, and the pointers to follow to it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) base: Base,
    /// The offset of each pointer to load, from where the last one points.
    pub(crate) hops: Vec<u32>,
    pub(crate) field: Field,
    /// Whether the program has checked the pointers before, so that none of them is NULL.
    pub(crate) never_null: bool,
    /// Whether its bytes must be swapped to give its number.
    pub(crate) swap: bool,
    /// The name that the user gave.
    pub(crate) name: String,
    /// The path in the kernel's types.
    pub(crate) path: String,
    /// The number of the hop that crosses a per-CPU pointer, if one does. Such a field is at no one place: each CPU has
    /// one.
    pub(crate) per_cpu: Option<usize>,
}

/// Ignores names.
impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.shares_base(other) && self.field == other.field && self.swap == other.swap
    }
}

impl Place {
    /// The field at the end of a path from `base`.
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
            per_cpu: None,
        }
    }

    /// The same field read as a big-endian number.
    pub(crate) fn big_endian(self) -> Place {
        Place { swap: cfg!(target_endian = "little") && self.field.size > 1, ..self }
    }

    /// `size` bytes of the field, from the offset `from` on, as an unsigned number.
    pub(crate) fn part(&self, from: u32, size: u32) -> Place {
        let class = Class::Int { signed: false };
        let field = Field { offset: self.field.offset + from, size, class, bits: None, ..self.field };
        Place { field, ..self.clone() }
    }

    /// The last pointer on the path, as a field, and the field behind it.
    pub(crate) fn behind(self) -> Option<(Place, Place)> {
        let (&offset, before) = self.hops.split_last()?;
        let class = Class::Ptr { pointee: TypeId(0) };
        let pointer = Field { offset, size: 8, class, bits: None, ..self.field };
        Some((Place { hops: before.to_vec(), field: pointer, per_cpu: None, ..self.clone() }, self))
    }

    /// Whether the field is read from the same pointer as `other`.
    pub(crate) fn shares_base(&self, other: &Place) -> bool {
        self.base == other.base && self.hops == other.hops
    }

    /// Whether a pointer on the path may be NULL.
    pub(crate) fn may_be_null(&self) -> bool {
        !self.never_null && (!self.hops.is_empty() || matches!(self.base, Base::Derived(_)))
    }
}
