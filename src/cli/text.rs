//! The commands `cat`, `pin`, `unpin` and `preload`.

use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use nix::mount::{MsFlags, mount, umount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::Filter;
use crate::elsewhere;
use crate::message::Failure;
use crate::output::stdout;
use crate::types::Types;
use kwalk::btf::Btf;
use kwalk::print::Escape;
use kwalk::text::{self, Comm, Options};
use kwalk::{
    Error, Iter, Loaded, PinError, PinPath, Resolved, Scope, Skeleton, pin_all, replace_all, unpin as remove,
};

/// The usual mount point of bpffs.
const BPFFS: &str = "/sys/fs/bpf";
/// What the kernel's preload module pins: the name of each pin, and its program.
const PRELOADED: [(&str, &str); 2] = [("maps.debug", "maps"), ("progs.debug", "progs")];

pub(crate) fn cat(types: &Types, program: &OsStr, filter: &Filter) -> Result<ExitCode, Failure> {
    if program.as_bytes().contains(&b'/') {
        if filter.comm.is_some() || filter.pid.is_some() || filter.tid.is_some() {
            return Err(Failure::usage(format!(
                "{}: a pinned program can be filtered only when it is pinned",
                Path::new(program).display()
            )));
        }
        return print(Iter::open(Path::new(program))?);
    }
    let program = program.to_string_lossy();
    let (loaded, link) = load(types, &program, filter, false)?;
    print(loaded.attach(&link)?.iter()?)
}

/// Copies a walk's output to stdout: as it is, but what a terminal would take for commands.
fn print(iter: Iter) -> Result<ExitCode, Failure> {
    let mut out = stdout()?;
    if io::stdout().is_terminal() {
        let mut out = Escape::new(BufWriter::new(out));
        copy(iter, &mut out)?;
        out.finish().map_err(Failure::output)?;
    } else {
        copy(iter, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn copy(mut iter: Iter, out: &mut impl Write) -> Result<(), Failure> {
    while let chunk @ [_, ..] = iter.next_chunk()? {
        out.write_all(chunk).and_then(|()| out.flush()).map_err(Failure::output)?;
    }
    Ok(())
}

/// Writes and loads a program, for one reader or for a pin. Also returns the scope for its link.
fn load(
    types: &Types,
    program: &str,
    filter: &Filter,
    pinned: bool,
) -> Result<(Loaded, Scope<'static>), Failure> {
    let program = text::by_name(program).map_err(Error::from)?;
    let scope = filter.scope();
    match scope.check(program.target) {
        // What may be known of the number is found out below.
        Err(Error::Process { .. }) => {}
        checked => checked?,
    }
    let comm =
        filter.comm.as_ref().map(|comm| Comm::new(comm.as_bytes())).transpose().map_err(Error::from)?;
    let pin = Options::default();
    let types = types.open()?;
    let btf = Btf::new(types.bytes())?;
    let kernel = kwalk::kernel(&btf);
    let resolved = scope.resolve(program.target, &kernel);
    let Resolved { link, test } = resolved.map_err(|error| elsewhere::explained(error, &kernel))?;
    let options = Options { comm, only: test, readers: if pinned { pin.readers } else { 1 } };
    Ok((Loaded::load(&program.write(&kernel, &options)?)?, link))
}

impl Filter {
    fn scope(&self) -> Scope<'static> {
        match (self.pid, self.tid) {
            (Some(pid), _) => Scope::Pid(pid),
            (None, Some(tid)) => Scope::Tid(tid),
            (None, None) => Scope::All,
        }
    }
}

pub(crate) fn pin(
    types: &Types,
    program: &str,
    path: &Path,
    filter: &Filter,
    replace: bool,
) -> Result<ExitCode, Failure> {
    if replace {
        let (loaded, _) = load(types, program, filter, true)?;
        replace_all(&[(path, &loaded)])?;
    } else {
        let path = PinPath::new(path)?;
        let (loaded, link) = load(types, program, filter, true)?;
        loaded.attach(&link)?.pin(&path)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn unpin(paths: &[impl AsRef<Path>]) -> Result<ExitCode, Failure> {
    let mut status = ExitCode::SUCCESS;
    for path in paths {
        if let Err(error) = remove(path.as_ref()) {
            status = Failure::from(error).report(false);
        }
    }
    Ok(status)
}

pub(crate) fn preload(types: &Types, dir: &Path, replace: bool, mount: bool) -> Result<ExitCode, Failure> {
    let mounted = if mount { mount_bpffs()? } else { false };
    let done = pin_preloaded(types, dir, replace);
    if mounted && done.is_err() {
        // This process has mounted it and pinned nothing in it, so it is unmounted.
        let _ = umount(BPFFS);
    }
    done
}

/// Mounts a bpffs at the usual place, if there is none. Returns whether it did.
fn mount_bpffs() -> Result<bool, Failure> {
    let failed = |errno: nix::Error| {
        Failure::from(Error::Pin { path: BPFFS.into(), reason: PinError::Io(errno.into()) })
    };
    if statfs(BPFFS).map_err(failed)?.filesystem_type() == BPF_FS_MAGIC {
        return Ok(false);
    }
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), None::<&str>).map_err(failed)?;
    Ok(true)
}

fn pin_preloaded(types: &Types, dir: &Path, replace: bool) -> Result<ExitCode, Failure> {
    let paths = PRELOADED.map(|(pin, _)| dir.join(pin));
    // With --replace, a directory that does not exist is created as without.
    let replace = replace && dir.exists();
    let place = if replace { None } else { Some(PinPath::new(dir)?) };
    let types = types.open()?;
    let btf = Btf::new(types.bytes())?;
    let kernel = kwalk::kernel(&btf);
    let programs = PRELOADED.map(|(_, program)| text::by_name(program)?.write(&kernel, &Options::default()));
    let mut programs = Skeleton::open(programs.into_iter().collect::<Result<Vec<_>, _>>()?);
    programs.load()?;
    match place {
        Some(dir) => {
            programs.attach()?;
            let links: Vec<_> =
                PRELOADED.iter().filter_map(|(pin, program)| Some((*pin, programs.link(program)?))).collect();
            pin_all(&dir, &links)?;
        }
        None => {
            let loaded: Vec<_> = paths
                .iter()
                .zip(&PRELOADED)
                .filter_map(|(path, (_, program))| Some((path.as_path(), programs.loaded(program)?)))
                .collect();
            replace_all(&loaded)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
