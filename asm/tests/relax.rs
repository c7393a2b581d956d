//! Jumps that 16 bits are too few for: that they lead where they should, and what that costs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kwalk_asm::Reg::*;
use kwalk_asm::{
    AsmErrorKind, Assembler, Code, Condition, Endian, Fill, Insn, Isa, Label, MapRef, Operand, Reloc, Width,
};
use proptest::prelude::*;

const OLD: Isa = Isa::linux(6, 5);
const ISAS: [Isa; 2] = [Isa::NEWEST, OLD];

/// What a program of these tests is made of. Labels are numbers; place `n` is where label `n` is.
#[derive(Clone, Debug)]
enum Step {
    /// Moves a value to R1.
    Value(i32),
    /// So many instructions that do nothing to R1.
    Filler(usize),
    Goto(usize),
    /// If R1 compares so with a value.
    If(fn(i32) -> Condition, i32, usize),
    /// Jumps the second time and from then on.
    MayGoto(usize),
    Place(usize),
}

fn assemble(steps: &[Step], isa: Isa) -> Result<Code, AsmErrorKind> {
    let mut a = Assembler::new();
    let places = steps.iter().filter(|step| matches!(step, Step::Place(_))).count();
    let labels: Vec<Label> = (0..places).map(|_| a.label()).collect();
    for step in steps {
        match *step {
            Step::Value(value) => a.mov(R1, value),
            Step::Filler(count) => (0..count).for_each(|_| a.mov(R2, 0)),
            Step::Goto(label) => a.jump(labels[label]),
            Step::If(condition, value, label) => a.jump_if(condition(value), labels[label]),
            Step::MayGoto(label) => a.may_goto(labels[label]),
            Step::Place(label) => a.bind(labels[label]),
        }
    }
    a.exit();
    a.finish_for(isa).map_err(|error| error.kind)
}

fn holds(condition: &Condition, left: i64) -> bool {
    use kwalk_asm::JumpOp::*;
    assert_eq!((condition.width, condition.left), (Width::W64, R1));
    let Operand::Imm(right) = condition.right else { panic!("{condition:?}") };
    let right = i64::from(right);
    let (ul, ur) = (left as u64, right as u64);
    match condition.op {
        Eq => left == right,
        Gt => ul > ur,
        Ge => ul >= ur,
        Set => left & right != 0,
        Ne => left != right,
        Sgt => left > right,
        Sge => left >= right,
        Lt => ul < ur,
        Le => ul <= ur,
        Slt => left < right,
        Sle => left <= right,
    }
}

/// So many values are noted of a run, of so many steps.
const NOTED: usize = 60;
const STEPS: usize = 500;

/// The values that R1 has one after the other, by the meaning of the steps, and whether they come to
/// their end.
fn expected(steps: &[Step]) -> (Vec<i32>, bool) {
    let place = |label| steps.iter().position(|step| matches!(step, Step::Place(l) if *l == label)).unwrap();
    let mut been = BTreeSet::new();
    let (mut at, mut r1, mut values) = (0, 0, Vec::new());
    for _ in 0..STEPS {
        let Some(step) = steps.get(at) else { return (values, true) };
        at += 1;
        match *step {
            Step::Value(value) => {
                r1 = i64::from(value);
                values.push(value);
            }
            Step::Goto(label) => at = place(label),
            Step::If(condition, value, label) if holds(&condition(value), r1) => at = place(label),
            Step::MayGoto(label) if !been.insert(at) => at = place(label),
            _ => {}
        }
        if values.len() == NOTED {
            break;
        }
    }
    (values, false)
}

/// The same, by running the code until it has so many values.
fn run(code: &Code, enough: usize) -> Vec<i32> {
    let mut insns = Vec::new();
    for insn in code.insns() {
        insns.push(Some(*insn));
        insns.extend((1..insn.slots()).map(|_| None));
    }
    let mut been = BTreeSet::new();
    let (mut at, mut r1, mut values) = (0, 0, Vec::new());
    // What does nothing is gone through at once.
    let filler = |insn: &Option<Insn>| matches!(insn, Some(Insn::Alu { dst: R2, .. }));
    let mut next: Vec<_> = (0..insns.len()).collect();
    for i in (0..insns.len() - 1).rev().filter(|&i| filler(&insns[i])) {
        next[i] = next[i + 1];
    }
    while values.len() < enough {
        at = next[at];
        let insn = insns[at].expect("no jump into a wide load");
        at += 1;
        let by = match insn {
            Insn::Alu { dst: R1, src: Operand::Imm(value), .. } => {
                r1 = i64::from(value);
                values.push(value);
                0
            }
            Insn::Jump { offset } => i64::from(offset),
            Insn::JumpLong { offset } => i64::from(offset),
            Insn::JumpIf { condition, offset } if holds(&condition, r1) => i64::from(offset),
            Insn::MayGoto { offset } if !been.insert(at) => i64::from(offset),
            Insn::Exit => break,
            _ => 0,
        };
        at = usize::try_from(at as i64 + by).unwrap();
    }
    values
}

