//! What a format of rows does, and what every format is made with.

use std::net::IpAddr;

use kwalk_query::{Row, Stack, Value};

/// Up to so many bytes are copied one by one.
const FEW: usize = 16;

/// Adds the name of a kernel address to a buffer: printable text.
pub type Symbols = Box<dyn Fn(u64, &mut Vec<u8>)>;

/// Rows as bytes. A format adds them to a buffer of its caller, who writes and empties it at any time. No format but the
/// table keeps rows, or allocates memory for one.
pub trait Format {
    /// Adds what comes before the rows.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Sets how the addresses of stacks are shown, which are numbers otherwise.
    fn symbolise(&mut self, _symbols: Symbols) {}

    /// Adds one more row.
    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>);

    /// Prepares `out` for being written and emptied: a format may have to complete what it has added.
    fn flush(&mut self, _out: &mut Vec<u8>) {}

    /// Adds what comes behind the last row of a walk that has broken off.
    fn broken_off(&mut self, _out: &mut Vec<u8>) {}

    /// Adds what comes behind the last row of a walk that is complete.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// How a format writes the values of each kind. No method has a default, so that a new kind of value does not compile
/// until every format has a method for it.
pub(super) trait Visitor {
    fn null(&mut self);
    fn int(&mut self, value: i64);
    fn uint(&mut self, value: u64);
    fn bool(&mut self, value: bool);
    /// A text of any bytes, or the name of a value of an enum.
    fn text(&mut self, text: &[u8]);
    /// A value of an enum that has no name for it.
    fn nameless(&mut self, value: i128);
    fn pointer(&mut self, address: u64);
    fn ip(&mut self, address: IpAddr);
    fn stack(&mut self, stack: Stack<'_>);
    fn bytes(&mut self, bytes: &[u8]);
}

/// Calls the visitor's method for this kind of value.
#[inline]
pub(super) fn visit(value: Value<'_>, visitor: &mut impl Visitor) {
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
        Value::Stack(stack) => visitor.stack(stack),
        Value::Bytes(bytes) => visitor.bytes(bytes),
    }
}

/// Adds bytes that are few in most cases.
///
/// A call of musl's memcpy takes longer than copying so few bytes one by one. Other C libraries are faster at it.
#[inline]
pub(super) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    if cfg!(target_env = "musl") && bytes.len() <= FEW {
        bytes.iter().for_each(|byte| out.push(*byte));
    } else {
        out.extend_from_slice(bytes);
    }
}
