//! What can go wrong, why, and what to do about it.

use std::fmt;
use std::io;

use nix::errno::Errno;

use super::object::sealed::Kind;
use super::{
    BtfFd, BtfLoad, Caps, Command, IterCreate, KernelBtf, LinkCreate, LinkFd, LinkUpdate, MapCreate,
    MapDeleteElem, MapFd, MapUpdateElem, NetnsFd, ObjGet, ObjPin, ProgBindMap, ProgFd, ProgLoad, ProgRun,
    release,
};

/// The result of a system call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A system call that failed.
///
/// ```
/// use kwalk::sys::{Error, MapCreate, MapType, bpf};
///
/// match bpf(MapCreate::new(MapType::HASH, 0, 0, 0)) {
///     Err(e) if e.errno() == libc::EPERM => eprintln!("hint: {}", e.hint().unwrap_or_default()),
///     other => assert_eq!(other.unwrap_err().errno(), libc::EINVAL),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    call: &'static str,
    errno: i32,
    detail: Option<Box<str>>,
    log_true_size: u32,
}

impl Error {
    /// A call that the kernel refused.
    pub(super) fn new(call: &'static str, errno: i32) -> Error {
        Error { call, errno, detail: None, log_true_size: 0 }
    }

    /// The same, with what the kernel says of its log.
    pub(super) fn refused(call: &'static str, errno: i32, log_true_size: u32) -> Error {
        Error { log_true_size, ..Error::new(call, errno) }
    }

    /// Inputs that never reached the kernel.
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

    /// What failed: a command's name in `enum bpf_cmd`, like `BPF_PROG_LOAD`, or that of another call.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The error number, to be matched against `libc::EPERM` and the like.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// How long the log was, in bytes with its NUL, of which the buffer may have held a part; `None` without a log, and
    /// before Linux 6.4.
    pub fn log_true_size(&self) -> Option<u32> {
        Some(self.log_true_size).filter(|&size| size > 0)
    }

    /// What to do about it, where that is known. Looks at the capabilities of the calling thread.
    pub fn hint(&self) -> Option<String> {
        self.hint_on(release())
    }

    /// The same, on a kernel of that version, if it is known.
    fn hint_on(&self, release: Option<Version>) -> Option<String> {
        let since = SINCE.iter().find(|(calls, _)| calls.contains(&self.call)).map(|(_, since)| *since);
        // What the kernel says of a command that it doesn't know, among much else.
        let unknown = self.errno == libc::EINVAL && release.is_some_and(|release| Some(release) < since);
        if let Some((major, minor)) = since.filter(|_| unknown) {
            return Some(format!(
                "this kernel has no {}: it is there since Linux {major}.{minor}",
                self.call
            ));
        }
        let (_, _, hint) = HINTS.iter().find(|(calls, errno, _)| {
            *errno == self.errno && (calls.is_empty() || calls.contains(&self.call))
        })?;
        Some(match *hint {
            Say(text) => text.into(),
            Need(caps) => need(caps),
        })
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
            // The kernel's own number for "not supported", which bpf(2) lets out.
            (_, ENOTSUPP) => write!(f, "Operation not supported (ENOTSUPP)"),
            (Errno::UnknownErrno, number) => write!(f, "error {number}"),
            (errno, _) => write!(f, "{} ({errno:?})", errno.desc()),
        }
    }
}

const ENOTSUPP: i32 = 524;

/// Major and minor.
type Version = (u16, u16);

/// The commands that came after the BTF of the kernel itself, and when.
const SINCE: &[(&[&str], Version)] = &[
    (LINK, (5, 7)),
    (UPDATE, (5, 7)),
    (&[IterCreate::NAME, LinkFd::NEXT_ID.1, LinkFd::FD_BY_ID.1], (5, 8)),
    (&[ProgBindMap::NAME], (5, 10)),
    // Of programs that issue system calls; of others before.
    (&[ProgRun::NAME], (5, 14)),
];

/// What to do about an error number of some calls.
type Row = (&'static [&'static str], i32, Hint);

