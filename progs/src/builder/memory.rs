//! Checks whether the memory of a process is its own, before a program copies it.

use kwalk_asm::Reg::{R0, R1, R2, R3, R4, R5};
use kwalk_asm::{Address, Helper, Label, u64_at};
use kwalk_btf::Kind;

use super::Builder;
use crate::error::Error;
use crate::mapping::Check;

/// What `bpf_find_vma` returns if it would have to wait for the lock of the process's memory.
const EBUSY: i32 = -16;

impl Builder<'_> {
    /// Goes to `no` if the memory of a task is in a mapping of a file, or in none: a copy could wait for a file system
    /// that does not answer. The first and the last address are on the stack, at `range` and 8 bytes behind; 8 more
    /// bytes are for the result. `task` is where the pointer to the task is.
    ///
    /// This is no protection against a process that changes its mappings at the right moment. If another thread changes
    /// mappings just then, the answer is not known, and the program goes on. So it does on kernels that can't call back:
    /// those without `bpf_find_vma` (before Linux 5.17) or without a JIT.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the kernel's mappings have no such fields.
    pub fn owns_memory(&mut self, task: Address, range: Address, no: Label) -> Result<(), Error> {
        let btf = self.kernel.btf;
        if !self.kernel.has_jit || btf.find(Kind::Func, "bpf_find_vma").is_err() {
            return Ok(());
        }
        let check = match self.check {
            Some(check) => check,
            None => {
                let mapping = btf.find(Kind::Struct, "vm_area_struct")?;
                let field = |name| Ok::<_, Error>(btf.path(mapping, name)?.field.offset);
                Check { start: self.asm.label(), file: field("vm_file")?, end: field("vm_end")? }
            }
        };
        self.check = Some(check);
        let asm = &mut self.asm;
        let go_on = asm.label();
        asm.store(u64_at(range + 16), 0);
        asm.load(R1, u64_at(task));
        asm.jump_if(R1.eq(0), no);
        asm.load(R2, u64_at(range));
        asm.load_func(R3, check.start);
        asm.address(R4, range);
        asm.mov(R5, 0);
        asm.call(Helper::FindVma);
        asm.jump_if(R0.eq(EBUSY), go_on);
        asm.load(R1, u64_at(range + 16));
        asm.jump_if(R1.eq(0), no);
        asm.bind(go_on);
        Ok(())
    }
}
