//! What a question becomes for one kernel: a condition and columns with their types and places, a sink, and, from these, the
//! program.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kwalk_progs::{Available, Builder, Fragment, Kernel, Program, Saved, Target, find};

use crate::derived::Found;
use crate::elements::Elements;
use crate::emit::{self, Emit, Fork, OBJECT};
use crate::error::{Error, Reason};
use crate::ir::Condition;
use crate::layout;
use crate::limits::{MAPS_MAX, ROW_MAX, SLOTS_MAX};
use crate::order::Order;
use crate::planner::Planner;
use crate::projection;
use crate::pushed::{Pushed, pushed};
use crate::record::Schema;
use crate::registers;
use crate::resolve::Names;
use crate::reuse::{Reused, reused};
use crate::select::Select;

/// How a question is planned.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions<'a> {
    /// Whether its objects are counted, instead of shown.
    pub count: bool,
    /// What the keys and values are of the map whose elements it walks: without, they are pointers.
    pub elements: Option<Elements<'a>>,
}

/// What becomes of the objects that the condition picks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Sink {
    /// Each is written as a row (`bpf_seq_write`).
    Rows {
        /// What the bytes of a row mean.
        schema: Schema,
        /// How many of the columns the question has; others are there to sort by alone.
        shown: usize,
        /// The order that the question has.
        order: Vec<Order>,
    },
    /// They are counted, in the 8 bytes of the one element of the program's map of this number.
    Count {
        /// The number of the map among the program's.
        map: u32,
    },
}

/// A question, planned for one kernel. [`Plan::program`] writes the program.
#[derive(Debug)]
pub struct Plan {
    /// The target that it walks.
    pub target: Target,
    /// What becomes of the objects.
    pub sink: Sink,
    /// What a link can filter.
    pub pushed: Option<Pushed>,
    /// Which of the program's maps says, in its one element, what part of the objects is shown
    /// ([`Partition`](crate::Partition)), of a target whose walks can lose some of them ([`Target::loses`]).
    pub partition: Option<u32>,
    condition: Condition,
    rows: emit::Rows,
    derived: Vec<Found>,
    /// How many of the derived roots the condition needs.
    tested: usize,
    fragments: Vec<Fragment>,
    saved: Saved,
    reused: Vec<Reused>,
    sleepable: bool,
    follows: bool,
}

impl Select {
    /// Plans rows for a kernel.
    ///
    /// # Errors
    ///
    /// An [`Error`] with [`Reason::Program`](crate::Reason::Program) where this kernel has no such target or its BTF is
    /// damaged; else with what is wrong with the columns or the condition.
    pub fn plan(&self, kernel: &Kernel<'_>) -> Result<Plan, Error> {
        self.plan_with(kernel, &PlanOptions::default())
    }

    /// Plans a count of the objects, in the kernel and without any output, instead of rows.
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
        let condition = match &select.filter {
            Some(filter) => planner.condition(filter)?.simplified(false),
            None => Condition::Known(Some(true)),
        };
        let tested = planner.names.derived.len();
        let pushed = pushed(&target, &mut planner.names, &condition);
        let mut columns =
            if options.count { Vec::new() } else { projection::columns(select, &target, &mut planner)? };
        let shown = columns.len();
        let keys = if options.count { &[][..] } else { &select.order };
        let order = projection::keys(keys, &mut columns, &mut planner)?;

        let Planner { names, fragments, .. } = planner;
        // A program that may sleep has to ask for RCU itself, which keeps files alive while the helper looks at them.
        if names.sleeps && names.paths {
            if let Some(reason) =
                names.lacks_kfunc("bpf_rcu_read_lock", "paths together with cmdline()", (6, 2))
            {
                return Err(Error::new(reason, None));
            }
        }
        let saved = registers::saved(kernel, &target, &names, &condition, &columns)?;
        let reused = reused(&condition, &mut columns, emit::reuse_registers(saved));
        let (rows, schema) = layout::layout(columns, &names);
        if schema.row_max() >= ROW_MAX {
            return Err(Error::new(Reason::RowSize(schema.row_max()), None));
        }
        // The maps of a program are numbered in the order in which it asks for them, and these come first.
        let (sink, partition) = match options.count {
            true => (Sink::Count { map: 0 }, None),
            // What counts prints nothing, so that one read is all of a walk.
            false => (Sink::Rows { schema, shown, order }, target.loses.then_some(0)),
        };
        let partition = partition.filter(|_| condition != Condition::Known(Some(false)));
        Ok(Plan {
            sink,
            pushed,
            partition,
            condition,
            rows,
            derived: names.derived,
            tested,
            fragments,
            saved,
            reused,
            sleepable: names.sleeps,
            follows: names.follows,
            target,
        })
    }

    /// The condition as it is tested: what costs least first, with the paths of the fields that are read; none if every
    /// object is shown.
    pub fn condition(&self) -> Option<String> {
        (self.condition != Condition::Known(Some(true))).then(|| self.condition.to_string())
    }

    /// What the bytes of a row mean; none where there are no rows.
    pub fn schema(&self) -> Option<&Schema> {
        match &self.sink {
            Sink::Rows { schema, .. } => Some(schema),
            Sink::Count { .. } => None,
        }
    }

    /// Writes the program, for the kernel that the plan is for.
    ///
    /// # Errors
    ///
    /// [`Reason::TooComplex`] where it has more instructions or maps than a kernel takes; [`Reason::Program`] where the BTF is
    /// damaged.
    pub fn program(&self, kernel: &Kernel<'_>) -> Result<Program, Error> {
        let mut builder = Builder::saving(kernel, &self.target, self.saved)?;
        let done = builder.asm.label();
        // The verifier refuses what nothing leads to.
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
        let partition = if self.partition.is_some() { Some(emit.partition(done)?) } else { None };
        emit.find(self.derived.get(..self.tested).unwrap_or_default())?;
        // Its map comes first.
        let counter = matches!(self.sink, Sink::Count { .. }).then(|| emit.counter());
        emit.required(&self.condition, Fork { yes: shown, no: done, unknown: done, next: shown })?;
        emit.builder.asm.bind(shown);
        if shows {
            emit.find(&self.derived)?;
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
