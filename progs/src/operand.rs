//! Operands of a builder: pointers to kernel objects, typed by how far they are checked, and values to print.

use core::marker::PhantomData;

use kwalk_asm::Address;
use kwalk_asm::Reg::{self, R10};
use kwalk_btf::TypeId;

/// Marks a pointer that the verifier trusts: helpers and kfuncs accept it.
#[derive(Debug, Clone, Copy)]
pub struct Trusted;
/// Marks a pointer that may only be read through: a read of freed or unmapped memory gives 0.
#[derive(Debug, Clone, Copy)]
pub struct Untrusted;

/// A pointer to a kernel object, in a register, that may be NULL.
#[derive(Debug)]
#[must_use = "a pointer is of no use before its check"]
pub struct Unchecked<T> {
    pub(crate) reg: Reg,
    pub(crate) pointee: TypeId,
    pub(crate) trust: PhantomData<T>,
}

/// A pointer to a kernel object, in a register, that is not NULL.
#[derive(Debug, Clone, Copy)]
pub struct Ptr<T> {
    pub(crate) reg: Reg,
    pub(crate) pointee: TypeId,
    pub(crate) trust: PhantomData<T>,
}

impl<T> Ptr<T> {
    /// The value of the field at `path`, for [`Builder::printf`](crate::Builder::printf).
    pub fn field<'p>(&self, path: &'p str) -> Value<'p> {
        Value::Field { base: self.reg, pointee: self.pointee, path }
    }

    /// The address of the field at `path`, for `%s` if the field is a character array; NULL if a pointer on the path is
    /// NULL.
    pub fn text<'p>(&self, path: &'p str) -> Value<'p> {
        Value::Address { base: self.reg, pointee: self.pointee, path }
    }
}

/// A value to print.
#[derive(Debug, Clone, Copy)]
pub enum Value<'p> {
    /// The value in a register.
    Reg(Reg),
    /// The value in 8 bytes of the program's stack.
    Stack(StackSlot),
    /// The address of bytes on the program's stack.
    StackAddress(StackSlot),
    /// The value of a field of a kernel object.
    Field {
        /// The register that holds the pointer.
        base: Reg,
        /// The type that it points to.
        pointee: TypeId,
        /// The path of the field, from there.
        path: &'p str,
    },
    /// The address of a field of a kernel object.
    Address {
        /// The register that holds the pointer.
        base: Reg,
        /// The type that it points to.
        pointee: TypeId,
        /// The path of the field, from there.
        path: &'p str,
    },
}

/// The offset of 8 or more bytes on the program's stack.
#[derive(Debug, Clone, Copy)]
pub struct StackSlot(pub(crate) i32);

impl StackSlot {
    /// The address.
    pub fn address(self) -> Address {
        R10 - self.0
    }
}

/// Memory that a helper writes to.
#[derive(Debug, Clone, Copy)]
pub enum Buffer {
    /// At an address, on the program's stack or in a map's value.
    Address(Address),
    /// In the value of a map with one element.
    MapValue {
        /// The index of the map among the program's maps.
        index: u32,
        /// The offset in the value, in bytes.
        offset: u32,
    },
}
