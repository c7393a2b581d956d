//! Escapes characters in texts from the kernel that a terminal or a format would interpret, or a reader would not see.

use std::borrow::Cow;
use std::io::{self, Write};

use super::format::append;
use super::number;

/// A writer that escapes control characters, so that the name of a process can't control the terminal.
///
/// Printable text, in ASCII or UTF-8, and line feeds are passed on without a copy. Every other byte becomes `\xNN`:
/// control characters (C0, DEL, and C1 in UTF-8), characters that nobody sees (of no width, for another direction, spaces
/// that are none) and bytes that are not UTF-8. A backslash becomes two. If a write ends within a character, its first
/// bytes are kept for the next write or [`Escape::finish`].
///
/// ```
/// use std::io::Write;
/// let mut out = kwalk::print::Escape::new(Vec::new());
/// out.write_all(b"sleep\x1b[2J \\ \xc3")?;
/// out.write_all(b"\xa9\n")?;
/// assert_eq!(out.finish()?, "sleep\\x1b[2J \\\\ é\n".as_bytes());
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Escape<W> {
    out: W,
    /// The first bytes of an incomplete character: at most 3.
    cut: Vec<u8>,
    is_special: fn(char) -> bool,
}

impl<W: Write> Escape<W> {
    /// A writer to `out`.
    pub fn new(out: W) -> Self {
        Escape { out, cut: Vec::new(), is_special: |char| char != '\n' && is_escaped(char) }
    }

    /// The same, but backslashes are passed on: for messages, which cite what a user has written.
    pub fn message(out: W) -> Self {
        Escape { is_special: |char| char != '\n' && is_hidden(char), ..Escape::new(out) }
    }

