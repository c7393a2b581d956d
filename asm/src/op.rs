//! The operations, their codes on the wire and their symbols in text: RFC 9669, sections 4 and 5;
//! `include/uapi/linux/bpf.h` of the kernel.

use crate::table::table;
use crate::wire;

table! {
    /// How much of a register an instruction works on. Its row: the class of arithmetic, the class
    /// of jumps, the size bits and the size of atomics; in text, what LLVM puts after an exchange's name
    /// and the kernel after the word `atomic`.
    pub enum Width: (u8, u8, u8, Size, &'static str, &'static str) {
        /// The lower half. Arithmetic zeroes the upper half of its result.
        W32 = (wire::ALU, wire::JMP32, wire::W, Size::U32, "32_32", ""),
        /// The whole register.
        W64 = (wire::ALU64, wire::JMP, wire::DW, Size::U64, "_64", "64"),
    }
}

impl Width {
    /// The size of what an atomic of this width works on in memory.
    pub const fn size(self) -> Size {
        self.row().3
    }

    pub(crate) const fn exchange_suffix(self) -> &'static str {
        self.row().4
    }

    pub(crate) const fn kernel_suffix(self) -> &'static str {
        self.row().5
    }

    pub(crate) const fn alu_class(self) -> u8 {
        self.row().0
    }

    pub(crate) const fn jump_class(self) -> u8 {
        self.row().1
    }

    pub(crate) const fn size_bits(self) -> u8 {
        self.row().2
    }
}

table! {
    /// How many bytes a load or a store moves. Its row: the size bits of the opcode, the bytes, the
    /// type in text.
    pub enum Size: (u8, usize, &'static str) {
        /// One byte (`B`).
        U8 = (wire::B, 1, "u8"),
        /// Two bytes (`H`).
        U16 = (wire::H, 2, "u16"),
        /// Four bytes (`W`).
        U32 = (wire::W, 4, "u32"),
        /// Eight bytes (`DW`).
        U64 = (wire::DW, 8, "u64"),
    }
}

impl Size {
    /// The same, in bytes: 1, 2, 4 or 8.
    pub const fn bytes(self) -> usize {
        self.row().1
    }

    /// The type in text: `u8` to `u64`.
    pub const fn name(self) -> &'static str {
        self.row().2
    }

    /// How LLVM writes a register that as many bytes are loaded into or stored from: as 32 bits,
    /// but for 8 bytes.
    pub(crate) const fn register(self) -> Width {
        match self {
            Self::U8 | Self::U16 | Self::U32 => Width::W32,
            Self::U64 => Width::W64,
        }
    }

    pub(crate) const fn bits(self) -> u8 {
        self.row().0
    }
}

table! {
    /// How many bytes a sign-extending load reads (RFC 9669, section 5.2). Since Linux 6.6. Its row:
    /// the size bits of the opcode, the bytes, the type in text.
    pub enum SignedSize: (u8, usize, &'static str) {
        /// One byte (`B`).
        S8 = (wire::B, 1, "s8"),
        /// Two bytes (`H`).
        S16 = (wire::H, 2, "s16"),
        /// Four bytes (`W`).
        S32 = (wire::W, 4, "s32"),
    }
}

impl SignedSize {
    /// The same, in bytes: 1, 2 or 4.
    pub const fn bytes(self) -> usize {
        self.row().1
    }

    /// The type in text: `s8` to `s32`.
    pub const fn name(self) -> &'static str {
        self.row().2
    }

    pub(crate) const fn bits(self) -> u8 {
        self.row().0
    }
}

table! {
    /// How many bytes a packet load reads (RFC 9669, section 5.5): [`Size`] without 8. Its row: the
    /// size bits of the opcode, the type in text.
    pub enum PacketSize: (u8, &'static str) {
        /// One byte (`B`).
        U8 = (wire::B, "u8"),
        /// Two bytes (`H`).
        U16 = (wire::H, "u16"),
        /// Four bytes (`W`).
        U32 = (wire::W, "u32"),
    }
}

impl PacketSize {
    /// The type in text: `u8` to `u32`.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    pub(crate) const fn bits(self) -> u8 {
        self.row().0
    }
}

