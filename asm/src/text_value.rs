//! From text to meanings: what is read from memory, written to it, or otherwise a value.

use crate::insn::Insn;
use crate::op::{AluOp, AtomicOp, PacketSize, SignExtend, SignedSize, Size, SwapOp, Width};
use crate::operand::Operand;
use crate::reg::Reg;
use crate::scan::{Scanned, Symbols};
use crate::text::{Parser, like_register};
use crate::text_error::{Expected, Fault};
use crate::wide::Wide;
use crate::wire;
use crate::word;

impl Parser<'_> {
    /// After `dst =`.
    pub(crate) fn value(&mut self, width: Width, dst: Reg) -> Scanned<()> {
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
                let src = self.reg(width)?;
                self.emit(Insn::MovSigned { extend, dst, src })
            }
            Some(b'-') => {
                let mut after = self.scan;
                after.advance(1);
                if !after.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    return self.constant(width, dst);
                }
                self.scan = after;
                self.same(width, dst)?;
                self.emit(Insn::Neg { width, dst })
            }
            Some(b'+' | b'0'..=b'9') => self.constant(width, dst),
            _ => match self.try_register() {
                Some((of, src)) if of == width => {
                    self.emit(Insn::Alu { width, op: AluOp::Mov, dst, src: Operand::Reg(src) })
                }
                Some((_, src)) => {
                    let at = self.scan.place() - src.name(width).len();
                    Err(Fault::new(at, Expected::RegisterOf(width)))
                }
                None => self.named(width, dst),
            },
        }
    }

    /// A number, of 64 bits if it says so or has to be.
    fn constant(&mut self, width: Width, dst: Reg) -> Scanned<()> {
        let number = self.scan.number()?;
        let wide = width == Width::W64
            && (self.scan.eat_word(word::LL) || self.opcode == Some(wire::WIDE) || number.as_imm().is_none());
        if wide {
            return self.emit(Insn::LoadWide { dst, value: Wide::Imm(number.imm64()?) });
        }
        self.emit(Insn::Alu { width, op: AluOp::Mov, dst, src: Operand::Imm(number.imm()?) })
    }

    /// What begins with a word.
    fn named(&mut self, width: Width, dst: Reg) -> Scanned<()> {
        let at = self.scan.place();
        let name = self.scan.word();
        if name.is_empty() {
            return self.scan.fault(Expected::Value);
        }
        if like_register(name) {
            return self.scan.fault(Expected::RegisterOf(width));
        }
        if let Some(op) = SwapOp::find(|(_, _, known)| known == name) {
            self.wide_only(width)?;
            self.scan.advance(name.len());
            self.same(width, dst)?;
            return self.emit(Insn::Swap { op, dst });
        }
        if name == word::LOAD_ACQUIRE {
            self.scan.advance(name.len());
            return self.load_acquire(width, dst);
        }
        if let Some((op, of)) = atomic(name) {
            self.scan.advance(name.len());
            return self.atomic(op, of, width, dst);
        }
        self.wide_only(width)?;
        let mut after = self.scan;
        after.advance(name.len());
        let value = match (name, after.peek()) {
            (word::ADDR_SPACE_CAST, Some(b'(')) => {
                self.scan = after;
                return self.addr_space_cast(dst);
            }
            (word::MAP, Some(b'[')) => {
                self.scan = after;
                self.map()?
            }
            (word::BTF, Some(b'[')) => {
                self.scan = after;
                self.btf()?
            }
            (word::SUBPROG, Some(b'[')) => {
                self.scan = after;
                self.scan.need("[")?;
                let offset = self.scan.signed_number()?.fit()?;
                self.scan.need("]")?;
                Wide::Func { offset }
            }
            _ => {
                if !after.eat_word(word::LL) {
                    return self.scan.fault(Expected::Value);
                }
                self.scan = after;
                self.jump_to(name, at);
                return self.emit(Insn::LoadWide { dst, value: Wide::Func { offset: 0 } });
            }
        };
        self.scan.eat_word(word::LL);
        self.emit(Insn::LoadWide { dst, value })
    }

    /// What has a result of 64 bits only.
    fn wide_only(&mut self, width: Width) -> Scanned<()> {
        if width == Width::W64 { Ok(()) } else { self.scan.fault(Expected::Operand) }
    }

    /// `*(u32 *)(r2 + 8)`, `*(u32 *)skb[r3 + 4]`
    fn load(&mut self, width: Width, dst: Reg) -> Scanned<()> {
        self.scan.need("*")?;
        self.scan.need("(")?;
        let at = self.scan.place();
        let name = self.scan.word();
        let wrong = |expected| Err(Fault::new(at, expected));
        let unsigned = Size::find(|(_, _, known)| same(known, name));
        let signed =
            if unsigned.is_some() { None } else { SignedSize::find(|(_, _, known)| same(known, name)) };
        if unsigned.is_none() && signed.is_none() {
            return wrong(Expected::LoadSize);
        }
        self.end_of_type(name)?;

        if self.scan.peek() != Some(b'(') {
            if !self.scan.eat_word(word::SKB) {
                return self.scan.fault(Expected::Word("("));
            }
            let Some(size) = PacketSize::find(|(_, known)| known == name) else {
                return wrong(Expected::SmallSize);
            };
            return self.packet(size, width, dst);
        }
        let (base, offset) = self.in_parentheses()?;
        match (unsigned, signed) {
            (Some(size), _) if fits(width, size) => self.emit(Insn::Load { size, dst, base, offset }),
            (_, Some(size)) if width == Width::W64 => self.emit(Insn::LoadSigned { size, dst, base, offset }),
            // 32 bits have no room for it, or no sign to extend.
            _ => wrong(Expected::SmallSize),
        }
    }

    /// `[4]`, `[r3]`, `[r3 + 4]`
    fn packet(&mut self, size: PacketSize, width: Width, dst: Reg) -> Scanned<()> {
        if (width, dst) != (Width::W64, Reg::R0) {
            return Err(Fault::new(self.dst.place(), Expected::Same(Width::W64, Reg::R0)));
        }
        self.scan.need("[")?;
        let (index, offset) = if self.scan.at_number() {
            (None, self.scan.number()?.imm()?)
        } else {
            let index = self.reg(Width::W64)?;
            let offset = match self.scan.peek() {
                Some(b']') => 0,
                _ => self.skb_offset()?,
            };
            (Some(index), offset)
        };
        self.scan.need("]")?;
        self.emit(Insn::LoadPacket { size, index, offset })
    }

    /// `+ 4`, and as the kernel writes it, `+ -4`.
    fn skb_offset(&mut self) -> Scanned<i32> {
        let mut after = self.scan;
        if after.eat(b'+') && after.peek() == Some(b'-') {
            self.scan = after;
        }
        self.scan.signed_number()?.imm()
    }

    /// `*(u32 *)(r2 + 8) = 5`
    pub(crate) fn store(&mut self) -> Scanned<()> {
        let size = self.pointed()?;
        let (base, offset) = self.in_parentheses()?;
        self.scan.need("=")?;
        let src = if self.scan.at_number() {
            Operand::Imm(self.scan.number()?.imm()?)
        } else {
            Operand::Reg(self.moved(size, Expected::Operand)?)
        };
        self.emit(Insn::Store { size, base, offset, src })
    }

    /// After `lock`.
    pub(crate) fn lock(&mut self) -> Scanned<()> {
        self.scan.need("*")?;
        self.scan.need("(")?;
        let width = self.atomic_width(None)?;
        let (base, offset) = self.in_parentheses()?;
        let op = self.scan.symbol(AtomicOp::ALL, &LOCKED, Expected::AtomicAssignment)?;
        let src = self.moved(width.size(), Expected::RegisterOf(width))?;
        self.emit(Insn::Atomic { op, width, base, offset, src })
    }

    /// After the name of what fetches. `of` is the width that the name has.
    fn atomic(&mut self, op: AtomicOp, of: Option<Width>, to: Width, dst: Reg) -> Scanned<()> {
        self.scan.need("(")?;
        let (width, (base, offset)) = match (self.scan.peek(), of) {
            (Some(b'('), _) => {
                self.scan.need("(")?;
                (self.atomic_width(of)?, self.in_parentheses()?)
            }
            (_, Some(width)) => (width, self.address()?),
            (_, None) => return self.scan.fault(Expected::Word("(")),
        };
        if !fits(to, width.size()) {
            return Err(Fault::new(self.dst.place(), Expected::RegisterOf(width)));
        }
        self.scan.need(",")?;
        let src = if op == AtomicOp::CmpXchg {
            if dst != Reg::R0 {
                return Err(Fault::new(self.dst.place(), Expected::Same(to, Reg::R0)));
            }
            self.same_moved(width, Reg::R0)?;
            self.scan.need(",")?;
            self.moved(width.size(), Expected::RegisterOf(width))?
        } else {
            self.same_moved(width, dst)?;
            dst
        };
        self.scan.need(")")?;
        self.emit(Insn::Atomic { op, width, base, offset, src })
    }

    fn load_acquire(&mut self, width: Width, dst: Reg) -> Scanned<()> {
        self.scan.need("(")?;
        let (size, at) = self.cast()?;
        if !fits(width, size) {
            return Err(Fault::new(at, Expected::SmallSize));
        }
        let (base, offset) = self.in_parentheses()?;
        self.scan.need(")")?;
        self.emit(Insn::LoadAcquire { size, dst, base, offset })
    }

    pub(crate) fn store_release(&mut self) -> Scanned<()> {
        self.scan.need("(")?;
        let (size, _) = self.cast()?;
        let (base, offset) = self.in_parentheses()?;
        self.scan.need(",")?;
        let src = self.moved(size, Expected::Register)?;
        self.scan.need(")")?;
        self.emit(Insn::StoreRelease { size, base, offset, src })
    }

    /// `(r2, 0, 1)`
    fn addr_space_cast(&mut self, dst: Reg) -> Scanned<()> {
        self.scan.need("(")?;
        let src = self.reg(Width::W64)?;
        self.scan.need(",")?;
        let to = self.scan.number()?.fit()?;
        self.scan.need(",")?;
        let from = self.scan.number()?.fit()?;
        self.scan.need(")")?;
        self.emit(Insn::AddrSpaceCast { dst, src, to, from })
    }

    /// `[fd:5]`, `[idx:5]`, either with `[0]+8` or, in bpftool's dumps, `+8` after it.
    fn map(&mut self) -> Scanned<Wide> {
        self.scan.need("[")?;
        let key = self.scan.word();
        let by_index = match key {
            word::FD | word::ID => false,
            word::IDX => true,
            _ => return self.scan.fault(Expected::MapKey),
        };
        self.scan.advance(key.len());
        self.scan.need(":")?;
        let number = self.scan.number()?;
        self.scan.need("]")?;
        let mut value = false;
        if self.scan.eat(b'[') {
            self.scan.need_word("0")?;
            self.scan.need("]")?;
            value = true;
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
    fn btf(&mut self) -> Scanned<Wide> {
        self.scan.need("[")?;
        let btf_id = self.keyed(word::ID)?.fit()?;
        let btf_fd = if self.scan.eat(b',') { self.keyed(word::FD)?.fit()? } else { 0 };
        self.scan.need("]")?;
        Ok(Wide::BtfId { btf_id, btf_fd })
    }

    /// `*(u32 *)`
    fn pointed(&mut self) -> Scanned<Size> {
        self.scan.need("*")?;
        Ok(self.cast()?.0)
    }

    /// `(u32 *)`, and where its name is.
    fn cast(&mut self) -> Scanned<(Size, usize)> {
        self.scan.need("(")?;
        let at = self.scan.place();
        let name = self.scan.word();
        match Size::find(|(_, _, known)| same(known, name)) {
            Some(size) => {
                self.end_of_type(name)?;
                Ok((size, at))
            }
            None => self.scan.fault(Expected::Size),
        }
    }

    /// `u32 *)`
    fn atomic_width(&mut self, of: Option<Width>) -> Scanned<Width> {
        let name = self.scan.word();
        let width = Width::find(|row| row.3.name() == name);
        match (width, of) {
            (Some(width), None) => {
                self.end_of_type(name)?;
                Ok(width)
            }
            (Some(width), Some(of)) if width == of => {
                self.end_of_type(name)?;
                Ok(width)
            }
            (_, Some(of)) => self.scan.fault(Expected::AtomicSize(of)),
            (None, None) => self.scan.fault(Expected::AnyAtomicSize),
        }
    }

    fn end_of_type(&mut self, name: &str) -> Scanned<()> {
        self.scan.advance(name.len());
        self.scan.need("*")?;
        self.scan.need(")")
    }

    /// `(r2 + 8)`
    fn in_parentheses(&mut self) -> Scanned<(Reg, i16)> {
        self.scan.need("(")?;
        let address = self.address()?;
        self.scan.need(")")?;
        Ok(address)
    }

    fn address(&mut self) -> Scanned<(Reg, i16)> {
        let base = self.reg(Width::W64)?;
        Ok((base, self.scan.signed_number()?.fit()?))
    }

    /// The register that bytes are moved to or from: all of it, or, if they fit, the lower half.
    fn moved(&mut self, size: Size, expected: Expected) -> Scanned<Reg> {
        let mut after = self.scan;
        core::mem::swap(&mut self.scan, &mut after);
        match self.try_register() {
            Some((width, reg)) if fits(width, size) => Ok(reg),
            found => {
                self.scan = after;
                self.scan.fault(if found.is_some() { Expected::RegisterOf(Width::W64) } else { expected })
            }
        }
    }

    fn same_moved(&mut self, width: Width, reg: Reg) -> Scanned<()> {
        let before = self.scan;
        if self.moved(width.size(), Expected::Same(width, reg))? == reg {
            return Ok(());
        }
        self.scan = before;
        self.scan.fault(Expected::Same(width, reg))
    }

    fn same(&mut self, width: Width, reg: Reg) -> Scanned<()> {
        let name = reg.name(width);
        if self.scan.eat_word(name) { Ok(()) } else { self.scan.fault(Expected::Same(width, reg)) }
    }
}

static LOCKED: Symbols<{ AtomicOp::ALL.len() }> = {
    let mut all = Symbols::NONE;
    let mut i = 0;
    while i < AtomicOp::ALL.len() {
        if !AtomicOp::ALL[i].fetches() {
            all = all.with(i, AtomicOp::ALL[i].symbol());
        }
        i += 1;
    }
    all
};

/// Whether a register of that width can be named where so many bytes are moved.
fn fits(width: Width, size: Size) -> bool {
    width == Width::W64 || size.register() == Width::W32
}

/// The atomic that has that name, in LLVM's text or the kernel's, and its width if the name says.
fn atomic(name: &str) -> Option<(AtomicOp, Option<Width>)> {
    let fetching = || AtomicOp::ALL.iter().copied().filter(|op| op.fetches());
    if let Some(op) = fetching().find(|op| op.symbol() == name) {
        // Without the 64, the kernel means 32 bits and LLVM either; the type tells.
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

/// Equality, for words so short that comparing them here is faster than calling what does it.
#[inline]
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| a == b)
}

fn exchanges(op: AtomicOp) -> bool {
    matches!(op, AtomicOp::Xchg | AtomicOp::CmpXchg)
}
