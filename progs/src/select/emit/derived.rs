//! The arguments that a program finds for itself: each on the stack, 0 where there is none.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, u64_at};
use kwalk_btf::TypeId;

use super::{Emit, FOUND_MAX};
use crate::select::derived::{By, Derived};
use crate::select::place::Place;
use crate::select::{Error, Reason};

/// Where the argument of this number is.
pub(super) fn found(nth: usize) -> Address {
    R10 - 8 * (nth as i32 + 1)
}

impl Emit<'_, '_> {
    /// Finds those that have not been found yet.
    #[track_caller]
    pub(crate) fn find(&mut self, all: &[(&'static Derived, Place, TypeId)]) -> Result<(), crate::Error> {
        for (nth, (derived, from, ty)) in all.iter().enumerate().skip(self.found) {
            if nth >= FOUND_MAX {
                return Err(Error::new(Reason::TooComplex, None).into());
            }
            self.found = nth + 1;
            let none = self.walk.asm.label();
            self.walk.asm.store(u64_at(found(nth)), 0);
            self.field(R1, from, none);
            match derived.by {
                By::Helper(helper) => self.walk.asm.call(helper),
                By::Cast => {
                    let since = Reason::Since { what: derived.name, since: (6, 2) };
                    let kfunc = self.walk.kfunc("bpf_rdonly_cast")?;
                    let kfunc = kfunc.ok_or_else(|| Error::new(since, None))?;
                    self.walk.asm.mov(R2, ty.0 as i32);
                    self.walk.asm.call_kfunc(kfunc, 0);
                }
            }
            self.walk.asm.store(u64_at(found(nth)), Reg::R0);
            self.walk.asm.bind(none);
        }
        Ok(())
    }
}
