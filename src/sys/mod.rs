//! The system calls: `bpf(2)` as typed commands, their file descriptors, and the kernel's BTF.
//!
//! A command of `bpf(2)` is a type that borrows its inputs. [`bpf`] issues it and returns its typed result or an
//! [`Error`] with the call and the error number:
//!
//! ```no_run
//! use kwalk::sys::{IterCreate, IterLinkInfo, LinkCreate, ProgLoad, bpf};
//!
//! # fn walk(insns: &[u8], btf_id: u32) -> Result<(), Box<dyn std::error::Error>> {
//! let prog = bpf(ProgLoad::iter(insns, c"Dual MIT/GPL", btf_id))?;
//! let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::None))?;
//! let iter = bpf(IterCreate { link: &link })?;
//! let mut buf = vec![0; 32 << 10];
//! while iter.read(&mut buf)? != 0 {}
//! # Ok(())
//! # }
//! ```
//!
//! Each command has an attribute struct of its own, no longer than the fields it sets: the kernel takes missing fields
//! at the end as zero, and refuses (`E2BIG`) bytes other than zero past the fields it knows. So the same bytes suit
//! every kernel since 5.10.
//!
//! This is the only module of the crate with `unsafe` code. It promises: no safe call makes the kernel write outside of
//! memory that the call borrows, each descriptor is closed once, and the type of a descriptor ([`ProgFd`], [`MapFd`],
//! …) is the kernel's, except that [`IterFd::open`] trusts the caller. The effects of a BPF program that runs are
//! outside of Rust's guarantees, as those of writes to `/proc/self/mem` are.
//!
//! Sources: `include/uapi/linux/bpf.h`, `kernel/bpf/syscall.c` and bpf(2).

mod btf;
mod caps;
mod command;
mod elem;
mod error;
mod fd;
mod info;
mod link;
mod map;
mod netns;
mod object;
mod prog;
mod release;
#[cfg(feature = "stdout")]
mod stdout;

pub use btf::{BtfLoad, KernelBtf};
pub use caps::{Caps, pidfd_getfd, pidfd_open, pidfd_open_thread, raise_memlock};
pub use command::{Command, bpf};
pub use elem::{ElemFlags, MapDeleteElem, MapFreeze, MapLookupElem, MapUpdateElem};
pub use error::{ENOTSUPP, Error, Result};
pub use fd::{BtfFd, IterFd, LinkFd, NetnsFd, ProgFd, Returned};
pub use info::{BtfInfo, IterInfo, LinkInfo, LinkType, MapInfo, ProgInfo};
pub use link::{CgroupOrder, CgroupStart, IterCreate, IterLinkInfo, LinkCreate, LinkUpdate};
pub use map::{MapBtf, MapCreate, MapFd, MapFlags, MapType};
pub use object::{Ids, ObjGet, ObjName, ObjPin, Object, ids, open_id};
pub use prog::{AttachType, Log, LogLevel, ProgBindMap, ProgBtf, ProgFlags, ProgLoad, ProgRun, ProgType};
pub use release::{page_size, release};
#[cfg(feature = "stdout")]
pub use stdout::stdout_was_closed;
