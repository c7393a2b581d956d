//! Borrowed views of BTF: the whole BTF, and one type.

use core::ffi::CStr;
use core::fmt;

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::contents::{Items, Values};
use crate::header::Sections;
use crate::index::Index;
use crate::walk::Entry;
use crate::wire::{Endian, Layout};
use crate::{
    Array, Component, Enumerators, Error, Fwd, Int, Kind, Linkage, Members, Params, SectionVars, TypeId, wire,
};

/// The maximal length of a name, in bytes. The kernel accepts 512 (`KSYM_NAME_LEN`, since 6.1; before, 128).
pub const NAME_MAX: usize = 1023;

/// The maximal length of a chain of typedefs, qualifiers or array dimensions. The kernel accepts 32.
pub(crate) const CHAIN_MAX: usize = 32;

/// The size of a kernel pointer, in bytes. BTF doesn't give it; 32-bit kernels are not supported.
pub(crate) const POINTER_SIZE: u32 = 8;

/// BTF bytes, borrowed.
///
/// Look-ups fill a sparse index of a few kilobytes behind a shared reference, so a `Btf` can be sent to another thread,
/// but not shared. A clone borrows the same bytes, with a copy of the index.
#[derive(Clone)]
pub struct Btf<'a> {
    pub(crate) types: &'a [u8],
    /// The position of `types` in the bytes, for error messages.
    pub(crate) types_at: usize,
    /// The id of the first of `types`: 1, or in split BTF the one after the base's last.
    pub(crate) first_id: u32,
    base: Option<&'a Btf<'a>>,
    /// The sizes of kinds, by the kinds' numbers; empty without a layout section.
    pub(crate) layouts: &'a [Layout],
    pub(crate) names: Names<'a>,
    pub(crate) endian: Endian,
    pub(crate) index: Index,
}

