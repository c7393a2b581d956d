//! Where a program's instructions come from, as the kernel takes it: BTF with a name for each function, and the line of
//! Rust, or the user's words, behind each instruction. The verifier's log then cites them.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use kwalk_btf::{FuncInfo, Int, LineInfo, LineRecord, Linkage, TypeId, WriteError, Writer};

use crate::program::Program;

/// What [`describe`] makes of a program: its BTF, and what `BPF_PROG_LOAD` is told besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The BTF, in the machine's byte order.
    pub btf: Vec<u8>,
    /// `func_info`.
    pub functions: Vec<FuncInfo>,
    /// `line_info`.
    pub lines: Vec<LineRecord>,
}

/// Describes a program's functions and lines. The first function is called as the program is, if that is an identifier.
///
/// A line's text is what its instructions are emitted for, or else the place of the line itself: a program has no sources
/// with it when it runs.
///
/// # Errors
///
/// Those of [`Writer`]; a program that the kernel takes at all has none.
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
            // By its number, for kernels take two lines of one number for the same.
            Some(words) => (name, code.mark_of(slot).map_or(0, |mark| mark + 1), 0, words.to_string()),
            None => (line.file(), line.line(), line.column(), line.to_string()),
        };
        // One for each function, and one wherever it is another than before.
        if before.as_ref() != Some(&from) || starts.binary_search(&slot).is_ok() {
            let (file, line, column, ref line_text) = from;
            lines.push(types.line(LineInfo { insn_off: slot as u32, file, line_text, line, column })?);
        }
        before = Some(from);
        slot += insn.slots();
    }
    Ok(Source { btf: types.finish(), functions, lines })
}
