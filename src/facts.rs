//! Gathers the facts of the running kernel that programs are written for.

use std::fs;
use std::path::Path;

use kwalk_btf::Btf;
use kwalk_progs::Kernel;

use crate::sys::{page_size, release};

/// The running kernel, whose BTF is `btf`.
///
/// A fact that /proc or /sys does not show to this process has the default of [`Kernel::described`].
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
    // Only root may read it. A kernel that is built without a JIT does not have it, nor has one with an empty /proc.
    let jit = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable");
    kernel.has_jit = jit.map_or(kernel.has_jit, |jit| jit.trim() != "0");
    // PROC_PID_INIT_INO (include/linux/proc_ns.h)
    kernel.first_pid_namespace =
        fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link == Path::new("pid:[4026531836]"));
    kernel
}

/// The number of possible CPUs, from a list like `0-3,8`.
fn possible_cpus() -> Option<u32> {
    let list = fs::read_to_string("/sys/devices/system/cpu/possible").ok()?;
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    };
    list.trim().split(',').map(count).sum()
}
