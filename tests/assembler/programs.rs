//! Programs that the verifier must take: what they are made of, and how they are made of it.
//!
//! Every function has the address of the context in the topmost word of its stack, two words for the counters of
//! loops below, and eight words of data below these. Between two steps all registers hold numbers. In the end the
//! registers and the data go back into the context, those of a called function folded into its R0.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{AluOp, AtomicOp, Condition, Helper, Insn, JumpOp, Operand, SignExtend, SignedSize, Size};
use kwalk_asm::{SwapOp, Wide, Width};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::kernel_version;

/// The words of data on the stack, in the map, and in the context's part for it.
const DATA: usize = 8;
/// Below R10.
const CTX_AT: i16 = -8;
const COUNTERS_AT: [i16; 2] = [-16, -24];
const DATA_AT: i16 = -24 - 8 * DATA as i16;

/// The words a program is given: ten registers and the data.
pub(crate) const INPUTS: usize = 10 + DATA;
/// Where it finds them, where it puts what becomes of them, and where it may write what it likes.
const INPUT_AT: i16 = 0;
const OUTPUT_AT: i16 = 8 * INPUTS as i16;
const SCRATCH_AT: i16 = 2 * OUTPUT_AT;
pub(crate) const CTX_LEN: usize = SCRATCH_AT as usize + 8 * DATA;
/// The length of the map's value.
pub(crate) const MAP_LEN: usize = 8 * DATA;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Region {
    /// By R10 and an offset.
    Frame,
    /// By another register, which points so far into it.
    Stack(i16),
    Map(i16),
    Ctx,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Only on registers.
    Insn(Insn),
    /// An instruction on memory: `base` gets its address, and later the value, unless the instruction gives it one.
    Memory { base: Reg, region: Region, insn: Insn, then: u64 },
    /// Both arms are reached as far as the verifier can see if `open`: what is compared is read from the context.
    If { open: bool, condition: Condition, long: bool, then: Vec<Step>, other: Vec<Step> },
    /// Runs the body so many times.
    Loop { times: u8, may_goto: bool, body: Vec<Step> },
    /// Calls one of the functions, by number modulo how many there are.
    Call(usize),
    /// Copies bytes of the data with a helper.
    Copy { to: u8, from: u8, len: u8 },
}

/// The operands of an instruction on memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    base: Reg,
    offset: i16,
    size: Size,
    signed: SignedSize,
    op: AtomicOp,
    reg: Reg,
    imm: i32,
}

impl Access {
    fn width(&self) -> Width {
        if self.size == Size::U64 { Width::W64 } else { Width::W32 }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) body: Vec<Step>,
    pub(crate) functions: Vec<Vec<Step>>,
}

/// The registers that hold numbers.
const NUMBERS: [Reg; 10] = [R0, R1, R2, R3, R4, R5, R6, R7, R8, R9];

