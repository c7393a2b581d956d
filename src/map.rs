//! Maps by what people call them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kwalk_btf::near;

use crate::error::{Error, MapError};
use crate::path::{c_path, is_dotted};
use crate::sys::{self, MapFd, ObjGet, bpf, ids, open_id};

/// What names a map.
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
    /// Its id.
    Id(u32),
    /// Its name, which it may share with others.
    Name(String),
    /// Where it is pinned.
    Path(PathBuf),
}

impl MapName {
    /// Reads `id:N`, `name:NAME` or else a path; `./id:7` is one.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] where `id:` is followed by what is no id, or `name:` by what is no name.
    pub fn new(text: impl AsRef<OsStr>) -> Result<MapName, Error> {
        let text = text.as_ref();
        let failed = |reason| Err(Error::Map { map: text.to_string_lossy().into_owned(), reason });
        let behind = |prefix: &str| {
            text.as_bytes().strip_prefix(prefix.as_bytes()).map(|rest| String::from_utf8_lossy(rest))
        };
        if let Some(id) = behind("id:") {
            // `parse` takes a sign.
            let id = id.parse().ok().filter(|number| *number != 0 && !id.starts_with('+'));
            return id.map_or_else(|| failed(MapError::NoId), |id| Ok(MapName::Id(id)));
        }
        match behind("name:") {
            Some(name) if name.is_empty() => failed(MapError::NoName),
            Some(name) => Ok(MapName::Name(name.into())),
            None => Ok(MapName::Path(text.into())),
        }
    }

    /// Opens the map. By id or name, that takes `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] where there is none or more than one of this name, [`Error::Open`] and [`Error::NotA`] of what is
    /// pinned, [`Error::Sys`] where the kernel refuses.
    pub fn open(&self) -> Result<MapFd, Error> {
        match self {
            MapName::Id(id) => existing(open_id(*id))?.ok_or_else(|| self.missing(Vec::new())),
            MapName::Name(name) => self.named(name),
            MapName::Path(path) => self.pinned(path),
        }
    }

    fn named(&self, wanted: &str) -> Result<MapFd, Error> {
        let (mut found, mut ids_found, mut others) = (None, Vec::new(), BTreeSet::new());
        for id in ids::<MapFd>() {
            let id = id?;
            let Some(map) = existing(open_id::<MapFd>(id))? else { continue };
            let name = map.info()?.name;
            if name.as_str() == wanted {
                ids_found.push(id);
                // Of thousands of one name, no more than one is kept open.
                found.get_or_insert(map);
            } else {
                others.insert(name.to_string());
            }
        }
        match (found, ids_found) {
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
            // Who has typed a name alone may have meant a map's.
            libc::ENOENT if path.components().count() < 2 => self.missing(Vec::new()),
            libc::EPERM if !is_dotted(path) => error.into(),
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

/// As [`MapName::new`] reads it.
impl fmt::Display for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapName::Id(id) => write!(f, "id:{id}"),
            MapName::Name(name) => write!(f, "name:{name}"),
            MapName::Path(path) => path.display().fmt(f),
        }
    }
}

/// A map that has gone, or that was never there, is none.
fn existing(opened: sys::Result<MapFd>) -> Result<Option<MapFd>, Error> {
    match opened {
        Ok(map) => Ok(Some(map)),
        Err(error) if error.errno() == libc::ENOENT => Ok(None),
        Err(error) => Err(error.into()),
    }
}
