//! Borrowed views of BTF: the whole, one type, its members, its enumerators.

use core::ffi::CStr;
use core::fmt;
use core::ops::Range;
use core::slice;

use zerocopy::FromBytes;

use crate::index::{Index, Stop};
use crate::{Error, Kind, TypeId, wire};

/// The longest name that is read, in bytes. The kernel accepts 511 (`KSYM_NAME_LEN`, since 6.1; before, 127).
pub const NAME_MAX: usize = 1023;

/// How many typedefs, qualifiers, or dimensions of an array may follow each other. The kernel accepts 32.
pub(crate) const CHAIN_MAX: usize = 32;

/// The size of a kernel pointer, in bytes. BTF doesn't tell it; kernels that run iterators on 32 bits aren't served.
pub(crate) const POINTER_SIZE: u32 = 8;

/// BTF bytes, borrowed.
///
/// Look-ups fill a sparse index of a few kilobytes behind a shared reference, so that a `Btf` can be sent to another
/// thread but not shared between two. A clone borrows the same bytes and goes on with a copy of the index.
#[derive(Clone)]
pub struct Btf<'a> {
    pub(crate) types: &'a [u8],
    /// Where `types` begins in the bytes given, for error messages.
    pub(crate) types_at: usize,
    pub(crate) strings: &'a [u8],
    strings_at: usize,
    pub(crate) index: Index,
}

impl<'a> Btf<'a> {
    /// Borrows BTF bytes, such as those of `/sys/kernel/btf/vmlinux`. Only the header is looked at.
    ///
    /// A header longer than the one known is accepted, as the format intends.
    ///
    /// # Errors
    ///
    /// [`Error::NotBtf`], [`Error::ForeignByteOrder`], [`Error::Version`] or [`Error::Header`].
    pub fn new(bytes: &'a [u8]) -> Result<Btf<'a>, Error> {
        match bytes.first_chunk().map(|magic| u16::from_ne_bytes(*magic)) {
            Some(wire::MAGIC) => {}
            Some(magic) if magic.swap_bytes() == wire::MAGIC => return Err(Error::ForeignByteOrder),
            _ => return Err(Error::NotBtf),
        }
        let (header, _) = wire::Header::ref_from_prefix(bytes)
            .map_err(|_| Error::Header { why: "it ends before its last field" })?;
        if header.version != wire::VERSION {
            return Err(Error::Version(header.version));
        }
        let end = header.hdr_len.get() as usize;
        if end < size_of::<wire::Header>() {
            return Err(Error::Header { why: "its length is less than that of its fields" });
        }
        let section = |offset: wire::Word, len: wire::Word| -> Option<Range<usize>> {
            let start = end.checked_add(offset.get() as usize)?;
            Some(start..start.checked_add(len.get() as usize)?)
        };
        let types_at = section(header.type_off, header.type_len);
        let strings_at = section(header.str_off, header.str_len);
        let cut = |range: Option<Range<usize>>| {
            range.and_then(|range| Some((bytes.get(range.clone())?, range.start)))
        };
        let (types, types_at) =
            cut(types_at).ok_or(Error::Header { why: "the type section lies beyond the end of the file" })?;
        let (strings, strings_at) = cut(strings_at)
            .ok_or(Error::Header { why: "the string section lies beyond the end of the file" })?;
        if strings.first() != Some(&0) || strings.last() != Some(&0) {
            return Err(Error::Header { why: "the string section does not begin and end with a zero byte" });
        }
        Ok(Btf { types, types_at, strings, strings_at, index: Index::default() })
    }

    /// The type with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Void`] for 0, [`Error::NoSuchType`], [`Error::Name`], or what is wrong with the records on the way.
    pub fn get(&self, id: TypeId) -> Result<Type<'a>, Error> {
        let Stop { record, start, trail, .. } = self.stop(id)?;
        let number = record.raw_kind();
        let Some(kind) = Kind::from_number(number) else {
            return Err(Error::UnknownKind { offset: self.types_at + start, kind: number });
        };
        Ok(Type { id, kind, name: self.name(record.name_off.get())?, record, trail })
    }