/// Numbers at which something changes.
pub(crate) const CORNERS: [u64; 20] = [
    0,
    1,
    2,
    3,
    31,
    32,
    63,
    64,
    0x7f,
    0x80,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Inputs that a number stands for: corners and their neighbours, small numbers, any numbers.
pub(crate) fn inputs(seed: u64) -> [u64; INPUTS] {
    let mut state = seed;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    [(); INPUTS].map(|()| match next() % 4 {
        0 => CORNERS[next() as usize % CORNERS.len()],
        1 => CORNERS[next() as usize % CORNERS.len()].wrapping_add(next() % 5).wrapping_sub(2),
        2 => next() >> (next() % 64),
        _ => next(),
    })
}

fn number() -> impl Strategy<Value = Reg> {
    select(&NUMBERS)
}

fn immediate() -> impl Strategy<Value = i32> {
    prop_oneof![
        -70..70,
        select(&CORNERS).prop_map(|corner| corner as i32),
        select(&CORNERS).prop_map(|corner| (corner >> 32) as i32),
        any::<i32>()
    ]
}

fn wide() -> impl Strategy<Value = u64> {
    prop_oneof![select(&CORNERS), any::<u64>()]
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![number().prop_map(Operand::Reg), immediate().prop_map(Operand::Imm)]
}

/// What the verifier refuses is made into what it takes.
fn allowed(width: Width, op: AluOp, src: Operand) -> Operand {
    match (op, src) {
        (AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod, Operand::Imm(0)) => Operand::Imm(-7),
        (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Operand::Imm(imm)) => {
            Operand::Imm(imm & if width == Width::W64 { 63 } else { 31 })
        }
        _ => src,
    }
}

fn on_registers() -> impl Strategy<Value = Insn> {
    prop_oneof![
        8 => (select(Width::ALL), select(AluOp::ALL), number(), operand()).prop_map(|(width, op, dst, src)| {
            Insn::Alu { width, op, dst, src: allowed(width, op, src) }
        }),
        1 => (select(Width::ALL), number()).prop_map(|(width, dst)| Insn::Neg { width, dst }),
        2 => (select(SignExtend::ALL), number(), number())
            .prop_map(|(extend, dst, src)| Insn::MovSigned { extend, dst, src }),
        2 => (select(SwapOp::ALL), number()).prop_map(|(op, dst)| Insn::Swap { op, dst }),
        1 => (number(), wide()).prop_map(|(dst, value)| Insn::LoadWide { dst, value: Wide::Imm(value) }),
    ]
}

fn signed(size: SignedSize) -> Size {
    match size {
        SignedSize::S8 => Size::U8,
        SignedSize::S16 => Size::U16,
        SignedSize::S32 => Size::U32,
    }
}

type OnMemory = (fn(Access) -> Insn, bool);

/// Instructions on memory, and whether they are atomic: aligned, and not in a context.
const ON_MEMORY: [OnMemory; 7] = [
    (|a| Insn::Load { size: a.size, dst: a.reg, base: a.base, offset: a.offset }, false),
    (|a| Insn::LoadSigned { size: a.signed, dst: a.reg, base: a.base, offset: a.offset }, false),
    (|a| Insn::Store { size: a.size, base: a.base, offset: a.offset, src: a.reg.into() }, false),
    (|a| Insn::Store { size: a.size, base: a.base, offset: a.offset, src: a.imm.into() }, false),
    (|a| Insn::Atomic { op: a.op, width: a.width(), base: a.base, offset: a.offset, src: a.reg }, true),
    (|a| Insn::LoadAcquire { size: a.size, dst: a.reg, base: a.base, offset: a.offset }, true),
    (|a| Insn::StoreRelease { size: a.size, base: a.base, offset: a.offset, src: a.reg }, true),
];

fn on_memory() -> impl Strategy<Value = Step> {
    // CMPXCHG has R0 for numbers, and nothing is both address and number.
    let regs = (1..10usize, 1..10usize).prop_map(|(base, more)| (NUMBERS[base], NUMBERS[(base + more) % 10]));
    // Barriers since 6.15.
    let known = if kernel_version() < (6, 15) { ON_MEMORY.len() - 2 } else { ON_MEMORY.len() };
    let kinds = (0..known, select(Size::ALL), select(SignedSize::ALL), select(AtomicOp::ALL));
    let place = (0..4u8, 0..8 * DATA as i16, 0..8 * DATA as i16);
    (regs, kinds, place, immediate(), wide()).prop_map(
        |((base, reg), kind, (region, at, from), imm, then)| {
            let (mut kind, mut size, narrow, op) = kind;
            if region == 3 && ON_MEMORY[kind].1 {
                kind %= 4; // neither atomics nor barriers in a context
            }
            match kind {
                1 => size = signed(narrow),
                4 if size.bytes() < 4 => size = Size::U32,
                _ => {}
            }
            let bytes = size.bytes() as i16;
            // Unaligned where it may be.
            let aligned = region != 2 || ON_MEMORY[kind].1;
            let at = if aligned { at / bytes * bytes } else { at.min(8 * DATA as i16 - bytes) };
            let (region, offset) = match region {
                0 => (Region::Frame, DATA_AT + at),
                1 => (Region::Stack(DATA_AT + from), at - from),
                2 => (Region::Map(from), at - from),
                _ => (Region::Ctx, SCRATCH_AT + at),
            };
            let address = if matches!(region, Region::Frame) { R10 } else { base };
            let access = Access { base: address, offset, size, signed: narrow, op, reg, imm };
            Step::Memory { base, region, insn: ON_MEMORY[kind].0(access), then }
        },
    )
}

/// A condition, which the verifier can't decide where it knows nothing of the registers if `open`.
fn condition(open: bool) -> impl Strategy<Value = Condition> {
    let regs = (0..10usize, 1..10usize).prop_map(|(left, more)| (NUMBERS[left], NUMBERS[(left + more) % 10]));
    (select(Width::ALL), select(JumpOp::ALL), regs, any::<bool>(), immediate()).prop_map(
        move |(width, op, (left, right), is_reg, imm)| {
            let right = if is_reg { Operand::Reg(right) } else { Operand::Imm(imm) };
            let ends = [0, -1, i32::MIN, i32::MAX].map(Operand::Imm);
            let decided = open && ends.contains(&right) && !matches!(op, JumpOp::Eq | JumpOp::Ne);
            Condition { width, op: if decided { JumpOp::Ne } else { op }, left, right }
        },
    )
}

fn step(open: bool, calls: bool) -> impl Strategy<Value = Step> {
    let copy = (0..64u8, 0..64u8, 1..64u8).prop_map(|(to, from, len)| {
        // What overlaps is copied in an order that nothing says.
        let len = len.min(64 - to.max(from)).min(to.abs_diff(from));
        Step::Copy { to, from, len }
    });
    let call = if calls { any::<usize>().prop_map(Step::Call).boxed() } else { copy.clone().boxed() };
    let leaf = prop_oneof![
        10 => on_registers().prop_map(Step::Insn),
        8 => on_memory(),
        1 => copy,
        1 => call,
    ];
    leaf.clone().prop_recursive(2, 24, 4, move |inner| {
        prop_oneof![
            3 => (condition(open), any::<bool>(), vec(inner.clone(), 1..4), vec(inner.clone(), 0..3)).prop_map(
                move |(condition, long, then, other)| Step::If { open, condition, long, then, other }
            ),
            // Without conditions in it, which have the verifier go down more paths with each turn.
            1 => (2..4u8, prop::bool::weighted(0.2), vec(leaf.clone(), 1..4)).prop_map(
                // `may_goto` has the verifier forget what it knew of the memory it loops over.
                move |(times, may_goto, body)| Step::Loop { times, may_goto: may_goto && !open, body }
            ),
        ]
    })
}

/// A program. If `open`, the verifier sees no dead code in it.
pub(crate) fn program(open: bool) -> impl Strategy<Value = Program> {
    let functions = prop_oneof![3 => Just(0..1), 1 => Just(1..3)];
    (functions, vec(step(open, true), 1..10)).prop_flat_map(move |(count, body)| {
        let function = vec(step(open, false), 1..4);
        (Just(body), vec(function, count)).prop_map(|(body, functions)| {
            // Every function is called.
            let calls = (0..functions.len()).map(Step::Call);
            let body = calls.chain(body).collect();
            Program { body, functions }
        })
    })
}

/// Instructions in a row, and the jumps between them.
struct Emit {
    insns: Vec<Insn>,
    /// The slot of each.
    slots: Vec<usize>,
    len: usize,
    map: i32,
    /// Calls, and what they call.
    calls: Vec<(usize, usize)>,
    functions: usize,
}

impl Program {
    /// The program's instructions. `map` is the descriptor of the map it uses.
    pub(crate) fn insns(&self, map: i32) -> Vec<Insn> {
        let functions = self.functions.len();
        let mut e = Emit { insns: vec![], slots: vec![], len: 0, map, calls: vec![], functions };
        e.main(&self.body);
        let mut starts = Vec::new();
        for body in &self.functions {
            starts.push(e.len);
            e.function(body);
        }
        for (call, function) in std::mem::take(&mut e.calls) {
            e.tie(call, starts[function]);
        }
        e.insns
    }

    pub(crate) fn uses_map(&self) -> bool {
        fn uses(steps: &[Step]) -> bool {
            steps.iter().any(|step| match step {
                Step::Memory { region, .. } => matches!(region, Region::Map(_)),
                Step::If { then, other, .. } => uses(then) || uses(other),
                Step::Loop { body, .. } => uses(body),
                _ => false,
            })
        }
        uses(&self.body) || self.functions.iter().any(|body| uses(body))
    }
}

fn mov(dst: Reg, src: impl Into<Operand>) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: src.into() }
}

