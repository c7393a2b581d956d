//! Commands and types that programs, maps, links and BTF share: names, ids, descriptors, pins.

use std::ffi::{CStr, c_int};
use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::command::{address, command, raw, wire};
use super::{BtfFd, Command, Error, LinkFd, MapFd, ProgFd, Result, bpf, fd};

/// The name of a program or map: at most 15 bytes of letters, digits, `_` and `.`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ObjName(pub(super) [u8; 16]);

impl ObjName {
    /// Converts `name`: other characters become `_`, and characters past the 15th are dropped.
    pub fn new(name: &str) -> ObjName {
        let mut bytes = [0; 16];
        for (byte, c) in bytes[..15].iter_mut().zip(name.chars()) {
            let allowed = c.is_ascii_alphanumeric() || c == '_' || c == '.';
            *byte = if allowed { c as u8 } else { b'_' };
        }
        ObjName(bytes)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // The kernel accepts only ASCII. Should that change, a name that is not UTF-8 is shown as empty.
        let name = self.0.split(|&b| b == 0).next().unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Debug for ObjName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ObjName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

/// A type of object: [`ProgFd`], [`MapFd`], [`LinkFd`] or [`BtfFd`]. See [`ids`] and [`open_id`].
///
/// `try_from` converts a descriptor from another source: it reads the type from `/proc/self/fd`, and refuses (`EINVAL`)
/// another one.
pub trait Object: sealed::Kind + TryFrom<OwnedFd, Error = Error> {}

pub(super) mod sealed {
    use super::{OwnedFd, Result, c_int};

    /// What differs between the kinds of objects.
    pub trait Kind: Sized {
        const NEXT_ID: (c_int, &'static str);
        const FD_BY_ID: (c_int, &'static str);
        const SINCE: Option<(u16, u16)>;

        /// Wraps a descriptor that is known to be of this kind.
        fn adopt(fd: OwnedFd) -> Result<Self>;
    }
}

macro_rules! kinds {
    ($(
        $type:ident = $($proc_name:literal)|+, by $adopt:expr;
        $next_id:literal $next_name:literal, $fd_by_id:literal $fd_name:literal, $since:expr;
    )*) => {$(
        impl Object for $type {}

        impl sealed::Kind for $type {
            const NEXT_ID: (c_int, &'static str) = ($next_id, $next_name);
            const FD_BY_ID: (c_int, &'static str) = ($fd_by_id, $fd_name);
            const SINCE: Option<(u16, u16)> = $since;

            fn adopt(fd: OwnedFd) -> Result<$type> {
                $adopt(fd)
            }
        }

        impl TryFrom<OwnedFd> for $type {
            type Error = Error;

            fn try_from(fd: OwnedFd) -> Result<$type> {
                identify(fd, &[$($proc_name),+]).and_then($adopt)
            }
        }
    )*};
}

kinds! {
    ProgFd = "anon_inode:bpf-prog", by |fd| Ok(ProgFd(fd));
    11 "BPF_PROG_GET_NEXT_ID", 13 "BPF_PROG_GET_FD_BY_ID", None;
    MapFd = "anon_inode:bpf-map", by MapFd::known;
    12 "BPF_MAP_GET_NEXT_ID", 14 "BPF_MAP_GET_FD_BY_ID", None;
    BtfFd = "anon_inode:btf", by |fd| Ok(BtfFd(fd));
    23 "BPF_BTF_GET_NEXT_ID", 19 "BPF_BTF_GET_FD_BY_ID", None;
    // BPF_LINK_CREATE uses the second name; all commands that open an existing link use the first.
    LinkFd = "anon_inode:bpf-link" | "anon_inode:bpf_link", by |fd| Ok(LinkFd(fd));
    31 "BPF_LINK_GET_NEXT_ID", 30 "BPF_LINK_GET_FD_BY_ID", Some((5, 8));
}

/// The ids of all objects of a kind, in ascending order: `ids::<LinkFd>()`. Needs `CAP_SYS_ADMIN`.
///
/// Objects may come and go meanwhile: callers should expect [`open_id`] to fail with `ENOENT`.
pub fn ids<O: Object>() -> Ids<O> {
    Ids { last: Some(0), kind: PhantomData }
}

/// The iterator that [`ids`] returns. It ends after an error.
#[derive(Debug)]
pub struct Ids<O> {
    last: Option<u32>,
    kind: PhantomData<fn() -> O>,
}

impl<O: Object> Iterator for Ids<O> {
    type Item = Result<u32>;

    fn next(&mut self) -> Option<Result<u32>> {
        let next = bpf(GetNextId::<O> { last: self.last?, kind: PhantomData });
        self.last = next.as_ref().ok().copied();
        match next {
            Err(e) if e.errno() == libc::ENOENT => None,
            next => Some(next),
        }
    }
}

impl<O: Object> FusedIterator for Ids<O> {}

/// Opens an object by its id: `open_id::<MapFd>(7)`. Needs `CAP_SYS_ADMIN`.
///
/// # Errors
///
/// `ENOENT`: no such object, or no longer; `EPERM`: the capability is missing.
pub fn open_id<O: Object>(id: u32) -> Result<O> {
    bpf(GetFdById { id, kind: PhantomData })
}

/// `BPF_*_GET_NEXT_ID`.
pub(super) struct GetNextId<O> {
    last: u32,
    kind: PhantomData<O>,
}

wire! { pub(in crate::sys) NextIdAttr: 8 { 0 start_id: u32, 4 next_id: u32 } }

// SAFETY: no address is involved.
unsafe impl<O: Object> Command for GetNextId<O> {
    const CMD: c_int = O::NEXT_ID.0;
    const NAME: &'static str = O::NEXT_ID.1;
    const SINCE: Option<(u16, u16)> = O::SINCE;
    type Attr = NextIdAttr;
    type Returned = ();
    type Output = u32;

    fn attr(&mut self) -> Result<NextIdAttr> {
        Ok(NextIdAttr { start_id: self.last, next_id: 0 })
    }

    fn output(self, (): (), attr: &NextIdAttr) -> Result<u32> {
        Ok(attr.next_id)
    }
}

/// `BPF_*_GET_FD_BY_ID`.
pub(super) struct GetFdById<O> {
    id: u32,
    kind: PhantomData<O>,
}

wire! { pub(in crate::sys) FdByIdAttr: 4 { 0 id: u32 } }

// SAFETY: no address is involved.
unsafe impl<O: Object> Command for GetFdById<O> {
    const CMD: c_int = O::FD_BY_ID.0;
    const NAME: &'static str = O::FD_BY_ID.1;
    const SINCE: Option<(u16, u16)> = O::SINCE;
    type Attr = FdByIdAttr;
    type Returned = OwnedFd;
    type Output = O;

    fn attr(&mut self) -> Result<FdByIdAttr> {
        Ok(FdByIdAttr { id: self.id })
    }

    fn output(self, fd: OwnedFd, _: &FdByIdAttr) -> Result<O> {
        O::adopt(fd)
    }
}

/// `BPF_OBJ_PIN`: gives a program, map or link a name in bpffs, which keeps it alive.
///
/// # Errors
///
/// `EPERM`: not in a bpffs, or a name with a dot; `EEXIST`; `ENOENT`: no such directory; `EACCES`: the directory is not
/// writable.
#[derive(Debug)]
pub struct ObjPin<'a> {
    /// The object.
    pub fd: BorrowedFd<'a>,
    /// The path of the new pin.
    pub path: &'a CStr,
}

/// `BPF_OBJ_GET`: opens a pinned program, map or link. Convert the descriptor to check its type, as in
/// `LinkFd::try_from(fd)`. To read a pinned iterator, open(2) it instead.
///
/// # Errors
///
/// `ENOENT`; `EACCES`: not a pinned object, or not readable and writable by this user.
#[derive(Debug)]
pub struct ObjGet<'a> {
    /// The path of the pin.
    pub path: &'a CStr,
}

wire! { pub ObjAttr: 16 { 0 pathname: u64, 8 bpf_fd: u32, 12 file_flags: u32 } }

// SAFETY: the kernel reads the path up to its NUL.
unsafe impl Command for ObjPin<'_> {
    command!(6 "BPF_OBJ_PIN", ObjAttr => ());

    fn attr(&mut self) -> Result<ObjAttr> {
        let pathname = address(self.path.to_bytes_with_nul());
        Ok(ObjAttr { pathname, bpf_fd: raw(&self.fd), file_flags: 0 })
    }
}

// SAFETY: the kernel reads the path up to its NUL.
unsafe impl Command for ObjGet<'_> {
    command!(7 "BPF_OBJ_GET", ObjAttr => OwnedFd);

    fn attr(&mut self) -> Result<ObjAttr> {
        Ok(ObjAttr { pathname: address(self.path.to_bytes_with_nul()), bpf_fd: 0, file_flags: 0 })
    }
}

/// Returns the descriptor if `/proc/self/fd` shows it with one of these names. `bpf(2)` itself does not give the type:
/// `BPF_OBJ_GET_INFO_BY_FD` accepts each type, with another layout.
fn identify(fd: OwnedFd, names: &[&str]) -> Result<OwnedFd> {
    const CALL: &str = "identify";
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let name = std::fs::read_link(&link).map_err(|e| Error::at(CALL, &link, &e))?;
    if !names.iter().any(|known| name.as_os_str() == *known) {
        return Err(Error::misuse(CALL, format!("the descriptor is {}, not {}", name.display(), names[0])));
    }
    fd::above_stdio(fd).map_err(|e| Error::from_io(CALL, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        for (name, converted) in [
            ("", ""),
            ("task_file.1", "task_file.1"),
            ("a b-c", "a_b_c"),
            ("número", "n_mero"),
            ("exactly15_bytes", "exactly15_bytes"),
            ("more_than_15_bytes", "more_than_15_by"),
        ] {
            assert_eq!(ObjName::new(name).as_str(), converted);
        }
    }
}