/// As the kernel's `check_cfg` looks at it: whatever can't be reached is refused.
fn unreachable(code: &Code) -> usize {
    let mut reached = vec![false; code.len_slots()];
    let mut starts = vec![None; code.len_slots()];
    let mut slot = 0;
    for insn in code.insns() {
        starts[slot] = Some(*insn);
        slot += insn.slots();
    }
    let mut open = vec![0];
    while let Some(slot) = open.pop() {
        if std::mem::replace(&mut reached[slot], true) {
            continue;
        }
        let insn = starts[slot].expect("no jump into a wide load");
        if let Some(offset) = insn.relative() {
            open.push(usize::try_from(slot as i64 + 1 + i64::from(offset)).unwrap());
        }
        if !matches!(insn, Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::Exit) {
            open.push(slot + insn.slots());
        }
    }
    (0..reached.len()).filter(|&slot| starts[slot].is_some() && !reached[slot]).count()
}

fn shape(code: &Code) -> Vec<Insn> {
    code.insns().iter().copied().filter(|insn| !matches!(insn, Insn::Alu { .. })).collect()
}

#[test]
fn jumps_are_short_as_far_as_16_bits_reach() {
    for isa in ISAS {
        let steps = |n| [Step::Place(0), Step::Goto(1), Step::Filler(n), Step::Place(1), Step::Goto(0)];
        let code = assemble(&steps(32766), isa).unwrap();
        assert_eq!(shape(&code)[..2], [Insn::Jump { offset: 32766 }, Insn::Jump { offset: -32768 }]);
    }
}

#[test]
fn a_goto_becomes_a_gotol() {
    // Forward, one more would do, but the way back is two slots longer.
    let code = assemble(
        &[Step::Place(0), Step::Goto(1), Step::Filler(32767), Step::Place(1), Step::Goto(0)],
        Isa::NEWEST,
    );
    assert_eq!(
        shape(&code.unwrap()),
        [Insn::Jump { offset: 32767 }, Insn::JumpLong { offset: -32769 }, Insn::Exit]
    );
    let code = assemble(&[Step::Goto(0), Step::Filler(32768), Step::Place(0)], Isa::NEWEST).unwrap();
    assert_eq!(shape(&code), [Insn::JumpLong { offset: 32768 }, Insn::Exit]);
    assert_eq!(code.len_slots(), 32770);
}

#[test]
fn a_conditional_jump_becomes_its_opposite_over_a_gotol() {
    let far = |step| assemble(&[step, Step::Filler(40000), Step::Place(0)], Isa::NEWEST).unwrap();
    let code = far(Step::If(|value| R1.slt(value), 7, 0));
    assert_eq!(
        shape(&code),
        [Insn::JumpIf { condition: R1.sge(7), offset: 1 }, Insn::JumpLong { offset: 40000 }, Insn::Exit]
    );
    let (over, long) = (Insn::Jump { offset: 1 }, Insn::JumpLong { offset: 40000 });
    let code = far(Step::If(|value| R1.set(value), 7, 0));
    assert_eq!(shape(&code), [Insn::JumpIf { condition: R1.set(7), offset: 1 }, over, long, Insn::Exit]);
    let code = far(Step::MayGoto(0));
    assert_eq!(shape(&code), [Insn::MayGoto { offset: 1 }, over, long, Insn::Exit]);
}

#[test]
fn without_gotol_islands_carry_a_jump() {
    let code = assemble(&[Step::Goto(0), Step::Filler(40000), Step::Place(0)], OLD).unwrap();
    // One island is on the way at 20000 slots, another at 40000, each with a jump over it.
    let skip = Insn::Jump { offset: 1 };
    assert_eq!(
        shape(&code),
        [
            Insn::Jump { offset: 20000 },
            skip,
            Insn::Jump { offset: 20001 },
            skip,
            Insn::Jump { offset: 1 },
            Insn::Exit
        ]
    );
}

