//! Opens maps by id, name or path.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kwalk_btf::near;

use crate::error::{Error, MapError};
use crate::path::{c_path, is_dotted};
use crate::pin::is_bpffs;
use crate::sys::{self, MapFd, ObjGet, bpf, ids, open_id};

/// An id, name or path that refers to a map.
///
/// ```no_run
/// # fn main() -> Result<(), kwalk::Error> {
/// use kwalk::{MapName, Scope};
///
/// let map = MapName::new("name:events")?.open()?;
/// let scope = Scope::Map(&map);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapName {
    /// The map's id.
    Id(u32),
    /// The map's name, which need not be unique.
    Name(String),
    /// The path where the map is pinned.
    Path(PathBuf),
}

impl MapName {
    /// Parses `id:N` or `name:NAME`; any other text is a path, also `./id:7`.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] if no id follows `id:`, or no name follows `name:`.
    pub fn new(text: impl AsRef<OsStr>) -> Result<MapName, Error> {
        let text = text.as_ref();
        let failed = |reason| Err(Error::Map { map: text.to_string_lossy().into_owned(), reason });
        let after = |prefix: &str| {
            text.as_bytes().strip_prefix(prefix.as_bytes()).map(|rest| String::from_utf8_lossy(rest))
        };
        if let Some(id) = after("id:") {
            // `parse` accepts a sign.
            let id = id.parse().ok().filter(|number| *number != 0 && !id.starts_with('+'));
            return id.map_or_else(|| failed(MapError::NoId), |id| Ok(MapName::Id(id)));
        }
        match after("name:") {
            Some(name) if name.is_empty() => failed(MapError::NoName),
            Some(name) => Ok(MapName::Name(name.into())),
            None => Ok(MapName::Path(text.into())),
        }
    }

    /// Opens the map. By id or name, this needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] if no map or more than one has this name, [`Error::Open`] if the path can't be opened,
    /// [`Error::NotA`] if something else is pinned at it, [`Error::Sys`] if the kernel refuses.
    pub fn open(&self) -> Result<MapFd, Error> {
        match self {
            MapName::Id(id) => existing(open_id(*id))?.ok_or_else(|| self.missing(Vec::new())),
            MapName::Name(name) => self.named(name),
            MapName::Path(path) => self.pinned(path),
        }
    }

    fn named(&self, wanted: &str) -> Result<MapFd, Error> {
        let (mut first, mut matching, mut others) = (None, Vec::new(), BTreeSet::new());
        for id in ids::<MapFd>() {
            let id = id?;
            let Some(map) = existing(open_id::<MapFd>(id))? else { continue };
            let name = map.info()?.name;
            if name.as_str() == wanted {
                matching.push(id);
                // Only one stays open, even if thousands have this name.
                first.get_or_insert(map);
            } else {
                others.insert(name.to_string());
            }
        }
        match (first, matching) {
            (None, _) => {
                let near = near(wanted, others.iter().map(String::as_str));
                Err(self.missing(near.iter().map(|name| format!("name:{name}")).collect()))
            }
            (Some(map), ids) if ids.len() == 1 => Ok(map),
            (_, ids) => Err(Error::Map { map: self.to_string(), reason: MapError::Several { ids } }),
        }
    }

    fn pinned(&self, path: &Path) -> Result<MapFd, Error> {
        let name = c_path(path).map_err(|error| Error::open(path, error))?;
        let fd = bpf(ObjGet { path: &name }).map_err(|error| match error.errno() {
            // A path of one component may be meant as the name of a map.
            libc::ENOENT if path.components().count() < 2 => self.missing(Vec::new()),
            libc::EPERM if !is_dotted(path) => error.into(),
            // So the kernel answers for files of other file systems, also to those who may read them.
            libc::EACCES if is_bpffs(path) == Ok(false) => Error::NotA { path: path.into(), needs: "a map" },
            errno => Error::open(path, io::Error::from_raw_os_error(errno)),
        })?;
        MapFd::try_from(fd).map_err(|error| match error.errno() {
            libc::EINVAL => Error::NotA { path: path.into(), needs: "a map" },
            _ => error.into(),
        })
    }

    fn missing(&self, near: Vec<String>) -> Error {
        Error::Map { map: self.to_string(), reason: MapError::None { near } }
    }
}

/// As [`MapName::new`] parses it.
impl fmt::Display for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapName::Id(id) => write!(f, "id:{id}"),
            MapName::Name(name) => write!(f, "name:{name}"),
            MapName::Path(path) => path.display().fmt(f),
        }
    }
}

/// The map, or `None` if no map has this id, or no longer.
fn existing(opened: sys::Result<MapFd>) -> Result<Option<MapFd>, Error> {
    match opened {
        Ok(map) => Ok(Some(map)),
        Err(error) if error.errno() == libc::ENOENT => Ok(None),
        Err(error) => Err(error.into()),
    }
}
