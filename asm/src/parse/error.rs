//! Errors in the text of a program.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::scan::in_word;
use crate::op::Width;
use crate::reg::Reg;

/// Why a text can't be parsed, and where.
///
/// Its [`Display`](fmt::Display) shows the line, as a compiler does:
///
/// ```text
/// 3:6: expected a register or a number, found `r11`
///   |
/// 3 | r1 = r11
///   |      ^^^
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column of the first character that is wrong, from 1.
    pub column: usize,
    /// What is expected there.
    pub expected: Expected,
    /// What was found; empty at the end of a line.
    pub found: String,
    /// The line itself.
    pub source: String,
}

/// What the parser expects at a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Expected {
    /// An instruction, or a label.
    Instruction,
    /// The end of the line, a `;` or a comment, after an instruction.
    End,
    /// This word or mark.
    Word(&'static str),
    /// A register.
    Register,
    /// A register with the width that the instruction requires.
    RegisterOf(Width),
    /// The same register as the instruction's other operand, or the only one possible.
    Same(Width, Reg),
    /// `=`, `+=` and the like.
    Assignment,
    /// `+=`, `|=`, `&=` or `^=`.
    AtomicAssignment,
    /// `==`, `s>` and the like.
    Comparison,
    /// The right side of an assignment.
    Value,
    /// A register or a number.
    Operand,
    /// `+` or `-`, and a number.
    Sign,
    /// A number, in decimal without leading zeros or in hexadecimal after `0x`.
    Number,
    /// A number in a range.
    Range {
        /// The minimum.
        min: i64,
        /// The maximum.
        max: u64,
    },
    /// `u8`, `u16`, `u32` or `u64`.
    Size,
    /// `u8` to `u64` or, extending the sign, `s8` to `s32`.
    LoadSize,
    /// `u8`, `u16` or `u32`: not `u64`, in a packet or for a `w` register.
    SmallSize,
    /// The type that an atomic of this width works on: `u32` or `u64`.
    AtomicSize(Width),
    /// `u32` or `u64`.
    AnyAtomicSize,
    /// The type to extend to this width: `s8`, `s16` or, for 64 bits, `s32`.
    Cast(Width),
    /// The target of a jump: `+3`, `pc+3` or a label.
    Target,
    /// The callee: a number, a name, `pc+3` or `kfunc[id:258]`.
    Callee,
    /// `fd`, `id` or `idx`.
    MapKey,
    /// `0x` and 16 hexadecimal digits.
    Bytes,
    /// The name of a label that is bound in the text.
    BoundLabel,
    /// The name of a helper, or of a label that is bound in the text.
    BoundLabelOrHelper,
    /// A label that is not bound yet.
    NewLabel {
        /// The line in which it is bound.
        first: usize,
    },
    /// A label that is followed by an instruction.
    LabelOfInstruction,
    /// A label in the range of the jump.
    NearLabel {
        /// The distance, in 8-byte slots from the one after the jump.
        distance: i64,
    },
    /// A single instruction.
    One,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Instruction => "an instruction or a label",
            Self::End => "the end of the instruction",
            Self::Word(word) => return write!(f, "`{word}`"),
            Self::Register => "a register, r0 to r10 or w0 to w10",
            Self::RegisterOf(Width::W64) => "a register, r0 to r10",
            Self::RegisterOf(Width::W32) => "a register of 32 bits, w0 to w10",
            Self::Same(width, reg) => return write!(f, "the register {}", reg.name(width)),
            Self::Assignment => "`=`, `+=` or the like",
            Self::AtomicAssignment => "`+=`, `|=`, `&=` or `^=`",
            Self::Comparison => "a comparison, `==`, `s>` or the like",
            Self::Value => "a value",
            Self::Operand => "a register or a number",
            Self::Sign => "`+` or `-` and a number",
            Self::Number => "a number, decimal without leading zeros or hexadecimal after 0x",
            Self::Range { min, max } => return write!(f, "a number from {min} to {max}"),
            Self::Size => "u8, u16, u32 or u64",
            Self::LoadSize => "u8, u16, u32, u64, s8, s16 or s32",
            Self::SmallSize => "u8, u16 or u32",
            Self::AtomicSize(width) => width.size().name(),
            Self::AnyAtomicSize => "u32 or u64",
            Self::Cast(Width::W32) => "s8 or s16",
            Self::Cast(Width::W64) => "s8, s16 or s32",
            Self::Target => "where to go on, `+3`, `pc+3` or a label",
            Self::Callee => "what to call, a number, a name, `pc+3` or `kfunc[id:258]`",
            Self::MapKey => "fd, id or idx",
            Self::Bytes => "0x and the 16 digits of 8 bytes",
            Self::BoundLabel => "a label that stands somewhere in the text",
            Self::BoundLabelOrHelper => "a helper, or a label that stands somewhere in the text",
            Self::NewLabel { first } => {
                return write!(f, "a label of another name, this one having its place in line {first}");
            }
            Self::LabelOfInstruction => "a label that an instruction follows",
            Self::NearLabel { distance } => {
                return write!(
                    f,
                    "a label at most 32767 slots away (use gotol, or jump in two steps; it is {distance})"
                );
            }
            Self::One => "one instruction and no more",
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, expected, found, source } = self;
        write!(f, "{line}:{column}: expected {expected}, found ")?;
        match found.as_str() {
            "" => f.write_str("the end of the line")?,
            found => write!(f, "`{}`", found.escape_debug())?,
        }

        let margin = line.checked_ilog10().unwrap_or(0) as usize + 1;
        write!(f, "\n{:margin$} |\n{line} | ", "")?;
        let printable = |c: char| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
        source.trim_end().chars().try_for_each(|c| write!(f, "{}", printable(c)))?;
        write!(f, "\n{:margin$} | ", "")?;
        // Tabs are kept, so that the caret is aligned at any tab width.
        let before = source.chars().take(column.saturating_sub(1));
        before.map(|c| if c == '\t' { c } else { ' ' }).try_for_each(|c| write!(f, "{c}"))?;
        (0..found.chars().count().max(1)).try_for_each(|_| f.write_str("^"))
    }
}

