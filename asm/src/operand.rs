//! What instructions work on: a register or an immediate, a place in memory, a condition.

use core::ops::{Add, Sub};

use crate::op::{JumpOp, SignedSize, Size, Width};
use crate::reg::Reg;

/// The second operand of arithmetic, a comparison or a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// A register (source bit `X` of RFC 9669, section 4.1).
    Reg(Reg),
    /// An immediate (source bit `K`); 64-bit instructions sign-extend it.
    Imm(i32),
}

impl From<Reg> for Operand {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<i32> for Operand {
    fn from(imm: i32) -> Self {
        Self::Imm(imm)
    }
}

/// A register plus a byte offset, written `R1 + 8` or `R10 - 16`.
///
/// A load or a store has 16 bits for the offset, signed. One that doesn't fit is an error of
/// [`Assembler::finish`](crate::Assembler::finish), so that sums of offsets can be written without
/// a check at each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    pub(crate) base: Reg,
    // Wider than what is added to it, so that no sum of i32s that a program could hold overflows it
    // or wraps back into range.
    pub(crate) offset: i64,
}

impl From<Reg> for Address {
    fn from(base: Reg) -> Self {
        Self { base, offset: 0 }
    }
}

impl Add<i32> for Address {
    type Output = Self;

    fn add(self, offset: i32) -> Self {
        Self { offset: self.offset.saturating_add(offset.into()), ..self }
    }
}

impl Sub<i32> for Address {
    type Output = Self;

    fn sub(self, offset: i32) -> Self {
        Self { offset: self.offset.saturating_sub(offset.into()), ..self }
    }
}

/// So many bytes at an address: what [`u8_at`], [`u16_at`], [`u32_at`] and [`u64_at`] give, and
/// loads and stores take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Memory {
    pub(crate) size: Size,
    pub(crate) address: Address,
}

impl Memory {
    /// `size` bytes at `address`, for where the size is a value.
    pub fn new(size: Size, address: impl Into<Address>) -> Self {
        Self { size, address: address.into() }
    }
}

/// One byte at an address; a load zero-extends it.
pub fn u8_at(address: impl Into<Address>) -> Memory {
    Memory::new(Size::U8, address)
}

/// Two bytes at an address, in the machine's byte order; a load zero-extends them.
pub fn u16_at(address: impl Into<Address>) -> Memory {
    Memory::new(Size::U16, address)
}

/// Four bytes at an address, in the machine's byte order; a load zero-extends them.
pub fn u32_at(address: impl Into<Address>) -> Memory {
    Memory::new(Size::U32, address)
}

/// Eight bytes at an address, in the machine's byte order.
pub fn u64_at(address: impl Into<Address>) -> Memory {
    Memory::new(Size::U64, address)
}

/// So many bytes at an address, the highest bit of which is a sign: what [`s8_at`], [`s16_at`] and
/// [`s32_at`] give, and loads take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignedMemory {
    pub(crate) size: SignedSize,
    pub(crate) address: Address,
}

impl SignedMemory {
    /// `size` bytes at `address`, for where the size is a value.
    pub fn new(size: SignedSize, address: impl Into<Address>) -> Self {
        Self { size, address: address.into() }
    }
}

/// One byte at an address; a load sign-extends it. Since Linux 6.6.
pub fn s8_at(address: impl Into<Address>) -> SignedMemory {
    SignedMemory::new(SignedSize::S8, address)
}

/// Two bytes at an address, in the machine's byte order; a load sign-extends them. Since Linux 6.6.
pub fn s16_at(address: impl Into<Address>) -> SignedMemory {
    SignedMemory::new(SignedSize::S16, address)
}

/// Four bytes at an address, in the machine's byte order; a load sign-extends them. Since Linux 6.6.
pub fn s32_at(address: impl Into<Address>) -> SignedMemory {
    SignedMemory::new(SignedSize::S32, address)
}

/// What a load reads: memory with or without a sign.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// Zero-extended.
    Unsigned(Memory),
    /// Sign-extended.
    Signed(SignedMemory),
}

impl From<Memory> for Source {
    fn from(memory: Memory) -> Self {
        Self::Unsigned(memory)
    }
}

impl From<SignedMemory> for Source {
    fn from(memory: SignedMemory) -> Self {
        Self::Signed(memory)
    }
}

/// A place in a packet, written `12` or `R3 + 12`; see [`Insn::LoadPacket`](crate::Insn::LoadPacket).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PacketAddress {
    /// So many bytes from its start.
    Offset(i32),
    /// So many more than a register says.
    Indexed(Address),
}

impl From<i32> for PacketAddress {
    fn from(offset: i32) -> Self {
        Self::Offset(offset)
    }
}

impl From<Reg> for PacketAddress {
    fn from(index: Reg) -> Self {
        Self::Indexed(index.into())
    }
}

impl From<Address> for PacketAddress {
    fn from(address: Address) -> Self {
        Self::Indexed(address)
    }
}

/// When to jump: a comparison, written `R6.eq(0)` or `R1.lt(R2)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Condition {
    /// Whether the whole registers or their lower halves are compared.
    pub width: Width,
    /// How they are compared.
    pub op: JumpOp,
    /// What is compared,
    pub left: Reg,
    /// and with what.
    pub right: Operand,
}

impl Condition {
    /// The same comparison of the lower 32 bits (class `JMP32`, since Linux 5.1).
    #[must_use]
    pub fn w32(self) -> Self {
        Self { width: Width::W32, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_offsets_do_not_wrap() {
        assert_eq!((Reg::R1 + 8 + 4 - 2).offset, 10);
        assert_eq!((Reg::R1 - i32::MIN).offset, 1 << 31);
        assert_eq!((Reg::R1 + i32::MAX + i32::MAX).offset, 2 * i64::from(i32::MAX));
    }
}
