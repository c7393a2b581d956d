//! The registers, and the expressions that start with one: addresses and conditions.

use core::fmt;
use core::ops::{Add, Sub};

use crate::op::{JumpOp, Width};
use crate::operand::{Address, Condition, Operand};
use crate::table::table;

table! {
    /// A register of the BPF machine (RFC 9669, section 2). All are 64 bits wide; a 32-bit
    /// instruction reads the lower half and zeroes the upper half of what it writes. Its row,
    /// which is the one of its number: the names of the lower half and of the whole.
    pub enum Reg: (&'static str, &'static str) {
        /// What a call returns, and what the program returns.
        R0 = ("w0", "r0"),
        /// First argument of a call; the context when the program starts. Calls clobber R1 to R5.
        R1 = ("w1", "r1"),
        /// Second argument of a call.
        R2 = ("w2", "r2"),
        /// Third argument of a call.
        R3 = ("w3", "r3"),
        /// Fourth argument of a call.
        R4 = ("w4", "r4"),
        /// Fifth argument of a call.
        R5 = ("w5", "r5"),
        /// Kept across calls, like R7 to R9.
        R6 = ("w6", "r6"),
        /// Kept across calls.
        R7 = ("w7", "r7"),
        /// Kept across calls.
        R8 = ("w8", "r8"),
        /// Kept across calls.
        R9 = ("w9", "r9"),
        /// The frame pointer, read-only: the stack lies below it, 512 bytes of it.
        R10 = ("w10", "r10"),
    }
}

impl Reg {
    /// The register's number, 0 to 10, as it is on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in text, where an instruction of that width uses it: `w0` to `w10` or `r0` to `r10`.
    pub const fn name(self, width: Width) -> &'static str {
        match width {
            Width::W32 => self.row().0,
            Width::W64 => self.row().1,
        }
    }

    /// The register of that number, or `None` above 10.
    #[inline]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// `r0` to `r10`, as the field writes them.
impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name(Width::W64))
    }
}

macro_rules! comparisons {
    ($( $(#[$doc:meta])* $method:ident => $op:ident; )*) => {
        /// What to jump on: 64-bit comparisons of this register with another or with an immediate,
        /// which is sign-extended to 64 bits. [`Condition::w32`] makes one compare the lower halves
        /// instead.
        impl Reg {
            $(
                $(#[$doc])*
                pub fn $method(self, right: impl Into<Operand>) -> Condition {
                    Condition { width: Width::W64, op: JumpOp::$op, left: self, right: right.into() }
                }
            )*
        }
    };
}

comparisons! {
    /// `self == right`
    eq => Eq;
    /// `self != right`
    ne => Ne;
    /// `self > right`, unsigned
    gt => Gt;
    /// `self >= right`, unsigned
    ge => Ge;
    /// `self < right`, unsigned
    lt => Lt;
    /// `self <= right`, unsigned
    le => Le;
    /// `self > right`, signed
    sgt => Sgt;
    /// `self >= right`, signed
    sge => Sge;
    /// `self < right`, signed
    slt => Slt;
    /// `self <= right`, signed
    sle => Sle;
    /// `self & right != 0`: any of these bits is set
    set => Set;
}

/// The address `offset` bytes above the one in the register.
impl Add<i32> for Reg {
    type Output = Address;

    fn add(self, offset: i32) -> Address {
        Address::from(self) + offset
    }
}

/// The address `offset` bytes below the one in the register: `R10 - 8` is the topmost word of the
/// stack.
impl Sub<i32> for Reg {
    type Output = Address;

    fn sub(self, offset: i32) -> Address {
        Address::from(self) - offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_and_registers_mirror_each_other() {
        for (number, reg) in (0u8..).zip(Reg::ALL.iter().copied()) {
            assert_eq!(reg.number(), number);
            assert_eq!(Reg::from_number(number), Some(reg));
        }
        assert_eq!(Reg::from_number(11), None);
        assert_eq!(Reg::R10.to_string(), "r10");
    }

    #[test]
    fn equality_of_registers_and_the_condition_of_the_same_name_live_together() {
        assert!(Reg::R1 == Reg::R1 && Reg::R1 != Reg::R2);
        assert_eq!(Reg::R1.eq(Reg::R2).op, JumpOp::Eq);
    }
}
