//! Comma-separated values (RFC 4180): a line with the names, then a line for each row, all ended by CR LF.
//!
//! NULL is an empty field, and an empty text is two quotes. Numbers are decimal, addresses as in `0xffff888100000000`
//! and `127.0.0.1`, dates in UTC as in `2026-11-29T19:00:00.123Z`, sets of 64 bits as in `000001ffffffffff`, enum values their names if they have one. Control characters in texts, line feeds included, and
//! bytes that are not UTF-8 are written as `\xNN`, so a row is always one line.

use std::net::IpAddr;

use kwalk_query::{DateTime, List, Row, Schema, Stack};

use super::escape::{Special, add_escaped, add_with};
use super::format::{Format, Numbers, Symbols, Visitor, visit};
use super::number;

/// The format CSV.
pub struct Csv {
    header: Vec<u8>,
    numbers: Vec<Numbers>,
    symbols: Symbols,
}

impl Csv {
    /// The format for rows of this schema.
    pub fn new(schema: &Schema) -> Csv {
        let mut header = Vec::new();
        for (nth, column) in schema.columns().iter().enumerate() {
            if nth > 0 {
                header.push(b',');
            }
            text(column.name.as_bytes(), &mut header);
        }
        header.extend_from_slice(b"\r\n");
        Csv { header, numbers: Numbers::of(schema), symbols: Box::new(number::hex) }
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
        let mut fields = Fields { symbols: &self.symbols, out };
        for (nth, (value, numbers)) in row.values().zip(&self.numbers).enumerate() {
            if nth > 0 {
                fields.out.push(b',');
            }
            visit(value, *numbers, &mut fields);
        }
        out.extend_from_slice(b"\r\n");
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}
}

/// Appends the fields of a row.
struct Fields<'a> {
    symbols: &'a Symbols,
    out: &'a mut Vec<u8>,
}

impl Visitor for Fields<'_> {
    fn null(&mut self) {}

    fn int(&mut self, value: i64) {
        number::decimal(value, self.out);
    }

    fn uint(&mut self, value: u64) {
        number::decimal(value, self.out);
    }

    fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn text(&mut self, value: &[u8]) {
        text(value, self.out);
    }

    fn nameless(&mut self, value: i128) {
        number::decimal(value, self.out);
    }

    fn pointer(&mut self, address: u64) {
        number::hex(address, self.out);
    }

    fn ip(&mut self, address: IpAddr) {
        number::ip(address, self.out);
    }

    fn stack(&mut self, stack: Stack<'_>) {
        number::stack(stack, self.symbols, b" ", self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        number::bytes(bytes, self.out);
    }

    fn list(&mut self, list: List<'_>) {
        for (nth, value) in list.values().enumerate() {
            if nth > 0 {
                self.out.push(b' ');
            }
            visit(value, Numbers::Plain, self);
        }
    }

    fn date(&mut self, date: DateTime) {
        number::date(date, self.out);
    }

    fn bits(&mut self, bits: u64) {
        number::bits(bits, self.out);
    }
}

/// Appends a text, quoted if necessary.
fn text(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && !text.iter().any(|byte| matches!(byte, b',' | b'"')) {
        return add_escaped(text, out);
    }
    let escape = |special: Special<'_>, out: &mut Vec<u8>| match special {
        Special::Char('"') => out.extend_from_slice(b"\"\""),
        // Writing to a vector never fails.
        special => drop(special.write(out)),
    };
    out.push(b'"');
    add_with(text, |char| char.is_control() || char == '"', escape, out);
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
