//! Network namespaces. A walk shows the sockets or routes of one of them.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{NSFS_MAGIC, statfs};

use crate::error::{Error, ProcessError};
use crate::process::exists;
use crate::sys::NetnsFd;

/// The directory where `ip netns` mounts network namespaces under their names.
const NAMED: &str = "/run/netns";

/// An open network namespace: it lives at least as long as this value.
///
/// ```no_run
/// # fn main() -> Result<(), kwalk::Error> {
/// for netns in kwalk::Netns::all() {
///     println!("{}", netns?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Netns {
    fd: NetnsFd,
    dev: u64,
    inode: u64,
}

impl Netns {
    /// Opens a namespace by its file: `/run/netns/NAME`, which `ip netns` mounts, or `/proc/PID/ns/net`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the file can't be opened, [`Error::NotA`] if it is not a network namespace.
    pub fn open(path: &Path) -> Result<Netns, Error> {
        let failed = |source: io::Error| Error::open(path, source);
        let other = || Error::NotA { path: path.into(), needs: "a network namespace" };
        // Checked before open(2), which has side effects on some files (FIFOs, devices).
        if statfs(path).map_err(|errno| failed(errno.into()))?.filesystem_type() != NSFS_MAGIC {
            return Err(other());
        }
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let fd = NetnsFd::try_from(OwnedFd::from(file)).map_err(|error| match error.errno() {
            libc::EINVAL => other(),
            _ => error.into(),
        })?;
        Ok(Netns { fd, dev: metadata.dev(), inode: metadata.ino() })
    }

    /// The namespace of a process, by its pid in the caller's pid namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Process`] if no process has this pid, [`Error::Open`] if the caller may not inspect it (ptrace(2)).
    pub fn of_process(pid: u32) -> Result<Netns, Error> {
        Netns::open(&PathBuf::from(format!("/proc/{pid}/ns/net"))).map_err(|error| match error {
            Error::Open { .. } if !exists(pid) => {
                Error::Process { number: pid, reason: ProcessError::NoProcess }
            }
            error => error,
        })
    }

    /// Each network namespace of a process or of `ip netns`, once: the calling thread's own first. Namespaces that only
    /// a thread, a descriptor or another mount refers to are missing.
    ///
    /// Processes that end and names that are removed meanwhile are no error. Nor is a process that the caller may not
    /// inspect, if another process in its namespace can be inspected.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the caller may not inspect any process of a namespace, or can't read /proc.
    pub fn all() -> impl Iterator<Item = Result<Netns, Error>> + Send + use<> {
        let own = [Ok(PathBuf::from("/proc/thread-self"))];
        let processes = entries("/proc").filter(|path| path.as_ref().map_or(true, |path| is_number(path)));
        let processes = own.into_iter().chain(processes).map(|path| path.map(Source::Process));
        let sources = processes.chain(entries(NAMED).map(|path| path.map(Source::Name)));
        Search { sources, seen: HashSet::new(), networks: HashSet::new(), denied: Vec::new() }
    }

    /// The inode number, as in `ls -L -i /proc/PID/ns/net`, `lsns` and the kernel's `net->ns.inum`. The kernel reuses
    /// it after the namespace is gone.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The namespace's descriptor.
    pub fn fd(&self) -> &NetnsFd {
        &self.fd
    }
}

/// As the kernel names it: `net:[4026531840]`.
impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:[{}]", self.inode)
    }
}

/// The paths in a directory; none if the directory does not exist.
fn entries(dir: &'static str) -> impl Iterator<Item = Result<PathBuf, Error>> {
    let failed = move |source| Error::open(Path::new(dir), source);
    let (read, refused) = match fs::read_dir(dir) {
        Ok(read) => (Some(read), None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
        Err(error) => (None, Some(Err(failed(error)))),
    };
    let read = read.into_iter().flatten();
    read.map(move |entry| entry.map(|entry| entry.path()).map_err(failed)).chain(refused)
}

fn is_number(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
}

/// A path that leads to a namespace.
enum Source {
    /// The directory of a process.
    Process(PathBuf),
    /// A file that `ip netns` mounts.
    Name(PathBuf),
}

/// The iterator of [`Netns::all`].
struct Search<S> {
    sources: S,
    /// The namespaces that were returned, by device and inode.
    seen: HashSet<(u64, u64)>,
    /// Those of them that belong to processes, by [`network`].
    networks: HashSet<u64>,
    /// The processes that the caller may not inspect: their [`network`] and the error.
    denied: Vec<(Option<u64>, Error)>,
}

impl<S: Iterator<Item = Result<Source, Error>>> Iterator for Search<S> {
    type Item = Result<Netns, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(source) = self.sources.next() {
            if let Some(netns) = source.and_then(|source| self.open(&source)).transpose() {
                return Some(netns);
            }
        }
        while let Some((network, error)) = self.denied.pop() {
            if network.is_none_or(|network| self.networks.insert(network)) {
                return Some(Err(error));
            }
        }
        None
    }
}

impl<S> Search<S> {
    /// Opens the namespace of a source; `None` if it was returned before, or no longer exists.
    fn open(&mut self, source: &Source) -> Result<Option<Netns>, Error> {
        let (path, process) = match source {
            Source::Process(process) => (process.join("ns/net"), Some(process)),
            Source::Name(path) => (path.clone(), None),
        };
        // Most processes share one namespace, and stat(2) costs less than open(2).
        if fs::metadata(&path).is_ok_and(|file| self.seen.contains(&(file.dev(), file.ino()))) {
            return Ok(None);
        }
        let (errno, error) = match Netns::open(&path) {
            Ok(netns) => {
                self.networks.extend(process.and_then(|process| network(process)));
                return Ok(self.seen.insert((netns.dev, netns.inode)).then_some(netns));
            }
            // A name whose namespace is not mounted yet, or no longer, is an empty file.
            Err(Error::NotA { .. }) => return Ok(None),
            Err(Error::Open { path, source }) => (source.raw_os_error(), Error::Open { path, source }),
            Err(error) => return Err(error),
        };
        match (errno, process) {
            (Some(libc::ENOENT | libc::ESRCH), _) => {}
            // The kernel also answers EACCES while a process ends (`proc_ns_get_link`).
            (Some(libc::EACCES), Some(process)) => {
                if process.exists() {
                    self.denied.push((network(process), error));
                }
            }
            _ => return Err(error),
        }
        Ok(None)
    }
}

/// A number that identifies the network namespace of a process without the right to inspect the process: the inode of
/// `/proc/PID/net/stat`.
fn network(process: &Path) -> Option<u64> {
    fs::metadata(process.join("net/stat")).ok().map(|file| file.ino())
}
