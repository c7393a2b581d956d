//! Programs of these tests in the running kernel.

use std::os::fd::AsRawFd;
use std::sync::LazyLock;

use kwalk::kallsyms::Kallsyms;
use kwalk::sys::*;
use kwalk_asm::{Assembler, Code, Decoded, Endian, Helper, Insn, TagHash};

use crate::support::kernel_version;

fn command(prog_type: ProgType, bytes: &[u8]) -> ProgLoad<'_> {
    let sleepable = if prog_type == ProgType::SYSCALL { ProgFlags::SLEEPABLE } else { ProgFlags::empty() };
    ProgLoad { flags: sleepable, ..ProgLoad::new(prog_type, bytes, c"Dual MIT/GPL") }
}

/// Loads a program; the error is the end of what the verifier says about it.
pub(crate) fn load(prog_type: ProgType, bytes: &[u8]) -> Result<ProgFd, String> {
    bpf(command(prog_type, bytes)).map_err(|error| {
        if error.errno() == libc::E2BIG {
            return error.to_string();
        }
        let mut buf = vec![0; 1 << 20];
        let log = Some(Log { level: LogLevel::BRIEF, buf: &mut buf });
        let again = bpf(ProgLoad { log, ..command(prog_type, bytes) });
        let log = Log::text(&buf);
        format!("{error}, then {again:?}: …{}", &log[log.len().saturating_sub(3000)..])
    })
}

/// The same instructions as a program of the assembler's.
pub(crate) fn code(insns: &[Insn]) -> Code {
    let mut a = Assembler::new();
    insns.iter().for_each(|insn| a.emit(*insn));
    a.finish().expect("a program")
}

pub(crate) fn bytes(insns: &[Insn]) -> Vec<u8> {
    let bytes = code(insns).encode(Endian::NATIVE, |slot| unreachable!("{slot:?}"));
    let mut one_by_one = Vec::with_capacity(bytes.len());
    Insn::encode_all(insns, Endian::NATIVE, &mut one_by_one);
    assert_eq!(bytes, one_by_one);
    bytes
}

/// What the kernel gives back of a program.
pub(crate) fn xlated(prog: &ProgFd) -> Vec<Decoded> {
    Decoded::all(&prog.xlated().unwrap(), Endian::NATIVE).unwrap()
}

/// A map of one value, which programs have the address of.
pub(crate) fn one_value(len: usize) -> (MapFd, i32, u32) {
    let map = bpf(MapCreate::new(MapType::ARRAY, 4, len as u32, 1)).unwrap();
    let (fd, id) = (map.as_raw_fd(), map.info().unwrap().id);
    (map, fd, id)
}

pub(crate) fn tag_hash() -> TagHash {
    let (major, minor) = kernel_version();
    TagHash::linux(major, minor)
}

/// The address of a symbol of the kernel.
pub(crate) fn symbol(name: &str) -> Option<u64> {
    static SYMBOLS: LazyLock<Kallsyms> = LazyLock::new(|| Kallsyms::read().unwrap());
    SYMBOLS.address(name)
}

/// What stands in a call of a helper that the kernel gives back.
pub(crate) fn helper(helper: Helper) -> i32 {
    match (symbol(helper.name()), symbol("__bpf_call_base")) {
        (Some(function), Some(base)) => function.wrapping_sub(base) as i32,
        other => panic!("no address of {helper}: {other:x?}"),
    }
}
