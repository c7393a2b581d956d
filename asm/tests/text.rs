//! Text and instructions are the same thing twice.

mod any;

use any::insn;
use kwalk_asm::{
    DecodeError, DecodeReason, Decoded, Endian, Expected, Insn, Listing, Named, ParseError, assemble,
    disassemble, parse,
};
use proptest::prelude::*;

fn insns(text: &str) -> Result<Vec<Insn>, ParseError> {
    let insn = |decoded| match decoded {
        Decoded::Insn(insn) => insn,
        Decoded::Raw(bytes) => panic!("{bytes:x?} in {text}"),
    };
    Ok(parse(text)?.into_iter().map(insn).collect())
}

fn decoded() -> impl Strategy<Value = Decoded> {
    prop_oneof![9 => insn().prop_map(Decoded::Insn), 1 => any::<[u8; 8]>().prop_map(Decoded::Raw)]
}

/// Text that is often nearly a program: what an instruction is made of, in any order.
fn nearly() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    let words = [
        "r0", "r1", "w1", "r10", "r11", " ", "\n", ";", "#", "//", "/*", "*/", "=", "+=", "s>>=", "*(", "u32", "u64",
        "s8", " *)(", "r2 +8", ")", "(", "if", "goto", "gotol", "may_goto", "gotox", "call", "exit", "lock", "pc+3",
        "-0x1", "5", "0xffffffff", "99999999999999999999999", "ll", "map", "[", "fd:5", "]", "[0]+8", "a:", "a",
        "bpf_seq_write", "#127", "atomic_fetch_add((", "xchg_64(", "cmpxchg32_32(", ",", "skb[", "load_acquire((",
        "store_release((", "addr_space_cast(", ".insn", "0x0102030405060708", "12:", "(b7)", "(18)", "<", ">", "s>",
        "be16", "bswap32", "(s8)", "-", "kfunc[id:", "btf[id:", "subprog[", "é", "\t", "\r\n", "ld_pseudo",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn what_is_printed_reads_as_itself(insn in insn()) {
        prop_assert_eq!(insn.to_string().parse(), Ok(insn));
        prop_assert_eq!(insns(&insn.to_string()), Ok(vec![insn]));
    }

    #[test]
    fn a_listing_reads_as_the_program(
        program in prop::collection::vec(decoded(), 0..12), slots: bool, labels: bool, ids: bool, named: bool,
    ) {
        let mut listing = Listing::new(&program);
        let names = |named: Named| match named {
            Named::Helper(id) => Some(id.known().map_or("x # ; \n y", |helper| helper.name())),
            _ => Some("*/ z"),
        };
        if slots { listing = listing.slots() }
        if labels { listing = listing.labels() }
        if ids { listing = listing.map_ids() }
        if named { listing = listing.names(&names) }
        prop_assert_eq!(parse(&listing.to_string()), Ok(program));
    }

    #[test]
    fn what_is_read_prints_and_reads_the_same(text in nearly()) {
        if let Ok(program) = parse(&text) {
            prop_assert_eq!(parse(&Listing::new(&program).to_string()), Ok(program));
        }
    }

    /// `assemble` and `disassemble` do what `parse` and `Listing` do, and blanks at the end of a line change nothing.
    #[test]
    fn bytes_and_instructions_have_the_same_text(
        program in prop::collection::vec(decoded(), 0..6), at: prop::sample::Index, change in "[ -~]{0,2}",
        cut in 0usize..3, change_it: bool,
    ) {
        let mut text = Listing::new(&program).to_string();
        if change_it {
            let start = at.index(text.len() + 1);
            text.replace_range(start..text.len().min(start + cut), &change);
        }
        let blanks = text.replace('\n', " \n") + " ";
        // Where the line ends is a column later then.
        let place = |error: ParseError| {
            (error.line, error.expected, Some(error.column).filter(|_| !error.found.is_empty()), error.found)
        };
        prop_assert_eq!(parse(&text).map_err(place), parse(&blanks).map_err(place), "{}", text);
        if let Ok(program) = parse(&text) {
            for endian in [Endian::Little, Endian::Big] {
                let mut bytes = Vec::new();
                program.iter().for_each(|one| one.encode(endian, &mut bytes));
                // Raw bytes may say an instruction.
                let all = Decoded::all(&bytes, endian).unwrap();
                let printed = Listing::new(&all).to_string();
                prop_assert_eq!(disassemble(&bytes, endian), Ok(printed));
                prop_assert_eq!(assemble(&text, endian), Ok(bytes));
            }
        }
    }

    #[test]
    fn an_error_points_into_the_text(text in prop_oneof![nearly(), ".*", "[ -~\n]*"]) {
        if let Err(error) = parse(&text) {
            let line = text.split('\n').nth(error.line - 1).unwrap();
            prop_assert_eq!(&error.source, line);
            prop_assert!(error.column <= line.chars().count() + 1);
            let rest: String = line.chars().skip(error.column - 1).collect();
            prop_assert!(rest.starts_with(&error.found));
            let shown = error.to_string();
            prop_assert_eq!(shown.lines().count(), 4, "{}", shown);
        }
    }
}

