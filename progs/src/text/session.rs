//! What a program remembers for each reader: two that read one pinned program don't see each other's totals.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Helper, Label, Reloc, u64_at};

use super::options::Options;
use crate::builder::Builder;
use crate::error::Error;
use crate::operand::{StackSlot, Value};
use crate::program::{Map, MapKind};

/// Memory for each session, of which the first 8 bytes are a count.
pub(super) struct Sessions {
    map: u32,
    key: StackSlot,
    zeros: Zeros,
}

/// What a session's memory begins as.
enum Zeros {
    /// Few enough to lie on the stack.
    Stack(StackSlot),
    /// The one value of an array that nobody writes to.
    Map(u32),
}

impl Sessions {
    /// Asks for `size` bytes for each session, for as many as there are to be readers at once.
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

    /// Points `reg` to this session's memory, or goes to `absent` where it has none.
    fn recall(&self, w: &mut Builder<'_>, reg: Reg, absent: Label) -> Result<(), Error> {
        w.session_id(self.key)?;
        w.lookup(self.map, self.key);
        w.asm.jump_if(R0.eq(0), absent);
        w.asm.mov(reg, R0);
        Ok(())
    }

    /// Points `reg` to this session's memory, which is all zeros at first. Where the kernel has none left, it is to try
    /// again.
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

    /// Ends the walk: prints `summary` with the count at `memory`, and forgets the session. If the summary does not fit,
    /// the kernel calls for it again, so that the count is still needed.
    pub(super) fn summary(
        &self,
        w: &mut Builder<'_>,
        memory: Reg,
        summary: &str,
        done: Label,
    ) -> Result<(), Error> {
        self.recall(w, memory, done)?;
        w.asm.load(R0, u64_at(memory));
        // Of a reader whose objects did not fit, and were gone when they were to be shown again.
        w.asm.jump_if(R0.eq(0), done);
        w.printf(summary, &[Value::Reg(R0)])?;
        w.asm.jump_if(R0.ne(0), done);
        w.delete(self.map, self.key);
        Ok(())
    }
}

/// Counts one more in the session's memory at `memory`: to be done only when the last output is known to have fit,
/// since otherwise the kernel throws away what this call wrote and shows the object again.
pub(super) fn count(w: &mut Builder<'_>, memory: Reg) {
    w.asm.load(R1, u64_at(memory));
    w.asm.add(R1, 1);
    w.asm.store(u64_at(memory), R1);
}
