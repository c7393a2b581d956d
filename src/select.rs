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

mod cgroups;
mod windows;

use std::fmt;

use kwalk_btf::Btf;
#[cfg(feature = "sql")]
pub use kwalk_progs::select::sql;
pub use kwalk_progs::select::{
    COLUMNS_MAX, Column, ColumnInfo, ElementTypes, Elements, Error as SelectError, Expr, FUNCTIONS,
    FunctionInfo, How, Key, Kind, NamedColumn, NotARow, NotASchema, Order, Part, Plan, Pushed, Reason, Role,
    Row, Schema, Select, Show, Source, Span, Stack, TEXT_MAX, Type, Value, Window, cmdline, columns, field,
    stack,
};
use kwalk_progs::target;

pub use crate::elements::MapElements;
pub use crate::sorted::Sorted;

use crate::link::in_first_pid_namespace;
use crate::progs::Target;
use crate::sys::{MapLookupElem, bpf};
use crate::{Error, Iter, Link, Loaded, Netns, Parameters};
use cgroups::Walked;
use windows::Windows;

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
    let loaded = Loaded::load(&plan.program)?;
    let walk = attached(&loaded, parameters)?.iter();
    counted(plan, &loaded, [walk])
}

/// The same in network namespaces, all of them together.
///
/// # Errors
///
/// As [`Rows::open_in`] and [`Rows::next_row`].
pub fn count_in(
    plan: &Plan,
    namespaces: impl IntoIterator<Item = Result<Netns, Error>>,
) -> Result<u64, Error> {
    let loaded = Loaded::load(&plan.program)?;
    let link = loaded.attach(&Parameters::None)?;
    counted(plan, &loaded, namespaces.into_iter().map(|netns| link.iter_in(&netns?)))
}

/// Does these walks, and gives what the program has counted.
fn counted(
    plan: &Plan,
    loaded: &Loaded,
    walks: impl IntoIterator<Item = Result<Iter, Error>>,
) -> Result<u64, Error> {
    for walk in walks {
        let mut walk = walk?;
        while !walk.next_chunk()?.is_empty() {}
    }
    let mut value = [0; 8];
    if let Some(map) = plan.counter.and_then(|counter| loaded.maps().get(counter as usize)) {
        bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
    }
    Ok(u64::from_ne_bytes(value))
}

/// The program tests what the link is told as well: a process that is not there is no error.
fn attached(loaded: &Loaded, parameters: &Parameters<'_>) -> Result<Link, Error> {
    match loaded.attach(parameters) {
        Err(Error::Process { .. } | Error::NoParameters { .. }) => loaded.attach(&Parameters::None),
        attached => attached,
    }
}

/// A walk of a selection.
enum Walk {
    /// One to be read.
    Iter(Iter),
    /// All that one has given.
    Output(Vec<u8>),
}

