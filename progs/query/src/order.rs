//! Sort orders.

use crate::expr::{Expr, field};

/// A sort key: the name of a column, or any other expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
}

/// One column of a sort order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The index of the column.
    pub column: usize,
    /// Whether large values come first. NULL comes last in both directions.
    pub descending: bool,
}

impl Key {
    /// Makes the key descending: large values come first.
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

/// The column or field with this name.
impl From<&str> for Key {
    fn from(name: &str) -> Key {
        field(name).into()
    }
}
