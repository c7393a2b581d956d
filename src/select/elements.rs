//! The sizes and types of a map's keys and values, from the kernel and the map's BTF.

use std::io::ErrorKind;

use kwalk_btf::{Btf, TypeId};
use kwalk_query::{ElementTypes, Elements};

use crate::error::Error;
use crate::facts::read;
use crate::sys::{BtfFd, MapFd, MapType, open_id};

/// The keys and values of a map, for planning a selection of its elements.
///
/// ```no_run
/// use kwalk::select::{MapElements, PlanOptions, Select, Walk};
/// use kwalk::sys::{MapFd, open_id};
/// use kwalk::{KernelBtf, Scope, btf::Btf, kernel};
///
/// # fn main() -> Result<(), kwalk::Error> {
/// let types = KernelBtf::open()?;
/// let btf = Btf::new(types.bytes())?;
/// let kernel = kernel(&btf);
/// let map: MapFd = open_id(7)?;
/// let elements = MapElements::of(&map)?;
/// let types = elements.btf()?;
/// let options = PlanOptions { elements: Some(elements.elements(types.as_ref())), ..PlanOptions::default() };
/// let select = Select::new("bpf_map_elem");
/// let mut rows = Walk::plan_with(&select, &kernel, Scope::Map(&map), &options)?.prepare()?.into_rows()?;
/// while let Some(row) = rows.next_row()? {
///     println!("{:?}", row.values().collect::<Vec<_>>());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MapElements {
    key_size: u32,
    value_size: u32,
    /// The map's BTF, and the ids of the key's and the value's type in it.
    types: Option<(Vec<u8>, TypeId, TypeId)>,
}

impl MapElements {
    /// Asks the kernel for the sizes and types. There are no types if the map was created without, nor for a per-CPU
    /// map, of which a walk shows the values of all CPUs.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`] if the kernel refuses the map's description, or its BTF, which needs `CAP_SYS_ADMIN`;
    /// [`Error::Open`] if /sys doesn't list the possible CPUs.
    pub fn of(map: &MapFd) -> Result<MapElements, Error> {
        let info = map.info()?;
        let per_cpu =
            [MapType::PERCPU_HASH, MapType::PERCPU_ARRAY, MapType::LRU_PERCPU_HASH].contains(&info.map_type);
        if per_cpu {
            let value_size = info.value_size.next_multiple_of(8).saturating_mul(possible_cpus()?);
            return Ok(MapElements { key_size: info.key_size, value_size, types: None });
        }
        let types = match (info.btf_id, info.btf_value_type_id) {
            (0, _) | (_, 0) => None,
            (id, value) => {
                let data = open_id::<BtfFd>(id)?.data()?;
                Some((data, TypeId(info.btf_key_type_id), TypeId(value)))
            }
        };
        Ok(MapElements { key_size: info.key_size, value_size: info.value_size, types })
    }

    /// The map's own types, to be passed to [`MapElements::elements`].
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the BTF is damaged.
    pub fn btf(&self) -> Result<Option<Btf<'_>>, Error> {
        Ok(self.types.as_ref().map(|(data, ..)| Btf::new(data)).transpose()?)
    }

    /// The option [`PlanOptions::elements`](crate::select::PlanOptions::elements).
    pub fn elements<'a>(&self, btf: Option<&'a Btf<'a>>) -> Elements<'a> {
        let types = self.types.as_ref().zip(btf);
        Elements {
            key_size: self.key_size,
            value_size: self.value_size,
            types: types.map(|(&(_, key, value), btf)| ElementTypes { btf, key, value }),
        }
    }
}

/// How many CPUs the kernel keeps values for.
fn possible_cpus() -> Result<u32, Error> {
    const PATH: &str = "/sys/devices/system/cpu/possible";
    let mut buf = [0; 256];
    let list = read(PATH, &mut buf).map_err(|source| Error::open(PATH.as_ref(), source))?;
    count(list).ok_or_else(|| Error::open(PATH.as_ref(), ErrorKind::InvalidData.into()))
}

/// How many numbers a list has, such as `0-3,8`.
fn count(list: &str) -> Option<u32> {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    };
    list.split(',').try_fold(0_u32, |sum, range| sum.checked_add(count(range)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_counted() {
        assert_eq!(["0", "0-1", "0-3,8", "0,2-4,9"].map(count), [1, 2, 5, 5].map(Some));
        assert_eq!(["", "3-0", "0-", "0-4294967295"].map(count), [None; 4]);
    }
}
