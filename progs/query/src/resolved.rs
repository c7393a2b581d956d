//! Which of a target's named columns a kernel has, and where: for whoever lists them, without a program.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kwalk_progs::{Available, Kernel};

use crate::columns::NamedColumn;
use crate::error::{Error, Reason};
use crate::expr::field;
use crate::planner::Planner;
use crate::resolve::Names;

/// The named columns of a target that this kernel has, each with what it is there: the path of a field, or an expression
/// of such.
///
/// # Errors
///
/// [`Reason::Field`] where the BTF is damaged.
pub fn resolved_columns(
    kernel: &Kernel<'_>,
    target: &Available,
) -> Result<Vec<(&'static NamedColumn, String)>, Error> {
    let names = Names::new(kernel, &target.target, target.context, None)
        .map_err(|error| Error::new(Reason::Field(error), None))?;
    let mut planner = Planner::new(names);
    let columns = planner.names.view.columns.iter();
    let found = |column: &'static NamedColumn| {
        Some((column, planner.value(&field(column.name), None).ok()?.to_string()))
    };
    Ok(columns.filter_map(found).collect())
}
