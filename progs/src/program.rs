//! Programs as a loader takes them, with the maps to create first.

use alloc::vec::Vec;
use core::ffi::CStr;

use kwalk_asm::Code;

use crate::fragment::Fragment;
use crate::target::Target;

/// The licence of all programs. Helpers such as `bpf_seq_printf` require a GPL-compatible one
/// (`include/linux/license.h`).
pub const LICENSE: &CStr = c"Dual MIT/GPL";

/// A program, ready to be loaded.
#[derive(Debug)]
pub struct Program {
    /// The name in `bpftool prog`, which the kernel cuts to 15 bytes.
    pub name: &'static str,
    /// The type of the program, and where it attaches.
    pub program_type: ProgramType,
    /// The instructions. `Reloc::Map(n)` in them refers to `maps[n]`, and `CallReloc::Kfunc(n)` to `kfuncs[n]`.
    pub code: Code,
    /// Whether the program is sleepable (`BPF_F_SLEEPABLE`), as helpers that read a process's memory require. Since
    /// Linux 5.18, for the targets task, task_file, task_vma, ksym, cgroup, kmem_cache and dmabuf.
    pub sleepable: bool,
    /// The maps to create before loading.
    pub maps: Vec<Map>,
    /// The functions of modules to look up before loading.
    pub kfuncs: Vec<&'static str>,
    /// The parts of the user's text for which instructions are emitted. An instruction's mark is an index in this list
    /// ([`Code::mark_of`]).
    pub fragments: Vec<Fragment>,
}

/// The type of a program, and where it attaches (`enum bpf_prog_type`, `enum bpf_attach_type`).
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
    /// The fragment for which the instruction at this 8-byte slot is emitted, if it is emitted for one.
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
    /// The name in `bpftool map`: at most 15 bytes of `[A-Za-z0-9_.]`.
    pub name: &'static str,
    /// The type of the map.
    pub kind: MapKind,
    /// The size of a key, in bytes.
    pub key_size: u32,
    /// The size of a value, in bytes.
    pub value_size: u32,
    /// The maximal number of elements.
    pub max_entries: u32,
    /// Keys to insert before the program is loaded, each with a zeroed value. If there are any, the program can't write
    /// to the map (`BPF_F_RDONLY_PROG`, since Linux 5.2).
    pub keys: Vec<Vec<u8>>,
}

impl Map {
    /// A map for one element, without keys to insert.
    pub fn new(name: &'static str, kind: MapKind, key_size: u32, value_size: u32) -> Map {
        Map { name, kind, key_size, value_size, max_entries: 1, keys: Vec::new() }
    }

    /// An array of one element.
    pub fn value(name: &'static str, value_size: u32) -> Map {
        Map::new(name, MapKind::Array, 4, value_size)
    }
}

/// The types of map that programs use (`enum bpf_map_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// `BPF_MAP_TYPE_ARRAY`, since Linux 3.19.
    Array,
    /// `BPF_MAP_TYPE_HASH`, since Linux 3.19.
    Hash,
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`, since Linux 4.6: each CPU has values of its own.
    PercpuArray,
    /// `BPF_MAP_TYPE_LRU_HASH`, since Linux 4.10: a full map evicts the element that was used least recently.
    LruHash,
}
