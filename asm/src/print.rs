//! Displays an instruction as text, like `llvm-objdump` of LLVM 22.

use alloc::string::String;
use core::fmt;

use crate::helper::HelperId;
use crate::insn::Insn;
use crate::op::{AtomicOp, Width};
use crate::operand::{Condition, Operand};
use crate::program::Decoded;
use crate::reg::Reg;
use crate::wide::Wide;

/// The instruction as `llvm-objdump` prints it, on one line: `w1 = *(u32 *)(r2 + 0x8)`,
/// `if r1 s> -0x1 goto +0x3`.
///
/// Instructions without a syntax in LLVM are displayed as in the dumps of the verifier and of
/// bpftool, or similarly: `call pc+0x5`, `call kfunc[id:258,idx:3]`, `r1 = map[fd:5] ll`, `r1 =
/// map[fd:5][0]+0x8 ll`, `r1 = map[idx:0] ll`, `r1 = btf[id:99,fd:7] ll`, `r1 = subprog[+0x3] ll`,
/// `r0 = *(u32 *)skb[r3 + 0x4]`. Numbers are hexadecimal, except file descriptors, ids and indexes.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        Printer::PLAIN.insn(self, &mut text);
        f.pad(&text)
    }
}

/// The instruction, or `.insn 0x` and the bytes in their order in memory.
impl fmt::Display for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        Printer::PLAIN.decoded(self, &mut text);
        f.pad(&text)
    }
}

/// Options for displaying an instruction.
#[derive(Clone, Copy)]
pub(crate) struct Printer {
    /// The slot of the target, to write a label instead of the distance.
    pub(crate) label: Option<usize>,
    /// Whether a map's number is an id, as in programs that the kernel returns, not a descriptor.
    pub(crate) map_ids: bool,
    /// The name of the helper that is called, to write before its number.
    pub(crate) helper: Option<&'static str>,
}

/// A piece of an instruction's text.
pub(crate) trait Piece {
    fn put(self, text: &mut String);
}

/// Appends pieces to a text, one after the other.
macro_rules! put {
    ($text:expr; $($piece:expr),+) => {{ $( $crate::print::Piece::put($piece, $text); )+ }};
}

pub(crate) use put;

impl Piece for &str {
    #[inline]
    fn put(self, text: &mut String) {
        text.push_str(self);
    }
}

impl Piece for (Width, Reg) {
    #[inline]
    fn put(self, text: &mut String) {
        text.push_str(self.1.name(self.0));
    }
}

impl Piece for Reg {
    #[inline]
    fn put(self, text: &mut String) {
        text.push_str(self.name(Width::W64));
    }
}

impl Piece for (Width, Operand) {
    #[inline]
    fn put(self, text: &mut String) {
        match self.1 {
            Operand::Reg(reg) => (self.0, reg).put(text),
            Operand::Imm(imm) => Hex(imm.into()).put(text),
        }
    }
}

/// A hexadecimal number: `0x8`, `-0x8`.
struct Hex(i64);

/// A hexadecimal number that always has its sign: `+0x8`, `-0x8`.
struct Signed(i64);

/// An address: `r2 + 0x8`, `r2 - 0x8`.
struct At(Reg, i32);

/// A decimal number.
pub(crate) struct Dec(pub(crate) i64);

/// The label of a slot: `L7`.
pub(crate) struct Label(pub(crate) usize);

impl Piece for Hex {
    #[inline]
    fn put(self, text: &mut String) {
        text.push_str(if self.0 < 0 { "-0x" } else { "0x" });
        hex_digits(self.0.unsigned_abs(), text);
    }
}

impl Piece for Signed {
    #[inline]
    fn put(self, text: &mut String) {
        text.push_str(if self.0 < 0 { "-0x" } else { "+0x" });
        hex_digits(self.0.unsigned_abs(), text);
    }
}

impl Piece for At {
    #[inline]
    fn put(self, text: &mut String) {
        put!(text; self.0, if self.1 < 0 { " - 0x" } else { " + 0x" });
        hex_digits(self.1.unsigned_abs().into(), text);
    }
}

impl Piece for Dec {
    fn put(self, text: &mut String) {
        // Writing to a string never fails.
        let _ = fmt::Write::write_fmt(text, format_args!("{}", self.0));
    }
}

impl Piece for Label {
    fn put(self, text: &mut String) {
        put!(text; "L", Dec(self.0 as i64));
    }
}

/// Twice as fast as `{:x}` for the one or two digits that most numbers have.
fn hex_digits(value: u64, text: &mut String) {
    let digits = (u64::BITS - (value | 1).leading_zeros()).div_ceil(4);
    for digit in (0..digits).rev() {
        text.push(char::from(b"0123456789abcdef"[(value >> (4 * digit) & 0xf) as usize]));
    }
}

impl Printer {
    pub(crate) const PLAIN: Self = Self { label: None, map_ids: false, helper: None };

    pub(crate) fn decoded(&self, decoded: &Decoded, text: &mut String) {
        match decoded {
            Decoded::Insn(insn) => self.insn(insn, text),
            Decoded::Raw(bytes) => {
                // Writing to a string never fails.
                let _ =
                    fmt::Write::write_fmt(text, format_args!(".insn {:#018x}", u64::from_be_bytes(*bytes)));
            }
        }
    }

