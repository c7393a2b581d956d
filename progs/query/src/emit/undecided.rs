//! Emits what happens where a condition can't be decided, because a text is longer than a program can look at: the object
//! is counted, so that whoever reads the answer knows that it is not whole.

use alloc::vec::Vec;

use kwalk_asm::Reg::*;
use kwalk_asm::{Label, Reloc, u64_at};
use kwalk_progs::{Map, Value};

use super::Emit;
use super::number::{Leaf, any, any_in_number};
use crate::error::Error;
use crate::ir::{Condition, Member, Number};
use crate::undecided::{Bound, Undecided};

/// The offset in the map's value of the object that was counted last.
const LAST: i32 = 8;

impl Emit<'_, '_> {
    /// Creates the map whose only element counts objects, and goes to `skip` for those, until
    /// [`decided`](Emit::decided).
    pub(crate) fn count_undecided(&mut self, skip: Label) {
        self.undecided = Some(self.builder.map(Map::value("kwalk_undecided", Undecided::SIZE as u32)));
        self.skip = Some(skip);
    }

    /// Ends the filter. What is not decided from here on is a part of a column: it is unknown, and counted.
    pub(crate) fn decided(&mut self) {
        self.skip = None;
    }

    /// Counts the object, and leaves it out, or goes to `unknown` if it is shown.
    pub(super) fn undecided(&mut self, unknown: Label) -> Result<(), Error> {
        let Some(index) = self.undecided else {
            self.builder.asm.jump(unknown);
            return Ok(());
        };
        if self.skip.is_none() {
            // If its row does not fit the kernel's buffer, the program is called for the object again.
            let (ctx, pointee) = (self.builder.ctx(), self.builder.context());
            for (reg, path) in [(R2, "meta.seq_num"), (R3, "meta.session_id")] {
                self.builder.load(reg, Value::Field { base: ctx, pointee, path })?;
            }
            self.builder.asm.lsh(R3, 32);
            self.builder.asm.xor(R2, R3);
        }
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index, offset: 0 });
        if self.skip.is_none() {
            asm.load(R3, u64_at(R1 + LAST));
            asm.jump_if(R2.eq(R3), unknown);
            asm.store(u64_at(R1 + LAST), R2);
        }
        asm.load(R2, u64_at(R1));
        asm.add(R2, 1);
        asm.store(u64_at(R1), R2);
        asm.jump(self.skip.unwrap_or(unknown));
        Ok(())
    }
}

/// The bounds at which a condition can't be decided.
pub(crate) fn bounds(condition: &Condition) -> Vec<Bound> {
    let mut bounds = Vec::new();
    any(condition, &mut |leaf: Leaf<'_>| collect(leaf, &mut bounds));
    bounds
}

/// The bounds at which a condition in a number can't be decided.
pub(crate) fn bounds_of(number: &Number) -> Vec<Bound> {
    let mut bounds = Vec::new();
    any_in_number(number, &mut |leaf: Leaf<'_>| collect(leaf, &mut bounds));
    bounds
}

fn collect(leaf: Leaf<'_>, bounds: &mut Vec<Bound>) -> bool {
    let Leaf::Condition(leaf) = leaf else { return false };
    match leaf {
        Condition::InSet(Member::Text(text), _) => {
            bounds.extend(text.is_cut_at_front().then_some(Bound::Path));
        }
        Condition::Like(text, pattern) => {
            bounds.extend(text.is_cut_at_front().then_some(Bound::Path));
            bounds.extend((pattern.open_start && text.is_cut_at_end()).then_some(Bound::Arguments));
            let searches = pattern.open_start && pattern.open_end && text.kind.is_made();
            bounds.extend((searches && text.size() > 2000).then_some(Bound::Search));
            bounds.extend((pattern.open_start && text.may_be_cut()).then_some(Bound::Beginning));
        }
        _ => {}
    }
    false
}
