//! JSON: an object for each row, either one per line or all in an array.
//!
//! Integers are exact numbers, also beyond 2⁵³. `bool`s are `true` and `false`; enum values are their names if they
//! have one, else numbers; NULL is `null`. Addresses are texts: `"0xffff888100000000"`, `"127.0.0.1"`; so are dates (RFC
//! 3339, in UTC): `"2026-11-29T19:00:00.123Z"`, and sets of 64 bits: `"000001ffffffffff"`. A list is an array. In texts,
//! control characters and others that nobody sees are escaped as `\uNNNN`. A text that is not UTF-8 is an array of its
//! bytes, as journalctl writes it.

use std::net::{IpAddr, Ipv6Addr};

use kwalk_query::{ColumnInfo, DateTime, List, Row, Schema, Stack, Texts};

use super::escape::{Special, add_with, is_hidden};
use super::format::{Format, Numbers, Symbols, Visitor, append, visit};
use super::number;

/// The formats JSON and NDJSON.
pub struct Json {
    /// What comes before each value: `{` or `,` and the name.
    keys: Vec<Vec<u8>>,
    numbers: Vec<Numbers>,
    symbols: Symbols,
    array: bool,
    /// Whether a row was written.
    begun: bool,
}

impl Json {
    /// NDJSON: one object per line, and nothing else.
    pub fn lines(schema: &Schema) -> Json {
        let key = |(nth, column): (usize, &ColumnInfo)| {
            let mut key = vec![if nth == 0 { b'{' } else { b',' }];
            text(column.name.as_bytes(), &mut key);
            key.push(b':');
            key
        };
        Json {
            keys: schema.columns().iter().enumerate().map(key).collect(),
            numbers: Numbers::of(schema),
            symbols: Box::new(number::hex),
            array: false,
            begun: false,
        }
    }

    /// JSON: an array of objects, which is closed only after a complete walk.
    pub fn array(schema: &Schema) -> Json {
        Json { array: true, ..Json::lines(schema) }
    }
}

impl Format for Json {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.array {
            out.push(b'[');
        }
    }

    fn symbolise(&mut self, symbols: Symbols) {
        self.symbols = symbols;
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        if self.array {
            out.extend_from_slice(if self.begun { b",\n" } else { b"\n" });
        }
        self.begun = true;
        let mut values = Values { symbols: &self.symbols, out };
        for ((key, numbers), value) in self.keys.iter().zip(&self.numbers).zip(row.values()) {
            append(key, values.out);
            visit(value, *numbers, &mut values);
        }
        out.extend_from_slice(if self.array { b"}" } else { b"}\n" });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.array {
            out.extend_from_slice(if self.begun { b"\n]\n" } else { b"]\n" });
        }
    }
}

/// Appends the values of a row.
struct Values<'a> {
    symbols: &'a Symbols,
    out: &'a mut Vec<u8>,
}

impl Values<'_> {
    /// Appends in quotes what `write` appends, which must need no escapes.
    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }
}

impl Visitor for Values<'_> {
    fn null(&mut self) {
        self.out.extend_from_slice(b"null");
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
        text(value, self.out);
    }

    fn nameless(&mut self, value: i128) {
        number::decimal(value, self.out);
    }

    fn pointer(&mut self, address: u64) {
        self.quoted(|out| number::hex(address, out));
    }

    fn ip(&mut self, address: IpAddr) {
        self.quoted(|out| number::ip(address, out));
    }

    fn link_local(&mut self, address: Ipv6Addr, device: u32) {
        self.quoted(|out| number::link_local(address, device, out));
    }

    fn stack(&mut self, stack: Stack<'_>) {
        let symbols = self.symbols;
        self.out.push(b'[');
        if stack.addresses().len() > 0 {
            self.quoted(|out| number::stack(stack, symbols, b"\",\"", out));
        }
        self.out.push(b']');
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.quoted(|out| number::bytes(bytes, out));
    }

    /// JSON has no number for these three: NaN and the two infinities are texts.
    fn float(&mut self, value: f64) {
        match value.is_finite() {
            true => number::float(value, self.out),
            false => self.quoted(|out| number::float(value, out)),
        }
    }

    fn texts(&mut self, texts: Texts<'_>) {
        // A list of texts has at least one.
        for (nth, one) in texts.iter().enumerate() {
            self.out.push(if nth == 0 { b'[' } else { b',' });
            self.text(one);
        }
        self.out.push(b']');
    }

    fn list(&mut self, list: List<'_>) {
        self.out.push(b'[');
        for (nth, value) in list.values().enumerate() {
            if nth > 0 {
                self.out.push(b',');
            }
            visit(value, Numbers::Plain, self);
        }
        self.out.push(b']');
    }

    fn date(&mut self, date: DateTime) {
        self.quoted(|out| number::date(date, out));
    }

    fn bits(&mut self, bits: u64) {
        self.quoted(|out| number::bits(bits, out));
    }
}

/// Appends a text: quoted, or as an array of bytes if it is not UTF-8.
fn text(text: &[u8], out: &mut Vec<u8>) {
    if std::str::from_utf8(text).is_err() {
        for (nth, byte) in text.iter().enumerate() {
            out.push(if nth == 0 { b'[' } else { b',' });
            number::decimal(*byte, out);
        }
        return out.push(b']');
    }
    let escape = |special: Special<'_>, out: &mut Vec<u8>| match special {
        Special::Char(char @ ('"' | '\\')) => out.extend_from_slice(&[b'\\', char as u8]),
        Special::Char(char) => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                out.extend(unit.to_be_bytes().into_iter().flat_map(number::digits));
            }
        }
        // It was looked for above.
        Special::Bytes(_) => {}
    };
    out.push(b'"');
    add_with(text, |char| is_hidden(char) || matches!(char, '"' | '\\'), escape, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        text(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(quoted(b"a\"b\\c\n\x1b[2J\x7f"), r#""a\"b\\c\u000a\u001b[2J\u007f""#);
        assert_eq!(quoted("é\u{9b}2J 🦀".as_bytes()), r#""é\u009b2J 🦀""#);
        assert_eq!(quoted("\u{202e}\u{e0041}".as_bytes()), r#""\u202e\udb40\udc41""#);
        assert_eq!(quoted(b"\xffa\xc3\""), "[255,97,195,34]");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let quoted = quoted(&bytes);
            prop_assert!(!quoted.chars().any(char::is_control));
            let read = match serde_json::from_str::<String>(&quoted) {
                Ok(text) => text.into_bytes(),
                Err(_) => serde_json::from_str::<Vec<u8>>(&quoted).unwrap(),
            };
            prop_assert_eq!(read, bytes);
        }
    }
}
