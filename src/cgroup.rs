//! Opens the cgroup that a walk refers to.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};

use crate::error::Error;

/// Opens a cgroup by the path of its directory, for [`CgroupStart::Fd`](crate::sys::CgroupStart::Fd).
///
/// # Errors
///
/// [`Error::Open`] if the directory can't be opened, [`Error::NotA`] if it is not a cgroup's.
pub fn open_cgroup(path: &Path) -> Result<OwnedFd, Error> {
    let failed = |source| Error::open(path, source);
    let file_system = statfs(path).map_err(|errno| failed(errno.into()))?.filesystem_type();
    if ![CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC].contains(&file_system) || !path.is_dir() {
        return Err(Error::NotA { path: path.into(), needs: "a cgroup" });
    }
    Ok(File::open(path).map_err(failed)?.into())
}
