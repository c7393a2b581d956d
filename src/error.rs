//! Why something could not be done: what failed, and why.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use kwalk_progs::{Parameters, Version};

use crate::path::is_dotted;
use crate::rejection::Rejection;
use crate::sys;

/// Why something could not be done.
///
/// `Display` says what failed and why. What to do about it depends on who asks: the variants have what that takes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused a command of `bpf(2)`.
    Sys(sys::Error),
    /// The kernel's types could not be read or don't answer.
    Btf(kwalk_btf::Error),
    /// A program could not be written.
    Program(kwalk_progs::Error),
    /// A question can't be answered as it is asked.
    #[cfg(feature = "select")]
    Select(kwalk_query::Error),
    /// The verifier found fault with a program.
    Rejected(Box<Rejection>),
    /// A target can't be walked in this scope, or not without one.
    Scope {
        /// The target.
        target: String,
        /// What its walks can be restricted to.
        takes: Parameters,
    },
    /// This kernel's walks of the target can't be restricted to this; later kernels' can.
    NoParameters {
        /// The target.
        target: String,
        /// What they can't be restricted to.
        what: &'static str,
        /// The kernel that first can.
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
    NoPart {
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
        /// The place.
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
    /// What is pinned at a path is no iterator.
    NotAnIterator {
        /// The path.
        path: PathBuf,
    },
    /// A file is not what it was taken for.
    NotA {
        /// The file.
        path: PathBuf,
        /// What it should be: "a network namespace", "a cgroup", "a map".
        needs: &'static str,
    },
    /// A map's name names none, or no single one.
    Map {
        /// The name, as it was given.
        map: String,
        /// What is wrong with it.
        reason: MapError,
    },
    /// A target does not walk what is in maps of this type.
    MapType {
        /// The target.
        target: String,
        /// The type.
        map_type: sys::MapType,
    },
    /// The iterator that is pinned at a path walks something else.
    OtherTarget {
        /// The path.
        path: PathBuf,
        /// What the pinned iterator walks.
        pinned: String,
        /// What the program walks that was to replace it.
        program: String,
    },
    /// The kernel does not show the instructions of a loaded program.
    Hidden {
        /// The program's id.
        prog_id: u32,
    },
    /// The output of a selection is not made of its rows.
    #[cfg(feature = "select")]
    Row(kwalk_query::NotARow),
    /// A walk ended before its end.
    Read {
        /// How many bytes of output it gave before.
        bytes: u64,
        /// Why.
        source: io::Error,
    },
}

/// Why a number does not name what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessError {
    /// There is no process of that number.
    NoProcess,
    /// There is no thread of that number.
    NoThread,
    /// It is a thread's, and not that of its process.
    Thread,
}

/// Why a name is not that of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapError {
    /// What follows `id:` is no id.
    NoId,
    /// Nothing follows `name:`.
    NoName,
    /// There is no such map.
    None {
        /// Those with similar names.
        near: Vec<String>,
    },
    /// There are several of this name.
    Several {
        /// Their ids.
        ids: Vec<u32>,
    },
}

/// Why a place is no good for a pin.
#[derive(Debug)]
#[non_exhaustive]
pub enum PinError {
    /// The path ends in no name.
    NoName,
    /// It is not in a bpffs.
    NotBpffs,
    /// Something is there already.
    Exists,
    /// The name has a dot.
    Dot,
    /// It is a directory.
    Directory,
    /// The file system refused.
    Io(io::Error),
}

impl Error {
    /// bpffs answers EPERM for names with a dot that are not there.
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
                ProcessError::NoProcess => write!(f, "process {number}: there is none of this number"),
                ProcessError::NoThread => write!(f, "thread {number}: there is none of this number"),
                ProcessError::Thread => write!(f, "process {number}: this is a thread of another process"),
            },
            Error::NoPart { name } => write!(f, "program {name}: it is not attached in this skeleton"),
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
            Error::OtherTarget { path, pinned, program } => {
                write!(f, "{}: the iterator pinned there walks {pinned}, not {program}", path.display())
            }
            #[cfg(feature = "select")]
            Error::Row(error) => error.fmt(f),
            Error::Hidden { prog_id } => {
                write!(f, "program {prog_id}: the kernel does not show its instructions")
            }
            Error::Read { bytes, source } => {
                write!(f, "read: the walk broke off after {bytes} bytes of output: {source}")
            }
        }
    }
}

/// No `source`: what `Display` says includes the cause, and each variant has it as data.
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