    pub(crate) fn insn(&self, insn: &Insn, text: &mut String) {
        match *insn {
            Insn::Alu { width, op, dst, src } => {
                put!(text; (width, dst), " ", op.symbol(), " ", (width, src));
            }
            Insn::Neg { width, dst } => put!(text; (width, dst), " = -", (width, dst)),
            Insn::MovSigned { extend, dst, src } => {
                let width = extend.width();
                put!(text; (width, dst), " = (", extend.name(), ")", (width, src));
            }
            Insn::Swap { op, dst } => put!(text; dst, " = ", op.name(), " ", dst),
            Insn::AddrSpaceCast { dst, src, to, from } => {
                put!(text; dst, " = addr_space_cast(", src, ", ", Hex(to.into()), ", ", Hex(from.into()), ")");
            }
            Insn::Load { size, dst, base, offset } => {
                put!(text; (size.register(), dst), " = *(", size.name(), " *)(", At(base, offset.into()), ")");
            }
            Insn::LoadSigned { size, dst, base, offset } => {
                put!(text; dst, " = *(", size.name(), " *)(", At(base, offset.into()), ")");
            }
            Insn::LoadPacket { size, index, offset } => {
                put!(text; "r0 = *(", size.name(), " *)skb[");
                match (index, offset) {
                    (None, _) => Hex(offset.into()).put(text),
                    (Some(index), 0) => index.put(text),
                    (Some(index), _) => At(index, offset).put(text),
                }
                put!(text; "]");
            }
            Insn::Store { size, base, offset, src } => {
                put!(text; "*(", size.name(), " *)(", At(base, offset.into()), ") = ", (size.register(), src));
            }
            Insn::Atomic { op, width, base, offset, src } => {
                let (name, size, at, src) =
                    (op.symbol(), width.size().name(), At(base, offset.into()), (width, src));
                match op {
                    AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => {
                        put!(text; "lock *(", size, " *)(", at, ") ", name, " ", src);
                    }
                    AtomicOp::FetchAdd | AtomicOp::FetchOr | AtomicOp::FetchAnd | AtomicOp::FetchXor => {
                        put!(text; src, " = ", name, "((", size, " *)(", at, "), ", src, ")");
                    }
                    AtomicOp::Xchg => {
                        put!(text; src, " = ", name, width.exchange_suffix(), "(", at, ", ", src, ")");
                    }
                    AtomicOp::CmpXchg => {
                        let old = (width, Reg::R0);
                        put!(text; old, " = ", name, width.exchange_suffix(), "(", at, ", ", old, ", ", src, ")");
                    }
                }
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                let dst = (size.register(), dst);
                put!(text; dst, " = load_acquire((", size.name(), " *)(", At(base, offset.into()), "))");
            }
            Insn::StoreRelease { size, base, offset, src } => {
                let src = (size.register(), src);
                put!(text; "store_release((", size.name(), " *)(", At(base, offset.into()), "), ", src, ")");
            }
            Insn::LoadWide { dst, value } => {
                put!(text; dst, " = ");
                self.wide(value, text);
                put!(text; " ll");
            }
            Insn::Jump { offset } => {
                put!(text; "goto ");
                self.target("", offset.into(), text);
            }
            Insn::JumpLong { offset } => {
                put!(text; "gotol ");
                self.target("", offset, text);
            }
            Insn::JumpReg { target } => put!(text; "gotox ", target),
            Insn::JumpIf { condition: Condition { width, op, left, right }, offset } => {
                put!(text; "if ", (width, left), " ", op.symbol(), " ", (width, right), " goto ");
                self.target("", offset.into(), text);
            }
            Insn::MayGoto { offset } => {
                put!(text; "may_goto ");
                self.target("", offset.into(), text);
            }
            Insn::CallHelper { helper: HelperId(id) } => match self.helper {
                Some(name) => put!(text; "call ", name, "#", Dec(id.into())),
                None => put!(text; "call ", Hex((id as i32).into())),
            },
            Insn::CallLocal { offset } => {
                put!(text; "call ");
                self.target("pc", offset, text);
            }
            Insn::CallKfunc { btf_id, btf_fd_offset } => {
                put!(text; "call kfunc[id:", Dec(btf_id.into()));
                if btf_fd_offset != 0 {
                    put!(text; ",idx:", Dec(btf_fd_offset.into()));
                }
                put!(text; "]");
            }
            Insn::Exit => put!(text; "exit"),
        }
    }

    /// The target of a jump or call: its label, or the distance after `origin`.
    fn target(&self, origin: &str, offset: i32, text: &mut String) {
        match self.label {
            Some(slot) => Label(slot).put(text),
            None => put!(text; origin, Signed(offset.into())),
        }
    }

    /// The value of a wide load.
    fn wide(&self, value: Wide, text: &mut String) {
        let map = if self.map_ids { "map[id:" } else { "map[fd:" };
        match value {
            Wide::Imm(value) => Hex(value as i64).put(text),
            Wide::MapFd(fd) => put!(text; map, Dec(fd.into()), "]"),
            Wide::MapFdValue { fd, offset } => {
                put!(text; map, Dec(fd.into()), "][0]", Signed(offset.into()));
            }
            Wide::BtfId { btf_id, btf_fd } => {
                put!(text; "btf[id:", Dec(btf_id.into()));
                if btf_fd != 0 {
                    put!(text; ",fd:", Dec(btf_fd.into()));
                }
                put!(text; "]");
            }
            Wide::Func { offset } => match self.label {
                Some(slot) => Label(slot).put(text),
                None => put!(text; "subprog[", Signed(offset.into()), "]"),
            },
            Wide::MapIdx(index) => put!(text; "map[idx:", Dec(index.into()), "]"),
            Wide::MapIdxValue { index, offset } => {
                put!(text; "map[idx:", Dec(index.into()), "][0]", Signed(offset.into()));
            }
        }
    }
}
