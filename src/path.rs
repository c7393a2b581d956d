//! Paths in a bpffs.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether the name has a dot: bpffs reserves such names (`bpf_lookup` in `kernel/bpf/inode.c`).
pub(crate) fn is_dotted(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().contains(&b'.'))
}

/// The path as a C string; an error of kind `InvalidInput` if it has a NUL.
pub(crate) fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