    /// Writes the bytes that were kept, and returns the inner writer.
    ///
    /// # Errors
    ///
    /// Those of the inner writer.
    pub fn finish(mut self) -> io::Result<W> {
        Special::Bytes(&self.cut).write(&mut self.out)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut pieces = pieces(bytes, self.is_special).peekable();
        while let Some((plain, special)) = pieces.next() {
            self.out.write_all(plain.as_bytes())?;
            match special {
                Some(Special::Bytes(bytes)) if pieces.peek().is_none() && is_cut(bytes) => {
                    self.cut.extend_from_slice(bytes);
                }
                Some(special) => special.write(&mut self.out)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Whether `bytes`, which are no character, could become one with more bytes.
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

/// Escapes a text that is a part of a line: line feeds are escaped too. Two different texts stay different.
///
/// ```
/// assert_eq!(kwalk::print::escape_line("a\nb\x1b[2J\\"), r"a\x0ab\x1b[2J\\");
/// ```
pub fn escape_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::new();
    add_escaped(text.as_bytes(), &mut out);
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// Appends bytes to `out` as a part of a line, escaped.
pub(super) fn add_escaped(text: &[u8], out: &mut Vec<u8>) {
    // Most texts are entirely printable ASCII.
    if text.iter().all(|byte| matches!(byte, b' '..=b'[' | b']'..=b'~')) {
        return append(text, out);
    }
    // Writing to a vector never fails.
    add_with(text, is_escaped, |special, out| drop(special.write(out)), out);
}

/// Whether a character is escaped in texts for people: one that they don't see, and the backslash, with which the escape
/// of another begins.
fn is_escaped(char: char) -> bool {
    char == '\\' || is_hidden(char)
}

/// Whether people don't see a character as what it is: it controls the terminal, has no width, gives the text another
/// direction, or is a space other than U+0020. Marks that combine with the letter before them are seen.
pub(super) fn is_hidden(char: char) -> bool {
    match char {
        ' '..='~' => false,
        _ if char.is_control() || char.is_whitespace() => true,
        // Unicode's Default_Ignorable_Code_Point, and the marks of annotations.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// Appends a text to `out`, but calls `escape` for characters that are `special` and for bytes that are not UTF-8.
pub(super) fn add_with(
    text: &[u8],
    is_special: impl Fn(char) -> bool + Copy,
    escape: impl Fn(Special<'_>, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    // Most texts are entirely printable ASCII.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !is_special(char::from(byte));
    let (plain, rest) = text.split_at(text.iter().position(|byte| !is_plain(*byte)).unwrap_or(text.len()));
    append(plain, out);
    for (plain, special) in pieces(rest, is_special) {
        out.extend_from_slice(plain.as_bytes());
        if let Some(special) = special {
            escape(special, out);
        }
    }
}

/// What must be escaped.
pub(super) enum Special<'a> {
    Char(char),
    /// Bytes that are not UTF-8.
    Bytes(&'a [u8]),
}

impl Special<'_> {
    /// Writes each of its bytes as `\xNN`, and a backslash as two.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut utf8 = [0; 4];
        let bytes = match *self {
            Special::Char('\\') => return out.write_all(b"\\\\"),
            Special::Char(char) => char.encode_utf8(&mut utf8).as_bytes(),
            Special::Bytes(bytes) => bytes,
        };
        bytes.iter().try_for_each(|byte| {
            let [high, low] = number::digits(*byte);
            out.write_all(&[b'\\', b'x', high, low])
        })
    }
}

/// Splits a text into pieces that need no escape, each with what follows it and needs one.
fn pieces<'a>(
    text: &'a [u8],
    is_special: impl Fn(char) -> bool + Copy,
) -> impl Iterator<Item = (&'a str, Option<Special<'a>>)> {
    text.utf8_chunks().flat_map(move |chunk| {
        let valid = chunk.valid().split_inclusive(is_special).map(move |piece| {
            match piece.char_indices().next_back().filter(|(_, char)| is_special(*char)) {
                Some((at, char)) => (piece.get(..at).unwrap_or_default(), Some(Special::Char(char))),
                None => (piece, None),
            }
        });
        let invalid = (!chunk.invalid().is_empty()).then(|| ("", Some(Special::Bytes(chunk.invalid()))));
        valid.chain(invalid)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let text = "=== Task: naïve – 名前 (pid=1) ===\n  [ 0] ep_poll+0x447/0x460\n e\u{301} ~";
        assert_eq!(escaped(&[text.as_bytes()]), text);
    }

    #[test]
    fn what_nobody_sees_is_escaped() {
        let shown = escaped(&["a\u{200b}b\u{202e}c\u{a0}d".as_bytes()]);
        assert_eq!(shown, r"a\xe2\x80\x8bb\xe2\x80\xaec\xc2\xa0d");
        // Zero width, bidirectional, line and paragraph separators, fillers, selectors, a tag, a wide space.
        let hidden = "\u{200d}\u{feff}\u{2066}\u{61c}\u{2028}\u{2029}\u{3164}\u{fe0f}\u{e0041}\u{3000}\u{85}";
        assert!(hidden.chars().all(is_hidden));
        assert!(!"é名🦀\u{301}\u{5b0} ~".chars().any(is_hidden));
    }

    #[test]
    fn a_backslash_is_two_but_in_a_message() {
        assert_eq!(escaped(&[b"a\\x0ab"]), "a\\\\x0ab");
        let mut out = Escape::message(Vec::new());
        out.write_all(b"like 'a\\_\x1b'\n").unwrap();
        assert_eq!(out.finish().unwrap(), b"like 'a\\_\\x1b'\n");
    }

    proptest! {
        #[test]
        fn no_two_texts_look_alike(one in prop::collection::vec(any::<u8>(), 0..6), other in "[\\\\x0ab\n\u{200b}]{0,8}") {
            let shown = |text: &[u8]| {
                let mut out = Vec::new();
                add_escaped(text, &mut out);
                out
            };
            prop_assert_eq!(unescape(&shown(&one)), one);
            prop_assert_eq!(unescape(&shown(other.as_bytes())), other.as_bytes());
        }
    }

    /// What a text was before it was escaped.
    fn unescape(mut text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((first, rest)) = text.split_first() {
            let (byte, rest) = match rest {
                [b'\\', rest @ ..] if *first == b'\\' => (b'\\', rest),
                [b'x', high, low, rest @ ..] if *first == b'\\' => {
                    let digits = [*high, *low];
                    (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), rest)
                }
                rest => (*first, rest),
            };
            out.push(byte);
            text = rest;
        }
        out
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
