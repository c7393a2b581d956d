//! From text to meanings.

use alloc::vec::Vec;
use core::str::FromStr;

use crate::helper::HelperId;
use crate::helpers::Helper;
use crate::insn::Insn;
use crate::op::{AluOp, JumpOp, Width};
use crate::operand::{Condition, Operand};
use crate::program::Decoded;
use crate::reg::Reg;
use crate::scan::{Number, Scan, Scanned, Symbols};
use crate::text_error::{Expected, Fault, ParseError};
use crate::text_label::{Place, Ties};
use crate::text_shape;
use crate::wide::Wide;
use crate::wire::{self, Endian, Raw};
use crate::word;

/// Reads a program: what [`Insn`]'s `Display` and [`Listing`](crate::Listing) print, as LLVM's
/// assembler reads it, and the dumps of the kernel's verifier and of bpftool.
///
/// Instructions end with the line or with a `;`. `#` and `//` make the rest of the line a comment,
/// and so does a `;` at the start of a line, or anywhere in a line of the verifier's log; a comment
/// may also stand between `/*` and `*/`. Numbers are decimal, or hexadecimal after `0x`, and have a
/// sign or not; immediates can have the value that 32 bits have as unsigned, or that 64 bits have
/// after their extension.
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
/// That jumps lead to an instruction is looked at for labels only; for bytes, see
/// [`Insn::decode_program`].
///
/// # Errors
///
/// That of the first place that can't be read; if all can, of the first label that isn't right.
pub fn parse(text: &str) -> Result<Vec<Decoded>, ParseError> {
    let parser = Parser::read(text, Endian::Little)?;
    let mut raws = parser.raws.iter().peekable();
    let mut program = Vec::with_capacity(parser.slots());
    let mut rest = &parser.program[..];
    while let Some(slot) = rest.first_chunk() {
        let at = parser.program.len() - rest.len();
        // What was said as bytes stays bytes, even if they are an instruction.
        let (one, len) = match raws.next_if(|&&raw| raw == at) {
            Some(_) => (Decoded::Raw(*slot), slot.len()),
            None => Decoded::first(slot, rest, Endian::Little),
        };
        program.push(one);
        rest = rest.get(len..).unwrap_or_default();
    }
    Ok(program)
}

/// Reads a program as [`parse`] does, and gives its bytes.
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
    Ok(Parser::read(text, endian)?.program)
}

/// One instruction, as [`parse`] reads it.
impl FromStr for Insn {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match *parse(text)? {
            [Decoded::Insn(insn)] => Ok(insn),
            _ => Err(Fault::new(0, Expected::One).of(text)),
        }
    }
}

pub(crate) struct Parser<'t> {
    pub(crate) scan: Scan<'t>,
    text: &'t str,
    endian: Endian,
    /// The bytes until here, and where among them those are that were said as bytes.
    program: Vec<u8>,
    raws: Vec<usize>,
    ties: Ties<'t>,
    /// The opcode that the verifier's log puts before an instruction.
    pub(crate) opcode: Option<u8>,
    /// Where the register is that is assigned to.
    pub(crate) dst: Scan<'t>,
}

impl<'t> Parser<'t> {
    fn read(text: &'t str, endian: Endian) -> Result<Self, ParseError> {
        let mut parser = Self::new(text, endian);
        let read = parser.program().and_then(|()| parser.ties.tie(&mut parser.program, endian));
        read.map_err(|fault| fault.of(text))?;
        Ok(parser)
    }

    fn new(text: &'t str, endian: Endian) -> Self {
        Self {
            scan: Scan::new(text),
            text,
            endian,
            // Few instructions have less text than they have bytes.
            program: Vec::with_capacity(text.len() / 2),
            raws: Vec::new(),
            ties: Ties::new(),
            opcode: None,
            dst: Scan::new(text),
        }
    }

