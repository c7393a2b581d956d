//! Questions: a target, columns, a condition, an order.

use alloc::string::String;
use alloc::vec::Vec;

use crate::expr::{Expr, field};
use crate::order::Key;

/// A question to the kernel: a target, columns, a condition, an order.
#[derive(Debug, Clone)]
pub struct Select {
    pub(crate) target: String,
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) filter: Option<Expr>,
    pub(crate) order: Vec<Key>,
}

/// A column of a question: an expression, and perhaps a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub(crate) expr: Expr,
    pub(crate) name: Option<String>,
}

impl Column {
    /// Gives the column another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Column {
        Column { name: Some(name.into()), ..self }
    }
}

impl From<Expr> for Column {
    fn from(expr: Expr) -> Column {
        Column { expr, name: None }
    }
}

/// The named column or field with this name.
impl From<&str> for Column {
    fn from(name: &str) -> Column {
        field(name).into()
    }
}

impl Select {
    /// Selects all objects of a target, with those of its default columns that the kernel has.
    pub fn new(target: impl Into<String>) -> Select {
        Select { target: target.into(), columns: None, filter: None, order: Vec::new() }
    }

    /// The target.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Replaces the columns: by names of columns or fields, or by expressions.
    #[must_use]
    pub fn fields<T: Into<Column>>(self, columns: impl IntoIterator<Item = T>) -> Select {
        Select { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// Adds a condition: an object is shown only if this one and all earlier ones are true.
    #[must_use]
    pub fn filter(self, condition: impl Into<Expr>) -> Select {
        let condition = condition.into();
        let filter = match self.filter {
            Some(before) => before.and(condition),
            None => condition,
        };
        Select { filter: Some(filter), ..self }
    }

    /// Sets the sort order, the first key first. The kernel gives rows in an order of its own: the plan only adds to
    /// the rows what is needed to sort them ([`Sink::Rows`](crate::Sink::Rows)).
    #[must_use]
    pub fn order<T: Into<Key>>(self, keys: impl IntoIterator<Item = T>) -> Select {
        Select { order: keys.into_iter().map(Into::into).collect(), ..self }
    }
}
