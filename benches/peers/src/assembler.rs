//! kwalk-asm against rbpf: over the same instructions, which are those that both have, each in the text that each
//! itself prints.

use std::fmt::Write;

use kwalk_asm::{AluOp, Endian, Insn, Operand, Wide};
use rbpf::{assembler, disassembler, ebpf};

use crate::race::{Course, Row, Unit};

#[path = "../../mix/mod.rs"]
mod mix;

pub(crate) fn races() -> [Row; 4] {
    let insns: Vec<_> = mix::all(20_000).into_iter().filter(rbpf_has).collect();
    let count = insns.len();
    let course = move |what: &str| Course::new(what, Unit::Rate("instructions", count), "rbpf 0.4");

    let bytes = encode(&insns);
    let text = disassemble(&bytes);
    let raw = ebpf::to_insn_vec(&bytes);
    let rbpf_text = rbpf_print(&bytes);

    assert_eq!(rbpf_encode(&raw), bytes);
    assert_eq!(assembler::assemble(&rbpf_text).as_ref(), Ok(&bytes));
    assert_eq!(assemble(&text), bytes);

    [
        course("text to bytes").run(|| assemble(&text), || assembler::assemble(&rbpf_text)),
        course("bytes to text").run(|| disassemble(&bytes), || rbpf_print(&bytes)),
        course("encode (rbpf: fields as they are)").run(|| encode(&insns), || rbpf_encode(&raw)),
        course("decode (rbpf: fields as they are)").run(|| decode(&bytes), || ebpf::to_insn_vec(&bytes)),
    ]
}

/// Whether rbpf has the instruction, and reads what it prints of it: of a negative immediate it prints 32 bits
/// without a sign, which it then takes to be too many.
fn rbpf_has(insn: &Insn) -> bool {
    let unsigned = |operand| !matches!(operand, Operand::Imm(..0));
    match *insn {
        Insn::Alu { op, src, .. } => !matches!(op, AluOp::Sdiv | AluOp::Smod) && unsigned(src),
        Insn::Store { src, .. } => unsigned(src),
        Insn::JumpIf { condition, offset } => unsigned(condition.right) && offset != i16::MIN,
        Insn::Jump { offset } => offset != i16::MIN,
        Insn::LoadPacket { offset, .. } => offset >= 0,
        Insn::LoadWide { value, .. } => matches!(value, Wide::Imm(_)),
        Insn::Neg { .. } | Insn::Load { .. } | Insn::CallHelper { .. } | Insn::Exit => true,
        _ => false,
    }
}

fn encode(insns: &[Insn]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Insn::encode_all(insns, Endian::Little, &mut bytes);
    bytes
}

fn decode(bytes: &[u8]) -> Vec<Insn> {
    Insn::decode_all(bytes, Endian::Little).expect("it was encoded")
}

fn assemble(text: &str) -> Vec<u8> {
    kwalk_asm::assemble(text, Endian::Little).expect("it was printed")
}

fn disassemble(bytes: &[u8]) -> String {
    kwalk_asm::disassemble(bytes, Endian::Little).expect("it was encoded")
}

/// What `rbpf::disassembler::disassemble` does, to a string instead of the standard output.
fn rbpf_print(bytes: &[u8]) -> String {
    let mut text = String::new();
    for insn in disassembler::to_insn_vec(bytes) {
        writeln!(text, "{}", insn.desc).expect("a string takes all");
    }
    text
}

fn rbpf_encode(insns: &[ebpf::Insn]) -> Vec<u8> {
    let mut bytes = Vec::new();
    insns.iter().for_each(|insn| bytes.extend_from_slice(&insn.to_array()));
    bytes
}
