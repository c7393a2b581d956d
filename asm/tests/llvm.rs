//! The same instructions by LLVM's assembler and disassembler: text, and bytes in both orders.
//!
//! The newest LLVM that is installed judges. Normalised, by [`spelled`], are the few things for which
//! LLVM's text has less to say than ours.

mod corpus;
mod tool;

use std::collections::BTreeSet;

use kwalk_asm::{Decoded, Endian, Insn, Listing, Wide, parse};
use libtest_mimic::{Arguments, Completion, Trial};
use tool::{ORDERS, Tool};

fn main() {
    let arguments = Arguments::from_args();
    let tests: [(&str, Test); 4] = [
        ("our_text_has_the_bytes_that_llvm_mc_gives_it", assembled),
        ("our_bytes_have_the_text_that_llvm_objdump_gives_them", disassembled),
        ("labels_lead_where_they_lead_in_llvm_mc", labelled),
        ("what_llvm_objdump_prints_is_read", read_back),
    ];
    let trial = |(name, test): (&str, Test)| {
        Trial::ignorable_test(name, move || match Tool::newest() {
            None => {
                Ok(Completion::ignored_with(format!("no llvm-mc with the target bpf; tried {}", Tool::NAMES)))
            }
            Some(tool) => test(&tool).map(|()| Completion::Completed).map_err(Into::into),
        })
    };
    libtest_mimic::run(&arguments, tests.map(trial).into()).exit();
}

type Test = fn(&Tool) -> Verdict;
type Verdict = Result<(), String>;

/// The newest LLVM known here, whose text is the canonical one.
const NEWEST: u32 = 22;

/// What it can't assemble from text: local calls it only knows by label, kernel functions by
/// symbol; a distance has 16 bits; a packet load with a register has no offset there, a pseudo source
/// no upper half.
const NOT_ASSEMBLED: [&str; 10] = [
    "call kfunc[id:N,idx:N]",
    "call kfunc[id:N]",
    "call pcN",
    "gotol N, beyond 16 bits",
    "r = *(u16 *)skb[r + N]",
    "r = *(u32 *)skb[r + N]",
    "r = *(u8 *)skb[r + N]",
    "r = btf[id:N,fd:N] ll",
    "r = map[fd:N][N]N ll",
    "r = map[idx:N][N]N ll",
];

fn bytes(insn: Insn, endian: Endian) -> Vec<u8> {
    let mut bytes = Vec::new();
    insn.encode(endian, &mut bytes);
    bytes
}

/// The instruction as LLVM writes it: all of it, for the assembler, if it has text for all of it; or
/// what the disassembler prints, which leaves out the upper half of a wide load from a pseudo source,
/// what kind of call it is, and the offset of a packet load with a register.
fn spelled(insn: Insn, all: bool) -> String {
    match insn {
        Insn::LoadWide { dst, value } if !matches!(value, Wide::Imm(_)) => {
            let bytes = bytes(insn, Endian::Little);
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            match word(12) {
                1.. if all => insn.to_string(),
                _ => format!("ld_pseudo {dst}, {:#x}, {:#x}", bytes[1] >> 4, word(4)),
            }
        }
        Insn::CallLocal { offset } if !all => {
            Insn::CallHelper { helper: kwalk_asm::HelperId(offset as u32) }.to_string()
        }
        Insn::CallKfunc { btf_id, .. } if !all => {
            Insn::CallHelper { helper: kwalk_asm::HelperId(btf_id) }.to_string()
        }
        Insn::LoadPacket { size, index: index @ Some(_), .. } if !all => {
            Insn::LoadPacket { size, index, offset: 0 }.to_string()
        }
        _ => insn.to_string(),
    }
}

/// The operation: the text without the numbers of registers and others.
fn operation(insn: Insn) -> String {
    let text = insn.to_string().replace(" - 0x", " + 0x");
    let mut name = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let number = rest.trim_start_matches(['+', '-']);
        let digits =
            number.len() - number.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == 'x').len();
        let (more, len) = match (c, digits) {
            ('+' | '-' | '0'..='9', 1..) if !name.ends_with(|c: char| "usled0123456789_".contains(c)) => {
                ("N", rest.len() - number.len() + digits)
            }
            _ => (&rest[..c.len_utf8()], c.len_utf8()),
        };
        name.push_str(more);
        rest = &rest[len..];
    }
    let name = name.replace("rN", "r").replace("wN", "w");
    match insn {
        Insn::JumpLong { offset } if i16::try_from(offset).is_err() => name + ", beyond 16 bits",
        _ => name,
    }
}

fn differ(problems: Vec<String>) -> Verdict {
    match problems.len() {
        0 => Ok(()),
        len => Err(format!("{len} differ:\n{}", problems[..len.min(30)].join("\n"))),
    }
}

