//! Typed numbers: the signs and bounds of computations.
//!
//! The rules are those of C, with `long` for `int`:
//!
//! - A number has 64 bits. Unsigned are fields of an unsigned type of 64 bits, and literals of 2⁶³ or more; all others
//!   fit 64 bits with a sign, and are signed.
//! - The result of an operation is unsigned if one operand is (for a shift, if the left one is), and wraps on overflow.
//!   `/` rounds towards zero and `%` has the sign of its left side; both are NULL if the divisor is 0. −2⁶³ / −1 wraps to
//!   −2⁶³.
//! - `>>` keeps the sign of a signed number. Shifts use the lowest 6 bits of their right side.
//! - Comparisons compare the numbers: −1 is less than 2⁶⁴−1, though both have the same bits.

use alloc::boxed::Box;
use alloc::vec::Vec;

use kwalk_btf::Class;

use crate::expr::{Arithmetic, Compare};
use crate::ir::{Condition, Node, Number, Sum, Unary};
use crate::place::Place;

const SIGNED: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);
const UNSIGNED: (i128, i128) = (0, u64::MAX as i128);

impl Number {
    /// The field whose value it is, unless it is NULL.
    pub(crate) fn only_field(&self) -> Option<&Place> {
        let Node::Case(arms, otherwise) = &self.node else {
            return if let Node::Field(place) = &self.node { Some(place) } else { None };
        };
        let values = arms.iter().map(|(_, value)| value).chain([&**otherwise]);
        let mut values = values.filter(|value| value.node != Node::Null);
        let place = values.next()?.only_field()?;
        values.all(|value| value.only_field() == Some(place)).then_some(place)
    }

    pub(crate) fn constant(value: i128) -> Number {
        Number { node: Node::Constant, unsigned: value > SIGNED.1, min: value, max: value }
    }

    pub(crate) fn null() -> Number {
        Number { node: Node::Null, unsigned: false, min: 0, max: 0 }
    }

    /// `CASE`: the number of the first condition that is true, else the last one. It is unsigned if any of the numbers
    /// is, even one that is left out because its condition is never true (the verifier rejects unreachable
    /// instructions).
    pub(crate) fn case(arms: Vec<(Condition, Number)>, otherwise: Number) -> Number {
        let unsigned =
            arms.iter().map(|(_, number)| number).chain([&otherwise]).any(|number| number.unsigned);
        let (mut possible, mut otherwise) = (Vec::new(), otherwise);
        for (condition, number) in arms {
            match condition.simplified(false) {
                Condition::Known(Some(true)) => {
                    otherwise = number;
                    break;
                }
                Condition::Known(_) => {}
                condition => possible.push((condition, number)),
            }
        }
        match otherwise.value() {
            _ if !possible.is_empty() => {}
            Some(value) if unsigned => {
                return Number { unsigned, ..Number::constant(i128::from(value as u64)) };
            }
            _ if otherwise.unsigned == unsigned => return otherwise,
            _ => {}
        }
        // NULL does not widen the bounds.
        let numbers = possible.iter().map(|(_, number)| number).chain([&otherwise]);
        let bounds = numbers.filter(|number| number.node != Node::Null).map(|number| number.bounds(unsigned));
        let (min, max) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default();
        Number { node: Node::Case(possible, Box::new(otherwise)), unsigned, min, max }
    }

    pub(crate) fn field(place: Place, signed: bool, bits: u32) -> Number {
        let (min, max) = match signed {
            true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            false => (0, (1 << bits) - 1),
        };
        Number { node: Node::Field(Box::new(place)), unsigned: !signed && bits == 64, min, max }
    }

    /// The sum over the CPUs of what each has.
    pub(crate) fn sum(sum: Sum) -> Number {
        let field = sum.value.field;
        let bits = field.bits.map_or(field.size * 8, |bits| bits.width.into());
        let unsigned = !matches!(field.class, Class::Int { signed: true });
        let one = Number::field(sum.value.clone(), !unsigned, bits);
        let (min, max) = (one.min * i128::from(sum.cpus), one.max * i128::from(sum.cpus));
        // A sum of 64-bit numbers may wrap.
        let (min, max) = if bits == 64 { (one.min, one.max) } else { (min, max) };
        Number { node: Node::Sum(Box::new(sum)), min, max, ..one }
    }

