//! The arguments that a program finds for itself: each on the stack, 0 where there is none.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, Label, u64_at};

use super::{Emit, FOUND_MAX};
use crate::select::derived::{By, Found};
use crate::select::place::Place;
use crate::select::{Error, Reason};

/// Where the argument of this number is.
pub(super) fn found(nth: usize) -> Address {
    R10 - 8 * (nth as i32 + 1)
}

impl Emit<'_, '_> {
    /// Calls one of the functions that kernels have since 6.2, without which they don't have `what`.
    pub(super) fn kfunc(&mut self, name: &'static str, what: &'static str) -> Result<(), crate::Error> {
        if !self.walk.has_kfunc(name)? {
            return Err(Error::new(Reason::Since { what, since: (6, 2) }, None).into());
        }
        let callee = self.walk.kfunc(name)?;
        self.walk.call(callee);
        Ok(())
    }

    /// Finds those that have not been found yet.
    pub(crate) fn find(&mut self, all: &[Found]) -> Result<(), crate::Error> {
        for (nth, Found { derived, part, ty, from, choices }) in all.iter().enumerate().skip(self.found) {
            if nth >= FOUND_MAX {
                return Err(Error::new(Reason::TooComplex, None).into());
            }
            self.found = nth + 1;
            self.walk.asm.mark(Some(*part));
            let none = self.walk.asm.label();
            self.walk.asm.store(u64_at(found(nth)), 0);
            match derived.by {
                By::Helper(helper) => {
                    self.pointer(from, none);
                    self.walk.asm.call(helper);
                }
                By::Choice(_) => {
                    // Old verifiers see a NULL only if it comes from a register.
                    self.walk.asm.mov(R0, 0);
                    self.walk.asm.store(u64_at(found(nth)), Reg::R0);
                    self.choice(choices, from, none);
                }
                By::Cast | By::Element(_) => {
                    match choices.first() {
                        Some((index, array)) => self.element(index, array, none),
                        None => self.pointer(from, none),
                    }
                    self.walk.asm.mov(R2, ty.0 as i32);
                    self.kfunc("bpf_rdonly_cast", derived.name)?;
                }
            }
            self.walk.asm.store(u64_at(found(nth)), Reg::R0);
            self.walk.asm.bind(none);
            self.walk.asm.mark(None);
        }
        Ok(())
    }

    fn pointer(&mut self, from: &Option<Place>, none: Label) {
        match from {
            Some(from) => self.field(R1, from, none),
            None => self.walk.asm.jump(none),
        }
    }

    /// The address of an array's element. Some number is the most, or verifiers fear for the sum.
    fn element(&mut self, index: &Place, array: &Place, none: Label) {
        const MOST: i32 = 255;
        let base = self.follow(R1, index, none);
        self.load_from(R2, base, index);
        self.walk.asm.jump_if(R2.gt(MOST), none);
        let base = self.follow(R1, array, none);
        self.walk.asm.address(R1, base + array.field.offset as i32);
        self.walk.asm.mul(R2, array.field.size as i32);
        self.walk.asm.add(R1, R2);
    }

    /// The address of the place that is the right one. The context may be in R1: no call is needed.
    fn choice(&mut self, choices: &[(Place, Place)], from: &Option<Place>, none: Label) {
        let done = self.walk.asm.label();
        for (guard, place) in choices {
            let next = self.walk.asm.label();
            let base = self.follow(R2, guard, none);
            self.load_from(R2, base, guard);
            self.walk.asm.jump_if(R2.ne(0), next);
            let base = self.follow(R2, place, none);
            self.walk.asm.address(R0, base + place.field.offset as i32);
            self.walk.asm.jump(done);
            self.walk.asm.bind(next);
        }
        match from {
            Some(from) => {
                let base = self.follow(R2, from, none);
                self.walk.asm.address(R0, base + from.field.offset as i32);
            }
            None => self.walk.asm.jump(none),
        }
        self.walk.asm.bind(done);
    }
}
