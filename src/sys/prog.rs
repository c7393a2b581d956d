//! Commands on programs: load, run, bind a map.

use std::ffi::{CStr, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use kwalk_btf::{FuncInfo, LineRecord};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::command::{address, address_mut, count, layout, no_output};
use super::{BtfFd, Command, Error, MapFd, ObjName, ProgFd, Result};

/// A value of `enum bpf_prog_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgType(pub u32);

impl ProgType {
    /// Filters packets of a socket.
    pub const SOCKET_FILTER: ProgType = ProgType(1);
    /// Attached to kernel functions by BTF; iterators are of this type.
    pub const TRACING: ProgType = ProgType(26);
    /// Issues system calls when run with [`ProgRun`], since 5.14.
    pub const SYSCALL: ProgType = ProgType(31);
}

/// A value of `enum bpf_attach_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttachType(pub u32);

impl AttachType {
    /// What programs have whose type alone says where they attach (the number is that of `CGROUP_INET_INGRESS`).
    pub const NONE: AttachType = AttachType(0);
    /// An iterator: a [`ProgType::TRACING`] program called for each object of a kind.
    pub const TRACE_ITER: AttachType = AttachType(28);
}

bitflags::bitflags! {
    /// `prog_flags` of `BPF_PROG_LOAD`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ProgFlags: u32 {
        /// Memory accesses must be aligned, whatever the machine.
        const STRICT_ALIGNMENT = 1 << 0;
        /// The verifier saves its state often; for testing it.
        const TEST_STATE_FREQ = 1 << 3;
        /// The program may sleep; iterators since 5.18.
        const SLEEPABLE = 1 << 4;
        const _ = !0;
    }
}

bitflags::bitflags! {
    /// How much the verifier tells.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LogLevel: u32 {
        /// The path that led to a rejection.
        const BRIEF = 1;
        /// Every path.
        const FULL = 2;
        /// Only the statistics: instructions processed, states, stack depth.
        const STATS = 4;
        const _ = !0;
    }
}

/// Where the verifier's words go.
#[derive(Debug)]
pub struct Log<'a> {
    /// How many words.
    pub level: LogLevel,
    /// Filled with text and a NUL. At least 128 bytes, at most 16 MiB. If it is too short, the command fails with
    /// `ENOSPC` whatever the verdict, and holds the first part of the log (before 6.4) or the last.
    pub buf: &'a mut [u8],
}

impl Log<'_> {
    /// What the kernel has written to a log buffer: the text before the NUL.
    pub fn text(buf: &[u8]) -> String {
        let text = buf.split(|&b| b == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// `log_level`, `log_size` and `log_buf` of a command.
    pub(super) fn attr(log: Option<&mut Log<'_>>, call: &'static str) -> Result<(u32, u32, u64)> {
        Ok(match log {
            Some(log) => (log.level.bits(), count(call, log.buf)?, address_mut(log.buf)),
            None => (0, 0, 0),
        })
    }
}

/// The types and source lines of a program.
#[derive(Clone, Copy, Debug)]
pub struct ProgBtf<'a> {
    /// The program's own BTF, loaded with [`BtfLoad`](super::BtfLoad).
    pub btf: &'a BtfFd,
    /// One per function, in order of the instructions, the first at 0.
    pub func_info: &'a [FuncInfo],
    /// In order of the instructions, the first of each function at its start. May be empty.
    pub line_info: &'a [LineRecord],
}

