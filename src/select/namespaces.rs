//! Finds the network namespaces: by walks of the threads and of their open files, and by the mounts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kwalk_progs::{Kernel, Program};
use kwalk_query::{Plan, Reason, Select, Value, case, field};

use super::rows::Rows;
use crate::error::Error;
use crate::load::Loaded;
use crate::netns::Netns;
use crate::scope::Scope;
use crate::sys::{NetnsFd, pidfd_getfd, pidfd_open, pidfd_open_thread};

/// `NSFS_MAGIC` (`include/uapi/linux/magic.h`)
const NSFS_MAGIC: u32 = 0x6e73_6673;

/// The programs of the walks that find namespaces, and the namespace of the thread that planned them: they leave out the
/// sockets of that one, which are most.
#[derive(Debug, Clone)]
pub(super) struct Search(Arc<([Question; 2], Option<Netns>)>);

/// A question: its plan and the program.
#[derive(Debug)]
struct Question {
    plan: Plan,
    program: Program,
}

impl Question {
    fn new(select: &Select, kernel: &Kernel<'_>) -> Result<Question, Error> {
        let plan = select.plan(kernel)?;
        Ok(Question { program: plan.program(kernel)?, plan })
    }

    /// The numbers in each row; `None` for NULL.
    fn rows<const N: usize>(&self) -> Result<Vec<[Option<u64>; N]>, Error> {
        let link = Loaded::load(&self.program)?.attach(&Scope::All)?;
        let mut rows = Rows::of(&link, &self.plan)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next_row()? {
            all.push(std::array::from_fn(|nth| match row.get(nth) {
                Value::Int(number) => u64::try_from(number).ok(),
                Value::Uint(number) => Some(number),
                _ => None,
            }));
        }
        Ok(all)
    }
}

impl Search {
    /// Writes the programs.
    pub(super) fn new(kernel: &Kernel<'_>) -> Result<Search, Error> {
        let home = own().ok();
        let netns = home.as_ref().map_or(0, Netns::inode);
        let threads =
            Select::new("task").fields(["tgid", "pid", "nsproxy.net_ns.ns.inum", "nsproxy.mnt_ns.ns.inum"]);
        let is_nsfs = || field("file.f_inode.i_sb.s_magic").eq(NSFS_MAGIC);
        let inode = || field("file.f_inode.i_ino");
        let files = |is_socket, socket_netns| {
            Select::new("task_file")
                .fields([
                    field("tgid").into(),
                    field("pid").into(),
                    field("fd").into(),
                    case([(is_nsfs(), inode())]).or_else(socket_netns).into(),
                ] as [kwalk_query::Column; 4])
                .filter(is_nsfs().and(inode().ne(netns)).or(is_socket))
        };
        const SOCKET: &str = "socket.sk.__sk_common.skc_net.net.ns.inum";
        let files = match Question::new(&files(field(SOCKET).ne(netns), field(SOCKET)), kernel) {
            // Before Linux 5.11, programs don't get at a file's socket: the namespaces of all sockets are asked for.
            Err(Error::Select(error)) if matches!(*error.reason, Reason::Since { .. }) => {
                let is_socket = (field("file.f_inode.i_mode") & 0xf000).eq(0xc000);
                Question::new(&files(is_socket, 0_u32.into()), kernel)?
            }
            question => question?,
        };
        Ok(Search(Arc::new(([Question::new(&threads, kernel)?, files], home))))
    }

    /// Each network namespace once, the calling thread's own first.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = Result<Netns, Error>> + Send + use<> {
        Found {
            search: self.clone(),
            step: Step::Own,
            holders: Vec::new(),
            threads: BTreeMap::new(),
            seen: HashSet::new(),
        }
    }
}

impl Netns {
    /// Each network namespace that the caller's processes or mounts keep, once; the calling thread's own first. A
    /// namespace may be kept by a process, a thread, a descriptor of a socket or of the namespace itself, or a mount in
    /// any mount namespace. Threads and descriptors are those of the caller's pid namespace, and are found by walks in
    /// the kernel; mounts are found in /proc. Namespaces are missing that only something else keeps, such as a
    /// descriptor on its way through a Unix socket.
    ///
    /// What ends meanwhile is no error. Nor is something that the caller may not inspect, if something else keeps the
    /// namespace that it may.
    ///
    /// # Errors
    ///
    /// Those of planning and of loading the programs. The iterator gives [`Error::Open`] or [`Error::Sys`] for a
    /// namespace that the caller may not open, and for mounts that can't be listed.
    pub fn all(
        kernel: &Kernel<'_>,
    ) -> Result<impl Iterator<Item = Result<Netns, Error>> + Send + use<>, Error> {
        Ok(Search::new(kernel)?.namespaces())
    }
}

/// What keeps a namespace.
#[derive(Debug)]
enum Holder {
    /// The search itself.
    Home,
    Thread {
        tgid: u32,
        tid: u32,
    },
    File {
        tgid: u32,
        tid: u32,
        fd: u32,
    },
    Mount(PathBuf),
}

