//! Where in the user's text something stands.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A part of a text that was parsed: what an error points at.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    text: Arc<str>,
    start: usize,
    end: usize,
}

impl Span {
    /// The part of `text` at `range`, in bytes; what lies outside of it, or within a character, is cut off.
    pub fn new(text: &Arc<str>, range: Range<usize>) -> Span {
        let inside = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let start = inside(range.start).unwrap_or(0);
        Span { text: text.clone(), start, end: inside(range.end).unwrap_or(0).max(start) }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which bytes of it.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The part itself.
    pub fn excerpt(&self) -> &str {
        self.text.get(self.range()).unwrap_or_default()
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.excerpt(), self.range())
    }
}

/// The line that the part begins in, and carets under the part.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, rest) = self.text.split_at(self.start);
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let before = before.get(line..).unwrap_or_default();
        let rest = rest.lines().next().unwrap_or_default();
        // A tab or an escape sequence would move what stands below.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = before.chars().chain(rest.chars()).map(plain).collect();
        let marked = self.excerpt().lines().next().unwrap_or_default().chars().count().max(1);
        write!(f, "  {shown}\n  {:1$}{2}", "", before.chars().count(), "^".repeat(marked))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_below_the_part() {
        let text: Arc<str> = Arc::from("a = 'ü' and\n\tbad = 1");
        let at = text.find("bad").unwrap();
        assert_eq!(Span::new(&text, at..at + 3).to_string(), "   bad = 1\n   ^^^");
        assert_eq!(Span::new(&text, 4..8).to_string(), "  a = 'ü' and\n      ^^^");
        assert_eq!(Span::new(&text, text.len()..text.len()).to_string(), "   bad = 1\n          ^");
    }

    #[test]
    fn any_range_is_a_span() {
        let text: Arc<str> = Arc::from("aü\n");
        for start in 0..8 {
            for end in 0..8 {
                let span = Span::new(&text, start..end);
                assert!(text.contains(span.excerpt()) && !span.to_string().is_empty());
            }
        }
    }
}
