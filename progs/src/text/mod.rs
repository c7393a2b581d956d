//! The programs that print text: what `cat` shows of a pinned iterator.
//!
//! Formats are a contract to the byte: each is the kernel's own or a well-known tutorial's.

mod files;
mod maps;
mod progs;
mod session;
mod stacks;
mod task_file;

use alloc::vec::Vec;
use core::str::FromStr;

use kwalk_asm::Label;
use kwalk_asm::Reg::R1;

use crate::builder::{Builder, Rows};
use crate::error::{CommError, Error};
use crate::kernel::Kernel;
use crate::operand::Ptr;
use crate::program::Program;
use crate::target::Target;
use crate::targets;

/// A program that prints text.
#[derive(Debug)]
pub struct TextProgram {
    /// What it is called, on the command line and in the kernel.
    pub name: &'static str,
    /// The target that it walks.
    pub target: &'static Target,
    /// What it prints.
    pub about: &'static str,
    /// Whether it can be told a command name, to show only what belongs to tasks of that name.
    pub comm: bool,
    /// Writes it, up to the label for "done with this object", to which it falls through.
    emit: fn(&mut Builder<'_>, &Options, Label) -> Result<(), Error>,
}

/// All of them, in the order of their names.
pub const PROGRAMS: &[TextProgram] = &[
    TextProgram {
        name: "files",
        target: &targets::task_file::TARGET,
        about: "open files: command, process, thread, descriptor, address of the file operations",
        comm: true,
        emit: files::emit,
    },
    TextProgram {
        name: "maps",
        target: &targets::bpf_map::TARGET,
        about: "BPF maps: id, name, most and present entries",
        comm: false,
        emit: maps::emit,
    },
    TextProgram {
        name: "progs",
        target: &targets::bpf_prog::TARGET,
        about: "BPF programs: id, name, function and program they are attached to",
        comm: false,
        emit: progs::emit,
    },
    TextProgram {
        name: "stacks",
        target: &targets::task::TARGET,
        about: "kernel stacks of tasks, symbolised",
        comm: true,
        emit: stacks::emit,
    },
    TextProgram {
        name: "task_file",
        target: &targets::task_file::TARGET,
        about: "open files: process, thread, descriptor, address of the file operations",
        comm: true,
        emit: task_file::emit,
    },
];

/// What a text program can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Show only what belongs to tasks of this command name; compared in the kernel.
    pub comm: Option<Comm>,
    /// Show only what belongs to this process or thread; compared in the kernel, task by task. A link's parameter is the
    /// better way where a link has any: it leads to the task at once.
    pub only: Option<Only>,
    /// How many readers at once the totals are kept for, those that broke off included. With more of them interleaved, or
    /// somewhat fewer on machines with many CPUs, each of which holds some memory back, totals are too small. Each costs
    /// the kernel some 100 bytes, and some 1200 for stacks, for as long as the program lives.
    pub readers: u32,
}

impl Default for Options {
    /// No filter, and as many readers as a pinned program may have.
    fn default() -> Options {
        Options { comm: None, only: None, readers: 2048 }
    }
}

/// One process or thread, by its number in the first pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// All threads of this process.
    Process(u32),
    /// This thread.
    Thread(u32),
}

/// The program called `name`.
///
/// # Errors
///
/// [`Error::NoProgram`], with the names that are alike.
pub fn by_name(name: &str) -> Result<&'static TextProgram, Error> {
    PROGRAMS.iter().find(|program| program.name == name).ok_or_else(|| Error::NoProgram {
        name: name.into(),
        near: kwalk_btf::near(name, PROGRAMS.iter().map(|program| program.name)),
    })
}

impl TextProgram {
    /// Writes the program for a kernel.
    ///
    /// # Errors
    ///
    /// [`Error::NoTarget`] where the kernel lacks its target, [`Error::NoComm`] where it is told a command name, process
    /// or thread and has no use for it, [`Error::Btf`] where a field that it prints is not there.
    pub fn write(&self, kernel: &Kernel<'_>, options: &Options) -> Result<Program, Error> {
        if (options.comm.is_some() || options.only.is_some()) && !self.comm {
            return Err(Error::NoComm { program: self.name });
        }
        let mut walk = Builder::new(kernel, self.target)?;
        let done = walk.asm.label();
        (self.emit)(&mut walk, options, done)?;
        walk.finish(self.name, done)
    }
}

/// A command name as the kernel keeps it: 1 to 15 bytes without a NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comm(Vec<u8>);

impl Comm {
    /// Takes a command name.
    ///
    /// # Errors
    ///
    /// [`Error::Comm`] where no task can have that name.
    pub fn new(name: &[u8]) -> Result<Comm, Error> {
        let reason = match name.len() {
            0 => CommError::Empty,
            1..16 if name.contains(&0) => CommError::Nul,
            1..16 => return Ok(Comm(name.into())),
            _ => CommError::TooLong,
        };
        Err(Error::Comm { name: name.into(), reason })
    }

    /// Its bytes, without a NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Comm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Comm, Error> {
        Comm::new(name.as_bytes())
    }
}

impl Options {
    /// Goes to `done` unless `task` is one that was asked for.
    fn filter<T>(&self, w: &mut Builder<'_>, task: &Ptr<T>, done: Label) -> Result<(), Error> {
        if let Some(only) = self.only {
            let (field, number) = match only {
                Only::Process(number) => ("tgid", number),
                Only::Thread(number) => ("pid", number),
            };
            w.load(R1, task.field(field))?;
            w.asm.jump_if(R1.ne(number as i32), done);
        }
        match &self.comm {
            Some(comm) => w.text_is(task, "comm", comm.as_bytes(), done),
            None => Ok(()),
        }
    }

    /// Which objects of a walk are shown that can be filtered by name.
    fn rows(&self) -> Rows {
        if self.comm.is_some() || self.only.is_some() { Rows::Some } else { Rows::All }
    }
}
