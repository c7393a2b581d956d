//! What a program calls: the kernel's helpers and kfuncs.

use kwalk_asm::Reg::*;
use kwalk_asm::{CallReloc, Helper, Reloc, u64_at};

use super::Builder;
use crate::error::Error;
use crate::kfunc::{Callee, Owner};
use crate::operand::{Buffer, Ptr, StackSlot, Trusted};

impl Builder<'_> {
    /// The function `name`, to be called: the kernel's own; or else a module's, which the loader looks for. That it is there
    /// does not say that iterators may call it: the verifier does.
    ///
    /// # Errors
    ///
    /// [`Error::NoJit`] where the kernel calls no functions; [`Error::Btf`] where the BTF is damaged.
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

    /// Calls a function with the arguments that are in R1 to R5, which it may clobber. R0 is then what it returns.
    #[track_caller]
    pub fn call(&mut self, callee: Callee) {
        match callee.0 {
            Owner::Kernel(id) => self.asm.call_kfunc(id.0, 0),
            Owner::Module(index) => self.asm.call_reloc(CallReloc::Kfunc(index)),
        }
    }

    /// Calls a function that takes one trusted pointer. R0 is then what it returns.
    #[track_caller]
    pub fn call_with(&mut self, callee: Callee, argument: &Ptr<Trusted>) {
        self.asm.mov(R1, argument.reg);
        self.call(callee);
    }

    /// Reads `size` bytes at the kernel address in R3, whatever lies there, into `to`. R0 is then 0, or negative
    /// where they could not be read.
    #[track_caller]
    pub fn probe_read(&mut self, to: StackSlot, size: i32) {
        self.asm.address(R1, R10 - to.0);
        self.asm.mov(R2, size);
        self.asm.call(Helper::ProbeReadKernel);
    }

    /// Writes the return addresses of a task's kernel stack, 8 bytes each and the innermost first, to the `size`
    /// bytes at `to`. R0 is then how many bytes it wrote, or negative where the task has no stack any more, or runs. The
    /// 8 bytes of the stack below those in use are overwritten.
    ///
    /// The kernel collects them in memory that each processor has once. A program that is preempted meanwhile keeps all
    /// others on that processor from any stack, which looks as if the tasks had none (seen on 6.19, whose readers lost
    /// most of their tasks to each other); or it finds another task's stack there. So preemption is off during the call,
    /// from 6.10 on. Older kernels have no function for that, and need it only if they were started with full preemption;
    /// nor can a kernel without a JIT call it.
    ///
    /// The helper itself checks nothing, and the verifier lets pass what is NULL (seen to oops 6.18) and what may be gone:
    /// hence a trusted [`Ptr`]. What keeps that task alive is the iterator, which holds a reference during the call.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the BTF is damaged.
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

    /// Looks the key in `key` up in map `index`. R0 is then a pointer to its value, or NULL.
    #[track_caller]
    pub fn lookup(&mut self, index: u32, key: StackSlot) {
        self.asm.load_reloc(R1, Reloc::Map(index));
        self.asm.address(R2, R10 - key.0);
        self.asm.call(Helper::MapLookupElem);
    }

    /// Removes the key in `key` from map `index`.
    #[track_caller]
    pub fn delete(&mut self, index: u32, key: StackSlot) {
        self.asm.load_reloc(R1, Reloc::Map(index));
        self.asm.address(R2, key.address());
        self.asm.call(Helper::MapDeleteElem);
    }
}
