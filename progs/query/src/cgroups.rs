//! The ids of cgroups, in the order of their walk: what it takes to walk more of them than the kernel gives at once.

use kwalk_asm::Reg::*;
use kwalk_asm::{Helper, Reloc, u32_at, u64_at};
use kwalk_progs::{Builder, Error, Kernel, Map, MapKind, Program, Value, targets};

/// A program that stores the ids of a walk's cgroups in its only map, an array of numbers: how many there are comes
/// first, and counts those, too, that had no room. It prints nothing, so that the walk is one, under one lock, however long
/// it is.
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
    // Counted here: the kernel's number of the object counts those, too, that are about to go and not shown.
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
