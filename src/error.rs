//! The crate's error type.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use kwalk_progs::{Parameters, Version};

use crate::path::is_dotted;
use crate::rejection::Rejection;
use crate::sys;

/// The error of this crate.
///
/// `Display` has what failed and why. The variants have the data for a hint, which depends on the caller's interface.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused a command of `bpf(2)`.
    Sys(sys::Error),
    /// The kernel's BTF could not be read, or lacks a type or field.
    Btf(kwalk_btf::Error),
    /// A program could not be written.
    Program(kwalk_progs::Error),
    /// A selection can't be planned.
    #[cfg(feature = "select")]
    Select(kwalk_query::Error),
    /// The verifier rejected a program.
    Rejected(Box<Rejection>),
    /// A target can't be walked in this scope, or not without one.
    Scope {
        /// The target.
        target: String,
        /// The scopes that it accepts.
        takes: Parameters,
    },
    /// This kernel's links can't restrict a walk of the target to this; later kernels' can.
    NoParameters {
        /// The target.
        target: String,
        /// The scope, in words.
        what: &'static str,
        /// The kernel whose links first can.
        since: Version,
    },
    /// Neither the kernel nor one of its modules has a function that a program calls.
    NoKfunc {
        /// The function; [`kwalk_progs::kfunc::since`] may know the kernel that first has it.
        name: String,
    },
    /// A number that is not that of a process, or of a thread.
    Process {
        /// The number.
        number: u32,
        /// What is wrong with it.
        reason: ProcessError,
    },
    /// A skeleton has no such program, or it is not attached.
    NoProgram {
        /// The program's name.
        name: String,
    },
    /// A program of another type is to be loaded as an iterator.
    ProgramType {
        /// The program's name.
        program: &'static str,
    },
    /// A program is to be attached before it is loaded.
    NotLoaded {
        /// The program's name.
        program: &'static str,
    },
    /// Something can't be pinned, or unpinned.
    Pin {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: PinError,
    },
    /// A file could not be opened to be read.
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file at a path is not a pinned iterator.
    NotAnIterator {
        /// The path.
        path: PathBuf,
    },
    /// A file is of another type.
    NotA {
        /// The file.
        path: PathBuf,
        /// The type it should have: "a network namespace", "a cgroup", "a map".
        needs: &'static str,
    },
    /// A name refers to no map, or to several.
    Map {
        /// The name, as it was given.
        map: String,
        /// What is wrong with it.
        reason: MapError,
    },
    /// A target does not walk the elements of maps of this type.
    MapType {
        /// The target.
        target: String,
        /// The type.
        map_type: sys::MapType,
    },
    /// A sleepable program can't be attached to this target: its walk holds a lock.
    Sleepable {
        /// The target.
        target: String,
    },
    /// The iterator that is pinned at a path walks another target.
    OtherTarget {
        /// The path.
        path: PathBuf,
        /// The target of the pinned iterator.
        pinned: String,
        /// The target of the program that should replace its program.
        program: String,
    },
    /// The kernel does not show the instructions of a loaded program.
    Hidden {
        /// The program's id.
        prog_id: u32,
    },
    /// The output of a selection is not a sequence of its rows.
    #[cfg(feature = "select")]
    Row(kwalk_query::NotARow),
    /// Of some objects, it could not be decided whether they meet the condition: a process has more than 8 MiB of
    /// arguments. All others were shown.
    #[cfg(feature = "select")]
    Undecided {
        /// How many they are.
        rows: u64,
    },
    /// A walk ended before its end.
    Read {
        /// The bytes of output that were read before.
        bytes: u64,
        /// Why.
        source: io::Error,
    },
}

/// Why a number is not that of a process or thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessError {
    /// No process has this number.
    NoProcess,
    /// No thread has this number.
    NoThread,
    /// It is the number of a thread that does not lead its process.
    Thread,
}

/// Why a name does not refer to one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapError {
    /// No id follows `id:`.
    NoId,
    /// No name follows `name:`.
    NoName,
    /// No map has this name.
    None {
        /// Those with similar names.
        near: Vec<String>,
    },
    /// Several maps have this name.
    Several {
        /// Their ids.
        ids: Vec<u32>,
    },
}

/// Why a path can't be pinned or unpinned.
#[derive(Debug)]
#[non_exhaustive]
pub enum PinError {
    /// The path does not end in a name.
    NoName,
    /// It is not in a bpffs.
    NotBpffs,
    /// The path exists already.
    Exists,
    /// The name has a dot.
    Dot,
    /// It is a directory.
    Directory,
    /// The file system refused.
    Io(io::Error),
}

