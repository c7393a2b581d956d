//! The typed form of a question, with its names resolved: numbers, conditions and texts, of which the instructions are made.
//!
//! Conditions are made of numbers, and numbers, by CASE, of conditions.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::error::Kind;
use crate::expr::{Arithmetic, Compare};
use crate::limits::{LONG_MAX, STACK_MAX, TEXT_MAX, UNIX_MAX};
use crate::pattern::Pattern;
use crate::place::Place;

/// A number, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) node: Node,
    /// Whether its 64 bits have no sign.
    pub(crate) unsigned: bool,
    /// It is never less,
    pub(crate) min: i128,
    /// and never more.
    pub(crate) max: i128,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// NULL, always: a division by a zero that is written as one, or what is left of a CASE.
    Null,
    /// The number that both bounds are.
    Constant,
    Field(Box<Place>),
    Binary(Arithmetic, Box<Number>, Box<Number>),
    /// The number behind the first of these conditions that is true, or else the last number.
    Case(Vec<(Condition, Number)>, Box<Number>),
}

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
    /// A text or a number that is one of a set.
    InSet(Member, Set),
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
    /// The one that a fragment of the question says, by its number.
    Marked(u32, Box<Condition>),
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

/// What may be in a set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Member {
    Text(Text),
    Number(Number),
}

/// Texts or numbers to look up: the keys of a hash map of the program.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    /// Each is a key as the program makes it: a text with zeros behind it, at least two, so that a longer text, which is cut
    /// to that size, equals none; or the 8 bytes of a number.
    pub(crate) keys: Arc<[Vec<u8>]>,
    /// How many bytes a key has, a multiple of 8.
    pub(crate) key_size: usize,
}

impl Set {
    /// Of texts without a NUL.
    pub(crate) fn texts<'t>(texts: impl Iterator<Item = &'t [u8]> + Clone) -> Set {
        let longest = texts.clone().map(<[u8]>::len).max().unwrap_or(0);
        let key_size = (longest + 2).next_multiple_of(8);
        Set::new(key_size, texts.map(<[u8]>::to_vec))
    }

    /// Of numbers of 64 bits, with or without a sign.
    pub(crate) fn numbers(numbers: impl Iterator<Item = i128>) -> Set {
        Set::new(8, numbers.map(|number| (number as u64).to_ne_bytes().to_vec()))
    }

    fn new(key_size: usize, keys: impl Iterator<Item = Vec<u8>>) -> Set {
        let padded = keys.map(|mut key| {
            key.resize(key_size, 0);
            key
        });
        let unique: BTreeSet<_> = padded.collect();
        Set { keys: unique.into_iter().collect(), key_size }
    }
}

impl TextKind {
    /// Whether it is made by the program, in a map.
    pub(crate) fn is_made(self) -> bool {
        !matches!(self, TextKind::Array | TextKind::Pointer | TextKind::Bytes { .. })
    }
}

impl Text {
    /// Whether a program has all of it, however long it is: arguments and the names of deep trees are cut, and so is what
    /// lies behind a pointer.
    pub(crate) fn is_whole(&self) -> bool {
        match self.kind {
            TextKind::Array => self.place.field.size as usize <= TEXT_MAX,
            TextKind::Path | TextKind::UnixName { .. } | TextKind::Stack | TextKind::Bytes { .. } => true,
            TextKind::Pointer | TextKind::Node(_) | TextKind::Cmdline { .. } => false,
        }
    }

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

/// A value: what an expression is that is no condition.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(Number),
    Text(Text),
    /// A pointer to anything but characters.
    Pointer(Place),
    /// An IP address.
    Ip(Box<IpPlace>),
    /// The addresses of a task's stack.
    Stack(Text),
    /// A key or a value, whatever it is.
    Bytes(Text),
    /// A text that the user wrote.
    Literal(Vec<u8>),
}

/// Where an IP address is: in one of two places, as its family says, or in the one that there is.
#[derive(Debug, Clone)]
pub(crate) struct IpPlace {
    pub(crate) family: Option<Place>,
    pub(crate) v4: Option<Place>,
    pub(crate) v6: Option<Place>,
}

impl IpPlace {
    pub(crate) fn may_be_null(&self) -> bool {
        [&self.family, &self.v4, &self.v6].into_iter().flatten().any(Place::may_be_null)
    }
}

impl Value {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::Number(_) => Kind::Number,
            Value::Text(_) | Value::Literal(_) => Kind::Text,
            Value::Pointer(_) => Kind::Pointer,
            Value::Ip(_) => Kind::Ip,
            Value::Stack(_) => Kind::Stack,
            Value::Bytes(_) => Kind::Bytes,
        }
    }
}
