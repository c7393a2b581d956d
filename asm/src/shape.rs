//! The text of each instruction whose opcode says all but registers and numbers, in one table: the printer fills it
//! in, and the parser finds it by what is left of a line without them.

use crate::op::{AluOp, JumpOp, SignedSize, Size, Width};
use crate::wire::{self, Raw};
use crate::word;

/// What stands between the fixed pieces of a text.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Dst(Width),
    Src(Width),
    /// `0x8`: the immediate.
    Imm,
    /// ` + 0x8`: the offset, from an address.
    Offset,
    /// `+0x8`: the offset, from here.
    Distance,
    /// `+0x8`: the immediate, from here.
    LongDistance,
    /// The end of the text.
    End,
}

impl Part {
    /// What a number begins with, and how long that is.
    #[inline(always)]
    pub(crate) fn sign(self, value: i32) -> (&'static [u8; 8], usize) {
        let (signs, len) = match self {
            Self::Offset => ([b" + 0x   ", b" - 0x   "], [5, 5]),
            Self::Distance | Self::LongDistance => ([b"+0x     ", b"-0x     "], [3, 3]),
            _ => ([b"0x      ", b"-0x     "], [2, 3]),
        };
        let negative = usize::from(value < 0);
        (signs[negative], len[negative])
    }
}

/// A piece of text, no longer than so that it is copied at once.
#[derive(Clone, Copy)]
pub(crate) struct Literal {
    pub(crate) bytes: [u8; Self::LONGEST],
    pub(crate) len: usize,
}

/// What the text of an instruction is made of.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) pieces: [(Literal, Part); 4],
    /// The slot with all parts zero, and the bits that they may have.
    fixed: u64,
    used: u64,
    /// Whether the destination stands in the text twice.
    twice: bool,
    /// Whether the immediate is the first number in the text.
    imm_first: bool,
}

impl Literal {
    pub(crate) const LONGEST: usize = 16;

    const fn new(parts: [&str; 3]) -> Self {
        let mut literal = Self { bytes: [0; Self::LONGEST], len: 0 };
        let mut part = 0;
        while part < parts.len() {
            let bytes = parts[part].as_bytes();
            let mut i = 0;
            while i < bytes.len() {
                literal.bytes[literal.len] = bytes[i];
                literal.len += 1;
                i += 1;
            }
            part += 1;
        }
        literal
    }
}

impl Shape {
    const NONE: Self = Self {
        pieces: [(Literal::new(["", "", ""]), Part::End); 4],
        fixed: !0,
        used: 0,
        twice: false,
        imm_first: false,
    };

    /// That of the instruction in a slot, if it has one.
    #[inline(always)]
    pub(crate) fn of(slot: u64) -> Option<&'static Self> {
        let raw = Raw::from_slot(slot);
        let shape = Self::by_opcode(raw);
        let known = slot & !shape.used == shape.fixed && raw.dst <= 10 && raw.src <= 10;
        known.then_some(shape)
    }

    /// That of an instruction that has one.
    #[inline(always)]
    pub(crate) fn by_opcode(raw: Raw) -> &'static Self {
        let odd = usize::from(raw.offset as u16 & 1);
        &TABLE.shapes[usize::from(TABLE.by_opcode[usize::from(raw.opcode)][odd])]
    }

    /// The one whose text has this skeleton.
    #[inline(always)]
    pub(crate) fn by_skeleton(skeleton: Skeleton) -> Option<&'static Self> {
        if skeleton.len > Skeleton::LONGEST {
            return None;
        }
        let mut place = skeleton.place();
        // The table has places that are free.
        loop {
            let number = TABLE.by_skeleton[place % PLACES];
            if number == 0 {
                return None;
            }
            if TABLE.skeletons[usize::from(number)] == skeleton.bits {
                return Some(&TABLE.shapes[usize::from(number)]);
            }
            place += 1;
        }
    }

    /// The slot with these registers and numbers, in the order of the text, if the numbers fit.
    #[inline(always)]
    pub(crate) fn filled(&self, regs: [u8; 2], numbers: [i64; 2]) -> Option<u64> {
        // The destination comes first in all texts, and in those without a source, maybe twice.
        let [dst, src] = regs;
        if self.twice && dst != src {
            return None;
        }
        let [first, second] = numbers;
        let (imm, offset) = if self.imm_first { (first, second) } else { (second, first) };
        let (imm, offset) = (i32::try_from(imm).ok()?, i16::try_from(offset).ok()?);
        let raw = Raw { opcode: 0, dst, src, offset, imm };
        Some(self.fixed | raw.to_slot() & self.used)
    }
}

