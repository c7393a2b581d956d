//! BTF's records in memory, from `include/uapi/linux/btf.h` and the kernel's `Documentation/bpf/btf.rst`.
//!
//! Every record is a sequence of unaligned 32-bit words, so any byte slice can be read in place. The words can be in
//! either byte order: only [`Endian::get`] reads them.

use core::fmt;

use zerocopy::byteorder::{NativeEndian, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) type Word = U32<NativeEndian>;

pub(crate) const MAGIC: u16 = 0xeb9f;
pub(crate) const VERSION: u8 = 1;

/// The byte order of a BTF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endian {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

impl Endian {
    /// The byte order of the machine that this is compiled for, which is that of its kernel's BTF.
    pub const NATIVE: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };

    /// The byte order in which these bytes are BTF's magic number, if they are.
    pub(crate) fn of_magic(bytes: [u8; 2]) -> Option<Endian> {
        match u16::from_le_bytes(bytes) {
            MAGIC => Some(Endian::Little),
            other if other.swap_bytes() == MAGIC => Some(Endian::Big),
            _ => None,
        }
    }

    /// The value of a word in this byte order.
    #[inline(always)]
    pub(crate) fn get(self, word: Word) -> u32 {
        if self as u8 == Endian::NATIVE as u8 { word.get() } else { word.get().swap_bytes() }
    }
}

/// The bit of the kind flag in a record's second word.
pub(crate) const fn flag(flag: bool) -> u32 {
    (flag as u32) << 31
}

/// `struct btf_type`, with which every type begins, as it is in memory.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RawRecord {
    name_off: Word,
    info: Word,
    size_or_type: Word,
}

impl RawRecord {
    #[inline(always)]
    pub(crate) fn read(&self, endian: Endian) -> Record {
        Record {
            name_off: endian.get(self.name_off),
            info: endian.get(self.info),
            size_or_type: endian.get(self.size_or_type),
        }
    }
}

/// A [`RawRecord`], decoded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Record {
    pub(crate) name_off: u32,
    info: u32,
    /// A size in bytes or the id of another type, depending on the kind.
    pub(crate) size_or_type: u32,
}

impl Record {
    /// The kind's number, in bits 24 to 30: bits 29 and 30 belong to it since Linux 7.2 (`BTF_INFO_KIND`), and are zero
    /// before.
    #[inline]
    pub(crate) fn raw_kind(&self) -> u8 {
        (self.info >> 24) as u8 & 0x7f
    }

    /// The number of members, enumerators, parameters or variables that follow; for a function, its linkage. In bits 0
    /// to 23: bits 16 to 23 belong to it since Linux 7.2 (`BTF_INFO_VLEN`), and are zero before.
    #[inline]
    pub(crate) fn vlen(&self) -> u32 {
        self.info & 0x00ff_ffff
    }

    pub(crate) fn kind_flag(&self) -> bool {
        self.info >> 31 != 0
    }
}

/// `struct btf_layout`, an entry of the layout section: the sizes of what follows a record of one kind.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Layout {
    /// The size of the part that follows once, in bytes.
    info_sz: u8,
    /// The size of the part that follows `vlen` times, in bytes.
    elem_sz: u8,
    _flags: [u8; 2],
}

impl Layout {
    /// Both sizes of an unknown kind; `None` if there is no entry, or they are not multiples of a word (as in libbpf's
    /// `btf_type_size_unknown`).
    pub(crate) fn of_unknown(layouts: &[Layout], kind: u8) -> Option<(u8, u8)> {
        let Layout { info_sz, elem_sz, .. } = layouts.get(usize::from(kind))?;
        let known = Kind::from_number(kind).is_some();
        (!known && info_sz % 4 == 0 && elem_sz % 4 == 0).then_some((*info_sz, *elem_sz))
    }
}

/// `struct btf_array`, which follows an ARRAY.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Array {
    pub(crate) element: Word,
    pub(crate) index: Word,
    pub(crate) len: Word,
}

/// `struct btf_member`, of which `vlen` follow a STRUCT or UNION.
#[derive(Debug, Clone, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Member {
    pub(crate) name_off: Word,
    pub(crate) type_id: Word,
    /// The offset in bits; with the kind flag, the bitfield's width in the upper 8 bits and the offset in the lower 24.
    pub(crate) offset: Word,
}

/// `struct btf_enum`, of which `vlen` follow an ENUM.
#[derive(Debug, Clone, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Enum {
    pub(crate) name_off: Word,
    pub(crate) value: Word,
}

/// `struct btf_enum64`, of which `vlen` follow an ENUM64.
#[derive(Debug, Clone, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Enum64 {
    pub(crate) name_off: Word,
    pub(crate) low: Word,
    pub(crate) high: Word,
}

