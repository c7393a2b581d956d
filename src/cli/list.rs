//! The commands that list: targets, text programs, live links.

use std::io::{self, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};

use super::message::Failure;
use super::types::Types;
use crate::btf::{Btf, TypeId};
use crate::print::escape_line;
use crate::progs::target::available;
use crate::sys::{LinkFd, ProgFd, ids, open_id};
use crate::{Error, text};

/// Prints aligned columns under a heading.
pub(super) fn print(
    heading: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<ExitCode, Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| escape_line(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut out = io::stdout().lock();
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end())).map_err(Failure::output)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn targets(types: &Types) -> Result<ExitCode, Failure> {
    let kernel = types.open()?;
    let btf = Btf::new(kernel.bytes())?;
    let targets = available(&btf)?;
    let rows = targets.iter().map(|target| {
        let since = target.known.and_then(|known| known.since);
        Ok(vec![
            target.name.into(),
            arguments(&btf, target.context)?.join(" "),
            target.known.map_or("?", |known| known.parameters.options()).into(),
            since.map_or("?".into(), |(major, minor)| format!("{major}.{minor}")),
        ])
    });
    print(&["TARGET", "CONTEXT", "PARAMETERS", "SINCE"], rows.collect::<Result<Vec<_>, Error>>()?)
}

/// The names of a context's arguments, but for `meta`, which all have.
fn arguments<'a>(btf: &Btf<'a>, context: TypeId) -> Result<Vec<&'a str>, Error> {
    let arguments = btf.named_members(context)?;
    Ok(arguments.iter().map(|argument| argument.name).filter(|name| *name != "meta").collect())
}

pub(super) fn programs() -> Result<ExitCode, Failure> {
    let rows = text::PROGRAMS.iter().map(|program| {
        let parameters = program.target.parameters.options();
        let comm = if program.comm { "[COMM] " } else { "" };
        vec![
            program.name.into(),
            program.target.name.into(),
            format!("{comm}{parameters}").trim().into(),
            program.about.into(),
        ]
    });
    print(&["PROGRAM", "TARGET", "OPTIONS", "PRINTS"], rows)
}

pub(super) fn links() -> Result<ExitCode, Failure> {
    let mut rows = Vec::new();
    for id in ids::<LinkFd>() {
        // Links come and go while we look.
        let Some(link) = found(open_id::<LinkFd>(id.map_err(Error::from)?))? else { continue };
        let info = link.info().map_err(Error::from)?;
        let Some(iter) = info.iter else { continue };
        let name = match found(open_id::<ProgFd>(info.prog_id))? {
            Some(prog) => prog.info().map_err(Error::from)?.name.to_string(),
            None => String::new(),
        };
        let parameters = match (iter.task(), iter.map_id(), iter.cgroup()) {
            (Some((tid @ 1.., _)), ..) => format!("tid={tid}"),
            (Some((_, pid @ 1..)), ..) => format!("pid={pid}"),
            (_, Some(map), _) => format!("map={map}"),
            (.., Some((cgroup, order))) => format!("cgroup={cgroup} order={}", order.0),
            _ => String::new(),
        };
        rows.push(vec![info.id.to_string(), iter.target, info.prog_id.to_string(), name, parameters]);
    }
    print(&["LINK", "TARGET", "PROG", "NAME", "PARAMETERS"], rows)
}

/// An object that went in between is none.
fn found<O>(opened: crate::sys::Result<O>) -> Result<Option<O>, Error> {
    match opened {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.errno() == libc::ENOENT => Ok(None),
        Err(error) => Err(error.into()),
    }
}
