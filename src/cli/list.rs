//! The commands that list targets, text programs and links.

use std::collections::HashMap;
use std::process::ExitCode;

use crate::hints::options;
use crate::message::Failure;
use crate::output::print;
use crate::scope::order_name;
use crate::types::Types;
use kwalk::btf::{Btf, TypeId};
use kwalk::print::table::{Column, Screen, Table};
use kwalk::progs::{Available, available, targets};
use kwalk::select::{Select, Value, Walk, named_columns};
use kwalk::sys::{LinkFd, ProgFd, ids, open_id};
use kwalk::{Error, KernelBtf, Scope, text};

/// Prints a table with aligned columns.
fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    listed(heading.iter().map(|heading| Column::text(heading)).collect(), rows, &mut out);
    print(&out)
}

/// Appends a table with aligned columns. No cell is cut, since the command has no other way to show it in full.
pub(crate) fn listed(columns: Vec<Column>, rows: impl IntoIterator<Item = Vec<String>>, out: &mut Vec<u8>) {
    let mut table = Table::new(columns);
    rows.into_iter().flatten().for_each(|cell| table.cell(&cell));
    table.write(Screen::default(), out);
}

pub(crate) fn targets(types: &Types) -> Result<ExitCode, Failure> {
    let kernel = types.open()?;
    let btf = Btf::new(kernel.bytes())?;
    let targets = available(&btf)?;
    let rows = targets.iter().map(|Available { target, context }| {
        let columns = named_columns(&target.name).iter().filter(|column| column.default);
        let columns: Vec<_> = columns.map(|column| column.name).collect();
        let is_known = targets::by_name(&target.name).is_some();
        Ok(vec![
            target.name.clone().into(),
            arguments(&btf, *context)?.join(" "),
            if is_known { options(target.parameters) } else { "?" }.into(),
            target.since.map_or("?".into(), |(major, minor)| format!("{major}.{minor}")),
            columns.join(","),
        ])
    });
    table(&["TARGET", "CONTEXT", "PARAMETERS", "SINCE", "COLUMNS"], rows.collect::<Result<Vec<_>, Error>>()?)
}

/// The names of a context's arguments, without `meta`, which every context has.
fn arguments<'a>(btf: &Btf<'a>, context: TypeId) -> Result<Vec<&'a str>, Error> {
    let arguments = btf.named_members(context)?;
    Ok(arguments.iter().map(|argument| argument.name).filter(|name| *name != "meta").collect())
}

pub(crate) fn programs() -> Result<ExitCode, Failure> {
    let rows = text::PROGRAMS.iter().map(|program| {
        let parameters = options(program.target.parameters);
        let comm = if program.comm { "[COMM] " } else { "" };
        vec![
            program.name.into(),
            program.target.name.clone().into(),
            format!("{comm}{parameters}").trim().into(),
            program.about.into(),
        ]
    });
    table(&["PROGRAM", "TARGET", "OPTIONS", "PRINTS"], rows)
}

/// The whole names of the loaded programs, by their ids; none if this kernel or process can't walk them.
fn whole_names() -> Option<HashMap<u32, String>> {
    let types = KernelBtf::open().ok()?;
    let btf = Btf::new(types.bytes()).ok()?;
    let select = Select::new("bpf_prog").fields(["id", "name"]);
    let mut rows =
        Walk::plan(&select, &kwalk::kernel(&btf), Scope::All).ok()?.prepare().ok()?.into_rows().ok()?;
    let mut names = HashMap::new();
    while let Some(row) = rows.next_row().ok()? {
        if let (Value::Uint(id), Value::Text(name)) = (row.get(0), row.get(1)) {
            names.insert(id as u32, String::from_utf8_lossy(name).into_owned());
        }
    }
    Some(names)
}

pub(crate) fn links() -> Result<ExitCode, Failure> {
    let mut rows = Vec::new();
    let names = whole_names().unwrap_or_default();
    for id in ids::<LinkFd>() {
        // Links can be created and destroyed during the listing.
        let Some(link) = found(open_id::<LinkFd>(id.map_err(Error::from)?))? else { continue };
        let info = link.info().map_err(Error::from)?;
        let Some(iter) = info.iter else { continue };
        let name = match (names.get(&info.prog_id), found(open_id::<ProgFd>(info.prog_id))?) {
            (Some(name), _) => name.clone(),
            (None, Some(prog)) => prog.info().map_err(Error::from)?.name.to_string(),
            (None, None) => String::new(),
        };
        let parameters = match (iter.task(), iter.map_id(), iter.cgroup()) {
            (Some((tid @ 1.., _)), ..) => format!("tid={tid}"),
            (Some((_, pid @ 1..)), ..) => format!("pid={pid}"),
            (_, Some(map), _) => format!("map={map}"),
            (.., Some((cgroup, order))) => format!("cgroup={cgroup} order={}", order_name(order)),
            _ => String::new(),
        };
        rows.push(vec![info.id.to_string(), iter.target, info.prog_id.to_string(), name, parameters]);
    }
    table(&["LINK", "TARGET", "PROG", "NAME", "PARAMETERS"], rows)
}

/// `None` for an object that no longer exists.
fn found<O>(opened: kwalk::sys::Result<O>) -> Result<Option<O>, Error> {
    match opened {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.errno() == libc::ENOENT => Ok(None),
        Err(error) => Err(error.into()),
    }
}
