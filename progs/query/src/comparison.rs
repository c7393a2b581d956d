//! Builds comparisons of numbers and texts, and merges several of them into one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::expr::{Arithmetic, Compare};
use crate::ir::{Condition, Member, Node, Number, Set, Test};
use crate::limits::{SET_MIN, TEXT_MAX};
use crate::number;

impl Condition {
    /// Compares two numbers; with a [`Condition::Test`] if one of them is a constant.
    pub(crate) fn compared(op: Compare, left: Number, right: Number) -> Condition {
        if left.node == Node::Null || right.node == Node::Null {
            return Condition::Known(None);
        }
        if let Some(holds) = number::decided(op, &left, &right) {
            let either = |number| Condition::unless_null(Condition::is_null(number), holds);
            return match (left.value(), right.value()) {
                (Some(_), _) => either(right),
                (_, Some(_)) => either(left),
                _ => either(Number::binary(Arithmetic::Sub, left, right)),
            };
        }
        match (left.value(), right.value()) {
            (_, Some(value)) => Condition::Test { number: left, tests: vec![(op, value)], all: true },
            (Some(value), _) => {
                Condition::Test { number: right, tests: vec![(op.mirrored(), value)], all: true }
            }
            _ => Condition::Compare(op, left, right),
        }
    }

    /// OR of equality tests; a look-up in a set if there are many, all of the same text or number.
    pub(crate) fn any_equal(any: Vec<Condition>) -> Condition {
        if any.len() < SET_MIN {
            return Condition::merged(any, false);
        }
        if let Some(Condition::Like(text, _)) = any.first() {
            let exact = |condition: &Condition| match condition {
                Condition::Like(same, pattern) if same == text => pattern.exactly(),
                _ => None,
            };
            let texts: Option<Vec<_>> = any.iter().map(exact).collect();
            // The stack must hold a key.
            if let Some(texts) = texts.filter(|texts| texts.iter().all(|text| text.len() < TEXT_MAX)) {
                return Condition::InSet(
                    Member::Text(Box::new(text.clone())),
                    Set::texts(texts.iter().map(Vec::as_slice)),
                );
            }
        }
        match Condition::merged(any, false) {
            Condition::Test { number, tests, all: false }
                if tests.iter().all(|(op, _)| *op == Compare::Eq) =>
            {
                let set = Set::numbers(tests.iter().map(|(_, value)| *value));
                Condition::InSet(Member::Number(number), set)
            }
            other => other,
        }
    }

    /// AND or OR of conditions; a single [`Condition::Test`] if all of them test the same number.
    pub(crate) fn merged(conditions: Vec<Condition>, all: bool) -> Condition {
        let mut merged: Option<(Number, Vec<Test>)> = None;
        for condition in &conditions {
            match (condition, &mut merged) {
                (Condition::Test { number, tests, .. }, None) if tests.len() == 1 => {
                    merged = Some((number.clone(), tests.clone()));
                }
                (Condition::Test { number, tests, .. }, Some((same, merged)))
                    if tests.len() == 1 && number == same =>
                {
                    merged.extend(tests);
                }
                _ => return if all { Condition::And(conditions) } else { Condition::Or(conditions) },
            }
        }
        match merged {
            Some((number, tests)) => Condition::Test { number, tests, all },
            None => Condition::Known(Some(all)),
        }
    }
}
