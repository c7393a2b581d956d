//! What a program does, by the words of RFC 9669: the reference that the kernel is compared with.
//!
//! It works on instructions as meanings and never sees a byte of them.

use kwalk_asm::{AluOp, AtomicOp, Condition, Helper, Insn, JumpOp, Operand, Reg, SignExtend, Size, SwapOp};
use kwalk_asm::{SignedSize, Wide, Width};

/// Where the machine has its memory. No instruction of the programs here shows an address.
const CTX: u64 = 1 << 40;
const MAP: u64 = 2 << 40;
const STACK: u64 = 3 << 40;

/// A function's own stack (RFC 9669 leaves the size to the platform; the kernel says so).
const FRAME: usize = 512;
const FRAMES: usize = 4;

/// What the registers hold that a call leaves undefined.
const LOST: u64 = 0x1057_1057_1057_1057;

/// More instructions than any program here has to run.
const ENOUGH: usize = 4_000_000;

/// A machine with a program in it.
pub(crate) struct Machine<'a> {
    insns: &'a [Insn],
    /// The instruction that begins at a slot.
    at_slot: Vec<Option<usize>>,
    /// The slot of each instruction.
    slots: Vec<usize>,
    regs: [u64; 11],
    /// Where to return to, and R6 to R10.
    callers: Vec<(usize, [u64; 5])>,
    stack: Vec<u8>,
    ctx: &'a mut [u8],
    map: &'a mut [u8],
}

/// Runs a program from its first instruction to the exit, and gives R0.
pub(crate) fn run(insns: &[Insn], ctx: &mut [u8], map: &mut [u8]) -> u64 {
    let mut at_slot = Vec::with_capacity(insns.len() * 2);
    let mut slots = Vec::with_capacity(insns.len());
    for (i, insn) in insns.iter().enumerate() {
        slots.push(at_slot.len());
        at_slot.push(Some(i));
        at_slot.extend((insn.slots() == 2).then_some(None));
    }
    let mut regs = [LOST; 11];
    regs[1] = CTX;
    regs[10] = STACK + FRAME as u64;
    let stack = vec![0xa5; FRAME * FRAMES];
    Machine { insns, at_slot, slots, regs, callers: Vec::new(), stack, ctx, map }.run()
}

