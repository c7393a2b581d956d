//! The contents of types: encodings, members, enumerators and the like.

use core::slice;

use crate::view::Names;
use crate::wire::{self, Word};
use crate::{Error, TypeId};

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

impl Int {
    /// An unsigned integer with this width in bits.
    pub const fn new(bits: u8) -> Int {
        Int { signed: false, char: false, bool: false, offset: 0, bits }
    }

    pub(crate) fn from_word(word: u32) -> Int {
        let encoding = word >> 24;
        Int {
            signed: encoding & 1 != 0,
            char: encoding & 2 != 0,
            bool: encoding & 4 != 0,
            offset: (word >> 16) as u8,
            bits: word as u8,
        }
    }

    pub(crate) fn to_word(self) -> u32 {
        let encoding = u32::from(self.signed) | u32::from(self.char) << 1 | u32::from(self.bool) << 2;
        encoding << 24 | u32::from(self.offset) << 16 | u32::from(self.bits)
    }
}

/// The contents of an ARRAY. An array of arrays can be stored as such, or as a single array of all elements, depending on
/// the compiler (the kernel's BTF has the second form).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array {
    /// The type of its elements.
    pub element: TypeId,
    /// The type of its index.
    pub index: TypeId,
    /// The number of elements; 0 for a flexible array at the end of a struct, too.
    pub len: u32,
}

/// The type that a FWD declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fwd {
    /// A struct.
    Struct,
    /// A union.
    Union,
}

/// The linkage of a FUNC or VAR: `BTF_FUNC_*`, `BTF_VAR_*`. Before Linux 5.6, all functions are static.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Linkage {
    /// Local to its file.
    Static = 0,
    /// Global.
    Global = 1,
    /// Defined elsewhere. Kernels refuse it: a loader must remove it.
    Extern = 2,
}

impl Linkage {
    pub(crate) fn from_number(number: u32) -> Option<Linkage> {
        [Linkage::Static, Linkage::Global, Linkage::Extern].into_iter().find(|&one| one as u32 == number)
    }
}

/// What a DECL_TAG is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The type that it refers to: `component_idx` −1.
    Whole,
    /// The member or parameter with this number, from 0.
    Part(u32),
}

impl Component {
    pub(crate) fn from_word(word: u32) -> Component {
        if word == u32::MAX { Component::Whole } else { Component::Part(word) }
    }

    pub(crate) fn to_word(self) -> u32 {
        match self {
            Component::Whole => u32::MAX,
            Component::Part(index) => index,
        }
    }
}

/// An iterator over the array that follows a record.
#[derive(Debug, Clone)]
pub(crate) struct Items<'a, T> {
    pub(crate) names: Names<'a>,
    pub(crate) rest: slice::Iter<'a, T>,
}

impl<'a, T> Items<'a, T> {
    fn get(&self, word: Word) -> u32 {
        self.names.endian.get(word)
    }

    fn id(&self, word: Word) -> TypeId {
        TypeId(self.get(word))
    }

    fn name(&self, offset: Word) -> Result<&'a str, Error> {
        self.names.get(self.get(offset))
    }
}

/// A member of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name, empty if it is anonymous.
    pub name: &'a str,
    /// Its type, as declared.
    pub type_id: TypeId,
    /// Its offset in the struct, in bits.
    pub bit_offset: u32,
    /// The width of a bitfield in bits, or 0. In the form without kind flag it is 0 for bitfields too; there the
    /// width is the [`Int`]'s.
    pub bitfield_width: u8,
}

/// The members of a struct or union; see [`Btf::members`](crate::Btf::members).
#[derive(Debug, Clone)]
pub struct Members<'a> {
    pub(crate) items: Items<'a, wire::Member>,
    pub(crate) kind_flag: bool,
}

