//! Every operation in every width, each with a spread of operands.

use kwalk_asm::{
    AluOp, AtomicOp, Condition, HelperId, Insn, JumpOp, Operand, PacketSize, Reg, SignExtend, SignedSize,
    Size, SwapOp, Wide, Width,
};

const REGS: [(Reg, Reg); 4] =
    [(Reg::R0, Reg::R1), (Reg::R9, Reg::R10), (Reg::R10, Reg::R0), (Reg::R5, Reg::R5)];
const OFFSETS: [i16; 6] = [0, 1, 8, -8, i16::MIN, i16::MAX];
const IMMS: [i32; 8] = [0, 1, -1, 9, 10, 0x1234_5678, i32::MIN, i32::MAX];
const IDS: [u32; 4] = [0, 5, 0x7fff_ffff, u32::MAX];

pub(crate) fn all() -> Vec<Insn> {
    let mut all = Vec::new();
    for (dst, src) in REGS {
        for &width in Width::ALL {
            all.push(Insn::Neg { width, dst });
            for &op in AluOp::ALL {
                let operands = IMMS.map(Operand::Imm).into_iter().chain([Operand::Reg(src)]);
                all.extend(operands.map(|src| Insn::Alu { width, op, dst, src }));
            }
            for &op in JumpOp::ALL {
                for offset in OFFSETS {
                    let mut push = |right| {
                        all.push(Insn::JumpIf {
                            condition: Condition { width, op, left: dst, right },
                            offset,
                        });
                    };
                    push(Operand::Reg(src));
                    IMMS.map(Operand::Imm).into_iter().for_each(push);
                }
            }
            for &op in AtomicOp::ALL {
                all.extend(OFFSETS.map(|offset| Insn::Atomic { op, width, base: dst, offset, src }));
            }
        }
        all.extend(SignExtend::ALL.iter().map(|&extend| Insn::MovSigned { extend, dst, src }));
        all.extend(SwapOp::ALL.iter().map(|&op| Insn::Swap { op, dst }));
        all.extend([(0, 1), (1, 0)].map(|(to, from)| Insn::AddrSpaceCast { dst, src, to, from }));
        for offset in OFFSETS {
            for &size in Size::ALL {
                all.push(Insn::Load { size, dst, base: src, offset });
                all.push(Insn::LoadAcquire { size, dst, base: src, offset });
                all.push(Insn::StoreRelease { size, base: dst, offset, src });
                let operands = IMMS.map(Operand::Imm).into_iter().chain([Operand::Reg(src)]);
                all.extend(operands.map(|src| Insn::Store { size, base: dst, offset, src }));
            }
            all.extend(SignedSize::ALL.iter().map(|&size| Insn::LoadSigned { size, dst, base: src, offset }));
        }
        for &size in PacketSize::ALL {
            for offset in IMMS {
                all.push(Insn::LoadPacket { size, index: None, offset });
                all.push(Insn::LoadPacket { size, index: Some(src), offset });
            }
        }
        all.push(Insn::JumpReg { target: dst });
        all.extend(wides().map(|value| Insn::LoadWide { dst, value }));
    }
    for offset in OFFSETS {
        all.push(Insn::Jump { offset });
        all.push(Insn::MayGoto { offset });
        all.push(Insn::JumpLong { offset: offset.into() });
        all.extend(IDS.map(|btf_id| Insn::CallKfunc { btf_id, btf_fd_offset: offset }));
    }
    all.extend(IMMS.map(|offset| Insn::JumpLong { offset }));
    all.extend(IMMS.map(|offset| Insn::CallLocal { offset }));
    all.extend(IMMS.map(|id| Insn::CallHelper { helper: HelperId(id as u32) }));
    all.push(Insn::Exit);
    all
}

fn wides() -> impl Iterator<Item = Wide> {
    let imms = [0, 1, 0x1234_5678_9abc_def0, 0xffff_ffff, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];
    let by_id = IDS.into_iter().flat_map(|id| {
        let offset = id.rotate_left(4);
        [
            Wide::MapFd(id as i32),
            Wide::MapFdValue { fd: id as i32, offset },
            Wide::BtfId { btf_id: id, btf_fd: 0 },
            Wide::BtfId { btf_id: id, btf_fd: 3 },
            Wide::Func { offset: id as i32 },
            Wide::MapIdx(id),
            Wide::MapIdxValue { index: id, offset },
        ]
    });
    imms.map(Wide::Imm).into_iter().chain(by_id)
}