impl Machine<'_> {
    fn run(mut self) -> u64 {
        let mut pc = 0;
        for _ in 0..ENOUGH {
            match self.step(pc) {
                Some(next) => pc = next,
                None => return self.regs[0],
            }
        }
        panic!("the program does not end");
    }

    fn get(&self, reg: Reg) -> u64 {
        self.regs[usize::from(reg.number())]
    }

    fn set(&mut self, reg: Reg, value: u64) {
        assert_ne!(reg, Reg::R10, "the frame pointer is read-only");
        self.regs[usize::from(reg.number())] = value;
    }

    /// "sign-extended" is how a 32-bit immediate becomes a 64-bit operand (sections 4.1 and 4.3).
    fn operand(&self, operand: Operand) -> u64 {
        match operand {
            Operand::Reg(reg) => self.get(reg),
            Operand::Imm(imm) => imm as i64 as u64,
        }
    }

    /// The instruction so many slots from the one after this one.
    fn jump(&self, pc: usize, offset: i32) -> usize {
        let slot = self.slots[pc] as i64 + 1 + i64::from(offset);
        self.at_slot[usize::try_from(slot).unwrap()].expect("a jump into a wide load")
    }

    fn memory(&mut self, address: u64, len: usize) -> &mut [u8] {
        let (memory, base) = match address >> 40 {
            1 => (&mut *self.ctx, CTX),
            2 => (&mut *self.map, MAP),
            3 => (&mut *self.stack, STACK),
            _ => panic!("no memory at {address:#x}"),
        };
        let start = (address - base) as usize;
        &mut memory[start..start + len]
    }

    fn load(&mut self, base: Reg, offset: i16, size: Size) -> u64 {
        let address = self.get(base).wrapping_add_signed(offset.into());
        let memory = self.memory(address, size.bytes());
        match size {
            Size::U8 => memory[0].into(),
            Size::U16 => u16::from_ne_bytes(memory.try_into().unwrap()).into(),
            Size::U32 => u32::from_ne_bytes(memory.try_into().unwrap()).into(),
            Size::U64 => u64::from_ne_bytes(memory.try_into().unwrap()),
        }
    }

    fn store(&mut self, base: Reg, offset: i16, size: Size, value: u64) {
        let address = self.get(base).wrapping_add_signed(offset.into());
        let memory = self.memory(address, size.bytes());
        match size {
            Size::U8 => memory[0] = value as u8,
            Size::U16 => memory.copy_from_slice(&(value as u16).to_ne_bytes()),
            Size::U32 => memory.copy_from_slice(&(value as u32).to_ne_bytes()),
            Size::U64 => memory.copy_from_slice(&value.to_ne_bytes()),
        }
    }

    /// The number of the next instruction; `None` after the last.
    fn step(&mut self, pc: usize) -> Option<usize> {
        match self.insns[pc] {
            Insn::Alu { width, op, dst, src } => {
                let result = alu(width, op, self.get(dst), self.operand(src));
                self.set(dst, result);
            }
            Insn::Neg { width: Width::W64, dst } => self.set(dst, self.get(dst).wrapping_neg()),
            Insn::Neg { width: Width::W32, dst } => {
                let low = self.get(dst) as u32;
                self.set(dst, low.wrapping_neg().into());
            }
            Insn::MovSigned { extend, dst, src } => {
                let value = self.get(src);
                let extended = match extend {
                    SignExtend::S8To32 => u64::from(value as i8 as u32),
                    SignExtend::S16To32 => u64::from(value as i16 as u32),
                    SignExtend::S8To64 => value as i8 as u64,
                    SignExtend::S16To64 => value as i16 as u64,
                    SignExtend::S32To64 => value as i32 as u64,
                };
                self.set(dst, extended);
            }
            Insn::Swap { op, dst } => {
                let value = self.get(dst);
                let swapped = match op {
                    SwapOp::Le16 => (value as u16).to_le().into(),
                    SwapOp::Le32 => (value as u32).to_le().into(),
                    SwapOp::Le64 => value.to_le(),
                    SwapOp::Be16 => (value as u16).to_be().into(),
                    SwapOp::Be32 => (value as u32).to_be().into(),
                    SwapOp::Be64 => value.to_be(),
                    SwapOp::Bswap16 => (value as u16).swap_bytes().into(),
                    SwapOp::Bswap32 => (value as u32).swap_bytes().into(),
                    SwapOp::Bswap64 => value.swap_bytes(),
                };
                self.set(dst, swapped);
            }
            Insn::Load { size, dst, base, offset } | Insn::LoadAcquire { size, dst, base, offset } => {
                let value = self.load(base, offset, size);
                self.set(dst, value);
            }
            Insn::LoadSigned { size, dst, base, offset } => {
                let value = match size {
                    SignedSize::S8 => self.load(base, offset, Size::U8) as i8 as u64,
                    SignedSize::S16 => self.load(base, offset, Size::U16) as i16 as u64,
                    SignedSize::S32 => self.load(base, offset, Size::U32) as i32 as u64,
                };
                self.set(dst, value);
            }
            Insn::Store { size, base, offset, src } => {
                let value = self.operand(src);
                self.store(base, offset, size, value);
            }
            Insn::StoreRelease { size, base, offset, src } => {
                let value = self.get(src);
                self.store(base, offset, size, value);
            }
            Insn::Atomic { op, width, base, offset, src } => self.atomic(op, width, base, offset, src),
            Insn::LoadWide { dst, value } => {
                let value = match value {
                    Wide::Imm(value) => value,
                    Wide::MapFdValue { offset, .. } | Wide::MapIdxValue { offset, .. } => {
                        MAP + u64::from(offset)
                    }
                    other => panic!("{other:?} is for a kernel"),
                };
                self.set(dst, value);
            }
            Insn::Jump { offset } => return Some(self.jump(pc, offset.into())),
            Insn::JumpLong { offset } => return Some(self.jump(pc, offset)),
            // The programs here never loop for so long that it jumps.
            Insn::MayGoto { .. } => {}
            Insn::JumpIf { condition, offset } => {
                if self.holds(condition) {
                    return Some(self.jump(pc, offset.into()));
                }
            }
            Insn::CallLocal { offset } => {
                let kept = self.regs[6..].try_into().unwrap();
                self.callers.push((pc + 1, kept));
                self.regs[6..10].fill(LOST);
                self.regs[10] += FRAME as u64;
                return Some(self.jump(pc, offset));
            }
            Insn::CallHelper { helper } => self.help(helper.known()),
            Insn::Exit => {
                let (back, kept) = self.callers.pop()?;
                self.regs[6..].copy_from_slice(&kept);
                self.regs[1..6].fill(LOST);
                return Some(back);
            }
            other => panic!("{other:?} is for a kernel"),
        }
        Some(pc + 1)
    }

    fn holds(&self, Condition { width, op, left, right }: Condition) -> bool {
        let (left, right) = (self.get(left), self.operand(right));
        let ((ul, ur), (sl, sr)) = match width {
            Width::W64 => ((left, right), (left as i64, right as i64)),
            Width::W32 => {
                ((left as u32 as u64, right as u32 as u64), (left as i32 as i64, right as i32 as i64))
            }
        };
        match op {
            JumpOp::Eq => ul == ur,
            JumpOp::Gt => ul > ur,
            JumpOp::Ge => ul >= ur,
            JumpOp::Set => ul & ur != 0,
            JumpOp::Ne => ul != ur,
            JumpOp::Sgt => sl > sr,
            JumpOp::Sge => sl >= sr,
            JumpOp::Lt => ul < ur,
            JumpOp::Le => ul <= ur,
            JumpOp::Slt => sl < sr,
            JumpOp::Sle => sl <= sr,
        }
    }

    fn atomic(&mut self, op: AtomicOp, width: Width, base: Reg, offset: i16, src: Reg) {
        let size = if width == Width::W64 { Size::U64 } else { Size::U32 };
        // "the upper half is zeroed", of what is fetched; what is compared is the lower half.
        let low = |value| if width == Width::W64 { value } else { u64::from(value as u32) };
        let old = self.load(base, offset, size);
        let operand = self.get(src);
        let new = match op {
            AtomicOp::Add | AtomicOp::FetchAdd => old.wrapping_add(operand),
            AtomicOp::Or | AtomicOp::FetchOr => old | operand,
            AtomicOp::And | AtomicOp::FetchAnd => old & operand,
            AtomicOp::Xor | AtomicOp::FetchXor => old ^ operand,
            AtomicOp::Xchg => operand,
            AtomicOp::CmpXchg if old == low(self.regs[0]) => operand,
            AtomicOp::CmpXchg => old,
        };
        self.store(base, offset, size, new);
        match op {
            AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => {}
            AtomicOp::CmpXchg => self.regs[0] = old,
            AtomicOp::FetchAdd
            | AtomicOp::FetchOr
            | AtomicOp::FetchAnd
            | AtomicOp::FetchXor
            | AtomicOp::Xchg => self.set(src, old),
        }
    }

    fn help(&mut self, helper: Option<Helper>) {
        assert_eq!(helper, Some(Helper::ProbeReadKernel), "the one helper that this machine has");
        let [_, to, len, from, ..] = self.regs;
        let bytes = self.memory(from, len as usize).to_vec();
        self.memory(to, len as usize).copy_from_slice(&bytes);
        self.regs[0] = 0;
        self.regs[1..6].fill(LOST);
    }
}

