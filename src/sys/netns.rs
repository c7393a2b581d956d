//! Descriptors of network namespaces, and running code in one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::thread;

use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;
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

/// `PIDFD_GET_NET_NAMESPACE` (`include/uapi/linux/pidfd.h`)
const PIDFD_GET_NET_NAMESPACE: libc::Ioctl = 0xff04;
/// `SIOCGSKNS` (`include/uapi/linux/sockios.h`)
const SIOCGSKNS: libc::Ioctl = 0x894c;

impl NetnsFd {
    /// The namespace of a socket of any family (since 4.10).
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_ADMIN` in the namespace; `EINVAL` if the descriptor is no socket.
    pub fn of_socket(socket: BorrowedFd<'_>) -> Result<NetnsFd> {
        const CALL: &str = "SIOCGSKNS";
        // For another type of file, the number may be that of another request.
        let is_socket = fstat(socket).is_ok_and(|file| file.st_mode & libc::S_IFMT == libc::S_IFSOCK);
        if !is_socket {
            return Err(Error::misuse(CALL, "the descriptor is not a socket".into()));
        }
        given(CALL, socket, SIOCGSKNS)
    }

    /// The namespace of a process or thread, by its pidfd (since 6.11).
    ///
    /// # Errors
    ///
    /// `ENOTTY` or `EINVAL` on older kernels; `ESRCH` if it has ended, `EACCES` if the caller may not inspect it.
    pub fn of_pidfd(pidfd: BorrowedFd<'_>) -> Result<NetnsFd> {
        given("PIDFD_GET_NET_NAMESPACE", pidfd, PIDFD_GET_NET_NAMESPACE)
    }

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

/// Makes a request that gives the descriptor of a namespace.
fn given(call: &'static str, of: BorrowedFd<'_>, request: libc::Ioctl) -> Result<NetnsFd> {
    // SAFETY: neither request has an argument, and NULL is nowhere to write to.
    let fd = unsafe { libc::ioctl(of.as_raw_fd(), request, 0) };
    if fd < 0 {
        return Err(Error::from_io(call, &io::Error::last_os_error()));
    }
    // SAFETY: these requests return a new descriptor.
    NetnsFd::try_from(unsafe { OwnedFd::from_raw_fd(fd) })
}
