//! Conditions with their names resolved: what the instructions are made of.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::expr::Compare;
use crate::number::{Node, Number};
use crate::pattern::{Pattern, TEXT_MAX};
use crate::place::Place;

/// The longest path, or list of arguments, with its NUL (`PATH_MAX`).
pub(crate) const LONG_MAX: usize = 4096;
/// A stack of as many addresses as the kernel gives (`PERF_MAX_STACK_DEPTH`).
pub(crate) const STACK_MAX: usize = 127 * 8;

/// The longest name of a Unix socket (`sun_path`), with a NUL.
pub(crate) const UNIX_MAX: usize = 109;

/// True, false or unknown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// Known without looking; none is unknown.
    Known(Option<bool>),
    /// One number, read once, compared with constants: all of the comparisons hold, or any.
    Test {
        number: Number,
        tests: Vec<Test>,
        all: bool,
    },
    /// Two numbers.
    Compare(Compare, Number, Number),
    /// A text that is like a pattern.
    Like(Text, Pattern),
    /// A number that is NULL.
    NumberIsNull(Number),
    /// A pointer that is NULL, or lies behind one.
    PointerIsNull(Place),
    /// A text that is made, and can't be.
    TextIsNull(Text),
    /// A field that lies behind a pointer that is NULL.
    BehindNull(Place),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    /// True or false as said, and not unknown.
    Is(bool, Box<Condition>),
    /// The one that a part of the selection says, by its number.
    Part(u32, Box<Condition>),
}

/// A comparison with a constant.
pub(crate) type Test = (Compare, i128);

/// A text's place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) place: Place,
    pub(crate) kind: TextKind,
}

/// What a text's place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// The text itself, in as many bytes as the field has.
    Array,
    /// A pointer to it.
    Pointer,
    /// A `struct path`, whose name a helper gives.
    Path,
    /// A pointer to a node of a tree whose nodes have names: the text is the path from the root.
    Node(Tree),
    /// A pointer to the `mm_struct` of the context's task, which lies at `task`: the text is its arguments, from the
    /// address at `start` in it to that at `end`.
    Cmdline { task: u32, start: u32, end: u32 },
    /// A pointer to the address of a Unix socket: the text is its name, which is as long as the number at `len` says,
    /// less what of the address is `before` it; the address is at `start`.
    UnixName { len: u32, start: u32, before: u32 },
    /// A pointer to a task: not a text, but the addresses of its stack.
    Stack,
    /// A pointer to so many bytes that a program may read.
    Bytes { size: u32 },
}

/// Where a node of a tree has what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The pointer to its name.
    pub(crate) name: u32,
    /// The pointer to the node above it, which the root has not, or which is the root itself.
    pub(crate) parent: u32,
}

impl TextKind {
    /// Whether it is made by the program, in a map.
    pub(crate) fn is_made(self) -> bool {
        !matches!(self, TextKind::Array | TextKind::Pointer | TextKind::Bytes { .. })
    }
}

impl Text {
    /// How many bytes it has at most.
    pub(crate) fn size(&self) -> usize {
        match self.kind {
            TextKind::Array | TextKind::Pointer => TEXT_MAX,
            TextKind::Path | TextKind::Node(_) | TextKind::Cmdline { .. } => LONG_MAX,
            TextKind::Stack => STACK_MAX,
            TextKind::UnixName { .. } => UNIX_MAX,
            TextKind::Bytes { size } => size as usize,
        }
    }
}

impl Condition {
    /// The same for somebody who takes what is unknown for `unknown`: what is known beforehand is either all of it, or no
    /// part of it.
    pub(crate) fn simplified(self, unknown: bool) -> Condition {
        use Condition::{And, Is, Known, Not, Or, Part};
        match self {
            Known(None) => Known(Some(unknown)),
            And(all) => simplified(all, unknown, true),
            Or(any) => simplified(any, unknown, false),
            Not(of) => match of.simplified(!unknown) {
                Known(value) => Known(value.map(|value| !value)),
                of => Not(Box::new(of)),
            },
            // Unknown is not what is asked for.
            Is(truth, of) => match of.simplified(!truth) {
                Known(value) => Known(value.map(|value| value == truth)),
                of => Is(truth, Box::new(of)),
            },
            Part(part, of) => match of.simplified(unknown) {
                Known(value) => Known(value),
                of => Part(part, Box::new(of)),
            },
            other => other,
        }
    }

