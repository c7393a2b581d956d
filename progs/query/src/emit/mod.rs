//! The instructions of a plan.
//!
//! The object of a call is in [`OBJECT`]. A number is computed in R0 to R5, which calls clobber: what has to outlive a call
//! waits on the stack. What a helper writes lies on the stack, too, below what is in use of it.

mod condition;
mod derived;
mod long;
mod number;
mod partition;
mod row;
mod text;

use alloc::vec::Vec;

use kwalk_asm::Label;
use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, u64_at};
use kwalk_progs::{Builder, Saved, StackSlot};

use crate::error::{Error, Reason};
use crate::ir::Set;
use crate::place::{Base, Place};
use crate::reuse::Reused;

pub(crate) use condition::Fork;
pub(crate) use number::{calls, condition_calls, need, need_of};
pub(crate) use partition::end;
pub(crate) use row::{Chunk, Column, Kind as ColumnKind, Rows, is_copied};

/// Holds the object for the whole program.
pub(crate) const OBJECT: Reg = R7;
/// Holds the bits of the columns that are NULL.
const NULLS: Reg = R8;
/// Hold what is reused, where the program does not save its arguments in them.
const REUSED: [Reg; 2] = [R9, R6];

/// Whether the addresses of the kernel's memory have their topmost bit set, and no others do.
const KERNEL_IS_NEGATIVE: bool =
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"));

/// How many values a program can reuse.
pub(crate) fn reuse_registers(saved: Saved) -> usize {
    match saved {
        Saved::Nothing => REUSED.len(),
        Saved::Context => 1,
        Saved::ContextAndSeq => 0,
    }
}

/// A program being written, and its free registers.
pub(crate) struct Emit<'w, 'a> {
    pub(crate) builder: &'w mut Builder<'a>,
    free: Vec<Reg>,
    /// What has been read and is reused, and the register that holds it.
    reused: Vec<(Reused, Reg)>,
    /// What is still to be read so, where all of the program that follows comes by.
    to_reuse: Vec<(Reused, Reg)>,
    /// Whether all of the program that follows comes by what is emitted now.
    unconditional: bool,
    /// Where the derived roots lie that have been found.
    derived: Vec<StackSlot>,
    /// How many bytes of the stack are used where most of them are.
    deepest: i32,
    /// The sets that are looked up, and the maps that they are.
    sets: Vec<(Set, u32)>,
    /// The map that texts go to which are too long for the stack.
    buffer: Option<u32>,
}

impl<'w, 'a> Emit<'w, 'a> {
    /// Emits to a program that reuses these values, no more of them than it has registers for.
    pub(crate) fn new(builder: &'w mut Builder<'a>, reused: Vec<Reused>) -> Emit<'w, 'a> {
        let mut free = vec![R0, R5, R4, R3, R2];
        if builder.ctx() != R1 {
            free.push(R1);
        }
        Emit {
            builder,
            free,
            reused: Vec::new(),
            to_reuse: reused.into_iter().zip(REUSED).collect(),
            unconditional: false,
            derived: Vec::new(),
            deepest: 0,
            sets: Vec::new(),
            buffer: None,
        }
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
    /// the way there is NULL: to the verifier, the address behind one is as good as any, and a helper may be given it. Nor
    /// is there anything to read behind one that does not lead into the kernel's memory, such as one of a process's own:
    /// a load would make 0 of it. Where the verifier may want to see a check for NULL, there is that alone.
    fn follow(&mut self, reg: Reg, place: &Place, null: Label) -> Reg {
        let is = |reused: &Reused| matches!(reused, Reused::Pointer(other) if other.shares_base(place));
        if let Some(reg) = self.reused(is) {
            // It is not NULL, but the verifier refuses a label that nothing leads to.
            if !place.never_null {
                self.builder.asm.jump_if(reg.eq(0), null);
            }
            return reg;
        }
        let reg = self.reuse(is).unwrap_or(reg);
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
        let leads_elsewhere = KERNEL_IS_NEGATIVE && place.base == Base::Object && self.builder.casts();
        for hop in &place.hops {
            let at = self.at(reg, base, *hop);
            self.builder.asm.load(reg, u64_at(at));
            self.builder.asm.jump_if(if leads_elsewhere { reg.sge(0) } else { reg.eq(0) }, null);
            base = reg;
        }
        base
    }

    /// The register that holds a value which is reused.
    fn reused(&self, is: impl Fn(&Reused) -> bool) -> Option<Reg> {
        self.reused.iter().find(|(reused, _)| is(reused)).map(|(_, reg)| *reg)
    }

    /// The register for a value that is read now, if it is to be reused and all that follows comes by here.
    fn reuse(&mut self, is: impl Fn(&Reused) -> bool) -> Option<Reg> {
        let nth = self.to_reuse.iter().position(|(reused, _)| is(reused)).filter(|_| self.unconditional)?;
        let (value, reg) = self.to_reuse.remove(nth);
        self.reused.push((value, reg));
        Some(reg)
    }

    /// Takes `bytes` of the stack for as long as `within` emits.
    fn with_stack<T>(&mut self, bytes: usize, within: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.builder.take_stack(bytes);
        let done = within(self);
        self.builder.give_back_stack(before);
        done
    }

    /// Where `bytes` of the stack begin, rounded up to 8, that are free until more of it is taken.
    fn room(&mut self, bytes: usize) -> Address {
        let deepest = self.builder.stack_in_use() + bytes.next_multiple_of(8) as i32;
        self.deepest = self.deepest.max(deepest);
        R10 - deepest
    }

    /// Whether all that was used of the stack is there (`MAX_BPF_STACK`).
    pub(crate) fn fits_stack(&self) -> bool {
        self.deepest <= 512
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
