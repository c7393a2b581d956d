//! Walks the objects of a running Linux kernel: tasks, open files, sockets, BPF maps and more.
//!
//! A BPF iterator is a program that the kernel runs for each object of a kind, and whose output user space reads. This
//! crate writes such programs itself, against the running kernel's own types, and loads, attaches and reads them with
//! three calls of `bpf(2)`. It needs no clang, no libbpf, no ELF object and no headers, neither to build nor to run.
//!
//! ```no_run
//! use kwalk::{KernelBtf, Loaded, Scope, btf::Btf, kernel, text};
//!
//! # fn main() -> Result<(), kwalk::Error> {
//! let types = KernelBtf::open()?;
//! let btf = Btf::new(types.bytes())?;
//! let options = text::Options { comm: Some("sshd".parse()?), ..Default::default() };
//! let program = text::by_name("stacks")?.write(&kernel(&btf), &options)?;
//! let link = Loaded::load(&program)?.attach(&Scope::All)?;
//! let mut iter = link.iter()?;
//! while let chunk @ [_, ..] = iter.next_chunk()? {
//!     print!("{}", String::from_utf8_lossy(chunk));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The module `select` writes the program for a list of fields and a condition.
//!
//! Features, which an embedder turns off with `default-features = false`: `select` for rows of any fields, `sql` for
//! selections written in SQL, `print` for the output formats, `explain` for verifier logs that cite lines of Rust.

mod cgroup;
mod disassemble;
mod error;
mod facts;
mod iter;
pub mod kallsyms;
mod kfunc;
mod link;
mod load;
mod map;
mod netns;
mod path;
mod pin;
#[cfg(feature = "print")]
pub mod print;
mod process;
mod rejection;
mod scope;
#[cfg(feature = "select")]
pub mod select;
mod skeleton;
#[allow(unsafe_code)]
pub mod sys;

pub use kwalk_asm as asm;
pub use kwalk_btf as btf;
pub use kwalk_progs as progs;
pub use kwalk_progs::text;

pub use cgroup::open_cgroup;
pub use disassemble::{disassemble, listing};
pub use error::{Error, MapError, PinError, ProcessError};
pub use facts::kernel;
pub use iter::Iter;
pub use kfunc::Kfunc;
pub use link::Link;
pub use load::Loaded;
pub use map::MapName;
pub use netns::Netns;
pub use pin::{PinPath, pin_all, replace_all, unpin};
pub use rejection::{Fault, RejectedInsn, Rejection};
pub use scope::{Resolved, Scope};
pub use skeleton::Skeleton;
pub use sys::KernelBtf;
