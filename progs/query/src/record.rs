//! What each byte of a row means.
//!
//! A row is chunks of columns of known size, as wide ones first, each chunk with a word of bits for those of its columns
//! that are NULL; then the texts that lie behind pointers, each with its length. Numbers are in the machine's byte order.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::net::IpAddr;
use core::ops::Range;

use crate::columns::Show;

/// The columns of a selection, and where they are in a row.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub(crate) columns: Vec<ColumnInfo>,
    /// How many bytes come before the texts.
    pub(crate) fixed: usize,
    /// How many bytes each of the texts has at most.
    pub(crate) texts: Vec<usize>,
}

/// A column of a selection.
#[derive(Debug, Clone)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub ty: Type,
    /// How they are to be shown.
    pub show: Show,
    /// What it is made of: the path of a field, or an expression of such.
    pub source: String,
    pub(crate) at: At,
    /// Where its bit is if it can be NULL: the word and the mask.
    pub(crate) null: Option<(usize, u32)>,
}

/// What a column's values are.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Integers.
    Int {
        /// Whether they have signs.
        signed: bool,
    },
    /// Of a `bool`.
    Bool,
    /// Values of an enum, with their names.
    Enum {
        /// Whether they have signs.
        signed: bool,
        /// The values and their names.
        names: Vec<(i128, String)>,
    },
    /// Texts.
    Text,
    /// Kernel addresses.
    Pointer,
    /// IP addresses.
    Ip,
    /// The addresses of stacks.
    Stack,
    /// Bytes: what is in a map, and nobody knows the type of.
    Bytes,
}

/// Where a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// So many bytes from the row's start, and of so many.
    Fixed(usize, usize),
    /// Which of the texts.
    Text(usize),
}

/// A value, borrowed from its row.
///
/// A `match` names every kind: whoever shows or stores values then does not compile until it handles a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// There is none: the way to it led through a NULL pointer, or it was divided by zero.
    Null,
    /// An integer with a sign.
    Int(i64),
    /// An integer without.
    Uint(u64),
    /// A `bool`.
    Bool(bool),
    /// A text, as the kernel has it: any bytes but NUL.
    Text(&'a [u8]),
    /// A value of an enum.
    Enum {
        /// The value.
        value: i128,
        /// Its name, if the enum has one for it.
        name: Option<&'a str>,
    },
    /// A kernel address.
    Pointer(u64),
    /// An IP address.
    Ip(IpAddr),
    /// Where in the kernel a task is.
    Stack(Stack<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The kernel addresses of a stack, the innermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a>(&'a [u8]);

impl<'a> Stack<'a> {
    /// Its addresses.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.0.chunks_exact(8).map(|bytes| bytes.try_into().map_or(0, u64::from_ne_bytes))
    }
}

impl Value<'_> {
    /// Which of two values of one column comes first: numbers, addresses and values of enums by their number, texts by
    /// their bytes, false before true, IP addresses of 4 bytes before those of 16.
    pub fn order(&self, other: &Value<'_>) -> Ordering {
        let number = |value: &Value<'_>| match *value {
            Value::Int(value) => Some(value.into()),
            Value::Uint(value) | Value::Pointer(value) => Some(value.into()),
            Value::Bool(value) => Some(value.into()),
            Value::Enum { value, .. } => Some(value),
            Value::Null | Value::Text(_) | Value::Ip(_) | Value::Stack(_) | Value::Bytes(_) => None,
        };
        match (self, other) {
            (Value::Text(left), Value::Text(right)) | (Value::Bytes(left), Value::Bytes(right)) => {
                left.cmp(right)
            }
            (Value::Stack(Stack(left)), Value::Stack(Stack(right))) => left.cmp(right),
            (Value::Ip(left), Value::Ip(right)) => left.cmp(right),
            _ => number(self).cmp(&number(other)),
        }
    }
}

/// One object's columns.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    schema: &'a Schema,
    bytes: &'a [u8],
}

/// Bytes that are no row: cut off, or not written by the program that the schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotARow {
    /// The length that a text can't have, and how long it can be, if that is what is wrong.
    pub text: Option<(u16, usize)>,
}

impl fmt::Display for NotARow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text {
            Some((len, max)) => write!(f, "row: it has a text of {len} bytes, of at most {max}"),
            None => f.write_str("row: it is cut off"),
        }
    }
}

impl core::error::Error for NotARow {}

