//! Emits rows: the selected values are laid out on the stack and written to the output.
//!
//! The result of a write needs no check: if it overflows, `seq_write` marks the buffer as full, so that the row's
//! further writes fail too, and the kernel discards all output for the object and calls the program for it again.

use alloc::boxed::Box;
use alloc::vec::Vec;

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, Helper, Label, Memory, Reloc, u16_at, u32_at, u64_at};
use kwalk_btf::Class;
use kwalk_progs::Map;

use super::number::{calls, size};
use super::{Emit, NULLS};
use crate::error::Error;
use crate::ir::IpPlace;
use crate::ir::{Node, Number};
use crate::ir::{Text, TextKind};
use crate::limits::TEXT_MAX;
use crate::place::Place;
use crate::reuse::Reused;

/// A text longer than this is copied by a helper.
const COPY_MAX: u32 = 32;

/// What is written for each object.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The columns of fixed size, each chunk written at once.
    pub(crate) chunks: Vec<Chunk>,
    /// The texts of variable size, each after its length, with the numbers of their fragments.
    pub(crate) texts: Vec<(Text, u32)>,
}

/// Columns of fixed size that are written together.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The size in bytes.
    pub(crate) size: usize,
    /// If a column can be NULL: the offset of the word with the NULL bits, and the bits that are used.
    pub(crate) nulls: Option<(usize, u32)>,
    pub(crate) columns: Vec<Column>,
}

/// A column in its chunk.
#[derive(Debug)]
pub(crate) struct Column {
    /// The offset in the chunk.
    pub(crate) at: usize,
    /// The column's NULL bit, if it can be NULL.
    pub(crate) null: Option<u32>,
    pub(crate) kind: Kind,
    /// The number of the column's fragment.
    pub(crate) fragment: u32,
}

/// What a column holds.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The field's bytes.
    Field(Place),
    /// The bytes of a character array in the object.
    Text(Place),
    /// A number, in 8 bytes.
    Number(Number),
    /// A family in 4 bytes, if there is a field for it the index of its device in 4 bytes (0 for IPv4), and an address in
    /// 16 bytes; a shorter address is followed by zeros.
    Ip(Box<IpPlace>),
}

impl Kind {
    /// The size in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Kind::Field(place) | Kind::Text(place) => place.field.size as usize,
            Kind::Number(_) => 8,
            Kind::Ip(ip) => {
                if ip.device.is_some() {
                    24
                } else {
                    20
                }
            }
        }
    }

    pub(crate) fn may_be_null(&self) -> bool {
        match self {
            Kind::Field(place) if matches!(place.field.class, Class::Ptr { .. }) => true,
            Kind::Field(place) | Kind::Text(place) => place.may_be_null(),
            Kind::Number(number) => number.may_be_null(),
            Kind::Ip(ip) => ip.may_be_null(),
        }
    }

    /// The field, if loads and stores alone can copy it.
    fn near(&self) -> Option<&Place> {
        match self {
            Kind::Field(place) => Some(place),
            Kind::Text(place) if is_copied(place) => Some(place),
            _ => None,
        }
    }
}

pub(crate) fn is_copied(place: &Place) -> bool {
    let field = &place.field;
    field.size <= COPY_MAX
        && field.size % 8 == 0
        && field.offset % 8 == 0
        && field.offset + field.size < i16::MAX as u32
}

impl Emit<'_, '_> {
    /// Writes the columns of an object.
    pub(crate) fn rows(&mut self, rows: &Rows) -> Result<(), Error> {
        for chunk in &rows.chunks {
            self.chunk(chunk)?;
        }
        for (text, fragment) in &rows.texts {
            self.builder.asm.mark(Some(*fragment));
            self.long_text(text)?;
        }
        self.builder.asm.mark(None);
        Ok(())
    }

    /// Creates the map in whose only element objects are counted.
    pub(crate) fn counter(&mut self) -> u32 {
        self.builder.map(Map::value("kwalk_count", 8))
    }

