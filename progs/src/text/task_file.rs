//! `task_file`: the open files of all tasks, as the kernel's documentation of iterators shows them.

use kwalk_asm::Label;
use kwalk_asm::Reg::*;

use super::options::Options;
use crate::builder::Builder;
use crate::error::Error;

pub(super) fn emit(w: &mut Builder<'_>, options: &Options, done: Label) -> Result<(), Error> {
    let task = w.object(R7, done)?;
    let file = w.argument(R8, "file")?;
    let file = w.non_null(file, done);
    options.filter(w, &task, done)?;
    // The column `gid` has the thread's id: the heading is that of the documentation.
    w.header("    tgid      gid       fd      file\n", options.rows())?;
    w.printf(
        "%8d %8d %8d %lx\n",
        &[task.field("tgid"), task.field("pid"), w.plain_argument("fd"), file.field("f_op")],
    )
}
