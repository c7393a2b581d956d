//! Emits numbers into registers.

use kwalk_asm::{AluOp, Label, Memory, Reg, Size, SwapOp, Width, u64_at};
use kwalk_btf::{Bits, Class};

use super::Emit;
use super::condition::Fork;
use super::text::is_read_in_place;
use crate::error::Error;
use crate::expr::Arithmetic;
use crate::ir::{Condition, Member, Node, Number, Sum, Unary, Value};
use crate::place::Place;

impl Emit<'_, '_> {
    /// Computes a 64-bit number in a register, or goes to `null`.
    pub(crate) fn number(&mut self, number: &Number, null: Label) -> Result<Reg, Error> {
        match &number.node {
            Node::Null => {
                // The jump is conditional, so that to the verifier the instructions after it are reachable.
                let reg = self.take()?;
                self.builder.asm.mov(reg, 0);
                self.builder.asm.jump_if(reg.eq(0), null);
                Ok(reg)
            }
            Node::Constant => {
                let reg = self.take()?;
                self.constant(reg, number.min);
                Ok(reg)
            }
            Node::Field(place) => {
                let reg = self.take()?;
                self.field(reg, place, null);
                self.extend(reg, place);
                Ok(reg)
            }
            Node::Binary(op, left, right) => self.binary(*op, left, right, number.unsigned, null),
            Node::Case(arms, otherwise) => self.case(arms, otherwise, null),
            Node::Unary(op, of) => self.unary(*op, of, null),
            Node::Sum(sum) => self.sum(sum, null),
            Node::Copied(place) => self.copied_field(place, null),
            Node::Bit(bit) => self.bit(bit, null),
        }
    }

    fn unary(&mut self, op: Unary, of: &Number, null: Label) -> Result<Reg, Error> {
        let reg = self.number(of, null)?;
        match op {
            Unary::Positive => {
                let positive = self.builder.asm.label();
                self.builder.asm.jump_if(reg.sge(0), positive);
                self.builder.asm.mov(reg, 0);
                self.builder.asm.bind(positive);
            }
            Unary::Device => {
                // From the major number above 20 bits to the one above 8 bits, with the minor's other bits above it
                // (include/linux/kdev_t.h, `new_encode_dev`).
                let (major, low) = (self.take()?, self.take()?);
                let asm = &mut self.builder.asm;
                asm.mov(major, reg);
                asm.rsh(major, 20);
                asm.lsh(major, 8);
                asm.mov(low, reg);
                asm.and(low, 0xff);
                asm.or(low, major);
                asm.and(reg, 0xf_ff00);
                asm.lsh(reg, 12);
                asm.or(reg, low);
                self.give_back(low);
                self.give_back(major);
            }
        }
        Ok(reg)
    }

    /// Every arm leaves its number in the same register. A condition may call, but no other number is in a register
    /// then ([`Emit::both`]).
    fn case(&mut self, arms: &[(Condition, Number)], otherwise: &Number, null: Label) -> Result<Reg, Error> {
        let result = self.take()?;
        self.give_back(result);
        let end = self.builder.asm.label();
        // The instructions of an arm are not on every path.
        let is_unconditional = core::mem::take(&mut self.unconditional);
        // Without ELSE, the number is NULL if the last condition is not true.
        let (last, arms) = match (&otherwise.node, arms) {
            (Node::Null, [arms @ .., last]) => (Some(last), arms),
            _ => (None, arms),
        };
        for (condition, number) in arms {
            let (yes, no) = (self.builder.asm.label(), self.builder.asm.label());
            self.condition(condition, Fork { yes, no, unknown: no, next: yes })?;
            self.builder.asm.bind(yes);
            self.number_in(result, number, null)?;
            self.builder.asm.jump(end);
            self.builder.asm.bind(no);
        }
        match last {
            Some((condition, number)) => {
                let yes = self.builder.asm.label();
                self.condition(condition, Fork { yes, no: null, unknown: null, next: yes })?;
                self.builder.asm.bind(yes);
                self.number_in(result, number, null)?;
            }
            None => self.number_in(result, otherwise, null)?,
        }
        self.unconditional = is_unconditional;
        self.builder.asm.bind(end);
        self.free.retain(|free| *free != result);
        Ok(result)
    }

    /// Computes a number in this register, which is free before and after.
    fn number_in(&mut self, result: Reg, number: &Number, null: Label) -> Result<(), Error> {
        // The register is made the next to be taken, so the result is in it unless that takes more registers.
        self.free.retain(|free| *free != result);
        self.free.push(result);
        let reg = self.number(number, null)?;
        if reg != result {
            self.builder.asm.mov(result, reg);
        }
        self.give_back(reg);
        Ok(())
    }

