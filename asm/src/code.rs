//! A finished program.

use alloc::vec::Vec;
use core::panic::Location;

use crate::insn::Insn;
use crate::slot::Slot;
use crate::wire::Endian;

/// The instructions of a program, complete but for its [`Slot`]s.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    insns: Vec<Insn>,
    /// The line behind each 8-byte slot: a wide load's is here twice, so that a slot's number finds
    /// it.
    lines: Vec<&'static Location<'static>>,
}

impl Code {
    /// `lines` has one for each of `insns`.
    pub(crate) fn new(insns: Vec<Insn>, lines: Vec<&'static Location<'static>>) -> Self {
        let lines = insns
            .iter()
            .zip(lines)
            .flat_map(|(insn, line)| core::iter::repeat_n(line, insn.slots()))
            .collect();
        Self { insns, lines }
    }

    /// The instructions; a wide load is one. Holes are [`Wide::MapIdx`](crate::Wide::MapIdx) and
    /// [`Wide::MapIdxValue`](crate::Wide::MapIdxValue).
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// How many 8-byte slots the program has: `insn_cnt` of `bpf(2)`, to which a wide load counts
    /// twice.
    pub fn len_slots(&self) -> usize {
        self.lines.len()
    }

    /// The holes in order, each with the number of the 8-byte slot its wide load begins at.
    pub fn slots(&self) -> impl Iterator<Item = (usize, Slot)> + '_ {
        let mut next = 0;
        self.insns.iter().filter_map(move |insn| {
            let at = next;
            next += insn.slots();
            match insn {
                Insn::LoadWide { value, .. } => Slot::in_wide(*value).map(|slot| (at, slot)),
                _ => None,
            }
        })
    }

    /// The program's bytes, 8 for each slot, for a kernel of that byte order. `fd` is asked for the
    /// file descriptor of each hole's map, in order, and as often as there are holes.
    pub fn encode(&self, endian: Endian, mut fd: impl FnMut(Slot) -> i32) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.len() * 8);
        for &insn in &self.insns {
            let filled = match insn {
                Insn::LoadWide { dst, value } => {
                    let value = Slot::in_wide(value).map_or(value, |slot| slot.filled(fd(slot)));
                    Insn::LoadWide { dst, value }
                }
                other => other,
            };
            filled.encode(endian, &mut out);
        }
        out
    }

    /// The line of Rust that emitted the instruction at that 8-byte slot, which is how the verifier
    /// numbers instructions; `None` past the end.
    pub fn line_of(&self, slot: usize) -> Option<&'static Location<'static>> {
        self.lines.get(slot).copied()
    }
}
