//! Programs as a whole: labels, holes, lines, and what is refused.

use std::panic::Location;

use kwalk_asm::Reg::*;
use kwalk_asm::{AsmError, AsmErrorKind, Assembler, Endian, Insn, Label, Slot, Wide, u32_at, u64_at};

fn offsets(insns: &[Insn]) -> Vec<i16> {
    insns
        .iter()
        .filter_map(|insn| match insn {
            Insn::Jump { offset } | Insn::JumpIf { offset, .. } => Some(*offset),
            _ => None,
        })
        .collect()
}

#[test]
fn jumps_count_slots_forward_and_back() {
    let mut a = Assembler::new();
    let (start, end) = (a.label(), a.label());
    a.bind(start);
    a.jump_if(R1.eq(0), end); // slot 0
    a.load_imm64(R2, 1); //      slots 1 and 2
    a.jump(start); //            slot 3
    a.bind(end);
    a.exit(); //                 slot 4
    let code = a.finish().unwrap();
    assert_eq!(offsets(code.insns()), [3, -4]);
    assert_eq!(code.insns().len(), 4);
    assert_eq!(code.len_slots(), 5);
}

#[test]
fn labels_of_one_place_lead_to_the_same_place() {
    let mut a = Assembler::new();
    let (one, other) = (a.label(), a.label());
    a.jump_if(R1.eq(0), one);
    a.jump(other);
    a.bind(one);
    a.bind(other);
    a.exit();
    assert_eq!(offsets(a.finish().unwrap().insns()), [1, 0]);
}

#[test]
fn an_address_takes_as_many_instructions_as_it_needs() {
    fn text(write: fn(&mut Assembler)) -> Vec<Insn> {
        let mut a = Assembler::new();
        write(&mut a);
        a.finish().unwrap().insns().to_vec()
    }

    let mov = text(|a| a.mov(R1, R10));
    let add = text(|a| a.add(R1, -40000));
    assert_eq!(text(|a| a.address(R1, R10 - 40000)), [mov.clone(), add.clone()].concat());
    assert_eq!(text(|a| a.address(R1, R10)), mov);
    assert_eq!(text(|a| a.address(R1, R1 - 40000)), add);
    assert_eq!(text(|a| a.address(R1, R1 + 0)), []);
}

#[test]
fn a_program_without_instructions_is_empty() {
    let code = Assembler::new().finish().unwrap();
    assert_eq!((code.len_slots(), code.insns(), code.line_of(0)), (0, &[][..], None));
    assert!(code.encode(Endian::NATIVE, |_| 0).is_empty());
}

#[test]
fn a_loader_finds_and_fills_the_holes() {
    let value = Slot::MapValue { index: 1, offset: 4 };
    let mut a = Assembler::new();
    a.load_imm64(R1, 7);
    a.load_slot(R1, Slot::Map(0));
    a.exit();
    a.load_slot(R2, value);
    let code = a.finish().unwrap();
    assert!(code.slots().eq([(2, Slot::Map(0)), (5, value)]));

    let mut asked = Vec::new();
    let bytes = code.encode(Endian::Big, |slot| {
        asked.push(slot);
        40 + asked.len() as i32
    });
    assert_eq!(asked, [Slot::Map(0), value]);
    assert_eq!(bytes.len(), code.len_slots() * 8);
    assert_eq!(
        Insn::decode_all(&bytes, Endian::Big).unwrap(),
        [
            Insn::LoadWide { dst: R1, value: Wide::Imm(7) },
            Insn::LoadWide { dst: R1, value: Wide::MapFd(41) },
            Insn::Exit,
            Insn::LoadWide { dst: R2, value: Wide::MapFdValue { fd: 42, offset: 4 } },
        ]
    );
}

#[test]
fn every_slot_knows_its_line() {
    #[track_caller]
    fn zero(a: &mut Assembler) -> u32 {
        a.mov(R0, 0);
        Location::caller().line()
    }

    let mut a = Assembler::new();
    let first = line!() + 1;
    a.load_imm64(R1, 7);
    let second = zero(&mut a);
    let label = a.label();
    a.bind(label);
    let third = line!() + 1;
    a.jump(label);
    let code = a.finish().unwrap();
    let lines: Vec<_> = (0..5).map(|slot| code.line_of(slot).map(|line| line.line())).collect();
    assert_eq!(lines, [Some(first), Some(first), Some(second), Some(third), None]);
    assert_eq!(code.line_of(0).map(|line| line.file()), Some(file!()));
    assert_eq!(code.line_of(usize::MAX), None);
}

/// The error of a program whose fault lies so many lines below the call.
#[track_caller]
fn refused(below: u32, write: fn(&mut Assembler)) -> AsmErrorKind {
    let mut a = Assembler::new();
    write(&mut a);
    let AsmError { line, kind } = a.finish().unwrap_err();
    assert_eq!(line.file(), file!());
    assert_eq!(line.line(), Location::caller().line() + below, "{kind}");
    kind
}

