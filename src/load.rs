//! Loads programs.

use std::os::fd::{AsFd, AsRawFd};

use kwalk_asm::{Endian, Fill, KfuncRef, MapRef};
use kwalk_btf::TypeId;
use kwalk_progs::{LICENSE, Map, MapKind, Program, ProgramType, Source, Target, describe};

use crate::error::Error;
use crate::kfunc::of_modules;
use crate::link::Link;
use crate::rejection::Rejection;
use crate::scope::Scope;
use crate::sys::{
    self, BtfFd, BtfLoad, ElemFlags, Log, LogLevel, MapCreate, MapFd, MapFlags, MapType, MapUpdateElem,
    ObjName, ProgBtf, ProgFd, ProgFlags, ProgLoad, bpf,
};

/// A program that the kernel has verified and loaded. Dropping the value unloads it, unless a [`Link`] refers to it.
#[derive(Debug)]
pub struct Loaded {
    prog: ProgFd,
    maps: Vec<MapFd>,
    target: Target,
    sleepable: bool,
}

impl Loaded {
    /// Creates the program's maps and loads it: one system call for each map, and one for the program. A program that
    /// calls functions of modules needs `CAP_SYS_ADMIN` and Linux 5.16. The descriptors of the modules' BTF are closed
    /// after the load: the program keeps the modules loaded.
    ///
    /// # Errors
    ///
    /// [`Error::NoKfunc`] if no module has a function that the program calls, [`Error::Rejected`] with the log if the
    /// verifier rejects the program, [`Error::Sys`] if the kernel refuses for another reason. The maps are removed
    /// then.
    pub fn load(program: &Program) -> Result<Loaded, Error> {
        Loaded::load_with(program, |map| map.max_entries)
    }

    /// The same, with maps of this size.
    #[cfg(feature = "select")]
    pub(crate) fn load_sized(program: &Program, max_entries: u32) -> Result<Loaded, Error> {
        Loaded::load_with(program, |_| max_entries)
    }

    fn load_with(program: &Program, max_entries: impl Fn(&Map) -> u32) -> Result<Loaded, Error> {
        let ProgramType::Iter { attach_btf_id, .. } = program.program_type else {
            return Err(Error::ProgramType { program: program.name });
        };
        let maps = program.maps.iter().map(|map| create(map, max_entries(map)));
        let maps = maps.collect::<Result<Vec<_>, _>>()?;
        let kfuncs = of_modules(&program.kfuncs)?;
        let insns =
            program.code.encode_with(Endian::NATIVE, &mut Descriptors { maps: &maps, kfuncs: &kfuncs });
        // Calls count modules from 1: index 0 means the kernel itself, and its entry is not read.
        let modules = kfuncs.first().into_iter().chain(&kfuncs).map(|(_, module)| module.as_fd());
        let modules: Vec<_> = modules.collect();
        // A function that a helper calls back must be described. No embedder's programs have one without questions.
        let calls_back = cfg!(feature = "select") && program.code.functions().len() > 1;
        let source = if calls_back { describe(program).ok() } else { None };
        let btf = source.as_ref().map(|source| bpf(BtfLoad { btf: &source.btf, log: None })).transpose()?;
        let command = || ProgLoad {
            name: ObjName::new(program.name),
            btf: described(source.as_ref(), btf.as_ref()),
            flags: if program.sleepable { ProgFlags::SLEEPABLE } else { ProgFlags::empty() },
            fd_array: &modules,
            ..ProgLoad::iter(&insns, LICENSE, attach_btf_id)
        };
        // First without a log: to write one costs more than the verification.
        let prog = bpf(command()).map_err(|error| explained(program, error, command))?;
        Ok(Loaded { prog, maps, target: program.target().clone(), sleepable: program.sleepable })
    }

    /// Attaches the program to its target. The link filters by the scope; the program must test what links can't filter
    /// on this kernel ([`Scope::resolve`]).
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] if the scope is not for this target, [`Error::NoParameters`] if this kernel's links can't
    /// filter by it, [`Error::Process`] if no process or thread has its number, [`Error::Sleepable`] if the target takes no
    /// sleepable programs, [`Error::Sys`] if the kernel refuses.
    pub fn attach(&self, scope: &Scope<'_>) -> Result<Link, Error> {
        Link::create(&self.prog, &self.target, self.sleepable, scope)
    }

    /// The program's descriptor.
    pub fn fd(&self) -> &ProgFd {
        &self.prog
    }

    /// The program's maps, in the order of [`Program::maps`].
    pub fn maps(&self) -> &[MapFd] {
        &self.maps
    }

    /// The target that the program walks.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// The descriptors that the relocations of a program refer to.