/// `left op right` (section 4.1), of which `W32` takes the lower halves, and zeroes the result's upper one.
pub(crate) fn alu(width: Width, op: AluOp, left: u64, right: u64) -> u64 {
    match width {
        Width::W64 => alu64(op, left, right),
        Width::W32 => alu32(op, left as u32, right as u32).into(),
    }
}

macro_rules! alu {
    ($name:ident, $unsigned:ty, $signed:ty) => {
        fn $name(op: AluOp, left: $unsigned, right: $unsigned) -> $unsigned {
            let signed = (left as $signed, right as $signed);
            match op {
                // "Underflow and overflow are allowed … the value will wrap."
                AluOp::Add => left.wrapping_add(right),
                AluOp::Sub => left.wrapping_sub(right),
                AluOp::Mul => left.wrapping_mul(right),
                // "(src != 0) ? (dst / src) : 0"
                AluOp::Div => left.checked_div(right).unwrap_or(0),
                // The same; and the smallest number divided by -1 is itself.
                AluOp::Sdiv if right == 0 => 0,
                AluOp::Sdiv => signed.0.wrapping_div(signed.1) as $unsigned,
                AluOp::Or => left | right,
                AluOp::And => left & right,
                // Shifts use "a mask of 0x3F (63) for 64-bit operations and 0x1F (31) for 32-bit".
                AluOp::Lsh => left.wrapping_shl(right as u32),
                AluOp::Rsh => left.wrapping_shr(right as u32),
                // "(src != 0) ? (dst % src) : dst"
                AluOp::Mod => left.checked_rem(right).unwrap_or(left),
                // The same; "-13 % 3 = -1", and 0 for the smallest number and -1.
                AluOp::Smod if right == 0 => left,
                AluOp::Smod => signed.0.wrapping_rem(signed.1) as $unsigned,
                AluOp::Xor => left ^ right,
                AluOp::Mov => right,
                AluOp::Arsh => signed.0.wrapping_shr(right as u32) as $unsigned,
            }
        }
    };
}

alu!(alu32, u32, i32);
alu!(alu64, u64, i64);
