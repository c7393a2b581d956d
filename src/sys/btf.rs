//! Loads the BTF of programs, and reads the kernel's BTF into memory.

use std::ffi::c_void;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{self, NonNull};

use nix::sys::statfs::{SYSFS_MAGIC, fstatfs};

use super::command::{command, slice, wire};
use super::{BtfFd, Command, Error, Log, Result};

/// `BPF_BTF_LOAD`: hands the types of a program or map to the kernel. Gives a [`BtfFd`].
///
/// # Errors
///
/// `EINVAL`: not well-formed, see the log; `EPERM`: `CAP_BPF` is missing; `ENOSPC`: the log buffer is too small;
/// `E2BIG`: larger than 16 MiB.
#[derive(Debug)]
pub struct BtfLoad<'a> {
    /// The BTF, in the machine's byte order.
    pub btf: &'a [u8],
    /// Where the kernel writes its log.
    pub log: Option<Log<'a>>,
}

wire! {
    pub BtfLoadAttr: 32 {
        0 btf: u64, 8 btf_log_buf: u64, 16 btf_size: u32,
        20 btf_log_size: u32, 24 btf_log_level: u32, 28 btf_log_true_size: u32,
    }
}

// SAFETY: the kernel reads `btf_size` bytes, and writes `btf_log_size` bytes of the log, which is borrowed exclusively.
unsafe impl Command for BtfLoad<'_> {
    command!(18 "BPF_BTF_LOAD", BtfLoadAttr => BtfFd);

    fn attr(&mut self) -> Result<BtfLoadAttr> {
        let (btf, btf_size) = slice(Self::NAME, self.btf)?;
        let (btf_log_level, btf_log_size, btf_log_buf) = Log::attr(self.log.as_mut(), Self::NAME)?;
        Ok(BtfLoadAttr { btf, btf_log_buf, btf_size, btf_log_size, btf_log_level, btf_log_true_size: 0 })
    }

    fn log_true_size(attr: &BtfLoadAttr) -> u32 {
        attr.btf_log_true_size
    }
}

/// The BTF of the running kernel, or of another.
///
/// sysfs returns 4 KiB per read(2): the whole takes some 1350 calls. mmap(2) takes one, and pages that are not accessed
/// cost nothing. On kernels that can't map the file (before 6.16) it is read.
pub struct KernelBtf(Memory);

enum Memory {
    Mapped { start: NonNull<c_void>, len: usize },
    Read(Vec<u8>),
}

// SAFETY: the memory, mapped or not, is only read until it is dropped, and belongs to no thread.
unsafe impl Send for Memory {}
// SAFETY: see above.
unsafe impl Sync for Memory {}

impl KernelBtf {
    /// The file with the running kernel's BTF (since 5.4, with `CONFIG_DEBUG_INFO_BTF`).
    pub const PATH: &'static str = "/sys/kernel/btf/vmlinux";
    /// The name of the call in errors.
    pub(super) const OPEN: &'static str = "open";
    /// The largest file that is read: 256 MiB, more than any kernel's BTF has. A bound for paths like `/dev/zero`.
    pub const MAX_LEN: u64 = 256 << 20;

    /// Opens the running kernel's BTF.
    ///
    /// # Errors
    ///
    /// `ENOENT`: the kernel was built without BTF, or sysfs is not mounted.
    pub fn open() -> Result<KernelBtf> {
        KernelBtf::open_path(KernelBtf::PATH.as_ref())
    }

    /// Opens a file of raw BTF, as in sysfs or in the ELF section `.BTF`.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2); `EFBIG`: more than 256 MiB.
    pub fn open_path(path: &Path) -> Result<KernelBtf> {
        open(path).map(KernelBtf).map_err(|e| Error::at(KernelBtf::OPEN, &path.to_string_lossy(), &e))
    }

    /// The BTF, as unchecked bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: `start` is a mapping of at least `len` readable bytes that lives until `self` is dropped, and
            // whose contents don't change: see `map`.
            Memory::Mapped { start, len } => unsafe {
                std::slice::from_raw_parts(start.cast().as_ptr(), *len)
            },
            Memory::Read(bytes) => bytes,
        }
    }

    /// Whether the bytes are a mapping of the kernel's memory, and not a copy.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Memory::Mapped { .. })
    }
}

impl From<Vec<u8>> for KernelBtf {
    /// Takes BTF from another source.
    fn from(bytes: Vec<u8>) -> KernelBtf {
        KernelBtf(Memory::Read(bytes))
    }
}

impl fmt::Debug for KernelBtf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelBtf")
            .field("len", &self.bytes().len())
            .field("mapped", &self.is_mapped())
            .finish()
    }
}

fn open(path: &Path) -> io::Result<Memory> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    if path == Path::new(KernelBtf::PATH) {
        if let Some(mapped) = map(&file, len) {
            return Ok(mapped);
        }
    }
    let mut bytes = Vec::with_capacity(len.min(KernelBtf::MAX_LEN) as usize);
    file.take(KernelBtf::MAX_LEN + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > KernelBtf::MAX_LEN {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(Memory::Read(bytes))
}

/// Maps the running kernel's BTF, if `file` is that and the kernel supports it.
fn map(file: &File, len: u64) -> Option<Memory> {
    let len = usize::try_from(len).ok().filter(|&len| len != 0)?;
    // In a container or chroot any file may be at that path.
    if fstatfs(file).ok()?.filesystem_type() != SYSFS_MAGIC {
        return None;
    }
    // SAFETY: a new mapping, at an address of the kernel's choice, replaces none. Its memory can be borrowed as
    // `&[u8]` because sysfs maps here the kernel's BTF, part of its read-only data: nobody writes it, and it can't be
    // truncated (SIGBUS), unlike a user's file, or a device's memory elsewhere in sysfs.
    let start =
        unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
    let start = if start == libc::MAP_FAILED { None } else { NonNull::new(start) };
    start.map(|start| Memory::Mapped { start, len })
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Memory::Mapped { start, len } = self {
            // SAFETY: the mapping is ours, and no borrow of it is left. A failure would leave it mapped.
            unsafe { libc::munmap(start.as_ptr(), *len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_outside_of_sysfs_is_read_not_mapped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("btf");
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_ne_bytes).collect();
        std::fs::write(&path, &bytes).unwrap();
        let btf = KernelBtf::open_path(&path).unwrap();
        assert!(!btf.is_mapped());
        assert_eq!(btf.bytes(), bytes);
    }

    #[test]
    fn an_empty_file_is_no_bytes() {
        assert!(KernelBtf::open_path("/dev/null".as_ref()).unwrap().bytes().is_empty());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = KernelBtf::open_path("/nonexistent/btf".as_ref()).unwrap_err();
        assert_eq!(error.errno(), libc::ENOENT);
        assert_eq!(error.to_string(), "open: /nonexistent/btf: No such file or directory (ENOENT)");
    }
}