    /// Counts the object. A program without output never sees an object twice.
    pub(crate) fn count(&mut self, map: u32) {
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index: map, offset: 0 });
        asm.load(R2, u64_at(R1));
        asm.add(R2, 1);
        asm.store(u64_at(R1), R2);
    }

    fn chunk(&mut self, chunk: &Chunk) -> Result<(), Error> {
        let start = self.room(chunk.size);
        if let Some((_, bits)) = chunk.nulls {
            self.builder.asm.mov32(NULLS, bits as i32);
        }
        // Columns that may be NULL are cleared first, so that a row never shows what was on the stack before.
        for column in chunk.columns.iter().filter(|column| column.null.is_some()) {
            self.clear(start, column.at, column.kind.size());
        }
        self.with_stack(chunk.size, |emit| emit.columns(start, chunk))?;
        self.builder.asm.mark(None);
        if let Some((at, _)) = chunk.nulls {
            self.builder.asm.store(u32_at(start + at as i32), NULLS);
        }
        self.write(start, chunk.size)
    }

    fn columns(&mut self, start: Address, chunk: &Chunk) -> Result<(), Error> {
        let mut rest: Vec<&Column> = chunk.columns.iter().collect();
        // What comes after a choice is verified once for each way to it, unless the verifier sees that nothing depends on it.
        rest.sort_by_key(|column| !matches!(column.kind, Kind::Number(Number { node: Node::Case(..), .. })));
        while !rest.is_empty() {
            let first = rest.remove(0);
            self.builder.asm.mark(Some(first.fragment));
            if let Kind::Field(place) = &first.kind {
                if let Some(reg) = self.reused_field(place) {
                    let at = Memory::new(size(place.field.size), start + first.at as i32);
                    self.shared(first, at, reg);
                    continue;
                }
            }
            let Some(place) = first.kind.near() else {
                self.apart(start, first, chunk.nulls.is_some())?;
                continue;
            };
            let together = |column: &&Column| {
                let is_shared =
                    matches!(&column.kind, Kind::Field(place) if self.reused_field(place).is_some());
                !is_shared && column.kind.near().is_some_and(|near| near.shares_base(place))
            };
            let (others, apart) = rest.into_iter().partition(together);
            rest = apart;
            self.together(start, place, &[vec![first], others].concat());
        }
        Ok(())
    }

    /// Stores a number that the condition has read. It is not NULL: the condition would be unknown.
    fn shared(&mut self, column: &Column, at: Memory, reg: Reg) {
        self.builder.asm.store(at, reg);
        if let Some(bit) = column.null {
            self.builder.asm.xor32(NULLS, bit as i32);
        }
    }

    /// Copies fields that share a base: the pointers to it are followed and checked once.
    fn together(&mut self, start: Address, place: &Place, columns: &[&Column]) {
        let null = self.builder.asm.label();
        let base = self.follow(R3, place, null);
        let mut there = 0;
        for column in columns {
            self.builder.asm.mark(Some(column.fragment));
            let at = start + column.at as i32;
            let bit = column.null.unwrap_or(0);
            match &column.kind {
                Kind::Text(place) => {
                    for word in (0..place.field.size as i32).step_by(8) {
                        self.builder.asm.load(R2, u64_at(base + place.field.offset as i32 + word));
                        self.builder.asm.store(u64_at(at + word), R2);
                    }
                    there |= bit;
                }
                Kind::Field(place) => {
                    self.load_from(R2, base, place);
                    // The sign is not extended here: the reader of the row does that.
                    if place.field.bits.is_some() || place.swap {
                        self.extend(R2, place);
                    }
                    self.builder.asm.store(Memory::new(size(place.field.size), at), R2);
                    if matches!(place.field.class, Class::Ptr { .. }) {
                        let is_null = self.builder.asm.label();
                        self.builder.asm.jump_if(R2.eq(0), is_null);
                        self.builder.asm.xor32(NULLS, bit as i32);
                        self.builder.asm.bind(is_null);
                    } else {
                        there |= bit;
                    }
                }
                Kind::Number(_) | Kind::Ip(_) => {}
            }
        }
        if there != 0 {
            self.builder.asm.xor32(NULLS, there as i32);
        }
        self.builder.asm.bind(null);
    }

    /// The register that holds the value of a field, if it is reused.
    fn reused_field(&self, place: &Place) -> Option<Reg> {
        let is = |number: &Number| matches!(&number.node, Node::Field(field) if **field == *place);
        self.reused(|reused| matches!(reused, Reused::Number(number) if is(number)))
    }

    /// The register that holds a computed number, if it is reused.
    fn reused_number(&self, number: &Number) -> Option<Reg> {
        self.reused(|reused| matches!(reused, Reused::Number(same) if same == number))
    }

    /// Writes a column that takes more than loads.
    fn apart(&mut self, start: Address, column: &Column, has_nulls: bool) -> Result<(), Error> {
        let at = start + column.at as i32;
        let null = self.builder.asm.label();
        match &column.kind {
            // The column keeps its NULL bit.
            Kind::Number(Number { node: Node::Null, .. }) => {
                self.builder.asm.bind(null);
                return Ok(());
            }
            Kind::Number(number) if self.reused_number(number).is_some() => {
                let reg = self.reused_number(number).unwrap_or(R2);
                self.builder.asm.store(u64_at(at), reg);
            }
            Kind::Number(number) if calls(number) => self.calling(at, number, null, has_nulls)?,
            Kind::Number(number) => {
                let reg = self.number(number, null)?;
                self.builder.asm.store(u64_at(at), reg);
                self.give_back(reg);
            }
            Kind::Ip(ip) => self.ip(start, column.at, ip, null),
            Kind::Text(place) | Kind::Field(place) => {
                let text = Text { place: place.clone(), kind: TextKind::Array };
                self.text_address(R3, &text, null)?;
                self.builder.asm.address(R1, at);
                self.builder.asm.mov(R2, place.field.size as i32);
                self.builder.asm.call(Helper::ProbeReadKernel);
            }
        }
        if let Some(bit) = column.null {
            self.builder.asm.xor32(NULLS, bit as i32);
        }
        self.builder.asm.bind(null);
        Ok(())
    }

    /// Computes a number with calls. Some of them assemble texts, which takes the register of the NULL bits: the bits
    /// are saved on the stack.
    fn calling(&mut self, at: Address, number: &Number, null: Label, has_nulls: bool) -> Result<(), Error> {
        if !has_nulls {
            let reg = self.number(number, null)?;
            self.builder.asm.store(u64_at(at), reg);
            self.give_back(reg);
            return Ok(());
        }
        let nulls = self.room(8);
        self.builder.asm.store(u64_at(nulls), NULLS);
        // A label without a jump to it would make its instructions unreachable, which the verifier rejects.
        let is_null = number.may_be_null().then(|| self.builder.asm.label());
        let reg = self.with_stack(8, |emit| emit.number(number, is_null.unwrap_or(null)))?;
        self.builder.asm.load(NULLS, u64_at(nulls));
        self.builder.asm.store(u64_at(at), reg);
        self.give_back(reg);
        if let Some(is_null) = is_null {
            let there = self.builder.asm.label();
            self.builder.asm.jump(there);
            self.builder.asm.bind(is_null);
            self.builder.asm.load(NULLS, u64_at(nulls));
            self.builder.asm.jump(null);
            self.builder.asm.bind(there);
        }
        Ok(())
    }

    /// Stores the family, the device if there is a field for that, and the address. Zeros follow a shorter address.
    fn ip(&mut self, start: Address, at: usize, ip: &IpPlace, null: Label) {
        const AF_INET6: i32 = 10;
        let Some(family) = &ip.family else { return };
        let (longer, end) = (self.builder.asm.label(), self.builder.asm.label());
        self.field(R2, family, null);
        self.builder.asm.store(u32_at(start + at as i32), R2);
        if ip.v6.is_some() {
            self.builder.asm.jump_if(R2.eq(AF_INET6), longer);
        }
        let first = if ip.device.is_some() { at + 8 } else { at + 4 };
        for (place, label) in [(&ip.v4, None), (&ip.v6, Some(longer))] {
            let Some(place) = place else { continue };
            if let Some(label) = label {
                self.builder.asm.jump(end);
                self.builder.asm.bind(label);
            }
            match (&ip.device, label) {
                (Some(device), Some(_)) => {
                    let base = self.follow(R3, device, null);
                    self.load_from(R2, base, device);
                    self.builder.asm.store(u32_at(start + (at + 4) as i32), R2);
                }
                (Some(_), None) => self.clear(start, at + 4, 4),
                (None, _) => {}
            }
            let base = self.follow(R3, place, null);
            let length = place.field.size as usize;
            // Before Linux 6.2, verifiers refuse a load of more than the IPv4 address that a union has in this place.
            for from in (0..length).step_by(4) {
                self.load_from(R2, base, &place.part(from as u32, 4));
                self.builder.asm.store(u32_at(start + (first + from) as i32), R2);
            }
            self.clear(start, first + length, 16 - length.min(16));
        }
        self.builder.asm.bind(end);
    }

    /// Writes a text of variable size: 2 bytes with the length, NUL included, or 0 for NULL; then the text.
    fn long_text(&mut self, text: &Text) -> Result<(), Error> {
        if !matches!(text.kind, TextKind::Array | TextKind::Pointer) {
            return self.write_long(text);
        }
        let (null, there) = (self.builder.asm.label(), self.builder.asm.label());
        // The 2 bytes before it are for the length.
        let at = self.room(TEXT_MAX + 2) + 8;
        self.text_address(R3, text, null)?;
        let asm = &mut self.builder.asm;
        asm.address(R1, at);
        asm.mov(R2, TEXT_MAX as i32);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.sgt(0), there);
        asm.bind(null);
        asm.mov(R0, 0);
        asm.bind(there);
        asm.store(u16_at(at - 2), R0);
        asm.mov(R3, R0);
        asm.add(R3, 2);
        asm.address(R2, at - 2);
        self.builder.load_seq()?;
        self.builder.asm.call(Helper::SeqWrite);
        Ok(())
    }

    /// Stores zeros with the widest aligned stores. `start` is aligned to 8 bytes.
    fn clear(&mut self, start: Address, from: usize, bytes: usize) {
        let (mut at, end) = (from, from + bytes);
        while at < end {
            let fits = |wide: &usize| at % wide == 0 && at + wide <= end;
            let wide = [8, 4, 2].into_iter().find(fits).unwrap_or(1);
            self.builder.asm.store(Memory::new(size(wide as u32), start + at as i32), 0);
            at += wide;
        }
    }

    pub(crate) fn write(&mut self, at: Address, bytes: usize) -> Result<(), Error> {
        self.builder.asm.address(R2, at);
        self.builder.asm.mov(R3, bytes as i32);
        self.builder.load_seq()?;
        self.builder.asm.call(Helper::SeqWrite);
        Ok(())
    }
}
