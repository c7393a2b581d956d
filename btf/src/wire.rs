//! BTF's records as they lie in memory, after `include/uapi/linux/btf.h` and the kernel's `Documentation/bpf/btf.rst`.
//!
//! Every record is a row of unaligned 32-bit words, so that any byte slice can be read in place. The byte order is the
//! machine's own; [`Word`] is the one place that says so.

use core::fmt;

use zerocopy::byteorder::{NativeEndian, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

pub(crate) type Word = U32<NativeEndian>;

pub(crate) const MAGIC: u16 = 0xeb9f;
pub(crate) const VERSION: u8 = 1;

/// `struct btf_header`, the part known to every kernel. A newer one may be longer, and says so in `hdr_len`.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) magic: U16<NativeEndian>,
    pub(crate) version: u8,
    pub(crate) flags: u8,
    /// All offsets that follow are relative to the end of the header.
    pub(crate) hdr_len: Word,
    pub(crate) type_off: Word,
    pub(crate) type_len: Word,
    pub(crate) str_off: Word,
    pub(crate) str_len: Word,
}

/// `struct btf_type`, with which every type begins.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) name_off: Word,
    info: Word,
    /// A size in bytes or the id of another type, as the kind has it.
    pub(crate) size_or_type: Word,
}

impl Record {
    /// The kind's number.
    ///
    /// The documentation leaves bits 29, 30 and 16 to 23 unused. They are read as the upper bits of their neighbours:
    /// should they ever be set, the record counts as unknown or too long rather than as something it may not be.
    #[inline]
    pub(crate) fn raw_kind(&self) -> u8 {
        (self.info.get() >> 24) as u8 & 0x7f
    }

    /// How many members, enumerators, parameters or variables follow; a function's linkage.
    #[inline]
    pub(crate) fn vlen(&self) -> u32 {
        self.info.get() & 0x00ff_ffff
    }

    pub(crate) fn kind_flag(&self) -> bool {
        self.info.get() >> 31 != 0
    }
}

/// `struct btf_array`, behind an ARRAY.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Array {
    pub(crate) element: Word,
    pub(crate) index: Word,
    pub(crate) len: Word,
}

/// `struct btf_member`, `vlen` of them behind a STRUCT or UNION.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Member {
    pub(crate) name_off: Word,
    pub(crate) type_id: Word,
    /// In bits; with the kind flag, the bitfield's width in the upper 8 bits and the offset in the lower 24.
    pub(crate) offset: Word,
}

/// `struct btf_enum`, `vlen` of them behind an ENUM.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Enum {
    pub(crate) name_off: Word,
    pub(crate) value: Word,
}

/// `struct btf_enum64`, `vlen` of them behind an ENUM64.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Enum64 {
    pub(crate) name_off: Word,
    pub(crate) low: Word,
    pub(crate) high: Word,
}

/// `struct btf_param`, `vlen` of them behind a FUNC_PROTO.
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Param {
    pub(crate) name_off: Word,
    pub(crate) type_id: Word,
}

/// `struct btf_var_secinfo`, `vlen` of them behind a DATASEC.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct VarSecinfo {
    type_id: Word,
    offset: Word,
    size: Word,
}

/// A type's number, from 1 up; 0 is `void`. It means the same to the kernel whose BTF it comes from, and to no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal $name:literal,)*) => {
        /// What a type is: `BTF_KIND_*`, in the kernel's numbering.
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

/// What follows a [`Record`]: so many bytes, and so many more for each of its `vlen`.
#[derive(Clone, Copy)]
struct Trail {
    fixed: u8,
    each: u8,
}

/// [`Trail`] by kind number; none for numbers that are no kind.
#[expect(clippy::indexing_slicing, reason = "the compiler does it, within the array")]
const TRAILS: [Option<Trail>; 128] = {
    let mut trails = [None; 128];
    let mut number = 0;
    while number < trails.len() {
        if let Some(kind) = Kind::from_number(number as u8) {
            trails[number] = Some(trail(kind));
        }
        number += 1;
    }
    trails
};

const fn trail(kind: Kind) -> Trail {
    let (fixed, each) = match kind {
        // Encoding, bit offset and width; linkage; index of the parameter or member that is tagged.
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
    };
    Trail { fixed: fixed as u8, each: each as u8 }
}

impl Record {
    /// How many bytes follow the record, or `None` if its kind is unknown.
    #[inline]
    pub(crate) fn trail_len(&self) -> Option<usize> {
        let kind = self.raw_kind();
        // Nearly half of a kernel's records. A branch lets the processor guess where the next one begins; for what is
        // looked up and multiplied it must wait. Guesses at more kinds go wrong too often.
        if kind == Kind::Func as u8 {
            return Some(0);
        }
        let trail = (*TRAILS.get(usize::from(kind))?)?;
        Some(usize::from(trail.fixed) + usize::from(trail.each) * self.vlen() as usize)
    }
}
