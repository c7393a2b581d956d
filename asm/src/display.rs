//! From meanings to text: LLVM's, as `llvm-objdump` of LLVM 22 prints it.

use core::fmt;

use crate::helper::HelperId;
use crate::insn::Insn;
use crate::line::{Dec, Hex, Line, Name, Piece, Plus, Short, Spaced};
use crate::op::{AtomicOp, Width};
use crate::program::Decoded;
use crate::reg::Reg;
use crate::shape::{Part, Shape};
use crate::wide::Wide;
use crate::wire::Raw;
use crate::word;

/// The instruction as `llvm-objdump` prints it, on one line: `w1 = *(u32 *)(r2 + 0x8)`,
/// `if r1 s> -0x1 goto +0x3`.
///
/// What LLVM has no text for reads as in the dumps of the kernel's verifier and of bpftool, or
/// nearly: `call pc+0x5`, `call kfunc[id:258,idx:3]`, `r1 = map[fd:5] ll`,
/// `r1 = map[fd:5][0]+0x8 ll`, `r1 = map[idx:0] ll`, `r1 = btf[id:99,fd:7] ll`,
/// `r1 = subprog[+0x3] ll`, `r0 = *(u32 *)skb[r3 + 0x4]`. Numbers are hexadecimal but for those that
/// name something.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; Line::LONGEST];
        let mut line = Line::new(&mut bytes);
        line.insn(self, &Style::PLAIN);
        f.pad(line.text())
    }
}

/// The instruction, or `.insn 0x` and the bytes in the order they are in.
impl fmt::Display for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; Line::LONGEST];
        let mut line = Line::new(&mut bytes);
        line.decoded(self, &Style::PLAIN);
        f.pad(line.text())
    }
}

/// What can be said about an instruction in more than one way.
pub(crate) struct Style {
    /// The slot whose label is written in place of a distance.
    pub(crate) label: Option<usize>,
    /// Whether maps have ids, as in programs that the kernel gives back, in place of descriptors.
    pub(crate) map_ids: bool,
    /// What the helper is called, if it is one, in addition to its number.
    pub(crate) helper: Option<&'static str>,
}

impl Style {
    pub(crate) const PLAIN: Self = Self { label: None, map_ids: false, helper: None };
}

/// What the label of a slot begins with.
pub(crate) const LABEL: &str = "L";

impl Piece for Reg {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        (Width::W64, self).put(line);
    }
}

impl Piece for (Width, Reg) {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        Name(self.1.name(self.0)).put(line);
    }
}

/// `r2 + 0x8`
struct At(Reg, i16);

impl Piece for At {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        self.0.put(line);
        Spaced(self.1.into()).put(line);
    }
}

/// Where a jump leads: `+0x3`, or `L7`.
struct Target<'s>(i32, &'s Style);

impl Piece for Target<'_> {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        match self.1.label {
            None => Plus(self.0.into()).put(line),
            Some(slot) => Label(slot).put(line),
        }
    }
}

/// `L7`
struct Label(usize);

impl Piece for Label {
    fn put(self, line: &mut Line<'_>) {
        LABEL.put(line);
        Dec(self.0 as i64).put(line);
    }
}

/// The names of registers, by width and number.
static REGS: [[[u8; 4]; 16]; Width::ALL.len()] = {
    let mut names = [[[0; 4]; 16]; Width::ALL.len()];
    let mut w = 0;
    while w < Width::ALL.len() {
        let mut number = 0;
        while number < Reg::ALL.len() {
            let name = Reg::ALL[number].name(Width::ALL[w]).as_bytes();
            let mut i = 0;
            while i < name.len() {
                names[w][number][i] = name[i];
                i += 1;
            }
            number += 1;
        }
        w += 1;
    }
    names
};

#[inline(always)]
fn reg(text: &mut Short<'_>, width: Width, number: u8) {
    let number = usize::from(number & 0xf);
    text.push(&REGS[width as usize][number], if number < 10 { 2 } else { 3 });
}

macro_rules! line {
    ($line:ident: $($piece:expr),*) => {{ $( Piece::put($piece, $line); )* }};
}

