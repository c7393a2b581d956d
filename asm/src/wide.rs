//! The values of wide loads.

use crate::wire;

/// The value that a wide load puts into its register (RFC 9669, section 5.4; `BPF_PSEUDO_*` in
/// `include/uapi/linux/bpf.h`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Wide {
    /// A number.
    Imm(u64),
    /// A map, by file descriptor (`BPF_PSEUDO_MAP_FD`).
    MapFd(i32),
    /// The address of a byte in a map's value, by file descriptor (`BPF_PSEUDO_MAP_VALUE`, since
    /// Linux 5.2).
    MapFdValue {
        /// The map.
        fd: i32,
        /// The offset in its value, in bytes.
        offset: u32,
    },
    /// The address of a variable of the kernel or of a module (`BPF_PSEUDO_BTF_ID`, since Linux
    /// 5.10), or of a function (since 5.12).
    BtfId {
        /// The id of its VAR or FUNC.
        btf_id: u32,
        /// The descriptor of the module's BTF, or 0 for the kernel's own (since Linux 5.12).
        btf_fd: i32,
    },
    /// The address of one of the program's functions, to be passed to a helper as a callback
    /// (`BPF_PSEUDO_FUNC`, since Linux 5.13).
    Func {
        /// The distance to its start, in 8-byte slots, counted as for a jump: 0 would be the second
        /// half of this wide load, 1 is the next instruction.
        offset: i32,
    },
    /// A map, by its index in the `fd_array` the program is loaded with (`BPF_PSEUDO_MAP_IDX`,
    /// since Linux 5.14); before loading, a map whose descriptor is still to be filled in:
    /// [`Reloc::Map`](crate::Reloc::Map).
    MapIdx(u32),
    /// The address of a byte in a map's value, by index (`BPF_PSEUDO_MAP_IDX_VALUE`, since Linux
    /// 5.14); before loading, [`Reloc::MapValue`](crate::Reloc::MapValue).
    MapIdxValue {
        /// The index of the map.
        index: u32,
        /// The offset in its value, in bytes.
        offset: u32,
    },
}

impl Wide {
    /// The pseudo source register and the two immediates.
    pub(crate) const fn to_fields(self) -> (u8, i32, i32) {
        match self {
            Self::Imm(value) => (wire::IMM64, value as i32, (value >> 32) as i32),
            Self::MapFd(fd) => (wire::MAP_FD, fd, 0),
            Self::MapFdValue { fd, offset } => (wire::MAP_FD_VALUE, fd, offset as i32),
            Self::BtfId { btf_id, btf_fd } => (wire::BTF_ID, btf_id as i32, btf_fd),
            Self::Func { offset } => (wire::FUNC, offset, 0),
            Self::MapIdx(index) => (wire::MAP_IDX, index as i32, 0),
            Self::MapIdxValue { index, offset } => (wire::MAP_IDX_VALUE, index as i32, offset as i32),
        }
    }

    pub(crate) const fn from_fields(src: u8, imm: i32, next_imm: i32) -> Option<Self> {
        Some(match src {
            wire::IMM64 => Self::Imm((next_imm as u32 as u64) << 32 | imm as u32 as u64),
            wire::MAP_FD => Self::MapFd(imm),
            wire::MAP_FD_VALUE => Self::MapFdValue { fd: imm, offset: next_imm as u32 },
            wire::BTF_ID => Self::BtfId { btf_id: imm as u32, btf_fd: next_imm },
            wire::FUNC => Self::Func { offset: imm },
            wire::MAP_IDX => Self::MapIdx(imm as u32),
            wire::MAP_IDX_VALUE => Self::MapIdxValue { index: imm as u32, offset: next_imm as u32 },
            _ => return None,
        })
    }
}
