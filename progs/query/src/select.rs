//! A question: which target, which columns, which objects, in which order.

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

/// A column of a question: what it shows, and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub(crate) expr: Expr,
    pub(crate) name: Option<String>,
}

impl Column {
    /// The same under another name.
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

/// The field, or the column of the target, that has this name.
impl From<&str> for Column {
    fn from(name: &str) -> Column {
        field(name).into()
    }
}

impl Select {
    /// Selects from a target: all of its objects, and its default columns, unless other methods say more.
    pub fn new(target: impl Into<String>) -> Select {
        Select { target: target.into(), columns: None, filter: None, order: Vec::new() }
    }

    /// The target.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The columns to show, instead of those before: names of fields, or expressions.
    #[must_use]
    pub fn fields<T: Into<Column>>(self, columns: impl IntoIterator<Item = T>) -> Select {
        Select { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// Shows only the objects of which this is true, and so is every condition before.
    #[must_use]
    pub fn filter(self, condition: impl Into<Expr>) -> Select {
        let condition = condition.into();
        let filter = match self.filter {
            Some(before) => before.and(condition),
            None => condition,
        };
        Select { filter: Some(filter), ..self }
    }

    /// The order in which the rows are to be given, the first key first. The kernel gives rows in its own order: the plan
    /// sees to it that the rows have what it takes to sort them ([`Sink::Rows`](crate::Sink::Rows)).
    #[must_use]
    pub fn order<T: Into<Key>>(self, keys: impl IntoIterator<Item = T>) -> Select {
        Select { order: keys.into_iter().map(Into::into).collect(), ..self }
    }
}
