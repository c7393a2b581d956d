//! From a program to one that the kernel has taken.

use std::os::fd::AsRawFd;

use kwalk_asm::{Endian, Slot};
use kwalk_progs::{LICENSE, Map, MapKind, Program, Target, describe};

use crate::sys::{
    self, BtfLoad, Log, LogLevel, MapCreate, MapFd, MapType, ObjName, ProgBtf, ProgFd, ProgFlags, ProgLoad,
    bpf,
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
    /// Makes the program's maps and loads it: one system call, and one for each map.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with the verifier's log where the kernel finds fault with the instructions, [`Error::Sys`]
    /// where it refuses for another reason. Nothing is left behind then.
    pub fn load(program: &Program) -> Result<Loaded, Error> {
        let maps = program.maps.iter().map(create).collect::<Result<Vec<_>, _>>()?;
        let insns = program.code.encode(Endian::NATIVE, |slot| {
            let index = match slot {
                Slot::Map(index) | Slot::MapValue { index, .. } => index,
                _ => return -1,
            };
            maps.get(index as usize).map_or(-1, MapFd::as_raw_fd)
        });
        let command = || ProgLoad {
            name: ObjName::new(program.name),
            flags: if program.sleepable { ProgFlags::SLEEPABLE } else { ProgFlags::empty() },
            ..ProgLoad::iter(&insns, LICENSE, program.attach_btf_id)
        };
        // Without a log first: writing one costs more than the verification.
        let prog = match bpf(command()) {
            Ok(prog) => prog,
            Err(error) if error.errno() == libc::EPERM => return Err(error.into()),
            Err(error) => {
                // With the program's functions and lines, which the log then cites, where the kernel takes them.
                let explain = cfg!(feature = "explain");
                let source = explain.then(|| describe(program.name, &program.code).ok()).flatten();
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
                    Some((log, ends)) => {
                        Rejection::new(program.name, error.errno(), &program.code, log, ends).into()
                    }
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
