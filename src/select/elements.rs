//! The sizes and types of a map's keys and values, from the kernel and the map's BTF.

use kwalk_btf::{Btf, TypeId};
use kwalk_query::{ElementTypes, Elements, PerCpuValues};

use super::facts::possible_cpus;
use crate::error::Error;
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
    per_cpu: Option<PerCpuValues>,
    /// The map's BTF, and the ids of the key's and the value's type in it.
    types: Option<(Vec<u8>, TypeId, TypeId)>,
}

impl MapElements {
    /// Asks the kernel for the sizes and types. There are no types if the map was created without.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`] if the kernel refuses the map's description, or its BTF, which needs `CAP_SYS_ADMIN`;
    /// [`Error::Open`] if /sys doesn't list the possible CPUs.
    pub fn of(map: &MapFd) -> Result<MapElements, Error> {
        let info = map.info()?;
        let per_cpu =
            [MapType::PERCPU_HASH, MapType::PERCPU_ARRAY, MapType::LRU_PERCPU_HASH].contains(&info.map_type);
        let per_cpu = match per_cpu {
            true => Some(PerCpuValues { count: possible_cpus()?.0, size: info.value_size }),
            false => None,
        };
        let value_size = per_cpu.map_or(info.value_size, |values| {
            info.value_size.next_multiple_of(8).saturating_mul(values.count)
        });
        let types = match (info.btf_id, info.btf_value_type_id) {
            (0, _) | (_, 0) => None,
            (id, value) => {
                let data = open_id::<BtfFd>(id)?.data()?;
                Some((data, TypeId(info.btf_key_type_id), TypeId(value)))
            }
        };
        Ok(MapElements { key_size: info.key_size, value_size, per_cpu, types })
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
            per_cpu: self.per_cpu,
            types: types.map(|(&(_, key, value), btf)| ElementTypes { btf, key, value }),
        }
    }
}