impl Line<'_> {
    pub(crate) fn decoded(&mut self, decoded: &Decoded, style: &Style) {
        match decoded {
            Decoded::Insn(insn) => self.insn(insn, style),
            Decoded::Raw(bytes) => {
                let line = self;
                line!(line: word::INSN, " 0x");
                bytes.iter().for_each(|&byte| line.hex_byte(byte));
            }
        }
    }

    pub(crate) fn insn(&mut self, insn: &Insn, style: &Style) {
        let line = self;
        let in_shape = |line: &mut Self| {
            let raw = insn.to_raw();
            line.shape(Shape::by_opcode(raw), raw, style);
        };
        match *insn {
            Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::Load { .. }
            | Insn::LoadSigned { .. }
            | Insn::Store { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::JumpReg { .. }
            | Insn::JumpIf { .. }
            | Insn::MayGoto { .. }
            | Insn::Exit => in_shape(line),
            Insn::MovSigned { extend, dst, src } => {
                let width = extend.width();
                line!(line: (width, dst), " = (", Name(extend.name()), ")", (width, src));
            }
            Insn::Swap { op, dst } => line!(line: dst, " = ", Name(op.name()), " ", dst),
            Insn::AddrSpaceCast { dst, src, to, from } => {
                line!(line: dst, " = ", word::ADDR_SPACE_CAST, "(", src, ", ");
                line!(line: Hex(to.into()), ", ", Hex(from.into()), ")");
            }
            Insn::LoadPacket { size, index, offset } => {
                line!(line: Reg::R0, " = *(", Name(size.name()), " *)", word::SKB, "[");
                match (index, offset) {
                    (None, _) => line!(line: Hex(offset.into()), "]"),
                    (Some(index), 0) => line!(line: index, "]"),
                    (Some(index), _) => line!(line: index, Spaced(offset.into()), "]"),
                }
            }
            Insn::Atomic { op, width, base, offset, src } => {
                let (at, of, reg) = (At(base, offset), Name(width.size().name()), (width, src));
                match op {
                    AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => {
                        line!(line: word::LOCK, " *(", of, " *)(", at, ") ", Name(op.symbol()), " ", reg);
                    }
                    AtomicOp::FetchAdd | AtomicOp::FetchOr | AtomicOp::FetchAnd | AtomicOp::FetchXor => {
                        line!(line: reg, " = ", Name(op.symbol()), "((", of, " *)(", at, "), ", reg, ")");
                    }
                    AtomicOp::Xchg => {
                        line!(line: reg, " = ", Name(op.symbol()), Name(width.exchange_suffix()), "(", at, ", ", reg, ")");
                    }
                    AtomicOp::CmpXchg => {
                        let old = (width, Reg::R0);
                        line!(line: old, " = ", Name(op.symbol()), Name(width.exchange_suffix()));
                        line!(line: "(", at, ", ", old, ", ", reg, ")");
                    }
                }
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                line!(line: (size.register(), dst), " = ", word::LOAD_ACQUIRE);
                line!(line: "((", Name(size.name()), " *)(", At(base, offset), "))");
            }
            Insn::StoreRelease { size, base, offset, src } => {
                line!(line: word::STORE_RELEASE, "((", Name(size.name()), " *)(", At(base, offset), "), ");
                line!(line: (size.register(), src), ")");
            }
            Insn::LoadWide { dst, value } => {
                line!(line: dst, " = ");
                line.wide(value, style);
                line!(line: " ", word::LL);
            }
            Insn::CallHelper { helper: HelperId(id) } => match style.helper {
                Some(name) => line!(line: word::CALL, " ", Name(name), "#", Dec(id.into())),
                None => in_shape(line),
            },
            Insn::CallLocal { offset } => match style.label {
                Some(_) => line!(line: word::CALL, " ", Target(offset, style)),
                None => line!(line: word::CALL, " ", word::PC, Plus(offset.into())),
            },
            Insn::CallKfunc { btf_id, btf_fd_offset } => {
                line!(line: word::CALL, " ", word::KFUNC, "[", word::ID, ":", Dec(btf_id.into()));
                if btf_fd_offset != 0 {
                    line!(line: ",", word::IDX, ":", Dec(btf_fd_offset.into()));
                }
                line!(line: "]");
            }
        }
    }

    #[inline(always)]
    pub(crate) fn shape(&mut self, shape: &Shape, raw: Raw, style: &Style) {
        let Some(mut text) = self.short() else { return };
        let mut label = None;
        for (literal, part) in &shape.pieces {
            text.push(&literal.bytes, literal.len);
            let value = match *part {
                Part::Dst(width) => {
                    reg(&mut text, width, raw.dst);
                    continue;
                }
                Part::Src(width) => {
                    reg(&mut text, width, raw.src);
                    continue;
                }
                Part::Imm | Part::LongDistance => raw.imm,
                Part::Offset | Part::Distance => raw.offset.into(),
                Part::End => break,
            };
            if style.label.is_some() && matches!(part, Part::Distance | Part::LongDistance) {
                label = style.label;
                break;
            }
            let (sign, len) = part.sign(value);
            text.push(sign, len);
            text.hex(value.unsigned_abs());
        }
        let len = text.len;
        self.wrote(len);
        if let Some(slot) = label {
            Label(slot).put(self);
        }
    }

    fn wide(&mut self, value: Wide, style: &Style) {
        let line = self;
        let fd_word = if style.map_ids { word::ID } else { word::FD };
        match value {
            Wide::Imm(value) => line!(line: Hex(value as i64)),
            Wide::MapFd(fd) => line!(line: word::MAP, "[", fd_word, ":", Dec(fd.into()), "]"),
            Wide::MapFdValue { fd, offset } => {
                line!(line: word::MAP, "[", fd_word, ":", Dec(fd.into()), "][0]", Plus(offset.into()));
            }
            Wide::BtfId { btf_id, btf_fd } => {
                line!(line: word::BTF, "[", word::ID, ":", Dec(btf_id.into()));
                if btf_fd != 0 {
                    line!(line: ",", word::FD, ":", Dec(btf_fd.into()));
                }
                line!(line: "]");
            }
            Wide::Func { offset } => match style.label {
                Some(_) => line!(line: Target(offset, style)),
                None => line!(line: word::SUBPROG, "[", Plus(offset.into()), "]"),
            },
            Wide::MapIdx(index) => line!(line: word::MAP, "[", word::IDX, ":", Dec(index.into()), "]"),
            Wide::MapIdxValue { index, offset } => {
                line!(line: word::MAP, "[", word::IDX, ":", Dec(index.into()), "][0]", Plus(offset.into()));
            }
        }
    }
}
