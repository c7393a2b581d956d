//! Decides which of its arguments a program saves in registers, from its calls and the registers that its numbers need.

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

/// What a part of a program needs, as far as it affects the choice of registers.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    /// Whether it calls a helper or a kfunc, other than for output. A call clobbers R0 to R5.
    calls: bool,
    /// The number of outputs (`bpf_seq_write`).
    outputs: usize,
    /// The maximal number of registers that a computation takes.
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

/// Chooses what a program saves. An argument that is not saved takes no instructions and leaves a register free.
pub(crate) fn saved(
    kernel: &Kernel<'_>,
    target: &Target,
    names: &Names<'_>,
    condition: &Condition,
    columns: &[Planned],
    has_rows: bool,
) -> Result<Saved, Error> {
    let casts = names.follows && target.trusted && kernel.kfunc("bpf_rdonly_cast")?.is_some();
    let derives = names.derived.iter().any(|found| !matches!(found.derived.by, By::Choice(_)));
    let object = Needs { calls: casts || derives || has_rows, ..Needs::default() };
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
        Value::Text(text) | Value::Stack(text) | Value::Bytes(text) | Value::List(text, ..) => of_text(text),
        Value::Pointer(_) | Value::Float(_) | Value::Ip(_) | Value::Literal(_) | Value::Filled(_) => {
            Needs::default()
        }
    }
}

/// The needs of a text that is shown. A text of fixed size is a part of the row; others have outputs of their own,
/// including one for NULL.
fn of_text(text: &Text) -> Needs {
    let (calls, outputs) = match text.kind {
        TextKind::Array if layout::is_fixed(text) => (!emit::is_copied(&text.place), 0),
        TextKind::Array | TextKind::Pointer => (true, 1),
        TextKind::Bytes { .. } => (true, 3),
        _ => (true, 2),
    };
    Needs { calls, outputs, registers: 0 }
}