/// Hundreds of conditions lead from each of two halves into the other, further than 16 bits can say, each to a label of
/// its own: those that hold arrive there, those that don't go on.
#[test]
fn without_gotol_islands_carry_many_jumps() {
    const COUNT: usize = 600;
    let holding = [|v| R1.eq(v), |v| R1.ge(v), |v| R1.le(v), |v| R1.sge(v), |v| R1.sle(v), |v| R1.set(v)];
    let failing = [|v| R1.ne(v), |v| R1.gt(v), |v| R1.lt(v), |v| R1.sgt(v), |v| R1.slt(v)];
    let (mut first, mut second) = (Vec::new(), Vec::new());
    // Label 2i is in the first half and label 2i + 1 in the second. Each sets its own value and leads to the next.
    for label in 0..2 * COUNT {
        let half = if label % 2 == 0 { &mut first } else { &mut second };
        let (value, next) = (label as i32 + 1, (label + 1) % (2 * COUNT));
        half.extend([
            Step::Place(label),
            Step::Value(value),
            Step::If(failing[label % failing.len()], value, next),
            Step::If(holding[label % holding.len()], value, next),
            Step::Value(-1),
        ]);
    }
    let steps = [&first[..], &[Step::Filler(70_000)], &second].concat();
    let code = assemble(&steps, OLD).unwrap();
    assert!(!code.insns().iter().any(|insn| matches!(insn, Insn::JumpLong { .. })));
    let expected: Vec<_> = (1..=2 * COUNT as i32).chain([1]).collect();
    assert_eq!(run(&code, expected.len()), expected);
    assert_eq!(unreachable(&code), 0);
}

#[test]
fn lines_stay_with_their_instructions() {
    for isa in ISAS {
        let mut a = Assembler::new();
        let end = a.label();
        let first = line!() + 1;
        a.jump_if(R1.eq(0), end);
        let filler = line!() + 1;
        (0..40000).for_each(|_| a.mov(R2, 0));
        let third = line!() + 1;
        a.mov(R1, 1);
        a.bind(end);
        a.exit();
        let code = a.finish_for(isa).unwrap();
        let mut slot = 0;
        let line = |slot| code.line_of(slot).unwrap().line();
        for insn in code.insns() {
            match insn {
                Insn::JumpIf { .. } | Insn::JumpLong { .. } => assert_eq!(line(slot), first),
                // A link of an island is there for the jump; what skips it, for what runs into it.
                Insn::Jump { offset: 1 } => assert!([first, filler].contains(&line(slot))),
                Insn::Jump { .. } => assert_eq!(line(slot), first),
                Insn::Alu { dst: R1, .. } => assert_eq!(line(slot), third),
                Insn::Alu { .. } => assert_eq!(line(slot), filler),
                _ => assert_eq!(line(slot), third + 2),
            }
            slot += insn.slots();
        }
        assert_eq!(code.line_of(slot), None);
    }
}

#[test]
fn marks_stay_with_their_instructions() {
    for isa in ISAS {
        let mut a = Assembler::new();
        let end = a.label();
        a.mark(Some(1));
        a.jump_if(R1.eq(0), end);
        a.mark(Some(2));
        (0..40000).for_each(|_| a.mov(R2, 0));
        a.mark(Some(3));
        a.mov(R1, 1);
        a.bind(end);
        a.exit();
        a.mark(Some(4));
        let code = a.finish_for(isa).unwrap();
        let mut slot = 0;
        let mut found = Vec::new();
        for insn in code.insns() {
            let wanted = match insn {
                Insn::JumpIf { .. } | Insn::JumpLong { .. } => 1,
                // The first lies beside its jump, and the others are islands in what they lie in.
                Insn::Jump { .. } if slot < 3 => 1,
                Insn::Jump { .. } => 2,
                Insn::Alu { dst: R1, .. } | Insn::Exit => 3,
                _ => 2,
            };
            assert_eq!(code.mark_of(slot), Some(wanted), "{insn:?} at {slot}");
            found.push(wanted);
            slot += insn.slots();
        }
        assert!(found.is_sorted(), "{isa:?}");
        assert_eq!(code.mark_of(slot), None);
    }
}

struct Maps;

impl Fill for Maps {
    fn map(&mut self, index: u32) -> MapRef {
        MapRef::Fd(index as i32)
    }
}