fn assembled(tool: &Tool) -> Verdict {
    let corpus = corpus::all();
    let mut problems = Vec::new();
    let mut skipped = BTreeSet::new();
    for (endian, triple) in ORDERS {
        let texts: Vec<String> = corpus.iter().map(|&insn| spelled(insn, true)).collect();
        for ((&insn, text), theirs) in corpus.iter().zip(&texts).zip(tool.assemble(triple, &texts)) {
            let ours = bytes(insn, endian);
            match theirs {
                None => {
                    skipped.insert(operation(insn));
                }
                Some(theirs) if theirs != ours => {
                    problems.push(format!("{triple}: {text}: {ours:02x?}, llvm-mc says {theirs:02x?}"));
                }
                Some(_) => {}
            }
            if parse(text) != Ok(vec![insn.into()]) {
                problems.push(format!("{text}: read as {:?}", parse(text)));
            }
        }
    }
    report(tool, &corpus, "llvm-mc", &skipped, &NOT_ASSEMBLED)?;
    differ(problems)
}

fn disassembled(tool: &Tool) -> Verdict {
    let corpus = corpus::all();
    let mut problems = Vec::new();
    let mut skipped = BTreeSet::new();
    for (endian, triple) in ORDERS {
        let code: Vec<u8> = corpus.iter().flat_map(|&insn| bytes(insn, endian)).collect();
        let lines = tool.disassemble(triple, &code);
        // What an older one doesn't know, it takes for something else.
        let texts: Vec<String> = corpus.iter().map(|&insn| spelled(insn, true)).collect();
        let known =
            tool.assemble(triple, &texts).into_iter().map(|bytes| bytes.is_some() || tool.version >= NEWEST);
        let mut slot = 0;
        for (&insn, known) in corpus.iter().zip(known) {
            let ours = spelled(insn, false);
            match lines.get(&slot).filter(|_| known) {
                Some(theirs) if *theirs == ours => {}
                None => {
                    skipped.insert(operation(insn));
                }
                Some(theirs) => problems.push(format!("{triple}: {ours}, llvm-objdump says {theirs}")),
            }
            slot += insn.slots();
        }
    }
    report(tool, &corpus, "llvm-objdump", &skipped, &[])?;
    differ(problems)
}

/// Names the operations that this LLVM can't judge; of the newest known, they are these.
fn report(tool: &Tool, corpus: &[Insn], what: &str, skipped: &BTreeSet<String>, known: &[&str]) -> Verdict {
    let operations: BTreeSet<String> = corpus.iter().map(|&insn| operation(insn)).collect();
    println!(
        "{what} of LLVM {} judges {} of {} operations, by {} instructions in either byte order",
        tool.version,
        operations.len() - skipped.len(),
        operations.len(),
        corpus.len()
    );
    for name in skipped {
        println!("    not judged: {name}");
    }
    if tool.version >= NEWEST && !skipped.iter().eq(known) {
        return Err(format!("{what} can't judge {skipped:?}, which should be {known:?}"));
    }
    Ok(())
}

const LABELLED: &str = "\
start:
    r1 = 5; r2 = 6            # two of them
    if r1 > 3 goto end        // forward
    if w1 s<= w2 goto start   /* back,
                                 over two lines */
    call f
    r1 = 0x123456789 ll
again: goto again
end:
    goto start
    exit
f: r0 = 0
    goto end
    exit
";

fn labelled(tool: &Tool) -> Verdict {
    let newer = "may_goto f\n gotol start\n gotol f\n";
    let text = if tool.version >= 19 { LABELLED.to_owned() + newer } else { LABELLED.to_owned() };
    for (endian, triple) in ORDERS {
        let mut ours = Vec::new();
        parse(&text)
            .map_err(|error| error.to_string())?
            .iter()
            .for_each(|insn| insn.encode(endian, &mut ours));
        let theirs = tool.object(triple, &text).code();
        if theirs != ours {
            return Err(format!("{triple}: {ours:02x?}, llvm-mc says {theirs:02x?}"));
        }
    }
    Ok(())
}

/// All of `llvm-objdump`'s output but its headings, as it is.
fn read_back(tool: &Tool) -> Verdict {
    let mut corpus = corpus::all();
    let texts: Vec<String> = corpus.iter().map(|&insn| spelled(insn, true)).collect();
    let mut known = tool.assemble("bpfel", &texts).into_iter();
    corpus.retain(|_| known.next().flatten().is_some());
    let code: Vec<u8> = corpus.iter().flat_map(|&insn| bytes(insn, Endian::Little)).collect();
    let program = parse(&tool.print("bpfel", &code)).map_err(|error| error.to_string())?;
    let same = corpus.iter().map(|&insn| Decoded::from(insn)).eq(program.iter().copied());
    if same { Ok(()) } else { Err(format!("read as other instructions:\n{}", Listing::new(&program))) }
}
