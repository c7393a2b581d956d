//! What the columns of a row show, as a test compares it with what a witness says.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use kwalk::select::{ColumnInfo, Reason, Select, Show, Value, Walk, device, sql};
use kwalk::{Error, Scope};

use crate::support::{kernel_version, running};

/// A value.
#[derive(Clone, PartialEq)]
pub enum Cell {
    Null,
    Number(i128),
    /// A number that has a name, or what else it is shown as.
    Name(i128, String),
    Text(Vec<u8>),
    Ip(IpAddr),
    LinkLocal(Ipv6Addr, u32),
    Stack(Vec<u64>),
    Texts(Vec<Vec<u8>>),
    /// This kernel is too old for the column, or lacks the JIT that it takes, which the library says; which those are is a
    /// test of its own.
    Absent,
}

impl Cell {
    fn new(info: &ColumnInfo, value: Value<'_>) -> Cell {
        let number = match value {
            Value::Null => return Cell::Null,
            Value::Text(text) => return Cell::Text(text.into()),
            Value::Ip(ip) => return Cell::Ip(ip),
            Value::LinkLocal(ip, device) => return Cell::LinkLocal(ip, device),
            Value::Stack(stack) => return Cell::Stack(stack.addresses().collect()),
            Value::Texts(texts) => return Cell::Texts(texts.iter().map(Vec::from).collect()),
            Value::Enum { value, name: Some(name) } => return Cell::Name(value, name.into()),
            Value::Enum { value, .. } => value,
            Value::Int(value) => value.into(),
            Value::Uint(value) | Value::Pointer(value) => value.into(),
            Value::Bool(value) => value.into(),
            other => panic!("{other:?}"),
        };
        match info.show {
            Show::Names(names) => match names.iter().find(|(known, _)| *known == number) {
                Some((_, name)) => Cell::Name(number, (*name).into()),
                None => Cell::Number(number),
            },
            Show::Device => {
                let (major, minor) = device(number as u64);
                Cell::Name(number, format!("{major}:{minor}"))
            }
            Show::Char => Cell::Name(number, char::from(number as u8).into()),
            _ => Cell::Number(number),
        }
    }

    #[track_caller]
    pub fn number(&self) -> i128 {
        match self {
            Cell::Number(number) | Cell::Name(number, _) => *number,
            other => panic!("{other:?} is no number"),
        }
    }

