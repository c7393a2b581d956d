//! A link: a program attached to its target.

use std::io;
use std::path::Path;

use kwalk_progs::{ANY_THREAD, Parameters, Target, Version, targets};

use crate::error::Error;
use crate::iter::Iter;
use crate::netns::Netns;
use crate::path::{c_path, is_dotted};
use crate::scope::{Scope, is_misread};
use crate::sys::{
    self, CgroupOrder, IterCreate, LinkCreate, LinkFd, LinkInfo, LinkUpdate, ObjGet, ProgFd, bpf, release,
};

/// The first kernel whose links filter by a process, or by a thread that leads one.
const TASKS: Version = (6, 1);
/// The targets that take sleepable programs (`BPF_ITER_RESCHED`).
const SLEEPABLE: [&str; 7] = ["task", "task_file", "task_vma", "ksym", "cgroup", "kmem_cache", "dmabuf"];
/// The first kernel whose cgroup walks have the order `children`.
const CHILDREN: Version = (7, 0);

/// A program attached to its target. Dropping the link detaches the program, unless the link is pinned.
#[derive(Debug)]
pub struct Link(LinkFd);

impl Link {
    pub(crate) fn create(
        prog: &ProgFd,
        target: &Target,
        sleepable: bool,
        scope: &Scope<'_>,
    ) -> Result<Link, Error> {
        scope.check(target)?;
        let refused = |what, since| Error::NoParameters { target: target.name.clone().into(), what, since };
        let is_task = matches!(scope, Scope::Pid(_) | Scope::Tid(_) | Scope::PidFd(_));
        let filters_any_thread = !is_task || release().is_some_and(|release| release >= ANY_THREAD);
        if matches!(*scope, Scope::Tid(tid) if is_misread(tid, filters_any_thread)) {
            return Err(refused("a thread that leads no process", ANY_THREAD));
        }
        // Before 6.12, such a walk continues after the end with the process's other threads; and a pidfd gives no
        // number that the program could test.
        if matches!(scope, Scope::PidFd(_)) && target.shared && !filters_any_thread {
            return Err(refused("what one process shares with its threads", ANY_THREAD));
        }
        let no_task = || refused("one process or thread", TASKS);
        let failed = |source: sys::Error| match (source.errno(), scope) {
            (libc::E2BIG, _) if is_task => no_task(),
            // The kernel looks at this before it looks at a map.
            (libc::EINVAL, _) if sleepable && !SLEEPABLE.contains(&&*target.name) => {
                Error::Sleepable { target: target.name.clone().into() }
            }
            // Only the kernel knows the map types of a target.
            (libc::EINVAL, Scope::Map(map)) => {
                Error::MapType { target: target.name.clone().into(), map_type: map.map_type() }
            }
            (libc::EINVAL, Scope::Cgroup { order: CgroupOrder::CHILDREN, .. }) => {
                refused("a cgroup's children", CHILDREN)
            }
            _ => source.into(),
        };
        let link = Link(bpf(LinkCreate::iter(prog, scope.link_info())).map_err(failed)?);
        // Kernels before 6.1 take a tid for a map's descriptor, which task targets ignore: they would walk everything.
        if matches!(scope, Scope::Tid(_)) && !link.filters_tasks()? {
            return Err(no_task());
        }
        Ok(link)
    }

    /// Opens the link that is pinned at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if it can't be opened, [`Error::NotAnIterator`] if it is not the link of an iterator.
    pub fn open(path: &Path) -> Result<Link, Error> {
        let name = c_path(path).map_err(|error| Error::open(path, error))?;
        let fd = bpf(ObjGet { path: &name }).map_err(|error| match error.errno() {
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
    /// [`Error::Sys`], if memory or descriptors run out.
    pub fn iter(&self) -> Result<Iter, Error> {
        Ok(Iter::new(bpf(IterCreate { link: &self.0 })?))
    }

    /// Starts a walk of the objects of a network namespace. A walk belongs to the namespace of the thread that starts
    /// it: this function starts a thread for that, so the caller's namespace does not change.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] if the target has the same objects in all namespaces; [`Error::Sys`] of `setns` if the
    /// namespace can't be entered, which needs `CAP_SYS_ADMIN`; else as [`Link::iter`].
    pub fn iter_in(&self, netns: &Netns) -> Result<Iter, Error> {
        let target = self.info()?.iter.and_then(|iter| targets::by_name(&iter.target));
        match target {
            // A target that is newer than this crate may have objects per namespace.
            Some(target) if target.parameters != Parameters::Net => {
                Err(Error::Scope { target: target.name.clone().into(), takes: target.parameters })
            }
            _ => Ok(Iter::new(netns.fd().within(|| bpf(IterCreate { link: &self.0 }))?)),
        }
    }

    /// Replaces the link's program `old` by another one for the same target. Walks in progress end with the program
    /// that they started with.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`], with `EINVAL` if the new program is for another target, with `EPERM` if the link's program is
    /// not `old`.
    pub fn update(&self, old: &ProgFd, new: &ProgFd) -> Result<(), Error> {
        Ok(bpf(LinkUpdate { link: &self.0, new, old: Some(old) })?)
    }

    /// The kernel's description of the link.
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

    fn filters_tasks(&self) -> Result<bool, Error> {
        Ok(self.info()?.iter.and_then(|iter| iter.task()).is_some_and(|task| task != (0, 0)))
    }
}