/// What a text has beside registers and numbers: its fixed pieces, and a mark in place of each of these, 7 bits each.
#[derive(Clone, Copy)]
pub(crate) struct Skeleton {
    bits: u128,
    len: u32,
}

impl Skeleton {
    pub(crate) const EMPTY: Self = Self { bits: 0, len: 0 };
    /// A number, with a sign or without; and one with a blank after its sign.
    pub(crate) const NUMBER: u8 = 1;
    pub(crate) const SPACED: u8 = 2;
    /// A register, whole or its lower half.
    pub(crate) const R: u8 = 3;
    pub(crate) const W: u8 = 4;
    const LONGEST: u32 = 18;

    #[inline(always)]
    pub(crate) const fn push(&mut self, byte: u8) {
        self.bits = self.bits << 7 | byte as u128;
        self.len += 1;
    }

    #[inline(always)]
    const fn place(self) -> usize {
        let folded = (self.bits >> 64) as u64 ^ (self.bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
    }

    const fn of(pieces: &[(Literal, Part); 4]) -> Self {
        let mut skeleton = Self::EMPTY;
        let mut piece = 0;
        loop {
            let (literal, part) = pieces[piece];
            let mut i = 0;
            while i < literal.len {
                skeleton.push(literal.bytes[i]);
                i += 1;
            }
            match part {
                Part::Dst(Width::W32) | Part::Src(Width::W32) => skeleton.push(Self::W),
                Part::Dst(Width::W64) | Part::Src(Width::W64) => skeleton.push(Self::R),
                Part::Imm | Part::Distance | Part::LongDistance => skeleton.push(Self::NUMBER),
                Part::Offset => {
                    skeleton.push(b' ');
                    skeleton.push(Self::SPACED);
                }
                Part::End => {
                    assert!(skeleton.len <= Self::LONGEST, "a text is longer than a skeleton can be");
                    return skeleton;
                }
            }
            piece += 1;
        }
    }
}

/// As many as a byte can number.
const COUNT: usize = 256;
const PLACES: usize = 1024;

struct Table {
    /// The first is none.
    shapes: [Shape; COUNT],
    skeletons: [u128; COUNT],
    len: usize,
    /// The number of the shape, by the opcode and the lowest bit of the offset.
    by_opcode: [[u8; 2]; 256],
    /// The same by the place of the skeleton, or the next that was free.
    by_skeleton: [u8; PLACES],
}

static TABLE: Table = table();

impl Table {
    const fn add(&mut self, opcode: u8, offset: Option<i16>, pieces: [(Literal, Part); 4]) {
        let mut shape = Shape { pieces, fixed: opcode as u64, ..Shape::NONE };
        let mut piece = 0;
        while piece < pieces.len() {
            let part = pieces[piece].1;
            shape.twice |= piece > 0 && matches!(part, Part::Dst(_));
            shape.imm_first |= matches!(part, Part::Imm | Part::LongDistance) && shape.used >> 16 == 0;
            shape.used |= match part {
                Part::Dst(_) => 0xf << 8,
                Part::Src(_) => 0xf << 12,
                Part::Offset | Part::Distance => 0xffff << 16,
                Part::Imm | Part::LongDistance => 0xffff_ffff << 32,
                Part::End => 0,
            };
            piece += 1;
        }
        if let Some(offset) = offset {
            shape.fixed |= (offset as u64) << 16;
        }
        let number = self.len;
        self.shapes[number] = shape;
        let skeleton = Skeleton::of(&pieces);
        self.skeletons[number] = skeleton.bits;
        self.len += 1;

        let by_offset = &mut self.by_opcode[opcode as usize];
        match offset {
            Some(offset) => by_offset[offset as usize] = number as u8,
            None => *by_offset = [number as u8; 2],
        }

        let mut place = skeleton.place();
        while self.by_skeleton[place % PLACES] != 0 {
            let other = self.skeletons[self.by_skeleton[place % PLACES] as usize];
            assert!(other != skeleton.bits, "two instructions with one text");
            place += 1;
        }
        self.by_skeleton[place % PLACES] = number as u8;
    }
}

/// Up to four pieces, each what stands before a part, and the part.
const fn pieces<const N: usize>(all: [([&str; 3], Part); N]) -> [(Literal, Part); 4] {
    let mut pieces = Shape::NONE.pieces;
    let mut i = 0;
    while i < N {
        pieces[i] = (Literal::new(all[i].0), all[i].1);
        i += 1;
    }
    pieces
}

// Loops over the tables by index: a constant function has no iterators.
const fn table() -> Table {
    use Part::{Distance, Dst, End, Imm, LongDistance, Offset, Src};
    const EMPTY: [&str; 3] = ["", "", ""];
    let mut table = Table {
        shapes: [Shape::NONE; COUNT],
        skeletons: [0; COUNT],
        len: 1,
        by_opcode: [[0; 2]; 256],
        by_skeleton: [0; PLACES],
    };

    let mut w = 0;
    while w < Width::ALL.len() {
        let width = Width::ALL[w];
        let mut i = 0;
        while i < AluOp::ALL.len() {
            let (code, offset, symbol) = AluOp::ALL[i].row();
            let opcode = width.alu_class() | code;
            let symbol = [" ", symbol, " "];
            table.add(opcode, Some(offset), pieces([(EMPTY, Dst(width)), (symbol, Imm)]));
            table.add(opcode | wire::X, Some(offset), pieces([(EMPTY, Dst(width)), (symbol, Src(width))]));
            i += 1;
        }
        let negative = [" = -", "", ""];
        table.add(width.alu_class() | wire::NEG, None, pieces([(EMPTY, Dst(width)), (negative, Dst(width))]));
        let mut i = 0;
        while i < JumpOp::ALL.len() {
            let op = JumpOp::ALL[i];
            let opcode = width.jump_class() | op.code();
            let (start, symbol, goto) =
                ([word::IF, " ", ""], [" ", op.symbol(), " "], [" ", word::GOTO, " "]);
            let left = (start, Dst(width));
            table.add(opcode, None, pieces([left, (symbol, Imm), (goto, Distance)]));
            table.add(opcode | wire::X, None, pieces([left, (symbol, Src(width)), (goto, Distance)]));
            i += 1;
        }
        w += 1;
    }

    let mut i = 0;
    while i < Size::ALL.len() {
        let size = Size::ALL[i];
        let (width, name) = (size.register(), size.name());
        let load = wire::LDX | wire::MEM | size.bits();
        let from = [" = *(", name, " *)("];
        table.add(
            load,
            None,
            pieces([(EMPTY, Dst(width)), (from, Src(Width::W64)), (EMPTY, Offset), ([")", "", ""], End)]),
        );
        let to = [(["*(", name, " *)("], Dst(Width::W64)), (EMPTY, Offset)];
        let value = [") = ", "", ""];
        let store = wire::MEM | size.bits();
        table.add(wire::ST | store, None, pieces([to[0], to[1], (value, Imm)]));
        table.add(wire::STX | store, None, pieces([to[0], to[1], (value, Src(width))]));
        i += 1;
    }
    let mut i = 0;
    while i < SignedSize::ALL.len() {
        let size = SignedSize::ALL[i];
        let load = wire::LDX | wire::MEMSX | size.bits();
        let from = [" = *(", size.name(), " *)("];
        table.add(
            load,
            None,
            pieces([
                (EMPTY, Dst(Width::W64)),
                (from, Src(Width::W64)),
                (EMPTY, Offset),
                ([")", "", ""], End),
            ]),
        );
        i += 1;
    }

    table.add(wire::GOTO, None, pieces([([word::GOTO, " ", ""], Distance)]));
    table.add(wire::GOTOL, None, pieces([([word::GOTOL, " ", ""], LongDistance)]));
    table.add(wire::GOTOX, None, pieces([([word::GOTOX, " ", ""], Dst(Width::W64))]));
    table.add(wire::MAY_GOTO, None, pieces([([word::MAY_GOTO, " ", ""], Distance)]));
    table.add(wire::CALL, None, pieces([([word::CALL, " ", ""], Imm)]));
    table.add(wire::EXIT, None, pieces([([word::EXIT, "", ""], End)]));
    table
}
