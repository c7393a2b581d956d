//! The operations and their codes on the wire: RFC 9669, sections 4 and 5;
//! `include/uapi/linux/bpf.h` of the kernel.

use crate::table::table;
use crate::wire;

table! {
    /// How much of a register an instruction works on. Its row: the class of arithmetic, the class
    /// of jumps.
    pub enum Width: (u8, u8) {
        /// The lower half. Arithmetic zeroes the upper half of its result.
        W32 = (wire::ALU, wire::JMP32),
        /// The whole register.
        W64 = (wire::ALU64, wire::JMP),
    }
}

impl Width {
    pub(crate) const fn alu_class(self) -> u8 {
        self.row().0
    }

    pub(crate) const fn jump_class(self) -> u8 {
        self.row().1
    }
}

table! {
    /// How many bytes a load or a store moves. Its row: the size bits of the opcode.
    pub enum Size: u8 {
        /// One byte (`B`).
        U8 = 0x10,
        /// Two bytes (`H`).
        U16 = 0x08,
        /// Four bytes (`W`).
        U32 = 0x00,
        /// Eight bytes (`DW`).
        U64 = 0x18,
    }
}

impl Size {
    /// The same, in bytes: 1, 2, 4 or 8.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::U32 => 4,
            Self::U64 => 8,
        }
    }
}

table! {
    /// Arithmetic with two operands (RFC 9669, section 4.1). Its row: the operation's code, and
    /// what the offset field holds, which is where signed division is told from unsigned.
    pub enum AluOp: (u8, i16) {
        /// `dst += src`
        Add = (0x00, 0),
        /// `dst -= src`
        Sub = (0x10, 0),
        /// `dst *= src`
        Mul = (0x20, 0),
        /// `dst /= src`, unsigned; 0 if `src` is 0. The kernel refuses an immediate 0.
        Div = (0x30, 0),
        /// `dst /= src`, signed, truncating; 0 if `src` is 0. Since Linux 6.6.
        Sdiv = (0x30, 1),
        /// `dst |= src`
        Or = (0x40, 0),
        /// `dst &= src`
        And = (0x50, 0),
        /// `dst <<= src`; the kernel refuses an immediate that is not below the width.
        Lsh = (0x60, 0),
        /// `dst >>= src`, filling with zeros; immediates as in `Lsh`.
        Rsh = (0x70, 0),
        /// `dst %= src`, unsigned; `dst` stays as it is if `src` is 0. The kernel refuses an
        /// immediate 0.
        Mod = (0x90, 0),
        /// `dst %= src`, signed, with the sign of `dst`; otherwise like `Mod`. Since Linux 6.6.
        Smod = (0x90, 1),
        /// `dst ^= src`
        Xor = (0xa0, 0),
        /// `dst = src`
        Mov = (0xb0, 0),
        /// `dst >>= src`, filling with the sign; immediates as in `Lsh`.
        Arsh = (0xc0, 0),
    }
}

table! {
    /// A comparison to jump on (RFC 9669, section 4.3). Its row: the operation's code.
    pub enum JumpOp: u8 {
        /// `==`
        Eq = 0x10,
        /// `>`, unsigned
        Gt = 0x20,
        /// `>=`, unsigned
        Ge = 0x30,
        /// `&`: any of these bits is set
        Set = 0x40,
        /// `!=`
        Ne = 0x50,
        /// `>`, signed
        Sgt = 0x60,
        /// `>=`, signed
        Sge = 0x70,
        /// `<`, unsigned; since Linux 4.14, like the other three that are less-than
        Lt = 0xa0,
        /// `<=`, unsigned
        Le = 0xb0,
        /// `<`, signed
        Slt = 0xc0,
        /// `<=`, signed
        Sle = 0xd0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_of_a_table_are_alike() {
        for (i, &a) in AluOp::ALL.iter().enumerate() {
            assert_eq!(AluOp::find(|row| row == a.row()), Some(a), "row {i}");
        }
        for &a in JumpOp::ALL {
            assert_eq!(JumpOp::find(|row| row == a.row()), Some(a));
        }
        for &a in Size::ALL {
            assert_eq!(Size::find(|row| row == a.row()), Some(a));
        }
    }
}
