//! Patterns that texts are compared with, by `LIKE` and by `=`.

use alloc::vec::Vec;

use crate::error::Reason;

/// A sequence of bytes and wildcards, and whether other bytes may precede or follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// `None` matches any one byte.
    pub(crate) bytes: Vec<Option<u8>>,
    pub(crate) open_start: bool,
    pub(crate) open_end: bool,
}

impl Pattern {
    /// A pattern that matches only these bytes, at most `max` of them.
    pub(crate) fn exact(bytes: &[u8], max: usize) -> Result<Pattern, Reason> {
        Pattern::checked(bytes.iter().map(|byte| Some(*byte)).collect(), false, false)?.of_at_most(max)
    }

    /// Refuses a pattern of more bytes, without its `%`.
    pub(crate) fn of_at_most(self, max: usize) -> Result<Pattern, Reason> {
        let len = self.bytes.len();
        match (len > max, self.open_start) {
            (false, _) => Ok(self),
            (true, false) => Err(Reason::TextLength { len, max }),
            (true, true) => Err(Reason::PatternLength { len, max }),
        }
    }

    /// Parses the right side of `LIKE`.
    pub(crate) fn like(pattern: &[u8]) -> Result<Pattern, Reason> {
        let any = |byte: &u8| *byte == b'%';
        let start = pattern.iter().take_while(|byte| any(byte)).count();
        let rest = pattern.get(start..).unwrap_or_default();
        let end = rest.iter().rev().take_while(|byte| any(byte)).count();
        let middle = rest.get(..rest.len() - end).unwrap_or_default();
        if middle.iter().any(any) {
            return Err(Reason::Percent);
        }
        let bytes = middle.iter().map(|byte| (*byte != b'_').then_some(*byte)).collect();
        Pattern::checked(bytes, start > 0, end > 0 || middle.is_empty() && start > 0)
    }

    fn checked(bytes: Vec<Option<u8>>, open_start: bool, open_end: bool) -> Result<Pattern, Reason> {
        if bytes.contains(&Some(0)) {
            return Err(Reason::TextNul);
        }
        Ok(Pattern { bytes, open_start, open_end })
    }

    /// Whether every text matches.
    pub(crate) fn is_any(&self) -> bool {
        self.bytes.is_empty() && self.open_start && self.open_end
    }

    /// The text, if the pattern matches only one.
    pub(crate) fn exactly(&self) -> Option<Vec<u8>> {
        if self.open_start || self.open_end {
            return None;
        }
        self.bytes.iter().copied().collect()
    }

    /// The bytes with the NUL that ends a text, unless more bytes may follow.
    pub(crate) fn terminated(&self) -> Vec<Option<u8>> {
        let mut bytes = self.bytes.clone();
        if !self.open_end {
            bytes.push(Some(0));
        }
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn percents_are_taken_from_either_end() {
        let of = |pattern: &str| {
            Pattern::like(pattern.as_bytes()).map(|p| (p.bytes.len(), p.open_start, p.open_end))
        };
        assert_eq!(of("abc"), Ok((3, false, false)));
        assert_eq!(of("a_c%%"), Ok((3, false, true)));
        assert_eq!(of("%abc"), Ok((3, true, false)));
        assert_eq!(of("%a%"), Ok((1, true, true)));
        assert_eq!(of(""), Ok((0, false, false)));
        for any in ["%", "%%"] {
            assert!(Pattern::like(any.as_bytes()).unwrap().is_any());
        }
        assert_eq!(of("a%b"), Err(Reason::Percent));
        assert_eq!(of("a\0"), Err(Reason::TextNul));
        assert_eq!(of(&"x".repeat(300)), Ok((300, false, false)));
    }
}
