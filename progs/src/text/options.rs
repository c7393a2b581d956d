//! Options of text programs.

use alloc::vec::Vec;
use core::str::FromStr;

use kwalk_asm::Label;
use kwalk_asm::Reg::R1;

use crate::builder::{Builder, Rows};
use crate::error::{CommError, Error};
use crate::operand::Ptr;

/// Options of a text program.
#[derive(Debug, Clone)]
pub struct Options {
    /// Show only what belongs to tasks with this command name. The kernel compares it.
    pub comm: Option<Comm>,
    /// Show only what belongs to this process or thread. The program tests every task: where links accept a process or
    /// thread, that is better, because the walk then goes straight to the task.
    pub only: Option<Only>,
    /// How many readers at a time can have totals, aborted ones included. If more readers are interleaved, or somewhat
    /// fewer on machines with many CPUs (each CPU keeps some elements in reserve), their totals are too small. For the
    /// program's lifetime, each takes about 100 bytes of kernel memory, or 1,200 for stacks.
    pub readers: u32,
}

impl Default for Options {
    /// No filter, and as many readers as are likely for a pinned program.
    fn default() -> Options {
        Options { comm: None, only: None, readers: 2048 }
    }
}

/// One process or thread, by its pid or tid in the first pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// All threads of the process with this pid.
    Process(u32),
    /// The thread with this tid.
    Thread(u32),
}

/// A command name as in `task_struct.comm`: 1 to 15 bytes without a NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comm(Vec<u8>);

impl Comm {
    /// Checks a command name.
    ///
    /// # Errors
    ///
    /// [`Error::Comm`] if no task can have this name.
    pub fn new(name: &[u8]) -> Result<Comm, Error> {
        let reason = match name.len() {
            0 => CommError::Empty,
            1..16 if name.contains(&0) => CommError::Nul,
            1..16 => return Ok(Comm(name.into())),
            _ => CommError::TooLong,
        };
        Err(Error::Comm { name: name.into(), reason })
    }

    /// The name, without a NUL at the end.
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
    /// Goes to `done` unless `task` passes the filters.
    pub(super) fn filter<T>(&self, w: &mut Builder<'_>, task: &Ptr<T>, done: Label) -> Result<(), Error> {
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

    /// For which objects the program prints a row, if it can be filtered.
    pub(super) fn rows(&self) -> Rows {
        if self.comm.is_some() || self.only.is_some() { Rows::Some } else { Rows::All }
    }
}
