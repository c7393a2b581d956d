//! Walks over text, word by word.

use alloc::boxed::Box;

use crate::text_error::{Expected, Fault};

/// A place in the text. It only moves past whole characters.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'t> {
    /// The length of the whole text, so that what is left tells the place.
    len: usize,
    left: &'t str,
}

/// A number as it is written, and where.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    at: usize,
    negative: bool,
    magnitude: u64,
}

/// Symbols of up to four bytes, to be compared at once.
pub(crate) struct Symbols<const N: usize> {
    all: [Symbol; N],
    /// The numbers, as bits, of those that begin with each byte.
    by_first: [u16; 256],
}

#[derive(Clone, Copy)]
struct Symbol {
    bytes: u32,
    mask: u32,
    len: usize,
}

impl<const N: usize> Symbols<N> {
    /// Without any.
    pub(crate) const NONE: Self = {
        assert!(N <= 16, "more symbols than bits");
        Self { all: [Symbol { bytes: 0, mask: 0, len: 0 }; N], by_first: [0; 256] }
    };

    /// The same, and that symbol as the one of this number.
    pub(crate) const fn with(mut self, number: usize, symbol: &str) -> Self {
        let symbol = symbol.as_bytes();
        assert!(symbol.len() <= 4, "a symbol is longer than four bytes");
        let mut bytes = [0; 4];
        let mut mask = [0; 4];
        let mut i = 0;
        while i < symbol.len() {
            (bytes[i], mask[i]) = (symbol[i], 0xff);
            i += 1;
        }
        let (bytes, mask) = (u32::from_le_bytes(bytes), u32::from_le_bytes(mask));
        self.all[number] = Symbol { bytes, mask, len: symbol.len() };
        self.by_first[symbol[0] as usize] |= 1 << number;
        self
    }
}

// The box is what makes a result without a fault fit into registers.
pub(crate) type Scanned<T> = Result<T, Box<Fault>>;

impl<'t> Scan<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { len: text.len(), left: text }
    }

    /// What is left, from here; nothing has been skipped before it.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'t [u8] {
        self.left.as_bytes()
    }

    /// Where the next thing begins that is no blank.
    #[inline]
    pub(crate) fn place(&mut self) -> usize {
        self.skip_blanks();
        self.len - self.left.len()
    }

    /// The next byte that is no blank.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.rest().first().copied()
    }

    #[inline(always)]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.left = self.left.get(bytes..).unwrap_or_default();
    }

    /// To the next end of a line, or of the text.
    pub(crate) fn skip_line(&mut self) {
        let rest = self.rest();
        self.advance(rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()));
    }

    /// Blanks and `/* comments */`.
    #[inline(always)]
    fn skip_blanks(&mut self) {
        // Between most words there is one blank or none.
        if self.rest().first() == Some(&b' ') {
            self.advance(1);
        }
        if let Some(0..=b' ' | b'/') = self.rest().first() {
            self.skip_more_blanks();
        }
    }

    #[inline(never)]
    fn skip_more_blanks(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.advance(1),
                [b'/', b'*', rest @ ..] => match rest.windows(2).position(|pair| pair == b"*/") {
                    Some(len) => self.advance(len + 4),
                    // Not a comment then, and nothing else either.
                    None => return,
                },
                _ => return,
            }
        }
    }

    /// Past the mark, if it is here.
    #[inline]
    pub(crate) fn eat(&mut self, mark: u8) -> bool {
        let here = self.peek() == Some(mark);
        if here {
            self.advance(1);
        }
        here
    }

    #[inline]
    pub(crate) fn need(&mut self, mark: &'static str) -> Scanned<()> {
        match mark.as_bytes() {
            &[byte] if self.eat(byte) => Ok(()),
            _ => self.fault(Expected::Word(mark)),
        }
    }

    /// The next word: letters, digits, `_`, `.` and `$`; it may be empty. It isn't passed.
    #[inline]
    pub(crate) fn word(&mut self) -> &'t str {
        self.skip_blanks();
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !in_word(byte)).unwrap_or(rest.len());
        self.left.get(..len).unwrap_or_default()
    }

    /// Past the word, if it is the next one.
    #[inline]
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let here = self.word() == word;
        if here {
            self.advance(word.len());
        }
        here
    }

    #[inline]
    pub(crate) fn need_word(&mut self, word: &'static str) -> Scanned<()> {
        if self.eat_word(word) { Ok(()) } else { self.fault(Expected::Word(word)) }
    }

    /// Of the values with these symbols, the one whose symbol is here: the longest, if more than one
    /// is.
    #[inline]
    pub(crate) fn symbol<T: Copy, const N: usize>(
        &mut self,
        all: &[T],
        symbols: &Symbols<N>,
        expected: Expected,
    ) -> Scanned<T> {
        self.skip_blanks();
        let rest = self.rest();
        let next = match rest.first_chunk() {
            Some(&next) => u32::from_le_bytes(next),
            None => rest.iter().rev().fold(0, |next, &byte| next << 8 | u32::from(byte)),
        };
        let mut found = None;
        let mut len = 0;
        let mut candidates = symbols.by_first[(next & 0xff) as usize];
        while candidates != 0 {
            let i = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let Some(symbol) = symbols.all.get(i) else { break };
            if symbol.len > len && next & symbol.mask == symbol.bytes {
                (found, len) = (all.get(i).copied(), symbol.len);
            }
        }
        self.advance(len);
        match found {
            Some(found) => Ok(found),
            None => self.fault(expected),
        }
    }

    /// Whether a number is here, with a sign or without.
    #[inline]
    pub(crate) fn at_number(&mut self) -> bool {
        matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-'))
    }

    /// The same, but a sign is a must, being what ties it to what is before.
    #[inline]
    pub(crate) fn signed_number(&mut self) -> Scanned<Number> {
        match self.peek() {
            Some(b'+' | b'-') => self.number(),
            _ => self.fault(Expected::Sign),
        }
    }

    /// A number in decimal, or in hexadecimal after `0x`.
    #[inline]
    pub(crate) fn number(&mut self) -> Scanned<Number> {
        let at = self.place();
        let sign = self.rest().first().copied();
        if matches!(sign, Some(b'-' | b'+')) {
            self.advance(1);
            self.skip_blanks();
        }
        let magnitude = self.magnitude()?;
        Ok(Number { at, negative: sign == Some(b'-'), magnitude })
    }

    #[inline]
    fn magnitude(&mut self) -> Scanned<u64> {
        let (prefix, digits, radix) = match self.rest() {
            [b'0', b'x' | b'X', digits @ ..] => (2, digits, 16),
            // Elsewhere, LLVM included, these are octal.
            [b'0', b'0'..=b'9', ..] => return self.fault(Expected::Number),
            digits => (0, digits, 10),
        };
        let mut value = 0u64;
        let mut len = 0;
        let mut overflow = false;
        for &byte in digits {
            let digit = u64::from(DIGITS[usize::from(byte)]);
            if digit >= radix {
                if in_word(byte) {
                    return self.fault(Expected::Number);
                }
                break;
            }
            // So many digits are no more than 64 bits in either base.
            if len < 16 {
                value = value * radix + digit;
            } else {
                let next = value.checked_mul(radix).and_then(|value| value.checked_add(digit));
                overflow |= next.is_none();
                value = next.unwrap_or_default();
            }
            len += 1;
        }
        match (len, overflow) {
            (0, _) => self.fault(Expected::Number),
            (_, true) => self.fault(WIDE),
            (_, false) => {
                self.advance(prefix + len);
                Ok(value)
            }
        }
    }

    /// Something else than what is here.
    #[cold]
    pub(crate) fn fault<T>(&mut self, expected: Expected) -> Scanned<T> {
        Err(Fault::new(self.place(), expected))
    }
}

