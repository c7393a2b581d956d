//! Emits the test whether an object is in the partition that a map describes.

use kwalk_asm::{Label, Reloc, u64_at};
use kwalk_progs::{Builder, Map};

use super::{Emit, OBJECT};
use crate::error::Error;
use crate::partition::{ADDRESS, BITS, ENDED, MASK, SIZE, SPREAD};

impl Emit<'_, '_> {
    /// Parts objects by their addresses, or by those in an argument of the context.
    ///
    /// Goes to `done` for objects that are not in the partition, and for all after the end. Returns the number of the map that describes it.
    pub(crate) fn partition(&mut self, argument: Option<&str>, done: Label) -> Result<u32, Error> {
        let index = self.builder.map(Map::value("kwalk_partition", SIZE as u32));
        let (at, key, other) = (self.take()?, self.take()?, self.take()?);
        let object = match argument {
            Some(argument) => {
                let _pointer = self.builder.argument(key, argument)?;
                key
            }
            None => OBJECT,
        };
        let asm = &mut self.builder.asm;
        asm.load_reloc(at, Reloc::MapValue { index, offset: 0 });
        asm.store(u64_at(at + ADDRESS), object);
        // A read after the end starts the walk again, at a place where objects may be by now that were shown before.
        asm.load(other, u64_at(at + ENDED));
        asm.jump_if(other.ne(0), done);
        // The verifier allows no arithmetic on pointers, but a value loaded from a map is a number to it.
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

/// Sets the flag in the partition's map that says that the walk has reached its end.
pub(crate) fn end(walk: &mut Builder<'_>, index: u32) {
    let asm = &mut walk.asm;
    asm.load_reloc(kwalk_asm::Reg::R1, Reloc::MapValue { index, offset: 0 });
    asm.store(u64_at(kwalk_asm::Reg::R1 + ENDED), 1);
}