fn alu(op: AluOp, dst: Reg, src: impl Into<Operand>) -> Insn {
    Insn::Alu { width: Width::W64, op, dst, src: src.into() }
}

fn load(dst: Reg, base: Reg, offset: i16) -> Insn {
    Insn::Load { size: Size::U64, dst, base, offset }
}

fn store(base: Reg, offset: i16, src: impl Into<Operand>) -> Insn {
    Insn::Store { size: Size::U64, base, offset, src: src.into() }
}

fn data(word: usize) -> i16 {
    DATA_AT + 8 * word as i16
}

fn input(word: usize) -> i16 {
    INPUT_AT + 8 * word as i16
}

impl Emit {
    fn push(&mut self, insn: Insn) -> usize {
        self.slots.push(self.len);
        self.len += insn.slots();
        self.insns.push(insn);
        self.insns.len() - 1
    }

    /// Has the jump lead to the slot.
    fn tie(&mut self, jump: usize, to: usize) {
        let distance = to as i64 - self.slots[jump] as i64 - 1;
        let far = i32::try_from(distance).unwrap();
        let near = || i16::try_from(distance).unwrap();
        match &mut self.insns[jump] {
            Insn::Jump { offset } | Insn::JumpIf { offset, .. } | Insn::MayGoto { offset } => {
                *offset = near()
            }
            Insn::JumpLong { offset } | Insn::CallLocal { offset } => *offset = far,
            other => panic!("{other:?} is no jump"),
        }
    }

