//! A program as text.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::decode::{DecodeError, DecodeReason};
use crate::display::{LABEL, Style};
use crate::helper::HelperId;
use crate::insn::Insn;
use crate::line::{Dec, Line, Piece};
use crate::program::Decoded;
use crate::shape::Shape;
use crate::wide::Wide;
use crate::wire::{Endian, Raw};

/// A program as text, one instruction a line, through [`Display`](fmt::Display).
///
/// What it prints, [`parse`](crate::parse) reads, and gets the same instructions.
///
/// ```
/// use kwalk_asm::{Listing, Named, parse};
///
/// let program = parse("if r1 == 0 goto end \n r2 = 7 ll \n call seq_write \n end: exit")?;
/// assert_eq!(Listing::new(&program).to_string(), "\
/// if r1 == 0x0 goto +0x3
/// r2 = 0x7 ll
/// call 0x7f
/// exit
/// ");
///
/// let names = |named: Named| match named {
///     Named::Helper(id) => id.known().map(|helper| helper.name()),
///     _ => None,
/// };
/// assert_eq!(Listing::new(&program).slots().labels().names(&names).to_string(), "   0: if r1 == 0x0 goto L4
///    1: r2 = 0x7 ll
///    3: call bpf_seq_write#127
/// L4:
///    4: exit
/// ");
/// # Ok::<(), kwalk_asm::ParseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Listing<'a, T = Decoded> {
    program: &'a [T],
    slots: bool,
    labels: bool,
    map_ids: bool,
    names: Option<&'a Names<'a>>,
}

type Names<'a> = dyn Fn(Named) -> Option<&'a str> + 'a;

/// What an instruction has the number of, and a reader would know by its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Named {
    /// The helper function that is called.
    Helper(HelperId),
    /// The function of the kernel that is called.
    Kfunc {
        /// See [`Insn::CallKfunc`].
        btf_id: u32,
        /// See [`Insn::CallKfunc`].
        btf_fd_offset: i16,
    },
    /// A map, by its descriptor or, in a program that the kernel gives back, by its id.
    Map(i32),
    /// A map, by its index.
    MapIdx(u32),
    /// A variable or a function of the kernel.
    Btf {
        /// See [`Wide::BtfId`].
        btf_id: u32,
        /// See [`Wide::BtfId`].
        btf_fd: i32,
    },
}

impl Named {
    fn by(insn: &Insn) -> Option<Self> {
        Some(match *insn {
            Insn::CallHelper { helper } => Self::Helper(helper),
            Insn::CallKfunc { btf_id, btf_fd_offset } => Self::Kfunc { btf_id, btf_fd_offset },
            Insn::LoadWide { value, .. } => match value {
                Wide::MapFd(fd) | Wide::MapFdValue { fd, .. } => Self::Map(fd),
                Wide::MapIdx(index) | Wide::MapIdxValue { index, .. } => Self::MapIdx(index),
                Wide::BtfId { btf_id, btf_fd } => Self::Btf { btf_id, btf_fd },
                Wide::Imm(_) | Wide::Func { .. } => return None,
            },
            _ => return None,
        })
    }
}

impl<'a, T> Listing<'a, T> {
    /// The instructions and nothing else.
    pub fn new(program: &'a [T]) -> Self {
        Self { program, slots: false, labels: false, map_ids: false, names: None }
    }

    /// Each instruction after the number of its slot, as the verifier numbers them.
    #[must_use]
    pub fn slots(self) -> Self {
        Self { slots: true, ..self }
    }

    /// Labels for jumps, local calls and addresses of functions, in place of distances, where
    /// they lead to an instruction: `L4` is slot 4.
    #[must_use]
    pub fn labels(self) -> Self {
        Self { labels: true, ..self }
    }

    /// Maps as `map[id:5]`, not `map[fd:5]`: the kernel puts the id in place of the descriptor in
    /// what it gives back.
    #[must_use]
    pub fn map_ids(self) -> Self {
        Self { map_ids: true, ..self }
    }

    /// Names, for what has one: a helper's as the kernel writes it, `call bpf_seq_write#127`, if
    /// it is the helper's in [`Helper`](crate::Helper); any other in a comment after the instruction.
    #[must_use]
    pub fn names(self, names: &'a Names<'a>) -> Self {
        Self { names: Some(names), ..self }
    }
}

impl<T> fmt::Debug for Listing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("instructions", &self.program.len()).finish_non_exhaustive()
    }
}

