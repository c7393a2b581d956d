//! Plans: a question for one kernel, with its condition, its columns and its sink. The program is written from these.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kwalk_progs::{Available, Builder, Fragment, Kernel, Program, Saved, Target};

use crate::completion::Completion;
use crate::derived::Found;
use crate::elements::Elements;
use crate::emit::{self, Emit, Fork, OBJECT};
use crate::error::{Error, Reason};
use crate::expr::Expr;
use crate::ir::{Condition, Sum, Value};
use crate::layout;
use crate::limits::{MAPS_MAX, ROW_MAX, SLOTS_MAX};
use crate::order::Order;
use crate::place::Place;
use crate::planned::Planned;
use crate::planner::Planner;
use crate::projection;
use crate::pushed::{Pushed, pushed};
use crate::record::Schema;
use crate::registers;
use crate::resolve::Names;
use crate::reuse::{Reused, reused};
use crate::select::Select;
use crate::targets::find;
use crate::tested::{self, Tested};
use crate::undecided::{Bound, Undecided};

/// Options for planning a question.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions<'a> {
    /// Whether to count the objects instead of showing them.
    pub count: bool,
    /// The types of the keys and values of the map that is walked. Without, keys and values are pointers.
    pub elements: Option<Elements<'a>>,
    /// Whether the column `netns`, of targets that have it, is one of the default columns: several network namespaces are
    /// walked.
    pub netns: bool,
}

/// What the program does with the objects that the condition picks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Sink {
    /// The program writes each object as a row (`bpf_seq_write`).
    Rows {
        /// The layout of a row.
        schema: Schema,
        /// The number of columns in the selection. The columns after them are there only to sort by, or for
        /// [`Plan::completion`]. It is 0 if the rows are to be counted: of a condition that user space tests, the
        /// kernel can't count the objects.
        shown: usize,
        /// The sort order of the selection.
        order: Vec<Order>,
    },
    /// The program counts the objects, in the 8 bytes of the only element of a map.
    Count {
        /// The index of that map among the program's maps.
        map: u32,
    },
}

/// A question planned for one kernel. [`Plan::program`] writes the program.
#[derive(Debug)]
pub struct Plan {
    /// The target that the program walks.
    pub target: Target,
    /// What the program does with the objects.
    pub sink: Sink,
    /// The filter for the link, if the condition has one.
    pub pushed: Option<Pushed>,
    /// The index of the program's map with the [`Partition`](crate::Partition) to show, for targets whose walks can
    /// lose objects ([`Target::loses`]).
    pub partition: Option<u32>,
    /// What user space does with each row before it is shown, if there is anything.
    pub completion: Option<Completion>,
    /// The index of the program's map with the [`NthRow`](crate::NthRow) to show, for targets whose objects can have
    /// several rows.
    pub row: Option<u32>,
    /// What a condition of the question can't decide, if there is such a thing.
    pub undecided: Option<Undecided>,
    condition: Condition,
    rows: emit::Rows,
    derived: Vec<Found>,
    /// The number of rows of an object, if there can be several; and how many derived roots it needs.
    row_count: Option<(Place, usize)>,
    /// The number of derived roots that the condition needs.
    tested: usize,
    fragments: Vec<Fragment>,
    saved: Saved,
    reused: Vec<Reused>,
    /// A sum over CPUs that the program computes, if it computes any, and whether the condition has one.
    sum: Option<(Sum, bool)>,
    sleepable: bool,
    follows: bool,
}

impl Select {
    /// Plans rows.
    ///
    /// # Errors
    ///
    /// [`Reason::Program`](crate::Reason::Program) if the kernel has no such target or its BTF is damaged; else what is
    /// wrong with the columns or the condition.
    pub fn plan(&self, kernel: &Kernel<'_>) -> Result<Plan, Error> {
        self.plan_with(kernel, &PlanOptions::default())
    }

    /// Plans a count of the objects. The kernel counts them, without any output, unless user space must test a part of
    /// the condition ([`Sink::Rows`]).
    ///
    /// # Errors
    ///
    /// As [`Select::plan`].
    pub fn plan_count(&self, kernel: &Kernel<'_>) -> Result<Plan, Error> {
        self.plan_with(kernel, &PlanOptions { count: true, ..PlanOptions::default() })
    }

