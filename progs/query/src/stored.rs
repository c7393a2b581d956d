//! Schemas as bytes, so that rows can be stored and read without the types of the kernel that they are from.
//!
//! Numbers are in the machine's byte order, as in rows. First come 8 bytes for the time at which the kernel was booted
//! (nanoseconds since 1970-01-01 UTC; −2⁶³ if that is not known), and 4 bytes each for: the size of a row's columns before
//! its texts, the number of texts, the maximal size of each text, the number of columns. Each column has its name, its
//! source, 1 byte for the type, 1 byte for how it is shown, and 4 bytes each for its offset, its size, the offset of
//! the word with its NULL bit, and the mask of that bit (0 if it is never NULL). An enum adds 4 bytes for the number of
//! its names, and 16 bytes for the value and a name for each. A list has, before the names, 4 bytes each for the offset of its
//! first value, the size of a value and the distance to the next, and 1 byte for the type of its values. A name has 4 bytes for its length, and UTF-8.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::columns::Show;
use crate::record::{At, ColumnInfo, Schema};
use crate::value::Type;

/// Bytes that are no schema, or the schema of a newer version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotASchema;

impl fmt::Display for NotASchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schema: it is damaged, or of a newer version")
    }
}

impl core::error::Error for NotASchema {}

/// The tag of a list's type.
const LIST: u8 = 12;
/// The time at which a kernel was booted, if that is not known.
const UNKNOWN: i64 = i64::MIN;
/// The size of a column that is a text of variable size: its offset is then the text's number.
const TEXT: u32 = u32::MAX;

impl Schema {
    /// Appends the schema as bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.booted.unwrap_or(UNKNOWN).to_ne_bytes());
        number(self.fixed, out);
        number(self.texts.len(), out);
        self.texts.iter().for_each(|max| number(*max, out));
        number(self.columns.len(), out);
        for column in &self.columns {
            name(&column.name, out);
            name(&column.source, out);
            out.extend([type_tag(&column.ty), show_tag(column.show)]);
            match column.at {
                At::Fixed(at, len) => [at, len].map(|value| number(value, out)),
                At::Text(nth) => [nth, TEXT as usize].map(|value| number(value, out)),
            };
            let (word, mask) = column.null.unwrap_or_default();
            number(word, out);
            out.extend(mask.to_ne_bytes());
            if let Type::List { of, offset, size, stride } = &column.ty {
                [offset, size, stride].into_iter().for_each(|value| number(*value, out));
                out.push(type_tag(of));
            }
            enum_names(&column.ty, out);
        }
    }

    /// Decodes a schema.
    ///
    /// # Errors
    ///
    /// [`NotASchema`] if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Schema, NotASchema> {
        let mut from = Bytes(bytes);
        let schema = from.schema().ok_or(NotASchema)?;
        if from.0.is_empty() { Ok(schema) } else { Err(NotASchema) }
    }
}

/// The cast loses nothing: rows, and names of the kernel's types, are far smaller than 4 GiB.
fn number(value: usize, out: &mut Vec<u8>) {
    out.extend(u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes());
}

fn name(name: &str, out: &mut Vec<u8>) {
    number(name.len(), out);
    out.extend(name.as_bytes());
}

/// The names of an enum, also of a list of its values.
fn enum_names(ty: &Type, out: &mut Vec<u8>) {
    match ty {
        Type::List { of, .. } => enum_names(of, out),
        Type::Enum { names, .. } => {
            number(names.len(), out);
            for (value, known) in names {
                out.extend(value.to_ne_bytes());
                name(known, out);
            }
        }
        _ => {}
    }
}

fn type_tag(ty: &Type) -> u8 {
    match ty {
        Type::Int { signed: false } => 0,
        Type::Int { signed: true } => 1,
        Type::Bool => 2,
        Type::Enum { signed: false, .. } => 3,
        Type::Enum { signed: true, .. } => 4,
        Type::Text => 5,
        Type::Pointer => 6,
        Type::Ip => 7,
        Type::Stack => 8,
        Type::Bytes => 9,
        Type::Float => 10,
        Type::Texts => 11,
        Type::List { .. } => LIST,
    }
}

fn show_tag(show: Show) -> u8 {
    match show {
        // The type tells how these are shown.
        Show::Plain | Show::Names(_) | Show::Char => 0,
        Show::Hex => 1,
        Show::Octal => 2,
        Show::Nanoseconds => 3,
        Show::Bytes => 4,
        Show::Device => 5,
        Show::BootTime => 6,
        Show::Bits64 => 7,
    }
}

