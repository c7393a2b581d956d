//! Programs as a whole: labels, relocations, lines, and what is refused.

use std::panic::Location;

use kwalk_asm::Reg::*;
use kwalk_asm::{
    AsmError, AsmErrorKind, Assembler, AtomicOp, BtfRef, CallReloc, Endian, Fill, Insn, KfuncRef, Label,
    MapRef, Reloc, Size, Wide, u16_at, u32_at, u64_at,
};

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
    let value = Reloc::MapValue { index: 1, offset: 4 };
    let mut a = Assembler::new();
    a.load_imm64(R1, 7);
    a.load_reloc(R1, Reloc::Map(0));
    a.exit();
    a.load_reloc(R2, value);
    let code = a.finish().unwrap();
    assert!(code.relocs().eq([(2, Reloc::Map(0)), (5, value)]));

    let mut asked = Vec::new();
    let bytes = code.encode(Endian::Big, |slot| {
        asked.push(slot);
        40 + asked.len() as i32
    });
    assert_eq!(asked, [Reloc::Map(0), value]);
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

#[test]
fn every_slot_knows_its_mark() {
    let mut a = Assembler::new();
    assert_eq!(a.mark(None), None);
    a.load_imm64(R1, 7);
    assert_eq!(a.mark(Some(3)), None);
    // Nothing is emitted with that one.
    assert_eq!(a.mark(Some(4)), Some(3));
    a.load_imm64(R1, 7);
    a.mov(R0, 0);
    assert_eq!(a.mark(None), Some(4));
    a.mov(R0, 0);
    assert_eq!(a.mark(Some(3)), None);
    a.exit();
    assert_eq!(a.mark(Some(5)), Some(3));
    let code = a.finish().unwrap();
    let marks: Vec<_> = (0..8).map(|slot| code.mark_of(slot)).collect();
    assert_eq!(marks, [None, None, Some(4), Some(4), Some(4), None, Some(3), None]);
    assert_eq!(code.mark_of(usize::MAX), None);
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

#[test]
fn an_atomic_of_less_than_four_bytes_is_refused() {
    let kind = refused(1, |a| {
        a.atomic(AtomicOp::Add, u16_at(R1), R2);
    });
    assert_eq!(kind, AsmErrorKind::NoSuchAtomic { size: Size::U16 });
}

#[test]
fn functions_are_called_and_named_by_their_labels() {
    let mut a = Assembler::new();
    let (twice, callback) = (a.label(), a.label());
    a.load_func(R2, callback); // slots 0 and 1
    a.call_local(twice); //       slot 2
    a.exit(); //                  slot 3
    a.bind(twice);
    a.add(R1, R1); //             slot 4
    a.mov(R0, R1); //             slot 5
    a.exit(); //                  slot 6
    a.bind(callback);
    a.mov(R0, 0); //              slot 7
    a.exit();
    let code = a.finish().unwrap();
    assert_eq!(code.insns()[0], Insn::LoadWide { dst: R2, value: Wide::Func { offset: 6 } });
    assert_eq!(code.insns()[1], Insn::CallLocal { offset: 1 });
    assert_eq!(code.functions(), [0, 4, 7]);
    assert_eq!(Assembler::new().finish().unwrap().functions(), []);
}

/// Fills each kind of relocation with something that names its index.
struct Loader;

impl Fill for Loader {
    fn map(&mut self, index: u32) -> MapRef {
        MapRef::Fd(index as i32 + 10)
    }

    fn btf(&mut self, index: u32) -> BtfRef {
        BtfRef { btf_id: index + 20, btf_fd: 5 }
    }

    fn kfunc(&mut self, index: u32) -> KfuncRef {
        KfuncRef { btf_id: index + 30, btf_fd_offset: 6 }
    }

    fn func(&mut self, index: u32) -> Option<usize> {
        Some(index as usize + 40)
    }
}

/// A loader that has nothing.
struct Nothing;

impl Fill for Nothing {}

#[test]
fn a_loader_fills_each_kind_of_hole() {
    let mut a = Assembler::new();
    a.load_reloc(R1, Reloc::Map(1)); //                             slots 0 and 1
    a.load_reloc(R1, Reloc::MapValue { index: 2, offset: 4 }); //   slots 2 and 3
    a.load_reloc(R1, Reloc::Btf(3)); //                             slots 4 and 5
    a.load_reloc(R1, Reloc::Func(4)); //                            slots 6 and 7
    a.call_reloc(CallReloc::Kfunc(5)); //                           slot 8
    a.call_reloc(CallReloc::Func(6)); //                            slot 9
    a.exit();
    let code = a.finish().unwrap();
    let wide = |value| Insn::LoadWide { dst: R1, value };
    let decoded = |bytes: Vec<u8>| Insn::decode_all(&bytes, Endian::Little).unwrap();

    assert_eq!(
        decoded(code.encode_with(Endian::Little, &mut Loader)),
        [
            wide(Wide::MapFd(11)),
            wide(Wide::MapFdValue { fd: 12, offset: 4 }),
            wide(Wide::BtfId { btf_id: 23, btf_fd: 5 }),
            wide(Wide::Func { offset: 44 - 7 }),
            Insn::CallKfunc { btf_id: 35, btf_fd_offset: 6 },
            Insn::CallLocal { offset: 46 - 10 },
            Insn::Exit,
        ]
    );
    assert_eq!(
        decoded(code.encode_with(Endian::Little, &mut Nothing)),
        [
            wide(Wide::MapIdx(1)),
            wide(Wide::MapIdxValue { index: 2, offset: 4 }),
            wide(Wide::BtfId { btf_id: 0, btf_fd: 0 }),
            wide(Wide::Func { offset: -1 }),
            Insn::CallKfunc { btf_id: 0, btf_fd_offset: 0 },
            Insn::CallLocal { offset: -1 },
            Insn::Exit,
        ]
    );
    // By descriptors alone, what isn't a map stays as it is.
    let by_fd = decoded(code.encode(Endian::Little, |_| 7));
    assert_eq!(by_fd[..2], [wide(Wide::MapFd(7)), wide(Wide::MapFdValue { fd: 7, offset: 4 })]);
    assert_eq!(by_fd[2..], code.insns()[2..]);

    let value = Reloc::MapValue { index: 2, offset: 4 };
    assert!(code.relocs().eq([(0, Reloc::Map(1)), (2, value), (4, Reloc::Btf(3)), (6, Reloc::Func(4))]));
    assert!(code.call_relocs().eq([(8, CallReloc::Kfunc(5)), (9, CallReloc::Func(6))]));
    assert_eq!(code.functions(), [0]);
}
