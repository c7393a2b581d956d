//! Network namespaces: what sockets and routes a walk shows is those of one.

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

/// Where `ip netns` keeps names for network namespaces.
const NAMED: &str = "/run/netns";

/// A network namespace, which lives as long as this value, at least.
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
    /// The namespace that a file is: one of `/run/netns`, where `ip netns` keeps them, or of `/proc/PID/ns`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] where it can't be opened, [`Error::NotA`] where it is some other file.
    pub fn open(path: &Path) -> Result<Netns, Error> {
        let failed = |source: io::Error| Error::open(path, source);
        let other = || Error::NotA { path: path.into(), needs: "a network namespace" };
        // Before it is opened, which can be more than looking.
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

    /// The namespace of a process, by its number here.
    ///
    /// # Errors
    ///
    /// [`Error::Process`] where there is no such process, [`Error::Open`] where it may not be looked into (ptrace(2)).
    pub fn of_process(pid: u32) -> Result<Netns, Error> {
        Netns::open(&PathBuf::from(format!("/proc/{pid}/ns/net"))).map_err(|error| match error {
            Error::Open { .. } if !exists(pid) => {
                Error::Process { number: pid, reason: ProcessError::NoProcess }
            }
            error => error,
        })
    }

    /// Each network namespace that a process is in or that `ip netns` has a name for, once: the calling thread's own
    /// first. One that only a thread, a descriptor or a mount elsewhere keeps is not found.
    ///
    /// What comes and goes meanwhile may be missed: of a process that has ended, or a name that has been removed, nothing
    /// is said. Nor of a process that may not be looked into, if others are in its namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] where a process in another namespace than all others, or /proc itself, may not be looked into.
    pub fn all() -> impl Iterator<Item = Result<Netns, Error>> + Send + use<> {
        let own = [Ok(PathBuf::from("/proc/thread-self"))];
        let processes = entries("/proc").filter(|path| path.as_ref().map_or(true, |path| is_number(path)));
        let processes = own.into_iter().chain(processes).map(|path| path.map(Place::Process));
        let names = entries(NAMED).map(|path| path.map(Place::Name));
        Search {
            places: processes.chain(names),
            seen: HashSet::new(),
            networks: HashSet::new(),
            closed: Vec::new(),
        }
    }

    /// Its inode number, by which `ls -L -i /proc/PID/ns/net`, `lsns` and the kernel's `net->ns.inum` tell namespaces
    /// apart. It is free again when the namespace is gone.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Its descriptor.
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

/// What a directory has, if it is there.
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

/// Where a namespace may be found.
enum Place {
    /// Below the directory of a process.
    Process(PathBuf),
    /// At a file.
    Name(PathBuf),
}

/// What [`Netns::all`] knows on its way.
struct Search<P> {
    places: P,
    /// The namespaces that were found, by device and inode.
    seen: HashSet<(u64, u64)>,
    /// The same as far as they are those of processes, as [`network`] tells them apart.
    networks: HashSet<u64>,
    /// Processes that may not be looked into: in which network they are, and what was said.
    closed: Vec<(Option<u64>, Error)>,
}

impl<P: Iterator<Item = Result<Place, Error>>> Iterator for Search<P> {
    type Item = Result<Netns, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(place) = self.places.next() {
            if let Some(found) = place.and_then(|place| self.visit(&place)).transpose() {
                return Some(found);
            }
        }
        while let Some((network, error)) = self.closed.pop() {
            if network.is_none_or(|network| self.networks.insert(network)) {
                return Some(Err(error));
            }
        }
        None
    }
}

impl<P> Search<P> {
    /// The namespace at a place, unless it is among those seen, or there is none any more.
    fn visit(&mut self, place: &Place) -> Result<Option<Netns>, Error> {
        let (path, process) = match place {
            Place::Process(process) => (process.join("ns/net"), Some(process)),
            Place::Name(path) => (path.clone(), None),
        };
        // Most processes share one: to look costs less than to open.
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
            // While a process ends, the kernel says that it may not be looked into (`proc_ns_get_link`).
            (Some(libc::EACCES), Some(process)) => {
                if process.exists() {
                    self.closed.push((network(process), error));
                }
            }
            _ => return Err(error),
        }
        Ok(None)
    }
}

/// A number that processes share that are in one network namespace, and no others: that of a file of it, which the kernel
/// shows to everybody.
fn network(process: &Path) -> Option<u64> {
    fs::metadata(process.join("net/stat")).ok().map(|file| file.ino())
}
