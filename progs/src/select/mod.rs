//! Any fields of any kind of kernel object, those that a condition picks: a program for exactly that.
//!
//! A [`Select`] says what is wanted. [`Select::plan`] looks it up in the types of a kernel and gives the program, the
//! [`Schema`] of the rows that it writes, and what its link can be told so that less is walked.
//!
//! ```
//! use kwalk_progs::select::{Pushed, Select, field};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
//! let btf = kwalk_btf::Btf::new(&bytes)?;
//! let plan = Select::new("task")
//!     .fields(["pid", "comm", "real_parent.comm"])
//!     .filter(field("tgid").eq(1).and(field("comm").like("s%")))
//!     .plan(&btf)?;
//! assert_eq!(plan.schema.columns().len(), 3);
//! // The kernel need not look at other processes.
//! assert_eq!(plan.pushed, Some(Pushed::Tgid(1)));
//! # Ok(())
//! # }
//! ```
//!
//! # What expressions mean
//!
//! Names are the target's columns ([`columns`]), fields of its object (`comm`, `real_parent.tgid`, `se.load.weight`), or
//! of another argument of its context (`file.f_flags` of `task_file`). A path through a pointer that is NULL is NULL, and
//! so is a pointer of 0, `x / 0` and `x % 0`; conditions are true, false or unknown, as in SQL, and an object is shown
//! where its condition is true.
//!
//! Numbers have 64 bits. They are unsigned if they come from unsigned fields of that width, or are literals beyond 2⁶³;
//! all others have a sign. The result of an operation is unsigned if either side is (of a shift: the left side), and wraps
//! where it does not fit; division rounds towards zero. Comparisons compare the numbers, whatever their signs and widths.
//!
//! Texts are compared byte by byte, up to their NUL; of what lies behind a pointer the first 255 bytes count. `_` in a
//! pattern is any one byte. Paths and arguments have up to 4,095 bytes, and count as a whole; but if what `LIKE '%…%'` looks
//! for does not begin among the first 2,000, it is unknown whether it is there.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod address;
mod cgroups;
pub mod columns;
mod condition;
mod derived;
mod elements;
mod emit;
mod error;
mod explain;
mod expr;
mod function;
mod layout;
mod meaning;
mod names;
mod number;
mod order;
mod part;
mod pattern;
mod place;
mod plan;
mod record;
mod resolve;
mod span;
#[cfg(feature = "sql")]
pub mod sql;
mod stored;
mod window;

use kwalk_asm::{Helper, Insn};
use kwalk_btf::Btf;

pub use cgroups::cgroup_ids;
pub use columns::{NamedColumn, Show, Source};
pub use elements::{ElementTypes, Elements};
pub use error::{Error, Kind, Reason};
pub use expr::{Expr, cmdline, field, stack};
pub use function::{FUNCTIONS, FunctionInfo};
pub use order::{Key, Order};
pub use part::{Part, Role};
pub use pattern::TEXT_MAX;
pub use record::{ColumnInfo, NotARow, Row, Schema, Stack, Type, Value};
pub use span::Span;
pub use stored::NotASchema;
pub use window::Window;

use crate::program::Program;
use crate::target::{self, Target};
use crate::walk::{Keeps, Walk};
use condition::Condition;
use emit::{Emit, Fork, OBJECT};
use layout::Planned;
use plan::Planner;
use resolve::Names;

/// As many columns as can be selected.
pub const COLUMNS_MAX: usize = 500;
/// What the kernel passes on of one object: less than the buffer that it collects in.
const ROW_MAX: usize = 32 << 10;
/// As many instructions a kernel looks at (`BPF_COMPLEXITY_LIMIT_INSNS`): of more the verifier says nothing.
const SLOTS_MAX: usize = 1_000_000;

/// What is wanted: a target, columns, a condition.
#[derive(Debug, Clone)]
pub struct Select {
    target: String,
    columns: Option<Vec<Column>>,
    filter: Option<Expr>,
    order: Vec<Key>,
}

/// A column that is wanted: what it shows, and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    expr: Expr,
    name: Option<String>,
}

impl Column {
    /// The same under another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Column {
        Column { name: Some(name.into()), ..self }
    }
}

impl From<Expr> for Column {
    fn from(expr: Expr) -> Column {
        Column { expr, name: None }
    }
}

/// The field, or the column of the target, that has this name.
impl From<&str> for Column {
    fn from(name: &str) -> Column {
        field(name).into()
    }
}

/// What a link can be told in the place of a condition, which is tested all the same: the numbers here are those of the
/// first pid namespace, a link takes those of whoever opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Only the threads of this process.
    Tgid(u32),
    /// Only this thread.
    Tid(u32),
}

/// How a selection is planned.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// Whether its objects are counted, instead of shown.
    pub count: bool,
    /// What the keys and values are of the map whose elements it walks: without, they are pointers.
    pub elements: Option<Elements<'a>>,
}

