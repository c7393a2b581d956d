//! Tests whether a number is that of a process or thread.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::sys::pidfd_open;

/// Whether a process or thread has this number. `kill` accepts both; for it, 0 means the process group.
pub(crate) fn exists(number: u32) -> bool {
    i32::try_from(number)
        .is_ok_and(|number| number != 0 && kill(Pid::from_raw(number), None) != Err(Errno::ESRCH))
}

/// Whether the number is that of a process; also true if this can't be decided.
pub(crate) fn leads(number: u32) -> bool {
    let errno = pidfd_open(number).err().and_then(|error| error.raw_os_error());
    // For a thread, ENOENT since 6.16. Other errors, like EMFILE and EPERM, don't depend on the number.
    !matches!(errno, Some(libc::ESRCH | libc::EINVAL | libc::ENOENT))
}
