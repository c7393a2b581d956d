//! Programs that are walked with: each loaded and attached, to be read as often as one likes.

use std::hint::black_box;

use kwalk::asm::{Assembler, Reg};
use kwalk::btf::{Btf, Kind};
use kwalk::progs::{Program, Target, Walk};
use kwalk::select::{self, How, MapElements, Rows, Schema, Select};
use kwalk::sys::MapFd;
use kwalk::{Error, Loaded, Parameters};

/// A program that is attached to what it walks.
pub(crate) struct Attached {
    link: kwalk::Link,
    /// Of one that gives rows.
    schema: Option<Schema>,
}

/// What a walk has given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Rows, or lines.
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Attached {
    /// Gives nothing: two instructions, so that the walk alone is what it takes.
    pub(crate) fn empty(
        btf: &Btf<'_>,
        target: &'static Target,
        told: &Parameters<'_>,
    ) -> Result<Self, Error> {
        let function = format!("bpf_iter_{}", target.name);
        let mut asm = Assembler::new();
        asm.mov(Reg::R0, 0);
        asm.exit();
        let program = Program {
            name: "empty",
            target,
            attach_btf_id: btf.find(Kind::Func, &function)?.0,
            code: asm.finish().expect("it has no jumps"),
            sleepable: false,
            maps: Vec::new(),
            kfuncs: Vec::new(),
            parts: Vec::new(),
        };
        Attached::new(&program, told, None)
    }

    /// Prints a line of each task: the numbers of its process and its own, and its name.
    pub(crate) fn lines(btf: &Btf<'_>) -> Result<Self, Error> {
        const TASK: &Target = Target::named("task");
        let write = || {
            let mut walk = Walk::new(btf, TASK)?;
            let done = walk.asm.label();
            let task = walk.object(Reg::R7, done)?;
            walk.printf("%d %d %s\n", &[task.field("tgid"), task.field("pid"), task.text("comm")])?;
            walk.finish("lines", done)
        };
        Attached::new(&write()?, &Parameters::None, None)
    }

    /// Gives the rows of a selection; `map` is whose elements it is of.
    pub(crate) fn rows(
        btf: &Btf<'_>,
        select: &Select,
        told: &Parameters<'_>,
        map: Option<&MapFd>,
    ) -> Result<Self, Error> {
        let elements = map.map(MapElements::of).transpose()?;
        let how = How { elements: elements.as_ref().map(|of| of.elements(None)), ..How::default() };
        let plan = select.plan_with(btf, &how)?;
        Attached::new(&plan.program, told, Some(plan.schema))
    }

    /// The link lives on without the descriptor of its program.
    fn new(program: &Program, told: &Parameters<'_>, schema: Option<Schema>) -> Result<Self, Error> {
        Ok(Attached { link: Loaded::load(program)?.attach(told)?, schema })
    }

    /// Walks from the beginning to the end, and looks at every column of what has some.
    pub(crate) fn walk(&self) -> Given {
        self.read().expect("the walk ends")
    }

    fn read(&self) -> Result<Given, Error> {
        let mut given = Given::default();
        if let Some(schema) = &self.schema {
            let mut rows = Rows::of(&self.link, schema.clone())?;
            while let Some(row) = rows.next_row()? {
                for value in row.values() {
                    black_box(value);
                }
                given.rows += 1;
            }
            given.bytes = given.rows * schema.row_max();
        } else {
            let mut iter = self.link.iter()?;
            while let chunk @ [_, ..] = iter.next_chunk()? {
                given.bytes += chunk.len();
                given.rows += chunk.iter().filter(|byte| **byte == b'\n').count();
            }
        }
        Ok(given)
    }
}

/// How many tasks there are.
pub(crate) fn tasks_there(btf: &Btf<'_>) -> Result<usize, Error> {
    let plan = Select::new("task").plan_count(btf)?;
    Ok(select::count(&plan, &Parameters::None)? as usize)
}

/// Three columns of tasks: what the lines of [`Attached::lines`] say.
pub(crate) fn tasks() -> Select {
    Select::new("task").fields(["tgid", "pid", "comm"])
}

/// Open files: whose, which, and what they are.
pub(crate) fn files() -> Select {
    Select::new("task_file").fields(["tgid", "pid", "fd", "kind", "inode"])
}

/// The columns of TCP sockets that are shown if nothing else is said.
pub(crate) fn sockets() -> Select {
    Select::new("tcp")
}

/// Keys and values of a map's elements.
pub(crate) fn elements() -> Select {
    Select::new("bpf_map_elem").fields(["key", "value"])
}
