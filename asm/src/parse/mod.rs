//! The parser: text as instructions.

mod error;
mod label;
mod scan;
mod value;

use alloc::vec::Vec;
use core::str::FromStr;

use self::error::Fault;
pub use self::error::{Expected, ParseError};
use self::label::{Labels, Reference};
use self::scan::{FieldInt, Number, Parsed, Scanner};
use crate::helper::HelperId;
use crate::helpers::Helper;
use crate::insn::Insn;
use crate::op::{AluOp, JumpOp, Width};
use crate::operand::{Condition, Operand};
use crate::program::Decoded;
use crate::reg::Reg;
use crate::wide::Wide;
use crate::wire::{self, Endian};

/// Parses a program: the output of [`Insn`]'s `Display` and of [`Listing`](crate::Listing), the
/// syntax of LLVM's assembler, and the dumps of the verifier and of bpftool.
///
/// An instruction ends with the line or with a `;`. Comments go from `#` or `//` to the end of the
/// line, or from `/*` to `*/`; also from a `;` at the start of a line, or anywhere in a line of the
/// verifier's log. Numbers are decimal, or hexadecimal with `0x`, with an optional sign. An
/// immediate may also be given as an unsigned 32-bit number, or as its value after sign extension
/// to 64 bits.
///
/// - Labels: `name:`, before an instruction or on a line of its own, bound once; as the target of
///   `goto`, `gotol`, `may_goto`, `if … goto` and `call`, and as the address of a function,
///   `r1 = name ll`.
/// - Helpers by name, with `bpf_` or without, if no label has that name: `call bpf_seq_write`,
///   `call seq_write`.
/// - The verifier's log: `12: (b7) r1 = 5`, in which (18) says that a value has 64 bits; `goto pc+3`;
///   `(r2 +8)`; `call bpf_seq_write#127`, and with any other name, the kernel function of that BTF
///   id; `r2 = atomic64_xchg((u64 *)(r1 +0), r2)`.
/// - `llvm-objdump --no-show-raw-insn`: `12: goto +0x3 <main+0x80>`; `ld_pseudo r1, 0x1, 0x5`.
/// - `r1 = 0x1234567890`, without the `ll` of a wide load, is one if the value needs it.
/// - `w` registers and `r` registers alike where memory of at most 32 bits is read or written.
///
/// Only for labels it is checked that jumps lead to an instruction. For bytes, see
/// [`Insn::decode_program`].
///
/// # Errors
///
/// That of the first position that can't be parsed; else that of the first wrong label.
pub fn parse(text: &str) -> Result<Vec<Decoded>, ParseError> {
    let mut parser = Parser::new(text);
    let parsed = parser.program().and_then(|()| parser.labels.resolve(&mut parser.program, parser.slots));
    parsed.map_err(|fault| fault.of(text))?;
    Ok(parser.program)
}

/// Parses a program like [`parse`], and encodes it.
///
/// ```
/// use kwalk_asm::{Endian, assemble};
///
/// let bytes = [0xb7, 0, 0, 0, 7, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
/// assert_eq!(assemble("r0 = 7; exit", Endian::Little)?, bytes);
/// # Ok::<(), kwalk_asm::ParseError>(())
/// ```
///
/// # Errors
///
/// Those of [`parse`].
pub fn assemble(text: &str, endian: Endian) -> Result<Vec<u8>, ParseError> {
    let program = parse(text)?;
    let mut bytes = Vec::with_capacity(program.len() * 8);
    program.iter().for_each(|one| one.encode(endian, &mut bytes));
    Ok(bytes)
}

