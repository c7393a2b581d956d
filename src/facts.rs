//! The facts of the running kernel, which programs are written from.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

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
    kernel.possible_cpus = possible_cpus().unwrap_or(kernel.possible_cpus);
    kernel.has_jit = has_jit(btf);
    // PROC_PID_INIT_INO (include/linux/proc_ns.h)
    kernel.first_pid_namespace =
        fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link == Path::new("pid:[4026531836]"));
    kernel
}

/// Whether the kernel compiles programs, unless nothing says so.
fn has_jit(btf: &Btf<'_>) -> bool {
    match fs::read_to_string("/proc/sys/net/core/bpf_jit_enable") {
        Ok(enabled) => enabled.trim() != "0",
        // A kernel that was built without a JIT does not have that file; nor is it there in network namespaces but the
        // first. This function is there only with a JIT.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            btf.find(Kind::Func, "bpf_jit_alloc_exec").is_ok()
        }
        // Root alone may read it.
        Err(_) => true,
    }
}

/// How many CPUs the kernel keeps values for: `0-3,8`.
fn possible_cpus() -> Option<u32> {
    let list = fs::read_to_string("/sys/devices/system/cpu/possible").ok()?;
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    };
    list.trim().split(',').map(count).sum()
}
