//! `stacks`: the kernel stacks of all tasks, or of those with one command name.

use kwalk_asm::Reg::*;
use kwalk_asm::{Label, u64_at};

use super::options::Options;
use super::session::{Sessions, count};
use crate::builder::Builder;
use crate::error::Error;
use crate::operand::{Buffer, Value};

/// The maximal number of frames shown of a stack.
const DEPTH: i32 = 64;
/// Offsets in a session's memory: the count of stacks comes first, then the size of the frames in bytes, then the
/// frames. They are too large for the program's stack, and each reader needs its own.
const BYTES: i32 = 8;
const FRAMES: i32 = 16;
/// The size of the frames' buffer: as many as the kernel itself stores (`PERF_MAX_STACK_DEPTH` and its contexts),
/// though the program asks for fewer. Preemptible kernels sometimes return all of them, if another trace interfered.
const ROOM: i32 = FRAMES + 8 * (127 + 8);

pub(super) fn emit(w: &mut Builder<'_>, options: &Options, done: Label) -> Result<(), Error> {
    let (end, frames, frames_done) = (w.asm.label(), w.asm.label(), w.asm.label());
    let sessions = Sessions::new(w, options, ROOM as u32);
    let memory = R8;
    let task = w.trusted_object(R7, end)?;
    options.filter(w, &task, done)?;
    w.until_end(done)?;
    sessions.enter(w, memory)?;
    w.get_task_stack(&task, Buffer::Address(memory + FRAMES), 8 * DEPTH)?;
    // An exiting task has no stack any more, and that of a task running on another CPU can't be read.
    w.asm.jump_if(R0.slt(0), done);
    w.asm.store(u64_at(memory + BYTES), R0);
    let comm = w.line(&task, "comm")?;
    w.asm.load(R0, u64_at(memory + BYTES));
    w.asm.rsh(R0, 3);
    w.printf(
        "=== Task: %s (pid=%u, tgid=%u) ===\nStack depth: %u frames\n",
        &[comm, task.field("pid"), task.field("tgid"), Value::Reg(R0)],
    )?;

    let nth = R7;
    w.asm.mov(nth, 0);
    w.asm.bind(frames);
    w.asm.mov(R1, nth);
    w.asm.lsh(R1, 3);
    w.asm.load(R2, u64_at(memory + BYTES));
    w.asm.jump_if(R1.sge(R2), frames_done);
    w.asm.mov(R2, memory);
    w.asm.add(R2, R1);
    w.asm.load(R0, u64_at(R2 + FRAMES));
    w.printf("  [%2ld] %pB\n", &[Value::Reg(nth), Value::Reg(R0)])?;
    w.asm.add(nth, 1);
    w.asm.jump_if(nth.lt(DEPTH), frames);
    w.asm.bind(frames_done);
    w.write(b"\n");
    w.asm.jump_if(R0.ne(0), done);
    count(w, memory);
    w.asm.jump(done);

    w.asm.bind(end);
    sessions.summary(w, memory, "\n=== Summary: %u task stacks shown ===\n", done)
}
