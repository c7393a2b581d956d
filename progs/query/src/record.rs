//! The layout of a row, and its decoder.
//!
//! A row has chunks of columns with a fixed size, the widest columns first, and in each chunk a word with a NULL bit
//! for each column that can be NULL. Then come the texts of variable size, each after its length: in 2 bytes, or in 4
//! if the text can be longer than that, which only texts are that user space fills in. The length 0 is NULL. Numbers are
//! in the machine's byte order.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::ops::Range;

use crate::columns::Show;

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

/// The type of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Integers.
    Int {
        /// Whether they are signed.
        signed: bool,
    },
    /// Of a `bool`.
    Bool,
    /// Values of an enum, with their names.
    Enum {
        /// Whether they are signed.
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
    /// Bytes from a map, of an unknown type.
    Bytes,
    /// Floating-point numbers, of 4 or 8 bytes.
    Float,
    /// Lists of texts.
    Texts,
    /// Lists of values of one type.
    List {
        /// The type of the values; no list itself.
        of: Box<Type>,
        /// The offset of the first value, in bytes.
        offset: usize,
        /// The size of a value, in bytes.
        size: usize,
        /// The distance from one value to the next, in bytes.
        stride: usize,
    },
}

/// Where a column is in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At an offset, with a size in bytes.
    Fixed(usize, usize),
    /// The text with this number.
    Text(usize),
}

/// A value, borrowed from its row.
///
/// Not `non_exhaustive`: code that shows or stores values must handle a new kind before it compiles again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value: a pointer on the path was NULL, or a divisor 0.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A `bool`.
    Bool(bool),
    /// A text: any bytes but NUL.
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
    /// A link-local IPv6 address, and the index of the network device that it belongs to.
    LinkLocal(Ipv6Addr, u32),
    /// The kernel stack of a task.
    Stack(Stack<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A floating-point number.
    Float(f64),
    /// A list of texts.
    Texts(Texts<'a>),
    /// The values of a per-CPU map's element, in the order of the CPUs.
    List(List<'a>),
}

/// A list of texts: the arguments of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    /// The list in these bytes, in which each text is followed by a NUL; the last one need not be.
    ///
    /// ```
    /// use kwalk_query::Texts;
    ///
    /// let texts = Texts::new(b"sh\0-c\0\0echo hi\0");
    /// assert_eq!(texts.iter().collect::<Vec<_>>(), [&b"sh"[..], b"-c", b"", b"echo hi"]);
    /// assert!(texts.joined().eq(*b"sh -c  echo hi"));
    /// assert!(Texts::new(b"a title\0\0\0").joined().eq(*b"a title"));
    /// ```
    pub fn new(bytes: &'a [u8]) -> Texts<'a> {
        Texts(bytes.strip_suffix(&[0]).unwrap_or(bytes))
    }

    /// The texts, in their order: any bytes but NUL.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.split(|byte| *byte == 0)
    }

    /// The bytes of all texts, with a space between each and the next, without the empty texts at the end: a process that
    /// sets a shorter title fills the place of its arguments up with NULs, and `ps` doesn't show these.
    pub fn joined(&self) -> impl ExactSizeIterator<Item = u8> + Clone + use<'a> {
        let end = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = self.0.get(..end).unwrap_or_default();
        text.iter().map(|byte| if *byte == 0 { b' ' } else { *byte })
    }
}

/// A list of values of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    bytes: &'a [u8],
    ty: &'a Type,
}

impl<'a> List<'a> {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let Type::List { of, offset, size, stride } = self.ty else {
            return ListValues { bytes: &[], of: &Type::Bytes, size: 0, stride: 1 };
        };
        ListValues {
            bytes: self.bytes.get(*offset..).unwrap_or_default(),
            of,
            size: *size,
            stride: (*stride).max(1),
        }
    }
}

struct ListValues<'a> {
    bytes: &'a [u8],
    of: &'a Type,
    size: usize,
    stride: usize,
}

impl<'a> Iterator for ListValues<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let value = self.bytes.get(..self.size)?;
        self.bytes = self.bytes.get(self.stride..).unwrap_or_default();
        Some(self.of.value(value))
    }
}

/// The kernel addresses of a stack, the innermost function first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a>(&'a [u8]);

