//! Any bytes as a whole program: what is taken for one leads nowhere else, is the same after the assembler has had it,
//! and the same after it was printed and read with labels.

#![no_main]

use std::collections::BTreeSet;

use kwalk_asm::{Assembler, Decoded, Endian, Fill, Insn, Listing, parse};
use libfuzzer_sys::fuzz_target;

/// Leaves maps to the kernel, as they were in the bytes.
struct ByIndex;

impl Fill for ByIndex {}

fuzz_target!(|bytes: &[u8]| {
    for endian in [Endian::Little, Endian::Big] {
        match Insn::decode_program(bytes, endian) {
            Ok(program) => is_one(&program, bytes, endian),
            Err(error) => assert!(error.offset <= bytes.len() && error.offset % 8 == 0, "{error}"),
        }
    }
});

fn is_one(program: &[Insn], bytes: &[u8], endian: Endian) {
    let mut starts = BTreeSet::new();
    let mut slots = 0;
    for insn in program {
        starts.insert(slots);
        slots += insn.slots() as i64;
    }
    for (start, insn) in starts.iter().zip(program) {
        assert!(insn.relative().is_none_or(|distance| starts.contains(&(start + 1 + i64::from(distance)))));
    }

    let mut a = Assembler::new();
    program.iter().for_each(|&insn| a.emit(insn));
    let code = a.finish().expect("no jump has a label");
    assert_eq!(code.insns(), program);
    assert_eq!(code.encode_with(endian, &mut ByIndex), bytes);
    assert!(code.functions().iter().all(|&function| starts.contains(&(function as i64))));

    let decoded: Vec<_> = program.iter().map(|&insn| Decoded::from(insn)).collect();
    let text = Listing::new(program).slots().labels().to_string();
    assert_eq!(parse(&text), Ok(decoded), "{text}");
}