#[test]
fn holes_offsets_and_calls_move_with_their_instructions() {
    for isa in ISAS {
        let jumping = |offset| {
            let mut a = Assembler::new();
            let (end, func) = (a.label(), a.label());
            a.emit(Insn::JumpIf { condition: R1.eq(1), offset });
            a.jump_if(R1.eq(0), end);
            a.load_func(R3, func);
            a.call_local(func);
            (0..40000).for_each(|_| a.mov(R2, 0));
            a.load_reloc(R1, Reloc::Map(3));
            a.bind(end);
            a.exit();
            a.bind(func);
            a.exit();
            a.finish_for(isa)
        };
        let into_wide_load = jumping(2).unwrap_err();
        assert_eq!(into_wide_load.kind, AsmErrorKind::NothingThere { offset: 2 });

        let code = jumping(4).unwrap(); // to the filler
        assert_eq!(code.insns()[0].relative(), Some(5));
        let last = code.len_slots() as i32 - 1;
        assert_eq!(code.functions(), [0, last as usize]);
        assert!(code.relocs().eq([(last as usize - 3, Reloc::Map(3))]));
        let bytes = code.encode_with(Endian::Little, &mut Maps);
        assert_eq!(bytes.len(), code.len_slots() * 8);
        assert!(Insn::decode_program(&bytes, Endian::Little).is_ok());
    }
}

#[test]
fn too_many_chains_are_refused() {
    let mut a = Assembler::new();
    let labels: Vec<_> = (0..10_000).map(|_| a.label()).collect();
    labels.iter().for_each(|&label| a.jump_if(R1.eq(1), label));
    (0..60_000).for_each(|_| a.mov(R2, 0));
    labels.iter().for_each(|&label| {
        a.bind(label);
        a.mov(R2, 0);
    });
    a.exit();
    let error = a.finish_for(OLD).unwrap_err();
    assert!(matches!(error.kind, AsmErrorKind::JumpTooFar { .. }), "{error}");
    assert_eq!(error.line.line(), line!() - 9);
}

const CONDITIONS: [fn(i32) -> Condition; 11] = [
    |v| R1.eq(v),
    |v| R1.ne(v),
    |v| R1.gt(v),
    |v| R1.ge(v),
    |v| R1.lt(v),
    |v| R1.le(v),
    |v| R1.sgt(v),
    |v| R1.sge(v),
    |v| R1.slt(v),
    |v| R1.sle(v),
    |v| R1.set(v),
];