impl core::error::Error for ParseError {}

/// An error during parsing, in a form that is cheap to return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) expected: Expected,
}

impl Fault {
    #[cold]
    pub(crate) fn new(at: usize, expected: Expected) -> Box<Self> {
        Box::new(Self { at, expected })
    }

    #[cold]
    pub(crate) fn of(self, text: &str) -> ParseError {
        let (before, after) = text.split_at_checked(self.at).unwrap_or((text, ""));
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(start..).unwrap_or_default();
        let rest = after.split('\n').next().unwrap_or_default();
        let found = found_len(rest);
        let mut source = String::with_capacity(in_line.len() + rest.len());
        source.push_str(in_line);
        source.push_str(rest);
        ParseError {
            line: line_of(before),
            column: in_line.chars().count() + 1,
            expected: self.expected,
            found: rest.get(..found).unwrap_or_default().into(),
            source,
        }
    }
}

/// The length of the next token: a word, a number with its sign, an operator, or a character.
fn found_len(rest: &str) -> usize {
    let word = |text: &str| text.bytes().take_while(|&byte| in_word(byte)).count();
    let operator = rest.bytes().take_while(|byte| b"+-*/|&<>^%=!".contains(byte)).count();
    match rest.get(..operator) {
        Some("+" | "-") => {
            let number = rest.get(1..).unwrap_or_default().trim_start_matches([' ', '\t', '\r']);
            let digits = number.starts_with(|c: char| c.is_ascii_digit());
            if digits { rest.len() - number.len() + word(number) } else { operator }
        }
        Some("") | None => match word(rest) {
            0 => rest.chars().next().map_or(0, char::len_utf8),
            len => len,
        },
        Some(_) => operator,
    }
}

/// The number of the line after this text.
pub(crate) fn line_of(before: &str) -> usize {
    before.bytes().filter(|&byte| byte == b'\n').count() + 1
}