impl<'a> Btf<'a> {
    /// Borrows BTF bytes, such as those of `/sys/kernel/btf/vmlinux`. Only the header is read.
    ///
    /// The bytes can be in either byte order. A header that is longer than the known one is accepted, as the format
    /// intends. If it names a layout section (since Linux 7.1), records of unknown kinds are skipped by the sizes given
    /// there: they count as types, but [`get`](Btf::get) refuses them with [`Error::UnknownKind`].
    ///
    /// # Errors
    ///
    /// [`Error::NotBtf`], [`Error::Version`] or [`Error::Header`].
    pub fn new(bytes: &'a [u8]) -> Result<Btf<'a>, Error> {
        Btf::with_base(bytes, None)
    }

    /// Borrows split BTF, such as that of `/sys/kernel/btf/<module>` (since Linux 5.11). Its type ids and string
    /// offsets continue those of `base`: for a module, the BTF of the kernel that has loaded it.
    ///
    /// The result also has the types of the base, by their ids. Names are looked up only among its own types, by
    /// [`find`](Btf::find), [`with_prefix`](Btf::with_prefix) and the like. If an error is about a record or name of
    /// the base, its offset is in the base's bytes.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Btf::new), and those of [`type_count`](Btf::type_count) for the base.
    pub fn new_split(bytes: &'a [u8], base: &'a Btf<'a>) -> Result<Btf<'a>, Error> {
        Btf::with_base(bytes, Some(base))
    }

    fn with_base(bytes: &'a [u8], base: Option<&'a Btf<'a>>) -> Result<Btf<'a>, Error> {
        let Sections { endian, types, types_at, strings, strings_at, mut layouts } = Sections::read(bytes)?;
        let bad = |why| Err(Error::Header { why });
        let (mut first_id, mut first_offset) = (1, 0);
        if let Some(base) = base {
            if base.endian != endian {
                return bad("its byte order is not that of its base");
            }
            first_id = base.type_count()?.saturating_add(1);
            if base.names.end() + strings.len() as u64 > u32::MAX.into() {
                return bad("its strings and those of its base are more than 4 GiB");
            }
            first_offset = base.names.end() as u32;
            // A module's BTF relies on the kernel's layout section (`btf_type_size_unknown` in libbpf).
            if layouts.is_empty() {
                layouts = base.layouts;
            }
            if strings.last().is_some_and(|last| *last != 0) {
                return bad("the string section does not end with a zero byte");
            }
        } else if strings.first() != Some(&0) || strings.last() != Some(&0) {
            return bad("the string section does not begin and end with a zero byte");
        }
        let names = Names { strings, strings_at, first_offset, base: base.map(|base| &base.names), endian };
        Ok(Btf { types, types_at, first_id, base, layouts, names, endian, index: Index::default() })
    }

    /// Whether it has a base.
    pub(crate) fn is_split(&self) -> bool {
        self.base.is_some()
    }

    /// The byte order, which is that of the machine that the BTF describes.
    pub fn endian(&self) -> Endian {
        self.endian
    }

    /// The type with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Void`] for 0, [`Error::NoSuchType`], [`Error::Name`], or the error of a damaged record before it.
    pub fn get(&self, id: TypeId) -> Result<Type<'a>, Error> {
        if let Some(base) = self.base.filter(|_| id.0 < self.first_id) {
            return base.get(id);
        }
        let Entry { position, record, trail } = self.entry(id)?;
        let number = record.raw_kind();
        let Some(kind) = Kind::from_number(number) else {
            return Err(Error::UnknownKind {
                offset: self.types_at + position.offset as usize,
                kind: number,
            });
        };
        Ok(Type { id, kind, name: self.string(record.name_off)?, record, trail, endian: self.endian })
    }

    /// The type behind typedefs, `const`, `volatile`, `restrict` and tags, with its id.
    ///
    /// # Errors
    ///
    /// [`Error::Void`] if `void` is behind them, [`Error::Loop`] if there are more than 32, and those of
    /// [`get`](Btf::get) for each.
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
                    behind = TypeId(ty.record.size_or_type);
                }
                _ => return Ok((behind, ty)),
            }
        }
        Err(Error::Loop { id })
    }

    /// The members of a struct or union (also behind typedefs and qualifiers), in the order of declaration.
    ///
    /// The members of anonymous members are not included; [`named_members`](Btf::named_members) has them.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and those of [`resolve`](Btf::resolve). Each item may be an [`Error::Name`].
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
        Some(Members { items: self.items(ty), kind_flag: ty.kind_flag() })
    }

    /// The names and values of an enum (also behind typedefs and qualifiers), in the order of declaration.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and those of [`resolve`](Btf::resolve). Each item may be an [`Error::Name`].
    pub fn enumerators(&self, of: TypeId) -> Result<Enumerators<'a>, Error> {
        let (id, ty) = self.resolve(of)?;
        let values = match ty.kind {
            Kind::Enum => Values::Narrow(self.items(&ty)),
            Kind::Enum64 => Values::Wide(self.items(&ty)),
            kind => return Err(Error::WrongKind { id, kind, wanted: "ENUM or ENUM64" }),
        };
        Ok(Enumerators { values, signed: ty.kind_flag() })
    }

    /// The parameters of a function or prototype (also behind typedefs and qualifiers).
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and those of [`resolve`](Btf::resolve). Each item may be an [`Error::Name`].
    pub fn params(&self, of: TypeId) -> Result<Params<'a>, Error> {
        let (mut id, mut ty) = self.resolve(of)?;
        if let Some(proto) = ty.refers_to().filter(|_| ty.kind == Kind::Func) {
            (id, ty) = (proto, self.get(proto)?);
        }
        if ty.kind != Kind::FuncProto {
            return Err(Error::WrongKind { id, kind: ty.kind, wanted: "FUNC or FUNC_PROTO" });
        }
        Ok(Params::new(self.names, ty.items()))
    }

    /// The variables of a section, in the order of their offsets.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], and those of [`get`](Btf::get).
    pub fn section_vars(&self, section: TypeId) -> Result<SectionVars<'a>, Error> {
        let ty = self.get(section)?;
        if ty.kind != Kind::Datasec {
            return Err(Error::WrongKind { id: section, kind: ty.kind, wanted: "DATASEC" });
        }
        Ok(SectionVars { items: self.items(&ty) })
    }

    /// The size of an object of this type, in bytes; of a pointer, 8.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] for a type without a size: a function, a forward declaration. [`Error::Void`],
    /// [`Error::Loop`] for an array of more than 32 dimensions, [`Error::TooLarge`], and those of
    /// [`resolve`](Btf::resolve).
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

    /// The text at an offset of the string section, such as a source line that a [`LineRecord`](crate::LineRecord)
    /// gives.
    ///
    /// # Errors
    ///
    /// [`Error::Name`].
    pub fn string(&self, offset: u32) -> Result<&'a str, Error> {
        self.names.get(offset)
    }

    fn items<T: Item>(&self, ty: &Type<'a>) -> Items<'a, T> {
        Items { names: self.names, rest: ty.items().iter() }
    }
}

impl fmt::Debug for Btf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf")
            .field("type_bytes", &self.types.len())
            .field("string_bytes", &self.names.strings.len())
            .finish_non_exhaustive()
    }
}

/// The string section, and how to read the offsets into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) strings: &'a [u8],
    /// Where `strings` begins in the bytes given, for error messages.
    strings_at: usize,
    /// The offset of the first of `strings`: 0, or in split BTF the one that follows the base's last.
    first_offset: u32,
    base: Option<&'a Names<'a>>,
    pub(crate) endian: Endian,
}

