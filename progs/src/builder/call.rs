//! Calls of helpers and kfuncs.

use kwalk_asm::Reg::*;
use kwalk_asm::{CallReloc, Helper, Reloc, u64_at};

use super::Builder;
use crate::error::Error;
use crate::kfunc::{Callee, Owner};
use crate::operand::{Buffer, Ptr, StackSlot, Trusted};

impl Builder<'_> {
    /// Looks up a function to be called: in the kernel, or else in its modules, where the loader finds it. Whether
    /// iterators may call it, the verifier decides.
    ///
    /// # Errors
    ///
    /// [`Error::NoJit`] if the kernel has no JIT, and so refuses calls of kfuncs; [`Error::Btf`] if the BTF is damaged.
    pub fn kfunc(&mut self, name: &'static str) -> Result<Callee, Error> {
        if !self.kernel.has_jit {
            return Err(Error::NoJit { function: name });
        }
        if let Some(id) = self.kernel.kfunc(name)? {
            return Ok(Callee(Owner::Kernel(id)));
        }
        let index = self.kfuncs.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.kfuncs.push(name);
            self.kfuncs.len() - 1
        });
        Ok(Callee(Owner::Module(index as u32)))
    }

    /// Calls a function with the arguments in R1 to R5. R0 is then its result; R1 to R5 are clobbered.
    #[track_caller]
    pub fn call(&mut self, callee: Callee) {
        match callee.0 {
            Owner::Kernel(id) => self.asm.call_kfunc(id.0, 0),
            Owner::Module(index) => self.asm.call_reloc(CallReloc::Kfunc(index)),
        }
    }

    /// Calls a function with one argument, a trusted pointer. R0 is then its result; R1 to R5 are clobbered.
    #[track_caller]
    pub fn call_with(&mut self, callee: Callee, argument: &Ptr<Trusted>) {
        self.asm.mov(R1, argument.reg);
        self.call(callee);
    }

    /// Reads `size` bytes from the kernel address in R3 to `to`. R0 is then 0, or negative if the address can't be
    /// read.
    #[track_caller]
    pub fn probe_read(&mut self, to: StackSlot, size: i32) {
        self.asm.address(R1, R10 - to.0);
        self.asm.mov(R2, size);
        self.asm.call(Helper::ProbeReadKernel);
    }

    /// Writes the return addresses of a task's kernel stack to the `size` bytes at `to`, 8 bytes each, the innermost
    /// function first. R0 is then the number of bytes written; or negative if the task has no stack any more, or is
    /// running. The free 8 bytes below the stack in use are overwritten.
    ///
    /// The kernel collects the addresses in a buffer per CPU. While a preempted program has it, no other program on
    /// this CPU gets any stack, as if the tasks had none (on 6.19, readers lost most of their tasks to each other); or
    /// it gets another task's. So preemption is disabled during the call, on 6.10 and later. Older kernels have no
    /// kfunc for this, and need it only if they were booted with full preemption; kernels without a JIT can't call it.
    ///
    /// The helper checks nothing, and the verifier accepts NULL (which makes 6.18 oops) and pointers to freed tasks:
    /// therefore `task` is a trusted [`Ptr`]. The iterator keeps the task alive: it holds a reference during the call.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the BTF is damaged.
    #[track_caller]
    pub fn get_task_stack(&mut self, task: &Ptr<Trusted>, to: Buffer, size: i32) -> Result<(), Error> {
        let [off, on] = self.kernel.kfuncs(["bpf_preempt_disable", "bpf_preempt_enable"])?;
        let guard = off.zip(on).map(|(off, on)| [off, on].map(|id| Callee(Owner::Kernel(id))));
        if let Some([off, _]) = guard {
            self.call(off);
        }
        self.asm.mov(R1, task.reg);
        match to {
            Buffer::Address(address) => self.asm.address(R2, address),
            Buffer::MapValue { index, offset } => self.asm.load_reloc(R2, Reloc::MapValue { index, offset }),
        }
        self.asm.mov(R3, size);
        self.asm.mov(R4, 0);
        self.asm.call(Helper::GetTaskStack);
        if let Some([_, on]) = guard {
            let result = R10 - (self.stack + 8);
            self.asm.store(u64_at(result), R0);
            self.call(on);
            self.asm.load(R0, u64_at(result));
        }
        Ok(())
    }

    /// Looks up the key in `key` in the map with this index. R0 is then a pointer to the value, or NULL.
    #[track_caller]
    pub fn lookup(&mut self, index: u32, key: StackSlot) {
        self.asm.load_reloc(R1, Reloc::Map(index));
        self.asm.address(R2, R10 - key.0);
        self.asm.call(Helper::MapLookupElem);
    }

    /// Deletes the key in `key` from the map with this index.
    #[track_caller]
    pub fn delete(&mut self, index: u32, key: StackSlot) {
        self.asm.load_reloc(R1, Reloc::Map(index));
        self.asm.address(R2, key.address());
        self.asm.call(Helper::MapDeleteElem);
    }
}
