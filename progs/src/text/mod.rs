//! Text programs: programs that print text, for `cat` of a pinned iterator.
//!
//! The output is stable to the byte: each format is the kernel's own, or that of a well-known tutorial.

mod files;
mod maps;
mod options;
mod progs;
mod session;
mod stacks;
mod task_file;

use kwalk_asm::Label;
use kwalk_btf::Kind::{Func, Struct};

use crate::available::btf_names;
use crate::builder::Builder;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::program::Program;
use crate::target::Target;
use crate::targets;

pub use options::{Comm, Only, Options};

/// A program that prints text.
#[derive(Debug)]
pub struct TextProgram {
    /// The name, on the command line and in the kernel.
    pub name: &'static str,
    /// The target that the program walks.
    pub target: &'static Target,
    /// What it prints.
    pub about: &'static str,
    /// Whether the program can be restricted to tasks with a command name, or to a process or thread.
    pub comm: bool,
    /// Writes the program's body, which continues at the label when it is done with the object.
    emit: fn(&mut Builder<'_>, &Options, Label) -> Result<(), Error>,
}

/// All text programs, sorted by name.
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

/// The program with this name.
///
/// # Errors
///
/// [`Error::NoProgram`], with similar names.
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
    /// [`Error::NoTarget`] if the kernel lacks the target, [`Error::NoComm`] if the options have a filter by command
    /// name, process or thread and the program can't be filtered, [`Error::Btf`] if the kernel lacks a field that the
    /// program prints.
    pub fn write(&self, kernel: &Kernel<'_>, options: &Options) -> Result<Program, Error> {
        if (options.comm.is_some() || options.only.is_some()) && !self.comm {
            return Err(Error::NoComm { program: self.name });
        }
        // One pass finds all types and functions that text programs look up later: the BTF caches them.
        let (func, context) = btf_names(&self.target.name);
        kernel.btf.find_many([
            (Func, &func),
            (Func, "bpf_preempt_disable"),
            (Func, "bpf_preempt_enable"),
            (Func, "bpf_rdonly_cast"),
            (Struct, &context),
            (Struct, "bpf_iter_priv_data"),
            (Struct, "file"),
            (Struct, "seq_file"),
        ])?;
        let mut walk = Builder::new(kernel, self.target)?;
        let done = walk.asm.label();
        (self.emit)(&mut walk, options, done)?;
        walk.finish(self.name, done)
    }
}