/// A selection, made for one kernel.
#[derive(Debug)]
pub struct Plan {
    /// What is to be loaded.
    pub program: Program,
    /// What its output means.
    pub schema: Schema,
    /// What its link can be told.
    pub pushed: Option<Pushed>,
    /// How many of the columns were asked for; others are there for the order alone.
    pub shown: usize,
    /// The order that was asked for.
    pub order: Vec<Order>,
    /// Which of the program's maps counts, in the 8 bytes of its one element, if it shows no rows but counts them.
    pub counter: Option<u32>,
    /// Which of the program's maps says, in its one element, what part of the objects is shown ([`Window`]), of a target
    /// whose walks can lose some of them ([`Target::loses`]).
    pub window: Option<u32>,
    condition: Condition,
}

impl Plan {
    /// The condition as it is tested: what costs least first, with the paths of the fields that are read; none if every
    /// object is shown.
    pub fn condition(&self) -> Option<String> {
        (self.condition != Condition::Known(Some(true))).then(|| self.condition.to_string())
    }
}

impl Select {
    /// Selects from a target: from all of its objects, and its default columns, unless it is told more.
    pub fn new(target: impl Into<String>) -> Select {
        Select { target: target.into(), columns: None, filter: None, order: Vec::new() }
    }

    /// The columns to show, instead of those before: names of fields, or expressions.
    #[must_use]
    pub fn fields<T: Into<Column>>(self, columns: impl IntoIterator<Item = T>) -> Select {
        Select { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// Shows only the objects of which this is true, and so is what was said before.
    #[must_use]
    pub fn filter(self, condition: impl Into<Expr>) -> Select {
        let condition = condition.into();
        let filter = match self.filter {
            Some(before) => before.and(condition),
            None => condition,
        };
        Select { filter: Some(filter), ..self }
    }

    /// The order in which the rows are to be given, the first key first. The kernel gives rows in its own: what is
    /// planned is that the rows have what it takes to order them ([`Plan::order`]).
    #[must_use]
    pub fn order<T: Into<Key>>(self, keys: impl IntoIterator<Item = T>) -> Select {
        Select { order: keys.into_iter().map(Into::into).collect(), ..self }
    }

    /// Writes the program for the kernel that `btf` describes.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NoTarget`] where this kernel has no such target, [`crate::Error::Select`] with what is wrong with
    /// the columns or the condition, [`crate::Error::Btf`] where the BTF is damaged.
    pub fn plan<'a>(&self, btf: &'a Btf<'a>) -> Result<Plan, crate::Error> {
        self.plan_with(btf, &How::default())
    }

    /// The same for a program that counts the objects instead of showing them: in the kernel, without any output. It has
    /// no columns.
    ///
    /// # Errors
    ///
    /// As [`Select::plan`].
    pub fn plan_count<'a>(&self, btf: &'a Btf<'a>) -> Result<Plan, crate::Error> {
        self.plan_with(btf, &How { count: true, ..How::default() })
    }

    /// The same, with what else there is to say.
    ///
    /// # Errors
    ///
    /// As [`Select::plan`].
    pub fn plan_with<'a>(&self, btf: &'a Btf<'a>, how: &How<'a>) -> Result<Plan, crate::Error> {
        let count = how.count;
        let target = match Target::by_name(&self.target) {
            Some(target) => target,
            None => target::find(btf, &self.target)?.row(btf),
        };
        let context = Walk::keeping(btf, target, Keeps::Nothing)?.context();
        let mut planner = Planner::new(Names::new(btf, target, context, how.elements)?);

        let condition = match &self.filter {
            Some(filter) => planner.condition(filter)?.simplified(false),
            None => Condition::Known(Some(true)),
        };
        let tested = planner.names.derived.len();
        let pushed = plan::pushed(target, &mut planner.names, &condition);
        let mut columns = if count { Vec::new() } else { self.planned(target, &mut planner)? };
        let asked = columns.len();
        let keys = if count { &[][..] } else { &self.order };
        let order = order::planned(keys, &mut columns, &mut planner)?;
        let wanted = Wanted { btf, target, condition: &condition, names: &planner.names, tested, count };
        let short = wanted.short(&columns, Keeps::Nothing).or_else(|| wanted.short(&columns, Keeps::Context));
        let written = short.map_or_else(|| wanted.write(columns, Keeps::Both), Ok)?;
        let Written { mut program, schema, counter, window } = written;
        program.parts = planner.parts;
        Ok(Plan { program, schema, pushed, shown: asked, order, counter, window, condition })
    }

    fn planned(
        &self,
        target: &'static Target,
        planner: &mut Planner<'_>,
    ) -> Result<Vec<Planned>, crate::Error> {
        let own = || planner.names.columns.iter().filter(|column| column.default);
        let columns = match &self.columns {
            Some(columns) => columns.clone(),
            None => {
                let elements = planner.names.elements().into_iter().map(|name| name.as_str().into());
                own().map(|column| column.name.into()).chain(elements).collect()
            }
        };
        if columns.is_empty() && self.columns.is_none() {
            return Err(Error::new(Reason::NoDefaults(target.name), None).into());
        }
        if columns.is_empty() || columns.len() > COLUMNS_MAX {
            return Err(Error::new(Reason::Columns(columns.len()), None).into());
        }
        let mut names = std::collections::BTreeSet::new();
        let mut planned = Vec::with_capacity(columns.len());
        for Column { expr, name } in columns {
            let show = match &expr.node {
                expr::Node::Name(name) => planner.names.column(name).map(|column| column.show),
                _ => None,
            };
            let name = name.unwrap_or_else(|| match expr.span() {
                Some(span) => span.excerpt().to_owned(),
                None => expr.to_string(),
            });
            if !names.insert(name.clone()) {
                return Err(Error::new(Reason::SameName(name), expr.span).into());
            }
            let part = planner.part(Role::Column, &expr);
            let value = planner.value(&expr, None)?;
            if let resolve::Value::Literal(_) = value {
                let reason = Reason::Kind { what: name, is: Kind::Constant, needs: "a field" };
                return Err(Error::new(reason, expr.span).into());
            }
            planned.push(Planned { name, expr, show: show.unwrap_or(Show::Plain), value, part });
        }
        Ok(planned)
    }
}

