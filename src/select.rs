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
//! let btf = Btf::new(kernel.bytes())?;
//! let mut rows = Rows::open(select.plan(&btf)?, &btf)?;
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

use kwalk_btf::Btf;
#[cfg(feature = "sql")]
pub use kwalk_progs::select::sql;
pub use kwalk_progs::select::{
    COLUMNS_MAX, Column, ColumnInfo, ElementTypes, Elements, Error as SelectError, Expr, FUNCTIONS,
    FunctionInfo, How, Key, Kind, NamedColumn, NotARow, NotASchema, Order, Plan, Pushed, Reason, Row, Schema,
    Select, Show, Source, Span, Stack, TEXT_MAX, Type, Value, cmdline, columns, field, stack,
};

pub use crate::elements::MapElements;
pub use crate::sorted::Sorted;

use crate::link::in_first_pid_namespace;
use crate::progs::Target;
use crate::sys::{MapLookupElem, bpf};
use crate::{Error, Iter, Link, Loaded, Parameters};

/// Counts the objects of a selection ([`Select::plan_count`]), in the kernel; `parameters` are what the link is told, as
/// [`parameters`] finds it or as the user says.
///
/// ```no_run
/// use kwalk::select::{self, Select, field};
/// use kwalk::{KernelBtf, btf::Btf};
///
/// # fn main() -> Result<(), kwalk::Error> {
/// let kernel = KernelBtf::open()?;
/// let btf = Btf::new(kernel.bytes())?;
/// let plan = Select::new("task").filter(field("comm").eq("sshd")).plan_count(&btf)?;
/// let parameters = select::parameters(&plan, &btf)?;
/// println!("{}", select::count(&plan, &parameters)?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`Rows::open_with`] and [`Rows::next_row`].
pub fn count(plan: &Plan, parameters: &Parameters<'_>) -> Result<u64, Error> {
    let loaded = loaded(plan)?;
    let mut iter = attached(&loaded, parameters)?.iter()?;
    while !iter.next_chunk()?.is_empty() {}
    let mut value = [0; 8];
    if let Some(map) = plan.counter.and_then(|counter| loaded.maps().get(counter as usize)) {
        bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
    }
    Ok(u64::from_ne_bytes(value))
}

/// What is too much for the verifier is the selection's size.
fn loaded(plan: &Plan) -> Result<Loaded, Error> {
    Loaded::load(&plan.program).map_err(|error| match error {
        Error::Rejected(rejection) if rejection.is_too_large() => {
            kwalk_progs::Error::from(SelectError::too_complex()).into()
        }
        error => error,
    })
}

/// The program tests what the link is told as well: a process that is not there is no error.
fn attached(loaded: &Loaded, parameters: &Parameters<'_>) -> Result<Link, Error> {
    match loaded.attach(parameters) {
        Err(Error::Process { .. } | Error::NoParameters { .. }) => loaded.attach(&Parameters::None),
        attached => attached,
    }
}

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
    /// Loads the plan's program, attaches it and starts the walk; `btf` is what the plan was made from. Nothing of that
    /// outlives this value.
    ///
    /// # Errors
    ///
    /// As [`Rows::open_with`].
    pub fn open(plan: Plan, btf: &Btf<'_>) -> Result<Rows, Error> {
        let parameters = parameters(&plan, btf)?;
        let loaded = loaded(&plan)?;
        Rows::of(&attached(&loaded, &parameters)?, plan.schema)
    }

    /// The same with what the link is to be told, instead of what the plan would tell it.
    ///
    /// # Errors
    ///
    /// What [`Loaded::load`], [`Loaded::attach`] and [`Link::iter`] report.
    pub fn open_with(plan: Plan, parameters: &Parameters<'_>) -> Result<Rows, Error> {
        let link = loaded(&plan)?.attach(parameters)?;
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

    /// Whether the next row has to be asked for: the kernel may take its time.
    pub fn is_drained(&self) -> bool {
        self.at == self.pending.len()
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

/// What [`Rows::open`] tells the link, of what the plan says that it can be told.
///
/// # Errors
///
/// [`Error::Btf`] where the BTF is damaged.
pub fn parameters(plan: &Plan, btf: &Btf<'_>) -> Result<Parameters<'static>, Error> {
    // The numbers in conditions are the kernel's own, those of parameters this process's.
    let parameters = match plan.pushed.filter(|_| in_first_pid_namespace()) {
        None => return Ok(Parameters::None),
        Some(Pushed::Tgid(tgid)) => Parameters::Pid(tgid),
        Some(Pushed::Tid(tid)) => Parameters::Tid(tid),
    };
    Ok(parameters.split(plan.program.target, btf)?.0)
}

/// The condition that is true of what a link with these parameters walks, if a program can tell: one that tests it walks
/// no more on any kernel, while links of some take no parameters, or get them wrong.
pub fn condition_of(parameters: &Parameters<'_>, target: &Target) -> Option<Expr> {
    // The numbers in conditions are the kernel's own.
    let own = |name: &str| in_first_pid_namespace().then(|| field(format!("{}.{name}", target.object)));
    match *parameters {
        Parameters::Pid(pid) => Some(own("tgid")?.eq(pid)),
        Parameters::Tid(tid) => Some(own("pid")?.eq(tid)),
        _ => None,
    }
}