#[test]
fn a_label_never_bound_is_refused_where_it_was_made() {
    let kind = refused(1, |a| {
        let label = a.label();
        a.jump(label);
        a.exit();
    });
    assert_eq!(kind, AsmErrorKind::LabelNeverBound);
}

#[test]
fn a_label_bound_twice_is_refused_where_that_was() {
    let here = line!();
    let kind = refused(4, |a| {
        let label = a.label();
        a.bind(label);
        a.exit();
        a.bind(label);
    });
    let AsmErrorKind::LabelBoundTwice { first } = kind else { panic!("{kind}") };
    assert_eq!(first.line(), here + 3);
}

fn someone_elses() -> Label {
    let mut b = Assembler::new();
    b.label()
}

#[test]
fn a_label_of_another_assembler_is_refused_where_it_is_used() {
    // Each of these has a label of its own with the same number.
    let uses: [fn(&mut Assembler); 3] =
        [|a| a.bind(someone_elses()), |a| a.jump(someone_elses()), |a| a.jump_if(R1.eq(0), someone_elses())];
    for write in uses {
        let mut a = Assembler::new();
        let own = a.label();
        a.bind(own);
        write(&mut a);
        a.exit();
        let error = a.finish().unwrap_err();
        assert_eq!(error.kind, AsmErrorKind::ForeignLabel);
        assert_eq!(error.line.file(), file!());
    }
    let kind = refused(1, |a| {
        a.jump(someone_elses());
    });
    assert_eq!(kind, AsmErrorKind::ForeignLabel);
}

#[test]
fn a_jump_past_the_last_instruction_is_refused() {
    let kind = refused(2, |a| {
        let end = a.label();
        a.jump(end);
        a.exit();
        a.bind(end);
    });
    assert_eq!(kind, AsmErrorKind::NothingAfterLabel);
}

#[test]
fn a_label_at_the_end_that_nothing_jumps_to_is_fine() {
    let mut a = Assembler::new();
    let end = a.label();
    a.exit();
    a.bind(end);
    assert!(a.finish().is_ok());
}

fn jump_over(slots: usize) -> Result<Vec<i16>, AsmErrorKind> {
    let mut a = Assembler::new();
    let (start, end) = (a.label(), a.label());
    a.bind(start);
    a.jump(end);
    for _ in 0..slots / 2 {
        a.load_imm64(R1, 0);
    }
    if slots % 2 == 1 {
        a.mov(R1, 0);
    }
    a.bind(end);
    a.jump(start);
    a.finish().map(|code| offsets(code.insns())).map_err(|error| error.kind)
}

#[test]
fn jumps_reach_as_far_as_16_bits_and_no_further() {
    assert_eq!(jump_over(32766), Ok(vec![32766, -32768]));
    // Forward one more would do, but the way back is two slots longer.
    assert_eq!(jump_over(32767), Err(AsmErrorKind::JumpTooFar { distance: -32769 }));
    assert_eq!(jump_over(32768), Err(AsmErrorKind::JumpTooFar { distance: 32768 }));
}

#[test]
fn offsets_reach_as_far_as_16_bits_and_no_further() {
    let kind = refused(1, |a| {
        a.load(R1, u32_at(R2 + 32768));
    });
    assert_eq!(kind, AsmErrorKind::OffsetTooLarge { base: R2, offset: 32768, bits: 16 });
    let kind = refused(1, |a| {
        a.store(u64_at(R10 - 32769), 0);
    });
    assert_eq!(kind, AsmErrorKind::OffsetTooLarge { base: R10, offset: -32769, bits: 16 });
    let kind = refused(1, |a| {
        a.address(R1, R2 + i32::MAX + 1);
    });
    assert_eq!(kind, AsmErrorKind::OffsetTooLarge { base: R2, offset: 1 << 31, bits: 32 });
    // Only the sum counts.
    let mut a = Assembler::new();
    a.load(R1, u32_at(R2 + i32::MAX - i32::MAX + 8));
    assert!(a.finish().is_ok());
}

#[test]
fn the_first_fault_is_the_one_reported() {
    let kind = refused(2, |a| {
        let _never_bound = a.label();
        a.load(R1, u32_at(R2 + 40000));
        a.jump(someone_elses());
    });
    assert_eq!(kind, AsmErrorKind::OffsetTooLarge { base: R2, offset: 40000, bits: 16 });
}

#[test]
fn errors_say_where_what_and_what_to_do() {
    let mut a = Assembler::new();
    a.load(R1, u32_at(R2 + 40000));
    let error = a.finish().unwrap_err();
    let expected = "offset 40000 from r2 doesn't fit 16 bits; add part of it to a register first";
    assert_eq!(error.to_string(), format!("{}: {expected}", error.line));
    let _: &dyn std::error::Error = &error;
}

/// Quadratic work would take minutes here.
#[test]
fn large_programs_are_assembled_at_once() {
    let mut a = Assembler::new();
    for _ in 0..300_000 {
        let next = a.label();
        a.jump_if(R1.eq(0), next);
        a.bind(next);
    }
    a.exit();
    assert_eq!(a.finish().unwrap().len_slots(), 300_001);
}
