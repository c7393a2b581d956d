//! Lists the named columns that a kernel has, without writing a program.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kwalk_btf::Kind;
use kwalk_progs::{Available, Kernel, btf_names, find};

use crate::columns::NamedColumn;
use crate::error::Error;
use crate::planner::Planner;
use crate::resolve::{FUNCTIONS, Names};

/// The named columns of a target that this kernel has, each with how it is computed there: the path of a field, or an
/// expression.
///
/// # Errors
///
/// [`Reason::Program`](crate::Reason::Program) if the kernel has no such target or its BTF is damaged.
pub fn resolved_columns(
    kernel: &Kernel<'_>,
    target: &str,
) -> Result<Vec<(&'static NamedColumn, String)>, Error> {
    // One pass over the types finds all of these names; the BTF caches the results for the look-ups that follow.
    let (func, context) = btf_names(target);
    let [a, b, c, d, e, f, g, h] = FUNCTIONS.map(|name| (Kind::Func, name));
    let wanted = [(Kind::Func, &*func), (Kind::Struct, &context), a, b, c, d, e, f, g, h];
    kernel.btf.find_many(wanted)?;
    let Available { target, context } = find(kernel.btf, target)?;
    let names = Names::new(kernel, &target, context, None)?;
    let mut planner = Planner::new(names);
    let columns = planner.names.view.columns.iter();
    let found =
        |column: &'static NamedColumn| Some((column, planner.column_alone(column.name).ok()?.to_string()));
    Ok(columns.filter_map(found).collect())
}
