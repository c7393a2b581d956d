//! A line of text in the making, on the stack.

/// Text as long as an instruction's can become. What doesn't fit is left out, and the tests print
/// the longest.
pub(crate) struct Line {
    bytes: [u8; 64],
    len: usize,
}

/// What a line is put together from.
pub(crate) trait Piece {
    fn put(self, line: &mut Line);
}

impl Line {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }

    #[inline]
    pub(crate) fn text(&self) -> &str {
        let text = self.bytes.get(..self.len).and_then(|text| core::str::from_utf8(text).ok());
        text.unwrap_or_default()
    }

    pub(crate) fn hex_byte(&mut self, byte: u8) {
        self.push(&[digit(byte >> 4), digit(byte & 0xf)]);
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        let end = self.len + text.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(text);
            self.len = end;
        }
    }

    /// `before` and the number in that base.
    #[inline]
    fn number(&mut self, before: &str, mut value: u64, base: u64) {
        before.put(self);
        let mut digits = [0; 20];
        let mut start = digits.len();
        for place in digits.iter_mut().rev() {
            *place = digit((value % base) as u8);
            start -= 1;
            value /= base;
            if value == 0 {
                break;
            }
        }
        self.push(digits.get(start..).unwrap_or_default());
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}

impl Piece for &str {
    #[inline]
    fn put(self, line: &mut Line) {
        line.push(self.as_bytes());
    }
}

/// A hexadecimal number: `0x8`, `-0x8`.
pub(crate) struct Hex(pub(crate) i64);

impl Piece for Hex {
    #[inline]
    fn put(self, line: &mut Line) {
        let before = if self.0 < 0 { "-0x" } else { "0x" };
        line.number(before, self.0.unsigned_abs(), 16);
    }
}

/// The same with its sign: `+0x8`, `-0x8`.
pub(crate) struct Plus(pub(crate) i64);

impl Piece for Plus {
    #[inline]
    fn put(self, line: &mut Line) {
        let before = if self.0 < 0 { "-0x" } else { "+0x" };
        line.number(before, self.0.unsigned_abs(), 16);
    }
}

/// The same with its sign, between blanks: ` + 0x8`, ` - 0x8`.
pub(crate) struct Spaced(pub(crate) i64);

impl Piece for Spaced {
    #[inline]
    fn put(self, line: &mut Line) {
        let before = if self.0 < 0 { " - 0x" } else { " + 0x" };
        line.number(before, self.0.unsigned_abs(), 16);
    }
}

/// A decimal number, of something that has numbers for names.
pub(crate) struct Dec(pub(crate) i64);

impl Piece for Dec {
    #[inline]
    fn put(self, line: &mut Line) {
        line.number(if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs(), 10);
    }
}
