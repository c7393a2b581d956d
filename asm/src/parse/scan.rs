//! The scanner: splits the text into tokens.

use alloc::boxed::Box;
use core::num::IntErrorKind;

use super::error::{Expected, Fault};

/// A position in the text, which only moves past whole characters.
#[derive(Clone, Copy)]
pub(crate) struct Scanner<'t> {
    /// The length of the whole text, to compute the position from the rest.
    len: usize,
    left: &'t str,
}

/// The error is boxed so that a result fits into registers.
pub(crate) type Parsed<T> = Result<T, Box<Fault>>;

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { len: text.len(), left: text }
    }

    /// The rest of the text. Unlike other methods, this does not skip blanks.
    #[inline]
    pub(crate) fn rest(&self) -> &'t [u8] {
        self.left.as_bytes()
    }

    /// The position of the next token.
    #[inline]
    pub(crate) fn position(&mut self) -> usize {
        self.skip_blanks();
        self.len - self.left.len()
    }

    /// The first byte of the next token, or the end of the line.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.rest().first().copied()
    }

    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.left = self.left.get(bytes..).unwrap_or_default();
    }

    /// Skips to the end of the line.
    pub(crate) fn skip_line(&mut self) {
        self.advance(self.left.find('\n').unwrap_or(self.left.len()));
    }

    /// Skips blanks and `/* comments */`.
    #[inline(always)]
    fn skip_blanks(&mut self) {
        // A shortcut for the usual single blank or none: it makes the parser a quarter faster.
        if self.rest().first() == Some(&b' ') {
            self.advance(1);
        }
        if let Some(b' ' | b'\t' | b'\r' | b'/') = self.rest().first() {
            self.skip_more_blanks();
        }
    }

    fn skip_more_blanks(&mut self) {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.advance(1),
                [b'/', b'*', ..] => match self.left.get(2..).and_then(|comment| comment.find("*/")) {
                    Some(len) => self.advance(len + 4),
                    // Without `*/`, it is no comment.
                    None => return,
                },
                _ => return,
            }
        }
    }

    /// The next word, which may be empty: letters, digits, `_`, `.` and `$`. The scanner stays before it.
    #[inline]
    pub(crate) fn word(&mut self) -> &'t str {
        self.skip_blanks();
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !in_word(byte)).unwrap_or(rest.len());
        self.left.get(..len).unwrap_or_default()
    }

    /// Moves past a word or a mark if it is the next token.
    #[inline]
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let ends_in_word = token.bytes().next_back().is_some_and(in_word);
        let after = self.left.strip_prefix(token);
        // `gotol` does not start with the token `goto`.
        match after.filter(|after| !(ends_in_word && after.bytes().next().is_some_and(in_word))) {
            Some(after) => {
                self.left = after;
                true
            }
            None => false,
        }
    }

    #[inline]
    pub(crate) fn need(&mut self, token: &'static str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { self.fault(Expected::Word(token)) }
    }

    /// Moves past the longest symbol that matches here, and returns its value.
    #[inline]
    pub(crate) fn symbol<T: Copy>(
        &mut self,
        values: &[T],
        symbol: impl Fn(T) -> &'static str,
        expected: Expected,
    ) -> Parsed<T> {
        self.skip_blanks();
        let first = self.rest().first();
        let begins = |symbol: &str| symbol.as_bytes().first() == first && self.left.starts_with(symbol);
        let here = values.iter().copied().filter(|&value| begins(symbol(value)));
        match here.max_by_key(|&value| symbol(value).len()) {
            Some(value) => {
                self.advance(symbol(value).len());
                Ok(value)
            }
            None => self.fault(expected),
        }
    }

    /// Whether a number is next, with a sign or without.
    #[inline]
    pub(crate) fn at_number(&mut self) -> bool {
        matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-'))
    }

    /// A number with a sign, which separates it from the token before.
    #[inline]
    pub(crate) fn signed_number(&mut self) -> Parsed<Number> {
        match self.peek() {
            Some(b'+' | b'-') => self.number(),
            _ => self.fault(Expected::Sign),
        }
    }

    /// A number in decimal, or in hexadecimal after `0x`.
    #[inline]
    pub(crate) fn number(&mut self) -> Parsed<Number> {
        let position = self.position();
        let sign = self.peek();
        if let Some(b'-' | b'+') = sign {
            self.advance(1);
        }
        let word = self.word();
        let magnitude = match word.split_at_checked(2) {
            Some(("0x" | "0X", digits)) => u64::from_str_radix(digits, 16),
            // Refused, because elsewhere, also in LLVM, these numbers are octal.
            Some(_) if word.starts_with('0') => return self.fault(Expected::Number),
            _ => word.parse(),
        };
        match magnitude {
            Ok(magnitude) => {
                self.advance(word.len());
                let value = i128::from(magnitude);
                Ok(Number { position, value: if sign == Some(b'-') { -value } else { value } })
            }
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => self.fault(WIDE),
            Err(_) => self.fault(Expected::Number),
        }
    }

    /// The error that `expected` is not here.
    #[cold]
    pub(crate) fn fault<T>(&mut self, expected: Expected) -> Parsed<T> {
        Err(Fault::new(self.position(), expected))
    }
}

/// A number, and its position in the text.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    position: usize,
    value: i128,
}

/// The types of integer fields of instructions.
pub(crate) trait FieldInt: TryFrom<i128> {
    const RANGE: Expected;
}

macro_rules! field_ints {
    ($($int:ident)*) => {$(
        impl FieldInt for $int {
            const RANGE: Expected = Expected::Range { min: $int::MIN as i64, max: $int::MAX as u64 };
        }
    )*};
}

field_ints!(u8 i16 u16 i32 u32);

const WIDE: Expected = Expected::Range { min: i64::MIN, max: u64::MAX };

impl Number {
    #[inline]
    pub(crate) fn fit<T: FieldInt>(self) -> Parsed<T> {
        T::try_from(self.value).map_err(|_| self.must_be(T::RANGE))
    }

    /// The number as an immediate.
    #[inline]
    pub(crate) fn imm(self) -> Parsed<i32> {
        const RANGE: Expected = Expected::Range { min: i32::MIN as i64, max: u32::MAX as u64 };
        self.as_imm().ok_or_else(|| self.must_be(RANGE))
    }

    /// The number as an immediate, if it fits. The verifier's log writes negative immediates as
    /// unsigned numbers (`0xffffffff`); they may also be sign-extended to 64 bits.
    #[inline]
    pub(crate) fn as_imm(self) -> Option<i32> {
        let signed = i32::try_from(self.value).ok();
        let unsigned = || u32::try_from(self.value).ok().map(|value| value as i32);
        let extended = || u64::try_from(self.value).ok().and_then(|value| i32::try_from(value as i64).ok());
        signed.or_else(unsigned).or_else(extended)
    }

    /// The number as a 64-bit value.
    pub(crate) fn imm64(self) -> Parsed<u64> {
        let signed = || i64::try_from(self.value).map(|value| value as u64);
        u64::try_from(self.value).or_else(|_| signed()).map_err(|_| self.must_be(WIDE))
    }

    #[cold]
    pub(crate) fn must_be(self, expected: Expected) -> Box<Fault> {
        Fault::new(self.position, expected)
    }
}

#[inline]
pub(crate) fn in_word(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'.' | b'$')
}
