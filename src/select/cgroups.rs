//! Walks of cgroups, which the kernel does not go on with beyond its buffer: those of more are done in two.

use kwalk_btf::Btf;
use kwalk_progs::select::cgroup_ids;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};

use super::Walk;
use crate::sys::{CgroupOrder, CgroupStart, MapLookupElem, bpf};
use crate::{Error, Loaded, Parameters};

/// What a walk of cgroups gives.
pub(super) enum Walked {
    /// All of its output.
    Output(Vec<u8>),
    /// More than the kernel gives at once: the ids of the cgroups.
    Ids(Vec<u64>),
}

/// Does a walk of cgroups. Nothing of it is given out before it is known which of the two it is.
pub(super) fn walk(loaded: &Loaded, parameters: &Parameters<'_>, btf: &Btf<'_>) -> Result<Walked, Error> {
    let mut iter = loaded.attach(parameters)?.iter()?;
    let mut output = Vec::new();
    loop {
        match iter.next_chunk() {
            Ok([]) => return Ok(Walked::Output(output)),
            Ok(chunk) => output.extend_from_slice(chunk),
            Err(Error::Read { source, .. })
                if source.raw_os_error() == Some(libc::EOPNOTSUPP) && has_ids(parameters) =>
            {
                return Ok(Walked::Ids(ids(parameters, btf)?));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the kernel finds these cgroups by their ids: those of cgroup v1 have some, too, but of other cgroups.
fn has_ids(parameters: &Parameters<'_>) -> bool {
    match parameters {
        Parameters::Cgroup { start: CgroupStart::Fd(fd), .. } => {
            fstatfs(fd).is_ok_and(|fs| fs.filesystem_type() == CGROUP2_SUPER_MAGIC)
        }
        _ => true,
    }
}

/// The ids of the cgroups that a walk shows which is told this, in its order, as they were at one moment.
fn ids(parameters: &Parameters<'_>, btf: &Btf<'_>) -> Result<Vec<u64>, Error> {
    // Few systems have as many; 128 kB are soon had.
    let mut size = 1 << 14;
    loop {
        let loaded = Loaded::load(&cgroup_ids(btf, size)?)?;
        // The first read is the walk, since it prints nothing.
        loaded.attach(parameters)?.iter()?.next_chunk()?;
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
pub(super) fn one(loaded: &Loaded, id: u64) -> Option<Result<Walk, Error>> {
    let parameters = Parameters::Cgroup { order: CgroupOrder::SELF_ONLY, start: CgroupStart::Id(id) };
    match loaded.attach(&parameters) {
        Err(Error::Sys(error)) if error.errno() == libc::ENOENT => None,
        link => Some(link.and_then(|link| Ok(Walk::Iter(link.iter()?)))),
    }
}