    /// Loads a constant with the shortest encoding: a wide load takes two slots.
    pub(crate) fn constant(&mut self, reg: Reg, value: i128) {
        let bits = value as u64;
        if let Ok(value) = i32::try_from(bits as i64) {
            self.builder.asm.mov(reg, value);
        } else if let Ok(value) = u32::try_from(bits) {
            self.builder.asm.mov32(reg, value as i32);
        } else {
            self.builder.asm.load_imm64(reg, bits);
        }
    }

    /// Loads a field's bytes, zero-extended; goes to `null` if the field is a pointer that is NULL.
    pub(crate) fn field(&mut self, reg: Reg, place: &Place, null: Label) {
        let base = self.follow(reg, place, null);
        self.load_from(reg, base, place);
        if matches!(place.field.class, Class::Ptr { .. }) {
            self.builder.asm.jump_if(reg.eq(0), null);
        }
    }

    /// Loads a field's bytes from the base address in `base`.
    pub(crate) fn load_from(&mut self, reg: Reg, base: Reg, place: &Place) {
        let at = self.at(reg, base, place.field.offset);
        self.builder.asm.load(reg, Memory::new(size(place.field.size), at));
    }

    /// Converts a field's bytes to its number: swaps its bytes, extracts the bits of a bitfield, extends the sign.
    ///
    /// The sign is extended by shifts: kernels before 6.6 have no sign-extending instructions.
    pub(crate) fn extend(&mut self, reg: Reg, place: &Place) {
        let field = &place.field;
        let signed = matches!(field.class, Class::Int { signed: true } | Class::Enum { signed: true });
        let unit = 8 * field.size as i32;
        if place.swap {
            let op = match field.size {
                2 => SwapOp::Be16,
                4 => SwapOp::Be32,
                _ => SwapOp::Be64,
            };
            self.builder.asm.swap(op, reg);
        }
        let asm = &mut self.builder.asm;
        match field.bits {
            None if signed && unit < 64 => {
                asm.lsh(reg, 64 - unit);
                asm.arsh(reg, 64 - unit);
            }
            None => {}
            Some(bits) => {
                let (width, below) = (i32::from(bits.width), below(bits, unit));
                let above = 64 - width - below;
                if signed || width > 31 {
                    asm.lsh(reg, above);
                    asm.alu(Width::W64, if signed { AluOp::Arsh } else { AluOp::Rsh }, reg, 64 - width);
                } else {
                    if below > 0 {
                        asm.rsh(reg, below);
                    }
                    if below + width < unit {
                        asm.and(reg, (1i32 << width).wrapping_sub(1));
                    }
                }
            }
        }
    }

    fn binary(
        &mut self,
        op: Arithmetic,
        left: &Number,
        right: &Number,
        unsigned: bool,
        null: Label,
    ) -> Result<Reg, Error> {
        let small = right.value().and_then(|value| i32::try_from(value as u64 as i64).ok());
        if let Some(value) = small {
            let reg = self.number(left, null)?;
            let nonzero = self.divisor(op, left, right, unsigned);
            match (nonzero, plain(op, unsigned)) {
                (true, _) => {
                    let by = self.take()?;
                    self.builder.asm.mov(by, value);
                    self.divide(op, reg, by, right)?;
                    self.give_back(by);
                }
                (false, op) => self.builder.asm.alu(Width::W64, op, reg, value),
            }
            return Ok(reg);
        }
        if op == Arithmetic::Sub && left.value() == Some(0) {
            let reg = self.number(right, null)?;
            self.builder.asm.neg(reg);
            return Ok(reg);
        }
        let (l, r) = self.both(left, right, null)?;
        if matches!(op, Arithmetic::Div | Arithmetic::Rem) && right.min <= 0 && right.max >= 0 {
            self.builder.asm.jump_if(r.eq(0), null);
        }
        if matches!(op, Arithmetic::Shl | Arithmetic::Shr) {
            self.builder.asm.and(r, 63);
        }
        if self.divisor(op, left, right, unsigned) {
            self.divide(op, l, r, right)?;
        } else {
            self.builder.asm.alu(Width::W64, plain(op, unsigned), l, r);
        }
        self.give_back(r);
        Ok(l)
    }

