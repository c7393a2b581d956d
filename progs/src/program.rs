//! What a loader takes: a finished program, and the maps that it wants made first.

use alloc::vec::Vec;
use core::ffi::CStr;

use kwalk_asm::Code;

use crate::fragment::Fragment;
use crate::target::Target;

/// The licence that programs are handed to the kernel with: helpers such as `bpf_seq_printf` are for
/// GPL-compatible programs only (`include/linux/license.h`).
pub const LICENSE: &CStr = c"Dual MIT/GPL";

/// A program, ready to be loaded.
#[derive(Debug)]
pub struct Program {
    /// What `bpftool prog` will call it, shortened to the kernel's 15 bytes.
    pub name: &'static str,
    /// What type of program it is, and what it attaches to.
    pub program_type: ProgramType,
    /// The instructions; `Reloc::Map(n)` in them means `maps[n]`, `CallReloc::Kfunc(n)` means `kfuncs[n]`.
    pub code: Code,
    /// Whether it may sleep, as helpers that read a process's memory do (`BPF_F_SLEEPABLE`). Since Linux 5.18, for the
    /// targets task, task_file, task_vma and ksym.
    pub sleepable: bool,
    /// The maps to make before loading, in the order that the instructions count them.
    pub maps: Vec<Map>,
    /// The functions of modules to find before loading, in the order that the instructions count them.
    pub kfuncs: Vec<&'static str>,
    /// What the instructions are emitted for, where a user says that: their marks count these ([`Code::mark_of`]).
    pub fragments: Vec<Fragment>,
}

/// The type of a program, with what it attaches to (`enum bpf_prog_type`, `enum bpf_attach_type`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProgramType {
    /// `BPF_PROG_TYPE_TRACING`, attached as `BPF_TRACE_ITER`: an iterator. Since Linux 5.8.
    Iter {
        /// The target that it walks.
        target: Target,
        /// `attach_btf_id`: the id of the FUNC `bpf_iter_<target>` in the BTF of the kernel it was written for.
        attach_btf_id: u32,
    },
}

impl Program {
    /// What the instruction at that 8-byte slot is emitted for, if a user's words tell.
    pub fn fragment_of(&self, slot: usize) -> Option<&Fragment> {
        self.fragments.get(self.code.mark_of(slot)? as usize)
    }

    /// The target that it walks.
    pub fn target(&self) -> &Target {
        let ProgramType::Iter { target, .. } = &self.program_type;
        target
    }
}

/// A map that a program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// What `bpftool map` will call it: at most 15 bytes of `[A-Za-z0-9_.]`.
    pub name: &'static str,
    /// What kind of map.
    pub kind: MapKind,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// How many elements at most.
    pub max_entries: u32,
    /// Keys to insert before the program is loaded, each with a value of zeros. A program can't write to a map that has some
    /// (`BPF_F_RDONLY_PROG`, since Linux 5.2).
    pub keys: Vec<Vec<u8>>,
}

impl Map {
    /// A map of one element, without keys to insert.
    pub fn new(name: &'static str, kind: MapKind, key_size: u32, value_size: u32) -> Map {
        Map { name, kind, key_size, value_size, max_entries: 1, keys: Vec::new() }
    }

    /// An array of one element.
    pub fn value(name: &'static str, value_size: u32) -> Map {
        Map::new(name, MapKind::Array, 4, value_size)
    }
}

/// The kinds of map that programs here use (`enum bpf_map_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// `BPF_MAP_TYPE_ARRAY`, since Linux 3.19.
    Array,
    /// `BPF_MAP_TYPE_HASH`, since Linux 3.19.
    Hash,
    /// `BPF_MAP_TYPE_LRU_HASH`, since Linux 4.10: when it is full, the element that was used least recently goes.
    LruHash,
}
