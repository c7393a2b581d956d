//! A number of a process or thread that nothing has in this pid namespace: the number that it may be elsewhere.

use kwalk::progs::Kernel;
use kwalk::select::{Select, Value, Walk, field};
use kwalk::{Error, Scope};

use crate::message::Failure;

/// The most processes that a hint names.
const NAMED: usize = 3;

/// Adds a hint to an error about a number that a task has in another pid namespace.
pub(crate) fn explained(error: Error, kernel: &Kernel<'_>) -> Failure {
    let hint = match error {
        Error::Process { number, .. } => elsewhere(number, kernel),
        _ => None,
    };
    match hint {
        Some(hint) => Failure::Hinted(Box::new(error), hint),
        None => error.into(),
    }
}

/// The hint; `None` if no task has this number elsewhere, or that can't be found out.
fn elsewhere(number: u32, kernel: &Kernel<'_>) -> Option<String> {
    let (place, is_it) = match kernel.has_initial_pids {
        true => ("in its own pid namespace", field("nspid").eq(number).and(field("pid").ne(number))),
        false => ("in the initial pid namespace", field("task.pid").eq(number)),
    };
    let select = Select::new("task").fields(["tgid", "pid"]).filter(is_it);
    let mut rows = Walk::plan(&select, kernel, Scope::All).ok()?.prepare().ok()?.into_rows().ok()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next_row().ok()? {
        if let (Value::Int(tgid), Value::Int(pid)) = (row.get(0), row.get(1)) {
            found.push(if tgid == pid { format!("--pid {pid}") } else { format!("--tid {pid}") });
        }
    }
    let more = if found.len() > NAMED { ", …" } else { "" };
    found.truncate(NAMED);
    let here = found.join(" or ");
    (!found.is_empty()).then(|| format!("{number} is the number {place} of what is {here}{more} here"))
}
