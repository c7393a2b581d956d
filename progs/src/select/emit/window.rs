//! Which objects a walk shows, where it is told that by a map.

use kwalk_asm::{Label, Reloc, u64_at};

use super::{Emit, OBJECT};
use crate::Error;
use crate::program::{Map, MapKind};
use crate::select::window::{ADDRESS, BITS, ENDED, MASK, SIZE, SPREAD};
use crate::walk::Walk;

impl Emit<'_, '_> {
    /// Goes to `done` with objects that are not in the window, and gives the map that says which are.
    pub(crate) fn window(&mut self, done: Label) -> Result<u32, Error> {
        let index = self.walk.map(Map {
            name: "kwalk_window",
            kind: MapKind::Array,
            key_size: 4,
            value_size: SIZE as u32,
            max_entries: 1,
        });
        let (at, key, other) = (self.take()?, self.take()?, self.take()?);
        let asm = &mut self.walk.asm;
        asm.load_reloc(at, Reloc::MapValue { index, offset: 0 });
        // The verifier computes with no address, but takes what comes out of a map for a number.
        asm.store(u64_at(at + ADDRESS), OBJECT);
        asm.load(key, u64_at(at + ADDRESS));
        asm.load_imm64(other, SPREAD);
        asm.mul(key, other);
        asm.load(other, u64_at(at + BITS));
        asm.xor(key, other);
        asm.load(other, u64_at(at + MASK));
        asm.and(key, other);
        asm.jump_if(key.ne(0), done);
        for reg in [other, key, at] {
            self.give_back(reg);
        }
        Ok(index)
    }
}

/// Marks in the window's map that the walk has reached its end.
pub(crate) fn end(walk: &mut Walk<'_>, index: u32) {
    let asm = &mut walk.asm;
    asm.load_reloc(kwalk_asm::Reg::R1, Reloc::MapValue { index, offset: 0 });
    asm.store(u64_at(kwalk_asm::Reg::R1 + ENDED), 1);
}
