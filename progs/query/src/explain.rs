//! Displays a plan in words: its conditions in the order of the tests, with the fields that they read.

use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

use crate::completion::Fill;
use crate::ir::Value;
use crate::ir::{Condition, Member, Node, Number, Text, TextKind, Unary};
use crate::pattern::Pattern;
use crate::unparse::text;

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Known(Some(true)) => f.write_str("TRUE"),
            Condition::Known(Some(false)) => f.write_str("FALSE"),
            Condition::Known(None) => f.write_str("NULL"),
            Condition::Test { number, tests, all } => {
                let between = if *all { " AND " } else { " OR " };
                joined(f, tests, between, |f, (op, value)| write!(f, "{number} {op} {value}"))
            }
            Condition::Compare(op, left, right) => write!(f, "{left} {op} {right}"),
            Condition::Like(text, pattern) if is_exact(pattern) => write!(f, "{text} = {pattern}"),
            Condition::Like(text, pattern) => write!(f, "{text} LIKE {pattern}"),
            Condition::InSet(member, set) => {
                match member {
                    Member::Text(text) => text.fmt(f)?,
                    Member::Number(number) => number.fmt(f)?,
                }
                write!(f, " IN (… {} values, looked up in a map)", set.keys.len())
            }
            Condition::NumberIsNull(number) => write!(f, "{number} IS NULL"),
            Condition::TextIsNull(text) => write!(f, "{text} IS NULL"),
            Condition::PointerIsNull(place) | Condition::BehindNull(place) => {
                write!(f, "{} IS NULL", place.path)
            }
            Condition::And(all) => joined(f, all, " AND ", part),
            Condition::Or(any) => joined(f, any, " OR ", part),
            Condition::Not(of) => write!(f, "NOT ({of})"),
            Condition::Marked(_, of) => of.fmt(f),
            Condition::Is(truth, of) => write!(f, "({of}) IS {}", if *truth { "TRUE" } else { "FALSE" }),
        }
    }
}

/// Writes a term of AND or OR, in parentheses if it is one itself.
fn part(f: &mut Formatter<'_>, term: &Condition) -> fmt::Result {
    let terms = match term.bare() {
        Condition::And(all) | Condition::Or(all) => all.len(),
        Condition::Test { tests, .. } => tests.len(),
        _ => 1,
    };
    if terms > 1 { write!(f, "({term})") } else { term.fmt(f) }
}

fn joined<T>(
    f: &mut Formatter<'_>,
    terms: &[T],
    between: &str,
    mut one: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (nth, term) in terms.iter().enumerate() {
        f.write_str(if nth == 0 { "" } else { between })?;
        one(f, term)?;
    }
    Ok(())
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Null => f.write_str("NULL"),
            Node::Constant => self.min.fmt(f),
            Node::Field(place) | Node::Copied(place) => f.write_str(&place.path),
            Node::Sum(sum) => write!(f, "sum over CPUs of {}", sum.value.path),
            Node::Bit(bit) => write!(f, "bit({}, {})", bit.word.path, bit.number.path),
            Node::Unary(Unary::Positive, of) => write!(f, "positive({of})"),
            Node::Unary(Unary::Device, of) => write!(f, "st_dev({of})"),
            Node::Binary(op, left, right) => write!(f, "({left} {op} {right})"),
            Node::Case(arms, otherwise) => {
                f.write_str("CASE")?;
                for (condition, number) in arms {
                    write!(f, " WHEN {condition} THEN {number}")?;
                }
                match otherwise.node {
                    Node::Null => f.write_str(" END"),
                    _ => write!(f, " ELSE {otherwise} END"),
                }
            }
        }
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = &self.place.path;
        match self.kind {
            TextKind::Array | TextKind::Pointer | TextKind::Bytes { .. } => f.write_str(path),
            TextKind::Path => write!(f, "d_path({path})"),
            TextKind::Node(_) => write!(f, "names up from {path}"),
            TextKind::ProgName(_) => write!(f, "prog_name({path})"),
            TextKind::Vma(_) => f.write_str("vma_name()"),
            TextKind::Argv { .. } => f.write_str("argv()"),
            TextKind::UnixName { .. } => write!(f, "unix_name({path})"),
            TextKind::Stack => f.write_str("stack()"),
        }
    }
}

/// Displays the pattern as a quoted SQL text.
impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let open = |open: bool| open.then_some(b'%');
        let bytes = self.bytes.iter().map(|byte| byte.unwrap_or(b'_'));
        let bytes: Vec<u8> =
            open(self.open_start).into_iter().chain(bytes).chain(open(self.open_end)).collect();
        text(f, &bytes)
    }
}

fn is_exact(pattern: &Pattern) -> bool {
    !pattern.open_start && !pattern.open_end && pattern.bytes.iter().all(Option::is_some)
}

/// Displays how a column is computed.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Text(text) | Value::Stack(text) | Value::Bytes(text) | Value::List(text, ..) => {
                text.fmt(f)
            }
            Value::Ip(ip) => {
                let places: Vec<_> =
                    [&ip.v4, &ip.v6].into_iter().flatten().map(|place| &*place.path).collect();
                f.write_str(&places.join(" or "))
            }
            Value::Pointer(place) | Value::Float(place) => f.write_str(&place.path),
            Value::Filled(Fill::Arguments) => f.write_str("/proc/PID/cmdline"),
            Value::Filled(Fill::Argument(nth)) => write!(f, "/proc/PID/cmdline[{nth}]"),
            Value::Filled(Fill::Number { .. }) => f.write_str("/proc/PID/cmdline and CASE"),
            Value::Literal(bytes) => text(f, bytes),
        }
    }
}
