//! From bytes to meanings, or to why they have none.

use alloc::vec::Vec;
use core::fmt;

use crate::helper::HelperId;
use crate::insn::Insn;
use crate::op::{AluOp, AtomicOp, SignExtend, Size, SwapOp, Width};
use crate::opcode::Form;
use crate::operand::{Condition, Operand};
use crate::program::TargetError;
use crate::reg::Reg;
use crate::wide::Wide;
use crate::wire::{self, Endian, Field, Raw};

impl Insn {
    /// Decodes the first instruction of `bytes`; the number is that of the bytes it takes, 8 or 16.
    ///
    /// # Errors
    ///
    /// If `bytes` end within the instruction, or if what they hold isn't one that [`Insn`] can say,
    /// to the last bit: a field that the instruction doesn't use must be zero, so that encoding
    /// gives the same bytes again.
    #[inline(always)]
    pub fn decode(bytes: &[u8], endian: Endian) -> Result<(Self, usize), DecodeError> {
        let raw = slot(bytes, 0, endian)?;
        let next = if raw.opcode == wire::WIDE { slot(bytes, Raw::BYTES, endian)? } else { Raw::default() };
        let insn = Self::from_raw(raw, next.imm).map_err(|reason| DecodeError { offset: 0, reason })?;
        // Of the second half of a wide load, all but the immediate is unused.
        let same = insn.to_next_raw().unwrap_or_default();
        if next != same {
            return Err(DecodeError { offset: Raw::BYTES, reason: reserved(next, same) });
        }
        Ok((insn, insn.slots() * Raw::BYTES))
    }

    /// Decodes all of `bytes`, which need not be a whole program.
    ///
    /// # Errors
    ///
    /// The first error of [`Insn::decode`], with its offset in `bytes`.
    pub fn decode_all(bytes: &[u8], endian: Endian) -> Result<Vec<Self>, DecodeError> {
        // A loop for each order, instead of asking for it in the loop.
        match endian {
            Endian::Little => Self::decode_each(bytes, Endian::Little),
            Endian::Big => Self::decode_each(bytes, Endian::Big),
        }
    }