/// `BPF_PROG_LOAD`: hands a program to the verifier. Gives a [`ProgFd`].
///
/// # Errors
///
/// `EACCES`, and often `EINVAL`: the verifier's rejection, see its log; `EPERM`: `CAP_BPF`, or `CAP_PERFMON` for
/// tracing programs, is missing; `E2BIG`: too many instructions, or too many paths; `ENOSPC`: the log buffer is too
/// small; `ENOTSUPP` (524): the kernel can't do this kind of program.
#[derive(Debug)]
pub struct ProgLoad<'a> {
    /// What kind of program.
    pub prog_type: ProgType,
    /// Where it will be attached.
    pub expected_attach_type: AttachType,
    /// The instructions, 8 bytes each, in the machine's byte order. Map and BTF descriptors that they name by number
    /// must be open during the load.
    pub insns: &'a [u8],
    /// "GPL", "Dual MIT/GPL" and the like allow GPL-only helpers.
    pub license: &'a CStr,
    /// What is allowed to it.
    pub flags: ProgFlags,
    /// Its name for bpftool and the like.
    pub name: ObjName,
    /// The BTF id it attaches to: for an iterator the `FUNC` `bpf_iter_<target>`. 0 for none.
    pub attach_btf_id: u32,
    /// The BTF that `attach_btf_id` is in, if it is a module's (since 5.11).
    pub attach_btf_obj: Option<&'a BtfFd>,
    /// Its types and source lines, which the log then cites.
    pub btf: Option<ProgBtf<'a>>,
    /// Descriptors that instructions name by index instead of by number (since 5.14). The kernel checks no index, and
    /// takes what lies behind the end for a descriptor.
    pub fd_array: &'a [BorrowedFd<'a>],
    /// Where the verifier's words go.
    pub log: Option<Log<'a>>,
}

impl<'a> ProgLoad<'a> {
    /// A program with nothing but its type, instructions and licence.
    pub fn new(prog_type: ProgType, insns: &'a [u8], license: &'a CStr) -> ProgLoad<'a> {
        ProgLoad {
            prog_type,
            expected_attach_type: AttachType::NONE,
            insns,
            license,
            flags: ProgFlags::empty(),
            name: ObjName::default(),
            attach_btf_id: 0,
            attach_btf_obj: None,
            btf: None,
            fd_array: &[],
            log: None,
        }
    }

    /// An iterator over the target whose `FUNC` `bpf_iter_<target>` in the kernel's BTF has this id.
    pub fn iter(insns: &'a [u8], license: &'a CStr, attach_btf_id: u32) -> ProgLoad<'a> {
        ProgLoad {
            expected_attach_type: AttachType::TRACE_ITER,
            attach_btf_id,
            ..ProgLoad::new(ProgType::TRACING, insns, license)
        }
    }
}

/// `sizeof(struct bpf_insn)`.
const INSN_SIZE: usize = 8;

#[doc(hidden)]
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgLoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_btf_obj_fd: u32,
    core_relo_cnt: u32,
    fd_array: u64,
    core_relos: u64,
    core_relo_rec_size: u32,
    log_true_size: u32,
}

layout!(ProgLoadAttr: 144, insn_cnt @ 4, insns @ 8, license @ 16, log_level @ 24, log_size @ 28, log_buf @ 32,
    prog_flags @ 44, prog_name @ 48, expected_attach_type @ 68, prog_btf_fd @ 72, func_info_rec_size @ 76,
    func_info @ 80, func_info_cnt @ 88, line_info_rec_size @ 92, line_info @ 96, line_info_cnt @ 104,
    attach_btf_id @ 108, attach_btf_obj_fd @ 112, fd_array @ 120, log_true_size @ 140);