/// `struct btf_param`, of which `vlen` follow a FUNC_PROTO.
#[derive(Debug, Clone, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Param {
    pub(crate) name_off: Word,
    pub(crate) type_id: Word,
}

/// `struct btf_var_secinfo`, of which `vlen` follow a DATASEC.
#[derive(Debug, Clone, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct VarSecinfo {
    pub(crate) type_id: Word,
    pub(crate) offset: Word,
    pub(crate) size: Word,
}

/// A type id, from 1 on; 0 is `void`. It is valid only for the kernel whose BTF it comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`, which has no record.
    pub const VOID: TypeId = TypeId(0);
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal $name:literal,)*) => {
        /// The kind of a type: `BTF_KIND_*`, in the kernel's numbering.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl Kind {
            /// Every kind, in the kernel's numbering.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// The kind with this number.
            pub const fn from_number(number: u8) -> Option<Kind> {
                match number {
                    $($number => Some(Kind::$kind),)*
                    _ => None,
                }
            }

            /// The kind's name, as the kernel and bpftool write it: `FUNC_PROTO`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// An integer, `char` or `bool`.
    Int = 1 "INT",
    /// A pointer.
    Ptr = 2 "PTR",
    /// An array.
    Array = 3 "ARRAY",
    /// A struct.
    Struct = 4 "STRUCT",
    /// A union.
    Union = 5 "UNION",
    /// An enum whose values fit 32 bits.
    Enum = 6 "ENUM",
    /// The forward declaration of a struct or union.
    Fwd = 7 "FWD",
    /// A typedef.
    Typedef = 8 "TYPEDEF",
    /// The qualifier `volatile`.
    Volatile = 9 "VOLATILE",
    /// The qualifier `const`.
    Const = 10 "CONST",
    /// The qualifier `restrict`.
    Restrict = 11 "RESTRICT",
    /// A function.
    Func = 12 "FUNC",
    /// A function's parameters and result.
    FuncProto = 13 "FUNC_PROTO",
    /// A variable; since Linux 5.2.
    Var = 14 "VAR",
    /// A section of variables; since Linux 5.2.
    Datasec = 15 "DATASEC",
    /// A floating-point number; since Linux 5.13.
    Float = 16 "FLOAT",
    /// A tag on a declaration; since Linux 5.16.
    DeclTag = 17 "DECL_TAG",
    /// A tag on a type, such as `__user`; since Linux 5.17.
    TypeTag = 18 "TYPE_TAG",
    /// An enum with a value beyond 32 bits; since Linux 6.0.
    Enum64 = 19 "ENUM64",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The size of what follows a record of this kind, in bytes: a fixed part, and a part for each of its `vlen`.
const fn trail(kind: Kind) -> (usize, usize) {
    match kind {
        // INT: encoding, bit offset and width; VAR: linkage; DECL_TAG: index of the tagged parameter or member.
        Kind::Int | Kind::Var | Kind::DeclTag => (size_of::<Word>(), 0),
        Kind::Array => (size_of::<Array>(), 0),
        Kind::Struct | Kind::Union => (0, size_of::<Member>()),
        Kind::Enum => (0, size_of::<Enum>()),
        Kind::Enum64 => (0, size_of::<Enum64>()),
        Kind::FuncProto => (0, size_of::<Param>()),
        Kind::Datasec => (0, size_of::<VarSecinfo>()),
        Kind::Ptr
        | Kind::Fwd
        | Kind::Typedef
        | Kind::Volatile
        | Kind::Const
        | Kind::Restrict
        | Kind::Func
        | Kind::Float
        | Kind::TypeTag => (0, 0),
    }
}

/// The numbers of [`trail`] for a number that is no kind: more than a section can hold.
const UNKNOWN: (u32, u32) = (u32::MAX, 0);

/// The numbers of [`trail`] for each value of [`Record::raw_kind`].
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
static TRAILS: [(u32, u32); 0x80] = {
    let mut trails = [UNKNOWN; 0x80];
    let mut rest = Kind::ALL;
    while let [kind, more @ ..] = rest {
        let (fixed, each) = trail(*kind);
        trails[*kind as usize] = (fixed as u32, each as u32);
        rest = more;
    }
    trails
};

impl Record {
    /// The number of bytes after the record. For an unknown kind it is larger than any section, so that the traversal
    /// needs only one check.
    #[inline(always)]
    pub(crate) fn trail_len(&self) -> u64 {
        let (fixed, each) = TRAILS.get(usize::from(self.raw_kind())).copied().unwrap_or(UNKNOWN);
        u64::from(fixed) + u64::from(each * self.vlen())
    }
}
