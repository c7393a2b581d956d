//! Instructions by their meaning.

use crate::helper::HelperId;
use crate::op::{AluOp, AtomicOp, PacketSize, SignExtend, SignedSize, Size, SwapOp, Width};
use crate::operand::{Condition, Operand};
use crate::reg::Reg;
use crate::wide::Wide;

/// An instruction, by its meaning.
///
/// Offsets of jumps and calls count 8-byte slots, from the slot after the jump's first: 0 is the
/// next instruction, -1 the jump itself; offsets in memory count bytes. Every value of this type has
/// an encoding that decodes to the same value; whether the verifier accepts it is another matter.
///
/// Instructions that exist only inside a kernel are not included; [`Decoded`](crate::Decoded) keeps
/// their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Insn {
    /// `dst = dst op src`, or `dst = src` (RFC 9669, section 4.1).
    Alu {
        /// The width of the operation.
        width: Width,
        /// The operation.
        op: AluOp,
        /// Left operand and result.
        dst: Reg,
        /// Right operand.
        src: Operand,
    },
    /// `dst = -dst` (RFC 9669, section 4.1).
    Neg {
        /// The width of the operation.
        width: Width,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = (s8)src`, and other widths: a sign-extending move (RFC 9669, section 4.1). Since
    /// Linux 6.6.
    MovSigned {
        /// The widths before and after the extension.
        extend: SignExtend,
        /// The destination register.
        dst: Reg,
        /// The source register, whose lowest bits are extended.
        src: Reg,
    },
    /// `dst = bswap32 dst`, and its like (RFC 9669, section 4.2).
    Swap {
        /// The operation.
        op: SwapOp,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = addr_space_cast(src, to, from)`: a pointer of one address space as one of another,
    /// such as an arena's (`BPF_ADDR_SPACE_CAST` in `include/linux/filter.h`). Since Linux 6.9, and
    /// between 0 and 1 only.
    AddrSpaceCast {
        /// The destination register.
        dst: Reg,
        /// The pointer.
        src: Reg,
        /// The address space of the result: 0 is the kernel's, 1 an arena's.
        to: u16,
        /// The address space of the pointer.
        from: u16,
    },
    /// `dst = *(size *)(base + offset)`, zero-extended (RFC 9669, section 5.1).
    Load {
        /// The number of bytes.
        size: Size,
        /// The destination register.
        dst: Reg,
        /// The register with the address.
        base: Reg,
        /// The offset from that address, in bytes.
        offset: i16,
    },
    /// `dst = *(size *)(base + offset)`, sign-extended (RFC 9669, section 5.2). Since Linux 6.6.
    LoadSigned {
        /// The number of bytes.
        size: SignedSize,
        /// The destination register.
        dst: Reg,
        /// The register with the address.
        base: Reg,
        /// The offset from that address, in bytes.
        offset: i16,
    },
    /// `r0 = *(size *)skb[index + offset]`: bytes of a packet in network byte order, made the
    /// machine's; needs the `__sk_buff` in R6, loses R1 to R5, and leaves the program with 0 where
    /// the packet ends (RFC 9669, section 5.5, which calls it legacy).
    LoadPacket {
        /// The number of bytes.
        size: PacketSize,
        /// A register to add to the offset (mode `IND`), or none (mode `ABS`).
        index: Option<Reg>,
        /// The offset in the packet, in bytes.
        offset: i32,
    },
    /// `*(size *)(base + offset) = src` (RFC 9669, section 5.1).
    Store {
        /// The number of bytes.
        size: Size,
        /// The register with the address.
        base: Reg,
        /// The offset from that address, in bytes.
        offset: i16,
        /// The value, of which the lowest `size` bytes are stored. An immediate is sign-extended.
        src: Operand,
    },
    /// `lock *(width *)(base + offset) op= src`, and its like (RFC 9669, section 5.3).
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// The width of the operation.
        width: Width,
        /// The register with the address.
        base: Reg,
        /// The offset from that address, in bytes.
        offset: i16,
        /// The operand, and the result if `op` gives one and isn't
        /// [`CmpXchg`](AtomicOp::CmpXchg).
        src: Reg,
    },
    /// `dst = load_acquire((size *)(base + offset))` (`BPF_LOAD_ACQ` in
    /// `include/uapi/linux/bpf.h`). Since Linux 6.15.
    LoadAcquire {
        /// The number of bytes.
        size: Size,
        /// The destination register.
        dst: Reg,
        /// The register with the address.
        base: Reg,
        /// The offset from that address, in bytes.
        offset: i16,
    },
    /// `store_release((size *)(base + offset), src)` (`BPF_STORE_REL` in
    /// `include/uapi/linux/bpf.h`). Since Linux 6.15.
    StoreRelease {
        /// The number of bytes.
        size: Size,
        /// The register with the address.
        base: Reg,
        /// The offset from that address, in bytes.
        offset: i16,
        /// The value, of which the lowest `size` bytes are stored.
        src: Reg,
    },
    /// `dst = value`, the one instruction of 16 bytes (RFC 9669, section 5.4).
    LoadWide {
        /// The destination register.
        dst: Reg,
        /// The value, or what it is the address of.
        value: Wide,
    },
    /// `goto +offset`: jumps by `offset` slots (RFC 9669, section 4.3).
    Jump {
        /// 0 is the next instruction, -1 this one.
        offset: i16,
    },
    /// `gotol +offset`: jumps by `offset` slots, over any distance in a program (RFC 9669,
    /// section 4.3). Since Linux 6.6.
    JumpLong {
        /// 0 is the next instruction, -1 this one.
        offset: i32,
    },
    /// `gotox target`: jumps to the address in a register, which must come from a map of type
    /// `BPF_MAP_TYPE_INSN_ARRAY` (`BPF_JMP | BPF_JA | BPF_X` in `kernel/bpf/verifier.c`). Since
    /// Linux 6.19.
    JumpReg {
        /// The register with the address.
        target: Reg,
    },
    /// Jumps by `offset` slots if the condition holds (RFC 9669, section 4.3).
    JumpIf {
        /// The condition.
        condition: Condition,
        /// 0 is the next instruction, -1 this one.
        offset: i16,
    },
    /// `may_goto +offset`: jumps by `offset` slots if the program has looped for long enough
    /// (`BPF_JCOND` with `BPF_MAY_GOTO` in `include/uapi/linux/bpf.h`). Since Linux 6.9.
    MayGoto {
        /// 0 is the next instruction, -1 this one.
        offset: i16,
    },
    /// Calls a helper function of the kernel by its number (RFC 9669, section 4.3.1).
    CallHelper {
        /// The number of the helper.
        helper: HelperId,
    },
    /// Calls a function of the program (RFC 9669, section 4.3.2). Since Linux 4.16.
    CallLocal {
        /// Where it begins: 0 is the next instruction, -1 this one.
        offset: i32,
    },
    /// Calls a kernel function by its BTF id (RFC 9669, section 4.3.1). Since Linux 5.13.
    CallKfunc {
        /// The id of its FUNC in the BTF of the kernel or of the module.
        btf_id: u32,
        /// 0 for the kernel; else the index of the module's BTF descriptor in the `fd_array` the
        /// program is loaded with (since Linux 5.16).
        btf_fd_offset: i16,
    },
    /// Returns R0 (RFC 9669, section 4.3).
    Exit,
}

impl Insn {
    /// The number of 8-byte slots: 2 for a wide load, else 1.
    #[inline]
    pub const fn slots(&self) -> usize {
        match self {
            Self::LoadWide { .. } => 2,
            _ => 1,
        }
    }

    /// The distance to the instruction that this one refers to, in slots from the one after its
    /// first: the offset of a jump, of a local call and of [`Wide::Func`].
    pub const fn relative(&self) -> Option<i32> {
        match *self {
            Self::Jump { offset } | Self::JumpIf { offset, .. } | Self::MayGoto { offset } => {
                Some(offset as i32)
            }
            Self::JumpLong { offset }
            | Self::CallLocal { offset }
            | Self::LoadWide { value: Wide::Func { offset }, .. } => Some(offset),
            _ => None,
        }
    }
}
