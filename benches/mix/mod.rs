//! Instructions as in programs: every kind there is, the frequent ones often, in no order that a
//! processor could learn, and the same ones each time.

use kwalk_asm::{
    AluOp, AtomicOp, Condition, HelperId, Insn, JumpOp, Operand, PacketSize, Reg, SignExtend, SignedSize,
    Size, SwapOp, Wide, Width,
};

/// So many of all kinds.
pub(crate) fn all(count: usize) -> Vec<Insn> {
    let mut random = Random(1);
    (0..count)
        .map(|_| match random.below(100) {
            0..94 => frequent(&mut random),
            _ => rare(&mut random),
        })
        .collect()
}

fn frequent(random: &mut Random) -> Insn {
    let width = if random.below(4) == 0 { Width::W32 } else { Width::W64 };
    let (dst, base) = (random.any(Reg::ALL), random.any(Reg::ALL));
    let size = if random.below(2) == 0 { Size::U64 } else { random.any(Size::ALL) };
    match random.below(94) {
        0..20 => Insn::Alu { width, op: AluOp::Mov, dst, src: random.operand() },
        20..40 => Insn::Alu { width, op: random.any(AluOp::ALL), dst, src: random.operand() },
        40..58 => Insn::Load { size, dst, base, offset: random.offset() },
        58..72 => Insn::Store { size, base, offset: random.offset(), src: random.operand() },
        72..84 => {
            let condition =
                Condition { width, op: random.any(JumpOp::ALL), left: dst, right: random.operand() };
            Insn::JumpIf { condition, offset: random.offset() }
        }
        84..87 => Insn::Jump { offset: random.offset() },
        87..91 => Insn::CallHelper { helper: HelperId(random.below(212)) },
        _ => Insn::LoadWide { dst, value: random.wide() },
    }
}

fn rare(random: &mut Random) -> Insn {
    let width = random.any(Width::ALL);
    let (dst, src) = (random.any(Reg::ALL), random.any(Reg::ALL));
    let offset = random.offset();
    match random.below(16) {
        0 => Insn::Neg { width, dst },
        1 => Insn::MovSigned { extend: random.any(SignExtend::ALL), dst, src },
        2 => Insn::Swap { op: random.any(SwapOp::ALL), dst },
        3 => Insn::AddrSpaceCast { dst, src, to: 0, from: 1 },
        4 => Insn::LoadSigned { size: random.any(SignedSize::ALL), dst, base: src, offset },
        5 => {
            let index = (random.below(2) == 0).then_some(src);
            Insn::LoadPacket { size: random.any(PacketSize::ALL), index, offset: offset.into() }
        }
        6 | 7 => Insn::Atomic { op: random.any(AtomicOp::ALL), width, base: dst, offset, src },
        8 => Insn::LoadAcquire { size: random.any(Size::ALL), dst, base: src, offset },
        9 => Insn::StoreRelease { size: random.any(Size::ALL), base: dst, offset, src },
        10 => Insn::JumpLong { offset: offset.into() },
        11 => Insn::JumpReg { target: dst },
        12 => Insn::MayGoto { offset },
        13 => Insn::CallLocal { offset: offset.into() },
        14 => Insn::CallKfunc { btf_id: random.below(100_000), btf_fd_offset: 0 },
        _ => Insn::Exit,
    }
}

/// Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((self.0 >> 32) * u64::from(end)) >> 32) as u32
    }

    fn any<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u32) as usize]
    }

    /// Mostly small.
    fn offset(&mut self) -> i16 {
        match self.below(8) {
            0 => self.below(1 << 16) as i16,
            1 | 2 => -8 * self.below(64) as i16,
            _ => 8 * self.below(256) as i16,
        }
    }

    fn operand(&mut self) -> Operand {
        match self.below(8) {
            0..4 => Operand::Reg(self.any(Reg::ALL)),
            4..6 => Operand::Imm(self.below(16) as i32),
            6 => Operand::Imm(self.below(1 << 16) as i32 - 256),
            _ => Operand::Imm(self.below(u32::MAX) as i32),
        }
    }

    fn wide(&mut self) -> Wide {
        let (low, high) = (self.below(u32::MAX), self.below(1 << 16));
        match self.below(8) {
            0 => Wide::MapFd(high as i32),
            1 => Wide::MapFdValue { fd: high as i32, offset: 8 },
            2 => Wide::BtfId { btf_id: high, btf_fd: 0 },
            3 => Wide::Func { offset: high as i32 },
            4 => Wide::MapIdx(high),
            5 => Wide::MapIdxValue { index: high, offset: 8 },
            _ => Wide::Imm(u64::from(high) << 32 | u64::from(low)),
        }
    }
}
