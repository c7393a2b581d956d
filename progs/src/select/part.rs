//! What instructions are emitted for: the parts of a selection, as whoever asked for it has them.

use std::fmt::{self, Display, Formatter, Write};

use super::expr::Expr;
use super::span::Span;

/// A part of a selection that instructions are emitted for. It displays as ``the condition `comm LIKE 'a%'` ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is there for.
    pub role: Role,
    /// It as SQL, in one line; of a long one the beginning.
    pub text: String,
    /// Where it stands, if it was parsed.
    pub span: Option<Span>,
}

/// What a part of a selection is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To pick objects.
    Condition,
    /// To be shown.
    Column,
    /// To order the rows by.
    Key,
}

impl Part {
    pub(crate) fn new(role: Role, expr: &Expr) -> Part {
        let mut text = Beginning { text: String::new(), room: 80 };
        let whole = match expr.span() {
            Some(span) => text.write_str(span.excerpt()),
            None => write!(text, "{expr}"),
        };
        if whole.is_err() {
            text.text.push('…');
        }
        Part { role, text: text.text, span: expr.span().cloned() }
    }

    /// The line of the user's text that it stands in, with carets below it; empty if it was not parsed.
    pub fn marked(&self) -> String {
        self.span.as_ref().map_or(String::new(), Span::to_string)
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Condition => "condition",
            Role::Column => "column",
            Role::Key => "order by",
        };
        write!(f, "the {role} `{}`", self.text)
    }
}

/// Takes so many characters: an expression may be a list of thousands.
struct Beginning {
    text: String,
    room: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if c.is_control() { ' ' } else { c });
        }
        Ok(())
    }
}
