//! Emits the choice of one of the rows that an object has.

use kwalk_asm::Reg::*;
use kwalk_asm::{Label, Reloc, u64_at};
use kwalk_progs::Map;

use super::Emit;
use crate::error::Error;
use crate::nth::{MORE, NthRow};
use crate::place::Place;

impl Emit<'_, '_> {
    /// Reads from a map which row of each object is shown. Goes to `done` for an object that has none of this number;
    /// there are `count`, or one if that is NULL.
    pub(crate) fn nth_row(&mut self, count: &Place, done: Label) -> Result<(), Error> {
        let index = self.builder.map(Map::value("kwalk_row", NthRow::SIZE as u32));
        let row = self.builder.stack_slot();
        let labels = [(); 3].map(|()| self.builder.asm.label());
        let [one, several, last] = labels;
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index, offset: 0 });
        asm.load(R2, u64_at(R1));
        asm.store(u64_at(row.address()), R2);
        self.field(R1, count, one);
        self.builder.asm.jump(several);
        self.builder.asm.bind(one);
        self.builder.asm.mov(R1, 1);
        let asm = &mut self.builder.asm;
        asm.bind(several);
        asm.load(R2, u64_at(row.address()));
        asm.jump_if(R2.ge(R1), done);
        asm.add(R2, 1);
        asm.jump_if(R2.ge(R1), last);
        asm.load_reloc(R1, Reloc::MapValue { index, offset: 0 });
        asm.store(u64_at(R1 + MORE), 1);
        asm.bind(last);
        self.row = Some(row);
        Ok(())
    }
}