impl<T: Copy + Into<Decoded>> fmt::Display for Listing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = if self.labels { self.marks() } else { Vec::new() };
        // Many lines are written at once: a call through the formatter costs as much as a line.
        let mut bytes = [0; PAGE];
        let mut page = Line::new(&mut bytes);
        let mut at = 0;
        for &one in self.program {
            let decoded = one.into();
            if marks.get(at) == Some(&Mark::Target) {
                LABEL.put(&mut page);
                Dec(at as i64).put(&mut page);
                ":\n".put(&mut page);
            }
            if self.slots {
                let blanks = 3usize.saturating_sub(at.checked_ilog10().unwrap_or(0) as usize);
                (0..blanks).for_each(|_| " ".put(&mut page));
                Dec(at as i64).put(&mut page);
                ": ".put(&mut page);
            }
            let comment = match &decoded {
                Decoded::Insn(insn) => self.insn(insn, at, &marks, &mut page),
                Decoded::Raw(_) => {
                    page.decoded(&decoded, &Style::PLAIN);
                    None
                }
            };
            if let Some(name) = comment {
                f.write_str(page.text())?;
                page.clear();
                write_comment(name, f)?;
            }
            "\n".put(&mut page);
            if page.is_full() {
                f.write_str(page.text())?;
                page.clear();
            }
            at += decoded.slots();
        }
        f.write_str(page.text())
    }
}

const PAGE: usize = 4096;

/// The text of `bytes`, one instruction a line: what a [`Listing`] prints of [`Decoded::all`], without that in between.
///
/// ```
/// use kwalk_asm::{Endian, disassemble};
///
/// let bytes = [0xb7, 0, 0, 0, 7, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
/// assert_eq!(disassemble(&bytes, Endian::Little)?, "r0 = 0x7\nexit\n");
/// # Ok::<(), kwalk_asm::DecodeError>(())
/// ```
///
/// # Errors
///
/// [`DecodeReason::Truncated`](crate::DecodeReason::Truncated) only: if `bytes` aren't a multiple of 8.
pub fn disassemble(bytes: &[u8], endian: Endian) -> Result<String, DecodeError> {
    // Few instructions have more text than this.
    let mut text = String::with_capacity(bytes.len() * 4);
    let mut buffer = [0; PAGE];
    let mut page = Line::new(&mut buffer);
    let mut rest = bytes;
    while let Some((slot, next)) = rest.split_first_chunk() {
        let number = Raw::slot(*slot, endian);
        rest = match Shape::of(number) {
            Some(shape) => {
                page.shape(shape, Raw::from_slot(number), &Style::PLAIN);
                next
            }
            None => {
                let (decoded, len) = Decoded::first(slot, rest, endian);
                page.decoded(&decoded, &Style::PLAIN);
                rest.get(len..).unwrap_or_default()
            }
        };
        "\n".put(&mut page);
        if page.is_full() {
            text.push_str(page.text());
            page.clear();
        }
    }
    text.push_str(page.text());
    if rest.is_empty() {
        return Ok(text);
    }
    Err(DecodeError { offset: bytes.len() - rest.len(), reason: DecodeReason::Truncated })
}

/// What a slot is to a jump.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Start,
    Target,
    SecondHalf,
}

impl<'a, T: Copy + Into<Decoded>> Listing<'a, T> {
    /// The name is what is still to be said, in a comment.
    #[inline]
    fn insn(&self, insn: &Insn, at: usize, marks: &[Mark], page: &mut Line<'_>) -> Option<&'a str> {
        let mut style = Style { map_ids: self.map_ids, ..Style::PLAIN };
        if !marks.is_empty() {
            style.label = target(insn, at).filter(|&slot| marks.get(slot) == Some(&Mark::Target));
        }
        let mut comment = None;
        if let Some(names) = self.names {
            let named = Named::by(insn);
            comment = named.and_then(names);
            if let Some(Named::Helper(id)) = named {
                style.helper = id.known().map(|helper| helper.name()).filter(|&name| comment == Some(name));
            }
        }
        page.insn(insn, &style);
        comment.filter(|_| style.helper.is_none())
    }

    fn marks(&self) -> Vec<Mark> {
        let slots = self.program.iter().map(|&one| one.into().slots()).sum();
        let mut marks = vec![Mark::Start; slots];
        let mut at = 0;
        for &one in self.program {
            let slots = one.into().slots();
            if let (2, Some(half)) = (slots, marks.get_mut(at + 1)) {
                *half = Mark::SecondHalf;
            }
            at += slots;
        }
        let mut at = 0;
        for &one in self.program {
            let decoded = one.into();
            if let Decoded::Insn(insn) = &decoded {
                if let Some(mark @ Mark::Start) = target(insn, at).and_then(|slot| marks.get_mut(slot)) {
                    *mark = Mark::Target;
                }
            }
            at += decoded.slots();
        }
        marks
    }
}

fn write_comment(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(" # ")?;
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    name.chars().map(printable).try_for_each(|c| f.write_char(c))
}

/// The slot that the instruction, at that slot, leads to.
fn target(insn: &Insn, at: usize) -> Option<usize> {
    let distance = isize::try_from(insn.relative()?).ok()?;
    (at + 1).checked_add_signed(distance)
}
