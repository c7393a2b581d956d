//! The layout of a row, and its decoder.
//!
//! A row has chunks of columns with a fixed size, the widest columns first, and in each chunk a word with a NULL bit
//! for each column that can be NULL. Then come the texts of variable size, each after its length: in 2 bytes, or in 4
//! if the text can be longer than that, which only texts are that user space fills in. The length 0 is NULL. Numbers are
//! in the machine's byte order.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::columns::Show;
use crate::value::{Type, Value};

/// The columns of a selection, and their layout in a row.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub(crate) columns: Vec<ColumnInfo>,
    /// The size of the columns before the texts, in bytes.
    pub(crate) fixed: usize,
    /// The maximal size of each text, in bytes.
    pub(crate) texts: Vec<usize>,
    /// When the kernel was booted, if that is known ([`Kernel::booted`](kwalk_progs::Kernel::booted)).
    pub(crate) booted: Option<i64>,
}

/// A column of a selection.
#[derive(Debug, Clone)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub ty: Type,
    /// How its values are shown.
    pub show: Show,
    /// How it is computed: the path of a field, or an expression.
    pub source: String,
    pub(crate) at: At,
    /// The NULL bit, if the column can be NULL: the offset of the word and the mask.
    pub(crate) null: Option<(usize, u32)>,
}

/// Where a column is in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At an offset, with a size in bytes.
    Fixed(usize, usize),
    /// The text with this number.
    Text(usize),
}

/// The columns of one object.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    schema: &'a Schema,
    bytes: &'a [u8],
}

/// Bytes that are no row: truncated, or not from the program that the schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotARow {
    /// The invalid length of a text and the greatest valid one, in bytes, if that is the fault.
    pub text: Option<(u32, usize)>,
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
    /// The bytes of a row that have the column's value; `None` for a text of variable size.
    pub fn bytes(&self) -> Option<Range<usize>> {
        match self.at {
            At::Fixed(at, len) => Some(at..at.saturating_add(len)),
            At::Text(_) => None,
        }
    }
}

impl Schema {
    /// The columns, in the order of the selection.
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// A schema for the same rows with only the first `count` columns.
    #[must_use]
    pub fn first(&self, count: usize) -> Schema {
        let columns = self.columns.iter().take(count).cloned().collect();
        Schema { columns, ..self.clone() }
    }

    /// When the kernel of the rows was booted, in nanoseconds since 1970-01-01 UTC, if that is known: added to a value of a
    /// column with [`Show::BootTime`] it gives the value's date ([`DateTime::new`](crate::DateTime::new)).
    pub fn booted(&self) -> Option<i64> {
        self.booted
    }

    /// A schema with only the first `count` texts of variable size. Columns with others are NULL.
    pub(crate) fn first_texts(&self, count: usize) -> Schema {
        Schema { texts: self.texts.iter().take(count).copied().collect(), ..self.clone() }
    }

    /// The maximal size of a row, in bytes.
    pub fn row_max(&self) -> usize {
        self.texts.iter().fold(self.fixed, |all, max| all.saturating_add(*max).saturating_add(width(*max)))
    }

    /// Decodes the row at the start of `bytes`, and returns it with its size; `None` if it is incomplete.
    ///
    /// # Errors
    ///
    /// [`NotARow`] if the bytes are not the start of a row.
    pub fn row<'a>(&'a self, bytes: &'a [u8]) -> Result<Option<(Row<'a>, usize)>, NotARow> {
        let mut len = self.fixed;
        for max in &self.texts {
            let Some((text, _)) = bytes.get(len..).and_then(|rest| length(rest, *max)) else {
                return Ok(None);
            };
            if text as usize > *max {
                return Err(NotARow { text: Some((text, *max)) });
            }
            len = len.saturating_add(width(*max)).saturating_add(text as usize);
        }
        Ok(bytes.get(..len).map(|bytes| (self.whole_row(bytes), len)))
    }

    /// Decodes a whole row, as [`Row::bytes`] returned it. In other bytes, truncated values are NULL.
    pub fn whole_row<'a>(&'a self, bytes: &'a [u8]) -> Row<'a> {
        Row { schema: self, bytes }
    }
}

impl<'a> Row<'a> {
    /// The bytes of the row.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value of the column with this index; NULL if there is no such column.
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

    /// The text with this number, with its NUL; `None` for NULL.
    fn text(&self, nth: usize) -> Option<&'a [u8]> {
        let mut rest = self.bytes.get(self.schema.fixed..)?;
        for (at, max) in self.schema.texts.iter().enumerate() {
            let (len, behind) = length(rest, *max)?;
            let (text, behind) = behind.split_at_checked(len as usize)?;
            if at == nth {
                return (!text.is_empty()).then_some(text);
            }
            rest = behind;
        }
        None
    }
}

/// The number of bytes in which the length of a text of at most `max` bytes is written.
fn width(max: usize) -> usize {
    if max > u16::MAX.into() { 4 } else { 2 }
}

/// The length of a text of at most `max` bytes, and what follows the length.
fn length(bytes: &[u8], max: usize) -> Option<(u32, &[u8])> {
    Some(match width(max) {
        2 => bytes.split_first_chunk().map(|(len, rest)| (u16::from_ne_bytes(*len).into(), rest))?,
        _ => bytes.split_first_chunk().map(|(len, rest)| (u32::from_ne_bytes(*len), rest))?,
    })
}

/// Appends a text to a row, as user space fills it in: its length in 4 bytes, and the text. Of a text, the last byte is
/// a NUL; no bytes are NULL.
pub fn fill(text: &[u8], row: &mut Vec<u8>) {
    row.extend(u32::try_from(text.len()).unwrap_or(0).to_ne_bytes());
    row.extend_from_slice(text);
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use core::cmp::Ordering;
    use core::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::value::ip;

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
        Schema { columns, fixed: 23, texts: vec![256, 256], booted: None }
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

    #[test]
    fn only_link_local_addresses_have_a_device() {
        let value = |family: u32, device: u32, address: &str| -> (Value<'static>, Ipv6Addr) {
            let address: Ipv6Addr = address.parse().unwrap();
            let bytes = [&family.to_ne_bytes()[..], &device.to_ne_bytes(), &address.octets()].concat();
            (ip(&bytes).unwrap_or(Value::Null), address)
        };
        for (device, address, has_device) in [
            (3, "fe80::1", true),
            (0, "fe80::1", false),
            (3, "febf:ffff::", true),
            (3, "fec0::", false),
            (3, "ff02::fb", true),
            (3, "ff05::2", false),
            (3, "::1", false),
        ] {
            let (value, address) = value(10, device, address);
            let wanted =
                if has_device { Value::LinkLocal(address, device) } else { Value::Ip(address.into()) };
            assert_eq!(value, wanted);
        }
        assert_eq!(value(2, 3, "7f00:1::").0, Value::Ip([127, 0, 0, 1].into()));
        assert_eq!(value(1, 3, "fe80::1").0, Value::Null);
        let link_local = |device| Value::LinkLocal("fe80::1".parse().unwrap(), device);
        assert_eq!(link_local(2).order(&link_local(3)), Ordering::Less);
        assert_eq!(Value::Ip("fe80::2".parse().unwrap()).order(&link_local(3)), Ordering::Greater);
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
