//! Programs that are walked with: each loaded and attached, to be read as often as one likes.

use std::hint::black_box;

use kwalk::asm::{Assembler, Reg};
use kwalk::btf::Kind;
use kwalk::progs::{Builder, Kernel, Program, ProgramType, Target, targets};
use kwalk::select::{MapElements, Plan, PlanOptions, Rows, Select, Walk};
use kwalk::sys::MapFd;
use kwalk::{Error, Loaded, Scope};

/// A program that is attached to what it walks.
pub(crate) struct Attached {
    link: kwalk::Link,
    /// Of one that gives rows.
    plan: Option<Plan>,
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
    pub(crate) fn empty(kernel: &Kernel<'_>, target: &Target, scope: &Scope<'_>) -> Result<Self, Error> {
        let function = format!("bpf_iter_{}", target.name);
        let mut asm = Assembler::new();
        asm.mov(Reg::R0, 0);
        asm.exit();
        let program = Program {
            name: "empty",
            program_type: ProgramType::Iter {
                target: target.clone(),
                attach_btf_id: kernel.btf.find(Kind::Func, &function)?.0,
            },
            code: asm.finish().expect("it has no jumps"),
            sleepable: false,
            maps: Vec::new(),
            kfuncs: Vec::new(),
            fragments: Vec::new(),
        };
        Attached::new(&program, scope, None)
    }

    /// Prints a line of each task: the numbers of its process and its own, and its name.
    pub(crate) fn lines(kernel: &Kernel<'_>) -> Result<Self, Error> {
        let write = || {
            let mut walk = Builder::new(kernel, &targets::task::TARGET)?;
            let done = walk.asm.label();
            let task = walk.object(Reg::R7, done)?;
            walk.printf("%d %d %s\n", &[task.field("tgid"), task.field("pid"), task.text("comm")])?;
            walk.finish("lines", done)
        };
        Attached::new(&write()?, &Scope::All, None)
    }

    /// Gives the rows of a selection; `map` is whose elements it is of.
    pub(crate) fn rows(
        kernel: &Kernel<'_>,
        select: &Select,
        scope: &Scope<'_>,
        map: Option<&MapFd>,
    ) -> Result<Self, Error> {
        let elements = map.map(MapElements::of).transpose()?;
        let elements = elements.as_ref().map(|of| of.elements(None));
        let plan = select.plan_with(kernel, &PlanOptions { elements, ..PlanOptions::default() })?;
        Attached::new(&plan.program(kernel)?, scope, Some(plan))
    }

    /// The link lives on without the descriptor of its program.
    fn new(program: &Program, scope: &Scope<'_>, plan: Option<Plan>) -> Result<Self, Error> {
        Ok(Attached { link: Loaded::load(program)?.attach(scope)?, plan })
    }

    /// Walks from the beginning to the end, and looks at every column of what has some.
    pub(crate) fn walk(&self) -> Given {
        self.read().expect("the walk ends")
    }

    fn read(&self) -> Result<Given, Error> {
        let mut given = Given::default();
        if let Some(plan) = &self.plan {
            let mut rows = Rows::of(&self.link, plan)?;
            while let Some(row) = rows.next_row()? {
                for value in row.values() {
                    black_box(value);
                }
                given.rows += 1;
            }
            given.bytes = given.rows * rows.schema().row_max();
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
pub(crate) fn tasks_there(kernel: &Kernel<'_>) -> Result<usize, Error> {
    let count = Walk::plan_count(&Select::new("task"), kernel, Scope::All)?.prepare()?.count()?;
    Ok(count as usize)
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
