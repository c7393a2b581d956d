//! Building a program: labels, lines, and what becomes of them at the end.

use alloc::vec::Vec;
use core::panic::Location;

use crate::code::Code;
use crate::error::{AsmError, AsmErrorKind};
use crate::insn::Insn;
use crate::label::{Label, Labels, Place};
use crate::operand::Address;
use crate::relax::{self, Jump, Tied};
use crate::reloc::AnyReloc;

/// The instruction set of the kernel that a program is finished for: what of it is newer than the oldest
/// kernel supported and [`Assembler::finish_for`] may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Isa {
    /// Whether it has `gotol`. Since Linux 6.6.
    pub gotol: bool,
}

impl Isa {
    /// All instructions.
    pub const NEWEST: Self = Self { gotol: true };

    /// The instructions of the kernel of that version.
    pub const fn linux(major: u16, minor: u16) -> Self {
        Self { gotol: major > 6 || major == 6 && minor >= 6 }
    }
}

/// Takes instructions, one method call each, and gives the finished [`Code`].
///
/// The methods don't fail: what is wrong is remembered with the line of the call, and
/// [`Assembler::finish`] returns it. A function that emits on behalf of its caller can pass its
/// caller's line on by being `#[track_caller]` itself.
#[derive(Debug)]
pub struct Assembler {
    insns: Vec<Insn>,
    /// The line that emitted each.
    lines: Vec<&'static Location<'static>>,
    /// The mark of each from this one on.
    marks: Vec<(usize, Option<u32>)>,
    /// The slots that are the second half of a wide load.
    halves: Vec<usize>,
    labels: Labels,
    /// The instructions whose offset is 0 until `finish` ties them to their labels, in order.
    jumps: Vec<(Place, Label)>,
    /// The instructions that a loader completes, in order.
    relocs: Vec<(Place, AnyReloc)>,
    /// The first thing that went wrong.
    error: Option<AsmError>,
}

/// As many instructions as most programs have: room for them is taken at once.
const USUAL: usize = 64;

impl Default for Assembler {
    fn default() -> Self {
        Self::new()
    }
}

impl Assembler {
    /// An assembler without instructions.
    pub fn new() -> Self {
        Self {
            insns: Vec::with_capacity(USUAL),
            lines: Vec::with_capacity(USUAL),
            marks: Vec::new(),
            halves: Vec::new(),
            labels: Labels::new(),
            jumps: Vec::new(),
            relocs: Vec::new(),
            error: None,
        }
    }

    /// Makes a label. It must be bound once, and only labels that this assembler made can be used
    /// with it.
    #[track_caller]
    pub fn label(&mut self) -> Label {
        self.labels.make(Location::caller())
    }

    /// Puts the label here: jumps to it go on with the instruction emitted next.
    #[track_caller]
    pub fn bind(&mut self, label: Label) {
        let line = Location::caller();
        let here = self.here();
        match self.labels.get_mut(label) {
            None => self.fail(AsmErrorKind::ForeignLabel),
            Some(mark) => match mark.bound {
                None => mark.bound = Some((here, line)),
                Some((_, first)) => self.fail(AsmErrorKind::LabelBoundTwice { first }),
            },
        }
    }

    /// Marks what is emitted from here on with a number of the caller's own, or with none: it tells
    /// where an instruction comes from, where its line of Rust does not say enough
    /// ([`Code::mark_of`]). Gives the mark so far.
    pub fn mark(&mut self, mark: Option<u32>) -> Option<u32> {
        let before = self.marks.last().and_then(|(_, mark)| *mark);
        if mark != before {
            self.marks.push((self.insns.len(), mark));
        }
        before
    }

    /// Emits an instruction as it is. A map that it names by index is a relocation, as in
    /// [`Assembler::load_reloc`]. An offset of a jump counts the slots that were emitted: if
    /// [`Assembler::finish`] has to add some in between to make other jumps reach, it grows.
    #[track_caller]
    pub fn emit(&mut self, insn: Insn) {
        if let Some(reloc) = AnyReloc::of(insn) {
            self.relocs.push((self.here(), reloc));
        }
        self.push(insn);
    }

