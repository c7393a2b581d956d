//! Any instruction, with any operands.

use kwalk_asm::{
    AluOp, AtomicOp, Condition, HelperId, Insn, JumpOp, Operand, PacketSize, Reg, SignExtend, SignedSize,
    Size, SwapOp, Wide, Width,
};
use proptest::prelude::*;
use proptest::sample::select;

fn reg() -> impl Strategy<Value = Reg> {
    select(Reg::ALL)
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![reg().prop_map(Operand::Reg), any::<i32>().prop_map(Operand::Imm)]
}

fn condition() -> impl Strategy<Value = Condition> {
    (select(Width::ALL), select(JumpOp::ALL), reg(), operand())
        .prop_map(|(width, op, left, right)| Condition { width, op, left, right })
}

fn wide() -> impl Strategy<Value = Wide> {
    prop_oneof![
        any::<u64>().prop_map(Wide::Imm),
        any::<i32>().prop_map(Wide::MapFd),
        any::<(i32, u32)>().prop_map(|(fd, offset)| Wide::MapFdValue { fd, offset }),
        any::<(u32, i32)>().prop_map(|(btf_id, btf_fd)| Wide::BtfId { btf_id, btf_fd }),
        any::<i32>().prop_map(|offset| Wide::Func { offset }),
        any::<u32>().prop_map(Wide::MapIdx),
        any::<(u32, u32)>().prop_map(|(index, offset)| Wide::MapIdxValue { index, offset }),
    ]
}

pub(crate) fn insn() -> impl Strategy<Value = Insn> {
    prop_oneof![
        (select(Width::ALL), select(AluOp::ALL), reg(), operand())
            .prop_map(|(width, op, dst, src)| Insn::Alu { width, op, dst, src }),
        (select(Width::ALL), reg()).prop_map(|(width, dst)| Insn::Neg { width, dst }),
        (select(SignExtend::ALL), reg(), reg()).prop_map(|(extend, dst, src)| Insn::MovSigned {
            extend,
            dst,
            src
        }),
        (select(SwapOp::ALL), reg()).prop_map(|(op, dst)| Insn::Swap { op, dst }),
        (reg(), reg(), any::<u16>(), any::<u16>()).prop_map(|(dst, src, to, from)| Insn::AddrSpaceCast {
            dst,
            src,
            to,
            from
        }),
        (select(Size::ALL), reg(), reg(), any::<i16>()).prop_map(|(size, dst, base, offset)| Insn::Load {
            size,
            dst,
            base,
            offset
        }),
        (select(SignedSize::ALL), reg(), reg(), any::<i16>())
            .prop_map(|(size, dst, base, offset)| Insn::LoadSigned { size, dst, base, offset }),
        (select(PacketSize::ALL), prop::option::of(reg()), any::<i32>())
            .prop_map(|(size, index, offset)| Insn::LoadPacket { size, index, offset }),
        (select(AtomicOp::ALL), select(Width::ALL), reg(), any::<i16>(), reg())
            .prop_map(|(op, width, base, offset, src)| Insn::Atomic { op, width, base, offset, src }),
        (select(Size::ALL), reg(), reg(), any::<i16>())
            .prop_map(|(size, dst, base, offset)| Insn::LoadAcquire { size, dst, base, offset }),
        (select(Size::ALL), reg(), any::<i16>(), reg())
            .prop_map(|(size, base, offset, src)| Insn::StoreRelease { size, base, offset, src }),
        (select(Size::ALL), reg(), any::<i16>(), operand())
            .prop_map(|(size, base, offset, src)| Insn::Store { size, base, offset, src }),
        (reg(), wide()).prop_map(|(dst, value)| Insn::LoadWide { dst, value }),
        any::<i16>().prop_map(|offset| Insn::Jump { offset }),
        any::<i32>().prop_map(|offset| Insn::JumpLong { offset }),
        reg().prop_map(|target| Insn::JumpReg { target }),
        any::<i16>().prop_map(|offset| Insn::MayGoto { offset }),
        any::<i32>().prop_map(|offset| Insn::CallLocal { offset }),
        (condition(), any::<i16>()).prop_map(|(condition, offset)| Insn::JumpIf { condition, offset }),
        any::<u32>().prop_map(|id| Insn::CallHelper { helper: HelperId(id) }),
        any::<(u32, i16)>().prop_map(|(btf_id, btf_fd_offset)| Insn::CallKfunc { btf_id, btf_fd_offset }),
        Just(Insn::Exit),
    ]
}