/// An integer that a field of an instruction holds.
pub(crate) trait Holds: TryFrom<i64> {
    const RANGE: Expected;
}

macro_rules! holds {
    ($($int:ident)*) => {$(
        impl Holds for $int {
            const RANGE: Expected = Expected::Range { min: $int::MIN as i64, max: $int::MAX as u64 };
        }
    )*};
}

holds!(u8 i16 u16 i32 u32);

impl Number {
    #[inline]
    fn value(self) -> Option<i64> {
        if self.negative {
            0i64.checked_sub_unsigned(self.magnitude)
        } else {
            i64::try_from(self.magnitude).ok()
        }
    }

    #[inline]
    pub(crate) fn fit<T: Holds>(self) -> Scanned<T> {
        self.value().and_then(|value| T::try_from(value).ok()).ok_or_else(|| self.must_be(T::RANGE))
    }

    #[inline]
    pub(crate) fn imm(self) -> Scanned<i32> {
        const RANGE: Expected = Expected::Range { min: i32::MIN as i64, max: u32::MAX as u64 };
        self.as_imm().ok_or_else(|| self.must_be(RANGE))
    }

    /// The number as an immediate, if it can be one. The verifier's log has negative ones without
    /// their sign (`0xffffffff`), and what is extended to 64 bits may be written like that, too.
    #[inline]
    pub(crate) fn as_imm(self) -> Option<i32> {
        match self.value() {
            Some(value) => {
                i32::try_from(value).ok().or_else(|| u32::try_from(value).ok().map(|value| value as i32))
            }
            None if self.negative => None,
            None => i32::try_from(self.magnitude as i64).ok(),
        }
    }

    #[inline]
    pub(crate) fn imm64(self) -> Scanned<u64> {
        match self.value() {
            Some(value) => Ok(value as u64),
            None if self.negative => Err(self.must_be(WIDE)),
            None => Ok(self.magnitude),
        }
    }

    #[cold]
    pub(crate) fn must_be(self, expected: Expected) -> Box<Fault> {
        Fault::new(self.at, expected)
    }
}

const WIDE: Expected = Expected::Range { min: i64::MIN, max: u64::MAX };

#[inline(always)]
pub(crate) fn in_word(byte: u8) -> bool {
    IN_WORD[usize::from(byte)]
}

/// What each byte is as a digit of up to base 16, or a number above.
pub(crate) static DIGITS: [u8; 256] = {
    let mut all = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        let byte = b"0123456789abcdef"[digit];
        all[byte as usize] = digit as u8;
        all[byte.to_ascii_uppercase() as usize] = digit as u8;
        digit += 1;
    }
    all
};

static IN_WORD: [bool; 256] = {
    let mut all = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        all[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
        byte += 1;
    }
    all
};
