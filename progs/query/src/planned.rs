//! A column with its value, before it has its place in a row.

use alloc::string::String;

use crate::columns::Show;
use crate::expr::Expr;
use crate::ir::Value;

/// A column before it has its place.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) show: Show,
    pub(crate) value: Value,
    /// The number of its fragment.
    pub(crate) fragment: u32,
}
