//! The commands `asm` and `dis`.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use crate::message::Failure;
use crate::output::print;
use crate::types::Types;
use kwalk::asm::{Endian, Helper, Insn, Named, assemble};
use kwalk::btf::{Btf, TypeId};
use kwalk::progs::Program;
use kwalk::sys::{ProgFd, open_id};
use kwalk::text::{self as programs, Options};
use kwalk::{Error, disassemble, listing};

/// What to disassemble.
pub(crate) enum Source<'a> {
    /// A text program.
    Program(&'a str),
    /// A loaded program.
    Id(u32),
    /// Raw instruction bytes.
    File(&'a Path, Endian),
}

pub(crate) fn dis(types: &Types, source: &Source<'_>) -> Result<ExitCode, Failure> {
    let text = match source {
        Source::Program(name) => {
            let program = programs::by_name(name).map_err(Error::from)?;
            let types = types.open()?;
            let btf = Btf::new(types.bytes())?;
            text(&program.write(&types.kernel(&btf), &Options::default())?, &btf)
        }
        Source::Id(id) => disassemble(&open_id::<ProgFd>(*id).map_err(Error::from)?)?,
        Source::File(path, endian) => {
            let decoded = Insn::decode_program(&read(path)?, *endian);
            let insns = decoded.map_err(|error| Failure::failed(path.display(), error))?;
            listing(&insns).to_string()
        }
    };
    print(text.as_bytes())
}

/// Lists the instructions of a program that is not loaded, one a line.
pub(crate) fn text(program: &Program, btf: &Btf<'_>) -> String {
    let names = |named| match named {
        Named::Helper(id) => id.known().map(Helper::name),
        Named::MapIdx(index) => program.maps.get(index as usize).map(|map| map.name),
        // A kfunc of the kernel itself. Those of modules are not in these types.
        Named::Kfunc { btf_id, btf_fd_offset: 0 } => btf.get(TypeId(btf_id)).ok().map(|ty| ty.name()),
        _ => None,
    };
    listing(program.code.insns()).names(&names).to_string()
}

pub(crate) fn asm(file: &Path, out: Option<&Path>, endian: Endian) -> Result<ExitCode, Failure> {
    let text = String::from_utf8(read(file)?).map_err(|error| Failure::failed(file.display(), error))?;
    let bytes = assemble(&text, endian);
    let bytes = bytes.map_err(|error| Failure::Other(format!("{}:{error}", file.display())))?;
    match out.filter(|out| *out != Path::new("-")) {
        Some(out) => replace(out, &bytes).map_err(|error| Failure::failed(out.display(), error))?,
        None if io::stdout().is_terminal() => {
            return Err(Failure::usage("instruction bytes are not for a terminal: use -o OUT"));
        }
        None => return print(&bytes),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file completely, or removes it again if it did not exist before.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let existed = path.exists();
    let written = fs::write(path, bytes);
    if written.is_err() && !existed {
        let _ = fs::remove_file(path);
    }
    written
}

/// Reads a file, or stdin for `-`.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|error| Failure::failed(path.display(), error))
}
