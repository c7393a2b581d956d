//! Which numbers are those of processes.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::sys::pidfd_open;

/// Whether there is a process or thread of this number; `kill` takes both, and 0 for something else.
pub(crate) fn exists(number: u32) -> bool {
    i32::try_from(number)
        .is_ok_and(|number| number != 0 && kill(Pid::from_raw(number), None) != Err(Errno::ESRCH))
}

/// Whether the number is that of a process, or nothing says that it is not.
pub(crate) fn leads(number: u32) -> bool {
    let errno = pidfd_open(number).err().and_then(|error| error.raw_os_error());
    // Of a thread, ENOENT since 6.16. Any other, out of descriptors or forbidden, says nothing about the process.
    !matches!(errno, Some(libc::ESRCH | libc::EINVAL | libc::ENOENT))
}