    /// The type behind typedefs, `const`, `volatile`, `restrict` and tags, with its id.
    ///
    /// # Errors
    ///
    /// [`Error::Void`] if `void` is behind them, [`Error::Loop`] if more than 32 are passed, and what
    /// [`get`](Btf::get) may say of each.
    pub fn resolve(&self, id: TypeId) -> Result<(TypeId, Type<'a>), Error> {
        let mut behind = id;
        for _ in 0..=CHAIN_MAX {
            let ty = self.get(behind)?;
            match ty.kind {
                Kind::Typedef
                | Kind::Volatile
                | Kind::Const
                | Kind::Restrict
                | Kind::TypeTag
                | Kind::DeclTag => {
                    behind = TypeId(ty.record.size_or_type.get());
                }
                _ => return Ok((behind, ty)),
            }
        }
        Err(Error::Loop { id })
    }

    /// The members of a struct or union, or of the one behind typedefs and qualifiers, in the order of declaration.
    ///
    /// Those within its anonymous members are not among them; [`path`](Btf::path) looks there.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and what [`resolve`](Btf::resolve) may say. Each item may be an [`Error::Name`].
    pub fn members(&self, struct_or_union: TypeId) -> Result<Members<'a>, Error> {
        let (id, ty) = self.resolve(struct_or_union)?;
        let wanted = "STRUCT or UNION";
        self.members_of(&ty).ok_or(Error::WrongKind { id, kind: ty.kind, wanted })
    }

    /// The members of a type, if it is a struct or union.
    pub(crate) fn members_of(&self, ty: &Type<'a>) -> Option<Members<'a>> {
        if !matches!(ty.kind, Kind::Struct | Kind::Union) {
            return None;
        }
        Some(Members { names: self.names(), rest: ty.items().iter(), kind_flag: ty.kind_flag() })
    }

    /// The names and values of an enum, or of the one behind typedefs and qualifiers, in the order of declaration.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and what [`resolve`](Btf::resolve) may say. Each item may be an [`Error::Name`].
    pub fn enumerators(&self, of: TypeId) -> Result<Enumerators<'a>, Error> {
        let (id, ty) = self.resolve(of)?;
        let rest = match ty.kind {
            Kind::Enum => Values::Narrow(ty.items().iter()),
            Kind::Enum64 => Values::Wide(ty.items().iter()),
            kind => return Err(Error::WrongKind { id, kind, wanted: "ENUM or ENUM64" }),
        };
        Ok(Enumerators { names: self.names(), rest, signed: ty.kind_flag() })
    }

    /// The parameters of a function, or of a prototype: itself, or the one behind typedefs and qualifiers.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and what [`resolve`](Btf::resolve) may say. Each item may be an [`Error::Name`].
    pub fn params(&self, of: TypeId) -> Result<Params<'a>, Error> {
        let (mut id, mut ty) = self.resolve(of)?;
        if let Some(proto) = ty.refers_to().filter(|_| ty.kind == Kind::Func) {
            (id, ty) = (proto, self.get(proto)?);
        }
        if ty.kind != Kind::FuncProto {
            return Err(Error::WrongKind { id, kind: ty.kind, wanted: "FUNC or FUNC_PROTO" });
        }
        Ok(Params::new(self.names(), ty.items()))
    }

    /// The size of an object of this type, in bytes; of a pointer, 8.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] for a type without a size: a function, a forward declaration. [`Error::Void`],
    /// [`Error::Loop`] for an array of more than 32 dimensions, [`Error::TooLarge`], and what
    /// [`resolve`](Btf::resolve) may say.
    pub fn size_of(&self, id: TypeId) -> Result<u32, Error> {
        let mut count: u32 = 1;
        let mut element = id;
        for _ in 0..=CHAIN_MAX {
            let (behind, ty) = self.resolve(element)?;
            if let Some(array) = ty.array() {
                count = count.checked_mul(array.len).ok_or(Error::TooLarge { id })?;
                element = array.element;
                continue;
            }
            let wanted = "a type with a size";
            let size = ty.size().ok_or(Error::WrongKind { id: behind, kind: ty.kind, wanted })?;
            return count.checked_mul(size).ok_or(Error::TooLarge { id });
        }
        Err(Error::Loop { id })
    }

    /// The text at an offset of the string section.
    pub(crate) fn name(&self, offset: u32) -> Result<&'a str, Error> {
        self.names().get(offset)
    }

    fn names(&self) -> Names<'a> {
        Names { strings: self.strings, strings_at: self.strings_at }
    }
}

