//! Spans: parts of a user's text.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// A part of a text that was parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    text: Arc<str>,
    start: usize,
    end: usize,
}

impl Span {
    /// The part of `text` in a range of bytes. The range is reduced to whole characters within the text.
    pub fn new(text: &Arc<str>, range: Range<usize>) -> Span {
        let inside = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let start = inside(range.start).unwrap_or(0);
        Span { text: text.clone(), start, end: inside(range.end).unwrap_or(0).max(start) }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The range of bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The text of the part.
    pub fn excerpt(&self) -> &str {
        self.text.get(self.range()).unwrap_or_default()
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.excerpt(), self.range())
    }
}

/// The longest line, in characters, that is shown in full.
const LINE_MAX: usize = 200;
/// The number of characters shown on each side of a part of a longer line.
const AROUND: usize = 40;

/// Displays the line in which the part begins, and carets below the part.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, rest) = self.text.split_at(self.start);
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let before = before.get(line..).unwrap_or_default();
        let rest = rest.lines().next().unwrap_or_default();
        // A tab or an escape sequence would misalign the carets.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let line: Vec<char> = before.chars().chain(rest.chars()).map(plain).collect();
        let start = before.chars().count();
        let marked = self.excerpt().lines().next().unwrap_or_default().chars().count().max(1);
        // Of a long line, only what is near the part is shown.
        let from = if line.len() > LINE_MAX { start.saturating_sub(AROUND) } else { 0 };
        let to = if line.len() > LINE_MAX {
            (start + marked.min(LINE_MAX) + AROUND).min(line.len())
        } else {
            line.len()
        };
        let dots = |cut: bool| if cut { "…" } else { "" };
        let shown: String = line.get(from..to).unwrap_or_default().iter().collect();
        let marked = marked.min(to.saturating_sub(start)).max(1);
        let indent = start - from + dots(from > 0).chars().count();
        write!(
            f,
            "  {}{shown}{}\n  {:indent$}{}",
            dots(from > 0),
            dots(to < line.len()),
            "",
            "^".repeat(marked)
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;

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
    fn of_a_long_line_a_part_is_shown() {
        let text: Arc<str> = format!("{}bad{}", "x".repeat(300), "y".repeat(300)).into();
        let (before, after) = ("x".repeat(40), "y".repeat(40));
        let shown = format!("  …{before}bad{after}…\n  {}^^^", " ".repeat(41));
        assert_eq!(Span::new(&text, 300..303).to_string(), shown);
        let whole = Span::new(&text, 0..603).to_string();
        assert_eq!(
            whole.lines().map(|line| line.chars().count()).collect::<Vec<_>>(),
            [2 + 240 + 1, 2 + 240]
        );
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
