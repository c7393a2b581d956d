//! Simplifies conditions, and tells what they cost and which operands they read.

use alloc::boxed::Box;
use alloc::vec::Vec;

use kwalk_btf::Class;

use crate::ir::{Condition, Member, Node, Number, Text, TextKind};
use crate::place::Place;

impl Condition {
    /// Removes constant parts, for a caller to whom unknown counts as `unknown`. The result is either one constant or
    /// has no constants in it.
    pub(crate) fn simplified(self, unknown: bool) -> Condition {
        use Condition::{And, Is, Known, Marked, Not, Or};
        match self {
            Known(None) => Known(Some(unknown)),
            And(all) => simplified(all, unknown, true),
            Or(any) => simplified(any, unknown, false),
            Not(of) => match of.simplified(!unknown) {
                Known(value) => Known(value.map(|value| !value)),
                of => Not(Box::new(of)),
            },
            // Unknown counts as not equal to `truth`.
            Is(truth, of) => match of.simplified(!truth) {
                Known(value) => Known(value.map(|value| value == truth)),
                of => Is(truth, Box::new(of)),
            },
            Marked(fragment, of) => match of.simplified(unknown) {
                Known(value) => Known(value),
                of => Marked(fragment, Box::new(of)),
            },
            other => other,
        }
    }

    /// Whether the condition can be unknown for some objects.
    pub(crate) fn may_be_unknown(&self) -> bool {
        match self {
            Condition::Known(value) => value.is_none(),
            Condition::Test { number, .. } => number.may_be_null(),
            Condition::Compare(_, left, right) => left.may_be_null() || right.may_be_null(),
            Condition::Like(text, _) => text.kind != TextKind::Array || text.place.may_be_null(),
            Condition::InSet(Member::Text(text), _) => {
                text.kind != TextKind::Array || text.place.may_be_null()
            }
            Condition::InSet(Member::Number(number), _) => number.may_be_null(),
            Condition::And(all) | Condition::Or(all) => all.iter().any(Condition::may_be_unknown),
            Condition::Not(of) | Condition::Marked(_, of) => of.may_be_unknown(),
            Condition::NumberIsNull(_)
            | Condition::PointerIsNull(_)
            | Condition::TextIsNull(_)
            | Condition::BehindNull(_)
            | Condition::Is(..) => false,
        }
    }

    /// A condition that is `holds` for every number, and unknown for NULL.
    pub(crate) fn unless_null(is_null: Condition, holds: bool) -> Condition {
        match (is_null, holds) {
            (Condition::Known(Some(false)), _) => Condition::Known(Some(holds)),
            (is_null, true) => Condition::Or(vec![Condition::Not(Box::new(is_null)), Condition::Known(None)]),
            (is_null, false) => Condition::And(vec![is_null, Condition::Known(None)]),
        }
    }

    /// `IS NULL` of a number.
    pub(crate) fn is_null(number: Number) -> Condition {
        match number.node {
            Node::Null => Condition::Known(Some(true)),
            _ if !number.may_be_null() => Condition::Known(Some(false)),
            Node::Field(place) if matches!(place.field.class, Class::Ptr { .. }) => {
                Condition::PointerIsNull(*place)
            }
            Node::Field(place) => Condition::BehindNull(*place),
            _ => Condition::NumberIsNull(number),
        }
    }

    /// `IS NULL` of a text.
    pub(crate) fn text_is_null(text: Text) -> Condition {
        match text.kind {
            TextKind::Array => Condition::behind_null(text.place),
            TextKind::Pointer | TextKind::Bytes { .. } => Condition::PointerIsNull(text.place),
            _ => Condition::TextIsNull(text),
        }
    }

    fn behind_null(place: Place) -> Condition {
        if place.may_be_null() { Condition::BehindNull(place) } else { Condition::Known(Some(false)) }
    }

    /// Sorts the terms of AND or OR by cost, cheapest first.
    pub(crate) fn ordered(mut all: Vec<Condition>) -> Vec<Condition> {
        all.sort_by_key(Condition::cost);
        all
    }

    /// Whether evaluation always reads every operand (no short circuit).
    pub(crate) fn reads_all_operands(&self) -> bool {
        matches!(self.bare(), Condition::Test { .. } | Condition::Compare(..) | Condition::Like(..))
    }

    /// The condition without its fragment's number.
    pub(crate) fn bare(&self) -> &Condition {
        match self {
            Condition::Marked(_, of) => of.bare(),
            bare => bare,
        }
    }

