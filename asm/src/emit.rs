//! The eDSL: a method for each instruction.

use crate::build::Assembler;
use crate::error::AsmErrorKind;
use crate::helper::HelperId;
use crate::insn::Insn;
use crate::label::Label;
use crate::op::{AluOp, AtomicOp, PacketSize, SignExtend, Size, SwapOp, Width};
use crate::operand::{Address, Condition, Memory, Operand, PacketAddress, SignedMemory, Source};
use crate::reg::Reg;
use crate::reloc::{AnyReloc, CallReloc, Reloc};
use crate::wide::Wide;

/// Instructions by name.
impl Assembler {
    /// `dst = memory`, zero-extended to 64 bits ([`u32_at`](crate::u32_at) and its like) or
    /// sign-extended ([`s32_at`](crate::s32_at) and its like).
    #[track_caller]
    pub fn load(&mut self, dst: Reg, memory: impl Into<Source>) {
        match memory.into() {
            Source::Unsigned(Memory { size, address }) => {
                let offset = self.offset(address);
                self.emit(Insn::Load { size, dst, base: address.base, offset });
            }
            Source::Signed(SignedMemory { size, address }) => {
                let offset = self.offset(address);
                self.emit(Insn::LoadSigned { size, dst, base: address.base, offset });
            }
        }
    }

    /// `memory = src`: stores the lowest bytes, as many as the memory has.
    #[track_caller]
    pub fn store(&mut self, memory: Memory, src: impl Into<Operand>) {
        let Memory { size, address } = memory;
        let offset = self.offset(address);
        self.emit(Insn::Store { size, base: address.base, offset, src: src.into() });
    }

    /// `dst = memory`, before all memory accesses that follow. Since Linux 6.15.
    #[track_caller]
    pub fn load_acquire(&mut self, dst: Reg, memory: Memory) {
        let Memory { size, address } = memory;
        let offset = self.offset(address);
        self.emit(Insn::LoadAcquire { size, dst, base: address.base, offset });
    }

    /// `memory = src`, after all memory accesses that precede. Since Linux 6.15.
    #[track_caller]
    pub fn store_release(&mut self, memory: Memory, src: Reg) {
        let Memory { size, address } = memory;
        let offset = self.offset(address);
        self.emit(Insn::StoreRelease { size, base: address.base, offset, src });
    }

    /// Atomically `memory op= src`, or another operation; see [`AtomicOp`]. The memory is that of
    /// [`u32_at`](crate::u32_at) or [`u64_at`](crate::u64_at).
    #[track_caller]
    pub fn atomic(&mut self, op: AtomicOp, memory: Memory, src: Reg) {
        let Memory { size, address } = memory;
        let offset = self.offset(address);
        let width = match size {
            Size::U32 => Width::W32,
            Size::U64 => Width::W64,
            Size::U8 | Size::U16 => {
                self.fail(AsmErrorKind::NoSuchAtomic { size });
                Width::W32
            }
        };
        self.emit(Insn::Atomic { op, width, base: address.base, offset, src });
    }

    /// `r0 =` bytes of the packet; see [`Insn::LoadPacket`].
    #[track_caller]
    pub fn load_packet(&mut self, size: PacketSize, address: impl Into<PacketAddress>) {
        let (index, offset) = match address.into() {
            PacketAddress::Offset(offset) => (None, offset),
            PacketAddress::Indexed(address) => (Some(address.base), self.offset(address)),
        };
        self.emit(Insn::LoadPacket { size, index, offset });
    }

    /// `dst = address`, not the memory there: a move and an addition, or only the one that is
    /// needed.
    #[track_caller]
    pub fn address(&mut self, dst: Reg, address: impl Into<Address>) {
        let address = address.into();
        let offset: i32 = self.offset(address);
        if dst != address.base {
            self.mov(dst, address.base);
        }
        if offset != 0 {
            self.add(dst, offset);
        }
    }

    /// `dst = value`, with 64 bits; always in two slots.
    #[track_caller]
    pub fn load_imm64(&mut self, dst: Reg, value: u64) {
        self.emit(Insn::LoadWide { dst, value: Wide::Imm(value) });
    }

    /// `dst =` a value that only the loader knows.
    #[track_caller]
    pub fn load_reloc(&mut self, dst: Reg, reloc: Reloc) {
        self.emit_reloc(AnyReloc::Load(dst, reloc));
    }

    /// `dst =` the address of the function at the label, for a helper to call back
    /// (`BPF_PSEUDO_FUNC`). Since Linux 5.13.
    #[track_caller]
    pub fn load_func(&mut self, dst: Reg, target: Label) {
        self.emit_jump(Insn::LoadWide { dst, value: Wide::Func { offset: 0 } }, target);
    }

    /// `dst =` the address of a variable or a function of the kernel; see [`Wide::BtfId`].
    #[track_caller]
    pub fn load_btf_id(&mut self, dst: Reg, btf_id: u32, btf_fd: i32) {
        self.emit(Insn::LoadWide { dst, value: Wide::BtfId { btf_id, btf_fd } });
    }

    /// `dst = dst op src`, with the operation as a value. There is also a method for each
    /// operation.
    #[track_caller]
    pub fn alu(&mut self, width: Width, op: AluOp, dst: Reg, src: impl Into<Operand>) {
        self.emit(Insn::Alu { width, op, dst, src: src.into() });
    }