    #[track_caller]
    pub fn text(&self) -> &[u8] {
        match self {
            Cell::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    #[track_caller]
    pub fn stack(&self) -> &[u64] {
        match self {
            Cell::Stack(stack) => stack,
            other => panic!("{other:?} is no stack"),
        }
    }

    pub fn is_absent(&self) -> bool {
        *self == Cell::Absent
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("NULL"),
            Cell::Number(number) => write!(f, "{number}"),
            Cell::Name(number, name) => write!(f, "{name} ({number})"),
            Cell::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
            Cell::Ip(ip) => write!(f, "{ip}"),
            Cell::LinkLocal(ip, device) => write!(f, "{ip}%{device}"),
            Cell::Stack(stack) => write!(f, "{stack:x?}"),
            Cell::Texts(texts) => {
                f.debug_list().entries(texts.iter().map(|text| text.escape_ascii().to_string())).finish()
            }
            Cell::Absent => f.write_str("(not on this kernel)"),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<&[u8]> for Cell {
    fn from(text: &[u8]) -> Cell {
        Cell::Text(text.into())
    }
}

macro_rules! numbers {
    ($($int:ty)*) => {$(
        impl From<$int> for Cell {
            fn from(number: $int) -> Cell {
                Cell::Number(number.into())
            }
        }
    )*};
}

numbers!(u32 u64 i128);

/// A text is equal to a text, or to a number's name.
impl PartialEq<str> for Cell {
    fn eq(&self, other: &str) -> bool {
        match self {
            Cell::Name(_, name) => name == other,
            Cell::Text(text) => text == other.as_bytes(),
            Cell::Ip(ip) => ip.to_string() == other,
            Cell::LinkLocal(ip, device) => format!("{ip}%{device}") == other,
            Cell::Absent => true,
            _ => false,
        }
    }
}

impl PartialEq<&str> for Cell {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for Cell {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl PartialEq<[u8]> for Cell {
    fn eq(&self, other: &[u8]) -> bool {
        matches!(self, Cell::Text(text) if text == other) || self.is_absent()
    }
}

impl PartialEq<i128> for Cell {
    fn eq(&self, other: &i128) -> bool {
        matches!(self, Cell::Number(number) | Cell::Name(number, _) if number == other) || self.is_absent()
    }
}

/// Whether there is none, as far as this kernel can tell.
impl PartialEq<()> for Cell {
    fn eq(&self, (): &()) -> bool {
        matches!(self, Cell::Null | Cell::Absent)
    }
}

/// What a kernel lacks for a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It is older than this one.
    Since((u16, u16)),
    /// It has no JIT.
    Jit,
}

impl Lack {
    /// What is wrong with a selection is that the kernel lacks this, if the library says so.
    pub fn of(error: &Error) -> Option<Lack> {
        match error {
            Error::Select(error) => match *error.reason {
                Reason::Since { since, .. } => Some(Lack::Since(since)),
                Reason::NoJit { .. } => Some(Lack::Jit),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the running kernel lacks it.
    fn is_true(self) -> bool {
        match self {
            Lack::Since(since) => kernel_version() < since,
            Lack::Jit => !running().has_jit,
        }
    }
}

/// Asserts that a column shows what a witness says of the object, and that this is not what is also there if nothing is
/// read: 0, NULL, an empty text.
#[track_caller]
pub fn tells(column: &str, cell: &Cell, wanted: impl Into<Cell>) {
    let wanted = wanted.into();
    let is_nothing = match &wanted {
        Cell::Null | Cell::Absent => true,
        Cell::Number(number) => *number == 0,
        Cell::Name(..) | Cell::LinkLocal(..) => false,
        Cell::Text(text) => text.is_empty(),
        Cell::Ip(ip) => ip.is_unspecified(),
        Cell::Stack(addresses) => addresses.is_empty(),
        Cell::Texts(texts) => texts.is_empty(),
    };
    assert!(!is_nothing, "{column}: {wanted:?} says nothing");
    let is_same = match (cell, &wanted) {
        (Cell::Absent, _) => true,
        (Cell::Name(number, _), Cell::Number(wanted)) => number == wanted,
        (Cell::Name(_, name), Cell::Text(wanted)) => name.as_bytes() == wanted,
        (cell, wanted) => cell == wanted,
    };
    assert!(is_same, "{column}: {cell:?}, and the witness says {wanted:?}");
}

/// The rows of a target that meet a condition, if it is not empty, with these columns.
#[track_caller]
pub fn found(target: &str, columns: &str, condition: &str) -> Vec<Vec<Cell>> {
    walked(target, columns, condition, Scope::All)
}

/// The one row.
#[track_caller]
pub fn one(target: &str, columns: &str, condition: &str) -> Vec<Cell> {
    let rows = found(target, columns, condition);
    let [row] =
        <[_; 1]>::try_from(rows).unwrap_or_else(|rows| panic!("{target} where {condition}: {rows:?}"));
    row
}

/// The same, with what the link is to be told.
#[track_caller]
pub fn walked(target: &str, columns: &str, condition: &str, scope: Scope<'_>) -> Vec<Vec<Cell>> {
    let kernel = running();
    let select = |columns: &[&str]| {
        let select = Select::new(target);
        // What can't be parsed is no column of a kernel that is too old.
        let all = columns.iter().flat_map(|column| sql::columns(column).unwrap());
        let select = select.fields(all.collect::<Vec<_>>());
        match condition {
            "" => select,
            condition => {
                select.filter(sql::expression(condition).unwrap_or_else(|e| panic!("{condition}: {e}")))
            }
        }
    };
    let all: Vec<&str> = columns.split(", ").collect();
    let is_known = |column: &&&str| match select(&[column]).plan(&kernel) {
        Ok(_) => true,
        Err(error) => {
            let error = Error::from(error);
            // What is said to be of other kernels counts as right below: it must not be said on those.
            assert!(Lack::of(&error).is_some_and(Lack::is_true), "{target}.{column}: {error}");
            false
        }
    };
    let known: Vec<&str> = all.iter().filter(is_known).copied().collect();
    if known.is_empty() {
        return vec![vec![Cell::Absent; all.len()]];
    }
    let walk = || -> Result<Vec<Vec<Cell>>, Error> {
        let mut rows = Walk::plan(&select(&known), &kernel, scope)?.prepare()?.into_rows()?;
        let infos = rows.schema().columns().to_vec();
        let mut found = Vec::new();
        while let Some(row) = rows.next_row()? {
            let mut cells = row.values().zip(&infos).map(|(value, info)| Cell::new(info, value));
            let cell =
                |column: &&str| if known.contains(column) { cells.next().unwrap() } else { Cell::Absent };
            found.push(all.iter().map(cell).collect());
        }
        Ok(found)
    };
    walk().unwrap_or_else(|error| panic!("{target} {columns} where {condition}: {error}"))
}
