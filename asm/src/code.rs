//! A finished program.

use alloc::vec::Vec;
use core::panic::Location;

use crate::insn::Insn;
use crate::label::Place;
use crate::reloc::{AnyReloc, CallReloc, Fill, MapRef, Reloc};
use crate::wide::Wide;
use crate::wire::Endian;

/// The instructions of a finished program, with its relocations: [`Reloc`]s and [`CallReloc`]s,
/// whose values a loader supplies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    pub(crate) insns: Vec<Insn>,
    /// The line of Rust that emitted each instruction.
    pub(crate) lines: Vec<&'static Location<'static>>,
    /// Marks, in order: each is for the instructions from this index on. Of several for one index,
    /// the last counts.
    pub(crate) marks: Vec<(usize, Option<u32>)>,
    /// The slots that are the second half of a wide load, in order.
    pub(crate) halves: Vec<usize>,
    /// The relocations, in order.
    pub(crate) relocs: Vec<(Place, AnyReloc)>,
}

impl Code {
    /// The instructions; a wide load counts as one. Relocations of maps are [`Wide::MapIdx`] and
    /// [`Wide::MapIdxValue`]; others have the offset or descriptor -1.
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// The number of 8-byte slots: `insn_cnt` of `bpf(2)`. A wide load has two.
    pub fn len_slots(&self) -> usize {
        self.insns.len() + self.halves.len()
    }

    /// The relocations of wide loads, in order, each with the index of the wide load's first 8-byte
    /// slot.
    pub fn relocs(&self) -> impl Iterator<Item = (usize, Reloc)> + '_ {
        self.relocs.iter().filter_map(|(place, reloc)| match *reloc {
            AnyReloc::Load(_, reloc) => Some((place.slot, reloc)),
            AnyReloc::Call(_) => None,
        })
    }

    /// The relocations of calls, in order, each with the index of its 8-byte slot.
    pub fn call_relocs(&self) -> impl Iterator<Item = (usize, CallReloc)> + '_ {
        self.relocs.iter().filter_map(|(place, reloc)| match *reloc {
            AnyReloc::Load(..) => None,
            AnyReloc::Call(reloc) => Some((place.slot, reloc)),
        })
    }

    /// The 8-byte slots at which the program's functions begin, in order: 0, and the targets of
    /// local calls and of function addresses. The kernel's `func_info` requires them.
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

    /// Encodes the program for a kernel with this byte order, 8 bytes per slot. `fd` returns the
    /// file descriptor for each [`Reloc::Map`] and [`Reloc::MapValue`]; it is called in order, once
    /// for each. A program with other relocations requires [`Code::encode_with`].
    pub fn encode(&self, endian: Endian, fd: impl FnMut(Reloc) -> i32) -> Vec<u8> {
        let mut fd = fd;
        self.bytes(endian, |slot, reloc| match reloc {
            AnyReloc::Load(_, map @ (Reloc::Map(_) | Reloc::MapValue { .. })) => {
                reloc.filled(slot, &mut Fd(fd(map)))
            }
            reloc => reloc.unfilled(),
        })
    }

    /// Encodes the program for a kernel with this byte order, 8 bytes per slot, with every
    /// relocation filled in.
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

    /// The instruction at this 8-byte slot, as the verifier numbers instructions; `None` past the
    /// end.
    pub fn insn_at(&self, slot: usize) -> Option<Insn> {
        self.insns.get(self.number(slot)).copied()
    }

    /// The line of Rust that emitted the instruction at that 8-byte slot; `None` past the end.
    ///
    /// For instructions that [`Assembler::finish`](crate::Assembler::finish) inserted to extend a
    /// jump, it is the line of the jump.
    pub fn line_of(&self, slot: usize) -> Option<&'static Location<'static>> {
        self.lines.get(self.number(slot)).copied()
    }

    /// The mark of the instruction at this 8-byte slot
    /// ([`Assembler::mark`](crate::Assembler::mark)), if it has one.
    ///
    /// For instructions that [`Assembler::finish`](crate::Assembler::finish) inserted to extend a
    /// jump, it is the mark of the instruction before them.
    pub fn mark_of(&self, slot: usize) -> Option<u32> {
        let number = self.number(slot);
        let marked = self.marks.partition_point(|(insn, _)| *insn <= number);
        self.insns.get(number).and_then(|_| self.marks.get(marked.checked_sub(1)?)?.1)
    }

    /// The index of the instruction at a slot.
    fn number(&self, slot: usize) -> usize {
        slot - self.halves.partition_point(|&half| half <= slot)
    }
}

/// A loader that has one map.
struct Fd(i32);

impl Fill for Fd {
    fn map(&mut self, _: u32) -> MapRef {
        MapRef::Fd(self.0)
    }
}
