//! BPF iterator programs, written against the running kernel's own types.
//!
//! This crate builds on [`kwalk_asm`] and [`kwalk_btf`]. It knows the facts about a [`Kernel`], the [`targets`] that
//! kernels can walk, how to write a program for one safely ([`Builder`]), and the [`text`] programs that come with
//! kwalk. It makes no system calls: its result is a [`Program`], which the crate `kwalk` loads.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
//! use kwalk_progs::{Kernel, text};
//!
//! let btf = kwalk_btf::Btf::new(&bytes)?;
//! let options = text::Options { comm: Some("sshd".parse()?), ..Default::default() };
//! let program = text::by_name("stacks")?.write(&Kernel::described(&btf), &options)?;
//! assert_eq!(program.target().name, "task");
//! # Ok(())
//! # }
//! ```

#![no_std]

#[macro_use]
extern crate alloc;

mod available;
mod builder;
mod error;
mod fragment;
mod kernel;
pub mod kfunc;
mod mapping;
mod operand;
mod program;
mod source;
mod span;
mod target;
pub mod targets;
pub mod text;
mod version;

pub use available::{Available, available, btf_names, find, find_with};
pub use builder::{Builder, CTX, OVERFLOW, Rows, SEQ, Saved};
pub use error::{CommError, Error};
pub use fragment::{Fragment, Role};
pub use kernel::{ANY_THREAD, Kernel};
pub use kfunc::Callee;
pub use operand::{Buffer, Ptr, StackSlot, Trusted, Unchecked, Untrusted, Value};
pub use program::{LICENSE, Map, MapKind, Program, ProgramType};
pub use source::{Source, describe};
pub use span::Span;
pub use target::{End, Parameters, Target};
pub use version::Version;
