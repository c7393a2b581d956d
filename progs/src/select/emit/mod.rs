//! Resolved selections to instructions.
//!
//! The object of a call is in [`OBJECT`]. A number is computed in the registers that calls don't keep, for none is made
//! while one is; what a helper writes lies on the stack, which conditions and rows use in turn from its top on.

mod condition;
mod derived;
mod long;
mod number;
mod row;
mod text;

use kwalk_asm::Label;
use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, u64_at};

use super::place::{Base, Place};
use super::{Error, Reason};
use crate::walk::{CTX, Walk};

use derived::found;

pub(crate) use condition::Fork;
pub(crate) use row::{Chunk, Column, Kind as ColumnKind, Rows};

/// Holds the object for the whole program.
pub(crate) const OBJECT: Reg = R7;
/// Holds the bits of the columns that are NULL.
const NULLS: Reg = R8;
/// What of a program's stack (`MAX_BPF_STACK`) is for conditions and rows: the rest holds the arguments that are found.
pub(crate) const STACK: usize = 512 - 8 * FOUND_MAX;
/// As many arguments are found at most.
const FOUND_MAX: usize = 4;

/// A program being written, and its free registers.
pub(crate) struct Emit<'w, 'a> {
    pub(crate) walk: &'w mut Walk<'a>,
    free: Vec<Reg>,
    /// How many arguments have been found.
    found: usize,
    /// The map that texts go to which are too long for the stack.
    buffer: Option<u32>,
}

impl<'w, 'a> Emit<'w, 'a> {
    pub(crate) fn new(walk: &'w mut Walk<'a>) -> Emit<'w, 'a> {
        Emit { walk, free: vec![R0, R5, R4, R3, R2, R1], found: 0, buffer: None }
    }

    fn take(&mut self) -> Result<Reg, crate::Error> {
        self.free.pop().ok_or_else(|| Error::new(Reason::TooComplex, None).into())
    }

    fn give_back(&mut self, reg: Reg) {
        self.free.push(reg);
    }

    /// Goes on at `to`, which is where it goes on anyway if that is `next`.
    fn go(&mut self, to: Label, next: Label) {
        if to != next {
            self.walk.asm.jump(to);
        }
    }

    /// The register from which the field lies at its offset: `reg`, or the object's. Goes to `null` where a pointer on
    /// the way there is NULL: it may be loaded from where nothing is, as far as the verifier cares, and given to a helper.
    #[track_caller]
    fn follow(&mut self, reg: Reg, place: &Place, null: Label) -> Reg {
        let mut base = match place.base {
            Base::Object => OBJECT,
            Base::Context => CTX,
            Base::Derived(nth) => {
                self.walk.asm.load(reg, u64_at(found(nth)));
                self.walk.asm.jump_if(reg.eq(0), null);
                reg
            }
        };
        for hop in &place.hops {
            let at = self.at(reg, base, *hop);
            self.walk.asm.load(reg, u64_at(at));
            self.walk.asm.jump_if(reg.eq(0), null);
            base = reg;
        }
        base
    }

    /// Where the stack begins that is free, from its top down.
    fn frame(&self) -> Address {
        R10 - 8 * self.found as i32
    }

    /// An address that a load can name: 16 bits for the offset, else it is added to `reg` first.
    #[track_caller]
    fn at(&mut self, reg: Reg, base: Reg, offset: u32) -> Address {
        match i16::try_from(offset) {
            Ok(offset) => base + i32::from(offset),
            Err(_) => {
                self.walk.asm.address(reg, base + offset as i32);
                reg.into()
            }
        }
    }
}