// SAFETY: the kernel reads the instructions (`insn_cnt` of 8 bytes), the licence up to its NUL, and as many records as
// it is told; it writes `log_size` bytes of the log, which is borrowed exclusively. It reads as far into the array of
// descriptors as the instructions say: too far gives a failure or a wrong descriptor, and writes nothing.
unsafe impl Command for ProgLoad<'_> {
    const CMD: c_int = 5;
    const NAME: &'static str = "BPF_PROG_LOAD";
    const CHARGES_MEMLOCK: bool = true;
    const AGAIN_ON_SIGNAL: bool = true;
    type Attr = ProgLoadAttr;
    type Returned = OwnedFd;
    type Output = ProgFd;

    fn attr(&mut self) -> Result<ProgLoadAttr> {
        if self.insns.len() % INSN_SIZE != 0 {
            let detail = format!("{} bytes are not a whole number of instructions", self.insns.len());
            return Err(Error::misuse(Self::NAME, detail));
        }
        let (log_level, log_size, log_buf) = Log::attr(self.log.as_mut(), Self::NAME)?;
        let func_info = self.btf.map_or(&[][..], |btf| btf.func_info);
        let line_info = self.btf.map_or(&[][..], |btf| btf.line_info);
        Ok(ProgLoadAttr {
            prog_type: self.prog_type.0,
            insn_cnt: count(Self::NAME, self.insns)? / INSN_SIZE as u32,
            insns: address(self.insns),
            license: address(self.license.to_bytes_with_nul()),
            log_level,
            log_size,
            log_buf,
            kern_version: 0,
            prog_flags: self.flags.bits(),
            prog_name: self.name.0,
            prog_ifindex: 0,
            expected_attach_type: self.expected_attach_type.0,
            prog_btf_fd: self.btf.map_or(0, |btf| btf.btf.as_raw_fd() as u32),
            func_info_rec_size: self.btf.map_or(0, |_| size_of::<FuncInfo>() as u32),
            func_info: address(func_info),
            func_info_cnt: count(Self::NAME, func_info)?,
            line_info_rec_size: self.btf.map_or(0, |_| size_of::<LineRecord>() as u32),
            line_info: address(line_info),
            line_info_cnt: count(Self::NAME, line_info)?,
            attach_btf_id: self.attach_btf_id,
            attach_btf_obj_fd: self.attach_btf_obj.map_or(0, |btf| btf.as_raw_fd() as u32),
            core_relo_cnt: 0,
            // BorrowedFd is a transparent c_int, never negative: what the kernel reads here.
            fd_array: address(self.fd_array),
            core_relos: 0,
            core_relo_rec_size: 0,
            log_true_size: 0,
        })
    }

    fn log_true_size(attr: &ProgLoadAttr) -> u32 {
        attr.log_true_size
    }

    fn output(self, fd: OwnedFd, _: &ProgLoadAttr) -> Result<ProgFd> {
        Ok(ProgFd::known(fd))
    }
}

/// `BPF_PROG_RUN` of a [`ProgType::SYSCALL`] program (since 5.14), which reads and changes a context. Gives what the
/// program returned.
///
/// # Errors
///
/// `EINVAL`: not such a program, or a context that is too short for it or longer than 64 KiB.
#[derive(Debug)]
pub struct ProgRun<'a> {
    /// The program.
    pub prog: &'a ProgFd,
    /// Its context. Addresses in it are the program's own affair.
    pub ctx: &'a mut [u8],
}

#[doc(hidden)]
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgRunAttr {
    prog_fd: u32,
    retval: u32,
    data: [u32; 8],
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
}

layout!(ProgRunAttr: 56, retval @ 4, ctx_size_in @ 40, ctx_size_out @ 44, ctx_in @ 48);

// SAFETY: the kernel reads `ctx_size_in` bytes of the context and writes as many back; it is borrowed exclusively. For
// other program types it reads them only, for there is neither `data_out` nor `ctx_out`.
unsafe impl Command for ProgRun<'_> {
    const CMD: c_int = 10;
    const NAME: &'static str = "BPF_PROG_RUN";
    type Attr = ProgRunAttr;
    type Returned = ();
    type Output = u32;

    fn attr(&mut self) -> Result<ProgRunAttr> {
        Ok(ProgRunAttr {
            prog_fd: self.prog.as_raw_fd() as u32,
            retval: 0,
            data: [0; 8],
            ctx_size_in: count(Self::NAME, self.ctx)?,
            ctx_size_out: 0,
            ctx_in: address_mut(self.ctx),
        })
    }

    fn output(self, (): (), attr: &ProgRunAttr) -> Result<u32> {
        Ok(attr.retval)
    }
}

/// `BPF_PROG_BIND_MAP` (since 5.10): a map that lives as long as the program, though no instruction uses it.
#[derive(Debug)]
pub struct ProgBindMap<'a> {
    /// The program.
    pub prog: &'a ProgFd,
    /// The map.
    pub map: &'a MapFd,
}

#[doc(hidden)]
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgBindMapAttr {
    prog_fd: u32,
    map_fd: u32,
    flags: u32,
}

layout!(ProgBindMapAttr: 12, prog_fd @ 0, map_fd @ 4, flags @ 8);

// SAFETY: no address is involved.
unsafe impl Command for ProgBindMap<'_> {
    const CMD: c_int = 35;
    const NAME: &'static str = "BPF_PROG_BIND_MAP";
    type Attr = ProgBindMapAttr;
    no_output!();

    fn attr(&mut self) -> Result<ProgBindMapAttr> {
        Ok(ProgBindMapAttr {
            prog_fd: self.prog.as_raw_fd() as u32,
            map_fd: self.map.as_raw_fd() as u32,
            flags: 0,
        })
    }
}
