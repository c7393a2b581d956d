//! Writes the rows of a walk to stdout.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::message::Failure;
use crate::output;
use crate::progress::Progress;
use crate::terminal;
use kwalk::Error;
use kwalk::kallsyms::Kallsyms;
use kwalk::print::csv::Csv;
use kwalk::print::json::Json;
use kwalk::print::raw::Raw;
use kwalk::print::{Format, Symbols, table};
use kwalk::select::{Order, Row, Rows, Schema, Sorted, Type};

/// The output format.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Ndjson,
    Json,
    Csv,
    Raw,
}

impl Output {
    /// The format that the user wants, or else the default for stdout.
    pub(crate) fn of(wanted: Option<Output>) -> Result<Output, Failure> {
        let terminal = io::stdout().is_terminal();
        match wanted {
            Some(Output::Raw) if terminal => Err(Failure::usage_hint(
                "raw rows are not for a terminal",
                "redirect them to a file, or choose another format, such as -o table",
            )),
            Some(output) => Ok(output),
            None => Ok(if terminal { Output::Table } else { Output::Ndjson }),
        }
    }

    fn format(self, schema: &Schema) -> Box<dyn Format> {
        match self {
            Output::Table => Box::new(table::Rows::new(schema, terminal::screen())),
            Output::Ndjson => Box::new(Json::lines(schema)),
            Output::Json => Box::new(Json::array(schema)),
            Output::Csv if io::stdout().is_terminal() => Box::new(Csv::for_terminal(schema)),
            Output::Csv => Box::new(Csv::new(schema)),
            Output::Raw => Box::new(Raw::new(schema)),
        }
    }
}

/// The size of the output buffer that is written at once, in bytes.
const BUFFER: usize = 64 << 10;

/// The output.
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

    /// Writes the buffer, if it is full or `now`.
    fn flush(&mut self, now: bool) -> Result<(), Failure> {
        if self.buffer.len() >= BUFFER || now && !self.buffer.is_empty() {
            self.format.flush(&mut self.buffer);
            output::print(&self.buffer)?;
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

/// Prints the first `shown` columns of the rows, sorted if there is an order, and at most as many rows as the limit
/// says.
pub(crate) fn print(
    rows: Rows,
    shown: usize,
    order: Vec<Order>,
    limit: Option<u64>,
    output: Output,
) -> Result<ExitCode, Failure> {
    let schema = rows.schema().first(shown);
    let kept = output == Output::Table || !order.is_empty();
    let mut out = Out {
        format: output.format(&schema),
        buffer: Vec::new(),
        rows: 0,
        limit: limit.unwrap_or(u64::MAX),
        progress: Progress::new(terminal::is_watched(kept)),
    };
    if schema.columns().iter().any(|column| column.ty == Type::Stack) {
        out.format.symbolise(symbols()?);
    }
    out.format.begin(&mut out.buffer);
    if order.is_empty() {
        return as_they_come(rows, &mut out);
    }
    let sorted = Sorted::new(rows.schema().clone(), order, limit);
    in_order(rows, &schema, sorted, &mut out)
}

fn as_they_come(mut rows: Rows, out: &mut Out) -> Result<ExitCode, Failure> {
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

fn in_order(mut rows: Rows, schema: &Schema, mut sorted: Sorted, out: &mut Out) -> Result<ExitCode, Failure> {
    let mut count = 0;
    let undecided = loop {
        match rows.next_row() {
            Ok(Some(row)) => sorted.push(&row),
            Ok(None) => break None,
            // All other rows were returned before.
            Err(error @ Error::Undecided { .. }) => break Some(error),
            Err(error) => return Err(error.into()),
        }
        count += 1;
        if rows.is_drained() {
            out.progress.tell(count);
        }
    };
    for row in sorted.rows(schema) {
        out.row(&row);
        out.flush(false)?;
    }
    match undecided {
        Some(error) => {
            out.format.broken_off(&mut out.buffer);
            out.flush(true)?;
            Err(error.into())
        }
        None => out.end(),
    }
}

/// The symbols of kernel addresses, formatted as by the kernel's `%pB`.
fn symbols() -> Result<Symbols, Failure> {
    let symbols = Kallsyms::read().map_err(|source| Error::Open { path: "/proc/kallsyms".into(), source })?;
    Ok(Box::new(move |address, out| {
        // A return address can be the start of the next function.
        match symbols.around(address.wrapping_sub(1)) {
            Some((name, start, len)) => {
                out.extend(format!("{name}+{:#x}/{len:#x}", address - start).into_bytes())
            }
            None => out.extend(format!("{address:#x}").into_bytes()),
        }
    }))
}