#[derive(Clone, Copy)]
enum Hint {
    Say(&'static str),
    Need(Caps),
}
use Hint::{Need, Say};

const ANY: &[&str] = &[];
const LOAD: &[&str] = &[ProgLoad::NAME];
const CREATE: &[&str] = &[MapCreate::NAME, BtfLoad::NAME];
const LINK: &[&str] = &[LinkCreate::NAME];
const UPDATE: &[&str] = &[LinkUpdate::NAME];
const ELEM: &[&str] = &[MapUpdateElem::NAME, MapDeleteElem::NAME];
const PIN: &[&str] = &[ObjPin::NAME];
const GET: &[&str] = &[ObjGet::NAME];
const BY_ID: &[&str] = &[
    ProgFd::NEXT_ID.1,
    ProgFd::FD_BY_ID.1,
    MapFd::NEXT_ID.1,
    MapFd::FD_BY_ID.1,
    LinkFd::NEXT_ID.1,
    LinkFd::FD_BY_ID.1,
    BtfFd::NEXT_ID.1,
    BtfFd::FD_BY_ID.1,
];
const NETNS: &[&str] = &[NetnsFd::ENTER];
const KERNEL_BTF: &[&str] = &[KernelBtf::OPEN];

/// The first row that matches counts.
const HINTS: &[Row] = &[
    (LOAD, libc::EPERM, Need(Caps::BPF.union(Caps::PERFMON))),
    (LOAD, libc::EACCES, Say("the verifier rejected the program; its log says where and why")),
    (
        LOAD,
        libc::E2BIG,
        Say("the program has more instructions, or more paths, than the verifier goes through"),
    ),
    (LOAD, libc::ENOSPC, Say("the verifier's log needs a larger buffer")),
    (LOAD, ENOTSUPP, Say("this kernel or machine can't run this kind of program")),
    (CREATE, libc::EPERM, Need(Caps::BPF)),
    (LINK, libc::EBADF, Say("this target walks what a map holds: name the map")),
    (
        LINK,
        libc::E2BIG,
        Say(
            "this kernel is too old to be told that: links know of maps since Linux 5.9, of tasks and cgroups since 6.1",
        ),
    ),
    (UPDATE, libc::EINVAL, Say("a link's programs must all be iterators of the same target")),
    (UPDATE, libc::EPERM, Say("the link has another program than expected: somebody else updated it")),
    (ELEM, libc::EPERM, Say("the map is frozen, or was opened read-only")),
    (ELEM, libc::E2BIG, Say("the map is full, or the index too large")),
    (
        PIN,
        libc::EPERM,
        Say("objects are pinned in a bpffs (mount -t bpf bpf /sys/fs/bpf), and under names without a dot"),
    ),
    (PIN, libc::EEXIST, Say("something has that name already: remove it, or choose another")),
    (PIN, libc::ENOENT, Say("the directory must exist")),
    (GET, libc::EACCES, Say("it is no pinned program, map or link, or this user may not read and write it")),
    (BY_ID, libc::EPERM, Need(Caps::SYS_ADMIN)),
    (NETNS, libc::EPERM, Need(Caps::SYS_ADMIN)),
    (
        KERNEL_BTF,
        libc::ENOENT,
        Say("the kernel needs CONFIG_DEBUG_INFO_BTF (since Linux 5.4), and /sys must be mounted"),
    ),
    (ANY, libc::EPERM, Need(Caps::BPF)),
    (ANY, libc::E2BIG, Say("this kernel is too old for one of the parameters")),
    (ANY, libc::ENOSYS, Say("the kernel has no bpf(2) (CONFIG_BPF_SYSCALL), or a seccomp filter hides it")),
    (ANY, libc::EMFILE, Say("this process has too many open files (ulimit -n)")),
    (ANY, libc::ENFILE, Say("the system has too many open files (sysctl fs.file-max)")),
    (ANY, libc::ENOMEM, Say("the kernel is out of memory, or a cgroup's limit is reached")),
];

/// Which of the capabilities this thread lacks; or, if none, what else denies permission.
fn need(caps: Caps) -> String {
    // Who lacks the one for a program's maps would be told next of the one for the program.
    let load = Caps::BPF | Caps::PERFMON;
    let told = if caps.intersects(load) { load } else { caps };
    let lacking = |caps: Caps| Caps::effective().map_or(caps, |effective| caps.missing_from(effective));
    let missing = lacking(told);
    if lacking(caps).is_empty() {
        return "the capabilities are there: a locked-memory limit (ulimit -l; kernels before 5.11), a user namespace, \
                seccomp, lockdown or another security module denies it"
            .into();
    }
    let instead = if missing.contains(Caps::SYS_ADMIN) { "" } else { ", or CAP_SYS_ADMIN" };
    format!("{missing} missing{instead}: run it as root, outside of containers and user namespaces")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_s_own_row_comes_before_the_general_one() {
        let hint = |call, errno| Error::new(call, errno).hint().unwrap_or_default();
        assert!(hint(ProgLoad::NAME, libc::E2BIG).contains("verifier"));
        assert!(hint(LinkCreate::NAME, libc::E2BIG).contains("too old"));
        assert_eq!(Error::new(ProgLoad::NAME, libc::EINTR).hint(), None);
        let shadowed = HINTS.iter().enumerate().find(|(i, row)| {
            let before = &HINTS[..*i];
            before
                .iter()
                .any(|b| b.1 == row.1 && (b.0.is_empty() || b.0.iter().any(|call| row.0.contains(call))))
        });
        assert!(shadowed.is_none(), "{:?}", shadowed.map(|(_, row)| (row.0, row.1)));
    }

    #[test]
    fn a_command_that_the_kernel_is_too_old_for_says_since_when() {
        let hint = |call, errno, release| Error::new(call, errno).hint_on(release).unwrap_or_default();
        let old = hint(IterCreate::NAME, libc::EINVAL, Some((5, 7)));
        assert_eq!(old, "this kernel has no BPF_ITER_CREATE: it is there since Linux 5.8");
        assert!(hint(ProgRun::NAME, libc::EINVAL, Some((5, 10))).ends_with("since Linux 5.14"));
        // Any other reason is not about that.
        assert_eq!(hint(IterCreate::NAME, libc::EINVAL, Some((5, 8))), "");
        assert_eq!(hint(IterCreate::NAME, libc::EINVAL, None), "");
        assert_eq!(hint(IterCreate::NAME, libc::EBADF, Some((5, 7))), "");
        let update = hint(LinkUpdate::NAME, libc::EINVAL, Some((5, 10)));
        assert!(update.contains("the same target"), "{update}");
    }

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
