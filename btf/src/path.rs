//! Field paths: resolves `real_parent.tgid` to the loads that read it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter;
use core::ops::ControlFlow;

use crate::view::CHAIN_MAX;
use crate::{Btf, Error, Kind, Member, Reason, Type, TypeId, near};

/// How to get from an object to one of its fields, or to a field of an object it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The pointers to load, in order: the first from the object itself, each further one from where the previous one
    /// points.
    pub hops: Vec<Hop>,
    /// The field, in the object that the last hop points to.
    pub field: Field,
}

/// One pointer to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The offset of the pointer in bytes, from the current base.
    pub offset: u32,
    /// The type that it points to, without typedefs and qualifiers: a struct or union; or, if the path has an index on
    /// the pointer, the type of the elements.
    pub pointee: TypeId,
    /// Whether the pointer has the type tag `percpu`: it leads nowhere as it is, as each CPU has an object of its own at
    /// another offset from it. Compilers that write no tags leave it out.
    pub per_cpu: bool,
}

/// The field at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The offset in bytes, from the last base. For a bitfield, that of the unit that holds it.
    pub offset: u32,
    /// The type, as declared.
    pub ty: TypeId,
    /// The size in bytes. For a bitfield, that of the unit that holds it: the smallest of 1, 2, 4 and 8 that does so
    /// when naturally aligned. It may be less than the size of the type.
    pub size: u32,
    /// The class of the type, without typedefs and qualifiers.
    pub class: Class,
    /// The bits within the unit, for a bitfield.
    pub bits: Option<Bits>,
}

/// The position of a bitfield in the unit that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// The first bit: counted from the unit's least significant bit on a little-endian machine, from its most
    /// significant one on a big-endian machine.
    pub offset: u8,
    /// The number of bits, from 1 to 64.
    pub width: u8,
}

/// The class of a value: how it can be printed or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An integer, other than those below.
    Int {
        /// Whether it is signed.
        signed: bool,
    },
    /// A `bool`.
    Bool,
    /// A single plain `char`; `signed char` and `unsigned char` (`s8`, `u8`) are integers.
    Char,
    /// An enum; [`Btf::enumerators`] gives the names.
    Enum {
        /// Whether its values are signed. Before Linux 6.0, BTF does not tell, and this is false.
        signed: bool,
    },
    /// A pointer.
    Ptr {
        /// The type that it points to, without typedefs and qualifiers; 0 is `void`. [`Btf::class`] gives its class.
        pointee: TypeId,
    },
    /// An array of plain `char`: a text that ends at a zero byte or fills the array.
    Text,
    /// Any other array.
    Array {
        /// The type of the elements, as declared. [`Btf::class`] gives their class, [`Btf::size_of`] their size.
        element: TypeId,
        /// The number of elements; 0 for a flexible array.
        len: u32,
    },
    /// A struct or union as a whole.
    Struct,
    /// A floating-point number.
    Float,
}

impl<'a> Btf<'a> {
    /// Resolves a field path, starting from an object of type `root`.
    ///
    /// A path consists of names and indices: `comm`, `real_parent.tgid`, `files.fd_array[3].f_pos`. A `.` goes into a
    /// struct or union, or through a pointer to one; each pointer is a [`Hop`]. If `root` itself is a pointer, it is
    /// the first hop, at offset 0. Members of anonymous structs and unions count as members of the surrounding one. A
    /// flexible array accepts any index, since BTF doesn't give its length. A pointer accepts any index, too, as in C:
    /// `files.fdt.fd[3].f_pos`, where `fd` is a `struct file **`. If `root` is an array, the path begins with an index.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] if the path doesn't fit the types, and those of [`resolve`](Btf::resolve) and
    /// [`size_of`](Btf::size_of) for the types on the path.
    pub fn path(&self, root: TypeId, path: &str) -> Result<Path, Error> {
        let mut cursor = Cursor { hops: Vec::new(), bit: 0, width: 0, ty: root };
        let mut last = (0, path);
        let walked = segments(path).try_for_each(|(at, segment, step)| {
            last = (at, segment);
            match step.ok_or(Failure::Path(Reason::Syntax))? {
                Step::Member(name) => self.step_into(&mut cursor, name),
                Step::Index(index) => self.step_along(&mut cursor, index),
            }
        });
        match walked.and_then(|()| self.field(&cursor)) {
            Ok(field) => Ok(Path { hops: cursor.hops, field }),
            Err(Failure::Types(error)) => Err(error),
            Err(Failure::Path(reason)) => Err(Error::Path {
                path: String::from(path),
                at: last.0,
                segment: String::from(last.1),
                type_name: self.spelling(cursor.ty).unwrap_or_else(|_| format!("type {}", cursor.ty)),
                reason,
            }),
        }
    }