impl ColumnInfo {
    /// Which bytes of a row are its value's; none for a text that lies behind all that is of known size.
    pub fn bytes(&self) -> Option<Range<usize>> {
        match self.at {
            At::Fixed(at, len) => Some(at..at.saturating_add(len)),
            At::Text(_) => None,
        }
    }
}

impl Schema {
    /// The columns, in the order in which they were selected.
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// The same rows with no more than the first `count` columns.
    #[must_use]
    pub fn first(&self, count: usize) -> Schema {
        let columns = self.columns.iter().take(count).cloned().collect();
        Schema { columns, fixed: self.fixed, texts: self.texts.clone() }
    }

    /// How many bytes a row has at most.
    pub fn row_max(&self) -> usize {
        self.texts.iter().fold(self.fixed, |all, max| all.saturating_add(*max).saturating_add(2))
    }

    /// The row that `bytes` begin with, and how many of them it has; none if more are needed.
    ///
    /// # Errors
    ///
    /// [`NotARow`] if no row begins like this.
    pub fn row<'a>(&'a self, bytes: &'a [u8]) -> Result<Option<(Row<'a>, usize)>, NotARow> {
        let mut len = self.fixed;
        for max in &self.texts {
            let Some(text) = bytes.get(len..).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
            let text = u16::from_ne_bytes(*text);
            if usize::from(text) > *max {
                return Err(NotARow { text: Some((text, *max)) });
            }
            len += 2 + usize::from(text);
        }
        Ok(bytes.get(..len).map(|bytes| (self.whole_row(bytes), len)))
    }

    /// The row that `bytes` are, as a [`Row::bytes`] gave them. Of other bytes, values that are cut off are NULL.
    pub fn whole_row<'a>(&'a self, bytes: &'a [u8]) -> Row<'a> {
        Row { schema: self, bytes }
    }
}

impl<'a> Row<'a> {
    /// The row's own bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value of the column of this number; NULL if there is no such column.
    pub fn get(&self, column: usize) -> Value<'a> {
        self.schema.columns.get(column).map_or(Value::Null, |column| self.value(column))
    }

    /// The values, in the order of the columns.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let row = *self;
        row.schema.columns.iter().map(move |column| row.value(column))
    }

    fn value(&self, column: &'a ColumnInfo) -> Value<'a> {
        if let Some((word, bit)) = column.null {
            let nulls = self.bytes.get(word..).and_then(|rest| rest.first_chunk());
            if nulls.is_none_or(|nulls| u32::from_ne_bytes(*nulls) & bit != 0) {
                return Value::Null;
            }
        }
        let bytes = match column.at {
            At::Fixed(at, len) => self.bytes.get(at..).and_then(|rest| rest.get(..len)),
            At::Text(nth) => self.text(nth),
        };
        bytes.map_or(Value::Null, |bytes| column.ty.value(bytes))
    }

    /// The text of this number, with its NUL; none for NULL.
    fn text(&self, nth: usize) -> Option<&'a [u8]> {
        let mut rest = self.bytes.get(self.schema.fixed..)?;
        for nth in (0..=nth).rev() {
            let (len, behind) = rest.split_first_chunk()?;
            let (text, behind) = behind.split_at_checked(u16::from_ne_bytes(*len).into())?;
            if nth == 0 {
                return (!text.is_empty()).then_some(text);
            }
            rest = behind;
        }
        None
    }
}

impl Type {
    fn value<'a>(&'a self, bytes: &'a [u8]) -> Value<'a> {
        match self {
            Type::Ip => return ip(bytes).map_or(Value::Null, Value::Ip),
            Type::Stack => return Value::Stack(Stack(bytes)),
            Type::Bytes => return Value::Bytes(bytes),
            _ => {}
        }
        let Some((unsigned, signed)) = number(bytes).filter(|_| *self != Type::Text) else {
            let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            return if *self == Type::Text { Value::Text(text) } else { Value::Null };
        };
        match self {
            Type::Int { signed: true } => Value::Int(signed),
            Type::Int { signed: false } => Value::Uint(unsigned),
            Type::Bool => Value::Bool(unsigned != 0),
            Type::Enum { signed: with_sign, names } => {
                let value = if *with_sign { signed.into() } else { unsigned.into() };
                let name = names.iter().find(|(known, _)| *known == value);
                Value::Enum { value, name: name.map(|(_, name)| name.as_str()) }
            }
            Type::Pointer => Value::Pointer(unsigned),
            Type::Text | Type::Ip | Type::Stack | Type::Bytes => Value::Null,
        }
    }
}

