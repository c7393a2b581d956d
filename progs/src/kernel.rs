//! What is true of the kernel that a program is written for. What differs between kernels is decided from these facts.

use kwalk_asm::Isa;
use kwalk_btf::{Btf, Error, Kind, TypeId};

use crate::version::Version;

/// The kernel that programs are written for: its types, and what else is to be known of it.
///
/// The crate `kwalk` gathers the facts of the running kernel. Of one that is only described by a file of BTF, there are the
/// defaults of [`Kernel::described`]. What a kernel can do is looked up in its types, since distributions port features
/// back; its version tells only what no type shows ([`Kernel::filters_any_thread`]).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
/// use kwalk_progs::Kernel;
///
/// let btf = kwalk_btf::Btf::new(&bytes)?;
/// let mut kernel = Kernel::described(&btf);
/// assert!(kernel.has_jit);
/// // A kernel without a JIT calls no kfuncs.
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
    /// Bytes of a page.
    pub page_size: u64,
    /// Whether it compiles programs (`net.core.bpf_jit_enable`). One that does not refuses all calls of kfuncs, with the
    /// error number 524.
    pub has_jit: bool,
}

impl<'a> Kernel<'a> {
    /// A kernel of which nothing but the types is known: its version is not, its pages have 4,096 bytes, and it has a JIT.
    pub fn described(btf: &'a Btf<'a>) -> Kernel<'a> {
        Kernel { btf, version: None, page_size: 4096, has_jit: true }
    }

    /// The function of the kernel's own that has this name, if a program can call it: it is there, and there is a JIT.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`], where the BTF is damaged.
    pub fn kfunc(&self, name: &str) -> Result<Option<TypeId>, Error> {
        Ok(self.kfuncs([name])?[0])
    }

    /// The same for several, in one pass over the types.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`], where the BTF is damaged.
    pub fn kfuncs<const N: usize>(&self, names: [&str; N]) -> Result<[Option<TypeId>; N], Error> {
        if !self.has_jit {
            return Ok([None; N]);
        }
        self.btf.find_many(names.map(|name| (Kind::Func, name)))
    }

    /// Which instructions it has. Only programs of more than 32,767 instructions depend on it, by `gotol`.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`], where the BTF is damaged.
    pub fn isa(&self) -> Result<Isa, Error> {
        // No type came with `gotol` in Linux 6.6. This function came with the next version, and its JITs all have `gotol`.
        let [later] = self.btf.find_many([(Kind::Func, "bpf_jit_supports_exceptions")])?;
        Ok(if later.is_some() { Isa::NEWEST } else { Isa::linux(5, 8) })
    }

    /// Whether links take a process or a thread as a parameter (Linux 6.1): `union bpf_iter_link_info` has a place for it.
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find_many`], where the BTF is damaged.
    pub fn links_take_tasks(&self) -> Result<bool, Error> {
        let [info] = self.btf.find_many([(Kind::Union, "bpf_iter_link_info")])?;
        Ok(info.is_some_and(|info| self.btf.path(info, "task.tid").is_ok()))
    }

    // Faults that no type shows, by the version that mended them.

    /// Whether a walk that is restricted to a thread or a process is right. Before 6.12, links took the number of a thread
    /// for that of a process; and walks of what threads share went on, behind the end, with the process's other threads.
    pub fn filters_any_thread(&self) -> bool {
        self.version.is_some_and(|version| version >= ANY_THREAD)
    }
}

/// The first kernel whose walks of one thread are right.
pub const ANY_THREAD: Version = (6, 12);
