//! Commands on programs: load, run, bind a map.

use std::ffi::{CStr, c_int};
use std::os::fd::BorrowedFd;

use kwalk_btf::{FuncInfo, LineRecord};
use zerocopy::FromZeros;

use super::command::{address, command, raw, slice, slice_mut, text, wire};
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
    /// For program types that need no attach type (the number is that of `CGROUP_INET_INGRESS`).
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
    /// `log_level`: the amount of text in the verifier's log.
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

/// A buffer for the kernel's log.
#[derive(Debug)]
pub struct Log<'a> {
    /// The amount of text.
    pub level: LogLevel,
    /// Filled with text and a NUL. At least 128 bytes, at most 16 MiB. If it is too short, the command fails with
    /// `ENOSPC` even for a program without faults, and the buffer has the start of the log (before 6.4) or the end.
    pub buf: &'a mut [u8],
}

impl Log<'_> {
    /// The text in a log buffer, up to the NUL.
    pub fn text(buf: &[u8]) -> String {
        text(buf)
    }

    /// `log_level`, `log_size` and `log_buf` of a command.
    pub(super) fn attr(log: Option<&mut Log<'_>>, call: &'static str) -> Result<(u32, u32, u64)> {
        let Some(log) = log else { return Ok((0, 0, 0)) };
        let (buf, size) = slice_mut(call, log.buf)?;
        Ok((log.level.bits(), size, buf))
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
    /// The program's type.
    pub prog_type: ProgType,
    /// The attach type.
    pub expected_attach_type: AttachType,
    /// The instructions, 8 bytes each, in the machine's byte order. Map and BTF descriptors that they name by number
    /// must be open during the load.
    pub insns: &'a [u8],
    /// "GPL", "Dual MIT/GPL" and the like allow GPL-only helpers.
    pub license: &'a CStr,
    /// Options.
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
    /// reads memory past the end as a descriptor.
    pub fd_array: &'a [BorrowedFd<'a>],
    /// The buffer for the verifier's log.
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

wire! {
    pub ProgLoadAttr: 144 {
        0 prog_type: u32, 4 insn_cnt: u32, 8 insns: u64, 16 license: u64,
        24 log_level: u32, 28 log_size: u32, 32 log_buf: u64,
        40 kern_version: u32, 44 prog_flags: u32, 48 prog_name: [u8; 16], 64 prog_ifindex: u32,
        68 expected_attach_type: u32, 72 prog_btf_fd: u32,
        76 func_info_rec_size: u32, 80 func_info: u64, 88 func_info_cnt: u32,
        92 line_info_rec_size: u32, 96 line_info: u64, 104 line_info_cnt: u32,
        108 attach_btf_id: u32, 112 attach_btf_obj_fd: u32,
        116 core_relo_cnt: u32, 120 fd_array: u64, 128 core_relos: u64, 136 core_relo_rec_size: u32,
        140 log_true_size: u32,
    }
}

// SAFETY: the kernel reads the instructions (`insn_cnt` of 8 bytes), the licence up to its NUL, and the given number of
// records; it writes `log_size` bytes of the log, which is borrowed exclusively. It reads as far into the array of
// descriptors as the instructions say: too far gives a failure or a wrong descriptor, and writes nothing.
unsafe impl Command for ProgLoad<'_> {
    command!(5 "BPF_PROG_LOAD", ProgLoadAttr => ProgFd);
    const CHARGES_MEMLOCK: bool = true;
    const AGAIN_ON_SIGNAL: bool = true;

    fn attr(&mut self) -> Result<ProgLoadAttr> {
        if self.insns.len() % INSN_SIZE != 0 {
            let detail = format!("{} bytes are not a whole number of instructions", self.insns.len());
            return Err(Error::misuse(Self::NAME, detail));
        }
        let (insns, insns_len) = slice(Self::NAME, self.insns)?;
        let (log_level, log_size, log_buf) = Log::attr(self.log.as_mut(), Self::NAME)?;
        let (func_info, func_info_cnt) = slice(Self::NAME, self.btf.map_or(&[], |btf| btf.func_info))?;
        let (line_info, line_info_cnt) = slice(Self::NAME, self.btf.map_or(&[], |btf| btf.line_info))?;
        Ok(ProgLoadAttr {
            prog_type: self.prog_type.0,
            insn_cnt: insns_len / INSN_SIZE as u32,
            insns,
            license: address(self.license.to_bytes_with_nul()),
            log_level,
            log_size,
            log_buf,
            prog_flags: self.flags.bits(),
            prog_name: self.name.0,
            expected_attach_type: self.expected_attach_type.0,
            prog_btf_fd: self.btf.map_or(0, |btf| raw(btf.btf)),
            func_info_rec_size: self.btf.map_or(0, |_| size_of::<FuncInfo>() as u32),
            func_info,
            func_info_cnt,
            line_info_rec_size: self.btf.map_or(0, |_| size_of::<LineRecord>() as u32),
            line_info,
            line_info_cnt,
            attach_btf_id: self.attach_btf_id,
            attach_btf_obj_fd: self.attach_btf_obj.map_or(0, raw),
            // The kernel reads an array of int: BorrowedFd is a transparent c_int, never negative.
            fd_array: address(self.fd_array),
            ..ProgLoadAttr::new_zeroed()
        })
    }

    fn log_true_size(attr: &ProgLoadAttr) -> u32 {
        attr.log_true_size
    }
}

/// `BPF_PROG_RUN` of a [`ProgType::SYSCALL`] program (since 5.14), which reads and changes a context. Returns the
/// program's return value.
///
/// # Errors
///
/// `EINVAL`: not such a program, or a context that is too short for it or longer than 64 KiB.
#[derive(Debug)]
pub struct ProgRun<'a> {
    /// The program.
    pub prog: &'a ProgFd,
    /// Its context. The kernel does not interpret addresses in it.
    pub ctx: &'a mut [u8],
}

wire! {
    pub ProgRunAttr: 56 {
        0 prog_fd: u32, 4 retval: u32, 8 data: [u32; 8], 40 ctx_size_in: u32, 44 ctx_size_out: u32, 48 ctx_in: u64,
    }
}

// SAFETY: the kernel reads `ctx_size_in` bytes of the context and writes as many back; it is borrowed exclusively. For
// other program types it only reads them, for neither `data_out` nor `ctx_out` is given.
unsafe impl Command for ProgRun<'_> {
    const CMD: c_int = 10;
    const NAME: &'static str = "BPF_PROG_RUN";
    // For SYSCALL programs; for other types before.
    const SINCE: Option<(u16, u16)> = Some((5, 14));
    type Attr = ProgRunAttr;
    type Returned = ();
    type Output = u32;

    fn attr(&mut self) -> Result<ProgRunAttr> {
        let (ctx_in, ctx_size_in) = slice_mut(Self::NAME, self.ctx)?;
        Ok(ProgRunAttr { prog_fd: raw(self.prog), ctx_size_in, ctx_in, ..ProgRunAttr::new_zeroed() })
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

wire! { pub ProgBindMapAttr: 12 { 0 prog_fd: u32, 4 map_fd: u32, 8 flags: u32 } }

// SAFETY: no address is involved.
unsafe impl Command for ProgBindMap<'_> {
    command!(35 "BPF_PROG_BIND_MAP", ProgBindMapAttr => (), since (5, 10));

    fn attr(&mut self) -> Result<ProgBindMapAttr> {
        Ok(ProgBindMapAttr { prog_fd: raw(self.prog), map_fd: raw(self.map), flags: 0 })
    }
}
