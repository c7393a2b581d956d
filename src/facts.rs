//! Gathers the facts about the running kernel that programs are written from.

use std::fs::{File, metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;

use kwalk_btf::{Btf, Kind};
use kwalk_progs::Kernel;

use crate::sys::{page_size, release};

/// The running kernel, whose types are `btf`.
///
/// Facts that can't be found out, because /proc or /sys is not mounted or not readable, are as in
/// [`Kernel::described`]; but questions are then planned for any namespace, which takes more instructions. What only plans
/// depend on (CPUs, the time of boot, namespaces) is gathered with the feature `select`.
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
    #[cfg(feature = "select")]
    crate::select::gather(&mut kernel);
    kernel
}

/// Whether the kernel has a JIT and it is enabled; true if that can't be found out.
fn has_jit(btf: &Btf<'_>) -> bool {
    match read("/proc/sys/net/core/bpf_jit_enable", &mut [0; 16]) {
        Ok(enabled) => enabled != "0",
        // The file does not exist on a kernel without a JIT, nor in network namespaces other than the first. The
        // function exists only on a kernel with a JIT.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            btf.find(Kind::Func, "bpf_jit_alloc_exec").is_ok()
        }
        // Only root may read it.
        Err(_) => true,
    }
}

/// Whether the calling thread is in the initial pid namespace (`PROC_PID_INIT_INO` in `include/linux/proc_ns.h`); false if
/// /proc is not mounted.
pub(crate) fn has_initial_pids() -> bool {
    is_in_namespace("pid", 0xEFFF_FFFC)
}

/// Whether the calling thread is in the namespace of this kind that has this inode number; false if /proc is not mounted.
pub(crate) fn is_in_namespace(kind: &str, inode: u64) -> bool {
    metadata(format!("/proc/thread-self/ns/{kind}")).is_ok_and(|file| file.ino() == inode)
}

/// Reads the first line of a file in /proc or /sys with as few system calls as possible, since every walk calls it.
pub(crate) fn read<'a>(path: &str, buf: &'a mut [u8]) -> io::Result<&'a str> {
    let len = File::open(path)?.read(buf)?;
    if len == buf.len() {
        return Err(ErrorKind::FileTooLarge.into());
    }
    std::str::from_utf8(&buf[..len]).map(str::trim_end).map_err(|_| ErrorKind::InvalidData.into())
}