table! {
    /// Arithmetic with two operands (RFC 9669, section 4.1). Its row: the operation's code; what
    /// the offset field holds, which is where signed division is told from unsigned; its symbol.
    pub enum AluOp: (u8, i16, &'static str) {
        /// `dst += src`
        Add = (0x00, 0, "+="),
        /// `dst -= src`
        Sub = (0x10, 0, "-="),
        /// `dst *= src`
        Mul = (0x20, 0, "*="),
        /// `dst /= src`, unsigned; 0 if `src` is 0. The kernel refuses an immediate 0.
        Div = (0x30, 0, "/="),
        /// `dst /= src`, signed, truncating; 0 if `src` is 0. Since Linux 6.6.
        Sdiv = (0x30, 1, "s/="),
        /// `dst |= src`
        Or = (0x40, 0, "|="),
        /// `dst &= src`
        And = (0x50, 0, "&="),
        /// `dst <<= src`; the kernel refuses an immediate that is not below the width.
        Lsh = (0x60, 0, "<<="),
        /// `dst >>= src`, filling with zeros; immediates as in `Lsh`.
        Rsh = (0x70, 0, ">>="),
        /// `dst %= src`, unsigned; `dst` stays as it is if `src` is 0. The kernel refuses an
        /// immediate 0.
        Mod = (0x90, 0, "%="),
        /// `dst %= src`, signed, with the sign of `dst`; otherwise like `Mod`. Since Linux 6.6.
        Smod = (0x90, 1, "s%="),
        /// `dst ^= src`
        Xor = (0xa0, 0, "^="),
        /// `dst = src`
        Mov = (wire::MOV, 0, "="),
        /// `dst >>= src`, filling with the sign; immediates as in `Lsh`.
        Arsh = (0xc0, 0, "s>>="),
    }
}

impl AluOp {
    /// What stands between the operands in text: `+=`, `s/=` and so on.
    pub const fn symbol(self) -> &'static str {
        self.row().2
    }
}

table! {
    /// From what and to what a sign-extending move extends (RFC 9669, section 4.1). Since Linux
    /// 6.6. Its row: the width of the result, what the offset field holds, the cast in text.
    pub enum SignExtend: (Width, i16, &'static str) {
        /// `w0 = (s8)w1`
        S8To32 = (Width::W32, 8, "s8"),
        /// `w0 = (s16)w1`
        S16To32 = (Width::W32, 16, "s16"),
        /// `r0 = (s8)r1`
        S8To64 = (Width::W64, 8, "s8"),
        /// `r0 = (s16)r1`
        S16To64 = (Width::W64, 16, "s16"),
        /// `r0 = (s32)r1`
        S32To64 = (Width::W64, 32, "s32"),
    }
}

impl SignExtend {
    /// How wide the result is.
    pub const fn width(self) -> Width {
        self.row().0
    }

    /// The type in text of what is extended: `s8` to `s32`.
    pub const fn name(self) -> &'static str {
        self.row().2
    }
}

table! {
    /// A change of byte order of the lowest 16, 32 or 64 bits of a register; the bits above become
    /// zero (RFC 9669, section 4.2). Its row: the opcode, the immediate, the name in text.
    pub enum SwapOp: (u8, i32, &'static str) {
        /// To little-endian: a swap on a big-endian machine only.
        Le16 = (wire::ALU | wire::END, 16, "le16"),
        /// To little-endian: a swap on a big-endian machine only.
        Le32 = (wire::ALU | wire::END, 32, "le32"),
        /// To little-endian: a swap on a big-endian machine only.
        Le64 = (wire::ALU | wire::END, 64, "le64"),
        /// To big-endian: a swap on a little-endian machine only.
        Be16 = (wire::ALU | wire::END | wire::X, 16, "be16"),
        /// To big-endian: a swap on a little-endian machine only.
        Be32 = (wire::ALU | wire::END | wire::X, 32, "be32"),
        /// To big-endian: a swap on a little-endian machine only.
        Be64 = (wire::ALU | wire::END | wire::X, 64, "be64"),
        /// A swap on any machine. Since Linux 6.6.
        Bswap16 = (wire::ALU64 | wire::END, 16, "bswap16"),
        /// A swap on any machine. Since Linux 6.6.
        Bswap32 = (wire::ALU64 | wire::END, 32, "bswap32"),
        /// A swap on any machine. Since Linux 6.6.
        Bswap64 = (wire::ALU64 | wire::END, 64, "bswap64"),
    }
}

impl SwapOp {
    /// The name in text: `le16`, `bswap64` and so on.
    pub const fn name(self) -> &'static str {
        self.row().2
    }
}