    /// Whether it is unknown of some objects.
    pub(crate) fn may_be_unknown(&self) -> bool {
        match self {
            Condition::Known(value) => value.is_none(),
            Condition::Test { number, .. } => number.may_be_null(),
            Condition::Compare(_, left, right) => left.may_be_null() || right.may_be_null(),
            Condition::Like(text, _) => text.kind != TextKind::Array || text.place.may_be_null(),
            Condition::And(all) | Condition::Or(all) => all.iter().any(Condition::may_be_unknown),
            Condition::Not(of) | Condition::Part(_, of) => of.may_be_unknown(),
            Condition::NumberIsNull(_)
            | Condition::PointerIsNull(_)
            | Condition::TextIsNull(_)
            | Condition::BehindNull(_)
            | Condition::Is(..) => false,
        }
    }

    /// What is true of all numbers, but unknown of NULL; or false.
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

    /// Those of AND and OR, the cheap ones first.
    pub(crate) fn ordered(mut all: Vec<Condition>) -> Vec<Condition> {
        all.sort_by_key(Condition::cost);
        all
    }

    /// Whether it looks at all that it is about, whatever comes of it.
    pub(crate) fn is_certain(&self) -> bool {
        matches!(self.bare(), Condition::Test { .. } | Condition::Compare(..) | Condition::Like(..))
    }

    /// It without the number of its part.
    pub(crate) fn bare(&self) -> &Condition {
        match self {
            Condition::Part(_, of) => of.bare(),
            bare => bare,
        }
    }

    /// The conditions that are true wherever it is, in its terms.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &Condition> {
        let terms = match self.bare() {
            Condition::And(all) => all.as_slice(),
            one => core::slice::from_ref(one),
        };
        terms.iter().map(Condition::bare)
    }

    /// The numbers and the places of fields that are looked at by each condition that is true of all that is shown.
    pub(crate) fn certain(&self) -> (Vec<&Number>, Vec<&Place>) {
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

    /// About how many instructions run.
    fn cost(&self) -> usize {
        match self {
            Condition::Known(_) => 0,
            Condition::Test { number, tests, .. } => cost(number) + tests.len(),
            Condition::Compare(_, left, right) => cost(left) + cost(right) + 1,
            Condition::Like(Text { place, kind }, pattern) => {
                let words = 2 * pattern.bytes.len().div_ceil(4);
                let copy = match kind {
                    TextKind::Array if !pattern.open_start => 0,
                    TextKind::Array | TextKind::Pointer => 100,
                    _ => 10_000,
                };
                let search = if pattern.open_start && pattern.open_end { 1000 } else { 0 };
                hops(place) + words + copy + search
            }
            Condition::NumberIsNull(number) => cost(number),
            Condition::TextIsNull(_) => 10_000,
            Condition::PointerIsNull(place) | Condition::BehindNull(place) => hops(place) + 1,
            Condition::And(all) | Condition::Or(all) => all.iter().map(Condition::cost).sum(),
            Condition::Not(of) | Condition::Is(_, of) | Condition::Part(_, of) => of.cost(),
        }
    }
}

/// AND, if `all`, or OR.
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

fn cost(number: &Number) -> usize {
    match &number.node {
        Node::Null | Node::Constant => 0,
        Node::Field(place) => hops(place) + 1,
        Node::Binary(_, left, right) => cost(left) + cost(right) + 1,
    }
}

/// A pointer that is followed may lie in memory that nothing else has touched.
fn hops(place: &Place) -> usize {
    5 * place.hops.len()
}
