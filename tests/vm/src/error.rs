//! Why something could not be done: what failed, why, and what to do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::arch::{self, Arch};

/// Why something could not be done.
#[derive(Debug)]
pub(crate) enum Error {
    /// A kernel of this name is not known.
    UnknownKernel(String),
    /// A program that is needed is not there.
    NoProgram(&'static str),
    /// A program that was run failed, and said why.
    Program { name: &'static str, why: String },
    /// Apt knows no mirror of Debian's archive.
    NoMirror,
    /// The archive has no such kernel, or none that fits.
    NotInArchive { kernel: &'static str, suites: String },
    /// The cached image of a kernel is not what was put there.
    Damaged { kernel: &'static str, path: PathBuf },
    /// A kernel does not describe its types.
    NoBtf { image: PathBuf },
    /// A guest broke off, or did what it should not.
    Guest { why: String, log: String },
    /// A file could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// A file has no place for the table.
    NoMarks(PathBuf),
    /// There are no guests with processors of this name.
    Architecture(String),
    /// Rust's library for this target is not installed.
    NoStd(&'static str),
}

/// The result of nearly everything here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Says which file it was.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    }

    /// For a program that could not be started.
    pub(crate) fn start(name: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |error| match error.kind() {
            ErrorKind::NotFound => Error::NoProgram(name),
            _ => Error::Program { name, why: error.to_string() },
        }
    }

    /// Whether it says that there is nothing to fetch, or nothing to fetch it with.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Error::NotInArchive { .. } | Error::NoMirror => true,
            Error::NoProgram(name) | Error::Program { name, .. } => name.starts_with("apt"),
            _ => false,
        }
    }

    /// What to do about it, where something is known to help.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::UnknownKernel(_) => {
                let names: Vec<_> = crate::kernel::KNOWN.iter().map(|known| known.name).collect();
                return Some(format!("known are {}; any other: --kernel VMLINUZ", names.join(", ")));
            }
            Error::Architecture(_) => return Some(format!("known are {}", Arch::names())),
            Error::NoStd(triple) => return Some(format!("install it with: rustup target add {triple}")),
            Error::NoProgram(name) if arch::package(name).is_some() => {
                return arch::package(name)
                    .map(|package| format!("install it, such as with: apt-get install {package}"));
            }
            Error::NoProgram(name) if name.starts_with("apt") || name.starts_with("dpkg") => {
                "kernels come as Debian's packages, through apt; without it, give an image of your own: --kernel VMLINUZ"
            }
            Error::NoMirror => {
                "add one of Debian's main archive to apt's sources, or give an image of your own: --kernel VMLINUZ"
            }
            Error::Damaged { path, .. } => {
                let dir = path.parent().unwrap_or(path);
                return Some(format!("remove it, and it is fetched again: rm -r {}", dir.display()));
            }
            Error::NoBtf { .. } => "it takes one that was built with CONFIG_DEBUG_INFO_BTF",
            Error::Program { why, .. }
                if why.contains("No space left") || why.contains("enough free space") =>
            {
                DISK
            }
            Error::File { source, .. } if source.kind() == ErrorKind::StorageFull => DISK,
            _ => return None,
        };
        Some(hint.into())
    }
}

const DISK: &str = "free some space, or choose another target folder: CARGO_TARGET_DIR";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownKernel(name) => write!(f, "kernel {name}: no such kernel is known"),
            Error::NoProgram(name) => write!(f, "{name}: there is no such program here"),
            Error::Program { name, why } => write!(f, "{name}: {why}"),
            Error::NoMirror => write!(f, "apt: it is told of no mirror of Debian's archive"),
            Error::NotInArchive { kernel, suites } => {
                write!(f, "kernel {kernel}: there is no package of it in Debian's {suites}")
            }
            Error::Damaged { kernel, path } => {
                write!(f, "kernel {kernel}: {} is not what was put there", path.display())
            }
            Error::NoBtf { image } => {
                write!(f, "{}: this kernel has no BTF, which describes its types", image.display())
            }
            Error::Guest { why, log } if log.is_empty() => write!(f, "guest: {why}"),
            Error::Guest { why, log } => write!(f, "guest: {why}; the end of its console:\n{log}"),
            Error::File { path, source } => write!(f, "{}: {source}", path.display()),
            Error::NoMarks(path) => write!(f, "{}: the marks around the table are not there", path.display()),
            Error::Architecture(name) => write!(f, "architecture {name}: there are no guests of this name"),
            Error::NoStd(triple) => write!(f, "rustc: Rust's library for {triple} is not installed"),
        }
    }
}

impl std::error::Error for Error {}
