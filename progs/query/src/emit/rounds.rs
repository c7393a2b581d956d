//! Emits loops whose number of rounds depends on the object.

use kwalk_asm::Reg::*;
use kwalk_asm::{Address, Label, u32_at, u64_at};

use super::Emit;
use crate::error::Error;

/// A loop. Its counter takes 8 bytes of the stack.
pub(super) struct Rounds {
    counter: Address,
    most: i32,
    iterates: bool,
}

/// The kfuncs of loops that the verifier goes through once for all rounds (open-coded iterators, since Linux 6.4).
const NEW: &str = "bpf_iter_num_new";
const NEXT: &str = "bpf_iter_num_next";
const DESTROY: &str = "bpf_iter_num_destroy";

impl Emit<'_, '_> {
    /// Starts a loop of at most `most` rounds. Where the kernel has no iterators, or no JIT to call them, the verifier
    /// follows every single round, and there are at most `followed` of them. R0 to R5 are clobbered.
    pub(super) fn begin_rounds(
        &mut self,
        counter: Address,
        most: i32,
        followed: i32,
    ) -> Result<Rounds, Error> {
        let found = self.builder.kernel().kfuncs([NEW, NEXT, DESTROY])?;
        let iterates = found.iter().all(Option::is_some);
        if iterates {
            let asm = &mut self.builder.asm;
            asm.address(R1, counter);
            asm.mov(R2, 0);
            asm.mov(R3, most);
            self.kfunc(NEW)?;
        } else {
            self.builder.asm.store(u64_at(counter), 0);
        }
        Ok(Rounds { counter, most: if iterates { most } else { followed }, iterates })
    }

    /// Begins a round, with its number in R1, or goes to `over` after the last one. R0 to R5 are clobbered.
    pub(super) fn next_round(&mut self, rounds: &Rounds, over: Label) -> Result<(), Error> {
        if rounds.iterates {
            self.builder.asm.address(R1, rounds.counter);
            self.kfunc(NEXT)?;
            self.builder.asm.jump_if(R0.eq(0), over);
            self.builder.asm.load(R1, u32_at(R0));
        } else {
            let asm = &mut self.builder.asm;
            asm.load(R1, u64_at(rounds.counter));
            asm.jump_if(R1.ge(rounds.most), over);
            asm.mov(R2, R1);
            asm.add(R2, 1);
            asm.store(u64_at(rounds.counter), R2);
        }
        Ok(())
    }

    /// Ends a loop. Every path out of it has to come here. R0 to R5 are clobbered.
    pub(super) fn end_rounds(&mut self, rounds: &Rounds) -> Result<(), Error> {
        if rounds.iterates {
            self.builder.asm.address(R1, rounds.counter);
            self.kfunc(DESTROY)?;
        }
        Ok(())
    }
}
