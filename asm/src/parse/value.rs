//! Parses loads, stores and values.

use super::error::{Expected, Fault};
use super::scan::Parsed;
use super::{Parser, like_register, register};
use crate::insn::Insn;
use crate::op::{AluOp, AtomicOp, PacketSize, SignExtend, SignedSize, Size, SwapOp, Width};
use crate::operand::Operand;
use crate::reg::Reg;
use crate::wide::Wide;
use crate::wire;

impl<'t> Parser<'t> {
    /// Parses what follows `dst =`.
    pub(super) fn value(&mut self, width: Width, dst: Reg) -> Parsed<Insn> {
        match self.scan.peek() {
            Some(b'*') => self.load(width, dst),
            Some(b'(') => {
                self.scan.need("(")?;
                let cast = self.scan.word();
                let Some(extend) = SignExtend::find(|(to, _, name)| to == width && name == cast) else {
                    return self.scan.fault(Expected::Cast(width));
                };
                self.scan.advance(cast.len());
                self.scan.need(")")?;
                Ok(Insn::MovSigned { extend, dst, src: self.reg(width)? })
            }
            Some(b'-') => {
                let mut after = self.scan;
                after.advance(1);
                if !after.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    return self.constant(width, dst);
                }
                self.scan = after;
                self.same(width, dst)?;
                Ok(Insn::Neg { width, dst })
            }
            Some(b'+' | b'0'..=b'9') => self.constant(width, dst),
            _ if like_register(self.scan.word()) => {
                Ok(Insn::Alu { width, op: AluOp::Mov, dst, src: Operand::Reg(self.reg(width)?) })
            }
            _ => self.named(width, dst),
        }
    }

    /// A number; a wide load if it is marked so or needs 64 bits.
    fn constant(&mut self, width: Width, dst: Reg) -> Parsed<Insn> {
        let number = self.scan.number()?;
        let wide = width == Width::W64
            && (self.scan.eat("ll") || self.opcode == Some(wire::WIDE) || number.as_imm().is_none());
        if wide {
            return Ok(Insn::LoadWide { dst, value: Wide::Imm(number.imm64()?) });
        }
        Ok(Insn::Alu { width, op: AluOp::Mov, dst, src: Operand::Imm(number.imm()?) })
    }

    /// A value that starts with a word which is no register.
    fn named(&mut self, width: Width, dst: Reg) -> Parsed<Insn> {
        let position = self.scan.position();
        let name = self.scan.word();
        let mut after = self.scan;
        after.advance(name.len());
        if name.is_empty() {
            return self.scan.fault(Expected::Value);
        }
        if name == "load_acquire" {
            self.scan = after;
            return self.load_acquire(width, dst);
        }
        if let Some((op, of)) = atomic(name) {
            self.scan = after;
            return self.atomic(op, of, width, dst);
        }
        // The others have a 64-bit result only.
        if width == Width::W32 {
            return self.scan.fault(Expected::Operand);
        }
        if let Some(op) = SwapOp::find(|(_, _, known)| known == name) {
            self.scan = after;
            self.same(width, dst)?;
            return Ok(Insn::Swap { op, dst });
        }
        let before = core::mem::replace(&mut self.scan, after);
        let value = match (name, after.peek()) {
            ("addr_space_cast", Some(b'(')) => return self.addr_space_cast(dst),
            ("map", Some(b'[')) => self.map()?,
            ("btf", Some(b'[')) => self.btf()?,
            ("subprog", Some(b'[')) => {
                self.scan.need("[")?;
                let offset = self.scan.signed_number()?.fit()?;
                self.scan.need("]")?;
                Wide::Func { offset }
            }
            _ => {
                if !self.scan.eat("ll") {
                    self.scan = before;
                    return self.scan.fault(Expected::Value);
                }
                self.refer(name, position);
                return Ok(Insn::LoadWide { dst, value: Wide::Func { offset: 0 } });
            }
        };
        self.scan.eat("ll");
        Ok(Insn::LoadWide { dst, value })
    }

    /// `*(u32 *)(r2 + 8)`, `*(u32 *)skb[r3 + 4]`
    fn load(&mut self, width: Width, dst: Reg) -> Parsed<Insn> {
        let signed = |name| SignedSize::find(|(_, _, known)| known == name);
        self.scan.need("*")?;
        let (name, position) = self.cast(Expected::LoadSize, |name| {
            (size(name).is_some() || signed(name).is_some()).then_some(name)
        })?;
        let small = || Err(Fault::new(position, Expected::SmallSize));
        if self.scan.peek() != Some(b'(') {
            if !self.scan.eat("skb") {
                return self.scan.fault(Expected::Word("("));
            }
            return match PacketSize::find(|(_, known)| known == name) {
                Some(size) => self.packet(size, width, dst),
                None => small(),
            };
        }
        let (base, offset) = self.in_parentheses()?;
        match (size(name), signed(name)) {
            (Some(size), _) if fits(width, size) => Ok(Insn::Load { size, dst, base, offset }),
            (_, Some(size)) if width == Width::W64 => Ok(Insn::LoadSigned { size, dst, base, offset }),
            // A `w` register has no room for a larger type, or no bits to extend the sign to.
            _ => small(),
        }
    }

    /// `[4]`, `[r3]`, `[r3 + 4]`
    fn packet(&mut self, size: PacketSize, width: Width, dst: Reg) -> Parsed<Insn> {
        if (width, dst) != (Width::W64, Reg::R0) {
            return Err(Fault::new(self.start, Expected::Same(Width::W64, Reg::R0)));
        }
        self.scan.need("[")?;
        let (index, offset) = if self.scan.at_number() {
            (None, self.scan.number()?.imm()?)
        } else {
            let index = self.reg(Width::W64)?;
            let offset = if self.scan.peek() == Some(b']') { 0 } else { self.packet_offset()? };
            (Some(index), offset)
        };
        self.scan.need("]")?;
        Ok(Insn::LoadPacket { size, index, offset })
    }

    /// `+ 4`, or in the kernel's syntax, `+ -4`.
    fn packet_offset(&mut self) -> Parsed<i32> {
        let mut after = self.scan;
        if after.eat("+") && after.peek() == Some(b'-') {
            self.scan = after;
        }
        self.scan.signed_number()?.imm()
    }

    /// `*(u32 *)(r2 + 8) = 5`
    pub(super) fn store(&mut self) -> Parsed<Insn> {
        self.scan.need("*")?;
        let (size, _) = self.cast(Expected::Size, size)?;
        let (base, offset) = self.in_parentheses()?;
        self.scan.need("=")?;
        let src = if self.scan.at_number() {
            Operand::Imm(self.scan.number()?.imm()?)
        } else {
            Operand::Reg(self.moved(size, Expected::Operand)?)
        };
        Ok(Insn::Store { size, base, offset, src })
    }

    /// Parses what follows `lock`.
    pub(super) fn lock(&mut self) -> Parsed<Insn> {
        self.scan.need("*")?;
        let (width, _) = self.cast(Expected::AnyAtomicSize, atomic_width)?;
        let (base, offset) = self.in_parentheses()?;
        let ops = [AtomicOp::Add, AtomicOp::Or, AtomicOp::And, AtomicOp::Xor];
        let op = self.scan.symbol(&ops, AtomicOp::symbol, Expected::AtomicAssignment)?;
        let src = self.moved(width.size(), Expected::RegisterOf(width))?;
        Ok(Insn::Atomic { op, width, base, offset, src })
    }

    /// Parses what follows the name of an atomic that fetches. `of` is the width in the name.
    fn atomic(&mut self, op: AtomicOp, of: Option<Width>, to: Width, dst: Reg) -> Parsed<Insn> {
        self.scan.need("(")?;
        let (width, (base, offset)) = match (self.scan.peek(), of) {
            (Some(b'('), None) => {
                (self.cast(Expected::AnyAtomicSize, atomic_width)?.0, self.in_parentheses()?)
            }
            (Some(b'('), Some(of)) => {
                let same = |name| atomic_width(name).filter(|&width| width == of);
                (self.cast(Expected::AtomicSize(of), same)?.0, self.in_parentheses()?)
            }
            (_, Some(width)) => (width, self.address()?),
            (_, None) => return self.scan.fault(Expected::Word("(")),
        };
        if !fits(to, width.size()) {
            return Err(Fault::new(self.start, Expected::RegisterOf(width)));
        }
        self.scan.need(",")?;
        let src = if op == AtomicOp::CmpXchg {
            if dst != Reg::R0 {
                return Err(Fault::new(self.start, Expected::Same(to, Reg::R0)));
            }
            self.same_moved(width, Reg::R0)?;
            self.scan.need(",")?;
            self.moved(width.size(), Expected::RegisterOf(width))?
        } else {
            self.same_moved(width, dst)?;
            dst
        };
        self.scan.need(")")?;
        Ok(Insn::Atomic { op, width, base, offset, src })
    }

    fn load_acquire(&mut self, width: Width, dst: Reg) -> Parsed<Insn> {
        self.scan.need("(")?;
        let (size, position) = self.cast(Expected::Size, size)?;
        if !fits(width, size) {
            return Err(Fault::new(position, Expected::SmallSize));
        }
        let (base, offset) = self.in_parentheses()?;
        self.scan.need(")")?;
        Ok(Insn::LoadAcquire { size, dst, base, offset })
    }

    pub(super) fn store_release(&mut self) -> Parsed<Insn> {
        self.scan.need("(")?;
        let (size, _) = self.cast(Expected::Size, size)?;
        let (base, offset) = self.in_parentheses()?;
        self.scan.need(",")?;
        let src = self.moved(size, Expected::Register)?;
        self.scan.need(")")?;
        Ok(Insn::StoreRelease { size, base, offset, src })
    }

    /// `(r2, 0, 1)`
    fn addr_space_cast(&mut self, dst: Reg) -> Parsed<Insn> {
        self.scan.need("(")?;
        let src = self.reg(Width::W64)?;
        self.scan.need(",")?;
        let to = self.scan.number()?.fit()?;
        self.scan.need(",")?;
        let from = self.scan.number()?.fit()?;
        self.scan.need(")")?;
        Ok(Insn::AddrSpaceCast { dst, src, to, from })
    }

    /// `[fd:5]`, `[idx:5]`, either with `[0]+8` or, in bpftool's dumps, `+8` after it.
    fn map(&mut self) -> Parsed<Wide> {
        self.scan.need("[")?;
        let key = self.scan.word();
        let by_index = match key {
            "fd" | "id" => false,
            "idx" => true,
            _ => return self.scan.fault(Expected::MapKey),
        };
        self.scan.advance(key.len());
        self.scan.need(":")?;
        let number = self.scan.number()?;
        self.scan.need("]")?;
        let value = self.scan.eat("[");
        if value {
            self.scan.need("0")?;
            self.scan.need("]")?;
        }
        if !value && self.scan.peek() != Some(b'+') {
            return Ok(if by_index { Wide::MapIdx(number.fit()?) } else { Wide::MapFd(number.fit()?) });
        }
        let offset = self.scan.signed_number()?.fit()?;
        Ok(match by_index {
            true => Wide::MapIdxValue { index: number.fit()?, offset },
            false => Wide::MapFdValue { fd: number.fit()?, offset },
        })
    }

    /// `[id:99]`, `[id:99,fd:7]`
    fn btf(&mut self) -> Parsed<Wide> {
        self.scan.need("[")?;
        let btf_id = self.keyed("id")?.fit()?;
        let btf_fd = if self.scan.eat(",") { self.keyed("fd")?.fit()? } else { 0 };
        self.scan.need("]")?;
        Ok(Wide::BtfId { btf_id, btf_fd })
    }

    /// `(u32 *)`: the result of `find` for the type, and the type's position.
    fn cast<T>(&mut self, expected: Expected, find: impl Fn(&'t str) -> Option<T>) -> Parsed<(T, usize)> {
        self.scan.need("(")?;
        let position = self.scan.position();
        let name = self.scan.word();
        let Some(found) = find(name) else { return self.scan.fault(expected) };
        self.scan.advance(name.len());
        self.scan.need("*")?;
        self.scan.need(")")?;
        Ok((found, position))
    }

    /// `(r2 + 8)`
    fn in_parentheses(&mut self) -> Parsed<(Reg, i16)> {
        self.scan.need("(")?;
        let address = self.address()?;
        self.scan.need(")")?;
        Ok(address)
    }

    /// `r2 + 8`
    fn address(&mut self) -> Parsed<(Reg, i16)> {
        let base = self.reg(Width::W64)?;
        Ok((base, self.scan.signed_number()?.fit()?))
    }

    /// The register to or from which `size` bytes are moved: an `r` register, or a `w` register if
    /// they fit.
    fn moved(&mut self, size: Size, expected: Expected) -> Parsed<Reg> {
        let word = self.scan.word();
        match register(word) {
            Some((width, reg)) if fits(width, size) => {
                self.scan.advance(word.len());
                Ok(reg)
            }
            Some(_) => self.scan.fault(Expected::RegisterOf(Width::W64)),
            None => self.scan.fault(expected),
        }
    }

    fn same_moved(&mut self, width: Width, reg: Reg) -> Parsed<()> {
        let (expected, position) = (Expected::Same(width, reg), self.scan.position());
        let moved = self.moved(width.size(), expected)?;
        if moved == reg { Ok(()) } else { Err(Fault::new(position, expected)) }
    }

    fn same(&mut self, width: Width, reg: Reg) -> Parsed<()> {
        if self.scan.eat(reg.name(width)) { Ok(()) } else { self.scan.fault(Expected::Same(width, reg)) }
    }
}

