//! The system calls: `bpf(2)` as typed commands, the file descriptors it gives, and the kernel's BTF.
//!
//! A command of `bpf(2)` is a type that holds its inputs, borrowed; [`bpf`] issues it and gives its typed result or an
//! [`Error`] that says which call failed, and with which number:
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
//! The attribute of each command is a struct of its own, no longer than the fields it fills: the kernel takes what is
//! missing at the end as zero, and refuses (`E2BIG`) what is not zero past the end of the fields it knows. So the same
//! bytes suit every kernel since 5.10.
//!
//! This is the only module of the crate with `unsafe` code. What it promises in return: no safe call makes the kernel
//! write outside of the memory it was lent, each descriptor is closed once, and a descriptor's type ([`ProgFd`],
//! [`MapFd`], …) is what the kernel says it is ([`IterFd::open`] takes the caller's word). What a BPF program does once it runs is not Rust's business, as
//! with `/proc/self/mem`.
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

pub use btf::{BtfLoad, KernelBtf};
pub use caps::{Caps, pidfd_open, raise_memlock};
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