#[test]
fn an_error_shows_the_line_and_the_place() {
    let error = parse("r1 = 5\n\tr2 = r11 + 3 # eleven\nexit").unwrap_err();
    assert_eq!((error.line, error.column, error.found.as_str()), (2, 7, "r11"));
    assert_eq!(
        error.to_string(),
        "2:7: expected a register, r0 to r10, found `r11`\n  |\n2 | \tr2 = r11 + 3 # eleven\n  | \t     ^^^"
    );
}

#[test]
fn jumps_to_labels_reach_as_far_as_16_bits_and_gotol_further() {
    let over = |jump: &str, slots: usize| parse(&format!("{jump} end\n{}end: exit", "exit\n".repeat(slots)));
    let first = |program: Result<Vec<Decoded>, ParseError>| program.map(|program| program[0].to_string());
    for jump in ["goto", "may_goto", "if r1 == 0x0 goto"] {
        assert_eq!(first(over(jump, 32767)), Ok(format!("{jump} +0x7fff")));
        let error = over(jump, 32768).unwrap_err();
        assert_eq!(error.expected, Expected::NearLabel { distance: 32768 });
    }
    assert_eq!(first(over("gotol", 32768)), Ok("gotol +0x8000".into()));
    assert_eq!(first(over("call", 32768)), Ok("call pc+0x8000".into()));
}

#[test]
fn bytes_that_end_too_early_are_not_disassembled() {
    let bytes = assemble("r1 = 0x1122334455667788 ll\nexit\n", Endian::Big).unwrap();
    let half = disassemble(&bytes[..8], Endian::Big);
    assert_eq!(half.as_deref(), Ok(".insn 0x1810000055667788\n"));
    for len in [1, 7, 9, 23] {
        let error = DecodeError { offset: len / 8 * 8, reason: DecodeReason::Truncated };
        assert_eq!(disassemble(&bytes[..len], Endian::Big), Err(error));
    }
}

#[test]
fn one_instruction_is_one() {
    assert_eq!(" exit # that's all".parse(), Ok(Insn::Exit));
    for text in ["", "exit; exit", ".insn 0x0000000000000000"] {
        assert_eq!(text.parse::<Insn>().unwrap_err().expected, Expected::One);
    }
    assert_eq!(format!("[{:>6}]", Insn::Exit), "[  exit]");
}

/// Quadratic work would take minutes here.
#[test]
fn large_texts_are_read_and_printed_at_once() {
    let mut text = String::new();
    for i in 0..300_000 {
        text += &format!("l{i}: if r1 == {i} goto l{}; call seq_write\n", 299_999 - i / 100 * 100);
    }
    let program = parse(&text.replace("; call seq_write", "")).unwrap_err();
    assert!(matches!(program.expected, Expected::NearLabel { .. }));
    let text = text.replace("if r1 == ", "gotol l0 # ");
    let program = parse(&text).unwrap();
    assert_eq!(parse(&Listing::new(&program).labels().slots().to_string()), Ok(program));
}
