//! Fragments: the parts of a user's text that instructions are emitted for.

use alloc::string::{String, ToString as _};
use core::fmt::{self, Display, Formatter};

use crate::span::Span;

/// An expression of the user's for which instructions are emitted. It displays as ``the condition `comm LIKE 'a%'` ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// What it is used for.
    pub role: Role,
    /// The expression as SQL in one line; only the beginning if it is long.
    pub text: String,
    /// The part of the text, if the expression was parsed.
    pub span: Option<Span>,
}

/// What an expression is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A condition.
    Condition,
    /// A column.
    Column,
    /// A sort key.
    Key,
}

impl Fragment {
    /// The line of the user's text with carets below the expression; empty if the expression was not parsed.
    pub fn marked(&self) -> String {
        self.span.as_ref().map_or(String::new(), Span::to_string)
    }
}

impl Display for Fragment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Condition => "condition",
            Role::Column => "column",
            Role::Key => "order by",
        };
        write!(f, "the {role} `{}`", self.text)
    }
}