/// All that a program is written from.
struct Wanted<'p, 'a> {
    btf: &'a Btf<'a>,
    target: &'static Target,
    condition: &'p Condition,
    names: &'p Names<'a>,
    /// How many of the arguments that are found the condition wants.
    tested: usize,
    count: bool,
}

struct Written {
    program: Program,
    schema: Schema,
    counter: Option<u32>,
    window: Option<u32>,
}

impl<'a> Wanted<'_, 'a> {
    /// Writes it as one that keeps so little, if that works out: most programs call nothing but what writes the row, and are
    /// shorter for it; or write it at once. Whether one does shows when it is there.
    fn short(&self, columns: &[Planned], keeps: Keeps) -> Option<Written> {
        let written = self.write(columns.to_vec(), keeps).ok()?;
        let insns = written.program.code.insns().iter();
        let output = Insn::CallHelper { helper: Helper::SeqWrite.into() };
        let (calls, most) = match keeps {
            Keeps::Nothing => {
                let is_call = |insn: &&Insn| matches!(insn, Insn::CallHelper { .. } | Insn::CallKfunc { .. });
                (insns.filter(is_call).count(), usize::from(!self.count))
            }
            _ => (insns.filter(|insn| **insn == output).count(), 1),
        };
        (calls <= most).then_some(written)
    }

    /// Writes it as one that keeps no more than this.
    fn write(&self, mut columns: Vec<Planned>, keeps: Keeps) -> Result<Written, crate::Error> {
        let mut walk = Walk::keeping(self.btf, self.target, keeps)?;
        let keep = layout::keep(self.condition, &mut columns, emit::room(keeps));
        let (rows, schema) = layout::layout(columns, self.names);
        if schema.row_max() >= ROW_MAX {
            return Err(Error::new(Reason::RowSize(schema.row_max()), None).into());
        }
        let done = walk.asm.label();
        // The verifier refuses what nothing leads to; and what counts prints nothing, so that one read is all of a walk.
        let shows = *self.condition != Condition::Known(Some(false));
        let loses = self.target.loses && shows && !self.count;
        let end = if loses { walk.asm.label() } else { done };
        if self.names.follows {
            let _object = walk.object(OBJECT, end)?;
        } else {
            let _object = walk.object_as_it_is(OBJECT, end)?;
        }
        let shown = walk.asm.label();
        if self.names.sleeps {
            walk.may_sleep();
        }
        let mut emit = Emit::keeping(&mut walk, keep);
        let window = if loses { Some(emit.window(done)?) } else { None };
        let derived = &self.names.derived;
        emit.find(derived.get(..self.tested).unwrap_or_default())?;
        emit.certain(self.condition, Fork { yes: shown, no: done, unknown: done, next: shown })?;
        emit.walk.asm.bind(shown);
        let mut counter = None;
        if shows {
            emit.find(derived)?;
            if self.count {
                counter = Some(emit.count());
            } else {
                emit.rows(&rows)?;
            }
        }
        if let Some(window) = window {
            walk.asm.jump(done);
            walk.asm.bind(end);
            emit::end(&mut walk, window);
        }
        let program = walk.finish("select", done)?;
        if program.code.len_slots() > SLOTS_MAX {
            return Err(Error::new(Reason::TooComplex, None).into());
        }
        Ok(Written { program, schema, counter, window })
    }
}
