//! Writes BTF: the types of a program, to be loaded with it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::header::HEADER_LEN;
use crate::wire::{Endian, MAGIC, VERSION};
use crate::{
    Array, Component, Enumerator, Fwd, Int, Kind, Linkage, Member, NAME_MAX, SectionVar, TypeId, WriteError,
    wire,
};

/// The maximal size of each section, in bytes (`BTF_MAX_SIZE`, `BTF_MAX_NAME_OFFSET`).
const SECTION_MAX: usize = 16 << 20;

/// The maximal number of types (`BTF_MAX_TYPE`).
const TYPES_MAX: usize = 0x000f_ffff;

/// The maximal number of members, enumerators, parameters or variables of a type (`BTF_MAX_VLEN`).
const ITEMS_MAX: usize = 0xffff;

/// Collects types and strings, and writes them as BTF.
///
/// Types get ids from 1 on, in the order in which they are added. With [`next_id`](Writer::next_id) a type can refer to
/// one that is added later, as a struct does that points to itself.
///
/// The writer accepts whatever fits the format. Whether it is valid, the kernel decides (`BPF_BTF_LOAD`, with a log).
/// It refuses, in `kernel/bpf/btf.c`:
///
/// - BTF without any type, references to types that don't exist, typedefs and the like that lead back to themselves;
/// - names of a TYPEDEF, FUNC, VAR or FWD that are not an identifier: letters, digits and `_`, with no digit at the
///   beginning, and `.` since Linux 6.5; of a STRUCT, UNION, ENUM, or a member or parameter the same, but they may be
///   empty; names of more than 512 bytes (before 6.1, 128);
/// - a FUNC with a parameter without a name, any `extern` FUNC or VAR, members or variables not in the order of their
///   offsets or beyond the size, a FLOAT of other than 2, 4, 8, 12 or 16 bytes, `void` as a member or element;
/// - kinds it is too old for: see [`Kind`].
///
/// ```
/// use kwalk_btf::{Btf, Int, Kind, Linkage, Writer};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let mut types = Writer::new();
/// let int = types.int("int", 4, Int { signed: true, ..Int::new(32) })?;
/// let ctx = types.ptr(kwalk_btf::TypeId::VOID)?;
/// let proto = types.func_proto(int, &[("ctx", ctx)])?;
/// let func = types.func("walk", proto, Linkage::Global)?;
///
/// let bytes = types.finish();
/// assert_eq!(Btf::new(&bytes)?.find(Kind::Func, "walk")?, func);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Writer {
    types: Vec<u32>,
    count: u32,
    strings: Vec<u8>,
    offsets: BTreeMap<String, u32>,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

type Added = Result<TypeId, WriteError>;

impl Writer {
    /// The last parameter of a prototype with variable arguments (`...`).
    pub const VARIADIC: (&'static str, TypeId) = ("", TypeId::VOID);

    /// A writer with no types, and only the empty string.
    pub fn new() -> Writer {
        Writer { types: Vec::new(), count: 0, strings: Vec::from([0]), offsets: BTreeMap::new() }
    }

    /// The id of the type that will be added next.
    pub fn next_id(&self) -> TypeId {
        TypeId(self.count + 1)
    }

    /// Adds a text to the strings, unless it is there, and returns its offset. Only the size of the section limits its
    /// length.
    ///
    /// # Errors
    ///
    /// [`WriteError::Nul`]; [`WriteError::TooMany`] for more than 16 MiB of strings.
    pub fn string(&mut self, text: &str) -> Result<u32, WriteError> {
        if text.is_empty() {
            return Ok(0);
        }
        if let Some(&offset) = self.offsets.get(text) {
            return Ok(offset);
        }
        if text.contains('\0') {
            return Err(WriteError::Nul { text: String::from(text) });
        }
        let offset = self.strings.len();
        at_most(SECTION_MAX, offset + text.len() + 1, "bytes of strings")?;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.offsets.insert(String::from(text), offset as u32);
        Ok(offset as u32)
    }

    /// Adds an integer of `size` bytes. The kernel accepts at most one of `signed`, `char` and `bool`.
    ///
    /// # Errors
    ///
    /// Those of all types: [`WriteError::Nul`] in the name; [`WriteError::TooMany`] for a name of more than
    /// [`NAME_MAX`] bytes, for more than 1,048,575 types, and for more than 16 MiB of types or of strings.
    pub fn int(&mut self, name: &str, size: u32, int: Int) -> Added {
        self.add(Kind::Int, name, 0, size, &[int.to_word()])
    }

    /// Adds a pointer to `to`.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn ptr(&mut self, to: TypeId) -> Added {
        self.add(Kind::Ptr, "", 0, to.0, &[])
    }

