//! Errors of system calls.

use std::fmt;
use std::io;

use nix::errno::Errno;

use super::release;

/// The result of a system call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A system call that failed.
///
/// ```
/// use kwalk::sys::{Error, MapCreate, MapType, bpf};
///
/// match bpf(MapCreate::new(MapType::HASH, 0, 0, 0)) {
///     Err(e) if e.errno() == libc::EPERM => eprintln!("{e}: may this process create maps?"),
///     other => assert_eq!(other.unwrap_err().errno(), libc::EINVAL),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    call: &'static str,
    errno: i32,
    detail: Option<Box<str>>,
    log_true_size: u32,
    since: Option<(u16, u16)>,
}

impl Error {
    /// A call that the kernel refused.
    pub(super) fn new(call: &'static str, errno: i32) -> Error {
        Error { call, errno, detail: None, log_true_size: 0, since: None }
    }

    /// A command that the kernel refused.
    pub(super) fn refused(
        call: &'static str,
        errno: i32,
        since: Option<(u16, u16)>,
        log_true_size: u32,
    ) -> Error {
        Error { log_true_size, since, ..Error::new(call, errno) }
    }

    /// Inputs that were not passed to the kernel.
    pub(super) fn misuse(call: &'static str, detail: String) -> Error {
        Error { detail: Some(detail.into()), ..Error::new(call, libc::EINVAL) }
    }

    /// A call that failed inside the standard library.
    pub(super) fn from_io(call: &'static str, error: &io::Error) -> Error {
        Error::new(call, error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// The same, on a file.
    pub(super) fn at(call: &'static str, path: &str, error: &io::Error) -> Error {
        let error = Error::from_io(call, error);
        Error { detail: Some(format!("{path}: {}", Why(error.errno)).into()), ..error }
    }

    /// The call that failed: a name in `enum bpf_cmd`, like `BPF_PROG_LOAD`, or that of another call.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The error number: `libc::EPERM` and the like.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// The length of the whole log, in bytes with its NUL, even if the buffer was shorter; `None` without a log, and
    /// before Linux 6.4.
    pub fn log_true_size(&self) -> Option<u32> {
        Some(self.log_true_size).filter(|&size| size > 0)
    }

    /// The kernel that first has this command, as major and minor, if the running kernel is older, and the error number
    /// (`EINVAL`) is the one for an unknown command; `None` for commands as old as the kernel's own BTF (5.4).
    pub fn since(&self) -> Option<(u16, u16)> {
        self.since_on(release())
    }

    /// The same, on a kernel of that version, if it is known.
    pub(super) fn since_on(&self, release: Option<(u16, u16)>) -> Option<(u16, u16)> {
        let is_older = |since: &(u16, u16)| release.is_some_and(|release| release < *since);
        self.since.filter(is_older).filter(|_| self.errno == libc::EINVAL)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.call),
            None => write!(f, "{}: {}", self.call, Why(self.errno)),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(io::Error::from_raw_os_error(error.errno).kind(), error)
    }
}

/// An error number in words, with its name.
struct Why(i32);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (Errno::from_raw(self.0), self.0) {
            (_, ENOTSUPP) => write!(f, "Operation not supported (ENOTSUPP)"),
            (Errno::UnknownErrno, number) => write!(f, "error {number}"),
            (errno, _) => write!(f, "{} ({errno:?})", errno.desc()),
        }
    }
}

/// The kernel's own number for "not supported" (`include/linux/errno.h`), which is not meant for user space, but which
/// `bpf(2)` returns; no libc has it.
pub const ENOTSUPP: i32 = 524;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Command, ObjGet, ObjPin};

    #[test]
    fn errors_say_what_failed_and_why() {
        let text = |error: Error| error.to_string();
        assert_eq!(text(Error::new(ObjPin::NAME, libc::EEXIST)), "BPF_OBJ_PIN: File exists (EEXIST)");
        assert_eq!(text(Error::new(ObjPin::NAME, 524)), "BPF_OBJ_PIN: Operation not supported (ENOTSUPP)");
        assert_eq!(text(Error::new(ObjPin::NAME, 9999)), "BPF_OBJ_PIN: error 9999");
        assert_eq!(text(Error::misuse(ObjPin::NAME, "too short".into())), "BPF_OBJ_PIN: too short");
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(text(Error::at("open", "/x", &missing)), "open: /x: No such file or directory (ENOENT)");
    }

    #[test]
    fn an_io_error_keeps_kind_and_words() {
        let error = io::Error::from(Error::new(ObjGet::NAME, libc::ENOENT));
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "BPF_OBJ_GET: No such file or directory (ENOENT)");
    }
}