    /// Whether the result is the same as for the whole texts: of some texts, programs read only the beginning.
    pub(crate) fn is_exact(&self) -> bool {
        match self {
            Condition::Known(_) | Condition::PointerIsNull(_) | Condition::BehindNull(_) => true,
            Condition::TextIsNull(text) => text.is_whole(),
            Condition::Test { number, .. } | Condition::NumberIsNull(number) => is_exact(number),
            Condition::Compare(_, left, right) => is_exact(left) && is_exact(right),
            Condition::InSet(Member::Number(number), _) => is_exact(number),
            Condition::InSet(Member::Text(text), _) => text.is_whole() || !text.kind.is_made(),
            Condition::Like(text, pattern) => match (text.is_whole(), text.kind.is_made()) {
                (true, false) => true,
                // Only the beginning is read of a text behind a pointer or in a large array.
                (false, false) => !pattern.open_start,
                // `LIKE '%…%'` searches only the beginning.
                (whole, true) => whole && !(pattern.open_start && pattern.open_end),
            },
            Condition::And(all) | Condition::Or(all) => all.iter().all(Condition::is_exact),
            Condition::Not(of) | Condition::Is(_, of) | Condition::Marked(_, of) => of.is_exact(),
        }
    }

    /// The terms of an AND, or the condition itself: all of them are true for an object that is shown.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &Condition> {
        let terms = match self.bare() {
            Condition::And(all) => all.as_slice(),
            one => core::slice::from_ref(one),
        };
        terms.iter().map(Condition::bare)
    }

    /// The numbers and fields that are always read for an object that is shown.
    pub(crate) fn operands_read(&self) -> (Vec<&Number>, Vec<&Place>) {
        let (mut numbers, mut places) = (Vec::new(), Vec::new());
        for term in self.terms() {
            match term {
                Condition::Test { number, .. } => numbers.push(number),
                Condition::Compare(_, left, right) => numbers.extend([left, right]),
                Condition::Like(Text { place, kind: TextKind::Array }, _) => places.push(place),
                _ => {}
            }
        }
        places.extend(numbers.iter().flat_map(|number| number.places()));
        (numbers, places)
    }

    /// An estimate of how many instructions run.
    fn cost(&self) -> usize {
        match self {
            Condition::Known(_) => 0,
            Condition::Test { number, tests, .. } => cost(number) + tests.len(),
            Condition::Compare(_, left, right) => cost(left) + cost(right) + 1,
            Condition::Like(text, pattern) => {
                let words = 2 * pattern.bytes.len().div_ceil(4);
                let copy = match text.kind {
                    TextKind::Array if !pattern.open_start => hops(&text.place),
                    _ => text_cost(text),
                };
                let search = if pattern.open_start && pattern.open_end { 1000 } else { 0 };
                words + copy + search
            }
            Condition::InSet(Member::Text(text), _) => 60 + text_cost(text),
            Condition::InSet(Member::Number(number), _) => 60 + cost(number),
            Condition::NumberIsNull(number) => cost(number),
            Condition::TextIsNull(_) => 10_000,
            Condition::PointerIsNull(place) | Condition::BehindNull(place) => hops(place) + 1,
            Condition::And(all) | Condition::Or(all) => all.iter().map(Condition::cost).sum(),
            Condition::Not(of) | Condition::Is(_, of) | Condition::Marked(_, of) => of.cost(),
        }
    }
}

/// Simplifies the terms of AND (if `all`) or OR.
fn simplified(terms: Vec<Condition>, unknown: bool, all: bool) -> Condition {
    let mut rest = Vec::with_capacity(terms.len());
    for term in terms {
        match term.simplified(unknown) {
            Condition::Known(Some(value)) if value == all => {}
            Condition::Known(_) => return Condition::Known(Some(!all)),
            term => rest.push(term),
        }
    }
    match (rest.len(), all) {
        (0, _) => Condition::Known(Some(all)),
        (_, true) => Condition::And(rest),
        (_, false) => Condition::Or(rest),
    }
}

fn is_exact(number: &Number) -> bool {
    match &number.node {
        Node::Null | Node::Constant | Node::Field(_) | Node::Sum(_) | Node::Copied(_) | Node::Bit(_) => true,
        Node::Unary(_, of) => is_exact(of),
        Node::Binary(_, left, right) => is_exact(left) && is_exact(right),
        Node::Case(arms, otherwise) => {
            arms.iter().all(|(condition, number)| condition.is_exact() && is_exact(number))
                && is_exact(otherwise)
        }
    }
}

fn cost(number: &Number) -> usize {
    match &number.node {
        Node::Null | Node::Constant => 0,
        Node::Field(place) => hops(place) + 1,
        Node::Copied(place) => hops(place) + 30,
        Node::Bit(bit) => hops(&bit.pointer) + 70,
        Node::Unary(_, of) => cost(of) + 8,
        // A call for each CPU.
        Node::Sum(sum) => hops(&sum.pointer) + 30 * sum.cpus as usize,
        Node::Binary(_, left, right) => cost(left) + cost(right) + 1,
        Node::Case(arms, otherwise) => {
            let arms = arms.iter().map(|(condition, number)| condition.cost() + cost(number) + 1);
            arms.sum::<usize>() + cost(otherwise)
        }
    }
}

/// The cost of a text that is copied before it is compared.
fn text_cost(text: &Text) -> usize {
    hops(&text.place) + if text.kind.is_made() { 10_000 } else { 100 }
}

/// The cost of following pointers: the memory behind one may not be in the cache.
fn hops(place: &Place) -> usize {
    5 * place.hops.len()
}
