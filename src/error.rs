//! Why something could not be done: what failed, why, and what to do about it.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use kwalk_progs::target::Version;
use kwalk_progs::{Target, kfunc};

use crate::cgroup::CGROUP;
use crate::pin::is_dotted;
use crate::rejection::Rejection;
use crate::sys;

/// Why something could not be done.
///
/// `Display` says what failed and why; [`Error::hint`] what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused a command of `bpf(2)`.
    Sys(sys::Error),
    /// The kernel's types could not be read or don't answer.
    Btf(kwalk_btf::Error),
    /// A program could not be written.
    Program(kwalk_progs::Error),
    /// The verifier found fault with a program.
    Rejected(Box<Rejection>),
    /// A target can't be told what it was told, or can't be walked without being told more.
    Parameters {
        /// The target; [`Target::parameters`] is what it wants.
        target: &'static Target,
    },
    /// This kernel's walks of the target can't be told what others can.
    NoParameters {
        /// The target.
        target: &'static str,
        /// What they can't be told.
        what: &'static str,
        /// The kernel that first can.
        since: Version,
    },
    /// Neither the kernel nor one of its modules has a function that a program calls.
    NoKfunc {
        /// The function; [`kfunc::since`] may know the kernel that first has it.
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
        target: &'static str,
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
        program: &'static str,
    },
    /// The kernel does not show the instructions of a loaded program.
    Hidden {
        /// The program's id.
        prog_id: u32,
    },
    /// The output of a selection is not made of its rows.
    #[cfg(feature = "select")]
    Row(kwalk_progs::select::NotARow),
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

    /// What to do about it, where something is known to help.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Sys(error) => return error.hint(),
            Error::Program(error) => return program_hint(error),
            Error::Rejected(rejection) => return rejection.hint(),
            Error::NoKfunc { name } => return Some(kfunc_hint(name)),
            Error::Parameters { target } => {
                return Some(match target.parameters.options() {
                    "" => format!("{} is always walked as a whole", target.name),
                    options => format!("give it {options}"),
                });
            }
            Error::NoParameters { target: "cgroup", since: (major, minor), .. } => {
                return Some(format!(
                    "Linux {major}.{minor} is the first that can; before, walk them all, and pick them by their level"
                ));
            }
            Error::Map { reason: MapError::None { near }, .. } if !near.is_empty() => {
                return Some(format!("did you mean {}?", near.join(", ")));
            }
            Error::Map { reason: MapError::Several { ids }, .. } => {
                let ids: Vec<_> = ids.iter().map(|id| format!("id:{id}")).collect();
                return Some(format!("name it by its id: {}", ids.join(", ")));
            }
            Error::Map { .. } => "a map is named as id:N, name:NAME or the path where it is pinned",
            Error::MapType { .. } => {
                "bpf_map_elem walks hashes and arrays, sockmap walks sockmaps and sockhashes, bpf_sk_storage_map walks \
                 sk_storages"
            }
            Error::NotA { needs: CGROUP, .. } => {
                "`grep cgroup /proc/self/mounts` shows where cgroups are mounted"
            }
            Error::NoParameters { since: (major, minor), .. } => {
                return Some(format!(
                    "Linux {major}.{minor} is the first that can; before, `kwalk cat` has the program filter, if not in a \
                     pid namespace"
                ));
            }
            Error::Process { number, reason: ProcessError::Thread } => {
                return Some(format!("for this thread alone, use --tid {number}"));
            }
            Error::Pin { reason: PinError::NotBpffs, .. } => {
                "choose a path below a bpffs, such as /sys/fs/bpf; if none is mounted: mount -t bpf bpf /sys/fs/bpf"
            }
            Error::Pin { path, reason: PinError::Exists } if path.is_dir() => {
                "choose another path, or remove it with rm -r (`kwalk preload` leaves a directory of mode 000 if it is \
                 killed); for what it has pinned, there is `kwalk preload --replace`"
            }
            Error::Pin { reason: PinError::Exists, .. } => {
                "choose another path, remove what is there, or use --replace to give that link the new program"
            }
            Error::Pin { reason: PinError::Dot, .. } => {
                "bpffs keeps names with a dot for the kernel, and for `kwalk preload`; choose a name without one"
            }
            Error::Pin { reason: PinError::Directory, .. } => "to remove a directory of pins: rm -r",
            Error::Open { path, source }
                if source.raw_os_error() == Some(libc::EACCES) && path.starts_with("/proc") =>
            {
                "to look into another's process takes CAP_SYS_PTRACE, and no capability less than the process has"
            }
            Error::Open { source, .. } if source.raw_os_error() == Some(libc::EACCES) => {
                "a pin is root's alone until its mode is changed, and the directories above it must let you through"
            }
            Error::Hidden { .. } => {
                "it takes CAP_PERFMON, and kernel.kptr_restrict to be 0, or 1 and CAP_SYSLOG"
            }
            Error::Read { source, .. } if source.raw_os_error() == Some(libc::E2BIG) => {
                "one object's output is larger than the kernel's buffer of 8 pages"
            }
            Error::Read { source, .. } if source.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                "a walk of cgroups can't go on beyond the kernel's buffer of 8 pages: show less of them, or fewer"
            }
            _ => return None,
        };
        Some(hint.into())
    }
}

fn kfunc_hint(name: &str) -> String {
    let since = kfunc::since(name)
        .map(|(major, minor)| format!("Linux {major}.{minor} is the first that may have it; else "));
    format!(
        "{}it may be that of a module which is not loaded, or of an option that the kernel was built without",
        since.unwrap_or_default()
    )
}

fn program_hint(error: &kwalk_progs::Error) -> Option<String> {
    use kwalk_progs::Error;
    match error {
        Error::NoProgram { near, .. } | Error::NoTarget { near, .. } if !near.is_empty() => {
            Some(format!("did you mean {}?", near.join(", ")))
        }
        Error::NoProgram { .. } => {
            let names: Vec<_> = kwalk_progs::text::PROGRAMS.iter().map(|program| program.name).collect();
            Some(format!("the programs are {}; the path of a pinned one has a slash", names.join(", ")))
        }
        Error::NoTarget { .. } => Some("`kwalk targets` lists what this kernel can walk".into()),
        #[cfg(feature = "select")]
        Error::Select(error) => error.hint(),
        Error::Comm { .. } => Some("a command name has 1 to 15 bytes, as /proc/PID/comm shows it".into()),
        _ => None,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Sys(error) => error.fmt(f),
            Error::Btf(error) => error.fmt(f),
            Error::Program(error) => error.fmt(f),
            Error::Rejected(rejection) => rejection.fmt(f),
            Error::Parameters { target } => {
                write!(f, "target {}: it can't be walked with these parameters", target.name)
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

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Sys(error) => Some(error),
            Error::Btf(error) => Some(error),
            Error::Program(error) => Some(error),
            #[cfg(feature = "select")]
            Error::Row(error) => Some(error),
            Error::Open { source, .. }
            | Error::Read { source, .. }
            | Error::Pin { reason: PinError::Io(source), .. } => Some(source),
            _ => None,
        }
    }
}

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
impl From<kwalk_progs::select::NotARow> for Error {
    fn from(error: kwalk_progs::select::NotARow) -> Error {
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