/// A namespace that may not be open yet: its inode number, if it is known, and what keeps it.
type Candidate = (Option<u64>, Vec<Holder>);

/// Where a search is.
enum Step {
    Own,
    Threads,
    Files,
    Mounts,
    End,
}

/// The iterator of [`Netns::all`].
struct Found {
    search: Search,
    step: Step,
    /// What is left of the last step.
    holders: Vec<Candidate>,
    /// The threads in each mount namespace.
    threads: BTreeMap<u64, Vec<(u32, u32)>>,
    seen: HashSet<u64>,
}

impl Iterator for Found {
    type Item = Result<Netns, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((inode, holders)) = self.holders.pop() {
                if inode.is_some_and(|inode| self.seen.contains(&inode)) {
                    continue;
                }
                match self.open_any(inode, &holders) {
                    Ok(Some(netns)) if self.seen.insert(netns.inode()) => return Some(Ok(netns)),
                    Ok(_) => {}
                    Err(error) => {
                        self.seen.extend(inode);
                        return Some(Err(error));
                    }
                }
            }
            let step = match self.step {
                Step::Own => {
                    self.step = Step::Threads;
                    let own = own();
                    self.seen.extend(own.as_ref().map(Netns::inode));
                    let home = self.search.0.1.as_ref().map(Netns::inode);
                    self.holders.extend(home.map(|home| (Some(home), vec![Holder::Home])));
                    return Some(own);
                }
                Step::Threads => {
                    self.step = Step::Files;
                    self.threads()
                }
                Step::Files => {
                    self.step = Step::Mounts;
                    self.files()
                }
                Step::Mounts => {
                    self.step = Step::End;
                    self.mounts()
                }
                Step::End => return None,
            };
            if let Err(error) = step {
                return Some(Err(error));
            }
        }
    }
}

impl Found {
    fn threads(&mut self) -> Result<(), Error> {
        let mut found = HashMap::<u64, Vec<Holder>>::new();
        for row in self.search.0.0[0].rows()? {
            let [Some(tgid), Some(tid), netns, mntns] = row else { continue };
            let (tgid, tid) = (tgid as u32, tid as u32);
            if let Some(mntns) = mntns {
                self.threads.entry(mntns).or_default().push((tgid, tid));
            }
            if let Some(netns) = netns {
                found.entry(netns).or_default().push(Holder::Thread { tgid, tid });
            }
        }
        self.holders.extend(found.into_iter().map(|(inode, holders)| (Some(inode), holders)));
        Ok(())
    }

    fn files(&mut self) -> Result<(), Error> {
        let mut found = HashMap::<u64, Vec<Holder>>::new();
        for row in self.search.0.0[1].rows()? {
            let [Some(tgid), Some(tid), Some(fd), inode] = row else { continue };
            let file = Holder::File { tgid: tgid as u32, tid: tid as u32, fd: fd as u32 };
            match inode {
                Some(inode @ 1..) => found.entry(inode).or_default().push(file),
                _ => self.holders.push((None, vec![file])),
            }
        }
        self.holders.extend(found.into_iter().map(|(inode, holders)| (Some(inode), holders)));
        Ok(())
    }

