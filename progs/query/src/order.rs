//! In which order rows are to be given.

use crate::expr::{Expr, field};

/// What rows are ordered by: a column by its name, or any other expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
}

/// By which column rows are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The number of the column.
    pub column: usize,
    /// Whether large values come first. What is NULL comes last in any case.
    pub descending: bool,
}

impl Key {
    /// The same with large values first.
    #[must_use]
    pub fn descending(self) -> Key {
        Key { descending: true, ..self }
    }
}

impl From<Expr> for Key {
    fn from(expr: Expr) -> Key {
        Key { expr, descending: false }
    }
}

/// The column or field of this name.
impl From<&str> for Key {
    fn from(name: &str) -> Key {
        field(name).into()
    }
}