impl Error {
    /// Converts the error of an open: bpffs answers EPERM, not ENOENT, for names with a dot that don't exist.
    pub(crate) fn open(path: &Path, source: io::Error) -> Error {
        let missing = source.raw_os_error() == Some(libc::EPERM) && is_dotted(path);
        let source = if missing { io::Error::from_raw_os_error(libc::ENOENT) } else { source };
        Error::Open { path: path.into(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Sys(error) => error.fmt(f),
            Error::Btf(error) => error.fmt(f),
            Error::Program(error) => error.fmt(f),
            #[cfg(feature = "select")]
            Error::Select(error) => error.fmt(f),
            Error::Rejected(rejection) => rejection.fmt(f),
            Error::Scope { target, .. } => {
                write!(f, "target {target}: it can't be walked with these parameters")
            }
            Error::NoParameters { target, what, .. } => {
                write!(f, "target {target}: this kernel can't walk {what} alone")
            }
            Error::NoKfunc { name } => {
                write!(f, "function {name}: this kernel does not have it")
            }
            Error::Process { number, reason } => match reason {
                ProcessError::NoProcess => write!(f, "process {number}: no process with this id"),
                ProcessError::NoThread => write!(f, "thread {number}: no thread with this id"),
                ProcessError::Thread => write!(f, "process {number}: this is a thread of another process"),
            },
            Error::NoProgram { name } => write!(f, "program {name}: it is not attached in this skeleton"),
            Error::ProgramType { program } => write!(f, "program {program}: it is no iterator"),
            Error::NotLoaded { program } => write!(f, "program {program}: it is not loaded yet"),
            Error::Pin { path, reason } => {
                write!(f, "{}: ", path.display())?;
                match reason {
                    PinError::NoName => write!(f, "a pin needs a name"),
                    PinError::NotBpffs => write!(f, "it is not in a bpffs"),
                    PinError::Exists => write!(f, "it exists already"),
                    PinError::Dot => write!(f, "bpffs refuses names with a dot"),
                    PinError::Directory => write!(f, "it is a directory"),
                    PinError::Io(error) => error.fmt(f),
                }
            }
            Error::Open { path, source } => write!(f, "{}: {source}", path.display()),
            Error::NotAnIterator { path } => {
                write!(f, "{}: what is pinned there is no iterator", path.display())
            }
            Error::NotA { path, needs } => write!(f, "{}: it is not {needs}", path.display()),
            Error::Map { map, reason } => {
                write!(f, "map {map}: ")?;
                match reason {
                    MapError::NoId => write!(f, "an id is a number from 1 on"),
                    MapError::NoName => write!(f, "the name is empty"),
                    MapError::None { .. } => write!(f, "there is no such map"),
                    MapError::Several { ids } => write!(f, "there are {} maps of this name", ids.len()),
                }
            }
            Error::MapType { target, map_type } => {
                write!(f, "target {target}: it does not walk maps of this type ({})", map_type.0)
            }
            Error::Sleepable { target } => {
                write!(f, "target {target}: a sleepable program can't walk it")
            }
            Error::OtherTarget { path, pinned, program } => {
                write!(f, "{}: the iterator pinned there walks {pinned}, not {program}", path.display())
            }
            #[cfg(feature = "select")]
            Error::Row(error) => error.fmt(f),
            #[cfg(feature = "select")]
            Error::Undecided { rows } => {
                let objects = if *rows == 1 { "object" } else { "objects" };
                write!(
                    f,
                    "condition: it could not be decided for {rows} {objects}, of processes with more than 8 MiB of \
                     arguments"
                )
            }
            Error::Hidden { prog_id } => {
                write!(f, "program {prog_id}: the kernel does not show its instructions")
            }
            Error::Read { bytes, source } => {
                write!(f, "read: the walk broke off after {bytes} bytes of output: {source}")
            }
        }
    }
}

/// No `source`: the text of `Display` includes the cause, and each variant has it as data.
impl std::error::Error for Error {}

impl From<sys::Error> for Error {
    fn from(error: sys::Error) -> Error {
        Error::Sys(error)
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Error {
        Error::Rejected(rejection.into())
    }
}

#[cfg(feature = "select")]
impl From<kwalk_query::NotARow> for Error {
    fn from(error: kwalk_query::NotARow) -> Error {
        Error::Row(error)
    }
}

impl From<kwalk_btf::Error> for Error {
    fn from(error: kwalk_btf::Error) -> Error {
        Error::Btf(error)
    }
}

impl From<kwalk_progs::Error> for Error {
    fn from(error: kwalk_progs::Error) -> Error {
        match error {
            kwalk_progs::Error::Btf(error) => Error::Btf(error),
            error => Error::Program(error),
        }
    }
}

#[cfg(feature = "select")]
impl From<kwalk_query::Error> for Error {
    fn from(error: kwalk_query::Error) -> Error {
        match *error.reason {
            kwalk_query::Reason::Program(error) => error.into(),
            _ => Error::Select(error),
        }
    }
}
