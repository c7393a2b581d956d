//! JSON: an object for each row, one a line, or all of them in an array.
//!
//! Integers are numbers, and exact: what is beyond 2⁵³ too. `bool`s are `true` and `false`, values of enums their names if
//! they have any, or else numbers; NULL is `null`. Addresses are texts: `"0xffff888100000000"`, `"127.0.0.1"`. In texts
//! every control character (C0, DEL, C1) is escaped as `\uNNNN`, and what is not UTF-8 becomes U+FFFD.

use super::append::append;
use super::{Format, Symbols, number};
use crate::select::{Row, Schema, Value};

/// Objects: one a line, or the lines of an array.
pub struct Json {
    /// What stands before each value: the opening brace or a comma, and the name.
    keys: Vec<Vec<u8>>,
    symbols: Symbols,
    array: bool,
    /// Whether a row has been given.
    begun: bool,
}

impl Json {
    /// One object a line, and nothing else: NDJSON.
    pub fn lines(schema: &Schema) -> Json {
        let key = |(nth, column): (usize, &crate::select::ColumnInfo)| {
            let mut key = vec![if nth == 0 { b'{' } else { b',' }];
            text(column.name.as_bytes(), &mut key);
            key.push(b':');
            key
        };
        Json {
            keys: schema.columns().iter().enumerate().map(key).collect(),
            symbols: Box::new(number::hex),
            array: false,
            begun: false,
        }
    }

    /// An array of them, which is closed when the walk has come to its end.
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
        for (key, value) in self.keys.iter().zip(row.values()) {
            append(key, out);
            add(value, &self.symbols, out);
        }
        out.extend_from_slice(if self.array { b"}" } else { b"}\n" });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.array {
            out.extend_from_slice(if self.begun { b"\n]\n" } else { b"]\n" });
        }
    }
}

/// A value of each kind. How a number is to be shown is for people, but for addresses.
fn add(value: Value<'_>, symbols: &Symbols, out: &mut Vec<u8>) {
    let quoted = |out: &mut Vec<u8>, write: fn(u64, &mut Vec<u8>), value| {
        out.push(b'"');
        write(value, out);
        out.push(b'"');
    };
    match value {
        Value::Int(value) => number::decimal(value, out),
        Value::Uint(value) => number::decimal(value, out),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Text(value) => text(value, out),
        Value::Enum { name: Some(name), .. } => text(name.as_bytes(), out),
        Value::Enum { value, name: None } => number::decimal(value, out),
        Value::Pointer(value) => quoted(out, number::hex, value),
        Value::Ip(value) => {
            out.push(b'"');
            number::ip(value, out);
            out.push(b'"');
        }
        Value::Bytes(value) => {
            out.push(b'"');
            number::bytes(value, out);
            out.push(b'"');
        }
        Value::Stack(stack) => {
            out.push(b'[');
            if stack.addresses().len() > 0 {
                out.push(b'"');
                number::stack(stack, symbols, b"\",\"", out);
                out.push(b'"');
            }
            out.push(b']');
        }
        _ => out.extend_from_slice(b"null"),
    }
}

/// A text in quotes.
fn text(text: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    out.push(b'"');
    let plain = text.iter().take_while(|byte| is_plain(byte)).count();
    let (plain, rest) = text.split_at(plain);
    append(plain, out);
    for chunk in rest.utf8_chunks() {
        let mut bytes = [0; 4];
        for char in chunk.valid().chars() {
            match char {
                '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
                // All of these are below U+0100.
                _ if char.is_control() => {
                    let digit = |nibble: u32| b"0123456789abcdef"[(nibble & 15) as usize];
                    let code = u32::from(char);
                    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(code >> 4), digit(code)]);
                }
                _ => out.extend_from_slice(char.encode_utf8(&mut bytes).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
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
        assert_eq!(quoted(b"\xff\xc3(\xf0\x9f"), "\"\u{fffd}\u{fffd}(\u{fffd}\"");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let quoted = quoted(&bytes);
            prop_assert!(!quoted.chars().any(char::is_control));
            let read: String = serde_json::from_str(&quoted).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