const LABELS: usize = 6;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = || -3..4i32;
    let step = prop_oneof![
        6 => value().prop_map(Step::Value),
        2 => prop_oneof![1..20usize, 9_000..12_000usize, 32_700..32_800usize].prop_map(Step::Filler),
        1 => (0..LABELS).prop_map(Step::Goto),
        3 => (prop::sample::select(&CONDITIONS), value(), 0..LABELS).prop_map(|(c, v, l)| Step::If(c, v, l)),
        1 => (0..LABELS).prop_map(Step::MayGoto),
    ];
    let steps = prop::collection::vec(step, 1..40);
    (steps, prop::collection::vec(any::<prop::sample::Index>(), LABELS)).prop_map(|(mut steps, places)| {
        for (label, place) in places.into_iter().enumerate() {
            steps.insert(place.index(steps.len() + 1), Step::Place(label));
        }
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn long_jumps_lead_where_short_ones_would(steps in steps()) {
        let (expected, ended) = expected(&steps);
        for isa in ISAS {
            let code = assemble(&steps, isa).unwrap();
            prop_assert_eq!(run(&code, expected.len() + usize::from(ended)), &expected[..]);
            let bytes = code.encode(Endian::Little, |_| 0);
            prop_assert_eq!(&Insn::decode_program(&bytes, Endian::Little).unwrap()[..], code.insns());
            let long = code.insns().iter().any(|insn| matches!(insn, Insn::JumpLong { .. }));
            prop_assert!(isa.gotol || !long);
        }
    }

    /// What has no unreachable instructions gets none.
    #[test]
    fn nothing_is_unreachable_that_was_not(
        blocks in prop::collection::vec((0..20_000usize, 0..LABELS, 0..3), LABELS..12),
    ) {
        let mut steps = Vec::new();
        for (i, &(filler, label, kind)) in blocks.iter().enumerate() {
            if i < LABELS {
                steps.push(Step::Place(i));
            }
            steps.push(Step::Filler(filler));
            steps.push(Step::If(CONDITIONS[0], 1, (label + 1) % LABELS));
            if kind > 0 && i + 1 < LABELS {
                // What comes next is reached by this alone.
                steps.push(Step::If(CONDITIONS[0], 1, i + 1));
                steps.push(Step::Goto(label));
            }
        }
        for isa in ISAS {
            prop_assert_eq!(unreachable(&assemble(&steps, isa).unwrap()), 0);
        }
    }
}

/// Assembles a million instructions and more; quadratic work would take minutes.
fn at_once(name: &str, isa: Isa, write: impl Fn(&mut Assembler)) {
    let mut a = Assembler::new();
    write(&mut a);
    let start = Instant::now();
    let code = a.finish_for(isa).unwrap();
    let bytes = code.encode(Endian::Little, |_| 0);
    assert!(start.elapsed() < Duration::from_secs(60), "{name}: {:?}", start.elapsed());
    assert!(Insn::decode_program(&bytes, Endian::Little).is_ok(), "{name}");
}

#[test]
fn a_million_instructions_take_no_time() {
    const MANY: usize = 1_000_000;
    for isa in ISAS {
        at_once("each to the next", isa, |a| {
            for _ in 0..MANY {
                let next = a.label();
                a.jump_if(R1.eq(0), next);
                a.bind(next);
            }
            a.exit();
        });
        at_once("all to the end", isa, |a| {
            let end = a.label();
            (0..MANY).for_each(|_| a.jump_if(R1.eq(0), end));
            a.bind(end);
            a.exit();
        });
        at_once("all to the start", isa, |a| {
            let start = a.label();
            a.bind(start);
            (0..MANY).for_each(|_| a.may_goto(start));
            a.exit();
        });
    }

    // Each is at the edge of its reach, so that making one longer puts the one before out of range, and so on.
    for reach in [32_767, 32_766, 16_384] {
        at_once("falling like dominoes", Isa::NEWEST, |a| {
            let labels: Vec<_> = (0..MANY + reach + 2).map(|_| a.label()).collect();
            for (i, &label) in labels.iter().enumerate() {
                a.bind(label);
                match labels.get(i + reach + 1) {
                    Some(&there) => a.jump_if(R1.eq(0), there),
                    None => a.mov(R2, 0),
                }
            }
            a.mov(R1, 0);
            a.jump_if(R1.set(1), labels[0]);
            a.exit();
        });
    }
    for isa in ISAS {
        let start = Instant::now();
        let code = assemble(&one_by_one(40), isa).unwrap();
        assert!(code.len_slots() > 800_000 && start.elapsed() < Duration::from_secs(60));
    }
}

/// Jumps that each lead as far as 16 bits can say, over the next one, and the last leads further: making one longer
/// puts the one before out of range, and no other.
fn one_by_one(jumps: usize) -> Vec<Step> {
    const APART: usize = 20_000;
    let mut places: Vec<_> =
        (0..jumps).flat_map(|i| [(i * APART, true, i), (i * APART + 32_768, false, i)]).collect();
    places.last_mut().unwrap().0 += 1;
    places.sort_unstable();
    let mut steps = Vec::new();
    let mut slot = 0;
    for (at, is_jump, i) in places {
        steps.push(Step::Filler(at - slot));
        slot = at;
        if is_jump {
            steps.push(Step::If(CONDITIONS[0], 1, i));
            slot += 1;
        } else {
            steps.push(Step::Place(i));
        }
    }
    steps
}

/// More rounds than are made before a set of long jumps is taken that is large enough.
#[test]
fn one_jump_after_the_other_gets_longer() {
    let far = |jumps| {
        let code = assemble(&one_by_one(jumps), Isa::NEWEST).unwrap();
        let far = code.insns().iter().filter(|insn| matches!(insn, Insn::JumpLong { .. })).count();
        let bytes = code.encode(Endian::Little, |_| 0);
        assert!(Insn::decode_program(&bytes, Endian::Little).is_ok());
        far
    };
    for jumps in [1, 2, 15, 16, 17, 18, 40] {
        assert_eq!(far(jumps), jumps);
    }

    for isa in ISAS {
        let mut steps = vec![Step::Value(1)];
        steps.extend(one_by_one(40));
        steps.push(Step::Value(2));
        let code = assemble(&steps, isa).unwrap();
        assert_eq!(run(&code, 3), [1, 2]);
        assert_eq!(unreachable(&code), 0);
    }
}
