//! Commands on the elements of a map.

use super::command::{address, address_mut, command, raw, wire};
use super::{Command, Error, MapFd, Result};

bitflags::bitflags! {
    /// `flags` of `BPF_MAP_UPDATE_ELEM`; none for an update or insertion.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ElemFlags: u64 {
        /// Insert only: `EEXIST` if the key exists.
        const NOEXIST = 1 << 0;
        /// Update only: `ENOENT` if it does not.
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
    /// The buffer for its value.
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

wire! { pub MapElemAttr: 32 { 0 map_fd: u32, 4 _pad: u32, 8 key: u64, 16 value: u64, 24 flags: u64 } }
wire! { pub MapFreezeAttr: 4 { 0 map_fd: u32 } }

// SAFETY: the kernel reads a key and a value of the map's sizes, which `elem` compares with the slices.
unsafe impl Command for MapUpdateElem<'_> {
    command!(2 "BPF_MAP_UPDATE_ELEM", MapElemAttr => ());

    fn attr(&mut self) -> Result<MapElemAttr> {
        let value = (self.value.len(), address(self.value));
        elem(Self::NAME, self.map, self.key, Some(value), self.flags)
    }
}

// SAFETY: the kernel reads a key and writes a value of the map's sizes, which `elem` compares with the slices; `elem`
// refuses the types for which the kernel writes more. The value is borrowed exclusively.
unsafe impl Command for MapLookupElem<'_> {
    command!(1 "BPF_MAP_LOOKUP_ELEM", MapElemAttr => ());

    fn attr(&mut self) -> Result<MapElemAttr> {
        let value = (self.value.len(), address_mut(self.value));
        elem(Self::NAME, self.map, self.key, Some(value), ElemFlags::empty())
    }
}

// SAFETY: the kernel reads a key of the map's size, which `elem` compares with the slices.
unsafe impl Command for MapDeleteElem<'_> {
    command!(3 "BPF_MAP_DELETE_ELEM", MapElemAttr => ());

    fn attr(&mut self) -> Result<MapElemAttr> {
        elem(Self::NAME, self.map, self.key, None, ElemFlags::empty())
    }
}

// SAFETY: no address is involved.
unsafe impl Command for MapFreeze<'_> {
    command!(22 "BPF_MAP_FREEZE", MapFreezeAttr => ());

    fn attr(&mut self) -> Result<MapFreezeAttr> {
        Ok(MapFreezeAttr { map_fd: raw(self.map) })
    }
}

/// The attribute for a key, and if given a value (its length and address), whose sizes are those of the map.
fn elem(
    call: &'static str,
    map: &MapFd,
    key: &[u8],
    value: Option<(usize, u64)>,
    flags: ElemFlags,
) -> Result<MapElemAttr> {
    if value.is_some() && !map.map_type().has_plain_values() {
        let detail = "this type of map has more than one value per key, or is unknown";
        return Err(Error::misuse(call, detail.into()));
    }
    let value_sizes = value.map(|(len, _)| ("value", len, map.value_size()));
    for (what, len, size) in [("key", key.len(), map.key_size())].into_iter().chain(value_sizes) {
        if len != size {
            let detail = format!("a {what} of {len} bytes for a map whose {what}s have {size}");
            return Err(Error::misuse(call, detail));
        }
    }
    let value = value.map_or(0, |(_, address)| address);
    Ok(MapElemAttr { map_fd: raw(map), _pad: 0, key: address(key), value, flags: flags.bits() })
}
