//! Relocations: the values in instructions that only a loader knows.

use crate::insn::Insn;
use crate::reg::Reg;
use crate::wide::Wide;

/// A relocation of a wide load: a value that the loader supplies while it encodes
/// ([`Code::encode`](crate::Code::encode), [`Code::encode_with`](crate::Code::encode_with)).
///
/// The value is named by its index in a list that is the program's and the loader's to
/// agree on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reloc {
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
    /// The address of a variable or a function of the kernel (`BPF_PSEUDO_BTF_ID`). Since Linux
    /// 5.10.
    Btf(u32),
    /// The address of a function that the loader puts behind the program (`BPF_PSEUDO_FUNC`). Since
    /// Linux 5.13. For one of the program itself there is
    /// [`Assembler::load_func`](crate::Assembler::load_func).
    Func(u32),
}

/// A relocation of a call, which a loader supplies like a [`Reloc`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CallReloc {
    /// A function of the kernel. Since Linux 5.13.
    Kfunc(u32),
    /// A function that the loader puts behind the program. Since Linux 4.16. For one of the program
    /// itself there is [`Assembler::call_local`](crate::Assembler::call_local).
    Func(u32),
}

/// Supplies the values of a program's relocations, by their indexes.
///
/// Each method has a default, for loaders that have no such values.
pub trait Fill {
    /// The map with this index.
    ///
    /// By default it stays named by its index, which the kernel looks up in the `fd_array` the
    /// program is loaded with, as light skeletons do it.
    fn map(&mut self, index: u32) -> MapRef {
        MapRef::Idx(index)
    }

    /// The variable or function of the kernel with this index.
    ///
    /// By default there is none, and the kernel refuses the program.
    fn btf(&mut self, index: u32) -> BtfRef {
        let _ = index;
        BtfRef::default()
    }

    /// The kfunc with this index.
    ///
    /// By default there is none, and the kernel refuses the program.
    fn kfunc(&mut self, index: u32) -> KfuncRef {
        let _ = index;
        KfuncRef::default()
    }

    /// The first slot of a function that the loader appended, counted from the start of the
    /// program.
    ///
    /// By default there is none, and the kernel refuses the program.
    fn func(&mut self, index: u32) -> Option<usize> {
        let _ = index;
        None
    }
}

/// How an instruction refers to a map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MapRef {
    /// By its file descriptor.
    Fd(i32),
    /// By the index of its file descriptor in the `fd_array` the program is loaded with. Since Linux
    /// 5.14.
    Idx(u32),
}

/// How an instruction refers to a variable or function of the kernel whose address it loads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BtfRef {
    /// The id of its VAR or FUNC.
    pub btf_id: u32,
    /// The descriptor of the module's BTF, or 0 for the kernel's own.
    pub btf_fd: i32,
}

/// How an instruction refers to a kfunc that it calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct KfuncRef {
    /// The id of its FUNC.
    pub btf_id: u32,
    /// The index of the descriptor of the module's BTF in the `fd_array` the program is loaded with,
    /// or 0 for the kernel's own.
    pub btf_fd_offset: i16,
}

/// A relocation of either kind, with the register that a wide load writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnyReloc {
    Load(Reg, Reloc),
    Call(CallReloc),
}

/// The descriptor or offset of a relocation before it is filled in, for those that can't be given
/// by index.
const UNFILLED: i32 = -1;

impl AnyReloc {
    /// The relocation of an instruction that names a map by index.
    pub(crate) fn of(insn: Insn) -> Option<Self> {
        match insn {
            Insn::LoadWide { dst, value: Wide::MapIdx(index) } => Some(Self::Load(dst, Reloc::Map(index))),
            Insn::LoadWide { dst, value: Wide::MapIdxValue { index, offset } } => {
                Some(Self::Load(dst, Reloc::MapValue { index, offset }))
            }
            _ => None,
        }
    }

    /// The instruction before the relocation is filled in.
    pub(crate) fn unfilled(self) -> Insn {
        match self {
            Self::Load(dst, slot) => Insn::LoadWide {
                dst,
                value: match slot {
                    Reloc::Map(index) => Wide::MapIdx(index),
                    Reloc::MapValue { index, offset } => Wide::MapIdxValue { index, offset },
                    Reloc::Btf(index) => Wide::BtfId { btf_id: index, btf_fd: UNFILLED },
                    Reloc::Func(_) => Wide::Func { offset: UNFILLED },
                },
            },
            Self::Call(CallReloc::Kfunc(index)) => {
                Insn::CallKfunc { btf_id: index, btf_fd_offset: UNFILLED as i16 }
            }
            Self::Call(CallReloc::Func(_)) => Insn::CallLocal { offset: UNFILLED },
        }
    }

    /// The instruction at this slot with the loader's value.
    pub(crate) fn filled(self, at: usize, fill: &mut impl Fill) -> Insn {
        let mut func = |index| {
            let distance = fill.func(index).map(|slot| crate::relax::distance(at, slot));
            distance.and_then(|distance| i32::try_from(distance).ok()).unwrap_or(UNFILLED)
        };
        match self {
            Self::Load(dst, Reloc::Func(index)) => {
                Insn::LoadWide { dst, value: Wide::Func { offset: func(index) } }
            }
            Self::Call(CallReloc::Func(index)) => Insn::CallLocal { offset: func(index) },
            Self::Call(CallReloc::Kfunc(index)) => {
                let KfuncRef { btf_id, btf_fd_offset } = fill.kfunc(index);
                Insn::CallKfunc { btf_id, btf_fd_offset }
            }
            Self::Load(dst, Reloc::Btf(index)) => {
                let BtfRef { btf_id, btf_fd } = fill.btf(index);
                Insn::LoadWide { dst, value: Wide::BtfId { btf_id, btf_fd } }
            }
            Self::Load(dst, Reloc::Map(index)) => {
                let value = match fill.map(index) {
                    MapRef::Fd(fd) => Wide::MapFd(fd),
                    MapRef::Idx(index) => Wide::MapIdx(index),
                };
                Insn::LoadWide { dst, value }
            }
            Self::Load(dst, Reloc::MapValue { index, offset }) => {
                let value = match fill.map(index) {
                    MapRef::Fd(fd) => Wide::MapFdValue { fd, offset },
                    MapRef::Idx(index) => Wide::MapIdxValue { index, offset },
                };
                Insn::LoadWide { dst, value }
            }
        }
    }
}