    /// Adds an array. The kernel requires an integer type for its index.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn array(&mut self, array: Array) -> Added {
        self.add(Kind::Array, "", 0, 0, &[array.element.0, array.index.0, array.len])
    }

    /// Adds a struct of `size` bytes. If one of its members has the width of a bitfield, the kind flag is set, which
    /// requires Linux 5.0.
    ///
    /// # Errors
    ///
    /// Those of [`int`](Writer::int), also for the names of members; [`WriteError::TooMany`] for more than 65,535
    /// members; [`WriteError::TooLarge`] for a member's offset of more than 24 bits, if there is a bitfield.
    pub fn struct_(&mut self, name: &str, size: u32, members: &[Member<'_>]) -> Added {
        self.composite(Kind::Struct, name, size, members)
    }

    /// Adds a union of `size` bytes, whose members are at the offset 0.
    ///
    /// # Errors
    ///
    /// As [`struct_`](Writer::struct_).
    pub fn union_(&mut self, name: &str, size: u32, members: &[Member<'_>]) -> Added {
        self.composite(Kind::Union, name, size, members)
    }

    fn composite(&mut self, kind: Kind, name: &str, size: u32, members: &[Member<'_>]) -> Added {
        let vlen = items(members.len(), "members")?;
        let flag = members.iter().any(|member| member.bitfield_width != 0);
        let mut trail = Vec::with_capacity(members.len() * 3);
        for member in members {
            let offset = if flag {
                fits(24, member.bit_offset, "the offset in bits of a member")?;
                u32::from(member.bitfield_width) << 24 | member.bit_offset
            } else {
                member.bit_offset
            };
            trail.extend([self.name(member.name)?, member.type_id.0, offset]);
        }
        self.add(kind, name, vlen | wire::flag(flag), size, &trail)
    }

    /// Adds an enum of `size` bytes whose values fit 32 bits. A signed one is for Linux 6.0 and later; an earlier kernel
    /// may read 2³² − 1 as −1.
    ///
    /// # Errors
    ///
    /// Those of [`int`](Writer::int), also for the names of values; [`WriteError::TooMany`] for more than 65,535 of
    /// them; [`WriteError::TooLarge`] for a value that fits 32 bits neither signed nor unsigned.
    pub fn enum_(&mut self, name: &str, size: u32, signed: bool, values: &[Enumerator<'_>]) -> Added {
        self.enumeration(Kind::Enum, name, size, signed, values)
    }

    /// Adds an enum of `size` bytes whose values fit 64 bits; for Linux 6.0 and later.
    ///
    /// # Errors
    ///
    /// As [`enum_`](Writer::enum_), with 64 bits.
    pub fn enum64(&mut self, name: &str, size: u32, signed: bool, values: &[Enumerator<'_>]) -> Added {
        self.enumeration(Kind::Enum64, name, size, signed, values)
    }

    fn enumeration(
        &mut self,
        kind: Kind,
        name: &str,
        size: u32,
        signed: bool,
        values: &[Enumerator<'_>],
    ) -> Added {
        let vlen = items(values.len(), "enumerators")?;
        let bits = if kind == Kind::Enum { 32 } else { 64 };
        let range = if signed { -(1 << (bits - 1))..1i128 << (bits - 1) } else { 0..1i128 << bits };
        let mut trail = Vec::with_capacity(values.len() * 3);
        for &Enumerator { name, value } in values {
            if !range.contains(&value) {
                return Err(WriteError::TooLarge { what: "the value of an enumerator", value, bits });
            }
            trail.extend([self.name(name)?, value as u32]);
            trail.extend((kind == Kind::Enum64).then_some((value >> 32) as u32));
        }
        self.add(kind, name, vlen | wire::flag(signed), size, &trail)
    }

    /// Adds the forward declaration of a struct or union.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn fwd(&mut self, name: &str, of: Fwd) -> Added {
        self.add(Kind::Fwd, name, wire::flag(of == Fwd::Union), 0, &[])
    }

    /// Adds a typedef of `to`.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn typedef(&mut self, name: &str, to: TypeId) -> Added {
        self.add(Kind::Typedef, name, 0, to.0, &[])
    }

    /// Adds `volatile`, applied to `to`.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn volatile(&mut self, to: TypeId) -> Added {
        self.add(Kind::Volatile, "", 0, to.0, &[])
    }

    /// Adds `const`, applied to `to`.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn const_(&mut self, to: TypeId) -> Added {
        self.add(Kind::Const, "", 0, to.0, &[])
    }

    /// Adds `restrict`, applied to `to`, a pointer.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn restrict(&mut self, to: TypeId) -> Added {
        self.add(Kind::Restrict, "", 0, to.0, &[])
    }

    /// Adds a prototype: the type of the result (`void`: [`TypeId::VOID`]), and the names and types of the parameters,
    /// the last of which can be [`VARIADIC`](Writer::VARIADIC).
    ///
    /// # Errors
    ///
    /// Those of [`int`](Writer::int), also for the parameters' names; [`WriteError::TooMany`] for more than 65,535
    /// parameters. (The functions of a BPF program can have at most 5.)
    pub fn func_proto(&mut self, ret: TypeId, params: &[(&str, TypeId)]) -> Added {
        let vlen = items(params.len(), "parameters")?;
        let mut trail = Vec::with_capacity(params.len() * 2);
        for &(name, ty) in params {
            trail.extend([self.name(name)?, ty.0]);
        }
        self.add(Kind::FuncProto, "", vlen, ret.0, &trail)
    }

    /// Adds a function with the prototype `proto`.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn func(&mut self, name: &str, proto: TypeId, linkage: Linkage) -> Added {
        self.add(Kind::Func, name, linkage as u32, proto.0, &[])
    }

    /// Adds a variable; for Linux 5.2 and later.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn var(&mut self, name: &str, ty: TypeId, linkage: Linkage) -> Added {
        self.add(Kind::Var, name, 0, ty.0, &[linkage as u32])
    }

    /// Adds a section of variables, `size` bytes long; for Linux 5.2 and later.
    ///
    /// # Errors
    ///
    /// Those of [`int`](Writer::int); [`WriteError::TooMany`] for more than 65,535 variables.
    pub fn datasec(&mut self, name: &str, size: u32, vars: &[SectionVar]) -> Added {
        let vlen = items(vars.len(), "variables")?;
        let trail: Vec<u32> = vars.iter().flat_map(|var| [var.type_id.0, var.offset, var.size]).collect();
        self.add(Kind::Datasec, name, vlen, size, &trail)
    }

    /// Adds a floating-point number of `size` bytes; for Linux 5.13 and later.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn float(&mut self, name: &str, size: u32) -> Added {
        self.add(Kind::Float, name, 0, size, &[])
    }

    /// Adds a tag on the declaration of `on` (a STRUCT, UNION, TYPEDEF, FUNC or VAR), or of a part of it; for Linux
    /// 5.16 and later.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn decl_tag(&mut self, tag: &str, on: TypeId, component: Component) -> Added {
        self.add(Kind::DeclTag, tag, 0, on.0, &[component.to_word()])
    }

    /// Like [`decl_tag`](Writer::decl_tag), but for another attribute: `tag` is the text within `__attribute__((…))`.
    /// For Linux 6.15 and later.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn decl_attribute(&mut self, tag: &str, on: TypeId, component: Component) -> Added {
        self.add(Kind::DeclTag, tag, wire::flag(true), on.0, &[component.to_word()])
    }

    /// Adds a tag on the type `to`, such as `user`; for Linux 5.17 and later.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn type_tag(&mut self, tag: &str, to: TypeId) -> Added {
        self.add(Kind::TypeTag, tag, 0, to.0, &[])
    }

    /// Like [`type_tag`](Writer::type_tag), but for another attribute: `tag` is the text within `__attribute__((…))`.
    /// For Linux 6.15 and later.
    ///
    /// # Errors
    ///
    /// As [`int`](Writer::int).
    pub fn type_attribute(&mut self, tag: &str, to: TypeId) -> Added {
        self.add(Kind::TypeTag, tag, wire::flag(true), to.0, &[])
    }

    /// Adds the strings of a source line, and returns the record that assigns it to an instruction.
    ///
    /// A column above 1023, the maximum of the format, becomes 1023.
    ///
    /// # Errors
    ///
    /// Those of [`string`](Writer::string); [`WriteError::TooLarge`] for a line number of more than 22 bits.
    pub fn line(&mut self, line: LineInfo<'_>) -> Result<LineRecord, WriteError> {
        fits(22, line.line, "the number of a line")?;
        Ok(LineRecord {
            insn_off: line.insn_off,
            file_name_off: self.string(line.file)?,
            line_off: self.string(line.line_text)?,
            line_col: line.line << 10 | line.column.min(0x3ff),
        })
    }

    /// The BTF in the machine's own byte order, in which its kernel loads it.
    pub fn finish(&self) -> Vec<u8> {
        self.finish_in(Endian::NATIVE)
    }

    /// The BTF in this byte order.
    pub fn finish_in(&self, endian: Endian) -> Vec<u8> {
        let types_len = self.types.len() * size_of::<u32>();
        let mut bytes = Vec::with_capacity(HEADER_LEN + types_len + self.strings.len());
        bytes.extend(match endian {
            Endian::Little => MAGIC.to_le_bytes(),
            Endian::Big => MAGIC.to_be_bytes(),
        });
        // No flags.
        bytes.extend([VERSION, 0]);
        // Neither section is longer than `SECTION_MAX`.
        let (types, strings) = (types_len as u32, self.strings.len() as u32);
        let header = [HEADER_LEN as u32, 0, types, types, strings];
        let words = header.iter().chain(&self.types);
        match endian {
            Endian::Little => bytes.extend(words.flat_map(|word| word.to_le_bytes())),
            Endian::Big => bytes.extend(words.flat_map(|word| word.to_be_bytes())),
        }
        bytes.extend_from_slice(&self.strings);
        bytes
    }

    /// The offset of a name, which must not be too long to be read again.
    fn name(&mut self, name: &str) -> Result<u32, WriteError> {
        at_most(NAME_MAX, name.len(), "bytes in a name")?;
        self.string(name)
    }

    fn add(&mut self, kind: Kind, name: &str, info: u32, size_or_type: u32, trail: &[u32]) -> Added {
        let name_off = self.name(name)?;
        let words = self.types.len() + 3 + trail.len();
        at_most(SECTION_MAX, words * size_of::<u32>(), "bytes of types")?;
        at_most(TYPES_MAX, self.count as usize + 1, "types")?;
        self.types.extend([name_off, (kind as u32) << 24 | info, size_or_type]);
        self.types.extend_from_slice(trail);
        self.count += 1;
        Ok(TypeId(self.count))
    }
}

