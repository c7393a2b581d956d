//! Facts about the kernel that a program is written for. All differences between kernels are decided from these.

use kwalk_asm::Isa;
use kwalk_btf::{Btf, Error, Kind, TypeId};

use crate::version::Version;

/// A kernel that programs are written for: its types, and other facts.
///
/// The crate `kwalk` gathers the facts of the running kernel. For a kernel that only a BTF file describes, there are
/// the defaults of [`Kernel::described`]. Features are looked up in the types, since distributions backport them; the
/// version is used only for faults that no type shows ([`Kernel::filters_any_thread`]).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
/// use kwalk_progs::Kernel;
///
/// let btf = kwalk_btf::Btf::new(&bytes)?;
/// let mut kernel = Kernel::described(&btf);
/// assert!(kernel.has_jit);
/// // A kernel without a JIT refuses calls of kfuncs.
/// kernel.has_jit = false;
/// assert_eq!(kernel.kfunc("bpf_rdonly_cast")?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Kernel<'a> {
    /// Its types.
    pub btf: &'a Btf<'a>,
    /// Its version, if it is known.
    pub version: Option<Version>,
    /// The size of a page, in bytes.
    pub page_size: u64,
    /// Whether the kernel has a JIT, and it is enabled (`net.core.bpf_jit_enable`). Without, it refuses calls of kfuncs
    /// with the error number 524.
    pub has_jit: bool,
    /// The number of its possible CPUs (`/sys/devices/system/cpu/possible`), if they are numbered from 0 without gaps. A
    /// program that sums what each CPU counts visits so many: with fewer than there are, sums are too small.
    pub possible_cpus: Option<u32>,
    /// When it was booted: the time of day, in nanoseconds since 1970-01-01 UTC, at which its clock of the time since boot
    /// (`CLOCK_BOOTTIME`) was 0. Dates need it.
    pub booted: Option<i64>,
    /// Whether who reads the programs' output is in the initial pid namespace, so that its numbers of processes and
    /// threads are the kernel's own.
    pub has_initial_pids: bool,
    /// Whether who reads the programs' output is in the initial cgroup namespace, where paths of cgroups begin at the root
    /// of their hierarchy.
    pub has_initial_cgroups: bool,
}

impl<'a> Kernel<'a> {
    /// A kernel of which only the types are known: its version and when it was booted are unknown, its pages have 4,096
    /// bytes, it has a JIT and one CPU, and its programs are read in the initial pid and cgroup namespaces.
    pub fn described(btf: &'a Btf<'a>) -> Kernel<'a> {
        Kernel {
            btf,
            version: None,
            page_size: 4096,
            has_jit: true,
            possible_cpus: Some(1),
            booted: None,
            has_initial_pids: true,
            has_initial_cgroups: true,
        }
    }

    /// Looks up a kfunc of the kernel itself; `None` if the kernel lacks it, or has no JIT.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`] if the BTF is damaged.
    pub fn kfunc(&self, name: &str) -> Result<Option<TypeId>, Error> {
        Ok(self.kfuncs([name])?[0])
    }

    /// Looks up several kfuncs in one pass over the types.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`] if the BTF is damaged.
    pub fn kfuncs<const N: usize>(&self, names: [&str; N]) -> Result<[Option<TypeId>; N], Error> {
        if !self.has_jit {
            return Ok([None; N]);
        }
        self.btf.find_many(names.map(|name| (Kind::Func, name)))
    }

    /// The kernel's instruction set. It makes a difference only for programs of more than 32,767 instructions, by
    /// `gotol`.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`] if the BTF is damaged.
    pub fn isa(&self) -> Result<Isa, Error> {
        // No type was added with `gotol` in Linux 6.6. This function was added in 6.7, all of whose JITs have `gotol`.
        let [later] = self.btf.find_many([(Kind::Func, "bpf_jit_supports_exceptions")])?;
        Ok(if later.is_some() { Isa::NEWEST } else { Isa::linux(5, 8) })
    }

    /// Whether links accept a process or thread as a parameter (Linux 6.1): `union bpf_iter_link_info` has a member for
    /// it.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`] if the BTF is damaged.
    pub fn links_take_tasks(&self) -> Result<bool, Error> {
        let [info] = self.btf.find_many([(Kind::Union, "bpf_iter_link_info")])?;
        Ok(info.is_some_and(|info| self.btf.path(info, "task.tid").is_ok()))
    }

    // Faults that no type shows, and the version that fixed them.

    /// Whether links filter correctly by any process or thread. Before 6.12, links took a tid for a pid, and walks of
    /// what threads share continued after the end with the process's other threads.
    pub fn filters_any_thread(&self) -> bool {
        self.version.is_some_and(|version| version >= ANY_THREAD)
    }
}

/// The first kernel whose links filter correctly by any thread.
pub const ANY_THREAD: Version = (6, 12);