    /// Plans with options.
    ///
    /// # Errors
    ///
    /// As [`Select::plan`].
    pub fn plan_with(&self, kernel: &Kernel<'_>, options: &PlanOptions<'_>) -> Result<Plan, Error> {
        Plan::new(self, kernel, options)
    }
}

impl Plan {
    fn new(select: &Select, kernel: &Kernel<'_>, options: &PlanOptions<'_>) -> Result<Plan, Error> {
        let Available { target, context } = find(kernel.btf, &select.target)?;
        let mut planner = Planner::new(Names::new(kernel, &target, context, options.elements)?);
        // Before Linux 6.2, and without a JIT, programs don't get at more than the first.
        let row_count = planner.names.view.rows.and_then(|count| planner.names.place(count, None).ok());
        let before_rows = planner.names.derived.len();
        let (first, terms) = match &select.filter {
            Some(filter) => tested::split(&planner.names, filter),
            None => (None, Vec::new()),
        };
        let target_view = planner.names.view;
        let mut terms_of = |expr: Option<Expr>| match expr {
            Some(expr) => planner.condition(&expr),
            None => Ok(Condition::Known(Some(true))),
        };
        let is_object = terms_of(target_view.is_object.map(|condition| condition()))?;
        let asked = terms_of(first)?;
        let derived_tested = planner.names.derived.len();
        let pushed = pushed(&target, &mut planner.names, &asked.clone().simplified(false));
        // A thread that is asked for is an object, whatever a walk of all leaves out.
        let condition = match (pushed, is_object, asked) {
            (Some(Pushed::Tid(_)), _, asked) | (_, Condition::Known(Some(true)), asked) => asked,
            (_, is_object, Condition::And(all)) => Condition::And([vec![is_object], all].concat()),
            (_, is_object, asked) => Condition::And(vec![is_object, asked]),
        };
        let condition = condition.simplified(false);
        let mut columns = match options.count {
            true => Vec::new(),
            false => projection::columns(select, &target, options.netns, &mut planner)?,
        };
        let shown = columns.len();
        let keys = if options.count { &[][..] } else { &select.order };
        let order = projection::keys(keys, &mut columns, &mut planner)?;
        let visible = columns.len();
        let mut tested = Tested::new(&mut planner, &mut columns);
        let (test, sql) = tested.terms(&terms)?;
        let numbers = tested.numbers()?;
        let process = tested::process(&mut columns, &mut planner)?;

        let Planner { names, fragments, .. } = planner;
        // A sleepable program must enter an RCU section itself, to keep files alive while the helper reads them.
        if names.sleeps && names.paths {
            if let Some(reason) = names.lacks_kfunc("bpf_rcu_read_lock", "paths together with argv()", (6, 2))
            {
                return Err(Error::new(reason, None));
            }
        }
        let saved = registers::saved(kernel, &target, &names, &condition, &columns, row_count.is_some())?;
        let reused = reused(&condition, &mut columns, emit::reuse_registers(saved));
        let tested_sum = emit::first_sum(&condition, [].into_iter()).map(|sum| (sum, true));
        let shown_sum = || emit::first_sum(&condition, columns.iter().map(|column| &column.value));
        let sum = tested_sum.or_else(|| Some((shown_sum()?, false)));
        let number = |column: &Planned| match &column.value {
            Value::Number(number) => Some(number.clone()),
            _ => None,
        };
        let computed: Vec<_> = columns.iter().filter_map(number).collect();
        let fills = tested::fills(&columns);
        let (rows, schema) = layout::layout(columns, &names, &fills);
        let written = schema.first_texts(rows.texts.len());
        if written.row_max() >= ROW_MAX {
            return Err(Error::new(Reason::RowSize(written.row_max()), None));
        }
        let complete = |[tgid, pid, start]: [usize; 3]| {
            let complete = schema.clone();
            Completion { written, complete, tgid, pid, start, fills, numbers, test, sql }
        };
        let completion = process.map(complete);
        let schema = schema.first(visible);
        // A program's maps are numbered in the order in which they are created; this one is the first.
        let (sink, partition) = match options.count && completion.is_none() {
            true => (Sink::Count { map: 0 }, None),
            // A count prints nothing, so its walk is a single read.
            false => (Sink::Rows { schema, shown, order }, target.loses.then_some(0)),
        };
        let partition = partition.filter(|_| condition != Condition::Known(Some(false)));
        let mut bounds = emit::bounds(&condition);
        bounds.extend(computed.iter().flat_map(emit::bounds_of));
        let iterates = || kernel.has_jit && names.has("bpf_iter_num_new");
        bounds.retain(|bound| *bound != Bound::Search || !iterates());
        let map = u32::from(options.count || partition.is_some());
        let row = row_count.is_some().then_some(map);
        let map = map + u32::from(row.is_some());
        let undecided = (!bounds.is_empty()).then(|| Undecided::new(map, bounds));
        Ok(Plan {
            sink,
            pushed,
            partition,
            completion,
            row,
            undecided,
            condition,
            rows,
            derived: names.derived,
            row_count: row_count.map(|count| (count, before_rows)),
            tested: derived_tested,
            fragments,
            saved,
            reused,
            sum,
            sleepable: names.sleeps,
            follows: names.follows,
            target,
        })
    }

