//! What an instruction means, and its bytes: encode and decode are mirrors of each other.

use alloc::vec::Vec;
use core::fmt;

use crate::helper::HelperId;
use crate::op::{AluOp, JumpOp, Size, Width};
use crate::operand::{Condition, Operand};
use crate::reg::Reg;
use crate::wire::{self, Endian, Field, Raw};

/// An instruction, as what it does.
///
/// Offsets of jumps count 8-byte slots, from the slot after the jump; offsets in memory count
/// bytes. Every value of this type has an encoding, and decoding it gives the same value back; that
/// the kernel's verifier likes it is another matter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Insn {
    /// `dst = dst op src`, or `dst = src` (RFC 9669, section 4.1).
    Alu {
        /// On how many bits it works.
        width: Width,
        /// What is done.
        op: AluOp,
        /// Left operand and result.
        dst: Reg,
        /// Right operand.
        src: Operand,
    },
    /// `dst = -dst` (RFC 9669, section 4.1).
    Neg {
        /// On how many bits it works.
        width: Width,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = *(size *)(base + offset)`, zero-extended (RFC 9669, section 5.1).
    Load {
        /// How many bytes.
        size: Size,
        /// Where they go.
        dst: Reg,
        /// The register with the address.
        base: Reg,
        /// What is added to it, in bytes.
        offset: i16,
    },
    /// `*(size *)(base + offset) = src` (RFC 9669, section 5.1).
    Store {
        /// How many bytes.
        size: Size,
        /// The register with the address.
        base: Reg,
        /// What is added to it, in bytes.
        offset: i16,
        /// The value, of which the lowest `size` bytes are stored. An immediate is sign-extended.
        src: Operand,
    },
    /// `dst = value`, the one instruction of 16 bytes (RFC 9669, section 5.4).
    LoadWide {
        /// Where the value goes.
        dst: Reg,
        /// The value, or what it is the address of.
        value: Wide,
    },
    /// Goes on `offset` slots further (RFC 9669, section 4.3).
    Jump {
        /// 0 is the next instruction, -1 this one.
        offset: i16,
    },
    /// Goes on `offset` slots further if the condition holds (RFC 9669, section 4.3).
    JumpIf {
        /// When.
        condition: Condition,
        /// 0 is the next instruction, -1 this one.
        offset: i16,
    },
    /// Calls a helper function of the kernel by its number (RFC 9669, section 4.3.1).
    CallHelper {
        /// Which one.
        helper: HelperId,
    },
    /// Calls a kernel function by its BTF id (RFC 9669, section 4.3.1). Since Linux 5.13.
    CallKfunc {
        /// The id of its FUNC in the BTF of the kernel or of the module.
        btf_id: u32,
        /// 0 for the kernel; else the index of the module's BTF descriptor in the `fd_array` the
        /// program is loaded with (since Linux 5.16).
        btf_fd_offset: i16,
    },
    /// Returns R0 (RFC 9669, section 4.3).
    Exit,
}

/// What a wide load puts into its register (RFC 9669, section 5.4; `BPF_PSEUDO_*` in
/// `include/uapi/linux/bpf.h`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Wide {
    /// The value itself.
    Imm(u64),
    /// A map, by file descriptor (`BPF_PSEUDO_MAP_FD`).
    MapFd(i32),
    /// The address of a byte in a map's value, by file descriptor (`BPF_PSEUDO_MAP_VALUE`, since
    /// Linux 5.2).
    MapFdValue {
        /// The map.
        fd: i32,
        /// The offset in its value, in bytes.
        offset: u32,
    },
    /// A map, by its index in the `fd_array` the program is loaded with (`BPF_PSEUDO_MAP_IDX`,
    /// since Linux 5.14); before loading, a map whose descriptor is still to be filled in:
    /// [`Slot::Map`](crate::Slot::Map).
    MapIdx(u32),
    /// The address of a byte in a map's value, by index (`BPF_PSEUDO_MAP_IDX_VALUE`, since Linux
    /// 5.14); before loading, [`Slot::MapValue`](crate::Slot::MapValue).
    MapIdxValue {
        /// The index of the map.
        index: u32,
        /// The offset in its value, in bytes.
        offset: u32,
    },
}

impl Wide {
    /// The pseudo source register and the two immediates.
    const fn to_fields(self) -> (u8, i32, i32) {
        match self {
            Self::Imm(value) => (wire::IMM64, value as i32, (value >> 32) as i32),
            Self::MapFd(fd) => (wire::MAP_FD, fd, 0),
            Self::MapFdValue { fd, offset } => (wire::MAP_FD_VALUE, fd, offset as i32),
            Self::MapIdx(index) => (wire::MAP_IDX, index as i32, 0),
            Self::MapIdxValue { index, offset } => (wire::MAP_IDX_VALUE, index as i32, offset as i32),
        }
    }

    const fn from_fields(src: u8, imm: i32, next_imm: i32) -> Option<Self> {
        Some(match src {
            wire::IMM64 => Self::Imm((next_imm as u32 as u64) << 32 | imm as u32 as u64),
            wire::MAP_FD => Self::MapFd(imm),
            wire::MAP_FD_VALUE => Self::MapFdValue { fd: imm, offset: next_imm as u32 },
            wire::MAP_IDX => Self::MapIdx(imm as u32),
            wire::MAP_IDX_VALUE => Self::MapIdxValue { index: imm as u32, offset: next_imm as u32 },
            _ => return None,
        })
    }
}

impl Operand {
    /// The source bit, the source register and the immediate.
    const fn to_fields(self) -> (u8, u8, i32) {
        match self {
            Self::Reg(reg) => (wire::X, reg.number(), 0),
            Self::Imm(imm) => (0, 0, imm),
        }
    }
}

impl Insn {
    /// How many 8-byte slots it takes: 2 for a wide load, else 1.
    pub const fn slots(&self) -> usize {
        match self {
            Self::LoadWide { .. } => 2,
            _ => 1,
        }
    }

    /// Appends the instruction's 8 or 16 bytes to `out`.
    pub fn encode(&self, endian: Endian, out: &mut Vec<u8>) {
        let (raw, next) = self.to_raw();
        out.extend_from_slice(&raw.to_bytes(endian));
        if let Some(next) = next {
            out.extend_from_slice(&next.to_bytes(endian));
        }
    }

    /// Decodes the first instruction of `bytes`; the number is that of the bytes it takes, 8 or 16.
    ///
    /// # Errors
    ///
    /// If `bytes` end within the instruction, or if what they hold isn't one that [`Insn`] can say,
    /// to the last bit: a field that the instruction doesn't use must be zero, so that encoding
    /// gives the same bytes again.
    pub fn decode(bytes: &[u8], endian: Endian) -> Result<(Self, usize), DecodeError> {
        let slot = |offset: usize| {
            let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk::<{ Raw::BYTES }>());
            let bytes = bytes.ok_or(DecodeError { offset, reason: DecodeReason::Truncated })?;
            Ok(Raw::from_bytes(*bytes, endian))
        };
        let raw = slot(0)?;
        let next = if raw.opcode == wire::WIDE { Some(slot(Raw::BYTES)?) } else { None };

        let insn = Self::from_raw(raw, next).map_err(|reason| DecodeError { offset: 0, reason })?;

        // What from_raw didn't look at has to be zero, and encoding knows which fields those are.
        let (same, same_next) = insn.to_raw();
        let reserved = |offset, field| DecodeError { offset, reason: DecodeReason::Reserved(field) };
        if let Some(field) = raw.difference(same) {
            return Err(reserved(0, field));
        }
        if let Some(field) = next.unwrap_or_default().difference(same_next.unwrap_or_default()) {
            return Err(reserved(Raw::BYTES, field));
        }
        Ok((insn, insn.slots() * Raw::BYTES))
    }

    /// Decodes all of `bytes`.
    ///
    /// # Errors
    ///
    /// The first error of [`Insn::decode`], with its offset in `bytes`.
    pub fn decode_all(bytes: &[u8], endian: Endian) -> Result<Vec<Self>, DecodeError> {
        let mut insns = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let start = bytes.len() - rest.len();
            let (insn, len) = Self::decode(rest, endian)
                .map_err(|error| DecodeError { offset: start + error.offset, ..error })?;
            insns.push(insn);
            rest = rest.get(len..).unwrap_or_default();
        }
        Ok(insns)
    }

    fn to_raw(self) -> (Raw, Option<Raw>) {
        let raw = match self {
            Self::Alu { width, op, dst, src } => {
                let (code, offset) = op.row();
                let (x, src, imm) = src.to_fields();
                Raw { opcode: width.alu_class() | code | x, dst: dst.number(), src, offset, imm }
            }
            Self::Neg { width, dst } => {
                Raw { opcode: width.alu_class() | wire::NEG, dst: dst.number(), ..Raw::default() }
            }
            Self::Load { size, dst, base, offset } => {
                let opcode = wire::LDX | wire::MEM | size.row();
                Raw { opcode, dst: dst.number(), src: base.number(), offset, imm: 0 }
            }
            Self::Store { size, base, offset, src } => {
                let class = if matches!(src, Operand::Reg(_)) { wire::STX } else { wire::ST };
                let (_, src, imm) = src.to_fields();
                Raw { opcode: class | wire::MEM | size.row(), dst: base.number(), src, offset, imm }
            }
            Self::LoadWide { dst, value } => {
                let (src, imm, next_imm) = value.to_fields();
                let raw = Raw { opcode: wire::WIDE, dst: dst.number(), src, offset: 0, imm };
                return (raw, Some(Raw { imm: next_imm, ..Raw::default() }));
            }
            Self::Jump { offset } => Raw { opcode: wire::JA, offset, ..Raw::default() },
            Self::JumpIf { condition: Condition { width, op, left, right }, offset } => {
                let (x, src, imm) = right.to_fields();
                Raw { opcode: width.jump_class() | op.row() | x, dst: left.number(), src, offset, imm }
            }
            Self::CallHelper { helper: HelperId(id) } => {
                Raw { opcode: wire::CALL, src: wire::CALL_HELPER, imm: id as i32, ..Raw::default() }
            }
            Self::CallKfunc { btf_id, btf_fd_offset } => {
                let (offset, imm) = (btf_fd_offset, btf_id as i32);
                Raw { opcode: wire::CALL, src: wire::CALL_KFUNC, offset, imm, dst: 0 }
            }
            Self::Exit => Raw { opcode: wire::EXIT, ..Raw::default() },
        };
        (raw, None)
    }

    fn from_raw(raw: Raw, next: Option<Raw>) -> Result<Self, DecodeReason> {
        let Raw { opcode, offset, imm, .. } = raw;
        let unknown = DecodeReason::UnknownOpcode(opcode);
        let reg = |number| Reg::from_number(number).ok_or(DecodeReason::UnknownRegister(number));
        let source =
            || Ok(if opcode & wire::X == 0 { Operand::Imm(imm) } else { Operand::Reg(reg(raw.src)?) });
        let size = || Size::find(|bits| bits == opcode & wire::SIZE_MASK).ok_or(unknown);
        let code = opcode & wire::OP_MASK;
        let class = opcode & wire::CLASS_MASK;

        Ok(match (opcode, class) {
            (wire::WIDE, _) => {
                let value = Wide::from_fields(raw.src, imm, next.unwrap_or_default().imm);
                Self::LoadWide {
                    dst: reg(raw.dst)?,
                    value: value.ok_or(DecodeReason::UnknownPseudo { opcode, src: raw.src })?,
                }
            }
            (wire::JA, _) => Self::Jump { offset },
            (wire::EXIT, _) => Self::Exit,
            (wire::CALL, _) => match raw.src {
                wire::CALL_HELPER => Self::CallHelper { helper: HelperId(imm as u32) },
                wire::CALL_KFUNC => Self::CallKfunc { btf_id: imm as u32, btf_fd_offset: offset },
                src => return Err(DecodeReason::UnknownPseudo { opcode, src }),
            },
            (_, wire::LDX) if opcode & wire::MODE_MASK == wire::MEM => {
                Self::Load { size: size()?, dst: reg(raw.dst)?, base: reg(raw.src)?, offset }
            }
            (_, wire::ST | wire::STX) if opcode & wire::MODE_MASK == wire::MEM => {
                let src = if class == wire::STX { Operand::Reg(reg(raw.src)?) } else { Operand::Imm(imm) };
                Self::Store { size: size()?, base: reg(raw.dst)?, offset, src }
            }
            (_, wire::ALU | wire::ALU64) => {
                let width = Width::find(|(alu, _)| alu == class).ok_or(unknown)?;
                if opcode & !wire::CLASS_MASK == wire::NEG {
                    return Ok(Self::Neg { width, dst: reg(raw.dst)? });
                }
                // An offset that no operation of this code has is a fault of the offset, not of the
                // opcode.
                let op =
                    AluOp::find(|row| row == (code, offset)).or_else(|| AluOp::find(|row| row == (code, 0)));
                Self::Alu { width, op: op.ok_or(unknown)?, dst: reg(raw.dst)?, src: source()? }
            }
            (_, wire::JMP | wire::JMP32) => {
                let width = Width::find(|(_, jump)| jump == class).ok_or(unknown)?;
                let op = JumpOp::find(|row| row == code).ok_or(unknown)?;
                Self::JumpIf {
                    condition: Condition { width, op, left: reg(raw.dst)?, right: source()? },
                    offset,
                }
            }
            _ => return Err(unknown),
        })
    }
}

/// Why bytes are no instruction, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// Where the 8-byte slot begins that is at fault, in bytes from the start of what was decoded.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: DecodeReason,
}

/// What can be wrong with 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeReason {
    /// There are fewer than 8 of them, or the second 8 of a wide load are missing.
    Truncated,
    /// No instruction of [`Insn`] has this opcode.
    UnknownOpcode(u8),
    /// There is no register of this number, 11 to 15.
    UnknownRegister(u8),
    /// In a call or a wide load, the source register says what is called or loaded, and this one
    /// says nothing known.
    UnknownPseudo {
        /// `call` (0x85) or the wide load (0x18).
        opcode: u8,
        /// The source register's number.
        src: u8,
    },
    /// A field that this instruction doesn't use isn't zero.
    Reserved(Field),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no instruction at byte {}: {}", self.offset, self.reason)
    }
}

impl fmt::Display for DecodeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end within it"),
            Self::UnknownOpcode(opcode) => write!(f, "unknown opcode {opcode:#04x}"),
            Self::UnknownRegister(number) => write!(f, "there is no register r{number}"),
            Self::UnknownPseudo { opcode, src } => write!(f, "unknown source {src} of opcode {opcode:#04x}"),
            Self::Reserved(field) => write!(f, "its {field} must be zero, being unused"),
        }
    }
}

impl core::error::Error for DecodeError {}
