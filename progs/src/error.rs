//! Errors in writing programs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::version::Version;

/// Why a program could not be written for this kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The kernel does not have the target.
    NoTarget {
        /// The target asked for.
        name: String,
        /// The kernel that first has it, if that is known.
        since: Option<Version>,
        /// Targets of this kernel with similar names.
        near: Vec<String>,
    },
    /// There is no such text program.
    NoProgram {
        /// The program asked for.
        name: String,
        /// Text programs with similar names.
        near: Vec<String>,
    },
    /// The program walks objects that belong to no task, so it can't be filtered by a command name, process or thread.
    NoComm {
        /// The program.
        program: &'static str,
    },
    /// No task can have this command name.
    Comm {
        /// The name as it was given.
        name: Vec<u8>,
        /// What is wrong with it.
        reason: CommError,
    },
    /// A context argument is required as a trusted pointer, and the verifier does not trust it.
    Untrusted {
        /// The target.
        target: String,
        /// The context argument.
        argument: String,
    },
    /// A field has another type than the program requires.
    Field {
        /// The path of the field.
        path: String,
        /// The type that is required: "a pointer to a struct", "an integer".
        needs: &'static str,
    },
    /// The program calls a kfunc, which a kernel without a JIT refuses (`net.core.bpf_jit_enable`).
    NoJit {
        /// The kfunc.
        function: &'static str,
    },
    /// More values are printed at once than the kernel accepts.
    TooManyValues {
        /// The format.
        format: String,
    },
    /// The kernel's BTF is damaged, or lacks a type or field.
    Btf(kwalk_btf::Error),
    /// The instructions don't fit together: a defect of the program, not of the kernel or of the user's input.
    Asm(kwalk_asm::AsmError),
}

/// What is wrong with a command name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommError {
    /// It is empty.
    Empty,
    /// It has more than 15 bytes, the maximum (`TASK_COMM_LEN`).
    TooLong,
    /// It has a NUL byte, which ends a name.
    Nul,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoTarget { name, since: Some((major, minor)), .. } => {
                write!(
                    f,
                    "target {name}: this kernel does not have it; Linux {major}.{minor} is the first that may"
                )
            }
            Error::NoTarget { name, since: None, .. } => {
                write!(f, "target {name}: no such target in this kernel")
            }
            Error::NoProgram { name, .. } => write!(f, "program {name}: no such text program"),
            Error::NoComm { program } => {
                write!(f, "program {program}: the objects it walks have no command name to filter by")
            }
            Error::Comm { name, reason } => {
                let name = name.escape_ascii();
                match reason {
                    CommError::Empty => write!(f, "command name: it is empty"),
                    CommError::TooLong => {
                        write!(f, "command name {name}: it has more than 15 bytes, the maximum")
                    }
                    CommError::Nul => write!(f, "command name {name}: it has a NUL byte"),
                }
            }
            Error::Untrusted { target, argument } => {
                write!(f, "target {target}: the verifier does not trust its argument {argument}")
            }
            Error::Field { path, needs } => write!(f, "field {path}: it is not {needs}"),
            Error::NoJit { function } => {
                write!(
                    f,
                    "function {function}: a kernel without a JIT refuses to call it, and the JIT of this one is off"
                )
            }
            Error::TooManyValues { format } => {
                write!(f, "format {format:?}: the kernel prints at most 12 values")
            }
            Error::Btf(error) => error.fmt(f),
            Error::Asm(error) => error.fmt(f),
        }
    }
}

/// No `source`: the text of `Display` includes the cause, and the variant has it as data.
impl core::error::Error for Error {}

impl From<kwalk_btf::Error> for Error {
    fn from(error: kwalk_btf::Error) -> Self {
        Error::Btf(error)
    }
}

impl From<kwalk_asm::AsmError> for Error {
    fn from(error: kwalk_asm::AsmError) -> Self {
        Error::Asm(error)
    }
}
