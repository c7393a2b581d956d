//! Numbers with their types: what an expression computes, and between which bounds.
//!
//! The rules, which are C's with `long` for `int`:
//!
//! - A number has 64 bits. It is unsigned if it comes from an unsigned field of 64 bits, or is a literal of 2⁶³ or more;
//!   anything else fits 64 bits with a sign, and has one.
//! - The result of an operation is unsigned if either operand is (of a shift, if the left one is), and what does not fit
//!   wraps. `/` rounds towards zero and `%` has the sign of its left side; by zero, both are NULL. −2⁶³ / −1 wraps to −2⁶³.
//! - `>>` keeps the sign of a signed number. The lowest 6 bits of its right side say how far a shift goes.
//! - Comparisons compare the numbers themselves: −1 is less than 2⁶⁴−1, though the two have the same bits.

use alloc::boxed::Box;
use alloc::vec::Vec;

use kwalk_btf::Class;

use crate::expr::{Arithmetic, Compare};
use crate::ir::{Condition, Node, Number};
use crate::place::Place;

const SIGNED: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);
const UNSIGNED: (i128, i128) = (0, u64::MAX as i128);

impl Number {
    pub(crate) fn constant(value: i128) -> Number {
        Number { node: Node::Constant, unsigned: value > SIGNED.1, min: value, max: value }
    }

    pub(crate) fn null() -> Number {
        Number { node: Node::Null, unsigned: false, min: 0, max: 0 }
    }

    /// `CASE`: the number behind the first condition that is true, or else the last one. It is unsigned if any of them is,
    /// whichever is left: what is known beforehand is left out, since the verifier refuses instructions that nothing leads
    /// to.
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
        // NULL has no bounds of its own.
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

    /// The number, if it is known.
    pub(crate) fn value(&self) -> Option<i128> {
        (self.node == Node::Constant).then_some(self.min)
    }

    /// The fields that are read for it, whatever their values.
    pub(crate) fn places(&self) -> Vec<&Place> {
        match &self.node {
            Node::Null | Node::Constant => Vec::new(),
            Node::Field(place) => vec![place],
            Node::Binary(_, left, right) => [left.places(), right.places()].concat(),
            // Which of them is read depends on the conditions.
            Node::Case(..) => Vec::new(),
        }
    }

    /// Changes the places of all fields that it is made of.
    pub(crate) fn each_place(&mut self, each: &mut impl FnMut(&mut Place)) {
        match &mut self.node {
            Node::Null | Node::Constant => {}
            Node::Field(place) => each(place),
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

    /// Whether it is NULL of some objects.
    pub(crate) fn may_be_null(&self) -> bool {
        match &self.node {
            Node::Null => true,
            Node::Constant => false,
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

    /// Its bounds if its bits are read with or without a sign.
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

/// The bounds of a result that nothing has wrapped; none where nothing is known of them.
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

/// What a program computes from two numbers that are known; none for NULL.
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

/// How two registers are compared so that the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signs {
    /// Both fit 64 bits with a sign.
    Signed,
    /// Neither is negative.
    Unsigned,
    /// The left side may be negative and the right one may not fit 64 bits with a sign.
    Left,
    /// The other way round.
    Right,
}

impl Signs {
    pub(crate) fn of(left: &Number, right: &Number) -> Signs {
        if left.max <= SIGNED.1 && right.max <= SIGNED.1 {
            // Constants that are immediates are the same either way, and most numbers are not negative.
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

/// Whether a comparison holds, if the bounds decide that.
pub(crate) fn decided(op: Compare, left: &Number, right: &Number) -> Option<bool> {
    let (least, most) = (left.min.cmp(&right.max), left.max.cmp(&right.min));
    let equal = left.min == left.max && right.min == right.max && left.min == right.min;
    // All on one side of the other, or both just the one number.
    (least.is_gt() || most.is_lt() || equal).then(|| op.holds(left.min.cmp(&right.min)))
}
