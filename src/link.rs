//! A program attached to what it walks.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use kwalk_btf::{Btf, Kind};
use kwalk_progs::target::Version;
use kwalk_progs::text::Only;
use kwalk_progs::{Target, target};

use crate::pin::{c_path, is_dotted};
use crate::sys::{
    self, CgroupOrder, CgroupStart, IterCreate, IterLinkInfo, LinkCreate, LinkFd, LinkInfo, LinkUpdate,
    MapFd, ObjGet, ProgFd, bpf, pidfd_open, release,
};
use crate::{Error, Iter, Loaded, Netns, ProcessError};

/// What a walk is told when its program is attached. Each kind belongs to some targets ([`Target::parameters`]), and is
/// refused for others.
#[derive(Debug, Clone, Copy, Default)]
pub enum Parameters<'a> {
    /// Nothing: all objects.
    #[default]
    None,
    /// `task`, `task_file`, `task_vma`: the threads of one process, by its number here. Since Linux 6.1.
    Pid(u32),
    /// `task`, `task_file`, `task_vma`: one thread, by its number here. Since Linux 6.1; one that leads no process, since
    /// 6.12.
    Tid(u32),
    /// `task`, `task_file`, `task_vma`: the threads of one process, by a pidfd. Since Linux 6.1.
    PidFd(BorrowedFd<'a>),
    /// `bpf_map_elem`, `sockmap`, `bpf_sk_storage_map`: the elements of this map. They need one.
    Map(&'a MapFd),
    /// `cgroup`: which cgroups, and in which order. It needs one.
    Cgroup {
        /// In which order.
        order: CgroupOrder,
        /// Around which.
        start: CgroupStart<'a>,
    },
}

impl<'a> Parameters<'a> {
    /// What to tell a link of this, and what the program is to look at itself, where the kernel that `btf` describes has
    /// links that can't be told. It costs a look at every task; what can't be had so, attaching refuses.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the BTF is damaged.
    pub fn split(self, target: &Target, btf: &Btf<'_>) -> Result<(Parameters<'a>, Option<Only>), Error> {
        // Of what threads share, walks that are told a process have been seen to go on with its threads after their end.
        let sound = !target.shared || !is_before(THREADS);
        let told = || Ok::<_, Error>(sound && links_know_tasks(btf)?);
        let only = match self {
            Parameters::Pid(pid) if !told()? => Only::Process(pid),
            // A walk that passes it over has nothing to look at.
            Parameters::Tid(tid) if target.shared && !leads(tid) => return Ok((self, None)),
            Parameters::Tid(tid) if is_lost(tid) || !told()? => Only::Thread(tid),
            _ => return Ok((self, None)),
        };
        // A program sees the numbers of the first pid namespace alone.
        if in_first_pid_namespace() { Ok((Parameters::None, Some(only))) } else { Ok((self, None)) }
    }

    /// Refuses some of what makes no sense, since the kernel does not: targets without parameters ignore them, and a walk
    /// of a process that does not exist is empty. To attach a program does this, too.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] where they are not for `target`, [`Error::Process`] where they name nobody.
    pub fn check(&self, target: &'static Target) -> Result<(), Error> {
        let takes = match self {
            Parameters::None => {
                !matches!(target.parameters, target::Parameters::Map | target::Parameters::Cgroup)
            }
            Parameters::Pid(_) | Parameters::Tid(_) | Parameters::PidFd(_) => {
                target.parameters == target::Parameters::Task
            }
            Parameters::Map(_) => target.parameters == target::Parameters::Map,
            Parameters::Cgroup { .. } => target.parameters == target::Parameters::Cgroup,
        };
        if !takes {
            return Err(Error::Parameters { target });
        }
        match *self {
            Parameters::Pid(pid) if !leads(pid) => {
                let reason = if exists(pid) { ProcessError::Thread } else { ProcessError::NoProcess };
                Err(Error::Process { number: pid, reason })
            }
            Parameters::Tid(tid) if !exists(tid) => {
                Err(Error::Process { number: tid, reason: ProcessError::NoThread })
            }
            _ => Ok(()),
        }
    }
}

/// Whether there is a process or thread of this number; `kill` takes both, and 0 for something else.
pub(crate) fn exists(number: u32) -> bool {
    i32::try_from(number)
        .is_ok_and(|number| number != 0 && kill(Pid::from_raw(number), None) != Err(Errno::ESRCH))
}

/// Whether the number is that of a process, or nothing says that it is not.
fn leads(number: u32) -> bool {
    let errno = pidfd_open(number).err().and_then(|error| error.raw_os_error());
    // Of a thread, ENOENT since 6.16. Any other, out of descriptors or forbidden, says nothing about the process.
    !matches!(errno, Some(libc::ESRCH | libc::EINVAL | libc::ENOENT))
}

/// Whether a walk of this thread would be empty: until 6.12, links took the number of a thread for that of a process.
fn is_lost(tid: u32) -> bool {
    !leads(tid) && is_before(THREADS)
}

/// Whether this kernel's links can be told a process or a thread.
fn links_know_tasks(btf: &Btf<'_>) -> Result<bool, Error> {
    let [info] = btf.find_many([(Kind::Union, "bpf_iter_link_info")])?;
    Ok(info.is_some_and(|info| btf.path(info, "task.tid").is_ok()))
}

/// Whether the running kernel is older, or does not say.
fn is_before(version: Version) -> bool {
    release().is_none_or(|release| release < version)
}

pub(crate) fn in_first_pid_namespace() -> bool {
    // PROC_PID_INIT_INO (include/linux/proc_ns.h)
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link == Path::new("pid:[4026531836]"))
}