fn size(name: &str) -> Option<Size> {
    Size::find(|(_, _, known)| known == name)
}

fn atomic_width(name: &str) -> Option<Width> {
    Width::find(|row| row.3.name() == name)
}

/// Whether a register of this width may be named for a move of this size.
fn fits(width: Width, size: Size) -> bool {
    width == Width::W64 || size.register() == Width::W32
}

/// The atomic with this name in LLVM's or the kernel's syntax, and its width if the name tells.
fn atomic(name: &str) -> Option<(AtomicOp, Option<Width>)> {
    let fetching = || AtomicOp::ALL.iter().copied().filter(|op| op.fetches());
    if let Some(op) = fetching().find(|op| op.symbol() == name) {
        // Without `64`, the kernel means 32 bits, and LLVM either: the type tells.
        return if exchanges(op) { None } else { Some((op, None)) };
    }
    let rest = name.strip_prefix("atomic");
    Width::ALL.iter().copied().find_map(|width| {
        let kernels = rest.and_then(|rest| rest.strip_prefix(width.kernel_suffix())?.strip_prefix('_'));
        let op = fetching().find(|&op| {
            let symbol = op.symbol();
            let short = symbol.strip_prefix("atomic_").unwrap_or(symbol);
            kernels == Some(short)
                || exchanges(op) && name.strip_prefix(symbol) == Some(width.exchange_suffix())
        });
        op.map(|op| (op, Some(width)))
    })
}

fn exchanges(op: AtomicOp) -> bool {
    matches!(op, AtomicOp::Xchg | AtomicOp::CmpXchg)
}
