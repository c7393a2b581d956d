//! A planned column, before it has an offset in the row.

use alloc::string::String;

use crate::columns::Show;
use crate::expr::Expr;
use crate::ir::Value;

/// A planned column.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) show: Show,
    pub(crate) value: Value,
    /// The number of the column's fragment.
    pub(crate) fragment: u32,
}