impl<'a> Names<'a> {
    pub(crate) fn get(&self, offset: u32) -> Result<&'a str, Error> {
        if let Some(base) = self.base.filter(|_| offset < self.first_offset) {
            return base.get(offset);
        }
        let rest = self.tail(offset);
        // Without the bound, a section without zero bytes would be searched to its end for every name.
        let name = CStr::from_bytes_until_nul(rest.get(..=NAME_MAX).unwrap_or(rest)).ok();
        name.and_then(|name| name.to_str().ok()).ok_or_else(|| {
            let own = offset.saturating_sub(self.first_offset) as usize;
            Error::Name { offset: self.strings_at.saturating_add(own) }
        })
    }

    /// The strings from an offset on; empty if it is outside.
    #[inline]
    pub(crate) fn tail(&self, offset: u32) -> &'a [u8] {
        match self.strings.get(offset.wrapping_sub(self.first_offset) as usize..) {
            Some(own) => own,
            None => self.base_tail(offset),
        }
    }

    /// A function of its own, so that the rest can be inlined.
    #[cold]
    fn base_tail(&self, offset: u32) -> &'a [u8] {
        self.base.map_or(&[], |base| base.tail(offset))
    }

    /// The first offset after all strings.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.first_offset) + self.strings.len() as u64
    }

    /// Whether the name at this offset is `name`.
    #[inline]
    pub(crate) fn is(&self, offset: u32, name: &str) -> bool {
        begins_with(self.tail(offset), name)
    }

    /// Whether the name at this offset is empty.
    pub(crate) fn is_empty(&self, offset: u32) -> bool {
        self.tail(offset).first() == Some(&0)
    }
}

/// Whether `strings` begin with exactly this name, which must not be empty.
#[inline]
pub(crate) fn begins_with(strings: &[u8], name: &str) -> bool {
    strings.get(name.len()) == Some(&0)
        && strings.starts_with(name.as_bytes())
        && !name.is_empty()
        && !name.contains('\0')
}

/// One type, borrowed from the BTF bytes.
///
/// Its name was checked to be a text in the string section: see [`Error::Name`].
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    /// Its id.
    pub id: TypeId,
    kind: Kind,
    name: &'a str,
    record: wire::Record,
    trail: &'a [u8],
    endian: Endian,
}

impl<'a> Type<'a> {
    /// Its kind.
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
            | Kind::Datasec => Some(self.record.size_or_type),
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
            | Kind::TypeTag => Some(TypeId(self.record.size_or_type)),
            _ => None,
        }
    }

    /// The kind flag. For a struct or union: members carry their bitfields' widths (since Linux 5.0). For an enum: its
    /// values are signed (since 6.0). For a forward declaration: it is of a union. For a tag: it is not
    /// `btf_decl_tag` or `btf_type_tag`, but the attribute that the name gives in full (since 6.15).
    pub fn kind_flag(&self) -> bool {
        self.record.kind_flag()
    }

    /// Its encoding, if it is an integer.
    pub fn int(&self) -> Option<Int> {
        self.word(Kind::Int).map(Int::from_word)
    }

    /// Its element and length, if it is an array.
    pub fn array(&self) -> Option<Array> {
        let (array, _) =
            wire::Array::ref_from_prefix(self.trail).ok().filter(|_| self.kind == Kind::Array)?;
        Some(Array {
            element: TypeId(self.endian.get(array.element)),
            index: TypeId(self.endian.get(array.index)),
            len: self.endian.get(array.len),
        })
    }

    /// What it declares, if it is a forward declaration.
    pub fn fwd(&self) -> Option<Fwd> {
        (self.kind == Kind::Fwd).then(|| if self.kind_flag() { Fwd::Union } else { Fwd::Struct })
    }

    /// Its linkage, if it is a function or variable with a valid one.
    pub fn linkage(&self) -> Option<Linkage> {
        let function = (self.kind == Kind::Func).then(|| self.record.vlen());
        function.or_else(|| self.word(Kind::Var)).and_then(Linkage::from_number)
    }

    /// What is tagged, if it is a tag on a declaration: the type that it refers to, or a component of the type.
    pub fn component(&self) -> Option<Component> {
        self.word(Kind::DeclTag).map(Component::from_word)
    }

    /// The word after the record, if it is of this kind.
    fn word(&self, kind: Kind) -> Option<u32> {
        let (word, _) = wire::Word::read_from_prefix(self.trail).ok().filter(|_| self.kind == kind)?;
        Some(self.endian.get(word))
    }

    /// The array that follows the record. The traversal has computed its size from the same items.
    fn items<T: Item>(&self) -> &'a [T] {
        <[T]>::ref_from_bytes(self.trail).unwrap_or_default()
    }
}

/// An element of the array that follows a record: member, enumerator, parameter, variable.
trait Item: FromBytes + Immutable + KnownLayout + Unaligned {}
impl<T: FromBytes + Immutable + KnownLayout + Unaligned> Item for T {}