/// A count as a record's `vlen`.
fn items(count: usize, what: &'static str) -> Result<u32, WriteError> {
    at_most(ITEMS_MAX, count, what)?;
    Ok(count as u32)
}

fn at_most(most: usize, count: usize, what: &'static str) -> Result<(), WriteError> {
    if count <= most { Ok(()) } else { Err(WriteError::TooMany { what, count, most }) }
}

fn fits(bits: u32, value: u32, what: &'static str) -> Result<(), WriteError> {
    if value >> bits == 0 { Ok(()) } else { Err(WriteError::TooLarge { what, value: value.into(), bits }) }
}

/// The source line of an instruction; see [`Writer::line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineInfo<'a> {
    /// The instruction's slot, counted from the start of the program in units of 8 bytes.
    pub insn_off: u32,
    /// The file's name.
    pub file: &'a str,
    /// The text of the line. The kernel shows it without its leading blanks.
    pub line_text: &'a str,
    /// The line's number in the file, from 1; 0 if it has none.
    pub line: u32,
    /// The column, from 1; 0 if it has none.
    pub column: u32,
}

/// `struct bpf_line_info`: a [`LineInfo`] in the form of `BPF_PROG_LOAD`, in the machine's byte order.
///
/// The kernel requires them in ascending order of instructions, without duplicates, one at the start of each function,
/// and none in the second slot of a wide load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LineRecord {
    /// The instruction's slot.
    pub insn_off: u32,
    /// The offset of the file's name among the strings of the program's BTF.
    pub file_name_off: u32,
    /// The offset of the line among them.
    pub line_off: u32,
    /// The line's number in the upper 22 bits, the column in the lower 10.
    pub line_col: u32,
}

/// `struct bpf_func_info`: the FUNC in a program's BTF for the function that begins at an instruction, in the form of
/// `BPF_PROG_LOAD`, in the machine's byte order.
///
/// The kernel requires one for each function of the program, in their order, the first at slot 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FuncInfo {
    /// The slot of the function's first instruction.
    pub insn_off: u32,
    /// The FUNC.
    pub type_id: TypeId,
}