table! {
    /// What an atomic instruction does to memory (RFC 9669, section 5.3). Its row: the immediate,
    /// the symbol or name in text.
    pub enum AtomicOp: (i32, &'static str) {
        /// `*memory += src`
        Add = (0x00, "+="),
        /// `*memory |= src`. Since Linux 5.12, like all but `Add`.
        Or = (0x40, "|="),
        /// `*memory &= src`
        And = (0x50, "&="),
        /// `*memory ^= src`
        Xor = (0xa0, "^="),
        /// `Add`, and `src` becomes what was in memory before.
        FetchAdd = (wire::FETCH, "atomic_fetch_add"),
        /// `Or`, and `src` becomes what was in memory before.
        FetchOr = (0x40 | wire::FETCH, "atomic_fetch_or"),
        /// `And`, and `src` becomes what was in memory before.
        FetchAnd = (0x50 | wire::FETCH, "atomic_fetch_and"),
        /// `Xor`, and `src` becomes what was in memory before.
        FetchXor = (0xa0 | wire::FETCH, "atomic_fetch_xor"),
        /// Exchanges memory and `src`.
        Xchg = (0xe0 | wire::FETCH, "xchg"),
        /// `*memory = src` if memory holds R0; R0 becomes what was in memory before.
        CmpXchg = (0xf0 | wire::FETCH, "cmpxchg"),
    }
}

impl AtomicOp {
    /// What stands for it in text: the symbol between the operands for the first four, which fetch
    /// nothing, the name of a function for the others (`xchg` and `cmpxchg` get `_64` or `32_32` at
    /// their end there).
    pub const fn symbol(self) -> &'static str {
        self.row().1
    }

    /// Whether it gives what was in memory before.
    pub const fn fetches(self) -> bool {
        self.row().0 & wire::FETCH != 0
    }

    pub(crate) const fn imm(self) -> i32 {
        self.row().0
    }
}

table! {
    /// A comparison to jump on (RFC 9669, section 4.3). Its row: the operation's code, its symbol,
    /// its opposite if there is one.
    pub enum JumpOp: (u8, &'static str, Option<JumpOp>) {
        /// `==`
        Eq = (0x10, "==", Some(Self::Ne)),
        /// `>`, unsigned
        Gt = (0x20, ">", Some(Self::Le)),
        /// `>=`, unsigned
        Ge = (0x30, ">=", Some(Self::Lt)),
        /// `&`: any of these bits is set
        Set = (0x40, "&", None),
        /// `!=`
        Ne = (0x50, "!=", Some(Self::Eq)),
        /// `>`, signed
        Sgt = (0x60, "s>", Some(Self::Sle)),
        /// `>=`, signed
        Sge = (0x70, "s>=", Some(Self::Slt)),
        /// `<`, unsigned; since Linux 4.14, like the other three that are less-than
        Lt = (0xa0, "<", Some(Self::Ge)),
        /// `<=`, unsigned
        Le = (0xb0, "<=", Some(Self::Gt)),
        /// `<`, signed
        Slt = (0xc0, "s<", Some(Self::Sge)),
        /// `<=`, signed
        Sle = (0xd0, "s<=", Some(Self::Sgt)),
    }
}

impl JumpOp {
    /// What stands between the operands in text: `==`, `s>` and so on.
    pub const fn symbol(self) -> &'static str {
        self.row().1
    }

    /// The comparison that holds exactly where this one doesn't; that no bit is set is none.
    pub const fn inverse(self) -> Option<Self> {
        self.row().2
    }

    pub(crate) const fn code(self) -> u8 {
        self.row().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_of_a_table_are_alike() {
        macro_rules! distinct {
            ($($table:ident)*) => {$(
                for (i, &a) in $table::ALL.iter().enumerate() {
                    assert_eq!($table::find(|row| row == a.row()), Some(a), "row {i}");
                }
            )*};
        }
        distinct!(Width Size SignedSize PacketSize AluOp SignExtend SwapOp AtomicOp JumpOp);
    }

    #[test]
    fn the_opposite_of_the_opposite_is_the_same() {
        for &op in JumpOp::ALL {
            assert_eq!(op.inverse().is_none(), op == JumpOp::Set);
            if let Some(inverse) = op.inverse() {
                assert!(inverse != op && inverse.inverse() == Some(op));
            }
        }
    }
}
