//! Emits the look-ups of derived roots: pointers that come from a call or a choice. Each has a stack slot, which is 0
//! if the object has none.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Helper, Label, u64_at};

use super::Emit;
use crate::derived::{By, Found};
use crate::error::Error;
use crate::place::Place;

impl Emit<'_, '_> {
    /// Calls a kfunc, which the planner has found in the kernel.
    pub(crate) fn kfunc(&mut self, name: &'static str) -> Result<(), Error> {
        let callee = self.builder.kfunc(name)?;
        self.builder.call(callee);
        Ok(())
    }

    /// Emits the look-ups of those in `all` that were not emitted before.
    pub(crate) fn find(&mut self, all: &[Found]) -> Result<(), Error> {
        for Found { derived, fragment, ty, from, guard, choices, array } in
            all.iter().skip(self.derived.len())
        {
            let slot = self.builder.stack_slot();
            self.derived.push(slot);
            let found = slot.address();
            self.builder.asm.mark(Some(*fragment));
            let none = self.builder.asm.label();
            self.builder.asm.store(u64_at(found), 0);
            match (derived.by, guard) {
                (By::CastIf(_, is, _), Some(guard)) => {
                    let base = self.follow(R1, guard, none);
                    self.load_from(R2, base, guard);
                    self.builder.asm.jump_if(R2.ne(is), none);
                    self.builder.asm.mov(R1, base);
                    self.builder.asm.mov(R2, ty.0 as i32);
                    self.kfunc("bpf_rdonly_cast")?;
                }
                (By::Helper(helper) | By::CastIf(_, _, helper), _) => {
                    self.pointer(from, none);
                    self.builder.asm.call(helper);
                }
                (By::Reader, _) => self.builder.asm.call(Helper::GetCurrentTaskBtf),
                (By::Choice(_), _) => {
                    // Old verifiers track a NULL on the stack only if it was stored from a register.
                    self.builder.asm.mov(R0, 0);
                    self.builder.asm.store(u64_at(found), Reg::R0);
                    self.choice(choices, from, none);
                }
                (By::CastIfAny(_, mask), Some(bits)) => {
                    let base = self.follow(R2, bits, none);
                    self.load_from(R2, base, bits);
                    self.builder.asm.and(R2, mask);
                    self.builder.asm.jump_if(R2.eq(0), none);
                    self.pointer(from, none);
                    self.builder.asm.mov(R2, ty.0 as i32);
                    self.kfunc("bpf_rdonly_cast")?;
                }
                (By::Cast | By::CastIfAny(..) | By::Element(_) | By::RowElement(_), _) => {
                    match (choices.first(), array) {
                        (Some((index, array)), _) => self.element(Some(index), array, none),
                        (None, Some(array)) => self.element(None, array, none),
                        (None, None) => self.pointer(from, none),
                    }
                    self.builder.asm.mov(R2, ty.0 as i32);
                    self.kfunc("bpf_rdonly_cast")?;
                }
            }
            self.builder.asm.store(u64_at(found), Reg::R0);
            self.builder.asm.bind(none);
            self.builder.asm.mark(None);
        }
        Ok(())
    }

    fn pointer(&mut self, from: &Option<Place>, none: Label) {
        match from {
            Some(from) => self.field(R1, from, none),
            None => self.builder.asm.jump(none),
        }
    }

    /// Leaves the address of an array's element in R1. The index is bounded, because verifiers refuse to add an
    /// unbounded number to a pointer.
    fn element(&mut self, index: Option<&Place>, array: &Place, none: Label) {
        const MOST: i32 = u16::MAX as i32;
        match (index, self.row) {
            (Some(index), _) => {
                let base = self.follow(R1, index, none);
                self.load_from(R2, base, index);
            }
            (None, Some(row)) => self.builder.asm.load(R2, u64_at(row.address())),
            // There is one row.
            (None, None) => self.builder.asm.mov(R2, 0),
        }
        self.builder.asm.jump_if(R2.gt(MOST), none);
        let base = self.follow(R1, array, none);
        self.builder.asm.address(R1, base + array.field.offset as i32);
        self.builder.asm.mul(R2, array.field.size as i32);
        self.builder.asm.add(R1, R2);
    }

    /// Leaves the address of the chosen field in R0, without a call and without R1, which may hold the context.
    fn choice(&mut self, choices: &[(Place, Place)], from: &Option<Place>, none: Label) {
        let done = self.builder.asm.label();
        for (guard, place) in choices {
            let next = self.builder.asm.label();
            let base = self.follow(R2, guard, none);
            self.load_from(R2, base, guard);
            self.builder.asm.jump_if(R2.ne(0), next);
            let base = self.follow(R2, place, none);
            self.builder.asm.address(R0, base + place.field.offset as i32);
            self.builder.asm.jump(done);
            self.builder.asm.bind(next);
        }
        match from {
            Some(from) => {
                let base = self.follow(R2, from, none);
                self.builder.asm.address(R0, base + from.field.offset as i32);
            }
            None => self.builder.asm.jump(none),
        }
        self.builder.asm.bind(done);
    }
}
