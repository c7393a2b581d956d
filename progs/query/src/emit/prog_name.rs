//! Emits the whole name of a BPF program: the kernel keeps 15 bytes of it, and its BTF has the rest.

use kwalk_asm::Reg::*;
use kwalk_asm::{Helper, Label, Reloc, u8_at, u32_at, u64_at};

use super::Emit;
use super::long::{NAME_MAX, TEXT};
use crate::ir::{ProgName, Text};

/// The size of the name that the kernel keeps, with its NUL (`BPF_OBJ_NAME_LEN`).
const SHORT_MAX: i32 = 16;

impl Emit<'_, '_> {
    /// Leaves the length of the name in R0, or goes to `null`. A name of fewer than 15 bytes is whole; else that of the
    /// program's function, which the kernel's begins with, is the whole one, as bpftool has it.
    pub(super) fn prog_name(&mut self, text: &Text, of: ProgName, null: Label) {
        let buffer = self.buffer();
        let (short, done) = (self.builder.asm.label(), self.builder.asm.label());
        let slots = self.room(16);
        let (aux, read) = (slots, slots + 8);
        self.field(R1, &text.place, null);
        let asm = &mut self.builder.asm;
        asm.store(u64_at(aux), R1);
        asm.load(R2, u8_at(R1 + (of.name as i32 + SHORT_MAX - 2)));
        asm.jump_if(R2.eq(0), short);
        asm.load(R4, u64_at(R1 + of.btf as i32));
        asm.jump_if(R4.eq(0), short);
        asm.load(R5, u64_at(R1 + of.func_info as i32));
        asm.jump_if(R5.eq(0), short);
        // A program's BTF is not split, so `types[type_id]` is the type of the function.
        asm.load(R3, u32_at(R5 + of.type_id as i32));
        asm.lsh(R3, 3);
        asm.load(R2, u64_at(R4 + of.types as i32));
        asm.add(R3, R2);
        asm.address(R1, read);
        asm.mov(R2, 8);
        asm.call(Helper::ProbeReadKernel);
        asm.jump_if(R0.ne(0), short);
        // `name_off` is the first field of `struct btf_type` (uapi linux/btf.h).
        asm.load(R3, u64_at(read));
        asm.address(R1, read);
        asm.mov(R2, 4);
        asm.call(Helper::ProbeReadKernel);
        asm.jump_if(R0.ne(0), short);
        asm.load(R2, u32_at(read));
        asm.load(R1, u64_at(aux));
        asm.load(R4, u64_at(R1 + of.btf as i32));
        asm.jump_if(R4.eq(0), short);
        asm.load(R1, u32_at(R4 + of.str_len as i32));
        asm.jump_if(R2.ge(R1), short);
        asm.load(R3, u64_at(R4 + of.strings as i32));
        asm.add(R3, R2);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.mov(R2, NAME_MAX);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.sgt(SHORT_MAX - 1), done);
        asm.bind(short);
        asm.load(R3, u64_at(aux));
        asm.address(R3, R3 + of.name as i32);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.mov(R2, SHORT_MAX);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.sle(0), null);
        asm.bind(done);
    }
}
