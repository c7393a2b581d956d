//! From a program to one that the kernel has taken.

use std::os::fd::{AsFd, AsRawFd};

use kwalk_asm::{Endian, Fill, KfuncRef, MapRef};
use kwalk_btf::TypeId;
use kwalk_progs::{LICENSE, Map, MapKind, Program, ProgramType, Target, describe};

use crate::error::Error;
use crate::kfunc::of_modules;
use crate::link::Link;
use crate::rejection::Rejection;
use crate::scope::Scope;
use crate::sys::{
    self, BtfFd, BtfLoad, ElemFlags, Log, LogLevel, MapCreate, MapFd, MapFlags, MapType, MapUpdateElem,
    ObjName, ProgBtf, ProgFd, ProgFlags, ProgLoad, bpf,
};

/// A program that the kernel has verified and taken. It is gone with this value, unless a [`Link`] holds it.
#[derive(Debug)]
pub struct Loaded {
    prog: ProgFd,
    maps: Vec<MapFd>,
    target: Target,
}

impl Loaded {
    /// Makes the program's maps and loads it: one system call, and one for each map. If it calls functions of modules, these
    /// are looked for, which takes `CAP_SYS_ADMIN` and Linux 5.16.
    ///
    /// The descriptors of modules are closed again: the program holds what is behind them.
    ///
    /// # Errors
    ///
    /// [`Error::NoKfunc`] where no module has a function that it calls, [`Error::Rejected`] with the verifier's log where the kernel finds fault with the instructions, [`Error::Sys`]
    /// where it refuses for another reason. Nothing is left behind then.
    pub fn load(program: &Program) -> Result<Loaded, Error> {
        Loaded::load_with(program, |map| map.max_entries)
    }

    /// The same with maps of another size.
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
        let insns = program.code.encode_with(Endian::NATIVE, &mut Filling { maps: &maps, kfuncs: &kfuncs });
        // Calls count from 1: 0 is the kernel itself, whatever stands there.
        let modules = kfuncs.first().into_iter().chain(&kfuncs).map(|(_, module)| module.as_fd());
        let modules: Vec<_> = modules.collect();
        let command = || ProgLoad {
            name: ObjName::new(program.name),
            flags: if program.sleepable { ProgFlags::SLEEPABLE } else { ProgFlags::empty() },
            fd_array: &modules,
            ..ProgLoad::iter(&insns, LICENSE, attach_btf_id)
        };
        // Without a log first: writing one costs more than the verification.
        let prog = match bpf(command()) {
            Ok(prog) => prog,
            Err(error) if error.errno() == libc::EPERM => return Err(error.into()),
            Err(error) => {
                // With what the log then cites, where the kernel takes that: functions, and lines or the user's words.
                let explain = cfg!(feature = "explain");
                let source = explain.then(|| describe(program).ok()).flatten();
                let btf =
                    source.as_ref().and_then(|source| bpf(BtfLoad { btf: &source.btf, log: None }).ok());
                let with_source = source.as_ref().zip(btf.as_ref()).map(|(source, btf)| ProgBtf {
                    btf,
                    func_info: &source.functions,
                    line_info: &source.lines,
                });
                let load =
                    |log: Log<'_>| bpf(ProgLoad { log: Some(log), btf: with_source, ..command() }).err();
                return Err(match verifier_log(load, error.errno()) {
                    Some((log, ends)) => Rejection::new(program, error.errno(), log, ends).into(),
                    None => error.into(),
                });
            }
        };
        Ok(Loaded { prog, maps, target: program.target().clone() })
    }

    /// Attaches it to its target. The link filters by the scope; what it can't filter on this kernel the program has to test
    /// ([`Scope::resolve`]).
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] where the scope is not for this target, [`Error::NoParameters`] where this kernel's links can't filter
    /// so, [`Error::Process`] where it names nobody, [`Error::Sys`] where the kernel refuses.
    pub fn attach(&self, scope: &Scope<'_>) -> Result<Link, Error> {
        Link::create(&self.prog, &self.target, scope)
    }

    /// The program's descriptor.
    pub fn fd(&self) -> &ProgFd {
        &self.prog
    }

    /// The program's maps, in the order of [`Program::maps`].
    pub fn maps(&self) -> &[MapFd] {
        &self.maps
    }

    /// What it walks.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// What fills the holes of a program.
struct Filling<'a> {
    maps: &'a [MapFd],
    kfuncs: &'a [(TypeId, BtfFd)],
}

impl Fill for Filling<'_> {
    fn map(&mut self, index: u32) -> MapRef {
        MapRef::Fd(self.maps.get(index as usize).map_or(-1, MapFd::as_raw_fd))
    }

    fn kfunc(&mut self, index: u32) -> KfuncRef {
        let Some((id, _)) = self.kfuncs.get(index as usize) else { return KfuncRef::default() };
        // Beyond what 16 bits hold, the verifier has long objected: it takes 256 modules.
        KfuncRef { btf_id: id.0, btf_fd_offset: (index + 1) as i16 }
    }
}

fn create(map: &Map, max_entries: u32) -> Result<MapFd, sys::Error> {
    let map_type = match map.kind {
        MapKind::Array => MapType::ARRAY,
        MapKind::Hash => MapType::HASH,
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

/// What the verifier has to say, if it objects, and whether its end is there: `load` loads once more, and gives its
/// failure. The buffer grows until the log fits, at once to its length where the kernel tells.
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
            // Who tells the length has kept the end, which says why.
            Some(size) if size as usize > LAST => break true,
            Some(size) => size as usize,
            // Of a million instructions, no buffer holds the log.
            None if errno == libc::E2BIG || buf.len() == LAST => break false,
            None => buf.len() * 4,
        };
        buf = vec![0; len];
    };
    let log = Log::text(&buf);
    (!log.is_empty()).then_some((log, ends))
}
