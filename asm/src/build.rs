//! The eDSL: emit instructions, branch to labels, leave holes.

use alloc::vec::Vec;
use core::panic::Location;

use crate::code::Code;
use crate::error::{AsmError, AsmErrorKind};
use crate::helper::HelperId;
use crate::insn::Insn;
use crate::label::{Label, Labels};
use crate::op::{AluOp, Width};
use crate::operand::{Address, Condition, Memory, Operand};
use crate::reg::Reg;
use crate::slot::Slot;
use crate::wide::Wide;

/// Takes instructions, one method call each, and gives the finished [`Code`].
///
/// The methods don't fail: what is wrong is remembered with the line of the call, and
/// [`Assembler::finish`] returns it. A function that emits on behalf of its caller can pass its
/// caller's line on by being `#[track_caller]` itself.
#[derive(Debug)]
pub struct Assembler {
    insns: Vec<Insn>,
    /// The line that emitted each instruction.
    lines: Vec<&'static Location<'static>>,
    labels: Labels,
    /// The instructions whose offset is 0 until `finish` ties them to their labels.
    jumps: Vec<Jump>,
    /// The first thing that went wrong.
    error: Option<AsmError>,
}

#[derive(Debug)]
struct Jump {
    insn: usize,
    target: Label,
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new()
    }
}

impl Assembler {
    /// An assembler without instructions.
    pub fn new() -> Self {
        Self { insns: Vec::new(), lines: Vec::new(), labels: Labels::new(), jumps: Vec::new(), error: None }
    }

    /// Makes a label. It must be bound once, and only labels that this assembler made can be used
    /// with it.
    #[track_caller]
    pub fn label(&mut self) -> Label {
        self.labels.make(Location::caller())
    }

    /// Puts the label here: jumps to it go on with the instruction emitted next.
    #[track_caller]
    pub fn bind(&mut self, label: Label) {
        let line = Location::caller();
        let here = self.insns.len();
        match self.labels.get_mut(label) {
            None => self.fail(AsmErrorKind::ForeignLabel),
            Some(mark) => match mark.bound {
                None => mark.bound = Some((here, line)),
                Some((_, first)) => self.fail(AsmErrorKind::LabelBoundTwice { first }),
            },
        }
    }

    /// Emits an instruction as it is. Offsets of jumps in it are not looked at.
    #[track_caller]
    pub fn emit(&mut self, insn: Insn) {
        self.insns.push(insn);
        self.lines.push(Location::caller());
    }

    /// `dst = memory`, zero-extended to 64 bits.
    #[track_caller]
    pub fn load(&mut self, dst: Reg, memory: Memory) {
        let Memory { size, address } = memory;
        let offset = self.offset(address);
        self.emit(Insn::Load { size, dst, base: address.base, offset });
    }

    /// `memory = src`: its lowest bytes, as many as the memory has.
    #[track_caller]
    pub fn store(&mut self, memory: Memory, src: impl Into<Operand>) {
        let Memory { size, address } = memory;
        let offset = self.offset(address);
        self.emit(Insn::Store { size, base: address.base, offset, src: src.into() });
    }

    /// `dst = address`, not what is there: a move and an addition, or as much of the two as it takes.
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

    /// `dst = value`, all 64 bits of it, always in two slots.
    #[track_caller]
    pub fn load_imm64(&mut self, dst: Reg, value: u64) {
        self.emit(Insn::LoadWide { dst, value: Wide::Imm(value) });
    }

    /// `dst =` what a loader puts here.
    #[track_caller]
    pub fn load_slot(&mut self, dst: Reg, slot: Slot) {
        self.emit(Insn::LoadWide { dst, value: slot.into() });
    }

    /// `dst = dst op src`, for where the operation is a value; else there is a method of its name.
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

    /// Goes on at the label.
    #[track_caller]
    pub fn jump(&mut self, target: Label) {
        self.emit_jump(Insn::Jump { offset: 0 }, target);
    }

