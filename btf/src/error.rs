//! Errors of reading BTF, of look-ups, of field paths, and of writing BTF.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{Kind, TypeId};

/// Why BTF can't be read, or a look-up has no result.
///
/// Offsets are in bytes from the start of the bytes given to [`Btf::new`](crate::Btf::new), so that they can be found
/// again in a hex dump.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes don't begin with BTF's magic number, 0xeB9F, in either byte order.
    NotBtf,
    /// The header's version is not 1, the only one there is.
    Version(u8),
    /// The header is truncated, or contradicts the bytes.
    Header {
        /// What is wrong with the header.
        why: &'static str,
    },
    /// A type's record, or what follows it, is truncated by the end of the type section.
    Record {
        /// Where the record begins.
        offset: usize,
    },
    /// A record has a kind that this reader doesn't know. Unless the layout section gives its length, the records after
    /// it can't be read.
    UnknownKind {
        /// Where the record begins.
        offset: usize,
        /// The kind's number.
        kind: u8,
    },
    /// A name lies outside the string section, is not UTF-8, or is longer than [`NAME_MAX`](crate::NAME_MAX) bytes.
    Name {
        /// Where the name begins, or would begin if it were not outside.
        offset: usize,
    },
    /// A type id above the last one.
    NoSuchType {
        /// The id asked for.
        id: TypeId,
        /// How many types there are; ids run from 1 to this.
        count: u32,
    },
    /// Type 0 is `void`, which has no record, no size and no members.
    Void,
    /// A chain of typedefs, qualifiers or arrays leads back to itself, or is longer than any compiler produces.
    Loop {
        /// Where the chain starts.
        id: TypeId,
    },
    /// The request makes no sense for a type of this kind: members of a function, size of a forward declaration.
    WrongKind {
        /// The type asked about.
        id: TypeId,
        /// Its kind.
        kind: Kind,
        /// The kind that the request requires.
        wanted: &'static str,
    },
    /// An offset or size beyond 32 bits, which no object of the kernel has.
    TooLarge {
        /// The type whose extent overflows.
        id: TypeId,
    },
    /// No type of that kind has that name.
    NotFound {
        /// The kind looked for.
        kind: Kind,
        /// The name looked for.
        name: String,
    },
    /// A segment of a field path does not fit its type.
    Path {
        /// The whole path.
        path: String,
        /// The offset in `path` of the failing segment, in bytes.
        at: usize,
        /// The failing segment: a member's name, or an index with its brackets.
        segment: String,
        /// The type the segment was applied to, as C writes it: `struct task_struct`. If the field it leads to is at
        /// fault itself, that field's type.
        type_name: String,
        /// What is wrong with it.
        reason: Reason,
    },
}

/// What is wrong with one segment of a field path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The struct or union has no member with this name, nor have its anonymous members.
    NoSuchMember {
        /// Up to three members with similar names, best first.
        near: Vec<String>,
    },
    /// A member was requested of a type that is neither a struct or union nor a pointer to one.
    NotAStruct,
    /// The struct or union is declared in the BTF but not defined: its members are unknown.
    ForwardDeclared,
    /// An index was applied to a type that is neither an array nor a pointer to a type with a size.
    NotAnArray,
    /// The index is not below the array's length.
    IndexOutOfRange {
        /// The index.
        index: u32,
        /// The array's length, in elements.
        len: u32,
    },
    /// The segment is not a name, a name with indices, or an index that fits 32 bits.
    Syntax,
    /// The types on the path lead back to themselves.
    Loop,
    /// The field can't be read with a single load: it is a bitfield that no aligned unit of 1, 2, 4 or 8 bytes holds,
    /// or another field that begins within a byte.
    Unaligned,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotBtf => {
                write!(f, "not BTF: the magic number 0xeB9F is missing; is this /sys/kernel/btf/vmlinux?")
            }
            Error::Version(v) => write!(f, "BTF version {v} is unknown; this reader knows version 1"),
            Error::Header { why } => write!(f, "bad BTF header: {why}; the file is cut short or damaged"),
            Error::Record { offset } => {
                write!(f, "BTF type record at byte {offset} runs past the type section; the file is damaged")
            }
            Error::UnknownKind { offset, kind } => write!(
                f,
                "BTF type record at byte {offset} has unknown kind {kind}; \
                 the kernel is newer than this reader, or the file is damaged"
            ),
            Error::Name { offset } => {
                write!(
                    f,
                    "BTF name at byte {offset} is not a text within the string section; the file is damaged"
                )
            }
            Error::NoSuchType { id, count } => {
                write!(
                    f,
                    "BTF has no type {id}; ids run from 1 to {count}. Is the id from another kernel's BTF?"
                )
            }
            Error::Void => write!(f, "BTF type 0 is void, which has no record; test for it before asking"),
            Error::Loop { id } => {
                write!(
                    f,
                    "BTF type {id} leads back into itself, or through too many types; the file is damaged"
                )
            }
            Error::WrongKind { id, kind, wanted } => {
                write!(f, "BTF type {id} is of kind {kind}, not {wanted}")
            }
            Error::TooLarge { id } => {
                write!(f, "BTF type {id} extends beyond 4 GiB, as no kernel object does; the file is damaged")
            }
            Error::NotFound { kind, name } => {
                write!(f, "BTF has no {kind} named `{name}`; this kernel is older, or built without it")
            }
            Error::Path { path, at, segment, type_name, reason } => {
                write!(f, "path `{path}`, byte {at}: ")?;
                describe(reason, f, segment, type_name)
            }
        }
    }
}

