//! Pins links in a bpffs, so that they outlive the process.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::error::{Error, PinError};
use crate::link::Link;
use crate::load::Loaded;
use crate::path::{c_path, is_dotted};
use crate::sys::{ObjPin, ProgFd, bpf, open_id};

/// A path in a bpffs at which nothing exists yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinPath(PathBuf);

impl PinPath {
    /// Checks that a link can be pinned at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Pin`] if `path` is outside a bpffs, exists, or has a name that bpffs refuses.
    pub fn new(path: &Path) -> Result<PinPath, Error> {
        // Without a trailing slash, which the kernel accepts only for directories.
        let path = path.components().as_path();
        let failed = |reason| Error::Pin { path: path.into(), reason };
        path.file_name().ok_or_else(|| failed(PinError::NoName))?;
        let exists = path.symlink_metadata().is_ok();
        // The parent directory of a mount point is in another file system.
        if !(exists && is_bpffs(path).unwrap_or(false)) {
            in_bpffs(path).map_err(failed)?;
        }
        if exists {
            return Err(failed(PinError::Exists));
        }
        if is_dotted(path) {
            return Err(failed(PinError::Dot));
        }
        Ok(PinPath(path.into()))
    }
}

/// Checks that the parent directory of `path` is in a bpffs.
fn in_bpffs(path: &Path) -> Result<(), PinError> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    match is_bpffs(parent) {
        Ok(true) => Ok(()),
        Ok(false) => Err(PinError::NotBpffs),
        Err(errno) => Err(PinError::Io(errno.into())),
    }
}

pub(crate) fn is_bpffs(path: &Path) -> nix::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == BPF_FS_MAGIC)
}

impl Link {
    /// Pins the link, which then outlives this process, until [`unpin`] or the unmount. Only root can read the file
    /// until its mode is changed; other users also need the right to traverse the directories above it.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`].
    pub fn pin(&self, path: &PinPath) -> Result<(), Error> {
        self.pin_at(&path.0)
    }

    fn pin_at(&self, path: &Path) -> Result<(), Error> {
        let name =
            c_path(path).map_err(|error| Error::Pin { path: path.into(), reason: PinError::Io(error) })?;
        Ok(bpf(ObjPin { fd: self.fd().as_fd(), path: &name })?)
    }
}

/// Removes the pinned iterator at `path`. The kernel destroys the link after its last pin and descriptor.
///
/// # Errors
///
/// [`Error::Pin`] if the path is outside a bpffs, [`Error::NotAnIterator`] if something else is pinned at it, which
/// stays.
pub fn unpin(path: &Path) -> Result<(), Error> {
    let failed = |reason| Error::Pin { path: path.into(), reason };
    let is_dir = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_dir && is_bpffs(path).unwrap_or(false) {
        return Err(failed(PinError::Directory));
    }
    in_bpffs(path).map_err(failed)?;
    Link::open(path)?;
    fs::remove_file(path).map_err(|error| failed(PinError::Io(error)))
}

/// Pins several links, readable by root alone, in a directory of their own: all of them, or none.
///
/// The directory is created with mode 000, in which bpffs allows names with a dot, and which only root can read. Its
/// final mode, 755, is set last, so that all pins appear at once.
///
/// # Errors
///
/// [`Error::Pin`] if the directory can't be created, [`Error::Sys`] if a link can't be pinned. The directory is removed
/// then.
pub fn pin_all(PinPath(dir): &PinPath, links: &[(&str, &Link)]) -> Result<(), Error> {
    let failed = |path: &Path, source: io::Error| {
        let reason = match source.kind() {
            io::ErrorKind::AlreadyExists => PinError::Exists,
            _ => PinError::Io(source),
        };
        Error::Pin { path: path.into(), reason }
    };
    // A name with a slash could lead out of the directory, and a failure would remove a file that is not ours.
    if let Some((name, _)) =
        links.iter().find(|(name, _)| matches!(*name, "" | "." | "..") || name.contains('/'))
    {
        return Err(Error::Pin { path: dir.join(name), reason: PinError::NoName });
    }
    DirBuilder::new().mode(0o000).create(dir).map_err(|error| failed(dir, error))?;
    let pinned = links
        .iter()
        .try_for_each(|(name, link)| {
            let path = dir.join(name);
            link.pin_at(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o400)).map_err(|error| failed(&path, error))
        })
        .and_then(|()| {
            fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(|error| failed(dir, error))
        });
    if pinned.is_err() {
        // Errors of the clean-up are ignored: the caller gets the first one.
        for (name, _) in links {
            let _ = fs::remove_file(dir.join(name));
        }
        let _ = fs::remove_dir(dir);
    }
    pinned
}

/// Replaces the programs of the links that are pinned at these paths: all of them, or none. Walks in progress end with
/// the program that they started with, and each path can be read at any time. Needs `CAP_SYS_ADMIN`.
///
/// # Errors
///
/// [`Error::Open`] if nothing is pinned at a path, [`Error::NotAnIterator`] if it is not the link of an iterator,
/// [`Error::OtherTarget`] if the link walks another target than the program, [`Error::Sys`]. The old programs are
/// restored then.
pub fn replace_all(programs: &[(&Path, &Loaded)]) -> Result<(), Error> {
    let mut replaced = Vec::new();
    for (path, new) in programs {
        let link = Link::open(path)?;
        let info = link.info()?;
        let target = info.iter.as_ref().map_or("", |iter| iter.target.as_str());
        if target != new.target().name {
            return Err(Error::OtherTarget {
                path: (*path).into(),
                pinned: target.into(),
                program: new.target().name.clone().into(),
            });
        }
        replaced.push((link, open_id::<ProgFd>(info.prog_id)?));
    }
    for (nth, ((link, old), (_, new))) in replaced.iter().zip(programs).enumerate() {
        if let Err(error) = link.update(old, new.fd()) {
            for ((link, old), (_, new)) in replaced[..nth].iter().zip(programs) {
                let _ = link.update(new.fd(), old);
            }
            return Err(error);
        }
    }
    Ok(())
}
