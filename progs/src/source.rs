//! Debug information for the verifier's log: BTF with a name for each function, and for each instruction the line of
//! Rust or the part of the user's text that it comes from.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use kwalk_btf::{FuncInfo, Int, LineInfo, LineRecord, Linkage, TypeId, WriteError, Writer};

use crate::program::Program;

/// A program's BTF, and the arrays that `BPF_PROG_LOAD` takes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The BTF, in the machine's byte order.
    pub btf: Vec<u8>,
    /// `func_info`.
    pub functions: Vec<FuncInfo>,
    /// `line_info`.
    pub lines: Vec<LineRecord>,
}

/// Describes a program's functions and lines. The first function has the program's name, if that is an identifier.
///
/// The text of a line is the user's, or else the file and line number in Rust: the source files are not there at run
/// time.
///
/// # Errors
///
/// Those of [`Writer`]; there are none for a program that is small enough for the kernel.
pub fn describe(program: &Program) -> Result<Source, WriteError> {
    let (name, code) = (program.name, &program.code);
    let mut types = Writer::new();
    let int = types.int("int", 4, Int { signed: true, ..Int::new(32) })?;
    let context = types.ptr(TypeId::VOID)?;
    let proto = types.func_proto(int, &[("ctx", context)])?;
    let mut functions = Vec::new();
    let mut lines = Vec::new();
    let starts = code.functions();
    for (nth, &start) in starts.iter().enumerate() {
        let is_identifier =
            name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') && !name.is_empty();
        let named = match nth {
            0 if is_identifier => name.to_string(),
            nth => format!("function_{nth}"),
        };
        let type_id = types.func(&named, proto, Linkage::Static)?;
        functions.push(FuncInfo { insn_off: start as u32, type_id });
    }
    let mut before = None;
    let mut slot = 0;
    for insn in code.insns() {
        let Some(line) = code.line_of(slot) else { break };
        let from = match program.fragment_of(slot) {
            // The fragment's number is the line number, since the kernel prints successive lines with the same number
            // only once.
            Some(words) => (name, code.mark_of(slot).map_or(0, |mark| mark + 1), 0, words.to_string()),
            None => (line.file(), line.line(), line.column(), line.to_string()),
        };
        // A record where a function starts, and wherever the source differs from that of the instruction before.
        if before.as_ref() != Some(&from) || starts.binary_search(&slot).is_ok() {
            let (file, line, column, ref line_text) = from;
            lines.push(types.line(LineInfo { insn_off: slot as u32, file, line_text, line, column })?);
        }
        before = Some(from);
        slot += insn.slots();
    }
    Ok(Source { btf: types.finish(), functions, lines })
}
