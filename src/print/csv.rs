//! Comma-separated values (RFC 4180): a record with the names, then a record for each row, all ended by LF.
//!
//! NULL is an empty field, and an empty text is two quotes. As readers skip empty lines, NULL is `NULL` if there is only
//! one column, and the text NULL is in quotes there. Numbers are decimal, addresses as in `0xffff888100000000` and
//! `127.0.0.1`, dates in UTC as in `2026-11-29T19:00:00.123Z`, sets of 64 bits as in `000001ffffffffff`, enum values their
//! names if they have one. A list of texts is one text, joined by spaces. Texts are the kernel's bytes, in quotes if they
//! have a comma, a quote or a line break; for a terminal they are escaped.

use std::net::{IpAddr, Ipv6Addr};

use kwalk_query::{DateTime, List, Row, Schema, Stack, Texts};

use super::escape::add_escaped;
use super::format::{Format, Numbers, Symbols, Visitor, append, visit};
use super::number;

/// The format CSV.
pub struct Csv {
    header: Vec<u8>,
    numbers: Vec<Numbers>,
    symbols: Symbols,
    texts: Quoting,
}

impl Csv {
    /// The format for rows of this schema.
    pub fn new(schema: &Schema) -> Csv {
        Csv::with(schema, false)
    }

    /// The same for a terminal: control characters, what nobody sees, what is not UTF-8 and backslashes are escaped, as in
    /// a table.
    pub fn for_terminal(schema: &Schema) -> Csv {
        Csv::with(schema, true)
    }

    fn with(schema: &Schema, are_escaped: bool) -> Csv {
        let texts = Quoting { are_escaped, are_alone: schema.columns().len() == 1 };
        let mut header = Vec::new();
        for (nth, column) in schema.columns().iter().enumerate() {
            if nth > 0 {
                header.push(b',');
            }
            texts.add(column.name.as_bytes(), &mut header);
        }
        header.push(b'\n');
        Csv { header, numbers: Numbers::of(schema), symbols: Box::new(number::hex), texts }
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
        let mut fields = Fields { symbols: &self.symbols, texts: self.texts, out };
        for (nth, (value, numbers)) in row.values().zip(&self.numbers).enumerate() {
            if nth > 0 {
                fields.out.push(b',');
            }
            visit(value, *numbers, &mut fields);
        }
        out.push(b'\n');
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}
}

/// Appends the fields of a row.
struct Fields<'a> {
    symbols: &'a Symbols,
    texts: Quoting,
    out: &'a mut Vec<u8>,
}

impl Visitor for Fields<'_> {
    fn null(&mut self) {
        if self.texts.are_alone {
            self.out.extend_from_slice(NULL);
        }
    }

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
        self.texts.add(value, self.out);
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

    fn link_local(&mut self, address: Ipv6Addr, device: u32) {
        number::link_local(address, device, self.out);
    }

    fn stack(&mut self, stack: Stack<'_>) {
        number::stack(stack, self.symbols, b" ", self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        number::bytes(bytes, self.out);
    }

    fn float(&mut self, value: f64) {
        number::float(value, self.out);
    }

    fn texts(&mut self, texts: Texts<'_>) {
        self.text(&texts.joined().collect::<Vec<_>>());
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

/// NULL where it is the only field of a record.
const NULL: &[u8] = b"NULL";

/// How texts are written.
#[derive(Clone, Copy)]
struct Quoting {
    are_escaped: bool,
    /// Whether each is the only field of its record.
    are_alone: bool,
}

impl Quoting {
    /// Appends a text, quoted if necessary.
    fn add(self, text: &[u8], out: &mut Vec<u8>) {
        let write = |text: &[u8], out: &mut Vec<u8>| match self.are_escaped {
            true => add_escaped(text, out),
            false => append(text, out),
        };
        let is_special = |byte: &u8| match byte {
            b',' | b'"' => true,
            b'\n' | b'\r' => !self.are_escaped,
            _ => false,
        };
        if !(text.is_empty() || text.iter().any(is_special) || self.are_alone && text == NULL) {
            return write(text, out);
        }
        out.push(b'"');
        for piece in text.split_inclusive(|byte| *byte == b'"') {
            write(piece, out);
            out.extend_from_slice(if piece.ends_with(b"\"") { b"\"" } else { b"" });
        }
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(bytes: &[u8], are_escaped: bool, are_alone: bool) -> Vec<u8> {
        let mut out = Vec::new();
        Quoting { are_escaped, are_alone }.add(bytes, &mut out);
        out
    }

    #[test]
    fn what_needs_quotes_has_them() {
        let plain = |bytes| field(bytes, false, false);
        assert_eq!(plain(b"a b"), b"a b");
        assert_eq!(plain(b""), b"\"\"");
        assert_eq!(plain(b"a,b"), b"\"a,b\"");
        assert_eq!(plain(b"\"a\n\""), b"\"\"\"a\n\"\"\"");
        assert_eq!(plain(b"a\r"), b"\"a\r\"");
        assert_eq!(plain(b"\x1b\xff\\"), b"\x1b\xff\\");
        assert_eq!(plain(b"NULL"), b"NULL");
        assert_eq!(field(b"NULL", false, true), b"\"NULL\"");
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(field(b"\"a\n\x1b\\", true, false), br#""""a\x0a\x1b\\""#);
        assert_eq!(field(b"a\nb", true, false), br"a\x0ab");
    }

    proptest! {
        #[test]
        fn any_texts_are_read_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..4)) {
            let fields: Vec<_> = texts.iter().map(|text| field(text, false, texts.len() == 1)).collect();
            let line = [fields.join(&b","[..]), b"\n".to_vec()].concat();
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&line[..]);
            let read = reader.byte_records().next().unwrap().unwrap();
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), texts);
        }
    }
}