struct Descriptors<'a> {
    maps: &'a [MapFd],
    kfuncs: &'a [(TypeId, BtfFd)],
}

impl Fill for Descriptors<'_> {
    fn map(&mut self, index: u32) -> MapRef {
        MapRef::Fd(self.maps.get(index as usize).map_or(-1, MapFd::as_raw_fd))
    }

    fn kfunc(&mut self, index: u32) -> KfuncRef {
        let Some((id, _)) = self.kfuncs.get(index as usize) else { return KfuncRef::default() };
        // The cast loses nothing: the verifier accepts no more than 256 modules.
        KfuncRef { btf_id: id.0, btf_fd_offset: (index + 1) as i16 }
    }
}

fn create(map: &Map, max_entries: u32) -> Result<MapFd, sys::Error> {
    let map_type = match map.kind {
        MapKind::Array => MapType::ARRAY,
        MapKind::Hash => MapType::HASH,
        MapKind::PercpuArray => MapType::PERCPU_ARRAY,
        MapKind::LruHash => MapType::LRU_HASH,
    };
    let flags = if map.keys.is_empty() { MapFlags::empty() } else { MapFlags::RDONLY_PROG };
    let fd = bpf(MapCreate {
        name: ObjName::new(map.name),
        flags,
        ..MapCreate::new(map_type, map.key_size, map.value_size, max_entries)
    })?;
    let value = vec![0; map.value_size as usize];
    for key in &map.keys {
        bpf(MapUpdateElem { map: &fd, key, value: &value, flags: ElemFlags::empty() })?;
    }
    Ok(fd)
}

/// The verifier's rejection if `error` is one: loads the program once more, with a log.
fn explained<'a>(program: &Program, error: sys::Error, command: impl Fn() -> ProgLoad<'a>) -> Error {
    // `EAGAIN`: signals interrupted the verifier again and again; it has not judged the program.
    if [libc::EPERM, libc::EAGAIN].contains(&error.errno()) {
        return error.into();
    }
    // With functions and source lines for the log to cite, if the kernel accepts them.
    let source = if cfg!(feature = "explain") { describe(program).ok() } else { None };
    let btf = source.as_ref().and_then(|source| bpf(BtfLoad { btf: &source.btf, log: None }).ok());
    let btf = described(source.as_ref(), btf.as_ref());
    let load = |log: Log<'_>| {
        let command = command();
        bpf(ProgLoad { log: Some(log), btf: btf.or(command.btf), ..command }).err()
    };
    match verifier_log(load, error.errno()) {
        Some((log, ends)) => Rejection::new(program, error.errno(), log, ends).into(),
        None => error.into(),
    }
}

/// A program's description, if it has been loaded.
fn described<'a>(source: Option<&'a Source>, btf: Option<&'a BtfFd>) -> Option<ProgBtf<'a>> {
    let (source, btf) = source.zip(btf)?;
    Some(ProgBtf { btf, func_info: &source.functions, line_info: &source.lines })
}

/// The verifier's log of a rejected program, and whether its end is complete. `load` loads once more and gives the
/// error. The buffer grows until the log fits, at once to the log's length if the kernel gives it (since 6.4).
fn verifier_log(load: impl Fn(Log<'_>) -> Option<sys::Error>, errno: i32) -> Option<(String, bool)> {
    const FIRST: usize = 64 << 10;
    const LAST: usize = 16 << 20;
    let mut buf = vec![0; FIRST];
    let ends = loop {
        let error = load(Log { level: LogLevel::BRIEF, buf: &mut buf })?;
        if error.errno() != libc::ENOSPC {
            break true;
        }
        let len = match error.log_true_size() {
            // Kernels that give the length also keep the end of the log, which has the reason.
            Some(size) if size as usize > LAST => break true,
            Some(size) => size as usize,
            // No buffer is large enough for the log of a million instructions.
            None if errno == libc::E2BIG || buf.len() == LAST => break false,
            None => buf.len() * 4,
        };
        buf = vec![0; len];
    };
    let log = Log::text(&buf);
    (!log.is_empty()).then_some((log, ends))
}