    /// An operation on one number.
    pub(crate) fn unary(op: Unary, of: Number) -> Number {
        let (min, max) = match op {
            _ if of.node == Node::Null => return of,
            _ if of.value().is_some() => return Number::constant(op.of(of.min)),
            Unary::Positive if of.min >= 0 => return of,
            Unary::Positive => (0, of.max.max(0)),
            Unary::Device => (0, u32::MAX.into()),
        };
        Number { unsigned: of.unsigned, node: Node::Unary(op, Box::new(of)), min, max }
    }

    /// The value, if it is a constant.
    pub(crate) fn value(&self) -> Option<i128> {
        (self.node == Node::Constant).then_some(self.min)
    }

    /// The fields that are read on every evaluation.
    pub(crate) fn places(&self) -> Vec<&Place> {
        match &self.node {
            Node::Null | Node::Constant => Vec::new(),
            Node::Field(place) | Node::Copied(place) => vec![place],
            Node::Sum(sum) => vec![&sum.pointer],
            Node::Bit(bit) => vec![&bit.pointer, &bit.number],
            Node::Unary(_, of) => of.places(),
            Node::Binary(_, left, right) => [left.places(), right.places()].concat(),
            // Which of its fields a CASE reads depends on its conditions.
            Node::Case(..) => Vec::new(),
        }
    }

    /// Applies a change to each of its fields.
    pub(crate) fn each_place(&mut self, each: &mut impl FnMut(&mut Place)) {
        match &mut self.node {
            Node::Null | Node::Constant => {}
            Node::Field(place) | Node::Copied(place) => each(place),
            Node::Sum(sum) => each(&mut sum.pointer),
            Node::Bit(bit) => [&mut bit.pointer, &mut bit.number].into_iter().for_each(each),
            Node::Unary(_, of) => of.each_place(each),
            Node::Binary(_, left, right) => {
                left.each_place(each);
                right.each_place(each);
            }
            Node::Case(arms, otherwise) => {
                arms.iter_mut().for_each(|(_, number)| number.each_place(each));
                otherwise.each_place(each);
            }
        }
    }

    /// Whether it can be NULL for some objects.
    pub(crate) fn may_be_null(&self) -> bool {
        match &self.node {
            // A per-CPU pointer may be NULL, and a copy may fail.
            Node::Null | Node::Sum(_) | Node::Copied(_) | Node::Bit(_) => true,
            Node::Constant => false,
            Node::Unary(_, of) => of.may_be_null(),
            // A pointer of 0 is NULL itself.
            Node::Field(place) => place.may_be_null() || matches!(place.field.class, Class::Ptr { .. }),
            Node::Binary(op, left, right) => {
                let divides = matches!(op, Arithmetic::Div | Arithmetic::Rem);
                left.may_be_null() || right.may_be_null() || divides && right.min <= 0 && right.max >= 0
            }
            Node::Case(arms, otherwise) => {
                arms.iter().any(|(_, number)| number.may_be_null()) || otherwise.may_be_null()
            }
        }
    }

    /// The bounds of the same bits read as signed or unsigned.
    fn bounds(&self, unsigned: bool) -> (i128, i128) {
        let all = if unsigned { UNSIGNED } else { SIGNED };
        if all.0 <= self.min && self.max <= all.1 { (self.min, self.max) } else { all }
    }

    pub(crate) fn binary(op: Arithmetic, left: Number, right: Number) -> Number {
        let shift = matches!(op, Arithmetic::Shl | Arithmetic::Shr);
        let unsigned = left.unsigned || right.unsigned && !shift;
        let null = Number { unsigned, ..Number::null() };
        if left.node == Node::Null || right.node == Node::Null {
            return null;
        }
        if let (Some(left), Some(right)) = (left.value(), right.value()) {
            return match compute(op, left, right, unsigned) {
                Some(value) => Number { unsigned, ..Number::constant(value) },
                None => null,
            };
        }
        if matches!(op, Arithmetic::Div | Arithmetic::Rem) && right.value() == Some(0) {
            return null;
        }
        let all = if unsigned { UNSIGNED } else { SIGNED };
        let (l, r) = (left.bounds(unsigned), right.bounds(if shift { false } else { unsigned }));
        let (min, max) = match bounds(op, l, r) {
            Some((min, max)) if all.0 <= min && max <= all.1 => (min, max),
            _ => all,
        };
        Number { node: Node::Binary(op, Box::new(left), Box::new(right)), unsigned, min, max }
    }
}

