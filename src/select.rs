//! Any fields of any kind of kernel object, those that a condition picks, as rows of typed values.
//!
//! ```no_run
//! use kwalk::select::{Rows, Select, Value, field};
//! use kwalk::{KernelBtf, btf::Btf};
//!
//! # fn main() -> Result<(), kwalk::Error> {
//! let kernel = KernelBtf::open()?;
//! let select = Select::new("task")
//!     .fields(["tgid", "comm", "real_parent.comm"])
//!     .filter(field("comm").like("ssh%").and(field("real_cred.uid.val").ne(0)));
//! let mut rows = Rows::open(select.plan(&Btf::new(kernel.bytes())?)?)?;
//! while let Some(row) = rows.next_row()? {
//!     if let (Value::Int(tgid), Value::Text(comm)) = (row.get(0), row.get(1)) {
//!         println!("{tgid} {}", comm.escape_ascii());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What expressions mean is written at [`kwalk_progs::select`].

use std::fs::read_link;
use std::path::Path;

#[cfg(feature = "sql")]
pub use kwalk_progs::select::sql;
pub use kwalk_progs::select::{
    COLUMNS_MAX, Column, ColumnInfo, Error as SelectError, Expr, Kind, NamedColumn, NotARow, Plan, Pushed,
    Reason, Row, Schema, Select, Show, Span, TEXT_MAX, Type, Value, columns, field,
};

use crate::{Error, Iter, Link, Loaded, Parameters};

/// The first pid namespace's number (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// A walk of a selection: gives its rows, as they come.
#[derive(Debug)]
pub struct Rows {
    iter: Iter,
    schema: Schema,
    /// What has been read, of which what lies before `at` has been given.
    pending: Vec<u8>,
    at: usize,
}

impl Rows {
    /// Loads the plan's program, attaches it and starts the walk. Nothing of that outlives this value.
    ///
    /// # Errors
    ///
    /// As [`Rows::open_with`].
    pub fn open(plan: Plan) -> Result<Rows, Error> {
        let loaded = Loaded::load(&plan.program)?;
        let link = match plan.pushed.filter(|_| numbers_are_ours()) {
            None => loaded.attach(&Parameters::None)?,
            Some(pushed) => attach_pushed(&loaded, pushed)?,
        };
        Rows::of(&link, plan.schema)
    }

    /// The same with what the link is to be told, instead of what the plan would tell it.
    ///
    /// # Errors
    ///
    /// What [`Loaded::load`], [`Loaded::attach`] and [`Link::iter`] report.
    pub fn open_with(plan: Plan, parameters: &Parameters<'_>) -> Result<Rows, Error> {
        let link = Loaded::load(&plan.program)?.attach(parameters)?;
        Rows::of(&link, plan.schema)
    }

    /// Starts a walk of a link whose program has written, or writes, rows of this schema.
    ///
    /// # Errors
    ///
    /// What [`Link::iter`] reports.
    pub fn of(link: &Link, schema: Schema) -> Result<Rows, Error> {
        Ok(Rows { iter: link.iter()?, schema, pending: Vec::new(), at: 0 })
    }

    /// The columns of the rows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The next row; none at the end, of which the kernel has said that it is the end.
    ///
    /// A row may come in two reads, where the kernel's buffer is larger than ours.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] where the walk breaks off, [`Error::Row`] where its output is not made of rows.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        loop {
            let rest = self.pending.get(self.at..).unwrap_or_default();
            let len = match self.schema.row(rest)? {
                Some((_, len)) if !rest.is_empty() => len,
                _ => {
                    self.pending.drain(..self.at);
                    self.at = 0;
                    match self.iter.next_chunk()? {
                        [] if self.pending.is_empty() => return Ok(None),
                        [] => return Err(NotARow { text: None }.into()),
                        chunk => self.pending.extend_from_slice(chunk),
                    }
                    continue;
                }
            };
            let from = self.at;
            self.at += len;
            let row = self.schema.row(self.pending.get(from..).unwrap_or_default())?;
            return Ok(row.map(|(row, _)| row));
        }
    }
}

/// Whether the numbers of processes that this process knows are the kernel's own, which fields have.
fn numbers_are_ours() -> bool {
    read_link("/proc/self/ns/pid").is_ok_and(|namespace| namespace == Path::new(FIRST_PID_NAMESPACE))
}

/// A process that is not there, or a kernel that can't be told about it, is no error: the program tests it as well.
fn attach_pushed(loaded: &Loaded, pushed: Pushed) -> Result<Link, Error> {
    let parameters = match pushed {
        Pushed::Tgid(tgid) => Parameters::Pid(tgid),
        Pushed::Tid(tid) => Parameters::Tid(tid),
    };
    match loaded.attach(&parameters) {
        Err(Error::Process { .. } | Error::NoParameters { .. }) => loaded.attach(&Parameters::None),
        attached => attached,
    }
}