    #[inline(always)]
    fn decode_each(bytes: &[u8], endian: Endian) -> Result<Vec<Self>, DecodeError> {
        let mut insns = Vec::with_capacity(bytes.len() / Raw::BYTES);
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

    #[inline(always)]
    fn from_raw(raw: Raw, next_imm: i32) -> Result<Self, DecodeReason> {
        let Raw { opcode, offset, imm, .. } = raw;
        let reg = |number| Reg::from_number(number).ok_or(DecodeReason::UnknownRegister(number));
        // Which of the two it is can't be foreseen, so that it had better be no branch: what an immediate has for a
        // register is looked at in any case.
        let source = |is_reg| {
            let src = Reg::from_number(raw.src).or(if is_reg { None } else { Some(Reg::R0) });
            let src = src.ok_or(DecodeReason::UnknownRegister(raw.src))?;
            Ok(if is_reg { Operand::Reg(src) } else { Operand::Imm(imm) })
        };
        let unknown_imm = DecodeReason::UnknownImm { opcode, imm };

        match Form::of(opcode) {
            Form::Unknown => Err(DecodeReason::UnknownOpcode(opcode)),
            Form::Alu(width, ops, is_reg) => {
                // An offset that no operation of this code has is a fault of the offset, not of the
                // opcode.
                let op = ops.get(usize::from(offset as u16)).copied().flatten().or(ops[0]);
                let op = op.ok_or(DecodeReason::UnknownOpcode(opcode))?;
                raw.exactly(Self::Alu { width, op, dst: reg(raw.dst)?, src: source(is_reg)? })
            }
            Form::MovReg(width) => {
                let (dst, src) = (reg(raw.dst)?, reg(raw.src)?);
                let plain = Self::Alu { width, op: AluOp::Mov, dst, src: Operand::Reg(src) };
                match (offset, width) {
                    (0, _) => raw.exactly(plain),
                    (wire::ADDR_SPACE_CAST, Width::W64) => {
                        let (to, from) = ((imm as u32 >> 16) as u16, imm as u16);
                        raw.exactly(Self::AddrSpaceCast { dst, src, to, from })
                    }
                    _ => match SignExtend::find(|(to, bits, _)| (to, bits) == (width, offset)) {
                        Some(extend) => raw.exactly(Self::MovSigned { extend, dst, src }),
                        None => raw.exactly(plain),
                    },
                }
            }
            Form::Neg(width) => raw.exactly(Self::Neg { width, dst: reg(raw.dst)? }),
            Form::Swap => {
                let op = SwapOp::find(|(code, bits, _)| (code, bits) == (opcode, imm));
                raw.exactly(Self::Swap { op: op.ok_or(unknown_imm)?, dst: reg(raw.dst)? })
            }
            Form::Load(size) => {
                raw.exactly(Self::Load { size, dst: reg(raw.dst)?, base: reg(raw.src)?, offset })
            }
            Form::LoadSigned(size) => {
                raw.exactly(Self::LoadSigned { size, dst: reg(raw.dst)?, base: reg(raw.src)?, offset })
            }
            Form::LoadPacket(size, indexed) => {
                let index = if indexed { Some(reg(raw.src)?) } else { None };
                raw.exactly(Self::LoadPacket { size, index, offset: imm })
            }
            Form::LoadWide => {
                let value = Wide::from_fields(raw.src, imm, next_imm);
                let value = value.ok_or(DecodeReason::UnknownPseudo { opcode, src: raw.src })?;
                raw.exactly(Self::LoadWide { dst: reg(raw.dst)?, value })
            }
            Form::Store(size, is_reg) => {
                raw.exactly(Self::Store { size, base: reg(raw.dst)?, offset, src: source(is_reg)? })
            }
            Form::Atomic(size) => {
                let (dst, src) = (reg(raw.dst)?, reg(raw.src)?);
                match (imm, size) {
                    (wire::LOAD_ACQUIRE, _) => {
                        raw.exactly(Self::LoadAcquire { size, dst, base: src, offset })
                    }
                    (wire::STORE_RELEASE, _) => {
                        raw.exactly(Self::StoreRelease { size, base: dst, offset, src })
                    }
                    (_, Size::U8 | Size::U16) => Err(unknown_imm),
                    (_, Size::U32 | Size::U64) => {
                        let op = AtomicOp::find(|(row, _)| row == imm).ok_or(unknown_imm)?;
                        let width = if size == Size::U64 { Width::W64 } else { Width::W32 };
                        raw.exactly(Self::Atomic { op, width, base: dst, offset, src })
                    }
                }
            }
            Form::Jump => raw.exactly(Self::Jump { offset }),
            Form::JumpLong => raw.exactly(Self::JumpLong { offset: imm }),
            Form::JumpReg => raw.exactly(Self::JumpReg { target: reg(raw.dst)? }),
            Form::MayGoto => raw.exactly(Self::MayGoto { offset }),
            Form::JumpIf(width, op, is_reg) => {
                let condition = Condition { width, op, left: reg(raw.dst)?, right: source(is_reg)? };
                raw.exactly(Self::JumpIf { condition, offset })
            }
            Form::Call => match raw.src {
                wire::CALL_HELPER => raw.exactly(Self::CallHelper { helper: HelperId(imm as u32) }),
                wire::CALL_LOCAL => raw.exactly(Self::CallLocal { offset: imm }),
                wire::CALL_KFUNC => {
                    raw.exactly(Self::CallKfunc { btf_id: imm as u32, btf_fd_offset: offset })
                }
                src => Err(DecodeReason::UnknownPseudo { opcode, src }),
            },
            Form::Exit => raw.exactly(Self::Exit),
        }
    }
}

impl Raw {
    /// The instruction, if its first slot is this one to the last bit: what decoding didn't look at
    /// has to be zero, and encoding knows which fields those are.
    // Where it is used, the kind of instruction is known, and what is left of this is a few
    // comparisons: inlined, decoding takes half the time.
    #[inline(always)]
    fn exactly(self, insn: Insn) -> Result<Insn, DecodeReason> {
        let same = insn.to_raw();
        if self == same { Ok(insn) } else { Err(reserved(self, same)) }
    }
}

#[inline]
fn slot(bytes: &[u8], offset: usize, endian: Endian) -> Result<Raw, DecodeError> {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk::<{ Raw::BYTES }>());
    let bytes = bytes.ok_or(DecodeError { offset, reason: DecodeReason::Truncated })?;
    Ok(Raw::from_bytes(*bytes, endian))
}

/// The field that isn't what it must be.
#[cold]
fn reserved(raw: Raw, same: Raw) -> DecodeReason {
    DecodeReason::Reserved(raw.difference(same).unwrap_or(Field::Opcode))
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
    /// In a byte swap or an atomic instruction, the immediate says what is done, and this one says
    /// nothing known.
    UnknownImm {
        /// Of the byte swap or the atomic.
        opcode: u8,
        /// The immediate.
        imm: i32,
    },
    /// A field that this instruction doesn't use isn't zero.
    Reserved(Field),
    /// It is an instruction, but it leads to none; only [`Insn::decode_program`] looks.
    Target(TargetError),
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
            Self::UnknownImm { opcode, imm } => {
                write!(f, "unknown immediate {imm:#x} of opcode {opcode:#04x}")
            }
            Self::Reserved(field) => write!(f, "its {field} must be zero, being unused"),
            Self::Target(target) => target.fmt(f),
        }
    }
}

impl core::error::Error for DecodeError {}
