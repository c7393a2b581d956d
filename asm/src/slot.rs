//! Holes in the instructions, for what only a loader knows.

use crate::wide::Wide;

/// A hole that a loader fills while it encodes ([`Code::encode`](crate::Code::encode)).
///
/// A map is named by its index in a list that is the program's and the loader's to agree on; the
/// loader puts in the file descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Slot {
    /// A map, as helpers take it (`BPF_PSEUDO_MAP_FD`).
    Map(u32),
    /// The address of a byte in the value of a map, which must have such addresses, as an array of
    /// one element does (`BPF_PSEUDO_MAP_VALUE`). Since Linux 5.2.
    MapValue {
        /// The index of the map.
        index: u32,
        /// The offset in the value, in bytes.
        offset: u32,
    },
}

// An unfilled hole is an instruction too: the one that names the map by index and leaves the
// look-up to the kernel.
impl From<Slot> for Wide {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::Map(index) => Self::MapIdx(index),
            Slot::MapValue { index, offset } => Self::MapIdxValue { index, offset },
        }
    }
}

impl Slot {
    pub(crate) fn in_wide(wide: Wide) -> Option<Self> {
        match wide {
            Wide::MapIdx(index) => Some(Self::Map(index)),
            Wide::MapIdxValue { index, offset } => Some(Self::MapValue { index, offset }),
            _ => None,
        }
    }

    pub(crate) fn filled(self, fd: i32) -> Wide {
        match self {
            Self::Map(_) => Wide::MapFd(fd),
            Self::MapValue { offset, .. } => Wide::MapFdValue { fd, offset },
        }
    }
}
