//! Emits numbers that a helper copies: sums over the CPUs of what is behind a per-CPU pointer, and fields that verifiers
//! refuse to load.
//!
//! The object of a CPU is at the same offset from every per-CPU pointer, but no field and no symbol tells this offset. So
//! the program has a per-CPU array: the address of a CPU's element of it (`bpf_map_lookup_percpu_elem`, since Linux 5.19)
//! minus the array's own per-CPU pointer is the offset. The offsets stay in an ARRAY map from the first object on.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, Assembler, Helper, Label, Memory, Reloc, u32_at, u64_at};
use kwalk_progs::{Map, MapKind};

use super::Emit;
use super::number::size;
use crate::error::Error;
use crate::ir::{Bit, Sum};
use crate::place::Place;

/// The bit that is set in an offset that is known. Offsets are multiples of a page.
const KNOWN: i32 = 1;

impl Emit<'_, '_> {
    /// Finds the offsets of all CPUs, unless an earlier object found them. Each is one word, which every reader computes
    /// alike, so that readers need no order. A CPU that there is not has the offset 0, which is not known.
    ///
    /// There are no branches for each CPU: the verifier would follow every combination of them.
    pub(crate) fn cpu_offsets(&mut self, sum: &Sum) {
        let array = self.builder.map(Map::new("kwalk_cpu", MapKind::PercpuArray, 4, 8));
        let offsets = self.builder.map(Map::value("kwalk_offsets", 8 * sum.cpus));
        self.offsets = Some(offsets);
        let slots = self.room(40);
        let (cpu, key, pointer, element, number) = (slots, slots + 8, slots + 16, slots + 24, slots + 32);
        let (each, find, done) =
            (self.builder.asm.label(), self.builder.asm.label(), self.builder.asm.label());
        let asm = &mut self.builder.asm;
        // Whether all are known.
        asm.load_reloc(R1, Reloc::MapValue { index: offsets, offset: 0 });
        asm.mov(R2, KNOWN);
        asm.mov(R3, 0);
        asm.bind(each);
        asm.load(R4, u64_at(R1));
        asm.and(R2, R4);
        asm.add(R1, 8);
        asm.add(R3, 1);
        asm.jump_if(R3.lt(sum.cpus as i32), each);
        asm.jump_if(R2.ne(0), done);

        asm.store(u32_at(key), 0);
        asm.store(u64_at(cpu), 0);
        asm.bind(find);
        asm.load_reloc(R1, Reloc::Map(array));
        asm.address(R2, key);
        asm.load(R3, u64_at(cpu));
        asm.call(Helper::MapLookupPercpuElem);
        // To the verifier these two are pointers, of which it computes no difference. A helper copies them as numbers.
        asm.store(u64_at(pointer), R0);
        self.copied(element, 8, |asm| asm.address(R3, pointer));
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::Map(array));
        asm.store(u64_at(pointer), R1);
        self.copied(number, 8, |asm| asm.address(R3, pointer));
        self.copied(number, 8, |asm| {
            asm.load(R3, u64_at(number));
            asm.add(R3, sum.pptrs as i32);
        });
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(element));
        asm.load(R2, u64_at(number));
        // 1 if there is an element, and its array's pointer was read; else 0.
        asm.mov(R3, R1);
        asm.neg(R3);
        asm.or(R3, R1);
        asm.rsh(R3, 63);
        asm.rsh(R0, 63);
        asm.xor(R0, 1);
        asm.and(R3, R0);
        asm.sub(R1, R2);
        asm.or(R1, KNOWN);
        asm.mul(R1, R3);
        asm.load(R3, u64_at(cpu));
        asm.mov(R4, R3);
        asm.lsh(R4, 3);
        asm.load_reloc(R2, Reloc::MapValue { index: offsets, offset: 0 });
        asm.add(R2, R4);
        asm.store(u64_at(R2), R1);
        asm.add(R3, 1);
        asm.store(u64_at(cpu), R3);
        asm.jump_if(R3.lt(sum.cpus as i32), find);
        asm.bind(done);
    }

    /// Reads a field with a helper, or goes to `null`. All registers are free.
    pub(crate) fn copied_field(&mut self, place: &Place, null: Label) -> Result<Reg, Error> {
        let to = self.room(8);
        let base = self.follow(R3, place, null);
        self.copied(to, place.field.size, |asm| asm.address(R3, base + place.field.offset as i32));
        self.builder.asm.jump_if(R0.ne(0), null);
        let reg = self.take()?;
        self.builder.asm.load(reg, Memory::new(size(place.field.size), to));
        self.extend(reg, place);
        Ok(reg)
    }

    /// Reads a bit of a bitmap, or goes to `null`. All registers are free.
    pub(crate) fn bit(&mut self, bit: &Bit, null: Label) -> Result<Reg, Error> {
        let room = self.room(16);
        let (number, word) = (room, room + 8);
        let base = self.follow(R2, &bit.number, null);
        self.load_from(R2, base, &bit.number);
        self.builder.asm.store(u64_at(number), R2);
        let base = self.follow(R3, &bit.pointer, null);
        // As for a sum, the pointer is copied as a number.
        self.copied(word, 8, |asm| asm.address(R3, base + bit.pointer.field.offset as i32));
        let asm = &mut self.builder.asm;
        asm.load(R3, u64_at(word));
        asm.jump_if(R3.eq(0), null);
        asm.add(R3, bit.word.field.offset as i32);
        self.copied(word, 8, |asm| {
            asm.load(R1, u64_at(number));
            asm.rsh(R1, 6);
            asm.lsh(R1, 3);
            asm.add(R3, R1);
        });
        self.builder.asm.jump_if(R0.ne(0), null);
        let reg = self.take()?;
        let by = if reg == R1 { R2 } else { R1 };
        let asm = &mut self.builder.asm;
        asm.load(by, u64_at(number));
        asm.load(reg, u64_at(word));
        asm.and(by, 63);
        asm.rsh(reg, by);
        asm.and(reg, 1);
        Ok(reg)
    }

    /// Copies bytes to the stack, from the address that `from` leaves in R3. R0 is negative if they can't be read.
    fn copied(&mut self, to: Address, bytes: u32, from: impl FnOnce(&mut Assembler)) {
        let asm = &mut self.builder.asm;
        from(asm);
        asm.address(R1, to);
        asm.mov(R2, bytes as i32);
        asm.call(Helper::ProbeReadKernel);
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
        self.copied(start, 8, |asm| asm.address(R3, base + sum.pointer.field.offset as i32));
        let asm = &mut self.builder.asm;
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
