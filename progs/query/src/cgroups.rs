//! The program that collects the ids of cgroups, for walks of more cgroups than the kernel shows in one.

use kwalk_asm::Reg::*;
use kwalk_asm::{Helper, Reloc, u32_at, u64_at};
use kwalk_progs::{Builder, Error, Kernel, Map, MapKind, Program, Value, targets};

/// Writes a program that stores the ids of the walked cgroups in its only map, an array of 8-byte numbers. Element 0 is
/// the number of cgroups, including those that the array had no room for; the ids follow from element 1 on. The program
/// prints nothing, so that one read(2) does the whole walk under one lock.
///
/// # Errors
///
/// [`Error::NoTarget`] where this kernel has no such target, [`Error::Btf`] where the BTF is damaged.
pub fn cgroup_ids(kernel: &Kernel<'_>) -> Result<Program, Error> {
    let mut walk = Builder::new(kernel, &targets::cgroup::TARGET)?;
    let map = walk.map(Map { max_entries: 1 << 14, ..Map::new("cgroup_ids", MapKind::Array, 4, 8) });
    let (index, id) = (walk.stack_slot(), walk.stack_slot());
    let done = walk.asm.label();
    let cgroup = walk.object(R7, done)?;
    // The program counts itself: `meta.seq_num` also counts cgroups that are being removed, which are not shown.
    walk.asm.store(u64_at(index.address()), 0);
    walk.lookup(map, index);
    walk.asm.jump_if(R0.eq(0), done);
    walk.asm.load(R1, u64_at(R0));
    walk.asm.add(R1, 1);
    walk.asm.store(u64_at(R0), R1);
    walk.asm.store(u32_at(index.address()), R1);
    walk.load(R1, cgroup.field("kn.id"))?;
    walk.asm.store(u64_at(id.address()), R1);
    walk.asm.load_reloc(R1, Reloc::Map(map));
    for (reg, value) in [(R2, index), (R3, id)] {
        walk.load(reg, Value::StackAddress(value))?;
    }
    walk.asm.mov(R4, 0);
    walk.asm.call(Helper::MapUpdateElem);
    walk.finish("cgroup_ids", done)
}