    fn program(&mut self) -> Scanned<()> {
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
                _ if self.shaped() => self.opcode = None,
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

    /// Lines that are as they would be printed, up to the end of the last; whether there are any.
    fn shaped(&mut self) -> bool {
        let text = self.scan.rest();
        let (mut start, mut end) = (0, 0);
        while let Some((slot, len)) = text.get(start..).and_then(text_shape::read) {
            self.program.extend_from_slice(&Raw::from_slot(slot).to_bytes(self.endian));
            (start, end) = (start + len + 1, start + len);
        }
        self.scan.advance(end);
        end > 0
    }

    /// How many slots the program has until here.
    fn slots(&self) -> usize {
        self.program.len() / Raw::BYTES
    }

    fn at_comment(&mut self) -> bool {
        matches!(self.scan.rest(), [b'#', ..] | [b'/', b'/', ..])
    }

    fn at_end(&mut self) -> bool {
        matches!(self.scan.peek(), None | Some(b'\n' | b';')) || self.at_comment()
    }

    /// Labels, what a log puts before an instruction, and the instruction if there is one.
    fn statement(&mut self) -> Scanned<()> {
        loop {
            let at = self.scan.place();
            let word = self.scan.word();
            let mut after = self.scan;
            after.advance(word.len());
            match (word.is_empty(), after.peek()) {
                (true, Some(b'(')) => self.opcode()?,
                (true, Some(b'*')) => return self.store(),
                (true, _) => return self.scan.fault(Expected::Instruction),
                (false, Some(b':')) => {
                    // A number is the slot's, in dumps.
                    if !word.bytes().all(|byte| byte.is_ascii_digit()) {
                        self.ties.bind(word, Place { at, slot: self.slots() }, self.text)?;
                    }
                    after.advance(1);
                    self.scan = after;
                    if self.at_end() {
                        return Ok(());
                    }
                }
                (false, _) => return self.insn(word, after),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn emit(&mut self, insn: Insn) -> Scanned<()> {
        insn.encode(self.endian, &mut self.program);
        Ok(())
    }

    /// `(b7)`
    fn opcode(&mut self) -> Scanned<()> {
        self.scan.need("(")?;
        let word = self.scan.word();
        match u8::from_str_radix(word, 16) {
            Ok(opcode) if word.len() == 2 && self.opcode.is_none() => self.opcode = Some(opcode),
            _ => return self.scan.fault(Expected::Instruction),
        }
        self.scan.advance(word.len());
        self.scan.need(")")
    }

    /// What begins with that word.
    fn insn(&mut self, word: &str, after: Scan<'t>) -> Scanned<()> {
        let before = core::mem::replace(&mut self.scan, after);
        if let Some((width, dst)) = register(word) {
            self.dst = before;
            return self.assign(width, dst);
        }
        match word {
            word::IF => self.jump_if(),
            word::GOTO => {
                let offset = self.target()?;
                self.emit(Insn::Jump { offset })
            }
            word::GOTOL => {
                let offset = self.target()?;
                self.emit(Insn::JumpLong { offset })
            }
            word::GOTOX => {
                let target = self.reg(Width::W64)?;
                self.emit(Insn::JumpReg { target })
            }
            word::MAY_GOTO => {
                let offset = self.target()?;
                self.emit(Insn::MayGoto { offset })
            }
            word::CALL => self.call(),
            word::EXIT => self.emit(Insn::Exit),
            word::LOCK => self.lock(),
            word::STORE_RELEASE => self.store_release(),
            word::LD_PSEUDO => self.ld_pseudo(),
            word::INSN => {
                let bytes = self.bytes()?;
                self.raws.push(self.program.len());
                self.program.extend_from_slice(&bytes);
                Ok(())
            }
            _ => {
                self.scan = before;
                self.scan.fault(if like_register(word) { Expected::Register } else { Expected::Instruction })
            }
        }
    }

    /// After the register that is assigned to.
    fn assign(&mut self, width: Width, dst: Reg) -> Scanned<()> {
        match self.scan.symbol(AluOp::ALL, &ASSIGNMENTS, Expected::Assignment)? {
            AluOp::Mov => self.value(width, dst),
            op => {
                let src = self.operand(width)?;
                self.emit(Insn::Alu { width, op, dst, src })
            }
        }
    }

    fn jump_if(&mut self) -> Scanned<()> {
        let Some((width, left)) = self.try_register() else { return self.scan.fault(Expected::Register) };
        let op = self.scan.symbol(JumpOp::ALL, &COMPARISONS, Expected::Comparison)?;
        let right = self.operand(width)?;
        self.scan.need_word(word::GOTO)?;
        let offset = self.target()?;
        self.emit(Insn::JumpIf { condition: Condition { width, op, left, right }, offset })
    }

    fn call(&mut self) -> Scanned<()> {
        if self.scan.at_number() {
            let helper = HelperId(self.scan.number()?.imm()? as u32);
            self.skip_place();
            return self.emit(Insn::CallHelper { helper });
        }
        let at = self.scan.place();
        let mut name = self.scan.word();
        if self.scan.rest().starts_with(word::KERNEL_FUNCTION.as_bytes()) {
            name = word::KERNEL_FUNCTION;
        }
        if name.is_empty() {
            return self.scan.fault(Expected::Callee);
        }
        self.scan.advance(name.len());
        match (name, self.scan.rest()) {
            (word::KFUNC, [b'[', ..]) => self.kfunc(),
            (word::PC, [b'+' | b'-', ..]) => {
                let offset = self.scan.number()?.fit()?;
                self.skip_place();
                self.emit(Insn::CallLocal { offset })
            }
            (_, [b'#', b'-' | b'0'..=b'9', ..]) => {
                self.scan.advance(1);
                let id = self.scan.number()?.imm()? as u32;
                if name == word::UNKNOWN || helper(name).is_some() {
                    self.emit(Insn::CallHelper { helper: HelperId(id) })
                } else {
                    self.emit(Insn::CallKfunc { btf_id: id, btf_fd_offset: 0 })
                }
            }
            _ => {
                self.jump_to(name, at);
                self.skip_place();
                self.emit(Insn::CallLocal { offset: 0 })
            }
        }
    }

    /// `[id:258]`, `[id:258,idx:3]`
    fn kfunc(&mut self) -> Scanned<()> {
        self.scan.need("[")?;
        let btf_id = self.keyed(word::ID)?.fit()?;
        let more = self.scan.eat(b',');
        let btf_fd_offset = if more { self.keyed(word::IDX)?.fit()? } else { 0 };
        self.scan.need("]")?;
        self.emit(Insn::CallKfunc { btf_id, btf_fd_offset })
    }

    /// `id:258`
    pub(crate) fn keyed(&mut self, key: &'static str) -> Scanned<Number> {
        self.scan.need_word(key)?;
        self.scan.need(":")?;
        self.scan.number()
    }

    /// LLVM's wide load from a pseudo source, which has no upper half there.
    fn ld_pseudo(&mut self) -> Scanned<()> {
        let dst = self.reg(Width::W64)?;
        self.scan.need(",")?;
        let pseudo = self.scan.number()?;
        self.scan.need(",")?;
        let imm = self.scan.number()?.imm()?;
        let src = pseudo.fit().ok().filter(|&src| src != wire::IMM64);
        match src.and_then(|src| Wide::from_fields(src, imm, 0)) {
            Some(value) => self.emit(Insn::LoadWide { dst, value }),
            None => {
                let (min, max) = (wire::MAP_FD.into(), wire::MAP_IDX_VALUE.into());
                Err(pseudo.must_be(Expected::Range { min, max }))
            }
        }
    }

    fn bytes(&mut self) -> Scanned<[u8; 8]> {
        let word = self.scan.word();
        let digits = word.strip_prefix("0x").filter(|digits| digits.len() == word::INSN_DIGITS);
        let all_hex = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match all_hex.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                self.scan.advance(word.len());
                Ok(value.to_be_bytes())
            }
            None => self.scan.fault(Expected::Bytes),
        }
    }

    /// A register, in either width, if one is next.
    #[inline]
    pub(crate) fn try_register(&mut self) -> Option<(Width, Reg)> {
        let word = self.scan.word();
        let found = register(word)?;
        self.scan.advance(word.len());
        Some(found)
    }

    #[inline]
    pub(crate) fn reg(&mut self, width: Width) -> Scanned<Reg> {
        match register(self.scan.word()) {
            Some((of, reg)) if of == width => {
                self.scan.advance(reg.name(width).len());
                Ok(reg)
            }
            _ => self.scan.fault(Expected::RegisterOf(width)),
        }
    }

    #[inline]
    pub(crate) fn operand(&mut self, width: Width) -> Scanned<Operand> {
        if self.scan.at_number() {
            return Ok(Operand::Imm(self.scan.number()?.imm()?));
        }
        match register(self.scan.word()) {
            Some(_) => Ok(Operand::Reg(self.reg(width)?)),
            None if like_register(self.scan.word()) => self.scan.fault(Expected::RegisterOf(width)),
            None => self.scan.fault(Expected::Operand),
        }
    }

    /// Where a jump leads; 0 for a label, until it is tied.
    #[inline]
    fn target<T: crate::scan::Holds + Default>(&mut self) -> Scanned<T> {
        if self.scan.at_number() {
            let offset = self.scan.number()?.fit()?;
            self.skip_place();
            return Ok(offset);
        }
        let at = self.scan.place();
        let name = self.scan.word();
        if name.is_empty() {
            return self.scan.fault(Expected::Target);
        }
        self.scan.advance(name.len());
        let offset = match (name, self.scan.rest()) {
            (word::PC, [b'+' | b'-', ..]) => self.scan.number()?.fit()?,
            _ => {
                self.jump_to(name, at);
                T::default()
            }
        };
        self.skip_place();
        Ok(offset)
    }

    /// `<main+0x80>`, where `llvm-objdump` says where a jump leads.
    #[inline]
    fn skip_place(&mut self) {
        if self.scan.peek() == Some(b'<') {
            let len = self.scan.rest().iter().position(|&byte| matches!(byte, b'>' | b'\n'));
            if let Some(len) = len {
                self.scan.advance(len);
                self.scan.eat(b'>');
            }
        }
    }

    /// The instruction that is being read leads to the label of that name.
    pub(crate) fn jump_to(&mut self, name: &'t str, at: usize) {
        self.ties.jump(name, Place { at, slot: self.slots() });
    }
}

static ASSIGNMENTS: Symbols<{ AluOp::ALL.len() }> = {
    let mut all = Symbols::NONE;
    let mut i = 0;
    while i < AluOp::ALL.len() {
        all = all.with(i, AluOp::ALL[i].symbol());
        i += 1;
    }
    all
};

static COMPARISONS: Symbols<{ JumpOp::ALL.len() }> = {
    let mut all = Symbols::NONE;
    let mut i = 0;
    while i < JumpOp::ALL.len() {
        all = all.with(i, JumpOp::ALL[i].symbol());
        i += 1;
    }
    all
};

/// The helper of that name, with `bpf_` or without.
pub(crate) fn helper(name: &str) -> Option<Helper> {
    Helper::find(|(_, known, _)| known == name || known.strip_prefix("bpf_") == Some(name))
}

/// Whether that is meant to be a register, of which there are few.
pub(crate) fn like_register(word: &str) -> bool {
    let number = word.strip_prefix(['r', 'w', 'R', 'W']);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[inline]
fn register(word: &str) -> Option<(Width, Reg)> {
    let (letter, number) = match *word.as_bytes() {
        [letter, digit @ b'0'..=b'9'] => (letter, digit - b'0'),
        [letter, b'1', b'0'] => (letter, 10),
        _ => return None,
    };
    let reg = Reg::from_number(number)?;
    let of = |width: &Width| reg.name(*width).as_bytes().first() == Some(&letter);
    Some((Width::ALL.iter().copied().find(of)?, reg))
}