    /// The condition with its terms in the order of the tests, cheapest first, and the paths of the fields that they
    /// read; `None` if the program shows every object. [`Completion::condition`] is what is tested afterwards.
    pub fn condition(&self) -> Option<String> {
        (self.condition != Condition::Known(Some(true))).then(|| self.condition.to_string())
    }

    /// The layout of the rows; `None` for a count.
    pub fn schema(&self) -> Option<&Schema> {
        match &self.sink {
            Sink::Rows { schema, .. } => Some(schema),
            Sink::Count { .. } => None,
        }
    }

    /// Writes the program. `kernel` is the one that the plan was made for.
    ///
    /// # Errors
    ///
    /// [`Reason::TooComplex`] if the program has more instructions or maps than kernels accept; [`Reason::Program`] if
    /// the BTF is damaged.
    pub fn program(&self, kernel: &Kernel<'_>) -> Result<Program, Error> {
        let mut builder = Builder::saving(kernel, &self.target, self.saved)?;
        let done = builder.asm.label();
        // If no object is shown, no row is emitted: the verifier rejects unreachable instructions.
        let shows = self.condition != Condition::Known(Some(false));
        let end = if self.partition.is_some() { builder.asm.label() } else { done };
        if self.sleepable {
            builder.may_sleep();
        }
        if self.follows {
            let _object = builder.object(OBJECT, end)?;
        } else {
            let _object = builder.uncast_object(OBJECT, end)?;
        }
        let shown = builder.asm.label();
        let mut emit = Emit::new(&mut builder, self.reused.clone());
        // The key of a sockmap is at one address, whichever it is. Its sockets are not.
        let argument = (self.target.name == kwalk_progs::targets::sockmap::TARGET.name).then_some("sk");
        let partition = if self.partition.is_some() { Some(emit.partition(argument, done)?) } else { None };
        // Emitted first, because the counter's map must be number 0.
        let counter = matches!(self.sink, Sink::Count { .. }).then(|| emit.counter());
        if let Some((count, derived)) = &self.row_count {
            emit.find(self.derived.get(..*derived).unwrap_or_default())?;
            emit.nth_row(count, done)?;
        }
        emit.find(self.derived.get(..self.tested).unwrap_or_default())?;
        if self.undecided.is_some() {
            emit.count_undecided(done);
        }
        if let Some((sum, true)) = &self.sum {
            emit.cpu_offsets(sum);
        }
        emit.required(&self.condition, Fork { yes: shown, no: done, unknown: done, next: shown })?;
        emit.builder.asm.bind(shown);
        emit.decided();
        if shows {
            emit.find(&self.derived)?;
            if let Some((sum, false)) = &self.sum {
                emit.cpu_offsets(sum);
            }
            match counter {
                Some(counter) => emit.count(counter),
                None => emit.rows(&self.rows)?,
            }
        }
        if !emit.fits_stack() {
            return Err(Error::new(Reason::TooComplex, None));
        }
        if let Some(partition) = partition {
            builder.asm.jump(done);
            builder.asm.bind(end);
            emit::end(&mut builder, partition);
        }
        let mut program = builder.finish("select", done)?;
        if program.code.len_slots() > SLOTS_MAX || program.maps.len() > MAPS_MAX {
            return Err(Error::new(Reason::TooComplex, None));
        }
        program.fragments.clone_from(&self.fragments);
        Ok(program)
    }
}