/// Links can be told a process, or a thread that leads one.
const TASKS: Version = (6, 1);
/// They can be told any thread.
const THREADS: Version = (6, 12);
/// Walks of cgroups know the order `children`.
const CHILDREN: Version = (7, 0);

/// A program attached to its target. It is detached with this value, unless it is pinned.
#[derive(Debug)]
pub struct Link(LinkFd);

impl Link {
    pub(crate) fn create(loaded: &Loaded, parameters: &Parameters<'_>) -> Result<Link, Error> {
        parameters.check(loaded.target())?;
        let target = loaded.target().name;
        if matches!(*parameters, Parameters::Tid(tid) if is_lost(tid)) {
            let what = "a thread that leads no process";
            return Err(Error::NoParameters { target, what, since: THREADS });
        }
        // Its link goes on with other threads after the end, and there is no number for the program to look for.
        if matches!(parameters, Parameters::PidFd(_)) && loaded.target().shared && is_before(THREADS) {
            let what = "what one process shares with its threads";
            return Err(Error::NoParameters { target, what, since: THREADS });
        }
        let none = || Error::NoParameters { target, what: "one process or thread", since: TASKS };
        let task = matches!(parameters, Parameters::Pid(_) | Parameters::Tid(_) | Parameters::PidFd(_));
        let failed = |source: sys::Error| match (source.errno(), parameters) {
            (libc::E2BIG, _) if task => none(),
            // The kernel alone knows which types it walks.
            (libc::EINVAL, Parameters::Map(map)) => Error::MapType { target, map_type: map.map_type() },
            (libc::EINVAL, Parameters::Cgroup { order: CgroupOrder::CHILDREN, .. }) => {
                Error::NoParameters { target, what: "a cgroup's children", since: CHILDREN }
            }
            _ => source.into(),
        };
        let info = match *parameters {
            Parameters::None => IterLinkInfo::None,
            Parameters::Pid(pid) => IterLinkInfo::Pid(pid),
            Parameters::Tid(tid) => IterLinkInfo::Tid(tid),
            Parameters::PidFd(fd) => IterLinkInfo::PidFd(fd),
            Parameters::Map(map) => IterLinkInfo::Map(map),
            Parameters::Cgroup { order, start } => IterLinkInfo::Cgroup { order, start },
        };
        let link = Link(bpf(LinkCreate::iter(loaded.fd(), info)).map_err(failed)?);
        // Kernels before 6.1 take a tid for a map's descriptor, which task targets ignore: they would walk everything.
        if matches!(parameters, Parameters::Tid(_)) && !link.is_parametrized()? {
            return Err(none());
        }
        Ok(link)
    }

    /// Opens the link that is pinned at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] where it can't be opened, [`Error::NotAnIterator`] where it is something else.
    pub fn open(path: &Path) -> Result<Link, Error> {
        let fd = bpf(ObjGet { path: &c_path(path)? }).map_err(|error| match error.errno() {
            libc::EPERM if !is_dotted(path) => error.into(),
            errno => Error::open(path, io::Error::from_raw_os_error(errno)),
        })?;
        let link = Link(LinkFd::try_from(fd).map_err(|error| match error.errno() {
            libc::EINVAL => Error::NotAnIterator { path: path.into() },
            _ => error.into(),
        })?);
        match link.info()?.iter {
            Some(_) => Ok(link),
            None => Err(Error::NotAnIterator { path: path.into() }),
        }
    }

    /// Starts a walk.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`], for want of memory or descriptors.
    pub fn iter(&self) -> Result<Iter, Error> {
        Ok(Iter::new(bpf(IterCreate { link: &self.0 })?))
    }

    /// Starts a walk of what a network namespace has, on a thread of its own: the caller's stays where it is. A link is in
    /// none; what counts is where its walk is started.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] where the target has the same objects in all of them; [`Error::Sys`] of `setns` where it may
    /// not be entered, which takes `CAP_SYS_ADMIN`, else as [`Link::iter`].
    pub fn iter_in(&self, netns: &Netns) -> Result<Iter, Error> {
        let target = self.info()?.iter.and_then(|iter| Target::by_name(&iter.target));
        match target {
            // One that is newer than this crate may have some.
            Some(target) if target.parameters != target::Parameters::Net => Err(Error::Parameters { target }),
            _ => Ok(Iter::new(netns.fd().within(|| bpf(IterCreate { link: &self.0 }))?)),
        }
    }

    /// Gives the link another program for the same target, in the place of `old`. Walks that have begun end with the one
    /// they began with.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`], with `EINVAL` where the new program is for another target, with `EPERM` where the link has not the
    /// old one.
    pub fn update(&self, old: &ProgFd, new: &ProgFd) -> Result<(), Error> {
        Ok(bpf(LinkUpdate { link: &self.0, new, old: Some(old) })?)
    }

    /// What the kernel says of it.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`].
    pub fn info(&self) -> Result<LinkInfo, Error> {
        Ok(self.0.info()?)
    }

    /// The link's descriptor.
    pub fn fd(&self) -> &LinkFd {
        &self.0
    }

    fn is_parametrized(&self) -> Result<bool, Error> {
        Ok(self.info()?.iter.and_then(|iter| iter.task()).is_some_and(|task| task != (0, 0)))
    }
}
