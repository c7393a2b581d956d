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
mod window;

use kwalk_asm::Label;
use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, u64_at};

use super::number::Number;
use super::place::{Base, Place};
use super::{Error, Reason};
use crate::walk::{Keeps, Walk};

use derived::found;

pub(crate) use condition::Fork;
pub(crate) use row::{Chunk, Column, Kind as ColumnKind, Rows};
pub(crate) use window::end;

/// Holds the object for the whole program.
pub(crate) const OBJECT: Reg = R7;
/// Holds the bits of the columns that are NULL.
const NULLS: Reg = R8;
/// What of a program's stack (`MAX_BPF_STACK`) is for conditions and rows: the rest holds the arguments that are found.
pub(crate) const STACK: usize = 512 - 8 * FOUND_MAX;
/// As many arguments are found at most.
const FOUND_MAX: usize = 4;

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
pub(crate) fn room(keeps: Keeps) -> usize {
    match keeps {
        Keeps::Nothing => KEEP.len(),
        Keeps::Context => 1,
        Keeps::Both => 0,
    }
}

/// A program being written, and its free registers.
pub(crate) struct Emit<'w, 'a> {
    pub(crate) walk: &'w mut Walk<'a>,
    free: Vec<Reg>,
    /// What is kept for later, once it has been found, and where.
    kept: Vec<(Kept, Reg)>,
    /// What is to be kept, and where, if all of the program that follows comes by there.
    keep: Vec<(Kept, Reg)>,
    /// Whether it does.
    certain: bool,
    /// How many arguments have been found.
    found: usize,
    /// The map that texts go to which are too long for the stack.
    buffer: Option<u32>,
}

impl<'w, 'a> Emit<'w, 'a> {
    /// Keeps things for later, if the program is one that calls nothing before its last output: that leaves registers
    /// which hold nothing else.
    pub(crate) fn keeping(walk: &'w mut Walk<'a>, keep: Vec<Kept>) -> Emit<'w, 'a> {
        let mut free = vec![R0, R5, R4, R3, R2];
        if walk.ctx() != R1 {
            free.push(R1);
        }
        let keep = keep.into_iter().zip(KEEP).collect();
        Emit { walk, free, kept: Vec::new(), keep, certain: false, found: 0, buffer: None }
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
    fn follow(&mut self, reg: Reg, place: &Place, null: Label) -> Reg {
        if let Some(kept) = self.kept(|kept| matches!(kept, Kept::Pointer(same) if same.beside(place))) {
            // It is not, but what NULL leads to has to look as if it could be reached.
            if !place.there {
                self.walk.asm.jump_if(kept.eq(0), null);
            }
            return kept;
        }
        let reg = self.keep(|keep| matches!(keep, Kept::Pointer(same) if same.beside(place))).unwrap_or(reg);
        let mut base = match place.base {
            Base::Object => OBJECT,
            Base::Context => self.walk.ctx(),
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
        R10 - 8 * self.found as i32
    }

    /// An address that a load can name: 16 bits for the offset, else it is added to `reg` first.
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
