//! Descriptors of network namespaces, and running code in one.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use super::{Error, NetnsFd, Result, fd};

impl TryFrom<OwnedFd> for NetnsFd {
    type Error = Error;

    /// Takes a descriptor if it is one of a network namespace, by `NS_GET_NSTYPE` (ioctl_ns(2), since 4.11).
    ///
    /// # Errors
    ///
    /// `EINVAL`: it is not.
    fn try_from(fd: OwnedFd) -> Result<NetnsFd> {
        const CALL: &str = "NS_GET_NSTYPE";
        // For another type of file, the number may be that of another request.
        let is_namespace = fstatfs(&fd).is_ok_and(|fs| fs.filesystem_type() == NSFS_MAGIC);
        // SAFETY: this request has no argument, and writes nowhere.
        let kind = is_namespace.then(|| unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_NSTYPE) });
        if kind != Some(libc::CLONE_NEWNET) {
            return Err(Error::misuse(CALL, "the descriptor is not a network namespace".into()));
        }
        fd::above_stdio(fd).map(NetnsFd).map_err(|error| Error::from_io(CALL, &error))
    }
}

impl NetnsFd {
    /// The name of the call that enters a namespace, in errors.
    pub(super) const ENTER: &str = "setns";

    /// Runs `work` in this namespace, on a thread of its own: the caller's namespace does not change.
    ///
    /// # Errors
    ///
    /// Those of `work`, of starting a thread (`clone`: `EAGAIN`, `ENOMEM`), and of `setns`: `EPERM` without
    /// `CAP_SYS_ADMIN`, both here and in the user namespace that owns this one.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let enter_and_work = || {
            setns(self.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::new(Self::ENTER, errno as i32))?;
            work()
        };
        thread::scope(|scope| {
            let started = thread::Builder::new().name("netns".into()).spawn_scoped(scope, enter_and_work);
            let thread = started.map_err(|error| Error::from_io("clone", &error))?;
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}
