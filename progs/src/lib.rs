//! BPF iterator programs, written against the running kernel's own types.
//!
//! This crate joins [`kwalk_asm`] and [`kwalk_btf`]: it knows which kinds of object a kernel can walk ([`target`]),
//! how to write a program for one safely ([`Walk`]), how to [`select`] fields of its objects, and the [`text`] programs
//! that come with kwalk. It knows nothing of file descriptors: what it gives is a [`Program`], which the crate `kwalk`
//! loads.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
//! let btf = kwalk_btf::Btf::new(&bytes)?;
//! let options = kwalk_progs::text::Options { comm: Some("sshd".parse()?), ..Default::default() };
//! let program = kwalk_progs::text::by_name("stacks")?.write(&btf, &options)?;
//! assert_eq!(program.target.name, "task");
//! # Ok(())
//! # }
//! ```

mod error;
pub mod kfunc;
mod operand;
#[cfg(not(feature = "select"))]
mod part;
mod program;
#[cfg(feature = "select")]
pub mod select;
mod source;
pub mod target;
pub mod text;
mod walk;

pub use error::{CommError, Error};
pub use kfunc::Callee;
pub use operand::{Ptr, StackSlot, Trusted, Unchecked, Untrusted, Value};
#[cfg(not(feature = "select"))]
pub use part::Part;
pub use program::{LICENSE, Map, MapKind, Program};
#[cfg(feature = "select")]
pub use select::Part;
pub use source::{Source, describe};
pub use target::Target;
pub use walk::{CTX, OVERFLOW, Rows, SEQ, Walk};