impl Unary {
    /// The result for a constant.
    fn of(self, value: i128) -> i128 {
        match self {
            Unary::Positive => value.max(0),
            Unary::Device => {
                let dev = value as u64;
                i128::from((dev >> 20) << 8 | dev & 0xff | (dev & 0xf_ff00) << 12)
            }
        }
    }
}

/// The bounds of an operation's result if it can't wrap; `None` if they are unknown.
fn bounds(op: Arithmetic, (a, b): (i128, i128), (c, d): (i128, i128)) -> Option<(i128, i128)> {
    let positive = a >= 0 && c >= 0;
    match op {
        Arithmetic::Add => Some((a + c, b + d)),
        Arithmetic::Sub => Some((a - d, b - c)),
        Arithmetic::Mul => {
            let corner = |x: i128, y: i128| x.checked_mul(y);
            let all = [corner(a, c)?, corner(a, d)?, corner(b, c)?, corner(b, d)?];
            Some((*all.iter().min()?, *all.iter().max()?))
        }
        Arithmetic::Div if positive => Some((0, b)),
        Arithmetic::Div => Some((-a.abs().max(b.abs()), a.abs().max(b.abs()))),
        Arithmetic::Rem if a >= 0 => Some((0, b)),
        Arithmetic::Rem => Some((a, b.max(0))),
        Arithmetic::And if positive => Some((0, b.min(d))),
        Arithmetic::And if a >= 0 => Some((0, b)),
        Arithmetic::And if c >= 0 => Some((0, d)),
        Arithmetic::Or | Arithmetic::Xor if positive => {
            let bits = 128 - (b | d).leading_zeros();
            Some((0, (1 << bits) - 1))
        }
        Arithmetic::Shl if a >= 0 && c == d && (0..64).contains(&c) => Some((a << c, b << c)),
        Arithmetic::Shr if c == d && (0..64).contains(&c) => Some((a >> c, b >> c)),
        Arithmetic::Shr if a >= 0 => Some((0, b)),
        _ => None,
    }
}

/// The result of an operation on constants, as a program would compute it; `None` for NULL.
pub(crate) fn compute(op: Arithmetic, left: i128, right: i128, unsigned: bool) -> Option<i128> {
    let wrap = |value: i128| if unsigned { i128::from(value as u64) } else { i128::from(value as i64) };
    let (l, r) = (wrap(left), wrap(right));
    let by = right as u32 & 63;
    Some(wrap(match op {
        Arithmetic::Add => l + r,
        Arithmetic::Sub => l - r,
        Arithmetic::Mul => l.wrapping_mul(r),
        Arithmetic::Div => l.checked_div(r)?,
        Arithmetic::Rem => l.checked_rem(r)?,
        Arithmetic::And => l & r,
        Arithmetic::Or => l | r,
        Arithmetic::Xor => l ^ r,
        Arithmetic::Shl => l << by,
        Arithmetic::Shr => l >> by,
    }))
}

/// Which jump instructions compare two registers as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signs {
    /// Signed: both numbers fit 64 bits with a sign.
    Signed,
    /// Unsigned: neither number is negative.
    Unsigned,
    /// The left number may be negative, and the right one may be 2⁶³ or more.
    Left,
    /// The right number may be negative, and the left one may be 2⁶³ or more.
    Right,
}

impl Signs {
    pub(crate) fn of(left: &Number, right: &Number) -> Signs {
        if left.max <= SIGNED.1 && right.max <= SIGNED.1 {
            // Constants that fit an immediate compare alike both ways, and most numbers are not negative.
            if left.min >= 0 && right.min >= 0 { Signs::Unsigned } else { Signs::Signed }
        } else if left.min >= 0 && right.min >= 0 {
            Signs::Unsigned
        } else if left.min < 0 {
            Signs::Left
        } else {
            Signs::Right
        }
    }
}

/// The result of a comparison if the bounds decide it.
pub(crate) fn decided(op: Compare, left: &Number, right: &Number) -> Option<bool> {
    let (least, most) = (left.min.cmp(&right.max), left.max.cmp(&right.min));
    let equal = left.min == left.max && right.min == right.max && left.min == right.min;
    // The ranges don't overlap, or both are the same single number.
    (least.is_gt() || most.is_lt() || equal).then(|| op.holds(left.min.cmp(&right.min)))
}
