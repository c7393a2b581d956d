//! An instruction's 8 bytes as fields, in either byte order: RFC 9669, section 3.

use core::fmt;

/// Instruction classes: the lowest three bits of the opcode.
pub(crate) const LD: u8 = 0x00;
pub(crate) const LDX: u8 = 0x01;
pub(crate) const ST: u8 = 0x02;
pub(crate) const STX: u8 = 0x03;
pub(crate) const ALU: u8 = 0x04;
pub(crate) const JMP: u8 = 0x05;
pub(crate) const JMP32: u8 = 0x06;
pub(crate) const ALU64: u8 = 0x07;

/// For arithmetic and jumps: whether the source is a register, and operations that exist in only
/// one class or for one source.
pub(crate) const X: u8 = 0x08;
pub(crate) const NEG: u8 = 0x80;
pub(crate) const END: u8 = 0xd0;
pub(crate) const MOV: u8 = 0xb0;

/// The modes of loads and stores.
pub(crate) const ABS: u8 = 0x20;
pub(crate) const IND: u8 = 0x40;
pub(crate) const MEM: u8 = 0x60;
pub(crate) const MEMSX: u8 = 0x80;
pub(crate) const ATOMIC: u8 = 0xc0;

/// The sizes of loads and stores.
pub(crate) const W: u8 = 0x00;
pub(crate) const H: u8 = 0x08;
pub(crate) const B: u8 = 0x10;
pub(crate) const DW: u8 = 0x18;

/// Opcodes without variants: `IMM | DW | LD`, and jumps without a comparison.
pub(crate) const WIDE: u8 = LD | DW;
pub(crate) const GOTO: u8 = JMP;
pub(crate) const GOTOX: u8 = JMP | X;
pub(crate) const GOTOL: u8 = JMP32;
pub(crate) const MAY_GOTO: u8 = 0xe0 | JMP;
pub(crate) const CALL: u8 = 0x80 | JMP;
pub(crate) const EXIT: u8 = 0x90 | JMP;

/// The values of the source register field that are no register: in a call, RFC 9669, section
/// 4.3.1; in a wide load, section 5.4.
pub(crate) const CALL_HELPER: u8 = 0;
pub(crate) const CALL_LOCAL: u8 = 1;
pub(crate) const CALL_KFUNC: u8 = 2;
pub(crate) const IMM64: u8 = 0;
pub(crate) const MAP_FD: u8 = 1;
pub(crate) const MAP_FD_VALUE: u8 = 2;
pub(crate) const BTF_ID: u8 = 3;
pub(crate) const FUNC: u8 = 4;
pub(crate) const MAP_IDX: u8 = 5;
pub(crate) const MAP_IDX_VALUE: u8 = 6;

/// The values of an atomic's immediate other than the plain operations (RFC 9669, section 5.3;
/// `BPF_LOAD_ACQ` and `BPF_STORE_REL` in `include/uapi/linux/bpf.h`).
pub(crate) const FETCH: i32 = 0x01;
pub(crate) const LOAD_ACQUIRE: i32 = 0x100;
pub(crate) const STORE_RELEASE: i32 = 0x110;

/// The value of a move's offset that is not a width to sign-extend from (`BPF_ADDR_SPACE_CAST` in
/// `include/linux/filter.h`).
pub(crate) const ADDR_SPACE_CAST: i16 = 1;

/// The order of bytes in the offset and immediate fields, and of the two register nibbles with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Endian {
    /// Lowest byte first; `dst` in the lower nibble.
    Little,
    /// Highest byte first; `dst` in the upper nibble.
    Big,
}

impl Endian {
    /// The byte order of the machine that this is compiled for, in which its kernel loads programs.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// A field of an instruction on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Field {
    /// The opcode, 8 bits; it is fixed only in the second half of a wide load.
    Opcode,
    /// The destination register, 4 bits.
    Dst,
    /// The source register, 4 bits.
    Src,
    /// The offset, 16 bits.
    Offset,
    /// The immediate, 32 bits.
    Imm,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opcode => "opcode",
            Self::Dst => "destination register",
            Self::Src => "source register",
            Self::Offset => "offset",
            Self::Imm => "immediate",
        })
    }
}

/// One 8-byte slot. By default all fields are 0, which is what instructions require of the fields
/// that they don't use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Raw {
    pub(crate) opcode: u8,
    pub(crate) dst: u8,
    pub(crate) src: u8,
    pub(crate) offset: i16,
    pub(crate) imm: i32,
}

impl Raw {
    pub(crate) const BYTES: usize = 8;

    #[inline(always)]
    pub(crate) fn to_bytes(self, endian: Endian) -> [u8; Self::BYTES] {
        let slot = match endian {
            Endian::Little => self,
            Endian::Big => self.swapped(),
        };
        slot.to_slot().to_le_bytes()
    }

    #[inline(always)]
    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES], endian: Endian) -> Self {
        let slot = Self::from_slot(u64::from_le_bytes(bytes));
        match endian {
            Endian::Little => slot,
            Endian::Big => slot.swapped(),
        }
    }

    /// The little-endian number of the bytes for a little-endian machine.
    #[inline(always)]
    fn to_slot(self) -> u64 {
        let Self { opcode, dst, src, offset, imm } = self;
        let (regs, offset, imm) =
            (u64::from(src << 4 | dst), u64::from(offset as u16), u64::from(imm as u32));
        imm << 32 | offset << 16 | regs << 8 | u64::from(opcode)
    }

    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        let (opcode, dst, src) = (slot as u8, (slot >> 8 & 0xf) as u8, (slot >> 12 & 0xf) as u8);
        Self { opcode, dst, src, offset: (slot >> 16) as i16, imm: (slot >> 32) as i32 }
    }

    /// Swaps all fields that depend on the byte order.
    #[inline(always)]
    fn swapped(self) -> Self {
        let Self { opcode, dst, src, offset, imm } = self;
        Self { opcode, dst: src, src: dst, offset: offset.swap_bytes(), imm: imm.swap_bytes() }
    }

    /// The first field that differs.
    pub(crate) fn difference(self, other: Self) -> Option<Field> {
        [
            (Field::Opcode, self.opcode != other.opcode),
            (Field::Dst, self.dst != other.dst),
            (Field::Src, self.src != other.src),
            (Field::Offset, self.offset != other.offset),
            (Field::Imm, self.imm != other.imm),
        ]
        .into_iter()
        .find_map(|(field, differs)| differs.then_some(field))
    }
}