impl<'a> Members<'a> {
    /// The next member and where its name lies; the name itself stays unread, and empty.
    pub(crate) fn next_unnamed(&mut self) -> Option<(u32, Member<'a>)> {
        let member = self.items.rest.next()?;
        let offset = self.items.get(member.offset);
        let (bit_offset, bitfield_width) =
            if self.kind_flag { (offset & 0x00ff_ffff, (offset >> 24) as u8) } else { (offset, 0) };
        let type_id = self.items.id(member.type_id);
        Some((self.items.get(member.name_off), Member { name: "", type_id, bit_offset, bitfield_width }))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name_off, member) = self.next_unnamed()?;
        Some(self.items.names.get(name_off).map(|name| Member { name, ..member }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.rest.size_hint()
    }
}

impl ExactSizeIterator for Members<'_> {}

/// A value of an enum, with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enumerator<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, from −2⁶³ to 2⁶⁴−1: negative only if the enum is signed.
    pub value: i128,
}

/// The names and values of an enum; see [`Btf::enumerators`](crate::Btf::enumerators).
#[derive(Debug, Clone)]
pub struct Enumerators<'a> {
    pub(crate) values: Values<'a>,
    pub(crate) signed: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Values<'a> {
    Narrow(Items<'a, wire::Enum>),
    Wide(Items<'a, wire::Enum64>),
}

impl<'a> Iterator for Enumerators<'a> {
    type Item = Result<Enumerator<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = match &mut self.values {
            Values::Narrow(items) => {
                let item = items.rest.next()?;
                let value = items.get(item.value);
                (items.name(item.name_off), if self.signed { (value as i32).into() } else { value.into() })
            }
            Values::Wide(items) => {
                let item = items.rest.next()?;
                let value = u64::from(items.get(item.high)) << 32 | u64::from(items.get(item.low));
                (items.name(item.name_off), if self.signed { (value as i64).into() } else { value.into() })
            }
        };
        Some(name.map(|name| Enumerator { name, value }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.values {
            Values::Narrow(items) => items.rest.size_hint(),
            Values::Wide(items) => items.rest.size_hint(),
        }
    }
}

impl ExactSizeIterator for Enumerators<'_> {}

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name, empty if the prototype has none for it.
    pub name: &'a str,
    /// Its type, as declared.
    pub type_id: TypeId,
}

/// The parameters of a function; see [`Btf::params`](crate::Btf::params). The `...` at the end is none of them.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    items: Items<'a, wire::Param>,
    variadic: bool,
}

impl<'a> Params<'a> {
    pub(crate) fn new(names: Names<'a>, params: &'a [wire::Param]) -> Params<'a> {
        let (params, variadic) = match params.split_last() {
            // Nothing else can be of type `void`.
            Some((last, params)) if last.type_id.get() == 0 => (params, true),
            _ => (params, false),
        };
        Params { items: Items { names, rest: params.iter() }, variadic }
    }

    /// Whether more arguments may follow (`...`).
    pub fn is_variadic(&self) -> bool {
        self.variadic
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let param = self.items.rest.next()?;
        let type_id = self.items.id(param.type_id);
        Some(self.items.name(param.name_off).map(|name| Param { name, type_id }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.rest.size_hint()
    }
}

impl ExactSizeIterator for Params<'_> {}

/// Where a variable lies in its section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionVar {
    /// The VAR; of a section of external functions, the FUNC.
    pub type_id: TypeId,
    /// Where it begins in the section, in bytes. Of per-CPU variables, in each CPU's area.
    pub offset: u32,
    /// Its size, in bytes.
    pub size: u32,
}

/// The variables of a section; see [`Btf::section_vars`](crate::Btf::section_vars).
#[derive(Debug, Clone)]
pub struct SectionVars<'a> {
    pub(crate) items: Items<'a, wire::VarSecinfo>,
}

impl Iterator for SectionVars<'_> {
    type Item = SectionVar;

    fn next(&mut self) -> Option<Self::Item> {
        let var = self.items.rest.next()?;
        Some(SectionVar {
            type_id: self.items.id(var.type_id),
            offset: self.items.get(var.offset),
            size: self.items.get(var.size),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.rest.size_hint()
    }
}

impl ExactSizeIterator for SectionVars<'_> {}
