//! Reads the BPF Type Format (BTF) in place, without copying it, and writes the BTF of a program.
//!
//! A running kernel describes its types in `/sys/kernel/btf/vmlinux` (since Linux 5.4, with `CONFIG_DEBUG_INFO_BTF`):
//! structs with their members' offsets, enums, functions. To write a BPF program for that kernel, one needs a few facts
//! from these five megabytes, and [`Btf`] looks them up: the id of a function, the offset of a member, the loads that
//! lead from a `task_struct` to its parent's `tgid`.
//!
//! [`Btf`] borrows the bytes and at first reads only the header. A name is found in one pass over the records; a type,
//! by a sparse index that such passes fill. The BTF of a module is split: [`Btf::new_split`] reads it, with the
//! kernel's BTF as its base.
//!
//! [`Writer`] writes the BTF that a program is loaded with, including the source lines that the kernel cites when it
//! rejects the program.
//!
//! The bytes are not trusted. Whatever they are, every look-up returns a result or an [`Error`], in a time bounded by
//! their length. The crate needs `alloc`, but not `std`.
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
//! The terms are those of the kernel's `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`. Type ids are the
//! kernel's; type 0 is `void`.

#![no_std]
// No input may cause a panic.
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
