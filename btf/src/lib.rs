//! Reads the BPF Type Format (BTF) where it lies, without copying it, and writes that of a program.
//!
//! A running kernel describes its types in `/sys/kernel/btf/vmlinux` (since Linux 5.4, with `CONFIG_DEBUG_INFO_BTF`):
//! structs with their members' offsets, enums, functions. Whoever writes a BPF program for that kernel asks a few
//! questions of those five megabytes and answers them with [`Btf`]: which id has this function, where does this member
//! lie, which loads lead from a `task_struct` to its parent's `tgid`?
//!
//! [`Btf`] borrows the bytes, mapped or read by somebody else, looks at the header, and does no more until it is asked.
//! A name is found by one walk over the records; a type, by a sparse index that those walks leave behind. The BTF of a
//! kernel's module is split: [`Btf::new_split`] reads it with the kernel's as its base.
//!
//! [`Writer`] goes the other way: it makes the BTF that a program brings with it, with the lines of source that the
//! kernel cites when it rejects the program.
//!
//! The bytes are not trusted. Whatever they are, every question ends in an answer or an [`Error`], after work bounded
//! by their length. The crate needs `alloc`, but no `std`.
//!
//! # Example
//!
//! ```
//! use kwalk_btf::{Btf, Class, Error, Kind};
//!
//! fn parent(bytes: &[u8]) -> Result<(), Error> {
//!     let btf = Btf::new(bytes)?;
//!     let task = btf.find(Kind::Struct, "task_struct")?;
//!
//!     // One load at `hops[0].offset` leads to the parent, one at `field.offset` to the number.
//!     let path = btf.path(task, "real_parent.tgid")?;
//!     assert_eq!((path.hops.len(), path.field.size), (1, 4));
//!     assert_eq!(path.field.class, Class::Int { signed: true });
//!     Ok(())
//! }
//! # assert_eq!(parent(b"ELF?"), Err(Error::NotBtf));
//! ```
//!
//! # Terms
//!
//! They are the ones of the kernel's `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`. Type ids are the
//! kernel's; type 0 is `void`.

#![no_std]
// Nothing that foreign bytes say may end in a panic.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate alloc;

mod contents;
mod error;
mod header;
mod index;
mod named;
mod near;
mod path;
mod spell;
mod view;
mod walk;
mod wire;
mod write;

pub use contents::{
    Array, Component, Enumerator, Enumerators, Fwd, Int, Linkage, Member, Members, Param, Params, SectionVar,
    SectionVars,
};
pub use error::{Error, Reason, WriteError};
pub use near::near;
pub use path::{Bits, Class, Field, Hop, Path};
pub use view::{Btf, NAME_MAX, Type};
pub use wire::{Endian, Kind, TypeId};
pub use write::{FuncInfo, LineInfo, LineRecord, Writer};
