//! `files`: the open files of all tasks, or of those with one command name.

use kwalk_asm::Label;
use kwalk_asm::Reg::*;

use super::options::Options;
use super::session::{Sessions, count};
use crate::builder::Builder;
use crate::error::Error;

pub(super) fn emit(w: &mut Builder<'_>, options: &Options, done: Label) -> Result<(), Error> {
    let end = w.asm.label();
    let sessions = Sessions::new(w, options, 8);
    let task = w.object(R7, end)?;
    let file = w.argument(R8, "file")?;
    let file = w.non_null(file, end);
    options.filter(w, &task, done)?;
    w.until_end(done)?;
    w.header(
        &format!("{:<16} {:>8} {:>8} {:>6} {}\n", "COMM", "TGID", "PID", "FD", "FILE_OPS"),
        options.rows(),
    )?;
    let comm = w.line(&task, "comm")?;
    w.printf(
        "%-16s %8d %8d %6d 0x%lx\n",
        &[comm, task.field("tgid"), task.field("pid"), w.plain_argument("fd"), file.field("f_op")],
    )?;
    w.asm.jump_if(R0.ne(0), done);
    sessions.enter(w, R8)?;
    count(w, R8);
    w.asm.jump(done);

    w.asm.bind(end);
    sessions.summary(w, R8, "\n=== Summary: %u file descriptors shown ===\n", done)
}