impl fmt::Debug for Btf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf")
            .field("type_bytes", &self.types.len())
            .field("string_bytes", &self.strings.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy)]
struct Names<'a> {
    strings: &'a [u8],
    strings_at: usize,
}

impl<'a> Names<'a> {
    fn get(self, offset: u32) -> Result<&'a str, Error> {
        let offset = offset as usize;
        let rest = self.strings.get(offset..).unwrap_or_default();
        // The bound keeps a section without zero bytes from being searched again for every name.
        CStr::from_bytes_until_nul(rest.get(..=NAME_MAX).unwrap_or(rest))
            .ok()
            .and_then(|name| name.to_str().ok())
            .ok_or(Error::Name { offset: self.strings_at.saturating_add(offset) })
    }
}

/// One type, borrowed from the BTF bytes.
///
/// A type whose name is not a text within the string section is not handed out: see [`Error::Name`].
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    /// Its id.
    pub id: TypeId,
    kind: Kind,
    name: &'a str,
    record: &'a wire::Record,
    trail: &'a [u8],
}

impl<'a> Type<'a> {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name, without `struct` or the like; empty if it is anonymous.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Its size in bytes, if its kind has one; 8 for a pointer. For arrays, see [`Btf::size_of`].
    pub fn size(&self) -> Option<u32> {
        match self.kind {
            Kind::Int
            | Kind::Struct
            | Kind::Union
            | Kind::Enum
            | Kind::Enum64
            | Kind::Float
            | Kind::Datasec => Some(self.record.size_or_type.get()),
            Kind::Ptr => Some(POINTER_SIZE),
            _ => None,
        }
    }

    /// The type it refers to, if its kind refers to one: a pointer's pointee, a typedef's, qualifier's, tag's or
    /// variable's type, a function's prototype, a prototype's result. An array's element is in [`array`](Type::array).
    pub fn refers_to(&self) -> Option<TypeId> {
        match self.kind {
            Kind::Ptr
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::Func
            | Kind::FuncProto
            | Kind::Var
            | Kind::DeclTag
            | Kind::TypeTag => Some(TypeId(self.record.size_or_type.get())),
            _ => None,
        }
    }

    /// The kind flag. For a struct or union: members carry their bitfields' widths (since Linux 5.0). For an enum: its
    /// values are signed (since 6.0). For a forward declaration: it is of a union.
    pub fn kind_flag(&self) -> bool {
        self.record.kind_flag()
    }

    /// What kind of integer it is, if it is one.
    pub fn int(&self) -> Option<Int> {
        let (word, _) = wire::Word::read_from_prefix(self.trail).ok().filter(|_| self.kind == Kind::Int)?;
        let word = word.get();
        let encoding = word >> 24;
        Some(Int {
            signed: encoding & 1 != 0,
            char: encoding & 2 != 0,
            bool: encoding & 4 != 0,
            offset: (word >> 16) as u8,
            bits: word as u8,
        })
    }

    /// Element and length, if it is an array.
    pub fn array(&self) -> Option<Array> {
        let (array, _) =
            wire::Array::ref_from_prefix(self.trail).ok().filter(|_| self.kind == Kind::Array)?;
        Some(Array {
            element: TypeId(array.element.get()),
            index: TypeId(array.index.get()),
            len: array.len.get(),
        })
    }

    /// What follows the record, as a row of items; the walk has measured it by the very same items.
    fn items<T: FromBytes + zerocopy::Immutable + zerocopy::KnownLayout + zerocopy::Unaligned>(
        &self,
    ) -> &'a [T] {
        <[T]>::ref_from_bytes(self.trail).unwrap_or_default()
    }
}