    fn tie_here(&mut self, jump: usize) {
        self.tie(jump, self.len);
    }

    fn main(&mut self, body: &[Step]) {
        self.push(store(R10, CTX_AT, R1));
        for word in 0..DATA {
            self.push(load(R0, R1, input(10 + word)));
            self.push(store(R10, data(word), R0));
        }
        self.refill(&NUMBERS);
        self.steps(body, 0);
        self.push(store(R10, COUNTERS_AT[0], R1));
        self.push(load(R1, R10, CTX_AT));
        for (word, reg) in NUMBERS.into_iter().enumerate().filter(|&(_, reg)| reg != R1) {
            self.push(store(R1, OUTPUT_AT + 8 * word as i16, reg));
        }
        self.push(load(R0, R10, COUNTERS_AT[0]));
        self.push(store(R1, OUTPUT_AT + 8, R0));
        for word in 0..DATA {
            self.push(load(R2, R10, data(word)));
            self.push(store(R1, OUTPUT_AT + 80 + 8 * word as i16, R2));
            self.fold(R2);
        }
        self.push(Insn::Exit);
    }

    /// A function of the context and four numbers.
    fn function(&mut self, body: &[Step]) {
        self.push(store(R10, CTX_AT, R1));
        for (i, reg) in [R2, R3, R4, R5, R2, R4].into_iter().enumerate() {
            self.push(store(R10, data(i), reg));
        }
        self.push(store(R10, data(6), -2));
        self.push(store(R10, data(7), 0x1234_5678));
        for (reg, from) in [(R0, R5), (R1, R4), (R6, R2), (R7, R3), (R8, R4), (R9, R5)] {
            self.push(mov(reg, from));
        }
        self.steps(body, 0);
        for reg in &NUMBERS[1..] {
            self.fold(*reg);
        }
        for word in 0..DATA {
            self.push(load(R1, R10, data(word)));
            self.fold(R1);
        }
        self.push(Insn::Exit);
    }

