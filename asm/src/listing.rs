//! Displays a program as text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::decode::{DecodeError, DecodeReason};
use crate::helper::HelperId;
use crate::insn::Insn;
use crate::print::{Label, Printer, put};
use crate::program::Decoded;
use crate::wide::Wide;
use crate::wire::Endian;

/// Displays a program as text, one instruction per line.
///
/// [`parse`](crate::parse) reads the text as the same instructions.
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

/// A number in an instruction that could be shown as a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Named {
    /// The helper that is called.
    Helper(HelperId),
    /// The kfunc that is called.
    Kfunc {
        /// See [`Insn::CallKfunc`].
        btf_id: u32,
        /// See [`Insn::CallKfunc`].
        btf_fd_offset: i16,
    },
    /// A map, by its file descriptor; or by its id in a program that the kernel returned.
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
    /// Lists only the instructions.
    pub fn new(program: &'a [T]) -> Self {
        Self { program, slots: false, labels: false, map_ids: false, names: None }
    }

    /// Adds the slot number before each instruction, as the verifier numbers them.
    #[must_use]
    pub fn slots(self) -> Self {
        Self { slots: true, ..self }
    }

    /// Shows labels instead of distances for jumps, local calls and addresses of functions, if they
    /// lead to an instruction: `L4` is slot 4.
    #[must_use]
    pub fn labels(self) -> Self {
        Self { labels: true, ..self }
    }

    /// Shows maps as `map[id:5]`, not `map[fd:5]`: in programs that the kernel returns, it has
    /// replaced the descriptor by the id.
    #[must_use]
    pub fn map_ids(self) -> Self {
        Self { map_ids: true, ..self }
    }

    /// Adds names. A helper's name is shown as by the kernel, `call bpf_seq_write#127`, if it is
    /// the name in [`Helper`](crate::Helper); any other is shown in a comment after the
    /// instruction.
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
        let labels = if self.labels { self.label_slots() } else { Vec::new() };
        let is_label = |slot: usize| labels.binary_search(&slot).is_ok();
        let mut line = String::new();
        let mut slot = 0;
        for &one in self.program {
            let decoded = one.into();
            line.clear();
            if is_label(slot) {
                put!(&mut line; Label(slot), ":\n");
            }
            if self.slots {
                write!(line, "{slot:4}: ")?;
            }
            let mut printer = Printer { map_ids: self.map_ids, ..Printer::PLAIN };
            let mut comment = None;
            if let Decoded::Insn(insn) = &decoded {
                printer.label = target(insn, slot).filter(|&slot| is_label(slot));
                let named = self.names.and_then(|names| Some((Named::by(insn)?, names)));
                comment = named.and_then(|(named, names)| names(named));
                if let Some((Named::Helper(id), _)) = named {
                    printer.helper =
                        id.known().map(|helper| helper.name()).filter(|&name| comment == Some(name));
                }
            }
            printer.decoded(&decoded, &mut line);
            if let Some(name) = comment.filter(|_| printer.helper.is_none()) {
                line.push_str(" # ");
                line.extend(
                    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }),
                );
            }
            line.push('\n');
            f.write_str(&line)?;
            slot += decoded.slots();
        }
        Ok(())
    }
}

impl<T: Copy + Into<Decoded>> Listing<'_, T> {
    /// The slots that get a label, in order: the start of an instruction to which another one
    /// leads.
    fn label_slots(&self) -> Vec<usize> {
        let (mut starts, mut targets) = (Vec::with_capacity(self.program.len()), Vec::new());
        let mut slot = 0;
        for &one in self.program {
            let decoded = one.into();
            if let Decoded::Insn(insn) = &decoded {
                targets.extend(target(insn, slot));
            }
            starts.push(slot);
            slot += decoded.slots();
        }
        targets.retain(|target| starts.binary_search(target).is_ok());
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// The slot to which the instruction at this slot leads.
fn target(insn: &Insn, slot: usize) -> Option<usize> {
    let distance = isize::try_from(insn.relative()?).ok()?;
    (slot + 1).checked_add_signed(distance)
}

/// Disassembles `bytes`, one instruction per line, as a [`Listing`] of [`Decoded::all`] shows them.
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
/// [`DecodeReason::Truncated`](crate::DecodeReason::Truncated) if the length of `bytes` is not a
/// multiple of 8; no other.
pub fn disassemble(bytes: &[u8], endian: Endian) -> Result<String, DecodeError> {
    // Few instructions have a longer text.
    let mut text = String::with_capacity(bytes.len() * 4);
    let mut rest = bytes;
    while let Some(slot) = rest.first_chunk() {
        let (decoded, len) = Decoded::first(slot, rest, endian);
        Printer::PLAIN.decoded(&decoded, &mut text);
        text.push('\n');
        rest = rest.get(len..).unwrap_or_default();
    }
    if rest.is_empty() {
        return Ok(text);
    }
    Err(DecodeError { offset: bytes.len() - rest.len(), reason: DecodeReason::Truncated })
}