/// The bytes that are not decoded yet.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn schema(&mut self) -> Option<Schema> {
        let booted = Some(i64::from_ne_bytes(self.array()?)).filter(|booted| *booted != UNKNOWN);
        // Counts are not trusted: a list grows only as items are decoded.
        let (fixed, texts) = (self.size()?, self.size()?);
        let texts = (0..texts).map(|_| self.size()).collect::<Option<_>>()?;
        let count = self.size()?;
        let columns = (0..count).map(|_| self.column()).collect::<Option<_>>()?;
        Some(Schema { columns, fixed, texts, booted })
    }

    fn column(&mut self) -> Option<ColumnInfo> {
        let (name, source) = (self.name()?, self.name()?);
        let [ty, show] = self.array()?;
        let (at, len) = (self.size()?, u32::from_ne_bytes(self.array()?));
        let at = if len == TEXT { At::Text(at) } else { At::Fixed(at, len as usize) };
        let (word, mask) = (self.size()?, u32::from_ne_bytes(self.array()?));
        let ty = match ty {
            LIST => {
                let (offset, size, stride) = (self.size()?, self.size()?, self.size()?);
                let [of] = self.array()?;
                Type::List { of: Box::new(self.ty(of)?), offset, size, stride }
            }
            one => self.ty(one)?,
        };
        let show = match show {
            0 => Show::Plain,
            1 => Show::Hex,
            2 => Show::Octal,
            3 => Show::Nanoseconds,
            4 => Show::Bytes,
            5 => Show::Device,
            6 => Show::BootTime,
            7 => Show::Bits64,
            _ => return None,
        };
        Some(ColumnInfo { name, ty, show, source, at, null: (mask != 0).then_some((word, mask)) })
    }

    /// A type that is no list.
    fn ty(&mut self, tag: u8) -> Option<Type> {
        Some(match tag {
            0 | 1 => Type::Int { signed: tag == 1 },
            2 => Type::Bool,
            3 | 4 => Type::Enum { signed: tag == 4, names: self.names()? },
            5 => Type::Text,
            6 => Type::Pointer,
            7 => Type::Ip,
            8 => Type::Stack,
            9 => Type::Bytes,
            10 => Type::Float,
            11 => Type::Texts,
            _ => return None,
        })
    }

    fn names(&mut self) -> Option<Vec<(i128, String)>> {
        let count = self.size()?;
        (0..count).map(|_| Some((i128::from_ne_bytes(self.array()?), self.name()?))).collect()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn size(&mut self) -> Option<usize> {
        Some(u32::from_ne_bytes(self.array()?) as usize)
    }

    fn name(&mut self) -> Option<String> {
        let len = self.size()?;
        let (name, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        String::from_utf8(name.into()).ok()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schema() -> Schema {
        let shows = [
            Show::Hex,
            Show::Nanoseconds,
            Show::Bytes,
            Show::Octal,
            Show::Device,
            Show::BootTime,
            Show::Bits64,
            Show::Plain,
        ];
        let names = vec![(-1, "MINUS".into()), (i128::from(u64::MAX), "é".into())];
        let types = [
            Type::Int { signed: true },
            Type::Int { signed: false },
            Type::Bool,
            Type::Enum { signed: true, names },
            Type::Enum { signed: false, names: Vec::new() },
            Type::Text,
            Type::Pointer,
            Type::Ip,
            Type::Stack,
            Type::Bytes,
            Type::Float,
            Type::Texts,
            Type::List { of: Box::new(Type::Int { signed: true }), offset: 4, size: 2, stride: 8 },
            Type::List {
                of: Box::new(Type::Enum { signed: false, names: Vec::new() }),
                offset: 0,
                size: 4,
                stride: 8,
            },
        ];
        let columns = types.into_iter().enumerate().map(|(nth, ty)| ColumnInfo {
            name: format!("name {nth}"),
            at: match ty {
                Type::Text => At::Text(0),
                Type::Texts => At::Text(1),
                _ => At::Fixed(nth * 8, 8),
            },
            ty,
            show: shows[nth % shows.len()],
            source: "a.b".into(),
            null: (nth % 2 == 0).then_some((60, 1 << nth)),
        });
        Schema { columns: columns.collect(), fixed: 88, texts: vec![256, 1 << 20], booted: Some(-7) }
    }

    #[test]
    fn what_is_stored_is_the_same() {
        let mut bytes = Vec::new();
        schema().encode(&mut bytes);
        assert_eq!(format!("{:?}", Schema::decode(&bytes).unwrap()), format!("{:?}", schema()));
        for len in 0..bytes.len() {
            assert!(Schema::decode(&bytes[..len]).is_err(), "{len}");
        }
        bytes.push(0);
        assert!(Schema::decode(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(change in any::<u8>(), at in 0..200usize, rows in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = Vec::new();
            schema().encode(&mut bytes);
            bytes[at] = change;
            if let Ok(schema) = Schema::decode(&bytes) {
                if let Ok(Some((row, _))) = schema.row(&rows) {
                    prop_assert_eq!(row.values().count(), schema.columns().len());
                }
            }
        }
    }
}