    /// Has the verifier see that all of R0 is read before paths meet. Linux 6.18 doesn't see it of a path that it cuts
    /// short for being like another: it leaves the zero extension away that x86 needs where a 32-bit compare-and-exchange
    /// succeeds, and R0 keeps its upper half.
    fn zero_extended_r0(&mut self) {
        self.push(alu(AluOp::Add, R0, 0));
    }

    /// Has R0 depend on a register.
    fn fold(&mut self, reg: Reg) {
        self.push(alu(AluOp::Mul, R0, 0x0100_0193));
        self.push(alu(AluOp::Xor, R0, reg));
    }

    /// Numbers for registers, from the context.
    fn refill(&mut self, regs: &[Reg]) {
        for reg in regs {
            self.push(load(*reg, R10, CTX_AT));
            self.push(load(*reg, *reg, input(reg.number().into())));
        }
    }

    fn steps(&mut self, steps: &[Step], depth: usize) {
        steps.iter().for_each(|step| self.step(step, depth));
    }

    fn step(&mut self, step: &Step, depth: usize) {
        match *step {
            Step::Insn(insn) => {
                self.push(insn);
            }
            Step::Memory { base, region, insn, then } => {
                match region {
                    Region::Frame => {}
                    Region::Stack(at) => {
                        self.push(mov(base, R10));
                        self.push(alu(AluOp::Add, base, i32::from(at)));
                    }
                    Region::Map(at) => {
                        let value = Wide::MapFdValue { fd: self.map, offset: at as u32 };
                        self.push(Insn::LoadWide { dst: base, value });
                    }
                    Region::Ctx => {
                        self.push(load(base, R10, CTX_AT));
                    }
                }
                self.push(insn);
                if let Insn::Atomic { op: AtomicOp::CmpXchg, width: Width::W32, .. } = insn {
                    self.zero_extended_r0();
                }
                if !matches!(region, Region::Frame) {
                    self.push(Insn::LoadWide { dst: base, value: Wide::Imm(then) });
                }
            }
            Step::If { open, condition, long, ref then, ref other } => {
                if open {
                    self.refill(&[condition.left]);
                    if let Operand::Reg(right) = condition.right {
                        self.refill(&[right]);
                    }
                }
                let jump = self.push(Insn::JumpIf { condition, offset: 0 });
                self.steps(then, depth + 1);
                if other.is_empty() {
                    return self.tie_here(jump);
                }
                let skip = if long { Insn::JumpLong { offset: 0 } } else { Insn::Jump { offset: 0 } };
                let skip = self.push(skip);
                self.tie_here(jump);
                self.steps(other, depth + 1);
                self.tie_here(skip);
            }
            Step::Loop { times, may_goto, ref body } => {
                let counter = COUNTERS_AT[depth];
                self.push(store(R10, counter, i32::from(times)));
                let top = self.len;
                let out = may_goto.then(|| self.push(Insn::MayGoto { offset: 0 }));
                self.steps(body, depth + 1);
                self.push(load(R3, R10, counter));
                self.push(alu(AluOp::Add, R3, -1));
                self.push(store(R10, counter, R3));
                let back = self.push(Insn::JumpIf { condition: R3.ne(0), offset: 0 });
                self.tie(back, top);
                if let Some(out) = out {
                    self.tie_here(out);
                }
            }
            // A program without functions.
            Step::Call(_) if self.functions == 0 => {
                self.push(mov(R0, 0));
            }
            Step::Call(function) => {
                self.push(load(R1, R10, CTX_AT));
                let call = self.push(Insn::CallLocal { offset: 0 });
                self.calls.push((call, function % self.functions));
                self.refill(&[R1, R2, R3, R4, R5]);
            }
            Step::Copy { to, from, len } => {
                let address = |at: u8| i32::from(DATA_AT) + i32::from(at);
                self.push(mov(R1, R10));
                self.push(alu(AluOp::Add, R1, address(to)));
                self.push(mov(R2, i32::from(len)));
                self.push(mov(R3, R10));
                self.push(alu(AluOp::Add, R3, address(from)));
                self.push(Insn::CallHelper { helper: Helper::ProbeReadKernel.into() });
                self.refill(&[R1, R2, R3, R4, R5]);
            }
        }
    }
}
