//! The file descriptors of kernel objects, and reading from one.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};

/// The type of a return value that is not an error.
pub trait Returned: Sized {
    /// Takes ownership of the return value.
    ///
    /// # Safety
    ///
    /// `value` comes from a system call that returns a `Self`, and is used nowhere else.
    unsafe fn from_value(value: RawFd) -> io::Result<Self>;
}

impl Returned for () {
    unsafe fn from_value(_: RawFd) -> io::Result<()> {
        Ok(())
    }
}

impl Returned for OwnedFd {
    unsafe fn from_value(value: RawFd) -> io::Result<OwnedFd> {
        // SAFETY: the caller hands over a descriptor that is new, hence open and ours alone.
        above_stdio(unsafe { OwnedFd::from_raw_fd(value) })
    }
}

macro_rules! fd_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub(super) OwnedFd);

        impl Returned for $name {
            unsafe fn from_value(value: RawFd) -> io::Result<$name> {
                // SAFETY: the caller promises the same.
                unsafe { OwnedFd::from_value(value) }.map($name)
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        impl From<$name> for OwnedFd {
            fn from(fd: $name) -> OwnedFd {
                fd.0
            }
        }
    )*};
}

fd_types! {
    /// A loaded program. It lives until the last descriptor, pin and link to it are gone.
    ProgFd;
    /// A link: a program attached. It lives until the last descriptor and pin are gone.
    LinkFd;
    /// A walk in progress, made from an iterator link. Each walk starts at the first object.
    IterFd;
    /// A BTF object: types of a program, of a module or of the kernel itself.
    BtfFd;
    /// A network namespace. It lives until the last descriptor, process, socket and mount of it are gone.
    NetnsFd;
}

impl IterFd {
    /// Starts a walk of a pinned iterator by opening its file. Needs the right to read it, and no capability.
    ///
    /// # Errors
    ///
    /// Those of open(2); `EIO`: pinned, but not an iterator.
    pub fn open(path: &Path) -> io::Result<IterFd> {
        above_stdio(File::open(path)?.into()).map(IterFd)
    }

    /// One `read(2)`: the bytes read, at most about 32 KiB; 0 is the end of the walk.
    ///
    /// # Errors
    ///
    /// As the kernel gives them, without a retry: `EINTR`; `EAGAIN` after 1,000,000 objects without output (the walk
    /// goes on at the next call); `E2BIG` for an object whose output does not fit the kernel's buffer; `EOPNOTSUPP` for
    /// a cgroup walk that would need a second call.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(&self.0, buf)?)
    }
}

/// Replaces a descriptor with the number of standard input, output or error by a higher one: a program that was started
/// with one of them closed would else print into a kernel object. The low descriptor is closed, also on failure.
pub(super) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    const FIRST: RawFd = libc::STDERR_FILENO + 1;
    if fd.as_raw_fd() >= FIRST {
        return Ok(fd);
    }
    let moved = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(FIRST))?;
    // SAFETY: fcntl has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}
