//! The tag of a program, by which the kernel identifies it.

use core::fmt;

use sha1::Sha1;
use sha2::Sha256;
use sha2::digest::{Digest, Update};

use crate::code::Code;
use crate::wire::{self, Endian, Raw};

/// The hash from which the kernel computes tags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TagHash {
    /// Before Linux 6.18.
    Sha1,
    /// Since Linux 6.18.
    Sha256,
}

impl TagHash {
    /// The hash of this version of the kernel.
    pub const fn linux(major: u16, minor: u16) -> Self {
        if major > 6 || major == 6 && minor >= 18 { Self::Sha256 } else { Self::Sha1 }
    }
}

/// `sha1` or `sha256`.
impl fmt::Display for TagHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        })
    }
}

/// The tag that a kernel computes for the program when it is loaded (`bpf_prog_calc_tag` in
/// `kernel/bpf/core.c`; `tag` of `struct bpf_prog_info`). Since Linux 4.10.
///
/// It is a hash of the instructions as they are loaded, with the descriptors of maps and the
/// offsets in their values set to 0. Descriptors of BTF, and indexes of maps, are hashed.
pub fn program_tag(bytes: &[u8], endian: Endian, hash: TagHash) -> [u8; 8] {
    match hash {
        TagHash::Sha1 => tag(bytes, endian, Sha1::new()),
        TagHash::Sha256 => tag(bytes, endian, Sha256::new()),
    }
}

fn tag(bytes: &[u8], endian: Endian, mut hash: impl Digest + Update) -> [u8; 8] {
    let mut slots = bytes.chunks_exact(Raw::BYTES);
    let mut in_map = false;
    for slot in slots.by_ref().filter_map(|slot| slot.first_chunk()) {
        let raw = Raw::from_bytes(*slot, endian);
        let second = Raw { imm: raw.imm, ..Raw::default() };
        let first = raw.opcode == wire::WIDE && matches!(raw.src, wire::MAP_FD | wire::MAP_FD_VALUE);
        let zeroed = if in_map { raw == second } else { first };
        in_map = !in_map && first;
        let hashed = if zeroed { Raw { imm: 0, ..raw } } else { raw };
        Update::update(&mut hash, &hashed.to_bytes(endian));
    }
    Update::update(&mut hash, slots.remainder());
    let mut tag = [0; 8];
    for (to, from) in tag.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    tag
}

impl Code {
    /// The tag of the loaded program: [`program_tag`] of the bytes from [`Code::encode`]. For a
    /// program with other relocations than maps, use the bytes from [`Code::encode_with`].
    pub fn tag(&self, endian: Endian, hash: TagHash) -> [u8; 8] {
        program_tag(&self.encode(endian, |_| 0), endian, hash)
    }
}
