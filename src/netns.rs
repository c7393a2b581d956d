//! Network namespaces. A walk shows the sockets or routes of one of them.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use crate::error::{Error, ProcessError};
use crate::process::exists;
use crate::sys::NetnsFd;

/// An open network namespace: it lives at least as long as this value.
///
/// ```no_run
/// # fn main() -> Result<(), kwalk::Error> {
/// println!("{}", kwalk::Netns::open("/run/netns/blue".as_ref())?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Netns {
    fd: NetnsFd,
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
        let fd = NetnsFd::try_from(OwnedFd::from(file)).map_err(|error| match error.errno() {
            libc::EINVAL => other(),
            _ => error.into(),
        })?;
        Netns::of(fd)
    }

    /// The namespace of a descriptor.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the kernel does not tell its inode number.
    pub fn of(fd: NetnsFd) -> Result<Netns, Error> {
        let stat = fstat(&fd).map_err(|errno| Error::open("nsfs".as_ref(), errno.into()))?;
        Ok(Netns { fd, inode: stat.st_ino })
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
