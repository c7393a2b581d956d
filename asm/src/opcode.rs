//! What each of the 256 opcodes is: the tables of [`op`](crate::op), turned round for the decoder.

use crate::op::{AluOp, JumpOp, PacketSize, SignedSize, Size, SwapOp, Width};
use crate::wire;

/// The instruction an opcode stands for, as far as the opcode says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// None.
    Unknown,
    /// Arithmetic: the operation by what the offset holds, 0 or 1; whether the source is a register.
    Alu(Width, [Option<AluOp>; 2], bool),
    /// A move between registers, of which the offset tells which.
    MovReg(Width),
    Neg(Width),
    /// A change of byte order, of which the immediate tells how many bits.
    Swap,
    Load(Size),
    LoadSigned(SignedSize),
    /// Whether there is a register besides the immediate.
    LoadPacket(PacketSize, bool),
    LoadWide,
    /// Whether the source is a register.
    Store(Size, bool),
    /// An access of which the immediate tells which.
    Atomic(Size),
    Jump,
    JumpLong,
    JumpReg,
    MayGoto,
    /// Whether the right side is a register.
    JumpIf(Width, JumpOp, bool),
    /// A call, of which the source register tells which.
    Call,
    Exit,
}

impl Form {
    #[inline]
    pub(crate) fn of(opcode: u8) -> Self {
        FORMS[usize::from(opcode)]
    }
}

static FORMS: [Form; 256] = forms();

// Loops over the tables by index: a constant function has no iterators.
const fn forms() -> [Form; 256] {
    let mut forms = [Form::Unknown; 256];

    let mut w = 0;
    while w < Width::ALL.len() {
        let width = Width::ALL[w];
        let (alu, jmp) = (width.alu_class(), width.jump_class());

        let mut i = 0;
        while i < AluOp::ALL.len() {
            let op = AluOp::ALL[i];
            let (code, offset, _) = op.row();
            put_alu(&mut forms, alu | code, width, op, offset, false);
            put_alu(&mut forms, alu | code | wire::X, width, op, offset, true);
            i += 1;
        }
        put(&mut forms, alu | wire::NEG, Form::Neg(width));

        let mut i = 0;
        while i < JumpOp::ALL.len() {
            let op = JumpOp::ALL[i];
            put(&mut forms, jmp | op.code(), Form::JumpIf(width, op, false));
            put(&mut forms, jmp | op.code() | wire::X, Form::JumpIf(width, op, true));
            i += 1;
        }
        w += 1;
    }

    let mut i = 0;
    while i < SwapOp::ALL.len() {
        forms[SwapOp::ALL[i].row().0 as usize] = Form::Swap;
        i += 1;
    }

    let mut i = 0;
    while i < Size::ALL.len() {
        let size = Size::ALL[i];
        put(&mut forms, wire::LDX | wire::MEM | size.bits(), Form::Load(size));
        put(&mut forms, wire::ST | wire::MEM | size.bits(), Form::Store(size, false));
        put(&mut forms, wire::STX | wire::MEM | size.bits(), Form::Store(size, true));
        put(&mut forms, wire::STX | wire::ATOMIC | size.bits(), Form::Atomic(size));
        i += 1;
    }
    let mut i = 0;
    while i < SignedSize::ALL.len() {
        let size = SignedSize::ALL[i];
        put(&mut forms, wire::LDX | wire::MEMSX | size.bits(), Form::LoadSigned(size));
        i += 1;
    }
    let mut i = 0;
    while i < PacketSize::ALL.len() {
        let size = PacketSize::ALL[i];
        put(&mut forms, wire::LD | wire::ABS | size.bits(), Form::LoadPacket(size, false));
        put(&mut forms, wire::LD | wire::IND | size.bits(), Form::LoadPacket(size, true));
        i += 1;
    }

    put(&mut forms, wire::WIDE, Form::LoadWide);
    put(&mut forms, wire::GOTO, Form::Jump);
    put(&mut forms, wire::GOTOL, Form::JumpLong);
    put(&mut forms, wire::GOTOX, Form::JumpReg);
    put(&mut forms, wire::MAY_GOTO, Form::MayGoto);
    put(&mut forms, wire::CALL, Form::Call);
    put(&mut forms, wire::EXIT, Form::Exit);
    forms
}

/// Two instructions with one opcode, where none is meant to be, are a build error.
const fn put(forms: &mut [Form; 256], opcode: u8, form: Form) {
    assert!(matches!(forms[opcode as usize], Form::Unknown), "two forms for one opcode");
    forms[opcode as usize] = form;
}

const fn put_alu(forms: &mut [Form; 256], opcode: u8, width: Width, op: AluOp, offset: i16, reg: bool) {
    if reg && matches!(op, AluOp::Mov) {
        return put(forms, opcode, Form::MovReg(width));
    }
    let mut ops = match forms[opcode as usize] {
        Form::Unknown => [None; 2],
        Form::Alu(_, ops, _) => ops,
        _ => panic!("two forms for one opcode"),
    };
    assert!(ops[offset as usize].is_none(), "two operations for one opcode and offset");
    ops[offset as usize] = Some(op);
    forms[opcode as usize] = Form::Alu(width, ops, reg);
}
