//! From a program to one that the kernel has taken.

use std::os::fd::{AsFd, AsRawFd};

use kwalk_asm::{Endian, Fill, KfuncRef, MapRef};
use kwalk_btf::TypeId;
use kwalk_progs::{LICENSE, Map, MapKind, Program, Target, describe};

use crate::kfunc::of_modules;
use crate::sys::{
    self, BtfFd, BtfLoad, Log, LogLevel, MapCreate, MapFd, MapType, ObjName, ProgBtf, ProgFd, ProgFlags,
    ProgLoad, bpf,
};
use crate::{Error, Link, Parameters, Rejection};

/// A program that the kernel has verified and taken. It is gone with this value, unless a [`Link`] holds it.
#[derive(Debug)]
pub struct Loaded {
    prog: ProgFd,
    maps: Vec<MapFd>,
    target: &'static Target,
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
        let maps = program.maps.iter().map(create).collect::<Result<Vec<_>, _>>()?;
        let kfuncs = of_modules(&program.kfuncs)?;
        let insns = program.code.encode_with(Endian::NATIVE, &mut Filling { maps: &maps, kfuncs: &kfuncs });
        // Calls count from 1: 0 is the kernel itself, whatever stands there.
        let modules = kfuncs.first().into_iter().chain(&kfuncs).map(|(_, module)| module.as_fd());
        let modules: Vec<_> = modules.collect();
        let command = || ProgLoad {
            name: ObjName::new(program.name),
            flags: if program.sleepable { ProgFlags::SLEEPABLE } else { ProgFlags::empty() },
            fd_array: &modules,
            ..ProgLoad::iter(&insns, LICENSE, program.attach_btf_id)
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
        Ok(Loaded { prog, maps, target: program.target })
    }

    /// Attaches it to its target, with what the walk is to be told.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] where they are not for this target, [`Error::NoParameters`] where this kernel knows none,
    /// [`Error::Process`] where they name nobody, [`Error::Sys`] where the kernel refuses.
    pub fn attach(&self, parameters: &Parameters<'_>) -> Result<Link, Error> {
        Link::create(self, parameters)
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
    pub fn target(&self) -> &'static Target {
        self.target
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

fn create(map: &Map) -> Result<MapFd, sys::Error> {
    let map_type = match map.kind {
        MapKind::Array => MapType::ARRAY,
        MapKind::LruHash => MapType::LRU_HASH,
    };
    bpf(MapCreate {
        name: ObjName::new(map.name),
        ..MapCreate::new(map_type, map.key_size, map.value_size, map.max_entries)
    })
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