/// Parses one instruction, like [`parse`].
impl FromStr for Insn {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match *parse(text)? {
            [Decoded::Insn(insn)] => Ok(insn),
            _ => Err(Fault::new(0, Expected::One).of(text)),
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    scan: Scanner<'t>,
    /// The instructions so far, and their number of slots.
    program: Vec<Decoded>,
    slots: usize,
    labels: Labels<'t>,
    /// The opcode that the verifier's log puts before an instruction.
    opcode: Option<u8>,
    /// The position of the current instruction.
    start: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            scan: Scanner::new(text),
            // Few instructions have a shorter text.
            program: Vec::with_capacity(text.len() / 16),
            slots: 0,
            labels: Labels::default(),
            opcode: None,
            start: 0,
        }
    }

    fn program(&mut self) -> Parsed<()> {
        let mut line_begins = true;
        loop {
            match self.scan.peek() {
                None => return Ok(()),
                Some(b'\n') => {
                    self.scan.advance(1);
                    line_begins = true;
                    continue;
                }
                Some(b';') if line_begins || self.opcode.is_some() => self.scan.skip_line(),
                Some(b';') => self.scan.advance(1),
                _ if self.at_comment() => self.scan.skip_line(),
                _ => {
                    self.opcode = None;
                    self.statement()?;
                    if !self.at_end() {
                        return self.scan.fault(Expected::End);
                    }
                }
            }
            line_begins = false;
        }
    }

    fn at_comment(&mut self) -> bool {
        matches!(self.scan.rest(), [b'#', ..] | [b'/', b'/', ..])
    }

    fn at_end(&mut self) -> bool {
        matches!(self.scan.peek(), None | Some(b'\n' | b';')) || self.at_comment()
    }

    /// Parses labels, the prefix that a log adds to an instruction, and the instruction if there is
    /// one.
    fn statement(&mut self) -> Parsed<()> {
        loop {
            self.start = self.scan.position();
            let word = self.scan.word();
            let mut after = self.scan;
            after.advance(word.len());
            let decoded = match (word, after.peek()) {
                ("", Some(b'(')) => {
                    self.opcode()?;
                    continue;
                }
                ("", Some(b'*')) => self.store()?.into(),
                ("", _) => return self.scan.fault(Expected::Instruction),
                (label, Some(b':')) => {
                    // In dumps, this is the number of the slot.
                    if !label.bytes().all(|byte| byte.is_ascii_digit()) {
                        self.labels.bind(label, self.start, self.slots, self.text)?;
                    }
                    after.advance(1);
                    self.scan = after;
                    if self.at_end() {
                        return Ok(());
                    }
                    continue;
                }
                (word, _) => {
                    self.scan = after;
                    if word == ".insn" { Decoded::Raw(self.raw()?) } else { self.insn(word)?.into() }
                }
            };
            self.slots += decoded.slots();
            self.program.push(decoded);
            return Ok(());
        }
    }

    /// `(b7)`
    fn opcode(&mut self) -> Parsed<()> {
        self.scan.need("(")?;
        let word = self.scan.word();
        match u8::from_str_radix(word, 16) {
            Ok(opcode) if word.len() == 2 && self.opcode.is_none() => self.opcode = Some(opcode),
            _ => return self.scan.fault(Expected::Instruction),
        }
        self.scan.advance(word.len());
        self.scan.need(")")
    }

    /// Parses the instruction that starts with this word.
    fn insn(&mut self, word: &str) -> Parsed<Insn> {
        if let Some((width, dst)) = register(word) {
            return match self.scan.symbol(AluOp::ALL, AluOp::symbol, Expected::Assignment)? {
                AluOp::Mov => self.value(width, dst),
                op => Ok(Insn::Alu { width, op, dst, src: self.operand(width)? }),
            };
        }
        match word {
            "if" => self.jump_if(),
            "goto" => Ok(Insn::Jump { offset: self.target()? }),
            "gotol" => Ok(Insn::JumpLong { offset: self.target()? }),
            "gotox" => Ok(Insn::JumpReg { target: self.reg(Width::W64)? }),
            "may_goto" => Ok(Insn::MayGoto { offset: self.target()? }),
            "call" => self.call(),
            "exit" => Ok(Insn::Exit),
            "lock" => self.lock(),
            "store_release" => self.store_release(),
            "ld_pseudo" => self.ld_pseudo(),
            _ if like_register(word) => Err(Fault::new(self.start, Expected::Register)),
            _ => Err(Fault::new(self.start, Expected::Instruction)),
        }
    }

    fn jump_if(&mut self) -> Parsed<Insn> {
        let word = self.scan.word();
        let Some((width, left)) = register(word) else { return self.scan.fault(Expected::Register) };
        self.scan.advance(word.len());
        let op = self.scan.symbol(JumpOp::ALL, JumpOp::symbol, Expected::Comparison)?;
        let right = self.operand(width)?;
        self.scan.need("goto")?;
        let condition = Condition { width, op, left, right };
        Ok(Insn::JumpIf { condition, offset: self.target()? })
    }

    fn call(&mut self) -> Parsed<Insn> {
        if self.scan.at_number() {
            let helper = HelperId(self.scan.number()?.imm()? as u32);
            self.skip_symbol();
            return Ok(Insn::CallHelper { helper });
        }
        let mut name = self.scan.word();
        if self.scan.rest().starts_with(b"kernel-function") {
            name = "kernel-function";
        }
        let mut after = self.scan;
        after.advance(name.len());
        match (name, after.rest()) {
            ("", _) => self.scan.fault(Expected::Callee),
            ("kfunc", [b'[', ..]) => {
                self.scan = after;
                self.scan.need("[")?;
                let btf_id = self.keyed("id")?.fit()?;
                let btf_fd_offset = if self.scan.eat(",") { self.keyed("idx")?.fit()? } else { 0 };
                self.scan.need("]")?;
                Ok(Insn::CallKfunc { btf_id, btf_fd_offset })
            }
            (_, [b'#', b'-' | b'0'..=b'9', ..]) => {
                self.scan = after;
                self.scan.advance(1);
                let id = self.scan.number()?.imm()? as u32;
                Ok(match name == "unknown" || helper(name).is_some() {
                    true => Insn::CallHelper { helper: HelperId(id) },
                    false => Insn::CallKfunc { btf_id: id, btf_fd_offset: 0 },
                })
            }
            _ => Ok(Insn::CallLocal { offset: self.target()? }),
        }
    }

    /// `id:258`
    fn keyed(&mut self, key: &'static str) -> Parsed<Number> {
        self.scan.need(key)?;
        self.scan.need(":")?;
        self.scan.number()
    }

    /// LLVM's wide load with a pseudo source, of which it shows only the lower half.
    fn ld_pseudo(&mut self) -> Parsed<Insn> {
        let dst = self.reg(Width::W64)?;
        self.scan.need(",")?;
        let pseudo = self.scan.number()?;
        self.scan.need(",")?;
        let imm = self.scan.number()?.imm()?;
        let src = pseudo.fit().ok().filter(|&src| src != wire::IMM64);
        let (min, max) = (wire::MAP_FD.into(), wire::MAP_IDX_VALUE.into());
        match src.and_then(|src| Wide::from_fields(src, imm, 0)) {
            Some(value) => Ok(Insn::LoadWide { dst, value }),
            None => Err(pseudo.must_be(Expected::Range { min, max })),
        }
    }

    /// Parses eight raw bytes. They stay bytes even if they are a valid instruction.
    fn raw(&mut self) -> Parsed<[u8; 8]> {
        let word = self.scan.word();
        let digits = word.strip_prefix("0x").filter(|digits| digits.len() == 16);
        match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                self.scan.advance(word.len());
                Ok(value.to_be_bytes())
            }
            None => self.scan.fault(Expected::Bytes),
        }
    }

    fn reg(&mut self, width: Width) -> Parsed<Reg> {
        match register(self.scan.word()) {
            Some((of, reg)) if of == width => {
                self.scan.advance(reg.name(width).len());
                Ok(reg)
            }
            _ => self.scan.fault(Expected::RegisterOf(width)),
        }
    }

    fn operand(&mut self, width: Width) -> Parsed<Operand> {
        if self.scan.at_number() {
            return Ok(Operand::Imm(self.scan.number()?.imm()?));
        }
        if like_register(self.scan.word()) {
            return Ok(Operand::Reg(self.reg(width)?));
        }
        self.scan.fault(Expected::Operand)
    }

    /// Parses the target of a jump; 0 for a label, until it is resolved.
    fn target<T: FieldInt + Default>(&mut self) -> Parsed<T> {
        let position = self.scan.position();
        let name = self.scan.word();
        let mut after = self.scan;
        after.advance(name.len());
        let offset = match (name, after.rest()) {
            _ if self.scan.at_number() => self.scan.number()?.fit()?,
            ("", _) => return self.scan.fault(Expected::Target),
            ("pc", [b'+' | b'-', ..]) => {
                self.scan = after;
                self.scan.number()?.fit()?
            }
            _ => {
                self.scan = after;
                self.refer(name, position);
                T::default()
            }
        };
        self.skip_symbol();
        Ok(offset)
    }

    /// Skips `<main+0x80>`, the target of a jump in the output of `llvm-objdump`.
    fn skip_symbol(&mut self) {
        if self.scan.peek() == Some(b'<') {
            let end = self.scan.rest().iter().position(|&byte| matches!(byte, b'>' | b'\n'));
            self.scan.advance(end.unwrap_or_default());
            self.scan.eat(">");
        }
    }

    /// Records that the current instruction refers to a label.
    fn refer(&mut self, name: &'t str, position: usize) {
        let reference = Reference { name, position, insn: self.program.len(), slot: self.slots };
        self.labels.refer(reference);
    }
}

/// The helper with this name, with or without `bpf_`.
fn helper(name: &str) -> Option<Helper> {
    Helper::find(|(_, known, _)| known == name || known.strip_prefix("bpf_") == Some(name))
}

/// Whether a word is meant as a register: `r11` is none.
fn like_register(word: &str) -> bool {
    let number = word.strip_prefix(['r', 'w', 'R', 'W']);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The register with this name, and its width.
fn register(word: &str) -> Option<(Width, Reg)> {
    let (width, number) = match word.as_bytes() {
        [b'r', number @ ..] => (Width::W64, number),
        [b'w', number @ ..] => (Width::W32, number),
        _ => return None,
    };
    let number = match number {
        [digit @ b'0'..=b'9'] => digit - b'0',
        b"10" => 10,
        _ => return None,
    };
    Some((width, Reg::from_number(number)?))
}
