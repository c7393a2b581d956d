//! Which of its arguments a program saves: known from what it calls and how many registers its numbers take.

use kwalk_progs::{Kernel, Saved, Target};

use crate::derived::By;
use crate::emit;
use crate::error::Error;
use crate::ir::Value;
use crate::ir::{Condition, Text, TextKind};
use crate::layout;
use crate::limits::FREE_UNSAVED;
use crate::planned::Planned;
use crate::resolve::Names;

/// What part of a program does that decides which registers are left to it.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    /// Whether it calls a helper or a kfunc, besides its outputs. A call clobbers the registers R0 to R5.
    calls: bool,
    /// How many outputs it has (`bpf_seq_write`).
    outputs: usize,
    /// How many registers its largest number takes while it is computed.
    registers: usize,
}

impl Needs {
    fn and(self, other: Needs) -> Needs {
        Needs {
            calls: self.calls || other.calls,
            outputs: self.outputs + other.outputs,
            registers: self.registers.max(other.registers),
        }
    }
}

/// What a program saves: as little as it can, since what it does not save takes no instructions and leaves a register
/// free.
pub(crate) fn saved(
    kernel: &Kernel<'_>,
    target: &Target,
    names: &Names<'_>,
    condition: &Condition,
    columns: &[Planned],
) -> Result<Saved, Error> {
    let casts = names.follows && target.trusted && kernel.kfunc("bpf_rdonly_cast")?.is_some();
    let derives = names.derived.iter().any(|found| !matches!(found.derived.by, By::Choice(_)));
    let object = Needs { calls: casts || derives, ..Needs::default() };
    let rows = Needs { outputs: layout::chunks(columns), ..Needs::default() };
    let values = columns.iter().map(|column| of_value(&column.value));
    let needs = values.fold(object.and(rows).and(of_condition(condition)), Needs::and);
    Ok(match needs {
        Needs { calls: false, outputs: 0 | 1, registers } if registers <= FREE_UNSAVED => Saved::Nothing,
        Needs { outputs: 0 | 1, .. } => Saved::Context,
        _ => Saved::ContextAndSeq,
    })
}

fn of_condition(condition: &Condition) -> Needs {
    Needs { calls: emit::condition_calls(condition), outputs: 0, registers: emit::need_of(condition) }
}

fn of_value(value: &Value) -> Needs {
    match value {
        Value::Number(number) => {
            Needs { calls: emit::calls(number), outputs: 0, registers: emit::need(number) }
        }
        Value::Text(text) | Value::Stack(text) | Value::Bytes(text) => of_text(text),
        Value::Pointer(_) | Value::Ip(_) | Value::Literal(_) => Needs::default(),
    }
}

/// A text that is shown: one of known size is a part of the row, any other has outputs of its own, one of them for NULL.
fn of_text(text: &Text) -> Needs {
    let (calls, outputs) = match text.kind {
        TextKind::Array if layout::is_fixed(text) => (!emit::is_copied(&text.place), 0),
        TextKind::Array | TextKind::Pointer => (true, 1),
        TextKind::Bytes { .. } => (true, 3),
        _ => (true, 2),
    };
    Needs { calls, outputs, registers: 0 }
}