    /// How many 8-byte slots the instructions so far have.
    pub fn len_slots(&self) -> usize {
        self.here().slot
    }

    /// Ties jumps to their labels, for the newest kernels: [`Assembler::finish_for`] with
    /// [`Isa::NEWEST`].
    ///
    /// # Errors
    ///
    /// As [`Assembler::finish_for`].
    pub fn finish(self) -> Result<Code, AsmError> {
        self.finish_for(Isa::NEWEST)
    }

    /// Ties jumps to their labels. Those that 16 bits are too few for are made to reach, with what
    /// instructions the isa has for it; other jumps stay as they are.
    ///
    /// # Errors
    ///
    /// [`AsmErrorKind`] lists them. The first one met while emitting is returned; if none was, then
    /// that of the first label never bound; if all are, then that of a jump that can't be tied.
    pub fn finish_for(self, isa: Isa) -> Result<Code, AsmError> {
        let Self { insns, lines, mut marks, mut halves, labels, jumps, mut relocs, error } = self;
        if let Some(error) = error {
            return Err(error);
        }
        if let Some(mark) = labels.iter().find(|mark| mark.bound.is_none()) {
            return Err(AsmError { line: mark.made, kind: AsmErrorKind::LabelNeverBound });
        }
        let jumps = jumps.into_iter().map(|(jump, label)| {
            let target = labels.get(label).and_then(|mark| mark.bound).map(|(place, _)| place);
            let target = target.filter(|place| place.insn < insns.len());
            let error = AsmError { line: lines[jump.insn], kind: AsmErrorKind::NothingAfterLabel };
            Ok(Jump { from: jump, to: target.ok_or(error)? })
        });
        let jumps: Vec<_> = jumps.collect::<Result<_, _>>()?;
        let is_reloc = |insn| relocs.binary_search_by_key(&insn, |(reloc, _)| reloc.insn).is_ok();
        let Tied { insns, lines, moved } = relax::tie(insns, lines, &jumps, isa.gotol, is_reloc)?;
        if let Some(moved) = moved {
            relocs.iter_mut().for_each(|(reloc, _)| *reloc = moved[reloc.insn]);
            marks.retain(|(insn, _)| *insn < moved.len());
            marks.iter_mut().for_each(|(insn, _)| *insn = moved[*insn].insn);
            halves.clear();
            let mut slot = 0;
            for insn in &insns {
                slot += insn.slots();
                halves.extend((insn.slots() == 2).then_some(slot - 1));
            }
        }
        Ok(Code { insns, lines, marks, halves, relocs })
    }

    /// The place of what is emitted next.
    fn here(&self) -> Place {
        Place { insn: self.insns.len(), slot: self.insns.len() + self.halves.len() }
    }

    #[track_caller]
    pub(crate) fn emit_jump(&mut self, insn: Insn, target: Label) {
        if self.labels.get(target).is_some() {
            self.jumps.push((self.here(), target));
        } else {
            self.fail(AsmErrorKind::ForeignLabel);
        }
        self.push(insn);
    }

    #[track_caller]
    pub(crate) fn emit_reloc(&mut self, reloc: AnyReloc) {
        self.relocs.push((self.here(), reloc));
        self.push(reloc.unfilled());
    }

    #[track_caller]
    fn push(&mut self, insn: Insn) {
        if insn.slots() == 2 {
            self.halves.push(self.here().slot + 1);
        }
        self.insns.push(insn);
        self.lines.push(Location::caller());
    }

    /// The offset as the instruction has it; 0 if it doesn't fit, for the error to be found by `finish`.
    #[track_caller]
    pub(crate) fn offset<T: TryFrom<i64> + Default>(&mut self, address: Address) -> T {
        let Address { base, offset } = address;
        match T::try_from(offset) {
            Ok(offset) => offset,
            Err(_) => {
                let bits = 8 * size_of::<T>();
                self.fail(AsmErrorKind::OffsetTooLarge { base, offset, bits });
                T::default()
            }
        }
    }

    #[track_caller]
    pub(crate) fn fail(&mut self, kind: AsmErrorKind) {
        let line = Location::caller();
        self.error.get_or_insert(AsmError { line, kind });
    }
}