/// How an INT is encoded: `BTF_INT_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int {
    /// `BTF_INT_SIGNED`.
    pub signed: bool,
    /// `BTF_INT_CHAR`, which compilers rarely set: the kernel's `char` is known by its name.
    pub char: bool,
    /// `BTF_INT_BOOL`.
    pub bool: bool,
    /// Where the value begins within the type's bytes, in bits; not 0 only for bitfields in the form without kind flag.
    pub offset: u8,
    /// The value's width in bits; less than the type's size only for bitfields in the form without kind flag.
    pub bits: u8,
}

/// What an ARRAY holds. Compilers fold the dimensions of an array into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array {
    /// The type of its elements.
    pub element: TypeId,
    /// The type of its index.
    pub index: TypeId,
    /// How many elements; 0 also for a flexible array at the end of a struct.
    pub len: u32,
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name, empty if it is anonymous.
    pub name: &'a str,
    /// Its type, as written.
    pub type_id: TypeId,
    /// Where it begins in the struct, in bits.
    pub bit_offset: u32,
    /// The width of a bitfield in bits, or 0. In the form without kind flag it is 0 for bitfields too; there the
    /// width is the [`Int`]'s.
    pub bitfield_width: u8,
}

/// The members of a struct or union; see [`Btf::members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    names: Names<'a>,
    rest: slice::Iter<'a, wire::Member>,
    kind_flag: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.rest.next()?;
        let offset = member.offset.get();
        let (bit_offset, bitfield_width) =
            if self.kind_flag { (offset & 0x00ff_ffff, (offset >> 24) as u8) } else { (offset, 0) };
        let type_id = TypeId(member.type_id.get());
        Some(self.names.get(member.name_off.get()).map(|name| Member {
            name,
            type_id,
            bit_offset,
            bitfield_width,
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Members<'_> {}

/// A name of an enum, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enumerator<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, from −2⁶³ to 2⁶⁴−1: negative only if the enum is signed.
    pub value: i128,
}

/// The names and values of an enum; see [`Btf::enumerators`].
#[derive(Debug, Clone)]
pub struct Enumerators<'a> {
    names: Names<'a>,
    rest: Values<'a>,
    signed: bool,
}

#[derive(Debug, Clone)]
enum Values<'a> {
    Narrow(slice::Iter<'a, wire::Enum>),
    Wide(slice::Iter<'a, wire::Enum64>),
}

impl<'a> Iterator for Enumerators<'a> {
    type Item = Result<Enumerator<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name_off, value) = match &mut self.rest {
            Values::Narrow(rest) => {
                let item = rest.next()?;
                let value = item.value.get();
                (item.name_off, if self.signed { i128::from(value as i32) } else { i128::from(value) })
            }
            Values::Wide(rest) => {
                let item = rest.next()?;
                let value = u64::from(item.high.get()) << 32 | u64::from(item.low.get());
                (item.name_off, if self.signed { i128::from(value as i64) } else { i128::from(value) })
            }
        };
        Some(self.names.get(name_off.get()).map(|name| Enumerator { name, value }))
    }
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name, empty if the prototype has none for it.
    pub name: &'a str,
    /// Its type, as written.
    pub type_id: TypeId,
}

/// The parameters of a function; see [`Btf::params`]. The `...` at the end is none of them.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    names: Names<'a>,
    rest: slice::Iter<'a, wire::Param>,
    variadic: bool,
}

impl<'a> Params<'a> {
    fn new(names: Names<'a>, params: &'a [wire::Param]) -> Params<'a> {
        let is_end = |param: &wire::Param| (param.name_off.get(), param.type_id.get()) == (0, 0);
        let (params, variadic) = match params.split_last() {
            Some((last, params)) if is_end(last) => (params, true),
            _ => (params, false),
        };
        Params { names, rest: params.iter(), variadic }
    }

    /// Whether more arguments may follow (`...`).
    pub fn is_variadic(&self) -> bool {
        self.variadic
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let param = self.rest.next()?;
        let type_id = TypeId(param.type_id.get());
        Some(self.names.get(param.name_off.get()).map(|name| Param { name, type_id }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Params<'_> {}
