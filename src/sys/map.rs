//! Maps: types, descriptors and `BPF_MAP_CREATE`. For their elements see `elem`.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use zerocopy::FromZeros;

use super::command::{raw, wire};
use super::{BtfFd, Command, MapInfo, ObjName, Result, info};

/// A value of `enum bpf_map_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapType(pub u32);

impl MapType {
    /// A hash table.
    pub const HASH: MapType = MapType(1);
    /// An array: keys are 4-byte indices, all elements exist.
    pub const ARRAY: MapType = MapType(2);
    /// A hash table with a value per possible CPU.
    pub const PERCPU_HASH: MapType = MapType(5);
    /// An array with a value per possible CPU.
    pub const PERCPU_ARRAY: MapType = MapType(6);
    /// A hash table that evicts the least recently used element when full.
    pub const LRU_HASH: MapType = MapType(9);
    /// The same with a value per possible CPU.
    pub const LRU_PERCPU_HASH: MapType = MapType(10);
    /// Longest-prefix match.
    pub const LPM_TRIE: MapType = MapType(11);
    /// Sockets, by index.
    pub const SOCKMAP: MapType = MapType(15);
    /// Sockets, by key.
    pub const SOCKHASH: MapType = MapType(18);
    /// A value per cgroup and possible CPU.
    pub const PERCPU_CGROUP_STORAGE: MapType = MapType(21);
    /// A value per socket.
    pub const SK_STORAGE: MapType = MapType(24);
    /// The youngest type whose values are known to be of one size (`ARENA`).
    const YOUNGEST: MapType = MapType(33);

    /// Whether a value is `value_size` bytes in user space too, and not a multiple of that.
    pub(super) fn has_plain_values(self) -> bool {
        const PER_CPU: [MapType; 4] = [
            MapType::PERCPU_HASH,
            MapType::PERCPU_ARRAY,
            MapType::LRU_PERCPU_HASH,
            MapType::PERCPU_CGROUP_STORAGE,
        ];
        self <= MapType::YOUNGEST && !PER_CPU.contains(&self)
    }
}

bitflags::bitflags! {
    /// `map_flags` of `BPF_MAP_CREATE`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// A hash table that allocates elements on insertion.
        const NO_PREALLOC = 1 << 0;
        /// User space may only read it.
        const RDONLY = 1 << 3;
        /// User space may only write it.
        const WRONLY = 1 << 4;
        /// Programs may only read it.
        const RDONLY_PROG = 1 << 7;
        /// Programs may only write it.
        const WRONLY_PROG = 1 << 8;
        /// User space may map it into memory.
        const MMAPABLE = 1 << 10;
        const _ = !0;
    }
}

/// A map. It lives until the last descriptor, pin and program that uses it are gone.
///
/// It stores the sizes of the map's keys and values, which never change: the kernel writes as many bytes to our memory.
#[derive(Debug)]
pub struct MapFd {
    fd: OwnedFd,
    map_type: MapType,
    key_size: u32,
    value_size: u32,
}

impl MapFd {
    /// Wraps a descriptor which the kernel says is a map's.
    pub(super) fn known(fd: OwnedFd) -> Result<MapFd> {
        let info = info::map(fd.as_fd())?;
        Ok(MapFd { fd, map_type: info.map_type, key_size: info.key_size, value_size: info.value_size })
    }

    /// Its type.
    pub fn map_type(&self) -> MapType {
        self.map_type
    }

    /// The size of a key, in bytes; 0 for types without keys.
    pub fn key_size(&self) -> usize {
        self.key_size as usize
    }

    /// The size of a value (of one CPU's value, for types that have several), in bytes.
    pub fn value_size(&self) -> usize {
        self.value_size as usize
    }

    /// The kernel's description of the map.
    pub fn info(&self) -> Result<MapInfo> {
        info::map(self.fd.as_fd())
    }
}

impl AsFd for MapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for MapFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl From<MapFd> for OwnedFd {
    fn from(map: MapFd) -> OwnedFd {
        map.fd
    }
}

/// The types of a map's keys and values, for `bpftool` and for map types that require them.
#[derive(Clone, Copy, Debug)]
pub struct MapBtf<'a> {
    /// The BTF object.
    pub btf: &'a BtfFd,
    /// The type of the keys in it; 0 for `void`.
    pub key_type_id: u32,
    /// The type of the values in it.
    pub value_type_id: u32,
}

/// `BPF_MAP_CREATE`. Gives a [`MapFd`].
///
/// # Errors
///
/// `EINVAL`: sizes, entries or flags that the type does not allow; `EPERM`: `CAP_BPF` is missing; `ENOMEM`, `E2BIG`:
/// too large.
#[derive(Debug)]
pub struct MapCreate<'a> {
    /// The map's type.
    pub map_type: MapType,
    /// The size of a key, in bytes.
    pub key_size: u32,
    /// The size of a value, in bytes.
    pub value_size: u32,
    /// The maximal number of elements.
    pub max_entries: u32,
    /// Options and access rights.
    pub flags: MapFlags,
    /// Its name for bpftool and the like.
    pub name: ObjName,
    /// The types of its keys and values.
    pub btf: Option<MapBtf<'a>>,
}

impl MapCreate<'_> {
    /// A map with nothing but its type and sizes.
    pub fn new(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Self {
        let (flags, name) = (MapFlags::empty(), ObjName::default());
        MapCreate { map_type, key_size, value_size, max_entries, flags, name, btf: None }
    }
}

wire! {
    pub MapCreateAttr: 60 {
        0 map_type: u32, 4 key_size: u32, 8 value_size: u32, 12 max_entries: u32,
        16 map_flags: u32, 20 inner_map_fd: u32, 24 numa_node: u32, 28 map_name: [u8; 16],
        44 map_ifindex: u32, 48 btf_fd: u32, 52 btf_key_type_id: u32, 56 btf_value_type_id: u32,
    }
}

// SAFETY: no address is involved.
unsafe impl Command for MapCreate<'_> {
    const CMD: c_int = 0;
    const NAME: &'static str = "BPF_MAP_CREATE";
    const CHARGES_MEMLOCK: bool = true;
    type Attr = MapCreateAttr;
    type Returned = OwnedFd;
    type Output = MapFd;

    fn attr(&mut self) -> Result<MapCreateAttr> {
        Ok(MapCreateAttr {
            map_type: self.map_type.0,
            key_size: self.key_size,
            value_size: self.value_size,
            max_entries: self.max_entries,
            map_flags: self.flags.bits(),
            map_name: self.name.0,
            btf_fd: self.btf.map_or(0, |btf| raw(btf.btf)),
            btf_key_type_id: self.btf.map_or(0, |btf| btf.key_type_id),
            btf_value_type_id: self.btf.map_or(0, |btf| btf.value_type_id),
            ..MapCreateAttr::new_zeroed()
        })
    }

    fn output(self, fd: OwnedFd, _: &MapCreateAttr) -> Result<MapFd> {
        Ok(MapFd { fd, map_type: self.map_type, key_size: self.key_size, value_size: self.value_size })
    }
}
