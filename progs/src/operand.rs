//! What a program handles: pointers to kernel objects, by what is known of them, and values to print.

use core::marker::PhantomData;

use kwalk_asm::Address;
use kwalk_asm::Reg::{self, R10};
use kwalk_btf::TypeId;

/// Marks a pointer that the verifier trusts: it may go to helpers and kfuncs that keep no reference of their own.
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

/// A pointer to a kernel object, in a register, that is not NULL wherever the program goes on.
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

    /// The address of the field at `path`, or NULL where the path leads through a NULL pointer: what `%s` takes
    /// for a field that is an array of characters.
    pub fn text<'p>(&self, path: &'p str) -> Value<'p> {
        Value::Address { base: self.reg, pointee: self.pointee, path }
    }
}

/// What is printed.
#[derive(Debug, Clone, Copy)]
pub enum Value<'p> {
    /// What a register holds.
    Reg(Reg),
    /// What 8 bytes of the program's stack hold.
    Stack(StackSlot),
    /// The address of bytes on the program's stack.
    StackAddress(StackSlot),
    /// A field, behind a pointer.
    Field {
        /// The register that holds the pointer.
        base: Reg,
        /// The type that it points to.
        pointee: TypeId,
        /// The path from there.
        path: &'p str,
    },
    /// The address of a field, behind a pointer.
    Address {
        /// The register that holds the pointer.
        base: Reg,
        /// The type that it points to.
        pointee: TypeId,
        /// The path from there.
        path: &'p str,
    },
}

/// Eight bytes of the program's stack, or the first eight of more.
#[derive(Debug, Clone, Copy)]
pub struct StackSlot(pub(crate) i32);

impl StackSlot {
    /// Where it lies.
    pub fn address(self) -> Address {
        R10 - self.0
    }
}

/// Memory that a helper writes to.
#[derive(Debug, Clone, Copy)]
pub enum Buffer {
    /// At an address, on the program's stack or in a map's value.
    Address(Address),
    /// In the value of the one element of an array.
    MapValue {
        /// The number of the map among the program's.
        index: u32,
        /// How many bytes into the value.
        offset: u32,
    },
}
