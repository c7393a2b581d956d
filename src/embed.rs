//! An example of a binary that embeds kwalk: shows the tasks with a command name, by a program of its own. It needs
//! nothing but a kernel at run time.
//!
//!     embed COMM

use std::fmt::Display;
use std::io::{Write, stdout};
use std::process::exit;

use kwalk::asm::Reg::R7;
use kwalk::btf::Btf;
use kwalk::progs::{Builder, targets};
use kwalk::{Error, KernelBtf, Loaded, Scope, kernel};

fn main() {
    let Some(comm) = std::env::args().nth(1) else { fail("usage: embed COMM") };
    walk(&comm).unwrap_or_else(|error| fail(error));
}

fn walk(comm: &str) -> Result<(), Error> {
    let types = KernelBtf::open()?;
    let btf = Btf::new(types.bytes())?;

    let mut walk = Builder::new(&kernel(&btf), &targets::task::TARGET)?;
    let done = walk.asm.label();
    let task = walk.object(R7, done)?;
    walk.text_is(&task, "comm", comm.as_bytes(), done)?;
    let row = [task.field("tgid"), task.field("pid"), task.field("real_parent.tgid"), task.text("comm")];
    walk.printf("tgid=%d pid=%d ppid=%d %s\n", &row)?;
    let program = walk.finish("embed", done)?;

    let loaded = Loaded::load(&program)?;
    let link = loaded.attach(&Scope::All)?;
    let mut tasks = link.iter()?;
    while let chunk @ [_, ..] = tasks.next_chunk()? {
        stdout().write_all(chunk).unwrap_or_else(|error| fail(error));
    }
    // Exiting is faster than running the destructors: the kernel closes the descriptors.
    exit(0)
}

/// Unlike `Box<dyn Error>`, this keeps the `Debug` code of the errors out of the binary.
fn fail(error: impl Display) -> ! {
    eprintln!("embed: {error}");
    exit(1)
}
