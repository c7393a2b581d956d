//! The trait of all output formats, and what they share.

use std::net::{IpAddr, Ipv6Addr};

use kwalk_query::{ColumnInfo, DateTime, List, Row, Schema, Show, Stack, Texts, Value};

/// Up to this many bytes are copied one by one.
const FEW: usize = 16;

/// Appends the symbol of a kernel address to a buffer, as printable text.
pub type Symbols = Box<dyn Fn(u64, &mut Vec<u8>)>;

/// An output format. It appends rows to a buffer of the caller, who can write and clear it after each call of
/// [`Format::flush`]. Only the table keeps rows, and no other format allocates memory per row.
pub trait Format {
    /// Appends what comes before the rows.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Sets how the addresses of stacks are shown. By default they are numbers.
    fn symbolise(&mut self, _symbols: Symbols) {}

    /// Appends a row.
    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>);

    /// Completes what was appended, so that `out` can be written and cleared.
    fn flush(&mut self, _out: &mut Vec<u8>) {}

    /// Appends what comes after the last row of a walk that was aborted.
    fn broken_off(&mut self, _out: &mut Vec<u8>) {}

    /// Appends what comes after the last row of a complete walk.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// How a format writes each kind of value. No method has a default: with a new kind of value, a format without a method
/// for it does not compile.
pub(super) trait Visitor {
    fn null(&mut self);
    fn int(&mut self, value: i64);
    fn uint(&mut self, value: u64);
    fn bool(&mut self, value: bool);
    /// A text, or the name of an enum value.
    fn text(&mut self, text: &[u8]);
    /// An enum value without a name.
    fn nameless(&mut self, value: i128);
    fn pointer(&mut self, address: u64);
    fn ip(&mut self, address: IpAddr);
    /// A link-local address, and the index of its device.
    fn link_local(&mut self, address: Ipv6Addr, device: u32);
    fn stack(&mut self, stack: Stack<'_>);
    fn bytes(&mut self, bytes: &[u8]);
    fn float(&mut self, value: f64);
    fn texts(&mut self, texts: Texts<'_>);
    fn list(&mut self, list: List<'_>);
    /// A number that is a time since boot.
    fn date(&mut self, date: DateTime);
    /// A number that is a set of 64 bits.
    fn bits(&mut self, bits: u64);
}

/// How the numbers of a column are shown in all formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As numbers.
    Plain,
    /// As dates: they are times since the kernel was booted, at this time in nanoseconds since 1970-01-01 UTC.
    Dates(i64),
    /// As sets of 64 bits.
    Bits,
}

impl Numbers {
    /// How each column's numbers are shown.
    pub(super) fn of(schema: &Schema) -> Vec<Numbers> {
        let of = |column: &ColumnInfo| match (column.show, schema.booted()) {
            (Show::BootTime, Some(booted)) => Numbers::Dates(booted),
            (Show::Bits64, _) => Numbers::Bits,
            _ => Numbers::Plain,
        };
        schema.columns().iter().map(of).collect()
    }

    #[cold]
    fn visit(self, value: u64, visitor: &mut impl Visitor) {
        match self {
            Numbers::Plain => visitor.uint(value),
            Numbers::Dates(booted) => visitor.date(DateTime::new(i128::from(booted) + i128::from(value))),
            Numbers::Bits => visitor.bits(value),
        }
    }
}

/// Calls the method for this kind of value.
#[inline]
pub(super) fn visit(value: Value<'_>, numbers: Numbers, visitor: &mut impl Visitor) {
    match (numbers, value) {
        (Numbers::Plain, _) => {}
        (_, Value::Uint(value)) => return numbers.visit(value, visitor),
        // The result of a computation is signed, even if it is never negative.
        (_, Value::Int(value)) => return numbers.visit(value as u64, visitor),
        _ => {}
    }
    match value {
        Value::Null => visitor.null(),
        Value::Int(value) => visitor.int(value),
        Value::Uint(value) => visitor.uint(value),
        Value::Bool(value) => visitor.bool(value),
        Value::Text(text) => visitor.text(text),
        Value::Enum { name: Some(name), .. } => visitor.text(name.as_bytes()),
        Value::Enum { value, name: None } => visitor.nameless(value),
        Value::Pointer(address) => visitor.pointer(address),
        Value::Ip(address) => visitor.ip(address),
        Value::LinkLocal(address, device) => visitor.link_local(address, device),
        Value::Stack(stack) => visitor.stack(stack),
        Value::Bytes(bytes) => visitor.bytes(bytes),
        Value::Float(value) => visitor.float(value),
        Value::Texts(texts) => visitor.texts(texts),
        Value::List(list) => visitor.list(list),
    }
}

/// Appends bytes that are mostly few.
///
/// For so few bytes, a call of musl's memcpy takes longer than copying them one by one. With other C libraries it is
/// faster.
#[inline]
pub(super) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    if cfg!(target_env = "musl") && bytes.len() <= FEW {
        bytes.iter().for_each(|byte| out.push(*byte));
    } else {
        out.extend_from_slice(bytes);
    }
}
