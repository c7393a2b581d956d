//! Where a program's instructions come from, as the kernel takes it: BTF with a name for each function, and the line of
//! Rust behind each instruction. The verifier's log then cites them.

use std::panic::Location;

use kwalk_asm::Code;
use kwalk_btf::{FuncInfo, Int, LineInfo, LineRecord, Linkage, TypeId, WriteError, Writer};

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

/// Describes a program's functions and lines. The first function is called `name`, if that is an identifier.
///
/// A line's text is the place of the line itself: a program has no sources with it when it runs.
///
/// # Errors
///
/// Those of [`Writer`]; a program that the kernel takes at all has none.
pub fn describe(name: &str, code: &Code) -> Result<Source, WriteError> {
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
    let mut before: Option<&Location<'_>> = None;
    let mut slot = 0;
    for insn in code.insns() {
        let line = code.line_of(slot);
        // One for each function, and one wherever the line is another than before.
        if let Some(line) = line.filter(|&line| before != Some(line) || starts.binary_search(&slot).is_ok()) {
            lines.push(types.line(LineInfo {
                insn_off: slot as u32,
                file: line.file(),
                line_text: &line.to_string(),
                line: line.line(),
                column: line.column(),
            })?);
        }
        before = line;
        slot += insn.slots();
    }
    Ok(Source { btf: types.finish(), functions, lines })
}