    /// Steps to a member of the struct or union at `cursor`, or of the one that the pointer there points to.
    fn step_into(&self, cursor: &mut Cursor, name: &str) -> Result<(), Failure> {
        let mut ty = self.behind(cursor.ty)?;
        if let Some(pointer) = ty.filter(|ty| ty.kind() == Kind::Ptr) {
            ty = self.cross(cursor, &pointer)?;
        }
        let outer = match ty {
            Some(ty) if matches!(ty.kind(), Kind::Struct | Kind::Union) => ty,
            Some(ty) if ty.kind() == Kind::Fwd => return Err(Failure::Path(Reason::ForwardDeclared)),
            _ => return Err(Failure::Path(Reason::NotAStruct)),
        };
        let names = self.names;
        let found = self.each_member(&outer, |name_off, member, bit| {
            if names.is(name_off, name) {
                ControlFlow::Break((member, bit))
            } else {
                ControlFlow::Continue(())
            }
        })?;
        let Some((member, bit)) = found else {
            let mut names = Vec::new();
            let broken = self.each_member(&outer, |name_off, _, _| match self.string(name_off) {
                Ok(name) => {
                    names.push(name);
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            })?;
            if let Some(error) = broken {
                return Err(error.into());
            }
            return Err(Failure::Path(Reason::NoSuchMember { near: near(name, names.into_iter()) }));
        };
        cursor.bit = cursor.bit.saturating_add(bit);
        cursor.ty = member.type_id;
        cursor.width = member.bitfield_width;
        Ok(())
    }

    /// Steps to an element of the array at `cursor`, or of those that the pointer there points to.
    fn step_along(&self, cursor: &mut Cursor, index: u32) -> Result<(), Failure> {
        let ty = self.behind(cursor.ty)?.ok_or(Failure::Path(Reason::NotAnArray))?;
        let element = match ty.array() {
            Some(array) if array.len != 0 && index >= array.len => {
                return Err(Failure::Path(Reason::IndexOutOfRange { index, len: array.len }));
            }
            Some(array) => array.element,
            None if ty.kind() == Kind::Ptr => {
                // An error is about the pointer, not its pointee.
                let pointee = ty.refers_to().unwrap_or(TypeId(0));
                match self.behind(pointee)?.map(|ty| ty.kind()) {
                    None | Some(Kind::FuncProto) => return Err(Failure::Path(Reason::NotAnArray)),
                    Some(Kind::Fwd) => return Err(Failure::Path(Reason::ForwardDeclared)),
                    Some(_) => self.cross(cursor, &ty)?,
                };
                pointee
            }
            None => return Err(Failure::Path(Reason::NotAnArray)),
        };
        // Fewer than 2³² elements of fewer than 2³² bytes. If the sum is too large, `byte` returns an error.
        let bytes = u64::from(index) * u64::from(self.size_of(element)?);
        cursor.bit = cursor.bit.saturating_add(bytes.saturating_mul(8));
        cursor.byte()?;
        cursor.ty = element;
        cursor.width = 0;
        Ok(())
    }

    /// Crosses the pointer at `cursor`. Returns the pointee; `None` for `void`.
    fn cross(&self, cursor: &mut Cursor, pointer: &Type<'a>) -> Result<Option<Type<'a>>, Failure> {
        let offset = cursor.byte()?;
        cursor.ty = pointer.refers_to().unwrap_or(TypeId(0));
        let behind = self.behind(cursor.ty)?;
        let per_cpu = self.has_tag(cursor.ty, "percpu");
        cursor.hops.push(Hop { offset, pointee: behind.map_or(TypeId(0), |ty| ty.id), per_cpu });
        cursor.bit = 0;
        Ok(behind)
    }

    /// Whether a type has this tag, before or behind qualifiers.
    fn has_tag(&self, id: TypeId, tag: &str) -> bool {
        let mut next = self.get(id).ok();
        // No more than `resolve` follows.
        for _ in 0..=CHAIN_MAX {
            match next {
                Some(ty) if ty.kind() == Kind::TypeTag && ty.name() == tag => return true,
                Some(ty)
                    if matches!(ty.kind(), Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag) =>
                {
                    next = ty.refers_to().and_then(|id| self.get(id).ok());
                }
                _ => return false,
            }
        }
        false
    }

    /// The field at `cursor`, at the end of a path.
    fn field(&self, cursor: &Cursor) -> Result<Field, Failure> {
        let ty = self.behind(cursor.ty)?.ok_or(Error::Void)?;
        let class = self.class_of(&ty)?;
        let size = self.size_of(ty.id)?;
        let mut bit = cursor.bit;
        let mut width = u32::from(cursor.width);
        // Without the kind flag, a bitfield is an integer that fills only part of its own bytes.
        if let Some(int) = ty.int().filter(|_| width == 0) {
            bit = bit.saturating_add(u64::from(int.offset));
            if bit % 8 != 0 || u64::from(int.bits) != u64::from(size) * 8 {
                width = u32::from(int.bits);
            }
        }
        let (offset, size, bits) = if width == 0 {
            (cursor.byte()?, size, None)
        } else {
            let number = matches!(class, Class::Int { .. } | Class::Bool | Class::Char | Class::Enum { .. });
            let unit = unit(bit, width).filter(|_| number);
            let (offset, size, bits) = unit.ok_or(Failure::Path(Reason::Unaligned))?;
            (offset.try_into().map_err(|_| cursor.too_large())?, size, Some(bits))
        };
        // Callers can add the two without a check.
        offset.checked_add(size).ok_or_else(|| cursor.too_large())?;
        Ok(Field { offset, ty: cursor.ty, size, class, bits })
    }

    /// The class of a type's values. A pointer to text is one whose pointee has the class [`Class::Char`].
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] for a type without values, such as a function or forward declaration; those of
    /// [`resolve`](Btf::resolve), also for a pointee or element.
    pub fn class(&self, id: TypeId) -> Result<Class, Error> {
        self.class_of(&self.resolve(id)?.1)
    }

    fn class_of(&self, ty: &Type<'a>) -> Result<Class, Error> {
        if let Some(int) = ty.int() {
            return Ok(match ty {
                _ if int.bool => Class::Bool,
                _ if is_char(ty) => Class::Char,
                _ => Class::Int { signed: int.signed },
            });
        }
        if let Some(array) = ty.array() {
            let text = self.behind(array.element)?.is_some_and(|element| is_char(&element));
            return Ok(if text {
                Class::Text
            } else {
                Class::Array { element: array.element, len: array.len }
            });
        }
        match ty.kind() {
            Kind::Enum | Kind::Enum64 => Ok(Class::Enum { signed: ty.kind_flag() }),
            Kind::Struct | Kind::Union => Ok(Class::Struct),
            Kind::Float => Ok(Class::Float),
            Kind::Ptr => {
                let pointee = self.behind(ty.refers_to().unwrap_or(TypeId(0)))?;
                Ok(Class::Ptr { pointee: pointee.map_or(TypeId(0), |ty| ty.id) })
            }
            kind => Err(Error::WrongKind { id: ty.id, kind, wanted: "the type of a field" }),
        }
    }

    /// Visits every named member in the order of declaration, including those of anonymous structs and unions, until
    /// `visit` breaks. `visit` gets the offset of the name, which is not read, and the member's offset in bits from
    /// `outer`.
    pub(crate) fn each_member<B>(
        &self,
        outer: &Type<'a>,
        mut visit: impl FnMut(u32, Member<'a>, u64) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        // A damaged BTF may nest a struct in itself, or the same one a thousand times. A second visit finds no new
        // names.
        let mut seen = BTreeSet::from([outer.id]);
        let mut open: Vec<_> = self.members_of(outer).map(|members| (members, 0u64)).into_iter().collect();
        while let Some((mut members, base)) = open.pop() {
            while let Some((name_off, member)) = members.next_unnamed() {
                let bit = base.saturating_add(u64::from(member.bit_offset));
                if !self.names.is_empty(name_off) {
                    if let ControlFlow::Break(value) = visit(name_off, member, bit) {
                        return Ok(Some(value));
                    }
                } else if seen.insert(member.type_id) {
                    let inner = self.behind(member.type_id)?;
                    let inner = inner.filter(|ty| ty.id == member.type_id || seen.insert(ty.id));
                    if let Some(inner) = inner.and_then(|ty| self.members_of(&ty)) {
                        open.extend([(members, base), (inner, bit)]);
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Like [`Btf::resolve`], but `None` for `void`.
    pub(crate) fn behind(&self, id: TypeId) -> Result<Option<Type<'a>>, Error> {
        match self.resolve(id) {
            Ok((_, ty)) => Ok(Some(ty)),
            Err(Error::Void) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The position that a path has reached.
struct Cursor {
    hops: Vec<Hop>,
    /// The offset in bits, from the last base.
    bit: u64,
    /// The width of the last member, if it is a bitfield.
    width: u8,
    ty: TypeId,
}

impl Cursor {
    /// The offset in whole bytes, from the last base.
    fn byte(&self) -> Result<u32, Failure> {
        if self.bit % 8 != 0 {
            return Err(Failure::Path(Reason::Unaligned));
        }
        (self.bit / 8).try_into().map_err(|_| self.too_large())
    }

    fn too_large(&self) -> Failure {
        Failure::Types(Error::TooLarge { id: self.ty })
    }
}

/// Why a step failed.
enum Failure {
    /// The path doesn't fit the types.
    Path(Reason),
    /// The types are damaged.
    Types(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Loop { .. } => Failure::Path(Reason::Loop),
            error => Failure::Types(error),
        }
    }
}

enum Step<'p> {
    Member(&'p str),
    Index(u32),
}

/// Splits a path into names and bracketed indices, each with its offset in the path; the step is `None` if it is
/// neither.
fn segments(path: &str) -> impl Iterator<Item = (usize, &str, Option<Step<'_>>)> {
    let mut next_piece = 0;
    path.split('.').flat_map(move |piece| {
        let at = next_piece;
        next_piece += piece.len() + 1;
        let (name, indices) =
            piece.find('[').and_then(|bracket| piece.split_at_checked(bracket)).unwrap_or((piece, ""));
        let mut next_index = at + name.len();
        let indices = indices.split_inclusive(']').map(move |index| {
            let at = next_index;
            next_index += index.len();
            (at, index, parse_index(index).map(Step::Index))
        });
        let begins_with_index = at == 0 && name.is_empty() && !piece.is_empty();
        let name = (at, name, is_name(name).then_some(Step::Member(name)));
        iter::once(name).filter(move |_| !begins_with_index).chain(indices)
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn parse_index(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('[')?.strip_suffix(']')?;
    // `parse` alone would accept a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The smallest aligned unit that holds these bits: its offset and size in bytes, and the position of the bits in it.
fn unit(bit: u64, width: u32) -> Option<(u64, u32, Bits)> {
    [1u32, 2, 4, 8].into_iter().find_map(|size| {
        let unit_bits = u64::from(size) * 8;
        let offset = bit % unit_bits;
        let holds = offset + u64::from(width) <= unit_bits;
        // Both fit a byte, as the unit has at most 64 bits.
        holds.then_some(((bit - offset) / 8, size, Bits { offset: offset as u8, width: width as u8 }))
    })
}

/// Plain `char` is signed or unsigned, depending on the machine: only its name distinguishes it from other integers.
fn is_char(ty: &Type<'_>) -> bool {
    ty.size() == Some(1) && ty.int().is_some_and(|int| int.char || ty.name() == "char")
}
