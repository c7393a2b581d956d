//! What instructions are emitted for, in the words of the user who asked for it.

use alloc::string::{String, ToString as _};
use core::fmt::{self, Display, Formatter};

use crate::span::Span;

/// An expression of the user's that instructions are emitted for. It displays as ``the condition `comm LIKE 'a%'` ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// What it is used for.
    pub role: Role,
    /// It as SQL, in one line; of a long one the beginning.
    pub text: String,
    /// Where it stands, if it was parsed.
    pub span: Option<Span>,
}

/// What an expression is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To pick objects.
    Condition,
    /// To be shown.
    Column,
    /// To order the rows by.
    Key,
}

impl Fragment {
    /// The line of the user's text that it stands in, with carets below it; empty if it was not parsed.
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