    /// Computes two numbers: first the one whose computation clobbers registers, else the one that needs more
    /// registers. If both clobber, the first is saved on the stack.
    pub(crate) fn both(&mut self, left: &Number, right: &Number, null: Label) -> Result<(Reg, Reg), Error> {
        let right_first = match (clobbers(left), clobbers(right)) {
            (true, true) => {
                let l = self.number(left, null)?;
                let waiting = self.room(8);
                self.builder.asm.store(u64_at(waiting), l);
                self.give_back(l);
                let r = self.with_stack(8, |emit| emit.number(right, null))?;
                let l = self.take()?;
                self.builder.asm.load(l, u64_at(waiting));
                return Ok((l, r));
            }
            (false, false) => need(right) > need(left),
            (_, right_clobbers) => right_clobbers,
        };
        if right_first {
            let r = self.number(right, null)?;
            return Ok((self.number(left, null)?, r));
        }
        let l = self.number(left, null)?;
        Ok((l, self.number(right, null)?))
    }

    /// Whether this is a division with a sign in either operand.
    fn divisor(&self, op: Arithmetic, left: &Number, right: &Number, unsigned: bool) -> bool {
        matches!(op, Arithmetic::Div | Arithmetic::Rem) && !unsigned && (left.min < 0 || right.min < 0)
    }

    /// Divides signed numbers, by a divisor that is not 0, on every kernel: before 6.6 there is no instruction for it.
    /// The absolute values are divided, and the sign is applied to the result. The absolute value of −2⁶³ is right as
    /// an unsigned number.
    fn divide(&mut self, op: Arithmetic, left: Reg, right: Reg, divisor: &Number) -> Result<(), Error> {
        let sign = self.take()?;
        let asm = &mut self.builder.asm;
        asm.mov(sign, left);
        if op == Arithmetic::Div {
            asm.xor(sign, right);
        }
        let absolute = |asm: &mut kwalk_asm::Assembler, reg: Reg, of: Reg| {
            let positive = asm.label();
            asm.jump_if(of.sge(0), positive);
            asm.neg(reg);
            asm.bind(positive);
        };
        absolute(asm, left, left);
        if divisor.min < 0 {
            absolute(asm, right, right);
        }
        asm.alu(Width::W64, plain(op, true), left, right);
        absolute(asm, left, sign);
        self.give_back(sign);
        Ok(())
    }
}

/// The number of bits below a bitfield in the value of its unit.
fn below(bits: Bits, unit: i32) -> i32 {
    let (offset, width) = (i32::from(bits.offset), i32::from(bits.width));
    if cfg!(target_endian = "big") { unit - offset - width } else { offset }
}

pub(crate) fn size(bytes: u32) -> Size {
    match bytes {
        1 => Size::U8,
        2 => Size::U16,
        4 => Size::U32,
        _ => Size::U64,
    }
}

fn plain(op: Arithmetic, unsigned: bool) -> AluOp {
    match op {
        Arithmetic::Add => AluOp::Add,
        Arithmetic::Sub => AluOp::Sub,
        Arithmetic::Mul => AluOp::Mul,
        Arithmetic::Div => AluOp::Div,
        Arithmetic::Rem => AluOp::Mod,
        Arithmetic::And => AluOp::And,
        Arithmetic::Or => AluOp::Or,
        Arithmetic::Xor => AluOp::Xor,
        Arithmetic::Shl => AluOp::Lsh,
        Arithmetic::Shr if unsigned => AluOp::Rsh,
        Arithmetic::Shr => AluOp::Arsh,
    }
}

/// The number of registers that the computation of a number takes.
pub(crate) fn need(number: &Number) -> usize {
    match &number.node {
        Node::Null | Node::Constant | Node::Field(_) | Node::Sum(_) | Node::Copied(_) | Node::Bit(_) => 1,
        Node::Unary(Unary::Positive, of) => need(of),
        Node::Unary(Unary::Device, of) => need(of).max(3),
        Node::Binary(op, left, right) => {
            let (l, r) = (need(left), need(right));
            let both = if l == r { l + 1 } else { l.max(r) };
            // A signed division may take one more, for the sign.
            if matches!(op, Arithmetic::Div | Arithmetic::Rem) { both.max(3) } else { both }
        }
        // A condition takes no more registers than its numbers and one for a constant.
        Node::Case(arms, otherwise) => {
            let arms = arms.iter().map(|(condition, number)| need_of(condition).max(need(number)));
            arms.fold(need(otherwise), usize::max)
        }
    }
}

