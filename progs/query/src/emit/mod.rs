//! Resolved selections to instructions.
//!
//! The object of a call is in [`OBJECT`]. A number is computed in the registers that calls don't keep, for none is made
//! while one is; what a helper writes lies on the stack, which conditions and rows use in turn from its top on.

use alloc::vec;
use alloc::vec::Vec;

mod condition;
mod derived;
mod long;
mod number;
mod row;
mod text;
mod window;

use kwalk_asm::Label;
use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, u64_at};

use super::number::Number;
use super::place::{Base, Place};
use super::{Error, Reason};
use kwalk_progs::{Builder, Saved, StackSlot};

pub(crate) use condition::Fork;
pub(crate) use number::need;
pub(crate) use row::{Chunk, Column, Kind as ColumnKind, Rows, is_copied};
pub(crate) use text::is_read_in_place;
pub(crate) use window::end;

/// Holds the object for the whole program.
pub(crate) const OBJECT: Reg = R7;
/// Holds the bits of the columns that are NULL.
const NULLS: Reg = R8;
/// What of a program's stack (`MAX_BPF_STACK`) is for conditions and rows: the rest holds the derived roots.
pub(crate) const STACK: usize = 512 - 8 * DERIVED_MAX;
/// As many derived roots a program has at most.
pub(crate) const DERIVED_MAX: usize = 4;
/// How many registers numbers can be computed in, in a program that saves nothing: the context is in R1.
pub(crate) const FREE_UNSAVED: usize = 5;

/// What a program keeps that it has found for its condition, to have it for its row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kept {
    /// The pointer that a place lies behind, which is not NULL.
    Pointer(Place),
    /// A number.
    Number(Number),
}

/// Where.
const KEEP: [Reg; 2] = [R9, R6];

/// How many things a program can keep besides its own.
pub(crate) fn room(saved: Saved) -> usize {
    match saved {
        Saved::Nothing => KEEP.len(),
        Saved::Context => 1,
        Saved::ContextAndSeq => 0,
    }
}

/// A program being written, and its free registers.
pub(crate) struct Emit<'w, 'a> {
    pub(crate) builder: &'w mut Builder<'a>,
    free: Vec<Reg>,
    /// What is kept for later, once it has been found, and where.
    kept: Vec<(Kept, Reg)>,
    /// What is to be kept, and where, if all of the program that follows comes by there.
    keep: Vec<(Kept, Reg)>,
    /// Whether it does.
    certain: bool,
    /// Where the derived roots lie that have been found.
    derived: Vec<StackSlot>,
    /// The map that texts go to which are too long for the stack.
    buffer: Option<u32>,
}

impl<'w, 'a> Emit<'w, 'a> {
    /// Saved things for later, if the program is one that calls nothing before its last output: that leaves registers
    /// which hold nothing else.
    pub(crate) fn keeping(builder: &'w mut Builder<'a>, keep: Vec<Kept>) -> Emit<'w, 'a> {
        let mut free = vec![R0, R5, R4, R3, R2];
        if builder.ctx() != R1 {
            free.push(R1);
        }
        let keep = keep.into_iter().zip(KEEP).collect();
        Emit { builder, free, kept: Vec::new(), keep, certain: false, derived: Vec::new(), buffer: None }
    }

    fn take(&mut self) -> Result<Reg, Error> {
        self.free.pop().ok_or_else(|| Error::new(Reason::TooComplex, None))
    }

    fn give_back(&mut self, reg: Reg) {
        self.free.push(reg);
    }

    /// Goes on at `to`, which is where it goes on anyway if that is `next`.
    fn go(&mut self, to: Label, next: Label) {
        if to != next {
            self.builder.asm.jump(to);
        }
    }

    /// The register from which the field lies at its offset: `reg`, or the object's. Goes to `null` where a pointer on
    /// the way there is NULL: it may be loaded from where nothing is, as far as the verifier cares, and given to a helper.
    fn follow(&mut self, reg: Reg, place: &Place, null: Label) -> Reg {
        if let Some(kept) = self.kept(|kept| matches!(kept, Kept::Pointer(same) if same.beside(place))) {
            // It is not, but what NULL leads to has to look as if it could be reached.
            if !place.there {
                self.builder.asm.jump_if(kept.eq(0), null);
            }
            return kept;
        }
        let reg = self.keep(|keep| matches!(keep, Kept::Pointer(same) if same.beside(place))).unwrap_or(reg);
        let mut base = match place.base {
            Base::Object => OBJECT,
            Base::Context => self.builder.ctx(),
            Base::Derived(nth) => {
                if let Some(slot) = self.derived.get(nth) {
                    self.builder.asm.load(reg, u64_at(slot.address()));
                }
                self.builder.asm.jump_if(reg.eq(0), null);
                reg
            }
        };
        for hop in &place.hops {
            let at = self.at(reg, base, *hop);
            self.builder.asm.load(reg, u64_at(at));
            self.builder.asm.jump_if(reg.eq(0), null);
            base = reg;
        }
        base
    }

    /// The register that something is kept in.
    fn kept(&self, is: impl Fn(&Kept) -> bool) -> Option<Reg> {
        self.kept.iter().find(|(kept, _)| is(kept)).map(|(_, reg)| *reg)
    }

    /// The register to keep something in that is found now, if it is to be kept, and all that follows comes by here.
    fn keep(&mut self, is: impl Fn(&Kept) -> bool) -> Option<Reg> {
        let nth = self.keep.iter().position(|(keep, _)| is(keep)).filter(|_| self.certain)?;
        let keep = self.keep.remove(nth);
        let reg = keep.1;
        self.kept.push(keep);
        Some(reg)
    }

    /// Where the stack begins that is free, from its top down.
    fn frame(&self) -> Address {
        R10 - self.builder.stack_in_use()
    }

    /// An address that a load can name: 16 bits for the offset, else it is added to `reg` first.
    fn at(&mut self, reg: Reg, base: Reg, offset: u32) -> Address {
        match i16::try_from(offset) {
            Ok(offset) => base + i32::from(offset),
            Err(_) => {
                self.builder.asm.address(reg, base + offset as i32);
                reg.into()
            }
        }
    }
}
