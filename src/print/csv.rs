//! Comma-separated values, as RFC 4180 has them: a line of names, then a line for each row, all ended with CR LF.
//!
//! NULL is an empty field, and an empty text two quotes. Numbers are in decimal, addresses as `0xffff888100000000` and
//! `127.0.0.1`, values of enums their names if they have any. Control characters in texts, line feeds too, and what is not
//! UTF-8 are `\xNN`, so that a row is always one line.

use super::escape::add_escaped;
use super::{Format, Symbols, number};
use crate::select::{Row, Schema, Value};

/// Lines of fields.
pub struct Csv {
    header: Vec<u8>,
    symbols: Symbols,
}

impl Csv {
    /// For rows of this schema.
    pub fn new(schema: &Schema) -> Csv {
        let mut header = Vec::new();
        for (nth, column) in schema.columns().iter().enumerate() {
            separate(nth, &mut header);
            text(column.name.as_bytes(), &mut header);
        }
        header.extend_from_slice(b"\r\n");
        Csv { header, symbols: Box::new(number::hex) }
    }
}

impl Format for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
    }

    fn symbolise(&mut self, symbols: Symbols) {
        self.symbols = symbols;
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        for (nth, value) in row.values().enumerate() {
            separate(nth, out);
            add(value, &self.symbols, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}
}

fn separate(nth: usize, out: &mut Vec<u8>) {
    if nth > 0 {
        out.push(b',');
    }
}

/// A value of each kind. How a number is to be shown is for people, but for addresses.
fn add(value: Value<'_>, symbols: &Symbols, out: &mut Vec<u8>) {
    match value {
        Value::Int(value) => number::decimal(value, out),
        Value::Uint(value) => number::decimal(value, out),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Text(value) => text(value, out),
        Value::Enum { name: Some(name), .. } => text(name.as_bytes(), out),
        Value::Enum { value, name: None } => number::decimal(value, out),
        Value::Pointer(value) => number::hex(value, out),
        Value::Ip(value) => number::ip(value, out),
        Value::Bytes(value) => number::bytes(value, out),
        Value::Stack(stack) => number::stack(stack, symbols, b" ", out),
        _ => {}
    }
}

/// A text, in quotes where it needs them.
fn text(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && !text.iter().any(|byte| matches!(byte, b',' | b'"')) {
        return add_escaped(text, out);
    }
    out.push(b'"');
    for (nth, part) in text.split(|byte| *byte == b'"').enumerate() {
        if nth > 0 {
            out.extend_from_slice(b"\"\"");
        }
        add_escaped(part, out);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        text(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_needs_quotes_has_them() {
        assert_eq!(field(b"a b"), "a b");
        assert_eq!(field(b""), "\"\"");
        assert_eq!(field(b"a,b"), "\"a,b\"");
        assert_eq!(field(b"\"a\n\""), "\"\"\"a\\x0a\"\"\"");
    }

    proptest! {
        #[test]
        fn any_texts_are_read_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..4)) {
            let line: Vec<_> = texts.iter().map(|text| field(text)).collect();
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(std::io::Cursor::new(line.join(",") + "\r\n"));
            let read = reader.records().next().unwrap().unwrap();
            let wanted: Vec<_> = texts.iter().map(|text| {
                let mut out = Vec::new();
                add_escaped(text, &mut out);
                String::from_utf8(out).unwrap()
            }).collect();
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), wanted);
        }
    }
}
