//! What a text program shows, of all that it could.

use alloc::vec::Vec;
use core::str::FromStr;

use kwalk_asm::Label;
use kwalk_asm::Reg::R1;

use crate::builder::{Builder, Rows};
use crate::error::{CommError, Error};
use crate::operand::Ptr;

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

    /// Which objects of a walk are shown that can be filtered by name.
    pub(super) fn rows(&self) -> Rows {
        if self.comm.is_some() || self.only.is_some() { Rows::Some } else { Rows::All }
    }
}
