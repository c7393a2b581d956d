//! In which order rows are to be given.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use crate::columns::Show;
use crate::error::{Error, Kind, Reason};
use crate::expr::{Expr, Node};
use crate::layout::Planned;
use crate::planner::Planner;
use crate::resolve::Value;
use kwalk_progs::Role;

/// What rows are ordered by: a column by its name, or any other expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    expr: Expr,
    descending: bool,
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
        crate::field(name).into()
    }
}

/// Finds the columns that are keys, and adds those that nobody has asked to see.
pub(crate) fn planned(
    keys: &[Key],
    columns: &mut Vec<Planned>,
    planner: &mut Planner<'_>,
) -> Result<Vec<Order>, Error> {
    let mut order = Vec::with_capacity(keys.len());
    for Key { expr, descending } in keys {
        // As in SQL, the name that a column was given counts before the field of that name.
        let named = columns.iter().position(|column| match &expr.node {
            Node::Name(name) => column.name == *name,
            _ => false,
        });
        let known = named.or_else(|| columns.iter().position(|column| column.expr == *expr));
        let column = match known {
            Some(column) => column,
            None => {
                let fragment = planner.fragment(Role::Key, expr);
                let value = value(planner, expr)?;
                columns.push(Planned {
                    name: expr.to_string(),
                    expr: expr.clone(),
                    show: Show::Plain,
                    value,
                    fragment,
                });
                columns.len() - 1
            }
        };
        order.push(Order { column, descending: *descending });
    }
    match columns.len() {
        count if count > crate::COLUMNS_MAX => Err(Error::new(Reason::Columns(count), None)),
        _ => Ok(order),
    }
}

fn value(planner: &mut Planner<'_>, expr: &Expr) -> Result<Value, Error> {
    let constant = |what| {
        let reason = Reason::Kind { what, is: Kind::Constant, needs: "a field" };
        Err(Error::new(reason, expr.span().cloned()))
    };
    match planner.value(expr, None)? {
        Value::Literal(_) => constant(expr.to_string()),
        Value::Number(number) if number.value().is_some() => constant(expr.to_string()),
        value => Ok(value),
    }
}
