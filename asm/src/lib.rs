//! BPF instructions: typed, as bytes, as text, and an eDSL that emits them.
//!
//! A program that writes the pid of every task, as 4 bytes each:
//!
//! ```
//! use kwalk_asm::{Assembler, Endian, Helper, Insn, Reg::*, u32_at, u64_at};
//!
//! let pid = 2480; // the offset of task_struct.pid, which BTF tells
//!
//! let mut a = Assembler::new();
//! let end = a.label();
//! a.load(R6, u64_at(R1 + 8)); //        the context of an iterator: { meta, task }
//! a.jump_if(R6.eq(0), end); //          the last call has no task
//! a.load(R2, u32_at(R6 + pid));
//! a.store(u32_at(R10 - 4), R2); //      the stack lies below R10
//! a.load(R1, u64_at(R1 + 0)); //        ctx->meta
//! a.load(R1, u64_at(R1 + 0)); //        meta->seq
//! a.address(R2, R10 - 4); //            a move and an addition
//! a.mov(R3, 4);
//! a.call(Helper::SeqWrite); //          bpf_seq_write(seq, stack, 4)
//! a.bind(end);
//! a.mov(R0, 0);
//! a.exit();
//! let code = a.finish()?;
//!
//! assert_eq!(code.len_slots(), 12);
//! let bytes = code.encode(Endian::Little, |slot| unreachable!("{slot:?}: this program has no maps"));
//! assert_eq!(bytes[..16], [
//!     0x79, 0x16, 0x08, 0x00, 0, 0, 0, 0, // r6 = *(u64 *)(r1 + 8)
//!     0x15, 0x06, 0x08, 0x00, 0, 0, 0, 0, // if r6 == 0 goto +8
//! ]);
//! assert_eq!(Insn::decode_all(&bytes, Endian::Little)?, code.insns());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Insn`] is an instruction by its meaning. [`Insn::encode`] and [`Insn::decode`] convert it to
//! bytes and back, in either byte order. Decoding is strict: the result encodes to the same bytes.
//! [`Insn::decode_program`] also checks the targets of jumps. [`Decoded`] keeps invalid
//! instructions as bytes, for what a kernel returns for a loaded program.
//!
//! [`Assembler`] emits instructions and resolves jumps to [`Label`]s at any distance:
//! [`Assembler::finish_for`] an [`Isa`] uses the instructions that its kernel has. An [`AsmError`]
//! names the line of Rust that caused it. The finished [`Code`] has a [`Reloc`] or a [`CallReloc`]
//! for each value that only a loader knows, and the line of Rust of each instruction, for messages
//! of the verifier.
//!
//! Instructions can be text. They display as in LLVM's disassembler, and a [`Listing`] displays a
//! whole program. [`parse`] reads that, LLVM's assembler syntax, and the verifier's logs; a
//! [`ParseError`] shows the position of an error. [`assemble`] and [`disassemble`] convert between
//! text and bytes.
//!
//! Instructions and encodings are those of [RFC 9669](https://www.rfc-editor.org/rfc/rfc9669) and
//! of the Linux kernel up to 6.19. [`Insn`] gives the section or file for each, and the version
//! that added it. [`Helper`] has all helper functions.
//!
//! The crate needs `alloc`, but not `std`. With the feature `tag`, it computes the tags of
//! programs.

#![no_std]

extern crate alloc;

mod build;
mod code;
mod decode;
mod emit;
mod encode;
mod error;
mod helper;
mod helpers;
mod insn;
mod island;
mod label;
mod listing;
mod op;
mod opcode;
mod operand;
mod parse;
mod print;
mod program;
mod reg;
mod relax;
mod reloc;
mod table;
#[cfg(feature = "tag")]
mod tag;
mod wide;
mod wire;

pub use build::{Assembler, Isa};
pub use code::Code;
pub use decode::{DecodeError, DecodeReason};
pub use error::{AsmError, AsmErrorKind};
pub use helper::HelperId;
pub use helpers::Helper;
pub use insn::Insn;
pub use label::Label;
pub use listing::{Listing, Named, disassemble};
pub use op::{AluOp, AtomicOp, JumpOp, PacketSize, SignExtend, SignedSize, Size, SwapOp, Width};
pub use operand::{Address, Condition, Memory, Operand, PacketAddress, SignedMemory, Source};
pub use operand::{s8_at, s16_at, s32_at, u8_at, u16_at, u32_at, u64_at};
pub use parse::{Expected, ParseError, assemble, parse};
pub use program::{Decoded, TargetError};
pub use reg::Reg;
pub use reloc::{BtfRef, CallReloc, Fill, KfuncRef, MapRef, Reloc};
#[cfg(feature = "tag")]
pub use tag::{TagHash, program_tag};
pub use wide::Wide;
pub use wire::{Endian, Field};
