//! `kwalk TARGET`: any fields of the objects of a kind, those that a condition picks.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser};

use super::message::Failure;
use super::rows::{self, Output};
use super::told::Told;
use super::{Common, explain};
use crate::btf::Btf;
use crate::progs::Target;
use crate::progs::target::{self, available};
use crate::select::{self, How, MapElements, Rows, Select, SelectError, condition_of, sql};
use crate::{Error, Parameters, progs};

/// Walks a kind of kernel object: shows the fields that are asked for, of the objects that a condition picks.
///
/// The kernel runs a program that is written for just that.
#[derive(Parser)]
#[command(name = "kwalk", override_usage = "kwalk TARGET [OPTIONS]")]
pub(super) struct Walk {
    /// What to walk (see `kwalk targets`)
    target: String,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What to show, and how.
#[derive(Args)]
pub(super) struct What {
    /// Columns: field paths, named columns of the target (see `kwalk fields TARGET`), expressions of them; each EXPR [AS NAME]
    #[arg(short, long, value_name = "LIST", allow_hyphen_values = true)]
    fields: Option<String>,
    /// A SQL condition, run in the kernel: = <> < <= > >= AND OR NOT IN BETWEEN LIKE (case matters) IS NULL, + - * / % & | ^ << >>, numbers (decimal, 0x...), 'text', names of enum values
    #[arg(short = 'w', long = "where", value_name = "EXPR", allow_hyphen_values = true)]
    condition: Option<String>,
    /// Sort the rows: each EXPR [ASC | DESC]; NULLs come last
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Show no more than so many rows
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<u64>,
    /// Show how many there are, and nothing else; the kernel counts
    #[arg(long, conflicts_with_all = ["fields", "sort", "limit", "format"])]
    count: bool,
    /// How to show them: table, ndjson, json, csv or raw [default: table on a terminal, else ndjson]
    #[arg(short = 'o', long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Output>,
    #[command(flatten)]
    told: Told,
    /// Print the plan instead of running it: what the link is told, the condition, the rows, the instructions
    #[arg(long)]
    explain: bool,
}

/// What these options are, for the help on all commands.
pub(super) fn options() -> String {
    let mut command = Walk::command().help_template("{options}").disable_help_flag(true);
    for common in ["verbose", "btf"] {
        command = command.mut_arg(common, |arg| arg.hide(true));
    }
    command.render_help().to_string()
}

pub(super) fn walk(Walk { target, what, common }: &Walk) -> Result<ExitCode, Failure> {
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

    let kernel = common.types.open().map_err(|failure| match Target::by_name(target) {
        Some(_) => failure,
        None => Failure::unknown(target, &[]),
    })?;
    let btf = Btf::new(kernel.bytes())?;
    let row = found(&btf, target)?;
    what.told.check(row)?;
    let held = what.told.open()?;
    let asked = what.told.parameters(&held);
    asked.check(row)?;
    let namespaces = what.told.namespaces()?;
    if let Some(condition) = condition_of(&asked, row) {
        select = select.filter(condition);
    }
    let elements = held.map.as_ref().map(MapElements::of).transpose()?;
    let types = elements.as_ref().map(MapElements::btf).transpose()?.flatten();
    let elements = elements.as_ref().map(|elements| elements.elements(types.as_ref()));
    let plan = select.plan_with(&btf, &How { count: what.count, elements })?;
    let told = match asked {
        Parameters::None => select::parameters(&plan, &btf)?,
        asked => asked.split(row, &btf)?.0,
    };
    let Some(output) = output else { return explain::explain(&plan, &what.told.explain(&told), &btf) };
    if what.count {
        let count = match namespaces {
            Some(namespaces) => select::count_in(&plan, namespaces)?,
            None => select::count(&plan, &told)?,
        };
        writeln!(io::stdout(), "{count}").map_err(Failure::output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (shown, order) = (plan.shown, plan.order.clone());
    let rows = match (namespaces, asked) {
        (Some(namespaces), _) => Rows::open_in(plan, namespaces)?,
        (None, Parameters::None) => Rows::open(plan, &btf)?,
        (None, _) => Rows::open_with(plan, &told, &btf)?,
    };
    rows::print(rows, shown, order, what.limit, output)
}

fn wrong(error: SelectError) -> Failure {
    Error::from(progs::Error::from(error)).into()
}

/// The target of this name.
fn found(btf: &Btf<'_>, name: &str) -> Result<&'static Target, Failure> {
    if let Some(known) = Target::by_name(name) {
        return Ok(known);
    }
    match target::find(btf, name) {
        Ok(found) => Ok(found.row(btf)),
        Err(progs::Error::NoTarget { .. }) => {
            let targets: Vec<_> = available(btf)?.iter().map(|target| target.name).collect();
            Err(Failure::unknown(name, &targets))
        }
        Err(error) => Err(Error::from(error).into()),
    }
}
