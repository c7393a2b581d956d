//! Builds a program: instructions, labels, and how jumps are resolved at the end.

use alloc::vec::Vec;
use core::panic::Location;

use crate::code::Code;
use crate::error::{AsmError, AsmErrorKind};
use crate::insn::Insn;
use crate::label::{Label, Labels, Place};
use crate::operand::Address;
use crate::relax::{self, Jump, Tied};
use crate::reloc::AnyReloc;

/// The instruction set of the kernel for which a program is finished: newer instructions that
/// [`Assembler::finish_for`] may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Isa {
    /// Whether the kernel has `gotol`. Since Linux 6.6.
    pub gotol: bool,
}

impl Isa {
    /// All instructions.
    pub const NEWEST: Self = Self { gotol: true };

    /// The instruction set of this version of the kernel.
    pub const fn linux(major: u16, minor: u16) -> Self {
        Self { gotol: major > 6 || major == 6 && minor >= 6 }
    }
}

/// Emits instructions, one per method call, and returns the finished [`Code`].
///
/// The methods don't fail: an error is stored with the line of the call, and [`Assembler::finish`]
/// returns it. A function that emits for its caller can be `#[track_caller]` to give the caller's
/// line.
#[derive(Debug)]
pub struct Assembler {
    insns: Vec<Insn>,
    /// The line of Rust that emitted each instruction.
    lines: Vec<&'static Location<'static>>,
    /// Marks: each is for the instructions from this index on.
    marks: Vec<(usize, Option<u32>)>,
    /// The slots that are the second half of a wide load.
    halves: Vec<usize>,
    labels: Labels,
    /// The jumps to resolve, in order. Their offset is 0 until `finish`.
    jumps: Vec<(Place, Label)>,
    /// The instructions with relocations, in order.
    relocs: Vec<(Place, AnyReloc)>,
    /// The first error.
    error: Option<AsmError>,
}

/// The number of instructions for which memory is allocated at the start: most programs have fewer.
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

    /// Creates a label. It must be bound once, and be used only with this assembler.
    #[track_caller]
    pub fn label(&mut self) -> Label {
        self.labels.make(Location::caller())
    }

    /// Binds the label to the next instruction: jumps to it go there.
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

    /// Marks the instructions emitted from here on with a number of the caller's choice, or with
    /// none, to tell where they come from if the line of Rust is not enough ([`Code::mark_of`]).
    /// Returns the previous mark.
    pub fn mark(&mut self, mark: Option<u32>) -> Option<u32> {
        let before = self.marks.last().and_then(|(_, mark)| *mark);
        if mark != before {
            self.marks.push((self.insns.len(), mark));
        }
        before
    }

    /// Emits an instruction unchanged. If it names a map by index, that is a relocation, as in
    /// [`Assembler::load_reloc`]. The offset of a jump counts the slots as emitted: if
    /// [`Assembler::finish`] inserts slots in between, it is adjusted.
    #[track_caller]
    pub fn emit(&mut self, insn: Insn) {
        if let Some(reloc) = AnyReloc::of(insn) {
            self.relocs.push((self.here(), reloc));
        }
        self.push(insn);
    }

    /// The number of 8-byte slots emitted so far.
    pub fn len_slots(&self) -> usize {
        self.here().slot
    }

    /// Resolves the jumps, for the newest kernels: [`Assembler::finish_for`] with [`Isa::NEWEST`].
    ///
    /// # Errors
    ///
    /// As [`Assembler::finish_for`].
    pub fn finish(self) -> Result<Code, AsmError> {
        self.finish_for(Isa::NEWEST)
    }

    /// Resolves the jumps. Those whose distance does not fit 16 bits are extended, with
    /// instructions that the instruction set has; others are unchanged.
    ///
    /// # Errors
    ///
    /// See [`AsmErrorKind`]. The first error of the emitting methods is returned; else that of the
    /// first label that was never bound; else that of a jump that can't be resolved.
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

    /// The position of the next instruction.
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

    /// The offset as the instruction encodes it. If it does not fit, the error is stored for
    /// `finish`, and the offset is 0.
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