/// The number of registers that a condition takes.
pub(crate) fn need_of(condition: &Condition) -> usize {
    match condition {
        Condition::Known(_) | Condition::Like(..) | Condition::TextIsNull(_) => 0,
        Condition::PointerIsNull(_) | Condition::BehindNull(_) | Condition::InSet(Member::Text(_), _) => 1,
        // A constant that is no immediate takes one more.
        Condition::Test { number, .. } => need(number).max(2),
        Condition::Compare(_, left, right) => {
            let (l, r) = (need(left), need(right));
            if l == r { l + 1 } else { l.max(r) }
        }
        Condition::NumberIsNull(number) | Condition::InSet(Member::Number(number), _) => need(number),
        Condition::And(all) | Condition::Or(all) => all.iter().map(need_of).max().unwrap_or(0),
        Condition::Not(of) | Condition::Is(_, of) | Condition::Marked(_, of) => need_of(of),
    }
}

/// Whether the computation of a number calls a helper.
pub(crate) fn calls(number: &Number) -> bool {
    any_in_number(number, &mut leaf_calls)
}

/// Whether the test of a condition calls a helper.
pub(crate) fn condition_calls(condition: &Condition) -> bool {
    any(condition, &mut leaf_calls)
}

fn leaf_calls(leaf: Leaf<'_>) -> bool {
    match leaf {
        Leaf::Condition(Condition::Like(text, pattern)) => !is_read_in_place(text, pattern),
        Leaf::Condition(Condition::InSet(..)) | Leaf::Sum(_) | Leaf::Copied => true,
        Leaf::Condition(Condition::TextIsNull(text)) => text.kind.is_made(),
        Leaf::Condition(_) => false,
    }
}

/// Whether the computation of a number clobbers R0 to R5, by a call or a comparison of texts.
fn clobbers(number: &Number) -> bool {
    any_in_number(number, &mut |leaf: Leaf<'_>| match leaf {
        Leaf::Condition(leaf) => {
            matches!(leaf, Condition::Like(..) | Condition::InSet(..) | Condition::TextIsNull(_))
        }
        Leaf::Sum(_) | Leaf::Copied => true,
    })
}

/// The first sum over CPUs in a condition and columns, if there is one. What is needed to find a CPU's memory is the same
/// in all of them.
pub(crate) fn first_sum<'n>(condition: &Condition, columns: impl Iterator<Item = &'n Value>) -> Option<Sum> {
    let mut found = None;
    let mut keep = |leaf: Leaf<'_>| match leaf {
        Leaf::Sum(sum) => {
            found = Some(sum.clone());
            true
        }
        Leaf::Condition(_) | Leaf::Copied => false,
    };
    if !any(condition, &mut keep) {
        let mut numbers = columns.filter_map(|value| match value {
            Value::Number(number) => Some(number),
            _ => None,
        });
        numbers.any(|number| any_in_number(number, &mut keep));
    }
    found
}

/// A part of a number or a condition that may take more than loads and arithmetic.
#[derive(Clone, Copy)]
pub(super) enum Leaf<'n> {
    Condition(&'n Condition),
    Sum(&'n Sum),
    /// A field that a helper copies.
    Copied,
}

/// Whether `is` holds for a leaf anywhere in a number.
pub(super) fn any_in_number(number: &Number, is: &mut impl FnMut(Leaf<'_>) -> bool) -> bool {
    match &number.node {
        Node::Null | Node::Constant | Node::Field(_) => false,
        Node::Sum(sum) => is(Leaf::Sum(sum)),
        Node::Copied(_) | Node::Bit(_) => is(Leaf::Copied),
        Node::Unary(_, of) => any_in_number(of, is),
        Node::Binary(_, left, right) => any_in_number(left, is) || any_in_number(right, is),
        Node::Case(arms, otherwise) => {
            arms.iter().any(|(condition, number)| any(condition, is) || any_in_number(number, is))
                || any_in_number(otherwise, is)
        }
    }
}

/// Whether `is` holds for a leaf anywhere in a condition.
pub(super) fn any(condition: &Condition, is: &mut impl FnMut(Leaf<'_>) -> bool) -> bool {
    match condition {
        Condition::And(all) | Condition::Or(all) => all.iter().any(|one| any(one, is)),
        Condition::Not(of) | Condition::Is(_, of) | Condition::Marked(_, of) => any(of, is),
        Condition::Test { number, .. }
        | Condition::NumberIsNull(number)
        | Condition::InSet(Member::Number(number), _) => {
            is(Leaf::Condition(condition)) || any_in_number(number, is)
        }
        Condition::Compare(_, left, right) => any_in_number(left, is) || any_in_number(right, is),
        leaf => is(Leaf::Condition(leaf)),
    }
}
