//! `kwalk TARGET`: shows fields of the target's objects that a condition picks.

use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser};

use crate::message::Failure;
use crate::output::{print, stdout};
use crate::rows::{self, Output};
use crate::scope::ScopeArgs;
use crate::{Common, elsewhere, explain, usage};
use kwalk::Error;
use kwalk::btf::Btf;
use kwalk::progs::{self, Target, available, find, targets};
use kwalk::select::{
    Error as SelectError, MapElements, PlanOptions, Prepared, Select, Sink, Walk as Planned, sql,
};

/// Walks kernel objects of one kind: shows the requested fields of the objects that a condition picks.
///
/// The kernel runs a program written for exactly this.
#[derive(Parser)]
#[command(name = "kwalk", override_usage = "kwalk TARGET [OPTIONS]")]
pub(crate) struct Walk {
    /// What to walk (see `kwalk targets`)
    target: String,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to show, and in which format.
#[derive(Args)]
pub(crate) struct What {
    /// Columns to show: field paths, named columns of the target (see `kwalk fields TARGET`), expressions of them; each
    /// EXPR [AS NAME]
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true)]
    fields: Option<String>,
    /// A SQL condition, run in the kernel, but for what looks at cmdline, which is read from /proc afterwards:
    /// = <> < <= > >= AND OR NOT IN BETWEEN LIKE (case matters) IS NULL, + - * / % & | ^ << >>, numbers (decimal, 0x...,
    /// 0o...), 'text', x'BYTES', names of enum values
    #[arg(short = 'w', long = "where", value_name = "EXPR", allow_hyphen_values = true)]
    condition: Option<String>,
    /// Sort the rows: each EXPR [ASC | DESC]; NULLs come last
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Stop after N rows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = usage::u64)]
    limit: Option<u64>,
    /// Print only the number of objects; the kernel counts them, unless the condition looks at cmdline
    #[arg(long, conflicts_with_all = ["fields", "sort", "limit", "format"])]
    count: bool,
    /// Output format: table, ndjson, json, csv or raw [default: table on a terminal, else ndjson]
    #[arg(short = 'o', long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Output>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Print the plan instead of running it: the link's parameters, the condition, the layout of a row, the
    /// instructions
    #[arg(long)]
    explain: bool,
}

/// The help on these options, for the help on all commands.
pub(crate) fn options() -> String {
    let mut command = Walk::command().help_template("{options}").disable_help_flag(true);
    for common in ["verbose", "btf"] {
        command = command.mut_arg(common, |arg| arg.hide(true));
    }
    command.render_help().to_string()
}

pub(crate) fn walk(Walk { target, what, common }: &Walk) -> Result<ExitCode, Failure> {
    // Before the walk, which may take long.
    stdout()?;
    let output = if what.explain { None } else { Some(Output::of(what.format)?) };
    let mut select = Select::new(target);
    if let Some(fields) = &what.fields {
        select = select.fields(sql::columns(fields).map_err(wrong)?);
    }
    if let Some(condition) = &what.condition {
        select = select.filter(sql::expression(condition).map_err(wrong)?);
    }
    if let Some(keys) = &what.sort {
        select = select.order(sql::keys(keys).map_err(wrong)?);
    }

    let types = common.types.open().map_err(|failure| match targets::by_name(target) {
        Some(_) => failure,
        None => Failure::unknown(target, &[]),
    })?;
    let btf = Btf::new(types.bytes())?;
    let kernel = if output.is_some() { kwalk::kernel(&btf) } else { types.kernel(&btf) };
    what.scope.check(&found(&btf, target)?)?;
    let opened = what.scope.open()?;
    let elements = opened.map.as_ref().map(MapElements::of).transpose()?;
    let map_types = elements.as_ref().map(MapElements::btf).transpose()?.flatten();
    let elements = elements.as_ref().map(|elements| elements.elements(map_types.as_ref()));
    let options = PlanOptions { count: what.count, elements, ..PlanOptions::default() };
    let walk = Planned::plan_with(&select, &kernel, what.scope.scope(&opened), &options)
        .map_err(|error| elsewhere::explained(error, &kernel))?;
    let Some(output) = output else {
        return explain::explain(&walk.plan, &what.scope.explain(&walk.link), &kernel);
    };
    let mut prepared = walk.prepare()?;
    let Sink::Rows { shown: shown @ 1.., order, .. } = prepared.plan().sink.clone() else {
        print(format!("{}\n", prepared.count()?).as_bytes())?;
        return decided(&prepared).map(|()| ExitCode::SUCCESS);
    };
    let status = rows::print(prepared.rows()?, shown, order, what.limit, output)?;
    decided(&prepared).map(|()| status)
}

/// Says how many objects could not be decided, if there are any: the answer is then not whole.
fn decided(prepared: &Prepared<'_>) -> Result<(), Failure> {
    match (&prepared.plan().undecided, prepared.undecided()?) {
        (Some(undecided), count @ 1..) => Err(Failure::Undecided { count, bounds: undecided.bounds.clone() }),
        _ => Ok(()),
    }
}

fn wrong(error: SelectError) -> Failure {
    Error::from(error).into()
}

/// The target with this name.
fn found(btf: &Btf<'_>, name: &str) -> Result<Target, Failure> {
    match find(btf, name) {
        Ok(found) => Ok(found.target),
        Err(progs::Error::NoTarget { since: None, .. }) => {
            let targets = available(btf)?;
            let names: Vec<_> = targets.iter().map(|target| &*target.target.name).collect();
            Err(Failure::unknown(name, &names))
        }
        Err(error) => Err(Error::from(error).into()),
    }
}
