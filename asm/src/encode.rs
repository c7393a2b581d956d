//! From meanings to bytes.

use alloc::vec::Vec;

use crate::helper::HelperId;
use crate::insn::Insn;
use crate::operand::{Condition, Operand};
use crate::wire::{self, Endian, Raw};

impl Operand {
    /// The source bit, the source register and the immediate.
    // Which of the two an operand is can't be foreseen: one question for each field lets the compiler
    // choose the value, where one for all three would make it a branch.
    #[inline(always)]
    const fn to_fields(self) -> (u8, u8, i32) {
        let x = if matches!(self, Self::Reg(_)) { wire::X } else { 0 };
        let src = if let Self::Reg(reg) = self { reg.number() } else { 0 };
        let imm = if let Self::Imm(imm) = self { imm } else { 0 };
        (x, src, imm)
    }
}

/// So many instructions, and as many bytes as they have at most.
const PAGE: usize = 64;
const PAGE_BYTES: usize = PAGE * 2 * Raw::BYTES;

impl Insn {
    /// Appends the instruction's 8 or 16 bytes to `out`.
    #[inline]
    pub fn encode(&self, endian: Endian, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_raw().to_bytes(endian));
        if let Some(next) = self.to_next_raw() {
            out.extend_from_slice(&next.to_bytes(endian));
        }
    }

    /// Appends the bytes of all of `insns` to `out`.
    pub fn encode_all(insns: &[Self], endian: Endian, out: &mut Vec<u8>) {
        // A loop for each order, instead of asking for it in the loop.
        match endian {
            Endian::Little => Self::encode_each(insns, Endian::Little, out),
            Endian::Big => Self::encode_each(insns, Endian::Big, out),
        }
    }

    #[inline(always)]
    fn encode_each(insns: &[Self], endian: Endian, out: &mut Vec<u8>) {
        out.reserve(insns.len() * Raw::BYTES);
        // Many are written at once: to ask `out` for room takes as long as an instruction.
        for some in insns.chunks(PAGE) {
            let mut page = [0; PAGE_BYTES + Raw::BYTES];
            let mut len = 0;
            for insn in some {
                // The remainder is itself; of a remainder, nobody has to ask whether it is within the page.
                let room = &mut page[len % PAGE_BYTES..][..2 * Raw::BYTES];
                room[..Raw::BYTES].copy_from_slice(&insn.to_raw().to_bytes(endian));
                len += Raw::BYTES;
                if let Some(next) = insn.to_next_raw() {
                    room[Raw::BYTES..].copy_from_slice(&next.to_bytes(endian));
                    len += Raw::BYTES;
                }
            }
            out.extend_from_slice(&page[..len]);
        }
    }

    /// The first slot.
    #[inline(always)]
    pub(crate) fn to_raw(self) -> Raw {
        match self {
            Self::Alu { width, op, dst, src } => {
                let (code, offset, _) = op.row();
                let (x, src, imm) = src.to_fields();
                Raw { opcode: width.alu_class() | code | x, dst: dst.number(), src, offset, imm }
            }
            Self::Neg { width, dst } => {
                Raw { opcode: width.alu_class() | wire::NEG, dst: dst.number(), ..Raw::default() }
            }
            Self::MovSigned { extend, dst, src } => {
                let (width, offset, _) = extend.row();
                let opcode = width.alu_class() | wire::MOV | wire::X;
                Raw { opcode, dst: dst.number(), src: src.number(), offset, imm: 0 }
            }
            Self::Swap { op, dst } => {
                let (opcode, imm, _) = op.row();
                Raw { opcode, dst: dst.number(), imm, ..Raw::default() }
            }
            Self::AddrSpaceCast { dst, src, to, from } => Raw {
                opcode: wire::ALU64 | wire::MOV | wire::X,
                dst: dst.number(),
                src: src.number(),
                offset: wire::ADDR_SPACE_CAST,
                imm: (u32::from(to) << 16 | u32::from(from)) as i32,
            },
            Self::Load { size, dst, base, offset } => {
                let opcode = wire::LDX | wire::MEM | size.bits();
                Raw { opcode, dst: dst.number(), src: base.number(), offset, imm: 0 }
            }
            Self::LoadSigned { size, dst, base, offset } => {
                let opcode = wire::LDX | wire::MEMSX | size.bits();
                Raw { opcode, dst: dst.number(), src: base.number(), offset, imm: 0 }
            }
            Self::LoadPacket { size, index, offset } => {
                let (mode, src) = match index {
                    None => (wire::ABS, 0),
                    Some(reg) => (wire::IND, reg.number()),
                };
                Raw { opcode: wire::LD | mode | size.bits(), src, imm: offset, ..Raw::default() }
            }
            Self::Store { size, base, offset, src } => {
                let class = if matches!(src, Operand::Reg(_)) { wire::STX } else { wire::ST };
                let (_, src, imm) = src.to_fields();
                Raw { opcode: class | wire::MEM | size.bits(), dst: base.number(), src, offset, imm }
            }
            Self::Atomic { op, width, base, offset, src } => {
                let opcode = wire::STX | wire::ATOMIC | width.size_bits();
                Raw { opcode, dst: base.number(), src: src.number(), offset, imm: op.imm() }
            }
            Self::LoadAcquire { size, dst, base, offset } => {
                let opcode = wire::STX | wire::ATOMIC | size.bits();
                Raw { opcode, dst: dst.number(), src: base.number(), offset, imm: wire::LOAD_ACQUIRE }
            }
            Self::StoreRelease { size, base, offset, src } => {
                let opcode = wire::STX | wire::ATOMIC | size.bits();
                Raw { opcode, dst: base.number(), src: src.number(), offset, imm: wire::STORE_RELEASE }
            }
            Self::LoadWide { dst, value } => {
                let (src, imm, _) = value.to_fields();
                Raw { opcode: wire::WIDE, dst: dst.number(), src, offset: 0, imm }
            }
            Self::Jump { offset } => Raw { opcode: wire::GOTO, offset, ..Raw::default() },
            Self::JumpLong { offset } => Raw { opcode: wire::GOTOL, imm: offset, ..Raw::default() },
            Self::JumpReg { target } => Raw { opcode: wire::GOTOX, dst: target.number(), ..Raw::default() },
            Self::JumpIf { condition: Condition { width, op, left, right }, offset } => {
                let (x, src, imm) = right.to_fields();
                Raw { opcode: width.jump_class() | op.code() | x, dst: left.number(), src, offset, imm }
            }
            Self::MayGoto { offset } => Raw { opcode: wire::MAY_GOTO, offset, ..Raw::default() },
            Self::CallHelper { helper: HelperId(id) } => {
                Raw { opcode: wire::CALL, src: wire::CALL_HELPER, imm: id as i32, ..Raw::default() }
            }
            Self::CallLocal { offset } => {
                Raw { opcode: wire::CALL, src: wire::CALL_LOCAL, imm: offset, ..Raw::default() }
            }
            Self::CallKfunc { btf_id, btf_fd_offset } => {
                let (offset, imm) = (btf_fd_offset, btf_id as i32);
                Raw { opcode: wire::CALL, src: wire::CALL_KFUNC, offset, imm, dst: 0 }
            }
            Self::Exit => Raw { opcode: wire::EXIT, ..Raw::default() },
        }
    }

    /// The second slot, if there is one.
    #[inline(always)]
    pub(crate) fn to_next_raw(self) -> Option<Raw> {
        match self {
            Self::LoadWide { value, .. } => Some(Raw { imm: value.to_fields().2, ..Raw::default() }),
            _ => None,
        }
    }
}
