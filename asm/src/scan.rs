//! Walks over text, word by word.

use crate::text_error::{Expected, Fault};

/// A place in the text. It only moves past whole characters.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'t> {
    text: &'t str,
    at: usize,
}

/// A number as it is written, and where.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) at: usize,
    pub(crate) value: i128,
}

pub(crate) type Scanned<T> = Result<T, Fault>;

impl<'t> Scan<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// What is left, from here; nothing has been skipped before it.
    #[inline]
    pub(crate) fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Where the next thing begins that is no blank.
    #[inline]
    pub(crate) fn place(&mut self) -> usize {
        self.skip_blanks();
        self.at
    }

    /// The next byte that is no blank.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.rest().first().copied()
    }

    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// To the next end of a line, or of the text.
    pub(crate) fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    /// Blanks and `/* comments */`.
    #[inline]
    fn skip_blanks(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.at += 1,
                [b'/', b'*', rest @ ..] => match rest.windows(2).position(|pair| pair == b"*/") {
                    Some(len) => self.at += len + 4,
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
        self.at += usize::from(here);
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
        self.text.get(self.at..self.at + len).unwrap_or_default()
    }

    /// Past the word, if it is the next one.
    #[inline]
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let here = self.word() == word;
        if here {
            self.at += word.len();
        }
        here
    }

    #[inline]
    pub(crate) fn need_word(&mut self, word: &'static str) -> Scanned<()> {
        if self.eat_word(word) { Ok(()) } else { self.fault(Expected::Word(word)) }
    }

    /// Of these values, the one whose symbol is here: the longest, if more than one is.
    #[inline]
    pub(crate) fn symbol<T: Copy>(
        &mut self,
        all: &[T],
        symbol: impl Fn(T) -> Option<&'static str>,
        expected: Expected,
    ) -> Scanned<T> {
        self.skip_blanks();
        let rest = self.rest();
        let mut found = None;
        let mut len = 0;
        for &one in all {
            let symbol = symbol(one).unwrap_or_default();
            if symbol.len() > len && rest.starts_with(symbol.as_bytes()) {
                (found, len) = (Some(one), symbol.len());
            }
        }
        self.at += len;
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
        let negative = match self.rest().first() {
            Some(b'-') => true,
            Some(b'+') => false,
            _ => return Ok(Number { at, value: self.magnitude()?.into() }),
        };
        self.at += 1;
        let value = i128::from(self.magnitude()?);
        Ok(Number { at, value: if negative { -value } else { value } })
    }

    #[inline]
    fn magnitude(&mut self) -> Scanned<u64> {
        let word = self.word();
        let (digits, radix) = match word.as_bytes() {
            [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
            // Elsewhere, LLVM included, these are octal.
            [b'0', _, ..] => return self.fault(Expected::Number),
            digits => (digits, 10),
        };
        let mut value = 0u64;
        if digits.is_empty() {
            return self.fault(Expected::Number);
        }
        let mut overflow = false;
        for &byte in digits {
            let Some(digit) = char::from(byte).to_digit(radix) else { return self.fault(Expected::Number) };
            let next = value.checked_mul(radix.into()).and_then(|value| value.checked_add(digit.into()));
            overflow |= next.is_none();
            value = next.unwrap_or_default();
        }
        if overflow {
            return self.fault(WIDE);
        }
        self.at += word.len();
        Ok(value)
    }

    /// Something else than what is here.
    #[cold]
    pub(crate) fn fault<T>(&mut self, expected: Expected) -> Scanned<T> {
        Err(Fault { at: self.place(), expected })
    }
}

/// An integer that a field of an instruction holds.
pub(crate) trait Holds: TryFrom<i128> {
    const RANGE: Expected;
}

macro_rules! holds {
    ($($int:ident)*) => {$(
        impl Holds for $int {
            const RANGE: Expected = Expected::Range { min: $int::MIN as i64, max: $int::MAX as u64 };
        }
    )*};
}

holds!(i16 u16 i32 u32);

impl Number {
    #[inline]
    pub(crate) fn fit<T: Holds>(self) -> Scanned<T> {
        T::try_from(self.value).map_err(|_| Fault { at: self.at, expected: T::RANGE })
    }

    #[inline]
    pub(crate) fn imm(self) -> Scanned<i32> {
        const RANGE: Expected = Expected::Range { min: i32::MIN as i64, max: u32::MAX as u64 };
        self.as_imm().ok_or(Fault { at: self.at, expected: RANGE })
    }

    /// The number as an immediate, if it can be one. The verifier's log has negative ones without
    /// their sign (`0xffffffff`), and what is extended to 64 bits may be written like that, too.
    #[inline]
    pub(crate) fn as_imm(self) -> Option<i32> {
        if let Ok(imm) = i32::try_from(self.value) {
            return Some(imm);
        }
        match u64::try_from(self.value).ok()? {
            low @ 0..=0xffff_ffff => Some(low as i32),
            extended => i32::try_from(extended as i64).ok(),
        }
    }

    #[inline]
    pub(crate) fn imm64(self) -> Scanned<u64> {
        let fits = match u64::try_from(self.value) {
            Ok(value) => Some(value),
            Err(_) => i64::try_from(self.value).ok().map(|value| value as u64),
        };
        fits.ok_or(Fault { at: self.at, expected: WIDE })
    }
}

const WIDE: Expected = Expected::Range { min: i64::MIN, max: u64::MAX };

#[inline]
pub(crate) fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')
}
