//! A finished program.

use alloc::vec::Vec;
use core::panic::Location;

use crate::insn::Insn;
use crate::label::Place;
use crate::reloc::{AnyReloc, CallReloc, Fill, MapRef, Reloc};
use crate::wide::Wide;
use crate::wire::Endian;

/// The instructions of a finished program, and its relocations: [`Reloc`]s and [`CallReloc`]s, whose values a
/// loader supplies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    pub(crate) insns: Vec<Insn>,
    /// The line behind each.
    pub(crate) lines: Vec<&'static Location<'static>>,
    /// The mark of each from the one of this number on, in order; of several the last counts.
    pub(crate) marks: Vec<(usize, Option<u32>)>,
    /// The slots that are the second half of a wide load, in order.
    pub(crate) halves: Vec<usize>,
    /// In order.
    pub(crate) relocs: Vec<(Place, AnyReloc)>,
}

impl Code {
    /// The instructions; a wide load is one. Relocations of maps are [`Wide::MapIdx`] and
    /// [`Wide::MapIdxValue`]; other relocations have an offset or a descriptor of -1.
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// How many 8-byte slots the program has: `insn_cnt` of `bpf(2)`, to which a wide load counts
    /// twice.
    pub fn len_slots(&self) -> usize {
        self.insns.len() + self.halves.len()
    }

    /// The relocations in wide loads in order, each with the number of the 8-byte slot its wide load
    /// begins at.
    pub fn relocs(&self) -> impl Iterator<Item = (usize, Reloc)> + '_ {
        self.relocs.iter().filter_map(|(place, reloc)| match *reloc {
            AnyReloc::Load(_, reloc) => Some((place.slot, reloc)),
            AnyReloc::Call(_) => None,
        })
    }

    /// The relocations in calls in order, each with the number of its 8-byte slot.
    pub fn call_relocs(&self) -> impl Iterator<Item = (usize, CallReloc)> + '_ {
        self.relocs.iter().filter_map(|(place, reloc)| match *reloc {
            AnyReloc::Load(..) => None,
            AnyReloc::Call(reloc) => Some((place.slot, reloc)),
        })
    }

    /// The 8-byte slots at which the program's functions begin, in order: 0, and where its local
    /// calls and the addresses of functions lead. The kernel's `func_info` wants them.
    pub fn functions(&self) -> Vec<usize> {
        let mut functions = Vec::from_iter((!self.insns.is_empty()).then_some(0));
        let mut relocs = self.relocs.iter().map(|(place, _)| place.insn).peekable();
        let mut slot = 0;
        for (i, insn) in self.insns.iter().enumerate() {
            let is_reloc = relocs.next_if_eq(&i).is_some();
            if let Insn::CallLocal { offset } | Insn::LoadWide { value: Wide::Func { offset }, .. } = *insn {
                let target = usize::try_from(slot as i64 + 1 + i64::from(offset));
                functions.extend(target.ok().filter(|_| !is_reloc));
            }
            slot += insn.slots();
        }
        functions.sort_unstable();
        functions.dedup();
        functions
    }

    /// The program's bytes, 8 for each slot, for a kernel of that byte order. `fd` is asked for the
    /// file descriptor of each [`Reloc::Map`] and [`Reloc::MapValue`], in order, and as often as there
    /// are such. A program with other relocations needs [`Code::encode_with`].
    pub fn encode(&self, endian: Endian, fd: impl FnMut(Reloc) -> i32) -> Vec<u8> {
        let mut fd = fd;
        self.bytes(endian, |slot, reloc| match reloc {
            AnyReloc::Load(_, map @ (Reloc::Map(_) | Reloc::MapValue { .. })) => {
                reloc.filled(slot, &mut Fd(fd(map)))
            }
            reloc => reloc.unfilled(),
        })
    }

    /// The program's bytes, 8 for each slot, for a kernel of that byte order, with every relocation
    /// filled.
    pub fn encode_with(&self, endian: Endian, fill: &mut impl Fill) -> Vec<u8> {
        self.bytes(endian, |slot, reloc| reloc.filled(slot, fill))
    }

    fn bytes(&self, endian: Endian, mut filled: impl FnMut(usize, AnyReloc) -> Insn) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len_slots() * 8);
        let mut done = 0;
        for &(place, reloc) in &self.relocs {
            Insn::encode_all(self.insns.get(done..place.insn).unwrap_or_default(), endian, &mut out);
            filled(place.slot, reloc).encode(endian, &mut out);
            done = place.insn + 1;
        }
        Insn::encode_all(self.insns.get(done..).unwrap_or_default(), endian, &mut out);
        out
    }

    /// The instruction at that 8-byte slot, which is how the verifier numbers instructions; `None`
    /// past the end.
    pub fn insn_at(&self, slot: usize) -> Option<Insn> {
        self.insns.get(self.number(slot)).copied()
    }

    /// The line of Rust that emitted the instruction at that 8-byte slot; `None` past the end.
    ///
    /// Of instructions that [`Assembler::finish`](crate::Assembler::finish) added to make a jump
    /// reach, it is the line of that jump.
    pub fn line_of(&self, slot: usize) -> Option<&'static Location<'static>> {
        self.lines.get(self.number(slot)).copied()
    }

    /// The mark that the instruction at that 8-byte slot was emitted with
    /// ([`Assembler::mark`](crate::Assembler::mark)), if it was with one.
    ///
    /// Of instructions that [`Assembler::finish`](crate::Assembler::finish) added to make a jump
    /// reach, it is the mark of what comes before them.
    pub fn mark_of(&self, slot: usize) -> Option<u32> {
        let number = self.number(slot);
        let marked = self.marks.partition_point(|(insn, _)| *insn <= number);
        self.insns.get(number).and_then(|_| self.marks.get(marked.checked_sub(1)?)?.1)
    }

    /// The number of the instruction at a slot.
    fn number(&self, slot: usize) -> usize {
        slot - self.halves.partition_point(|&half| half <= slot)
    }
}

/// One map.
struct Fd(i32);

impl Fill for Fd {
    fn map(&mut self, _: u32) -> MapRef {
        MapRef::Fd(self.0)
    }
}
