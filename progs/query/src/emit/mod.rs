//! Emits the instructions of a plan.
//!
//! [`OBJECT`] holds the object. Numbers are computed in R0 to R5, which calls clobber: a number that must outlive a
//! call is saved on the stack. Buffers for helpers lie on the stack below everything that is in use.

mod condition;
mod derived;
mod long;
mod nth;
mod number;
mod partition;
mod prog_name;
mod rounds;
mod row;
mod sum;
mod text;
mod tree;
mod undecided;
mod vma;

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
pub(crate) use number::{calls, condition_calls, first_sum, need, need_of};
pub(crate) use partition::end;
pub(crate) use row::{Chunk, Column, Kind as ColumnKind, Rows, is_copied};
pub(crate) use undecided::{bounds, bounds_of};
pub(crate) use vma::FMODE_NOACCOUNT;

/// The register that holds the object throughout the program.
pub(crate) const OBJECT: Reg = R7;
/// The register that holds the NULL bits of the columns.
const NULLS: Reg = R8;
/// The registers that hold reused values, if the program does not save its arguments in them.
const REUSED: [Reg; 2] = [R9, R6];

/// Whether the addresses of the kernel's memory have their topmost bit set, and no others do.
const KERNEL_IS_NEGATIVE: bool =
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"));

/// The number of values that a program can reuse.
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
    /// The reused values that were read, with their registers.
    reused: Vec<(Reused, Reg)>,
    /// The reused values that are still to be read. Only instructions on every later path may read them.
    to_reuse: Vec<(Reused, Reg)>,
    /// Whether the rest of the program is reachable only through the instructions that are emitted now.
    unconditional: bool,
    /// The stack slots of the derived roots whose look-ups were emitted.
    derived: Vec<StackSlot>,
    /// The largest number of stack bytes in use at any point.
    deepest: i32,
    /// The sets that are looked up, and the numbers of their maps.
    sets: Vec<(Set, u32)>,
    /// The number of the map in which texts are assembled that may not fit the stack.
    buffer: Option<u32>,
    /// The number of the map with the CPUs' offsets, once the program has found them.
    offsets: Option<u32>,
    /// The number of the map that counts what can't be decided, if something can't.
    undecided: Option<u32>,
    /// While the filter is emitted: where the program goes for an object that it can't decide.
    skip: Option<Label>,
    /// The number of the row that is shown, if an object can have several.
    row: Option<StackSlot>,
}

impl<'w, 'a> Emit<'w, 'a> {
    /// Starts with these values to be reused; no more of them than the program has registers for.
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
            offsets: None,
            undecided: None,
            skip: None,
            row: None,
        }
    }

    fn take(&mut self) -> Result<Reg, Error> {
        self.free.pop().ok_or_else(|| Error::new(Reason::TooComplex, None))
    }

    fn give_back(&mut self, reg: Reg) {
        self.free.push(reg);
    }

    /// Jumps to `to`, unless that is `next`, which follows immediately.
    fn go(&mut self, to: Label, next: Label) {
        if to != next {
            self.builder.asm.jump(to);
        }
    }

    /// Returns the register in which the field's base address is: `reg`, the object's, or one of a reused pointer. Goes
    /// to `null` if a pointer on the way is NULL: to the verifier any address is valid here, and a helper could be
    /// called with an offset from NULL. It goes there too if a pointer leads out of the kernel's memory, such as into a
    /// process's own: a load would give 0. Where the verifier has to see a check for NULL, there is only that check.
    fn follow(&mut self, reg: Reg, place: &Place, null: Label) -> Reg {
        let is = |reused: &Reused| matches!(reused, Reused::Pointer(other) if other.shares_base(place));
        if let Some(reg) = self.reused(is) {
            // The pointer was checked before, but a label without a jump to it would make its instructions unreachable,
            // which the verifier rejects.
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

    /// The register that holds a reused value, if it was read.
    fn reused(&self, is: impl Fn(&Reused) -> bool) -> Option<Reg> {
        self.reused.iter().find(|(reused, _)| is(reused)).map(|(_, reg)| *reg)
    }

    /// The register reserved for a value that is read now, if it is to be reused and every later instruction comes
    /// after this one.
    fn reuse(&mut self, is: impl Fn(&Reused) -> bool) -> Option<Reg> {
        let nth = self.to_reuse.iter().position(|(reused, _)| is(reused)).filter(|_| self.unconditional)?;
        let (value, reg) = self.to_reuse.remove(nth);
        self.reused.push((value, reg));
        Some(reg)
    }

    /// Reserves `bytes` of the stack while `within` emits.
    fn with_stack<T>(&mut self, bytes: usize, within: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.builder.take_stack(bytes);
        let done = within(self);
        self.builder.give_back_stack(before);
        done
    }

    /// The start of `bytes` free bytes of the stack, rounded up to 8. They stay free only until more of the stack is
    /// taken.
    fn room(&mut self, bytes: usize) -> Address {
        let deepest = self.builder.stack_in_use() + bytes.next_multiple_of(8) as i32;
        self.deepest = self.deepest.max(deepest);
        R10 - deepest
    }

    /// Whether the program's stack is within the kernel's limit (`MAX_BPF_STACK`).
    pub(crate) fn fits_stack(&self) -> bool {
        self.deepest <= 512
    }

    /// An address that a load can encode: its offset has 16 bits. A larger one is added to `reg` first.
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
