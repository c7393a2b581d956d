//! Texts from the kernel, made safe for a terminal.

use std::borrow::Cow;
use std::io::{self, Write};

use super::append::append;

/// A writer that escapes control characters, so that the name of a process can't command a terminal.
///
/// Printable text, in ASCII or UTF-8, and line feeds pass as they are and uncopied. Every other byte becomes `\xNN`:
/// control characters (C0, DEL, and C1 in its UTF-8 form) and what is not UTF-8. Where a character is cut at the end
/// of a write, its first bytes wait for the next write or for [`Escape::finish`].
///
/// ```
/// use std::io::Write;
/// let mut out = kwalk::print::Escape::new(Vec::new());
/// out.write_all(b"sleep\x1b[2J \xc3")?;
/// out.write_all(b"\xa9\n")?;
/// assert_eq!(out.finish()?, "sleep\\x1b[2J é\n".as_bytes());
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Escape<W> {
    out: W,
    /// The beginning of a character whose end has not come yet: at most 3 bytes.
    cut: Vec<u8>,
}

impl<W: Write> Escape<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Escape { out, cut: Vec::new() }
    }

    /// Writes what is left and gives the inner writer back.
    ///
    /// # Errors
    ///
    /// Those of the inner writer.
    pub fn finish(mut self) -> io::Result<W> {
        let cut = std::mem::take(&mut self.cut);
        self.escape_bytes(&cut)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn escape_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| write!(self.out, "\\x{byte:02x}"))
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, char) in text.char_indices().filter(|(_, char)| char.is_control() && *char != '\n') {
            let next = at + char.len_utf8();
            self.out.write_all(&text.as_bytes()[plain..at])?;
            self.escape_bytes(&text.as_bytes()[at..next])?;
            plain = next;
        }
        self.out.write_all(&text.as_bytes()[plain..])
    }

    fn all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(chunk.valid())?;
            if chunks.peek().is_none() && is_cut(chunk.invalid()) {
                self.cut.extend(chunk.invalid());
            } else {
                self.escape_bytes(chunk.invalid())?;
            }
        }
        Ok(())
    }
}

/// Whether `bytes`, which are no character, could become one with more behind them.
fn is_cut(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

impl<W: Write> Write for Escape<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cut.is_empty() {
            self.all(bytes)?;
        } else {
            let mut whole = std::mem::take(&mut self.cut);
            whole.extend(bytes);
            self.all(&whole)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A text as a part of a line: line feeds are escaped too.
///
/// ```
/// assert_eq!(kwalk::print::escape_line("a\nb\x1b[2J"), "a\\x0ab\\x1b[2J");
/// ```
pub fn escape_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::new();
    add_escaped(text.as_bytes(), &mut out);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Adds any bytes to `out` as a part of a line.
pub(super) fn add_escaped(text: &[u8], out: &mut Vec<u8>) {
    let plain = text.iter().take_while(|byte| matches!(byte, b' '..=b'~')).count();
    let (plain, rest) = text.split_at(plain);
    append(plain, out);
    let escape = |bytes: &[u8], out: &mut Vec<u8>| {
        for byte in bytes {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
        }
    };
    for chunk in rest.utf8_chunks() {
        let mut bytes = [0; 4];
        for char in chunk.valid().chars() {
            let bytes = char.encode_utf8(&mut bytes).as_bytes();
            if char.is_control() { escape(bytes, out) } else { out.extend_from_slice(bytes) }
        }
        escape(chunk.invalid(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(writes: &[&[u8]]) -> String {
        let mut out = Escape::new(Vec::new());
        for bytes in writes {
            out.write_all(bytes).unwrap();
        }
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn what_is_printable_passes() {
        let text = "=== Task: naïve – 名前 (pid=1) ===\n  [ 0] ep_poll+0x447/0x460\n\\ ~";
        assert_eq!(escaped(&[text.as_bytes()]), text);
    }

    #[test]
    fn every_control_character_is_escaped_but_the_line_feed() {
        for byte in (0..0x20).chain([0x7f]).filter(|byte| *byte != b'\n') {
            assert_eq!(escaped(&[&[b'a', byte, b'b']]), format!("a\\x{byte:02x}b"));
        }
        assert_eq!(escaped(&["a\u{9b}2Jb".as_bytes()]), "a\\xc2\\x9b2Jb");
    }

    #[test]
    fn what_is_not_utf8_is_escaped() {
        assert_eq!(escaped(&[b"a\x9b2J\xff\xc3(b"]), "a\\x9b2J\\xff\\xc3(b");
    }

    #[test]
    fn a_character_cut_by_a_write_is_put_together() {
        let text = "é名🦀é".as_bytes();
        for at in 0..=text.len() {
            assert_eq!(escaped(&[&text[..at], &text[at..]]).as_bytes(), text);
        }
        let bytes: Vec<_> = text.chunks(1).collect();
        assert_eq!(escaped(&bytes).as_bytes(), text);
    }

    #[test]
    fn a_character_cut_for_good_is_escaped() {
        assert_eq!(escaped(&[b"a\xf0\x9f"]), "a\\xf0\\x9f");
        assert_eq!(escaped(&[b"a\xf0\x9f", b"b"]), "a\\xf0\\x9fb");
    }
}
