//! A function for `bpf_find_vma` to call back: whether a mapping is a process's own memory.

use kwalk_asm::Reg::{R0, R2, R3, R4, R5};
use kwalk_asm::{Assembler, Label, u64_at};

/// The function that `bpf_find_vma` calls with the mapping that it has found, and the offsets of fields in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    /// Where the function starts.
    pub(crate) start: Label,
    pub(crate) file: u32,
    pub(crate) end: u32,
}

impl Check {
    /// Emits the function. R2 is the mapping, and R3 the address of three numbers: the first address of the memory, the
    /// last one, and the result, which it sets to 1 if the mapping has no file, and has the last address too.
    pub(crate) fn emit(self, asm: &mut Assembler) {
        let done = asm.label();
        asm.bind(self.start);
        asm.load(R4, u64_at(R2 + self.file as i32));
        asm.jump_if(R4.ne(0), done);
        asm.load(R4, u64_at(R2 + self.end as i32));
        asm.load(R5, u64_at(R3 + 8));
        asm.jump_if(R5.ge(R4), done);
        asm.store(u64_at(R3 + 16), 1);
        asm.bind(done);
        asm.mov(R0, 0);
        asm.exit();
    }
}
