//! Capabilities, the locked-memory limit, and pidfds.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use super::fd::Returned as _;

bitflags::bitflags! {
    /// Capabilities that bear on BPF, as bits of a capability set; see capabilities(7).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Caps: u64 {
        /// Everything below, and enumerating the kernel's BPF objects.
        const SYS_ADMIN = 1 << 21;
        /// Programs that read kernel memory, since 5.8.
        const PERFMON = 1 << 38;
        /// Create maps, BTF and programs, since 5.8.
        const BPF = 1 << 39;
        const _ = !0;
    }
}

impl Caps {
    /// The effective set of the calling thread, from capget(2).
    ///
    /// # Errors
    ///
    /// Only if the system call itself is denied (seccomp).
    pub fn effective() -> io::Result<Caps> {
        /// `struct __user_cap_header_struct` of linux/capability.h.
        #[repr(C)]
        struct Header {
            version: u32,
            pid: i32,
        }
        /// `struct __user_cap_data_struct`; version 3 has two, the low 32 bits first.
        #[repr(C)]
        #[derive(Clone, Copy, Default)]
        struct Data {
            effective: u32,
            permitted: u32,
            inheritable: u32,
        }
        const VERSION_3: u32 = 0x2008_0522;

        let mut header = Header { version: VERSION_3, pid: 0 };
        let mut data = [Data::default(); 2];
        // SAFETY: both have the layout of version 3, and are ours to be written.
        let status = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Caps::from_bits_retain(u64::from(data[1].effective) << 32 | u64::from(data[0].effective)))
    }

    /// The capabilities of `self` that a process with `caps` lacks. `CAP_SYS_ADMIN` implies the two younger ones.
    pub fn missing_from(self, caps: Caps) -> Caps {
        let implied = if caps.contains(Caps::SYS_ADMIN) { Caps::BPF | Caps::PERFMON } else { Caps::empty() };
        self.difference(caps | implied)
    }
}

/// As in capabilities(7), joined by "and": `CAP_PERFMON and CAP_BPF`.
impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter_names().enumerate().try_for_each(|(i, (name, _))| {
            let and = if i == 0 { "" } else { " and " };
            write!(f, "{and}CAP_{name}")
        })
    }
}

/// Opens a pidfd (pidfd_open(2), since 5.3), by the pid in the caller's pid namespace.
///
/// # Errors
///
/// `ESRCH`: no such process; `EINVAL`: not a positive number or, before 6.16, a thread that leads no process
/// (later `ENOENT`).
pub fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    open(pid, 0)
}

/// Opens a pidfd of a thread, which may lead its process or not (`PIDFD_THREAD`, since 6.9).
///
/// # Errors
///
/// `ESRCH`: no such thread; `EINVAL`: not a positive number, or an older kernel.
pub fn pidfd_open_thread(tid: u32) -> io::Result<OwnedFd> {
    open(tid, libc::O_EXCL)
}

fn open(pid: u32, flags: libc::c_int) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })
}

/// Duplicates a descriptor of another process (pidfd_getfd(2), since 5.6).
///
/// # Errors
///
/// `EBADF`: the process has no such descriptor; `EPERM`: the caller may not trace it; `ESRCH`: it has ended.
pub fn pidfd_getfd(pidfd: BorrowedFd<'_>, fd: u32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}

/// The result of a system call that returns a new descriptor.
fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(fd) {
        // SAFETY: the callers' system calls return new descriptors.
        Ok(fd) if fd >= 0 => unsafe { OwnedFd::from_value(fd) },
        _ => Err(io::Error::last_os_error()),
    }
}

/// Raises this process's limit of locked memory: to no limit if that is allowed, else to the hard limit. Kernels before
/// 5.11 charge maps and programs against it. Returns whether the limit was raised.
///
/// # Errors
///
/// Only if the limits can't even be read.
pub fn raise_memlock() -> io::Result<bool> {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid memory for one rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut old) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let raised = [libc::RLIM_INFINITY, old.rlim_max].into_iter().any(|limit| {
        let new = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        // SAFETY: a valid rlimit, only read.
        limit > old.rlim_cur && unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const new) } == 0
    });
    Ok(raised)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn sys_admin_stands_in_for_bpf_and_perfmon_alone() {
        let needed = Caps::BPF | Caps::PERFMON;
        assert_eq!(needed.missing_from(Caps::SYS_ADMIN), Caps::empty());
        assert_eq!(needed.missing_from(Caps::empty()).to_string(), "CAP_PERFMON and CAP_BPF");
        assert_eq!(needed.missing_from(Caps::all()), Caps::empty());
    }

    #[test]
    fn the_effective_set_is_what_proc_says() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
        let expected = u64::from_str_radix(line, 16).unwrap();
        assert_eq!(Caps::effective().unwrap().bits(), expected);
    }

    #[test]
    fn a_pidfd_is_for_a_process_that_exists() {
        assert!(pidfd_open(std::process::id()).unwrap().as_raw_fd() > 2);
        // Above the largest possible pid_max.
        assert_eq!(pidfd_open(1 << 30).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        for pid in [0, u32::MAX] {
            assert_eq!(pidfd_open(pid).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        }
    }

    #[test]
    fn the_locked_memory_limit_never_sinks() {
        let soft = || {
            let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
            let line = limits.lines().find(|line| line.starts_with("Max locked memory")).unwrap();
            line.split_whitespace().nth(3).unwrap().parse().unwrap_or(u64::MAX)
        };
        let before = soft();
        let raised = raise_memlock().unwrap();
        assert_eq!(raised, soft() > before);
        assert!(soft() >= before);
        assert!(!raise_memlock().unwrap(), "raised as far as it goes");
    }
}
