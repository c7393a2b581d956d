//! Walks of cgroups, which the kernel does not go on with beyond its buffer: those of more are done in two.

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};

use super::output::Output;
use super::prepared::Prepared;
use crate::error::Error;
use crate::load::Loaded;
use crate::scope::Scope;
use crate::sys::{CgroupOrder, CgroupStart, MapLookupElem, bpf};

/// What a walk of cgroups gives.
pub(super) enum Walked {
    /// All of its output.
    Output(Vec<u8>),
    /// More than the kernel gives at once: the ids of the cgroups.
    Ids(Vec<u64>),
}

/// Does a walk of cgroups. Nothing of it is given out before it is known which of the two it is.
pub(super) fn walk(prepared: &Prepared<'_>) -> Result<Walked, Error> {
    let mut iter = prepared.link.iter()?;
    let mut output = Vec::new();
    loop {
        match iter.next_chunk() {
            Ok([]) => return Ok(Walked::Output(output)),
            Ok(chunk) => output.extend_from_slice(chunk),
            Err(Error::Read { source, .. })
                if source.raw_os_error() == Some(libc::EOPNOTSUPP) && has_ids(&prepared.scope) =>
            {
                return Ok(Walked::Ids(ids(prepared)?));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the kernel finds these cgroups by their ids: those of cgroup v1 have some, too, but of other cgroups.
fn has_ids(scope: &Scope<'_>) -> bool {
    match scope {
        Scope::Cgroup { start: CgroupStart::Fd(fd), .. } => {
            fstatfs(fd).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC)
        }
        _ => true,
    }
}

/// The ids of the cgroups in the walk's scope, in its order, as they were at one moment.
fn ids(prepared: &Prepared<'_>) -> Result<Vec<u64>, Error> {
    // Few systems have as many; 128 kB are soon had.
    let mut size = 1 << 14;
    loop {
        let Some(program) = &prepared.cgroup_ids else { return Ok(Vec::new()) };
        let loaded = Loaded::load_sized(program, size)?;
        // The first read is the walk, since it prints nothing.
        loaded.attach(&prepared.scope)?.iter()?.next_chunk()?;
        let number = |index: u32| {
            let mut value = [0; 8];
            for map in loaded.maps() {
                bpf(MapLookupElem { map, key: &index.to_ne_bytes(), value: &mut value })?;
            }
            Ok::<_, Error>(u64::from_ne_bytes(value))
        };
        // The kernel breaks such a walk off after 1,000,000.
        let count = number(0)? as u32;
        if count < size {
            return (1..=count).map(number).collect();
        }
        // Some may be made in between.
        size = count.saturating_mul(2);
    }
}

/// A walk of one cgroup; none if it has gone.
pub(super) fn one(prepared: &Prepared<'_>, id: u64) -> Option<Result<Output, Error>> {
    let scope = Scope::Cgroup { order: CgroupOrder::SELF_ONLY, start: CgroupStart::Id(id) };
    match prepared.loaded.attach(&scope) {
        Err(Error::Sys(error)) if error.errno() == libc::ENOENT => None,
        link => Some(link.and_then(|link| Ok(Output::Iter(link.iter()?)))),
    }
}
