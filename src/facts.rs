//! The facts of the running kernel, which programs are written from; and which pid namespace asks.

use std::fs::{File, metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;

use kwalk_btf::{Btf, Kind};
use kwalk_progs::Kernel;

use crate::sys::{page_size, release};

/// The running kernel, of which `btf` is the types.
///
/// What can't be found out, for want of /proc or /sys or of the right to read there, is as [`Kernel::described`] has it.
///
/// ```no_run
/// use kwalk::{KernelBtf, btf::Btf, kernel};
///
/// # fn main() -> Result<(), kwalk::Error> {
/// let types = KernelBtf::open()?;
/// let btf = Btf::new(types.bytes())?;
/// println!("{:?}", kernel(&btf).version);
/// # Ok(())
/// # }
/// ```
pub fn kernel<'a>(btf: &'a Btf<'a>) -> Kernel<'a> {
    let mut kernel = Kernel::described(btf);
    kernel.version = release();
    kernel.page_size = page_size();
    kernel.has_jit = has_jit(btf);
    kernel
}

/// Whether the kernel compiles programs, unless nothing says so.
fn has_jit(btf: &Btf<'_>) -> bool {
    match read("/proc/sys/net/core/bpf_jit_enable", &mut [0; 16]) {
        Ok(enabled) => enabled != "0",
        // A kernel that was built without a JIT does not have that file; nor is it there in network namespaces but the
        // first. This function is there only with a JIT.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            btf.find(Kind::Func, "bpf_jit_alloc_exec").is_ok()
        }
        // Root alone may read it.
        Err(_) => true,
    }
}

/// Whether this process is in the first pid namespace, so that its numbers of processes are the kernel's own. Without /proc
/// it is taken not to be.
pub(crate) fn is_in_first_pid_namespace() -> bool {
    // PROC_PID_INIT_INO (include/linux/proc_ns.h)
    metadata("/proc/self/ns/pid").is_ok_and(|file| file.ino() == 0xEFFF_FFFC)
}

/// The line of a file of /proc or /sys, by as few system calls as can be: every walk pays for these.
pub(crate) fn read<'a>(path: &str, buf: &'a mut [u8]) -> io::Result<&'a str> {
    let len = File::open(path)?.read(buf)?;
    if len == buf.len() {
        return Err(ErrorKind::FileTooLarge.into());
    }
    std::str::from_utf8(&buf[..len]).map(str::trim_end).map_err(|_| ErrorKind::InvalidData.into())
}
