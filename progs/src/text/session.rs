//! Per-reader state: two readers of one pinned program each get totals of their own.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Helper, Label, Reloc, u64_at};

use super::options::Options;
use crate::builder::Builder;
use crate::error::Error;
use crate::operand::{StackSlot, Value};
use crate::program::{Map, MapKind};

/// A map with memory for each session. Its first 8 bytes are a count.
pub(super) struct Sessions {
    map: u32,
    key: StackSlot,
    zeros: Zeros,
}

/// The source of zeros for a new session's memory.
enum Zeros {
    /// On the stack, if they fit.
    Stack(StackSlot),
    /// The only value of an array that nobody writes to.
    Map(u32),
}

impl Sessions {
    /// Creates the map, with `size` bytes for each session and room for [`Options::readers`].
    pub(super) fn new(w: &mut Builder<'_>, options: &Options, size: u32) -> Sessions {
        let map = w.map(Map {
            max_entries: options.readers.max(1),
            ..Map::new("sessions", MapKind::LruHash, 8, size)
        });
        let key = w.stack_slot();
        let zeros = if size == 8 {
            Zeros::Stack(w.stack_slot())
        } else {
            Zeros::Map(w.map(Map::value("zeros", size)))
        };
        Sessions { map, key, zeros }
    }

    /// Loads the address of the session's memory into `reg`, or goes to `absent` if there is none.
    fn recall(&self, w: &mut Builder<'_>, reg: Reg, absent: Label) -> Result<(), Error> {
        w.session_id(self.key)?;
        w.lookup(self.map, self.key);
        w.asm.jump_if(R0.eq(0), absent);
        w.asm.mov(reg, R0);
        Ok(())
    }

    /// Loads the address of the session's memory into `reg`; for a new session, it is zeroed. If the map is full, the
    /// program asks the kernel to call it again.
    pub(super) fn enter(&self, w: &mut Builder<'_>, reg: Reg) -> Result<(), Error> {
        let (entered, again) = (w.asm.label(), w.again());
        w.session_id(self.key)?;
        w.lookup(self.map, self.key);
        w.asm.jump_if(R0.ne(0), entered);
        match self.zeros {
            Zeros::Stack(slot) => {
                w.asm.store(u64_at(slot.address()), 0);
                w.asm.address(R3, slot.address());
            }
            Zeros::Map(index) => w.asm.load_reloc(R3, Reloc::MapValue { index, offset: 0 }),
        }
        w.asm.load_reloc(R1, Reloc::Map(self.map));
        w.asm.address(R2, self.key.address());
        w.asm.mov(R4, 0);
        w.asm.call(Helper::MapUpdateElem);
        w.lookup(self.map, self.key);
        w.asm.jump_if(R0.eq(0), again);
        w.asm.bind(entered);
        w.asm.mov(reg, R0);
        Ok(())
    }

    /// Ends the walk: prints `summary` with the session's count, and deletes the session. The count must be kept until
    /// the summary has fit, because the kernel calls the program again if it did not.
    pub(super) fn summary(
        &self,
        w: &mut Builder<'_>,
        memory: Reg,
        summary: &str,
        done: Label,
    ) -> Result<(), Error> {
        self.recall(w, memory, done)?;
        w.asm.load(R0, u64_at(memory));
        // The reader had objects whose output never fit.
        w.asm.jump_if(R0.eq(0), done);
        w.printf(summary, &[Value::Reg(R0)])?;
        w.asm.jump_if(R0.ne(0), done);
        w.delete(self.map, self.key);
        Ok(())
    }
}

/// Adds 1 to the session's count. This must follow the last output and a check that it fit: else the kernel discards
/// the output and calls the program again for the object.
pub(super) fn count(w: &mut Builder<'_>, memory: Reg) {
    w.asm.load(R1, u64_at(memory));
    w.asm.add(R1, 1);
    w.asm.store(u64_at(memory), R1);
}