    /// Goes on at the label if the condition holds.
    #[track_caller]
    pub fn jump_if(&mut self, condition: Condition, target: Label) {
        self.emit_jump(Insn::JumpIf { condition, offset: 0 }, target);
    }

    /// Calls a helper: arguments in R1 to R5, the result in R0, and R1 to R5 are lost.
    #[track_caller]
    pub fn call(&mut self, helper: impl Into<HelperId>) {
        self.emit(Insn::CallHelper { helper: helper.into() });
    }

    /// Calls a kernel function by the id of its FUNC; see [`Insn::CallKfunc`] for where that id
    /// counts. Registers as in [`Assembler::call`].
    #[track_caller]
    pub fn call_kfunc(&mut self, btf_id: u32, btf_fd_offset: i16) {
        self.emit(Insn::CallKfunc { btf_id, btf_fd_offset });
    }

    /// Returns R0.
    #[track_caller]
    pub fn exit(&mut self) {
        self.emit(Insn::Exit);
    }

    /// Ties jumps to their labels.
    ///
    /// # Errors
    ///
    /// [`AsmErrorKind`] lists them. The first one met while emitting is returned; if none was, then
    /// that of the first label never bound; if all are, then that of the first jump that can't be
    /// tied.
    pub fn finish(self) -> Result<Code, AsmError> {
        let Self { mut insns, lines, labels, jumps, error } = self;
        if let Some(error) = error {
            return Err(error);
        }
        if let Some(mark) = labels.iter().find(|mark| mark.bound.is_none()) {
            return Err(AsmError { line: mark.made, kind: AsmErrorKind::LabelNeverBound });
        }

        // Where each instruction begins, in slots; labels and jumps count instructions until here.
        let mut starts = Vec::with_capacity(insns.len());
        let mut slots = 0i64;
        for insn in &insns {
            starts.push(slots);
            slots += insn.slots() as i64;
        }
        for Jump { insn, target } in jumps {
            let fail = |kind| AsmError { line: lines[insn], kind };
            let place = labels.get(target).and_then(|mark| mark.bound).map(|(place, _)| place);
            let Some(target) = place.and_then(|place| starts.get(place)) else {
                return Err(fail(AsmErrorKind::NothingAfterLabel));
            };
            let distance = target - (starts[insn] + 1);
            let near = i16::try_from(distance);
            let near = near.map_err(|_| fail(AsmErrorKind::JumpTooFar { distance }))?;
            if let Insn::Jump { offset } | Insn::JumpIf { offset, .. } = &mut insns[insn] {
                *offset = near;
            }
        }
        Ok(Code::new(insns, lines))
    }

    #[track_caller]
    fn emit_jump(&mut self, insn: Insn, target: Label) {
        if self.labels.get(target).is_some() {
            self.jumps.push(Jump { insn: self.insns.len(), target });
        } else {
            self.fail(AsmErrorKind::ForeignLabel);
        }
        self.emit(insn);
    }

    /// The offset as the instruction has it; 0 if it doesn't fit, for the error to be found by `finish`.
    #[track_caller]
    fn offset<T: TryFrom<i64> + Default>(&mut self, address: Address) -> T {
        let Address { base, offset } = address;
        match T::try_from(offset) {
            Ok(offset) => offset,
            Err(_) => {
                let bits = 8 * size_of::<T>();
                self.fail(AsmErrorKind::OffsetTooLarge { base, offset, bits });
                T::default()
            }
        }
    }

    #[track_caller]
    fn fail(&mut self, kind: AsmErrorKind) {
        let line = Location::caller();
        self.error.get_or_insert(AsmError { line, kind });
    }
}

macro_rules! arithmetic {
    ($( $op:ident: $name:ident, $name32:ident; )*) => {
        /// Arithmetic by name, on 64 bits and on 32; what each does is written at its [`AluOp`].
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
