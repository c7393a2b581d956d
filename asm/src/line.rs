//! Lines of text in the making, in a buffer.

/// Text up to the length of its buffer. What doesn't fit is left out, so there has to be room for
/// [`Line::LONGEST`] bytes before each instruction; the tests print the longest.
pub(crate) struct Line<'b> {
    bytes: &'b mut [u8],
    len: usize,
}

/// What a line is put together from.
pub(crate) trait Piece {
    fn put(self, line: &mut Line<'_>);
}

impl<'b> Line<'b> {
    /// No instruction is longer, with its label, its slot and the end of the line, and the room that a
    /// [`Short`] text asks for after the first two.
    pub(crate) const LONGEST: usize = 192;

    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    pub(crate) fn text(&self) -> &str {
        let text = self.bytes.get(..self.len).and_then(|text| core::str::from_utf8(text).ok());
        text.unwrap_or_default()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() - self.len < Self::LONGEST
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn hex_byte(&mut self, byte: u8) {
        let [.., high, low] = hex(byte.into()).to_be_bytes();
        self.push(&[high, low]);
    }

    /// Bytes whose number is known here, where this is inlined.
    #[inline(always)]
    fn push(&mut self, text: &[u8]) {
        let end = self.len + text.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(text);
            self.len = end;
        }
    }

    /// All these bytes, of which the first so many count: a copy whose length is known takes no decision.
    #[inline(always)]
    fn push_some<const N: usize>(&mut self, text: &[u8; N], len: usize) {
        if let Some(room) = self.bytes.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut()) {
            *room = *text;
            self.len += len;
        }
    }

    /// Room for a short text, of which [`Line::wrote`] then says how long it is.
    #[inline(always)]
    pub(crate) fn short(&mut self) -> Option<Short<'_>> {
        let room = self.bytes.get_mut(self.len..)?.first_chunk_mut()?;
        Some(Short { room, len: 0 })
    }

    #[inline(always)]
    pub(crate) fn wrote(&mut self, len: usize) {
        self.len += len % Short::LONGEST;
    }

    #[inline(always)]
    fn hex(&mut self, value: u64) {
        if let Ok(low) = u32::try_from(value) {
            let zeros = (low | 1).leading_zeros() / 4;
            return self.push_some(&(hex(low) << (8 * zeros)).to_be_bytes(), 8 - zeros as usize);
        }
        let high = (value >> 32) as u32;
        let zeros = high.leading_zeros() / 4;
        self.push_some(&(hex(high) << (8 * zeros)).to_be_bytes(), 8 - zeros as usize);
        self.push(&hex(value as u32).to_be_bytes());
    }

    fn decimal(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut start = digits.len();
        for place in digits.iter_mut().rev() {
            *place = b'0' + (value % 10) as u8;
            start -= 1;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.push(digits.get(start..).unwrap_or_default());
    }
}

/// Text of fewer than [`Short::LONGEST`] bytes in the making. That all of it fits is known when it begins, so that no
/// piece asks.
pub(crate) struct Short<'b> {
    room: &'b mut [u8; 128],
    pub(crate) len: usize,
}

impl Short<'_> {
    const LONGEST: usize = 64;

    /// All these bytes, of which the first so many count.
    #[inline(always)]
    pub(crate) fn push<const N: usize>(&mut self, text: &[u8; N], len: usize) {
        let start = self.len % Self::LONGEST;
        self.room[start..start + N].copy_from_slice(text);
        self.len += len;
    }

    #[inline(always)]
    pub(crate) fn hex(&mut self, value: u32) {
        let zeros = (value | 1).leading_zeros() / 4;
        self.push(&(hex(value) << (8 * zeros)).to_be_bytes(), 8 - zeros as usize);
    }
}

/// The eight digits of a number, the highest in the highest byte.
#[inline(always)]
fn hex(value: u32) -> u64 {
    // One nibble a byte.
    let value = u64::from(value);
    let value = (value | value << 16) & 0x0000_ffff_0000_ffff;
    let value = (value | value << 8) & 0x00ff_00ff_00ff_00ff;
    let value = (value | value << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // In each byte, 1 if the digit is a letter.
    let letters = (value + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    value + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)
}

impl Piece for &str {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        line.push(self.as_bytes());
    }
}

/// A name or a symbol from a table, rarely longer than 8 bytes.
pub(crate) struct Name(pub(crate) &'static str);

impl Piece for Name {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        match *self.0.as_bytes() {
            [a] => line.push(&[a]),
            [a, b] => line.push(&[a, b]),
            [a, b, c] => line.push(&[a, b, c]),
            ref longer => line.push(longer),
        }
    }
}

/// A hexadecimal number: `0x8`, `-0x8`.
pub(crate) struct Hex(pub(crate) i64);

impl Piece for Hex {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        let negative = self.0 < 0;
        line.push_some(if negative { b"-0x" } else { b"0x " }, if negative { 3 } else { 2 });
        line.hex(self.0.unsigned_abs());
    }
}

/// The same with its sign: `+0x8`, `-0x8`.
pub(crate) struct Plus(pub(crate) i64);

impl Piece for Plus {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        line.push(if self.0 < 0 { b"-0x" } else { b"+0x" });
        line.hex(self.0.unsigned_abs());
    }
}

/// The same with its sign, between blanks: ` + 0x8`, ` - 0x8`.
pub(crate) struct Spaced(pub(crate) i64);

impl Piece for Spaced {
    #[inline(always)]
    fn put(self, line: &mut Line<'_>) {
        line.push(if self.0 < 0 { b" - 0x" } else { b" + 0x" });
        line.hex(self.0.unsigned_abs());
    }
}

/// A decimal number, of something that has numbers for names.
pub(crate) struct Dec(pub(crate) i64);

impl Piece for Dec {
    fn put(self, line: &mut Line<'_>) {
        if self.0 < 0 {
            line.push(b"-");
        }
        line.decimal(self.0.unsigned_abs());
    }
}
