//! Walks of cgroups. The kernel does not continue such a walk beyond its buffer: a larger one is done in two steps.

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};

use super::output::Output;
use super::prepared::Prepared;
use crate::error::Error;
use crate::load::Loaded;
use crate::scope::Scope;
use crate::sys::{CgroupOrder, CgroupStart, MapLookupElem, bpf};

/// The result of a walk of cgroups.
pub(super) enum Walked {
    /// The complete output.
    Output(Vec<u8>),
    /// The output does not fit the kernel's buffer: the ids of the cgroups.
    Ids(Vec<u64>),
}

/// Walks cgroups. No output is returned before it is known to be complete.
pub(super) fn walk(prepared: &Prepared<'_>) -> Result<Walked, Error> {
    let undecided = prepared.undecided_element()?;
    let mut iter = prepared.link.iter()?;
    let mut output = Vec::new();
    loop {
        match iter.next_chunk() {
            Ok([]) => return Ok(Walked::Output(output)),
            Ok(chunk) => output.extend_from_slice(chunk),
            Err(Error::Read { source, .. })
                if source.raw_os_error() == Some(libc::EOPNOTSUPP) && has_ids(&prepared.scope) =>
            {
                prepared.set_undecided(&undecided)?;
                return Ok(Walked::Ids(ids(prepared)?));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the kernel finds these cgroups by their ids: those in a cgroup v1 hierarchy have ids that mean other
/// cgroups.
fn has_ids(scope: &Scope<'_>) -> bool {
    match scope {
        Scope::Cgroup { start: CgroupStart::Fd(fd), .. } => {
            fstatfs(fd).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC)
        }
        _ => true,
    }
}

/// The ids of the cgroups in the scope, in the order of the walk, from a single walk.
fn ids(prepared: &Prepared<'_>) -> Result<Vec<u64>, Error> {
    // Few systems have more, and 128 kB are allocated quickly.
    let mut size = 1 << 14;
    loop {
        let Some(program) = &prepared.cgroup_ids else { return Ok(Vec::new()) };
        let loaded = Loaded::load_sized(program, size)?;
        // One read does the whole walk, because the program prints nothing.
        loaded.attach(&prepared.scope)?.iter()?.next_chunk()?;
        let number = |index: u32| {
            let mut value = [0; 8];
            for map in loaded.maps() {
                bpf(MapLookupElem { map, key: &index.to_ne_bytes(), value: &mut value })?;
            }
            Ok::<_, Error>(u64::from_ne_bytes(value))
        };
        // The kernel aborts such a walk after 1,000,000 cgroups.
        let count = number(0)? as u32;
        if count < size {
            return (1..=count).map(number).collect();
        }
        // Twice as many, since cgroups can be created in the meantime.
        size = count.saturating_mul(2);
    }
}

/// Walks one cgroup; `None` if it no longer exists.
pub(super) fn one(prepared: &Prepared<'_>, id: u64) -> Option<Result<Output, Error>> {
    let scope = Scope::Cgroup { order: CgroupOrder::SELF_ONLY, start: CgroupStart::Id(id) };
    match prepared.loaded.attach(&scope) {
        Err(Error::Sys(error)) if error.errno() == libc::ENOENT => None,
        link => Some(link.and_then(|link| Ok(Output::Iter(link.iter()?)))),
    }
}
