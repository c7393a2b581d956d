//! `progs`: the kernel's BPF programs, as its preloaded `progs.debug` shows them.

use kwalk_asm::Reg::*;
use kwalk_asm::{Label, u32_at, u64_at};

use super::options::Options;
use crate::builder::{Builder, OVERFLOW, Rows};
use crate::error::Error;
use crate::operand::{Ptr, StackSlot, Value};

pub(super) fn emit(w: &mut Builder<'_>, _: &Options, done: Label) -> Result<(), Error> {
    let name = w.stack_slot();
    let prog = w.object(R7, done)?;
    let aux = w.follow(R7, &prog, "aux")?;
    let aux = w.non_null(aux, done);
    w.header("  id name             attached\n", Rows::All)?;
    let short = aux.text("name");
    w.load(R1, short)?;
    w.asm.store(u64_at(name.address()), R1);
    function_name(w, &aux, name)?;
    row(w, &aux, Value::Stack(name))?;
    // A function's name can be too long for one output: then the row has the short name instead.
    w.asm.jump_if(R0.eq(0), done);
    w.asm.jump_if(R0.eq(OVERFLOW), done);
    row(w, &aux, short)
}

fn row<T>(w: &mut Builder<'_>, aux: &Ptr<T>, name: Value<'_>) -> Result<(), Error> {
    let attached = [aux.field("attach_func_name"), aux.text("dst_prog.aux.name")];
    w.printf("%4u %-16s %s %s\n", &[aux.field("id"), name, attached[0], attached[1]])
}

/// Stores the address of the program's function name in `name`, if the program has BTF: it can be longer than the 15
/// bytes of the program's own name.
fn function_name<T>(w: &mut Builder<'_>, aux: &Ptr<T>, name: StackSlot) -> Result<(), Error> {
    let (none, read) = (w.asm.label(), w.stack_slot());
    let btf = w.follow(R8, aux, "btf")?;
    let btf = w.non_null(btf, none);
    let func_info = w.follow(R1, aux, "func_info")?;
    let func_info = w.non_null(func_info, none);
    // A program's BTF is not split, so `types[type_id]` is the type of the function.
    w.load(R3, func_info.field("type_id"))?;
    w.asm.lsh(R3, 3);
    w.load(R1, btf.field("types"))?;
    w.asm.add(R3, R1);
    w.probe_read(read, 8);
    w.asm.jump_if(R0.ne(0), none);
    // `name_off` is the first field of `struct btf_type` (uapi linux/btf.h).
    w.asm.load(R3, u64_at(read.address()));
    w.probe_read(read, 4);
    w.asm.jump_if(R0.ne(0), none);
    w.asm.load(R2, u32_at(read.address()));
    w.load(R1, btf.field("hdr.str_len"))?;
    w.asm.jump_if(R2.ge(R1), none);
    w.load(R1, btf.field("strings"))?;
    w.asm.add(R1, R2);
    w.asm.store(u64_at(name.address()), R1);
    w.asm.bind(none);
    Ok(())
}
