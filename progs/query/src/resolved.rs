//! What names stand for on a kernel, without writing a program.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kwalk_btf::{Field, Kind};
use kwalk_progs::{Available, Kernel, Version, find_with};

use crate::columns::{NamedColumn, Source};
use crate::derived::Derived;
use crate::elements::Elements;
use crate::error::Error;
use crate::expr::{Node, field};
use crate::function::{FUNCTIONS, FunctionInfo};
use crate::planner::Planner;
use crate::resolve::Names;
use crate::targets::view;

/// A derived root: a pointer that programs get from a context argument by more than loads. Paths can begin with its name,
/// as with that of an argument. Where an object has none, what is behind it is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its name.
    pub name: &'static str,
    /// The struct that it points to.
    pub ty: &'static str,
    /// How it is derived.
    pub what: String,
    /// The first kernel that can have it, if that is known.
    pub since: Option<Version>,
}

/// What a name in a selection stands for.
#[derive(Debug, Clone)]
pub struct ResolvedName {
    /// The named column, if it is one, with how it is computed on this kernel.
    pub column: Option<(&'static NamedColumn, String)>,
    /// The field that it is read from, with its path; `None` for a column that is an expression.
    pub field: Option<(String, Field)>,
    /// Whether the field is in a map's key or value, so that its type is in the map's BTF, and not the kernel's.
    pub in_map: bool,
}

fn planner<'a>(
    kernel: &Kernel<'a>,
    target: &str,
    elements: Option<Elements<'a>>,
) -> Result<Planner<'a>, Error> {
    let view = view(target);
    // One pass over the types finds whatever a column of the target may look up.
    let functions = crate::view::FUNCTIONS.map(|name| (Kind::Func, name));
    let derived = view.derived.iter().map(|derived| derived.ty);
    let structs = derived.chain(view.looked_up.unwrap_or_default().iter().copied());
    let others = functions.into_iter().chain(structs.map(|name| (Kind::Struct, name)));
    let Available { target, context } = find_with(kernel.btf, target, others)?;
    Ok(Planner::new(Names::new(kernel, &target, context, elements)?))
}

/// What a selection from a target can name on a kernel, beside paths.
#[derive(Debug, Clone)]
pub struct ResolvedTarget {
    /// The named columns, each with how it is computed there: the path of a field, or an expression.
    pub columns: Vec<(&'static NamedColumn, String)>,
    /// The derived roots.
    pub roots: Vec<Root>,
    /// The functions, but for those of what the target does not have.
    pub functions: Vec<&'static FunctionInfo>,
}

/// What a selection from a target can name on this kernel, beside paths.
///
/// # Errors
///
/// [`Reason::Program`](crate::Reason::Program) if the kernel has no such target or its BTF is damaged.
pub fn resolved_target(kernel: &Kernel<'_>, target: &str) -> Result<ResolvedTarget, Error> {
    let mut planner = planner(kernel, target, None)?;
    let columns = columns(&mut planner);
    let takes = |function: &&FunctionInfo| {
        !function.arguments.is_empty()
            || planner.alone(&Node::Call(function.function, Vec::new()).into()).is_ok()
    };
    let functions = FUNCTIONS.iter().filter(takes).collect();
    let names = &mut planner.names;
    let derived = names.view.derived;
    let root = |derived: &'static Derived| {
        names.place(derived.name, None).ok()?;
        let since = names.root_since(derived);
        Some(Root { name: derived.name, ty: derived.ty, what: derived.to_string(), since })
    };
    let roots = derived.iter().filter_map(root).collect();
    Ok(ResolvedTarget { columns, roots, functions })
}

/// The [`ResolvedTarget::columns`] alone.
///
/// # Errors
///
/// Those of [`resolved_target`].
pub fn resolved_columns(
    kernel: &Kernel<'_>,
    target: &str,
) -> Result<Vec<(&'static NamedColumn, String)>, Error> {
    Ok(columns(&mut planner(kernel, target, None)?))
}

fn columns(planner: &mut Planner<'_>) -> Vec<(&'static NamedColumn, String)> {
    let columns = planner.names.view.columns.iter();
    let found =
        |column: &'static NamedColumn| Some((column, planner.alone(&field(column.name)).ok()?.to_string()));
    columns.filter_map(found).collect()
}

/// Resolves a name as a selection does: a named column, a path from a context argument, a derived root or the object; with
/// the `elements` of a map, also one into its keys and values.
///
/// # Errors
///
/// Those of a selection with this name; but the name may be that of a struct or an array as a whole, which no selection can
/// have as a column.
pub fn resolved_name<'a>(
    kernel: &Kernel<'a>,
    target: &str,
    elements: Option<Elements<'a>>,
    name: &str,
) -> Result<ResolvedName, Error> {
    let mut planner = planner(kernel, target, elements)?;
    let column = match planner.names.column(name) {
        Some(column) => Some((column, planner.alone(&field(name))?.to_string())),
        None => None,
    };
    let field = match column {
        Some((NamedColumn { source: Source::Exprs(_), .. }, _)) => None,
        _ => {
            let place = planner.names.found(name, None)?;
            Some((place.path, place.field))
        }
    };
    let in_map = elements.is_some_and(|elements| column.is_none() && elements.btf(name).is_some());
    Ok(ResolvedName { column, field, in_map })
}