impl<'a> Stack<'a> {
    /// The addresses.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.0.chunks_exact(8).map(|bytes| bytes.try_into().map_or(0, u64::from_ne_bytes))
    }
}

impl Value<'_> {
    /// Compares two values of one column: numbers (NaN after all others), addresses and enum values as numbers, texts byte
    /// by byte, lists of texts text by text, false before true, IPv4 before IPv6 addresses, the same link-local ones by
    /// their devices.
    pub fn order(&self, other: &Value<'_>) -> Ordering {
        let number = |value: &Value<'_>| match *value {
            Value::Int(value) => Some(value.into()),
            Value::Uint(value) | Value::Pointer(value) => Some(value.into()),
            Value::Bool(value) => Some(value.into()),
            Value::Enum { value, .. } => Some(value),
            Value::Null
            | Value::Text(_)
            | Value::Ip(_)
            | Value::LinkLocal(..)
            | Value::Stack(_)
            | Value::Bytes(_)
            | Value::Float(_)
            | Value::Texts(_)
            | Value::List(_) => None,
        };
        let ip = |value: &Value<'_>| match *value {
            Value::Ip(ip) => Some((ip, 0)),
            Value::LinkLocal(ip, device) => Some((ip.into(), device)),
            _ => None,
        };
        match (self, other) {
            (Value::Text(left), Value::Text(right)) | (Value::Bytes(left), Value::Bytes(right)) => {
                left.cmp(right)
            }
            (Value::Stack(Stack(left)), Value::Stack(Stack(right))) => left.cmp(right),
            (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
            (Value::Texts(left), Value::Texts(right)) => left.iter().cmp(right.iter()),
            (Value::List(left), Value::List(right)) => left.bytes.cmp(right.bytes),
            _ => (number(self), ip(self)).cmp(&(number(other), ip(other))),
        }
    }
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

impl Type {
    fn value<'a>(&'a self, bytes: &'a [u8]) -> Value<'a> {
        match self {
            Type::Ip => return ip(bytes).unwrap_or(Value::Null),
            Type::Stack => return Value::Stack(Stack(bytes)),
            Type::Bytes => return Value::Bytes(bytes),
            Type::Float => return float(bytes).map_or(Value::Null, Value::Float),
            Type::Texts => return Value::Texts(Texts::new(bytes)),
            Type::List { .. } => return Value::List(List { bytes, ty: self }),
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
            Type::Text
            | Type::Ip
            | Type::Stack
            | Type::Bytes
            | Type::Float
            | Type::Texts
            | Type::List { .. } => Value::Null,
        }
    }
}

/// Decodes an IP address of 4 or 16 bytes, or a family in 4 bytes and an address after it, perhaps with the index of its
/// device in 4 bytes between them.
fn ip(bytes: &[u8]) -> Option<Value<'static>> {
    const AF_INET: u32 = 2;
    const AF_INET6: u32 = 10;
    let v4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    let Some((family, rest)) = bytes.split_first_chunk().filter(|(_, rest)| rest.len() >= 16) else {
        return v4(bytes).or_else(|| v6(bytes)).map(Value::Ip);
    };
    let (device, address) = rest.split_at_checked(rest.len() - 16)?;
    let device = device.first_chunk().map_or(0, |device| u32::from_ne_bytes(*device));
    match (u32::from_ne_bytes(*family), device) {
        (AF_INET, _) => v4(address.get(..4)?).map(Value::Ip),
        (AF_INET6, 1..) => v6(address).map(|ip| match ip {
            IpAddr::V6(ip) if is_link_local(ip) => Value::LinkLocal(ip, device),
            ip => Value::Ip(ip),
        }),
        (AF_INET6, 0) => v6(address).map(Value::Ip),
        _ => None,
    }
}

/// Decodes a floating-point number of 4 or 8 bytes.
fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => bytes.try_into().ok().map(|bytes| f32::from_ne_bytes(bytes).into()),
        _ => bytes.try_into().ok().map(f64::from_ne_bytes),
    }
}

/// Whether the address means something only together with a device: `fe80::/10`, and of multicast `ff01::/16` and
/// `ff02::/16` (RFC 4007).
fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.is_multicast() && matches!(ip.segments()[0] & 0xf, 1 | 2)
}

/// Decodes a number of 1, 2, 4 or 8 bytes, as unsigned and as signed.
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
