//! Bytes of whole programs: strictly, with every jump's target looked at; and tolerantly, for what
//! a kernel gives back.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::decode::{DecodeError, DecodeReason};
use crate::insn::Insn;
use crate::wire::{Endian, Raw};

/// An instruction, or 8 bytes that are none.
///
/// The kernel rewrites a program that it loads, and what it gives back (`xlated_prog_insns` of
/// `BPF_OBJ_GET_INFO_BY_FD`) has instructions that exist only inside it, such as memory accesses
/// with exception handling: these keep their bytes here, and print as `.insn`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decoded {
    /// An instruction.
    Insn(Insn),
    /// A slot that is none, byte for byte.
    Raw([u8; 8]),
}

impl Decoded {
    /// Takes `bytes` apart, instruction by instruction. Of a wide load with something wrong in
    /// either half, each half is a slot by itself.
    ///
    /// # Errors
    ///
    /// [`DecodeReason::Truncated`] only: if `bytes` aren't a multiple of 8.
    pub fn all(bytes: &[u8], endian: Endian) -> Result<Vec<Self>, DecodeError> {
        let mut all = Vec::with_capacity(bytes.len() / Raw::BYTES);
        let mut rest = bytes;
        while let Some(slot) = rest.first_chunk() {
            let (decoded, len) = Self::first(slot, rest, endian);
            all.push(decoded);
            rest = rest.get(len..).unwrap_or_default();
        }
        if rest.is_empty() {
            return Ok(all);
        }
        Err(DecodeError { offset: bytes.len() - rest.len(), reason: DecodeReason::Truncated })
    }

    /// What `bytes` begin with, of which `slot` is the first, and how many of them it takes.
    #[inline(always)]
    pub(crate) fn first(slot: &[u8; Raw::BYTES], bytes: &[u8], endian: Endian) -> (Self, usize) {
        match Insn::decode(bytes, endian) {
            Ok((insn, len)) => (Self::Insn(insn), len),
            Err(_) => (Self::Raw(*slot), slot.len()),
        }
    }

    /// How many 8-byte slots it takes: 2 for a wide load, else 1.
    pub const fn slots(&self) -> usize {
        match self {
            Self::Insn(insn) => insn.slots(),
            Self::Raw(_) => 1,
        }
    }

    /// Appends its 8 or 16 bytes to `out`. Raw bytes are in the order they were decoded from.
    pub fn encode(&self, endian: Endian, out: &mut Vec<u8>) {
        match self {
            Self::Insn(insn) => insn.encode(endian, out),
            Self::Raw(slot) => out.extend_from_slice(slot),
        }
    }
}

impl From<Insn> for Decoded {
    fn from(insn: Insn) -> Self {
        Self::Insn(insn)
    }
}

impl Insn {
    /// Decodes all of `bytes` as a whole program: in addition to what [`Insn::decode_all`] refuses,
    /// jumps, local calls and addresses of functions must lead to an instruction of it. The kernel
    /// asks for the same (`check_subprogs` in `kernel/bpf/verifier.c`).
    ///
    /// # Errors
    ///
    /// The first error of [`Insn::decode`]; if there is none, that of the first jump to nowhere,
    /// with the offset of the jump.
    pub fn decode_program(bytes: &[u8], endian: Endian) -> Result<Vec<Self>, DecodeError> {
        let insns = Self::decode_all(bytes, endian)?;
        match wild_jump(&insns) {
            None => Ok(insns),
            Some((slot, fault)) => {
                Err(DecodeError { offset: slot * Raw::BYTES, reason: DecodeReason::Target(fault) })
            }
        }
    }
}

/// Where a jump, a local call or the address of a function leads that leads to no instruction. Slots
/// are counted from the start of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetError {
    /// Before the first instruction, or past the last.
    Outside {
        /// The slot that would be.
        target: i64,
    },
    /// Into the second half of a wide load.
    WithinWide {
        /// The slot of that half.
        target: i64,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { target } => write!(f, "it leads to slot {target}, which is outside the program"),
            Self::WithinWide { target } => {
                write!(f, "it leads to slot {target}, which is the second half of a wide load")
            }
        }
    }
}

/// The slot of the first instruction that leads to no instruction, and where it leads.
pub(crate) fn wild_jump(insns: &[Insn]) -> Option<(usize, TargetError)> {
    let slots = insns.iter().map(Insn::slots).sum();
    let mut second_halves = vec![false; slots];
    let mut at = 0;
    for insn in insns {
        if insn.slots() == 2 {
            second_halves[at + 1] = true;
        }
        at += insn.slots();
    }

    let mut at = 0;
    for insn in insns {
        if let Some(offset) = insn.relative() {
            let target = at as i64 + 1 + i64::from(offset);
            let half = usize::try_from(target).ok().and_then(|target| second_halves.get(target));
            match half {
                Some(false) => {}
                Some(true) => return Some((at, TargetError::WithinWide { target })),
                None => return Some((at, TargetError::Outside { target })),
            }
        }
        at += insn.slots();
    }
    None
}
