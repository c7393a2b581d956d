//! A program attached to what it walks.

use std::io;
use std::path::Path;

use kwalk_progs::{ANY_THREAD, Parameters, Version, targets};

use crate::error::Error;
use crate::iter::Iter;
use crate::netns::Netns;
use crate::path::{c_path, is_dotted};
use crate::scope::{Scope, is_misread};
use crate::sys::{
    self, CgroupOrder, IterCreate, LinkCreate, LinkFd, LinkInfo, LinkUpdate, ObjGet, ProgFd, bpf, release,
};
use kwalk_progs::Target;

/// Links take a process as a parameter, or a thread that leads one.
const TASKS: Version = (6, 1);
/// Walks of cgroups know the order `children`.
const CHILDREN: Version = (7, 0);

/// A program attached to its target. It is detached with this value, unless it is pinned.
#[derive(Debug)]
pub struct Link(LinkFd);

impl Link {
    pub(crate) fn create(prog: &ProgFd, target: &Target, scope: &Scope<'_>) -> Result<Link, Error> {
        scope.check(target)?;
        let refused = |what, since| Error::NoParameters { target: target.name.clone().into(), what, since };
        let is_task = matches!(scope, Scope::Pid(_) | Scope::Tid(_) | Scope::PidFd(_));
        let filters_any_thread = !is_task || release().is_some_and(|release| release >= ANY_THREAD);
        if matches!(*scope, Scope::Tid(tid) if is_misread(tid, filters_any_thread)) {
            return Err(refused("a thread that leads no process", ANY_THREAD));
        }
        // Its link goes on with other threads after the end, and there is no number for the program to look for.
        if matches!(scope, Scope::PidFd(_)) && target.shared && !filters_any_thread {
            return Err(refused("what one process shares with its threads", ANY_THREAD));
        }
        let no_task = || refused("one process or thread", TASKS);
        let failed = |source: sys::Error| match (source.errno(), scope) {
            (libc::E2BIG, _) if is_task => no_task(),
            // The kernel alone knows which types it walks.
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
        if matches!(scope, Scope::Tid(_)) && !link.is_parametrized()? {
            return Err(no_task());
        }
        Ok(link)
    }

    /// Opens the link that is pinned at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] where it can't be opened, [`Error::NotAnIterator`] where it is something else.
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
    /// [`Error::Sys`], for want of memory or descriptors.
    pub fn iter(&self) -> Result<Iter, Error> {
        Ok(Iter::new(bpf(IterCreate { link: &self.0 })?))
    }

    /// Starts a walk of what a network namespace has, on a thread of its own: the caller's stays where it is. A link is in
    /// none; what counts is where its walk is started.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] where the target has the same objects in all of them; [`Error::Sys`] of `setns` where it may
    /// not be entered, which takes `CAP_SYS_ADMIN`, else as [`Link::iter`].
    pub fn iter_in(&self, netns: &Netns) -> Result<Iter, Error> {
        let target = self.info()?.iter.and_then(|iter| targets::by_name(&iter.target));
        match target {
            // One that is newer than this crate may have some.
            Some(target) if target.parameters != Parameters::Net => {
                Err(Error::Scope { target: target.name.clone().into(), takes: target.parameters })
            }
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