/// The address that 4 or 16 bytes are, or those behind the 4 of their family.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    const AF_INET: u32 = 2;
    const AF_INET6: u32 = 10;
    let v4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    match bytes.split_first_chunk() {
        Some((family, address)) if address.len() == 16 => match u32::from_ne_bytes(*family) {
            AF_INET => v4(address.get(..4)?),
            AF_INET6 => v6(address),
            _ => None,
        },
        _ => v4(bytes).or_else(|| v6(bytes)),
    }
}

/// The number that 1, 2, 4 or 8 bytes are, without a sign and with one.
fn number(bytes: &[u8]) -> Option<(u64, i64)> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        Some((u32::from_ne_bytes(bytes).into(), i32::from_ne_bytes(bytes).into()))
    } else if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        Some((u64::from_ne_bytes(bytes), i64::from_ne_bytes(bytes)))
    } else if let Ok(bytes) = <[u8; 2]>::try_from(bytes) {
        Some((u16::from_ne_bytes(bytes).into(), i16::from_ne_bytes(bytes).into()))
    } else if let Ok(bytes) = <[u8; 1]>::try_from(bytes) {
        Some((bytes[0].into(), i8::from_ne_bytes(bytes).into()))
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schema() -> Schema {
        let names = vec![(-1, "MINUS".into()), (7, "SEVEN".into())];
        let of = |name: &str, ty, at, null| ColumnInfo {
            name: name.into(),
            ty,
            show: Show::Plain,
            source: name.into(),
            at,
            null,
        };
        let columns = vec![
            of("wide", Type::Int { signed: false }, At::Fixed(0, 8), None),
            of("null", Type::Int { signed: true }, At::Fixed(12, 4), Some((8, 1))),
            of("there", Type::Enum { signed: true, names }, At::Fixed(16, 2), Some((8, 2))),
            of("bool", Type::Bool, At::Fixed(18, 1), None),
            of("text", Type::Text, At::Fixed(19, 4), None),
            of("first", Type::Text, At::Text(0), None),
            of("second", Type::Text, At::Text(1), None),
        ];
        Schema { columns, fixed: 23, texts: vec![256, 256] }
    }

    #[test]
    fn values_are_what_was_written() {
        let mut bytes = Vec::new();
        bytes.extend(u64::MAX.to_ne_bytes());
        bytes.extend(1u32.to_ne_bytes());
        bytes.extend((-2i32).to_ne_bytes());
        bytes.extend((-1i16).to_ne_bytes());
        bytes.extend(*b"\x01ab\0x");
        bytes.extend(0u16.to_ne_bytes());
        bytes.extend(3u16.to_ne_bytes());
        bytes.extend(*b"cd\0");
        let (schema, whole) = (schema(), bytes.len());
        for len in 0..whole {
            assert_eq!(schema.row(&bytes[..len]).map(|row| row.is_some()), Ok(false), "{len}");
        }
        bytes.extend(*b"the next");
        let (row, len) = schema.row(&bytes).unwrap().unwrap();
        assert_eq!((len, row.bytes()), (whole, &bytes[..whole]));
        let wanted = [
            Value::Uint(u64::MAX),
            Value::Null,
            Value::Enum { value: -1, name: Some("MINUS") },
            Value::Bool(true),
            Value::Text(b"ab"),
            Value::Null,
            Value::Text(b"cd"),
        ];
        assert_eq!(row.values().collect::<Vec<_>>(), wanted);
        assert_eq!(row.get(wanted.len()), Value::Null);
        assert_eq!(
            schema.row(&[&[0; 23][..], &[0xff; 2]].concat()).err(),
            Some(NotARow { text: Some((0xffff, 256)) })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0..99usize, len in 0..99usize) {
            let mut schema = schema();
            schema.columns.iter_mut().for_each(|column| {
                column.at = if at % 3 == 0 { At::Text(at) } else { At::Fixed(at, len) };
                column.null = (len % 2 == 0).then_some((at * 7, 4));
            });
            for start in 0..bytes.len() {
                if let Ok(Some((row, len))) = schema.row(&bytes[start..]) {
                    prop_assert!(len <= bytes.len() - start && len == row.bytes().len() && len >= schema.fixed);
                    prop_assert_eq!(row.values().count(), 7);
                }
            }
        }
    }
}
