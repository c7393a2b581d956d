//! `kwalk TARGET`: any fields of the objects of a kind, those that a condition picks.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, ValueEnum};

use super::message::Failure;
use super::{Common, explain, terminal};
use crate::btf::Btf;
use crate::kallsyms::Kallsyms;
use crate::print::csv::Csv;
use crate::print::json::Json;
use crate::print::raw::Raw;
use crate::print::{Format, Progress, Symbols, table};
use crate::progs::Target;
use crate::progs::target::{self, available};
use crate::select::{self, Order, Row, Rows, Schema, Select, SelectError, Sorted, Type, condition_of, sql};
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
    /// How to show them [default: table on a terminal, else ndjson]
    #[arg(short = 'o', long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Output>,
    #[command(flatten)]
    told: Told,
    /// Print the plan instead of running it: what the link is told, the condition, the rows, the instructions
    #[arg(long)]
    explain: bool,
}

/// What a link is told of a walk.
#[derive(Args)]
struct Told {
    /// task, task_file, task_vma: only this process
    #[arg(long, value_name = "N", conflicts_with = "tid", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// task, task_file, task_vma: only this thread
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    tid: Option<u32>,
}

impl Told {
    fn parameters(&self) -> Parameters<'static> {
        match (self.pid, self.tid) {
            (Some(pid), _) => Parameters::Pid(pid),
            (None, Some(tid)) => Parameters::Tid(tid),
            (None, None) => Parameters::None,
        }
    }
}

/// How rows are shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Ndjson,
    Json,
    Csv,
    Raw,
}

impl Output {
    fn format(self, schema: &Schema) -> Box<dyn Format> {
        match self {
            Output::Table => Box::new(table::Rows::new(schema, terminal::screen())),
            Output::Ndjson => Box::new(Json::lines(schema)),
            Output::Json => Box::new(Json::array(schema)),
            Output::Csv => Box::new(Csv::new(schema)),
            Output::Raw => Box::new(Raw::new(schema)),
        }
    }
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
    let output = match what.format {
        Some(Output::Raw) if io::stdout().is_terminal() && !what.explain => {
            return Err(Failure::usage_hint(
                "raw rows are not for a terminal",
                "redirect them to a file, or choose another format, such as -o table",
            ));
        }
        Some(output) => output,
        None if io::stdout().is_terminal() => Output::Table,
        None => Output::Ndjson,
    };
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
    let row = match Target::by_name(target) {
        Some(row) => row,
        None => match target::find(&btf, target) {
            Ok(found) => found.row(&btf),
            Err(progs::Error::NoTarget { .. }) => {
                let targets: Vec<_> = available(&btf)?.iter().map(|target| target.name).collect();
                return Err(Failure::unknown(target, &targets));
            }
            Err(error) => return Err(Error::from(error).into()),
        },
    };
    let asked = what.told.parameters();
    asked.check(row)?;
    if let Some(condition) = condition_of(&asked, row) {
        select = select.filter(condition);
    }
    let plan = if what.count { select.plan_count(&btf)? } else { select.plan(&btf)? };
    let told = match asked {
        Parameters::None => select::parameters(&plan, &btf)?,
        asked => asked.split(row, &btf)?.0,
    };
    if what.explain {
        return explain::explain(&plan, &told, &btf);
    }
    if what.count {
        let count = select::count(&plan, &told)?;
        writeln!(io::stdout(), "{count}").map_err(Failure::output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (shown, order) = (plan.shown, plan.order.clone());
    let rows = match asked {
        Parameters::None => Rows::open(plan, &btf)?,
        _ => Rows::open_with(plan, &told, &btf)?,
    };
    let schema = rows.schema().first(shown);
    let progress = Progress::new(terminal::is_watched(output == Output::Table || !order.is_empty()));
    let limit = what.limit.unwrap_or(u64::MAX);
    let mut out = Out { format: output.format(&schema), buffer: Vec::new(), rows: 0, limit, progress };
    if schema.columns().iter().any(|column| column.ty == Type::Stack) {
        out.format.symbolise(symbols()?);
    }
    out.format.begin(&mut out.buffer);
    if order.is_empty() { print(rows, &mut out) } else { print_sorted(rows, &schema, order, &mut out) }
}

/// The names of addresses, as the kernel's own `%pB` has them.
fn symbols() -> Result<Symbols, Failure> {
    let symbols = Kallsyms::read().map_err(|source| Error::Open { path: "/proc/kallsyms".into(), source })?;
    Ok(Box::new(move |address, out| {
        // An address to return to may be the beginning of what comes next.
        match symbols.around(address.wrapping_sub(1)) {
            Some((name, start, len)) => {
                out.extend(format!("{name}+{:#x}/{len:#x}", address - start).into_bytes())
            }
            None => out.extend(format!("{address:#x}").into_bytes()),
        }
    }))
}

fn wrong(error: SelectError) -> Failure {
    Error::from(progs::Error::from(error)).into()
}

/// How much is collected at most before it is written.
const BUFFER: usize = 64 << 10;

/// Where rows go.
struct Out {
    format: Box<dyn Format>,
    buffer: Vec<u8>,
    rows: u64,
    limit: u64,
    progress: Progress,
}

impl Out {
    fn row(&mut self, row: &Row<'_>) {
        self.format.row(row, &mut self.buffer);
        self.rows += 1;
    }

    /// Writes what there is to write, if there is reason to.
    fn flush(&mut self, now: bool) -> Result<(), Failure> {
        if self.buffer.len() >= BUFFER || now && !self.buffer.is_empty() {
            self.format.flush(&mut self.buffer);
            let mut out = io::stdout().lock();
            out.write_all(&self.buffer).and_then(|()| out.flush()).map_err(Failure::output)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn end(&mut self) -> Result<ExitCode, Failure> {
        self.format.end(&mut self.buffer);
        self.flush(true)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints rows as they come.
fn print(mut rows: Rows, out: &mut Out) -> Result<ExitCode, Failure> {
    while out.rows < out.limit {
        match rows.next_row() {
            Ok(Some(row)) => out.row(&row),
            Ok(None) => break,
            Err(error) => {
                out.format.broken_off(&mut out.buffer);
                out.flush(true)?;
                return Err(error.into());
            }
        }
        let drained = rows.is_drained();
        out.flush(drained)?;
        if drained {
            out.progress.tell(out.rows);
        }
    }
    out.end()
}

/// Prints rows when all of them are there, in order.
fn print_sorted(
    mut rows: Rows,
    schema: &Schema,
    order: Vec<Order>,
    out: &mut Out,
) -> Result<ExitCode, Failure> {
    let mut sorted = Sorted::new(rows.schema().clone(), order);
    let mut count = 0;
    while let Some(row) = rows.next_row()? {
        sorted.push(&row);
        count += 1;
        if rows.is_drained() {
            out.progress.tell(count);
        }
    }
    for row in sorted.rows(schema) {
        if out.rows == out.limit {
            break;
        }
        out.row(&row);
        out.flush(false)?;
    }
    out.end()
}
