//! The columns of a row: those of the selection, and those that its order needs.

use alloc::collections::BTreeSet;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use kwalk_progs::{Role, Target};

use crate::columns::{NamedColumn, Show};
use crate::completion::Fill;
use crate::error::{Error, Kind, Reason};
use crate::expr::{Expr, Node};
use crate::ir::Value;
use crate::limits::COLUMNS_MAX;
use crate::order::{Key, Order};
use crate::planned::Planned;
use crate::planner::Planner;
use crate::select::{Column, Select};
use crate::tested::is_filled;

/// Plans the selection's columns, or the target's default columns.
pub(crate) fn columns(
    select: &Select,
    target: &Target,
    netns: bool,
    planner: &mut Planner<'_>,
) -> Result<Vec<Planned>, Error> {
    let columns = match &select.columns {
        Some(columns) => columns.clone(),
        None => {
            let is_default = |column: &&NamedColumn| column.default || netns && column.name == "netns";
            let own = planner.names.view.columns.iter().filter(is_default);
            let elements = planner.names.elements().into_iter().map(|name| name.as_str().into());
            own.map(|column| column.name.into()).chain(elements).collect()
        }
    };
    if columns.is_empty() && select.columns.is_none() {
        return Err(Error::new(Reason::NoDefaults(target.name.to_string()), None));
    }
    if columns.is_empty() || columns.len() > COLUMNS_MAX {
        return Err(Error::new(Reason::Columns(columns.len()), None));
    }
    let mut names = BTreeSet::new();
    let mut planned = Vec::with_capacity(columns.len());
    for Column { expr, name } in columns {
        let show = match &expr.node {
            Node::Name(name) => planner.names.column(name).map(|column| column.show),
            _ => None,
        };
        let name = name.unwrap_or_else(|| match expr.span() {
            Some(span) => span.excerpt().into(),
            // SQL would quote a word of its own, such as `end`: the name of a column is the bare one.
            None => match &expr.node {
                Node::Name(name) => name.clone(),
                _ => expr.to_string(),
            },
        });
        if !names.insert(name.clone()) {
            return Err(Error::new(Reason::SameName(name), expr.span));
        }
        let fragment = planner.fragment(Role::Column, &expr);
        let derived = planner.names.derived.len();
        let value = match value(planner, &expr) {
            Err(error) if select.columns.is_none() && error.reason.is_lack() => {
                // The default columns are those of them that the kernel has.
                planner.names.derived.truncate(derived);
                continue;
            }
            value => value?,
        };
        if let Value::Literal(_) = value {
            let reason = Reason::Kind { what: name, is: Kind::Constant, needs: "a field" };
            return Err(Error::new(reason, expr.span));
        }
        planned.push(Planned { name, expr, show: show.unwrap_or(Show::Plain), value, fragment });
    }
    Ok(planned)
}

/// Finds the columns of the sort keys, and adds those that the selection does not have.
pub(crate) fn keys(
    keys: &[Key],
    columns: &mut Vec<Planned>,
    planner: &mut Planner<'_>,
) -> Result<Vec<Order>, Error> {
    let mut order = Vec::with_capacity(keys.len());
    for Key { expr, descending } in keys {
        // As in SQL, the name of a column takes precedence over a field with this name.
        let named = columns.iter().position(|column| match &expr.node {
            Node::Name(name) => column.name == *name,
            _ => false,
        });
        let known = named.or_else(|| columns.iter().position(|column| column.expr == *expr));
        let column = match known {
            Some(column) => column,
            None => {
                let fragment = planner.fragment(Role::Key, expr);
                let value = key_value(planner, expr)?;
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
        count if count > COLUMNS_MAX => Err(Error::new(Reason::Columns(count), None)),
        _ => Ok(order),
    }
}

/// The value of a column. What user space computes is planned later, with the columns that it needs
/// ([`Tested::numbers`](crate::tested::Tested::numbers)).
fn value(planner: &mut Planner<'_>, expr: &Expr) -> Result<Value, Error> {
    match &expr.node {
        Node::Case { .. } if is_filled(&planner.names, expr) => {
            Ok(Value::Filled(Fill::Number { nth: usize::MAX, unsigned: false }))
        }
        _ => planner.value(expr, None),
    }
}

fn key_value(planner: &mut Planner<'_>, expr: &Expr) -> Result<Value, Error> {
    let constant = |what| {
        let reason = Reason::Kind { what, is: Kind::Constant, needs: "a field" };
        Err(Error::new(reason, expr.span().cloned()))
    };
    match value(planner, expr)? {
        Value::Literal(_) => constant(expr.to_string()),
        Value::Number(number) if number.value().is_some() => constant(expr.to_string()),
        value => Ok(value),
    }
}
