//! Emits sums over the CPUs of what is behind a per-CPU pointer.
//!
//! The object of a CPU is at the same offset from every per-CPU pointer, but no field and no symbol tells this offset. So
//! the program has a per-CPU array: the address of a CPU's element of it (`bpf_map_lookup_percpu_elem`, since Linux 5.19)
//! minus the array's own per-CPU pointer is the offset. The offsets stay in an ARRAY map from the first object on.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Helper, Label, Memory, Reloc, u32_at, u64_at};
use kwalk_progs::{Map, MapKind};

use super::Emit;
use super::number::size;
use crate::error::Error;
use crate::ir::Sum;

/// The bit that is set in an offset that is known. Offsets are multiples of a page.
const KNOWN: i32 = 1;

impl Emit<'_, '_> {
    /// Finds the offsets of all CPUs, unless an earlier object found them. Each is one word, which every reader computes
    /// alike, so that readers need no order.
    pub(crate) fn cpu_offsets(&mut self, sum: &Sum) {
        let array = self.builder.map(Map::new("kwalk_cpu", MapKind::PercpuArray, 4, 8));
        let offsets = self.builder.map(Map::value("kwalk_offsets", 8 * sum.cpus));
        self.offsets = Some(offsets);
        let slots = self.room(48);
        let (cpu, word, key, pointer) = (slots, slots + 8, slots + 16, slots + 24);
        let (element, number) = (slots + 32, slots + 40);
        let (each, next) = (self.builder.asm.label(), self.builder.asm.label());
        let asm = &mut self.builder.asm;
        asm.store(u64_at(cpu), 0);
        asm.bind(each);
        asm.load(R1, u64_at(cpu));
        asm.lsh(R1, 3);
        asm.load_reloc(R2, Reloc::MapValue { index: offsets, offset: 0 });
        asm.add(R2, R1);
        asm.load(R1, u64_at(R2));
        asm.jump_if(R1.ne(0), next);
        asm.store(u64_at(word), R2);

        asm.store(u32_at(key), 0);
        asm.load_reloc(R1, Reloc::Map(array));
        asm.address(R2, key);
        asm.load(R3, u64_at(cpu));
        asm.call(Helper::MapLookupPercpuElem);
        asm.jump_if(R0.eq(0), next);
        // To the verifier these two are pointers, of which it computes no difference. A helper copies them as numbers.
        asm.store(u64_at(pointer), R0);
        asm.address(R1, element);
        asm.mov(R2, 8);
        asm.address(R3, pointer);
        asm.call(Helper::ProbeReadKernel);
        asm.load_reloc(R1, Reloc::Map(array));
        asm.store(u64_at(pointer), R1);
        asm.address(R1, number);
        asm.mov(R2, 8);
        asm.address(R3, pointer);
        asm.call(Helper::ProbeReadKernel);
        asm.load(R3, u64_at(number));
        asm.add(R3, sum.pptrs as i32);
        asm.address(R1, number);
        asm.mov(R2, 8);
        asm.call(Helper::ProbeReadKernel);
        asm.jump_if(R0.ne(0), next);
        asm.load(R1, u64_at(element));
        asm.load(R2, u64_at(number));
        asm.sub(R1, R2);
        asm.or(R1, KNOWN);
        asm.load(R2, u64_at(word));
        asm.store(u64_at(R2), R1);

        asm.bind(next);
        asm.load(R1, u64_at(cpu));
        asm.add(R1, 1);
        asm.store(u64_at(cpu), R1);
        asm.jump_if(R1.lt(sum.cpus as i32), each);
    }

    /// Sums what the CPUs have, or goes to `null` if the pointer is NULL or anything can't be read. All registers are
    /// free.
    pub(crate) fn sum(&mut self, sum: &Sum, null: Label) -> Result<Reg, Error> {
        let offsets = self.offsets.unwrap_or(0);
        let slots = self.room(40);
        let (cpu, start, total, failed, value) = (slots, slots + 8, slots + 16, slots + 24, slots + 32);
        let field = &sum.value.field;
        // To the verifier the pointer may be one to a struct, to which no number can be added: a helper copies it as one.
        let base = self.follow(R3, &sum.pointer, null);
        let each = self.builder.asm.label();
        let asm = &mut self.builder.asm;
        asm.address(R3, base + sum.pointer.field.offset as i32);
        asm.address(R1, start);
        asm.mov(R2, 8);
        asm.call(Helper::ProbeReadKernel);
        asm.load(R3, u64_at(start));
        asm.jump_if(R3.eq(0), null);
        asm.add(R3, field.offset as i32);
        asm.store(u64_at(start), R3);
        for slot in [cpu, total, failed] {
            asm.store(u64_at(slot), 0);
        }
        asm.bind(each);
        asm.load(R1, u64_at(cpu));
        asm.lsh(R1, 3);
        asm.load_reloc(R2, Reloc::MapValue { index: offsets, offset: 0 });
        asm.add(R2, R1);
        asm.load(R3, u64_at(R2));
        // The sum is NULL if a CPU's offset is not known, or its number can't be read: no branch for each CPU.
        asm.mov(R4, R3);
        asm.and(R4, KNOWN);
        asm.xor(R4, KNOWN);
        asm.load(R1, u64_at(failed));
        asm.or(R1, R4);
        asm.store(u64_at(failed), R1);
        asm.load(R1, u64_at(start));
        asm.add(R3, R1);
        asm.sub(R3, KNOWN);
        asm.address(R1, value);
        asm.mov(R2, field.size as i32);
        asm.call(Helper::ProbeReadKernel);
        asm.load(R1, u64_at(failed));
        asm.or(R1, R0);
        asm.store(u64_at(failed), R1);
        asm.load(R1, Memory::new(size(field.size), value));
        self.extend(R1, &sum.value);
        let asm = &mut self.builder.asm;
        asm.load(R2, u64_at(total));
        asm.add(R2, R1);
        asm.store(u64_at(total), R2);
        asm.load(R1, u64_at(cpu));
        asm.add(R1, 1);
        asm.store(u64_at(cpu), R1);
        asm.jump_if(R1.lt(sum.cpus as i32), each);
        asm.load(R1, u64_at(failed));
        asm.jump_if(R1.ne(0), null);
        let reg = self.take()?;
        self.builder.asm.load(reg, u64_at(total));
        Ok(reg)
    }
}