    /// Opens a namespace by the first of its holders that is still there; `None` if none is, or what they keep is no network
    /// namespace.
    fn open_any(&self, inode: Option<u64>, holders: &[Holder]) -> Result<Option<Netns>, Error> {
        let mut refused = None;
        for holder in holders {
            match self.open(holder) {
                Ok(Some(netns)) if inode.is_none_or(|inode| inode == netns.inode()) => {
                    return Ok(Some(netns));
                }
                Ok(_) => {}
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// Opens the namespace that something keeps; `None` if that is gone.
    fn open(&self, holder: &Holder) -> Result<Option<Netns>, Error> {
        match holder {
            Holder::Home => {
                let home =
                    self.search.0.1.as_ref().and_then(|home| home.fd().as_fd().try_clone_to_owned().ok());
                home.map(|home| Netns::of(NetnsFd::try_from(home)?)).transpose()
            }
            Holder::Thread { tgid, tid } => {
                let by_pidfd =
                    pidfd(*tgid, *tid).ok().and_then(|pidfd| NetnsFd::of_pidfd(pidfd.as_fd()).ok());
                match by_pidfd {
                    Some(fd) => Netns::of(fd).map(Some),
                    None => open_path(&PathBuf::from(format!("/proc/{tgid}/task/{tid}/ns/net"))),
                }
            }
            Holder::File { tgid, tid, fd } => {
                // A thread that leads no process has a pidfd only since 6.9; mostly, it has the files of its process.
                let pidfd = pidfd(*tgid, *tid).or_else(|_| pidfd_open(*tgid));
                let file = pidfd.and_then(|pidfd| pidfd_getfd(pidfd.as_fd(), *fd));
                let path = PathBuf::from(format!("/proc/{tgid}/task/{tid}/fd/{fd}"));
                match file {
                    Ok(file) => of_file(file, &path),
                    Err(error) if is_gone(error.raw_os_error()) => Ok(None),
                    // Of a socket, the path leads nowhere.
                    Err(error) => match open_path(&path) {
                        Ok(Some(netns)) => Ok(Some(netns)),
                        _ => Err(Error::open(&path, error)),
                    },
                }
            }
            Holder::Mount(path) => open_path(path),
        }
    }

    /// The mounts of this process's mount namespace, and of the others.
    fn mounts(&mut self) -> Result<(), Error> {
        let mut found = HashMap::<u64, Vec<Holder>>::new();
        let mut refused = None;
        let mut add = |mounts: &[u8], root: &str| {
            mounts.split(|byte| *byte == b'\n').filter_map(mount).for_each(|(inode, point)| {
                let mut at = root.as_bytes().to_vec();
                at.extend(point);
                let mount = Holder::Mount(std::ffi::OsString::from_vec(at).into());
                found.entry(inode).or_default().push(mount);
            });
        };
        for threads in self.threads.values() {
            // Some may have ended since: the first that is still there tells.
            for (tgid, tid) in threads {
                let process = format!("/proc/{tgid}/task/{tid}");
                let path = PathBuf::from(format!("{process}/mountinfo"));
                match fs::read(&path) {
                    Ok(mounts) => add(&mounts, &format!("{process}/root")),
                    // Without a mount namespace, a thread is about to end (`mounts_open_common`).
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => continue,
                    Err(error) if is_gone(error.raw_os_error()) => continue,
                    Err(error) => refused = Some(Error::open(&path, error)),
                }
                break;
            }
        }
        let path = Path::new("/proc/thread-self/mountinfo");
        match fs::read(path) {
            Ok(mounts) => add(&mounts, ""),
            Err(error) => refused = Some(Error::open(path, error)),
        }
        self.holders.extend(found.into_iter().map(|(inode, holders)| (Some(inode), holders)));
        refused.map_or(Ok(()), Err)
    }
}

/// The namespace of the calling thread.
fn own() -> Result<Netns, Error> {
    Netns::open("/proc/thread-self/ns/net".as_ref()).or_else(|error| {
        // Without /proc, a new socket tells.
        let socket = std::os::unix::net::UnixDatagram::unbound();
        let netns = socket.ok().and_then(|socket| NetnsFd::of_socket(socket.as_fd()).ok());
        netns.map_or(Err(error), Netns::of)
    })
}

/// The namespace of a socket, or the one that a descriptor stands for.
fn of_file(file: OwnedFd, path: &Path) -> Result<Option<Netns>, Error> {
    match NetnsFd::of_socket(file.as_fd()) {
        Ok(fd) => Netns::of(fd).map(Some),
        Err(error) if error.errno() == libc::EPERM => Err(error.into()),
        Err(_) => match NetnsFd::try_from(file) {
            Ok(fd) => Netns::of(fd).map(Some),
            // Another type of namespace, or a descriptor that was opened with O_PATH.
            Err(_) => open_path(path),
        },
    }
}

fn open_path(path: &Path) -> Result<Option<Netns>, Error> {
    match Netns::open(path) {
        Ok(netns) => Ok(Some(netns)),
        Err(Error::NotA { .. }) => Ok(None),
        // The kernel also answers EACCES while a process ends (`proc_ns_get_link`).
        Err(Error::Open { source, .. }) if is_gone(source.raw_os_error()) => Ok(None),
        Err(Error::Open { source, .. })
            if source.raw_os_error() == Some(libc::EACCES)
                && path.parent().is_some_and(|dir| !dir.exists()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn pidfd(tgid: u32, tid: u32) -> io::Result<OwnedFd> {
    if tgid == tid { pidfd_open(tgid) } else { pidfd_open_thread(tid) }
}

fn is_gone(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::ENOENT | libc::ESRCH | libc::EBADF))
}

/// The inode number of a network namespace and its mount point, if a line of mountinfo has one.
fn mount(line: &[u8]) -> Option<(u64, Vec<u8>)> {
    let mut words = line.split(|byte| *byte == b' ').skip(3);
    let (root, point) = (words.next()?, words.next()?);
    let inode = root.strip_prefix(b"net:[")?.strip_suffix(b"]")?;
    let inode = std::str::from_utf8(inode).ok()?.parse().ok()?;
    // After "-", the type of the file system.
    (words.skip_while(|word| *word != b"-").nth(1)? == b"nsfs").then(|| (inode, unescaped(point)))
}

/// Replaces the three octal digits after a backslash by the byte that they stand for.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        let digits =
            behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_network_namespaces_are_found_in_mountinfo() {
        let line = br"36 35 0:4 net:[4026532201] /run/a\040b\134c rw shared:1 - nsfs nsfs rw";
        assert_eq!(mount(line), Some((4_026_532_201, br"/run/a b\c".to_vec())));
        for other in [
            &b"36 35 0:4 mnt:[4026532201] /run/a rw - nsfs nsfs rw"[..],
            b"36 35 0:4 net:[4026532201] /run/a rw - tmpfs nsfs rw",
            b"36 35 0:4 / / rw - ext4 /dev/root rw",
            b"",
        ] {
            assert_eq!(mount(other), None, "{}", other.escape_ascii());
        }
    }
}
