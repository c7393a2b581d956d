//! A finished program.

use alloc::vec::Vec;
use core::panic::Location;

use crate::insn::Insn;
use crate::label::Place;
use crate::slot::{CallSlot, Fill, Hole, MapRef, Slot};
use crate::wide::Wide;
use crate::wire::Endian;

/// The instructions of a program, complete but for its holes: [`Slot`]s and [`CallSlot`]s.
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
    pub(crate) holes: Vec<(Place, Hole)>,
}

impl Code {
    /// The instructions; a wide load is one. Maps that are holes are [`Wide::MapIdx`] and
    /// [`Wide::MapIdxValue`]; other holes have an offset or a descriptor of -1.
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// How many 8-byte slots the program has: `insn_cnt` of `bpf(2)`, to which a wide load counts
    /// twice.
    pub fn len_slots(&self) -> usize {
        self.insns.len() + self.halves.len()
    }

    /// The holes in wide loads in order, each with the number of the 8-byte slot its wide load
    /// begins at.
    pub fn slots(&self) -> impl Iterator<Item = (usize, Slot)> + '_ {
        self.holes.iter().filter_map(|(place, hole)| match *hole {
            Hole::Load(_, slot) => Some((place.slot, slot)),
            Hole::Call(_) => None,
        })
    }

    /// The holes in calls in order, each with the number of its 8-byte slot.
    pub fn call_slots(&self) -> impl Iterator<Item = (usize, CallSlot)> + '_ {
        self.holes.iter().filter_map(|(place, hole)| match *hole {
            Hole::Load(..) => None,
            Hole::Call(slot) => Some((place.slot, slot)),
        })
    }

    /// The 8-byte slots at which the program's functions begin, in order: 0, and where its local
    /// calls and the addresses of functions lead. The kernel's `func_info` wants them.
    pub fn functions(&self) -> Vec<usize> {
        let mut functions = Vec::from_iter((!self.insns.is_empty()).then_some(0));
        let mut holes = self.holes.iter().map(|(place, _)| place.insn).peekable();
        let mut slot = 0;
        for (i, insn) in self.insns.iter().enumerate() {
            let is_hole = holes.next_if_eq(&i).is_some();
            if let Insn::CallLocal { offset } | Insn::LoadWide { value: Wide::Func { offset }, .. } = *insn {
                let target = usize::try_from(slot as i64 + 1 + i64::from(offset));
                functions.extend(target.ok().filter(|_| !is_hole));
            }
            slot += insn.slots();
        }
        functions.sort_unstable();
        functions.dedup();
        functions
    }

    /// The program's bytes, 8 for each slot, for a kernel of that byte order. `fd` is asked for the
    /// file descriptor of each [`Slot::Map`] and [`Slot::MapValue`], in order, and as often as there
    /// are such. A program with other holes needs [`Code::encode_with`].
    pub fn encode(&self, endian: Endian, fd: impl FnMut(Slot) -> i32) -> Vec<u8> {
        let mut fd = fd;
        self.bytes(endian, |slot, hole| match hole {
            Hole::Load(_, map @ (Slot::Map(_) | Slot::MapValue { .. })) => {
                hole.filled(slot, &mut Fd(fd(map)))
            }
            hole => hole.unfilled(),
        })
    }

    /// The program's bytes, 8 for each slot, for a kernel of that byte order, with every hole
    /// filled.
    pub fn encode_with(&self, endian: Endian, fill: &mut impl Fill) -> Vec<u8> {
        self.bytes(endian, |slot, hole| hole.filled(slot, fill))
    }

    fn bytes(&self, endian: Endian, mut filled: impl FnMut(usize, Hole) -> Insn) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len_slots() * 8);
        let mut done = 0;
        for &(place, hole) in &self.holes {
            Insn::encode_all(self.insns.get(done..place.insn).unwrap_or_default(), endian, &mut out);
            filled(place.slot, hole).encode(endian, &mut out);
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