fn describe(reason: &Reason, f: &mut fmt::Formatter<'_>, segment: &str, type_name: &str) -> fmt::Result {
    match reason {
        Reason::NoSuchMember { near } => {
            write!(f, "`{type_name}` has no member `{segment}`")?;
            match near.as_slice() {
                [] => Ok(()),
                [one] => write!(f, "; did you mean `{one}`?"),
                [most @ .., last] => {
                    write!(f, "; did you mean ")?;
                    for name in most {
                        write!(f, "`{name}`, ")?;
                    }
                    write!(f, "or `{last}`?")
                }
            }
        }
        Reason::NotAStruct => {
            write!(f, "`{segment}` is asked of `{type_name}`, which has no members; end the path before it")
        }
        Reason::ForwardDeclared => {
            write!(
                f,
                "`{segment}` is asked of `{type_name}`, which this kernel's BTF declares but does not define"
            )
        }
        Reason::NotAnArray => {
            write!(f, "`{segment}` is applied to `{type_name}`, which is not an array; leave the index out")
        }
        Reason::IndexOutOfRange { index, len } => {
            write!(f, "index {index} is out of range for `{type_name}`; the array has {len} elements")
        }
        Reason::Syntax if segment.is_empty() => write!(f, "a name is missing; write a path like `a.b[3].c`"),
        Reason::Syntax => write!(f, "`{segment}` is not a segment; write names and indices like `a.b[3].c`"),
        Reason::Loop => {
            write!(f, "the types behind `{segment}` lead back into themselves; the BTF is damaged")
        }
        Reason::Unaligned => {
            write!(
                f,
                "`{segment}` of type `{type_name}` lies across the units that a single load reads; leave it out"
            )
        }
    }
}

impl core::error::Error for Error {}

/// Why [`Writer`](crate::Writer) refuses something. What was added before is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// A text has a zero byte, which would end it.
    Nul {
        /// The text.
        text: String,
    },
    /// There is more of something than the format, or the kernel, allows.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The number requested.
        count: usize,
        /// The maximum.
        most: usize,
    },
    /// A number does not fit its field.
    TooLarge {
        /// The meaning of the number.
        what: &'static str,
        /// The number.
        value: i128,
        /// The width of the field.
        bits: u32,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Nul { text } => {
                write!(f, "{text:?} has a zero byte, at which BTF would end it; leave that out")
            }
            WriteError::TooMany { what, count, most } => {
                write!(f, "{count} {what} are too many for BTF, which takes {most}")
            }
            WriteError::TooLarge { what, value, bits } => {
                write!(f, "{what} is {value}, which does not fit the {bits} bits that BTF has for it")
            }
        }
    }
}

impl core::error::Error for WriteError {}