/// A walk of a selection, or several, one after the other: gives their rows, as they come.
pub struct Rows {
    schema: Schema,
    /// The walk that is being read.
    walk: Option<Iter>,
    /// Those that come after it.
    rest: Box<dyn Iterator<Item = Result<Walk, Error>> + Send>,
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
        let loaded = Loaded::load(&plan.program)?;
        let link = attached(&loaded, &parameters)?;
        Rows::of_loaded(loaded, link, plan)
    }

    /// The same with what the link is to be told, instead of what the plan would tell it.
    ///
    /// The kernel does not go on with a walk of cgroups beyond its buffer of 8 pages. If there is more, it is done in two:
    /// the cgroups' ids first, in one walk, then each of them by its id, in that order. One that has gone in between is left
    /// out, as is one outside of this process's cgroup namespace, which has no id there.
    ///
    /// Where a target's walks lose objects between two reads ([`Target::loses`]), only what one read gives whole is taken; if
    /// there is more, it is walked again in halves, so often that each object is shown, and once. That takes about two walks
    /// for each 32 kB of rows, and goes through all objects in half of them.
    ///
    /// # Errors
    ///
    /// What [`Loaded::load`], [`Loaded::attach`] and [`Link::iter`] report; [`Error::Read`], too, of cgroups and where walks
    /// lose objects: with `EAGAIN` if there are more than 1,000,000, which no read goes through.
    pub fn open_with(plan: Plan, parameters: &Parameters<'_>, btf: &Btf<'_>) -> Result<Rows, Error> {
        let loaded = Loaded::load(&plan.program)?;
        if !matches!(parameters, Parameters::Cgroup { .. }) {
            let link = loaded.attach(parameters)?;
            return Rows::of_loaded(loaded, link, plan);
        }
        Ok(match cgroups::walk(&loaded, parameters, btf)? {
            Walked::Output(output) => Rows::of_walks([Ok(Walk::Output(output))], plan.schema),
            Walked::Ids(ids) => {
                let walks = ids.into_iter().filter_map(move |id| cgroups::one(&loaded, id));
                Rows::of_walks(walks, plan.schema)
            }
        })
    }

    /// Loads and attaches the plan's program, and starts a walk in one network namespace after the other.
    ///
    /// ```no_run
    /// use kwalk::select::{Rows, Select};
    /// use kwalk::{KernelBtf, Netns, btf::Btf};
    ///
    /// # fn main() -> Result<(), kwalk::Error> {
    /// let kernel = KernelBtf::open()?;
    /// let btf = Btf::new(kernel.bytes())?;
    /// let plan = Select::new("tcp").fields(["skc_net.net.ns.inum", "sport"]).plan(&btf)?;
    /// let mut rows = Rows::open_in(plan, Netns::all())?;
    /// while let Some(row) = rows.next_row()? {
    ///     println!("{:?} {:?}", row.get(0), row.get(1));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] where the target has the same objects in all namespaces, what [`Loaded::load`],
    /// [`Loaded::attach`] and, for the first of the namespaces, [`Link::iter_in`] report; for the others,
    /// [`Rows::next_row`] does, and goes on with those that follow if it is asked again.
    pub fn open_in<N>(plan: Plan, namespaces: N) -> Result<Rows, Error>
    where
        N: IntoIterator<Item = Result<Netns, Error>, IntoIter: Send + 'static>,
    {
        let target = plan.program.target;
        if target.parameters != target::Parameters::Net {
            return Err(Error::Parameters { target });
        }
        let loaded = Loaded::load(&plan.program)?;
        let link = loaded.attach(&Parameters::None)?;
        let namespaces = namespaces.into_iter();
        match plan.window {
            Some(map) => {
                let namespaces = namespaces.map(|netns| Ok(Some(netns?)));
                Rows::of_walks(Windows::new(loaded, link, map, namespaces), plan.schema).begun()
            }
            None => {
                let walks = namespaces.map(move |netns| Ok(Walk::Iter(link.iter_in(&netns?)?)));
                Rows::of_walks(walks, plan.schema).begun()
            }
        }
    }

    /// The walk of a program that has been attached.
    fn of_loaded(loaded: Loaded, link: Link, plan: Plan) -> Result<Rows, Error> {
        match plan.window {
            Some(map) => {
                let windows = Windows::new(loaded, link, map, [Ok(None)].into_iter());
                Rows::of_walks(windows, plan.schema).begun()
            }
            None => Rows::of(&link, plan.schema),
        }
    }

    /// Starts a walk of a link whose program has written, or writes, rows of this schema.
    ///
    /// It is one walk, which loses objects where a read of the kernel's ends if the target's walks do ([`Target::loses`]),
    /// without an error: what it takes to have them all are the program's maps, which the others here have.
    ///
    /// # Errors
    ///
    /// What [`Link::iter`] reports.
    pub fn of(link: &Link, schema: Schema) -> Result<Rows, Error> {
        Ok(Rows { walk: Some(link.iter()?), ..Rows::of_walks([], schema) })
    }

    fn of_walks<W>(walks: W, schema: Schema) -> Rows
    where
        W: IntoIterator<Item = Result<Walk, Error>, IntoIter: Send + 'static>,
    {
        Rows { schema, walk: None, rest: Box::new(walks.into_iter()), pending: Vec::new(), at: 0 }
    }

    /// The same with the first walk started: what keeps it from that is said before anything is read.
    fn begun(mut self) -> Result<Rows, Error> {
        self.begin()?;
        Ok(self)
    }

    /// Goes on to the next walk, and gives whether there is one.
    fn begin(&mut self) -> Result<bool, Error> {
        match self.rest.next().transpose()? {
            Some(Walk::Iter(walk)) => self.walk = Some(walk),
            Some(Walk::Output(output)) => self.pending = output,
            None => return Ok(false),
        }
        Ok(true)
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
    /// # Errors
    ///
    /// [`Error::Read`] where the walk breaks off, [`Error::Row`] where its output is not made of rows; of several walks,
    /// what keeps one of them from being started.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        loop {
            let rest = self.pending.get(self.at..).unwrap_or_default();
            let len = match self.schema.row(rest)? {
                Some((_, len)) if !rest.is_empty() => len,
                _ => match self.read()? {
                    true => continue,
                    false => return Ok(None),
                },
            };
            let from = self.at;
            self.at += len;
            let row = self.schema.row(self.pending.get(from..).unwrap_or_default())?;
            return Ok(row.map(|(row, _)| row));
        }
    }

    /// Reads on, and gives whether there is more. A row may come in two reads, where the kernel's buffer is larger than
    /// ours.
    fn read(&mut self) -> Result<bool, Error> {
        self.pending.drain(..self.at);
        self.at = 0;
        loop {
            if let Some(walk) = &mut self.walk {
                let chunk = walk.next_chunk()?;
                if !chunk.is_empty() {
                    self.pending.extend_from_slice(chunk);
                    return Ok(true);
                }
                // Another read would start it again.
                self.walk = None;
            }
            if !self.pending.is_empty() {
                return Err(NotARow { text: None }.into());
            }
            if !self.begin()? {
                return Ok(false);
            }
            if !self.pending.is_empty() {
                return Ok(true);
            }
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).field("walk", &self.walk).finish_non_exhaustive()
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
