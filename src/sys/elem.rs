//! The elements of a map: commands that read and change them.

use std::ffi::c_int;
use std::os::fd::AsRawFd;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::command::{address, address_mut, layout, no_output};
use super::{Command, Error, MapFd, Result};

bitflags::bitflags! {
    /// `flags` of `BPF_MAP_UPDATE_ELEM`; none for an update or insertion.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ElemFlags: u64 {
        /// Insert only: `EEXIST` if the key is there.
        const NOEXIST = 1 << 0;
        /// Update only: `ENOENT` if the key is not there.
        const EXIST = 1 << 1;
        const _ = !0;
    }
}

/// `BPF_MAP_UPDATE_ELEM`: inserts or changes an element.
///
/// # Errors
///
/// `EEXIST`, `ENOENT`: see [`ElemFlags`]; `E2BIG`: the map is full, or the index too large; `EPERM`: the map is frozen,
/// or not writable. A key or value of the wrong length, and a map with values per CPU, are `EINVAL`.
#[derive(Debug)]
pub struct MapUpdateElem<'a> {
    /// The map.
    pub map: &'a MapFd,
    /// The element's key.
    pub key: &'a [u8],
    /// Its new value.
    pub value: &'a [u8],
    /// Whether it must exist, or must not.
    pub flags: ElemFlags,
}

/// `BPF_MAP_LOOKUP_ELEM`: reads an element.
///
/// # Errors
///
/// `ENOENT`: no such key; `EPERM`: the map is not readable. A key or value of the wrong length, and a map with values
/// per CPU, are `EINVAL`.
#[derive(Debug)]
pub struct MapLookupElem<'a> {
    /// The map.
    pub map: &'a MapFd,
    /// The element's key.
    pub key: &'a [u8],
    /// Where its value goes.
    pub value: &'a mut [u8],
}

/// `BPF_MAP_DELETE_ELEM`: removes an element.
///
/// # Errors
///
/// `ENOENT`: no such key; `EINVAL`: elements of an array can't be removed; `EPERM`: the map is frozen, or not writable.
#[derive(Debug)]
pub struct MapDeleteElem<'a> {
    /// The map.
    pub map: &'a MapFd,
    /// The element's key.
    pub key: &'a [u8],
}

/// `BPF_MAP_FREEZE` (since 5.2): from now on user space can't change the map; its programs still can.
///
/// # Errors
///
/// `EPERM`: frozen already, or not writable; `EBUSY`: user space is writing to it, or has it mapped for writing;
/// `ENOTSUPP` (524): not for this type of map.
#[derive(Debug)]
pub struct MapFreeze<'a> {
    /// The map.
    pub map: &'a MapFd,
}

#[doc(hidden)]
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MapElemAttr {
    map_fd: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

layout!(MapElemAttr: 32, map_fd @ 0, key @ 8, value @ 16, flags @ 24);

#[doc(hidden)]
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MapFreezeAttr {
    map_fd: u32,
}

layout!(MapFreezeAttr: 4, map_fd @ 0);

// SAFETY: the kernel reads a key and a value of the map's sizes, which `check` compares with what is lent.
unsafe impl Command for MapUpdateElem<'_> {
    const CMD: c_int = 2;
    const NAME: &'static str = "BPF_MAP_UPDATE_ELEM";
    type Attr = MapElemAttr;
    no_output!();

    fn attr(&mut self) -> Result<MapElemAttr> {
        self.map.check(Self::NAME, self.key, Some(self.value))?;
        Ok(self.map.elem(self.key, address(self.value), self.flags))
    }
}

// SAFETY: the kernel reads a key and writes a value of the map's sizes, which `check` compares with what is lent; types
// for which it writes more are refused there. The value is borrowed exclusively.
unsafe impl Command for MapLookupElem<'_> {
    const CMD: c_int = 1;
    const NAME: &'static str = "BPF_MAP_LOOKUP_ELEM";
    type Attr = MapElemAttr;
    no_output!();

    fn attr(&mut self) -> Result<MapElemAttr> {
        self.map.check(Self::NAME, self.key, Some(self.value))?;
        Ok(self.map.elem(self.key, address_mut(self.value), ElemFlags::empty()))
    }
}

// SAFETY: the kernel reads a key of the map's size, which `check` compares with what is lent.
unsafe impl Command for MapDeleteElem<'_> {
    const CMD: c_int = 3;
    const NAME: &'static str = "BPF_MAP_DELETE_ELEM";
    type Attr = MapElemAttr;
    no_output!();

    fn attr(&mut self) -> Result<MapElemAttr> {
        self.map.check(Self::NAME, self.key, None)?;
        Ok(self.map.elem(self.key, 0, ElemFlags::empty()))
    }
}

// SAFETY: no address is involved.
unsafe impl Command for MapFreeze<'_> {
    const CMD: c_int = 22;
    const NAME: &'static str = "BPF_MAP_FREEZE";
    type Attr = MapFreezeAttr;
    no_output!();

    fn attr(&mut self) -> Result<MapFreezeAttr> {
        Ok(MapFreezeAttr { map_fd: self.map.as_raw_fd() as u32 })
    }
}

impl MapFd {
    /// Whether these are a key, and if given a value, of this map.
    fn check(&self, call: &'static str, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        let wrong = |what, len, size| {
            Err(Error::misuse(call, format!("a {what} of {len} bytes for a map whose {what}s have {size}")))
        };
        if key.len() != self.key_size() {
            return wrong("key", key.len(), self.key_size());
        }
        match value {
            Some(_) if !self.map_type().has_plain_values() => Err(Error::misuse(
                call,
                "this type of map has more than one value per key, or is unknown".into(),
            )),
            Some(value) if value.len() != self.value_size() => wrong("value", value.len(), self.value_size()),
            _ => Ok(()),
        }
    }

    fn elem(&self, key: &[u8], value: u64, flags: ElemFlags) -> MapElemAttr {
        MapElemAttr {
            map_fd: self.as_raw_fd() as u32,
            _pad: 0,
            key: address(key),
            value,
            flags: flags.bits(),
        }
    }
}