    /// `dst = -dst`
    #[track_caller]
    pub fn neg(&mut self, dst: Reg) {
        self.emit(Insn::Neg { width: Width::W64, dst });
    }

    /// `dst = -dst`, 32 bits.
    #[track_caller]
    pub fn neg32(&mut self, dst: Reg) {
        self.emit(Insn::Neg { width: Width::W32, dst });
    }

    /// `dst =` the lowest bits of `src`, sign-extended. Since Linux 6.6.
    #[track_caller]
    pub fn mov_signed(&mut self, extend: SignExtend, dst: Reg, src: Reg) {
        self.emit(Insn::MovSigned { extend, dst, src });
    }

    /// Swaps or converts the byte order of the lowest bits of `dst`, and zeroes the others.
    #[track_caller]
    pub fn swap(&mut self, op: SwapOp, dst: Reg) {
        self.emit(Insn::Swap { op, dst });
    }

    /// Casts the pointer `src` to another address space, into `dst`; see [`Insn::AddrSpaceCast`].
    #[track_caller]
    pub fn addr_space_cast(&mut self, dst: Reg, src: Reg, to: u16, from: u16) {
        self.emit(Insn::AddrSpaceCast { dst, src, to, from });
    }

    /// Jumps to the label.
    #[track_caller]
    pub fn jump(&mut self, target: Label) {
        self.emit_jump(Insn::Jump { offset: 0 }, target);
    }

    /// Jumps to the label if the condition holds.
    #[track_caller]
    pub fn jump_if(&mut self, condition: Condition, target: Label) {
        self.emit_jump(Insn::JumpIf { condition, offset: 0 }, target);
    }

    /// Jumps to the label after the program has looped for a certain time. With this in a loop, and
    /// the label after the loop, the verifier does not have to see that the loop ends. Since Linux
    /// 6.9.
    #[track_caller]
    pub fn may_goto(&mut self, target: Label) {
        self.emit_jump(Insn::MayGoto { offset: 0 }, target);
    }

    /// Jumps to the address in the register; see [`Insn::JumpReg`]. Since Linux 6.19.
    #[track_caller]
    pub fn jump_reg(&mut self, target: Reg) {
        self.emit(Insn::JumpReg { target });
    }

    /// Calls the program's own function at the label. It takes arguments in R1 to R5 and returns
    /// its result in R0; R1 to R5 are clobbered. The function has its own stack frame. Since Linux
    /// 4.16.
    ///
    /// A function must end with an `exit` or a jump, and no jump may enter or leave it.
    #[track_caller]
    pub fn call_local(&mut self, target: Label) {
        self.emit_jump(Insn::CallLocal { offset: 0 }, target);
    }

    /// Calls a function that the loader supplies. Registers as in [`Assembler::call`].
    #[track_caller]
    pub fn call_reloc(&mut self, reloc: CallReloc) {
        self.emit_reloc(AnyReloc::Call(reloc));
    }

    /// Calls a helper with arguments in R1 to R5. R0 is its result, and R1 to R5 are clobbered.
    #[track_caller]
    pub fn call(&mut self, helper: impl Into<HelperId>) {
        self.emit(Insn::CallHelper { helper: helper.into() });
    }

    /// Calls a kfunc by the id of its FUNC; see [`Insn::CallKfunc`] for the BTF with that id.
    /// Registers as in [`Assembler::call`].
    #[track_caller]
    pub fn call_kfunc(&mut self, btf_id: u32, btf_fd_offset: i16) {
        self.emit(Insn::CallKfunc { btf_id, btf_fd_offset });
    }

    /// Returns R0 from the function or program.
    #[track_caller]
    pub fn exit(&mut self) {
        self.emit(Insn::Exit);
    }
}

macro_rules! arithmetic {
    ($( $op:ident: $name:ident, $name32:ident; )*) => {
        /// Arithmetic by name, with 64 and with 32 bits; see [`AluOp`].
        impl Assembler {
            $(
                #[doc = concat!("[`AluOp::", stringify!($op), "`] on 64 bits.")]
                #[track_caller]
                pub fn $name(&mut self, dst: Reg, src: impl Into<Operand>) {
                    self.alu(Width::W64, AluOp::$op, dst, src);
                }

                #[doc = concat!("[`AluOp::", stringify!($op), "`] on 32 bits; the upper half of `dst` becomes zero.")]
                #[track_caller]
                pub fn $name32(&mut self, dst: Reg, src: impl Into<Operand>) {
                    self.alu(Width::W32, AluOp::$op, dst, src);
                }
            )*
        }
    };
}

arithmetic! {
    Add: add, add32;
    Sub: sub, sub32;
    Mul: mul, mul32;
    Div: div, div32;
    Sdiv: sdiv, sdiv32;
    Or: or, or32;
    And: and, and32;
    Lsh: lsh, lsh32;
    Rsh: rsh, rsh32;
    Mod: modulo, modulo32;
    Smod: smodulo, smodulo32;
    Xor: xor, xor32;
    Mov: mov, mov32;
    Arsh: arsh, arsh32;
}
