//! Types of a map's keys and values. The context's arguments are `void *`: only the map itself knows their types.

use alloc::string::String;
use alloc::vec::Vec;

use kwalk_btf::{Btf, Class, Error, Field, Path, TypeId};

/// How many columns the members of keys and values give at most, if a selection names no columns.
const COLUMNS_MAX: usize = 40;
/// How many levels of nested structs give columns.
const DEPTH_MAX: usize = 4;

/// The keys and values of the map that is walked.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    /// The size of a key, in bytes.
    pub key_size: u32,
    /// The size of a value as a walk shows it, in bytes. For a per-CPU map, it is that of all CPUs' values, each padded
    /// to a multiple of 8.
    pub value_size: u32,
    /// The types; `None` if the map was created without.
    pub types: Option<ElementTypes<'a>>,
    /// The values that `value` consists of, if the map has one for each CPU.
    pub per_cpu: Option<PerCpuValues>,
}

/// The values of a per-CPU map's element, one after the other, each padded to a multiple of 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerCpuValues {
    /// The number of values: one for each possible CPU.
    pub count: u32,
    /// The size of a value without its padding, in bytes.
    pub size: u32,
}

impl PerCpuValues {
    /// The distance from one value to the next, in bytes.
    pub(crate) fn stride(self) -> u32 {
        self.size.next_multiple_of(8)
    }
}

/// The types of a map's keys and values.
#[derive(Debug, Clone, Copy)]
pub struct ElementTypes<'a> {
    /// The BTF that the map was created with.
    pub btf: &'a Btf<'a>,
    /// The type of a key.
    pub key: TypeId,
    /// The type of a value.
    pub value: TypeId,
}

impl<'a> Elements<'a> {
    /// The size in bytes of a context argument: a key or a value.
    pub(crate) fn size(&self, argument: &str) -> Option<u32> {
        match argument {
            "key" => Some(self.key_size),
            "value" => Some(self.value_size),
            _ => None,
        }
    }

    fn ty(&self, argument: &str) -> Option<(&'a Btf<'a>, TypeId)> {
        let types = self.types?;
        match argument {
            "key" => Some((types.btf, types.key)),
            "value" => Some((types.btf, types.value)),
            _ => None,
        }
    }

    /// The BTF that describes the types along a path, if the path begins with a typed key or value.
    pub(crate) fn btf(&self, path: &str) -> Option<&'a Btf<'a>> {
        self.ty(self.cpu(first(path)).0).map(|(btf, _)| btf)
    }

    /// Resolves a path into a key or a value; `None` if the path begins with neither, or there are no types. In a per-CPU
    /// map, `value[1]` is the value of CPU 1.
    pub(crate) fn path(&self, path: &str) -> Option<Result<Path, Error>> {
        let (argument, before) = self.cpu(first(path));
        let (btf, ty) = self.ty(argument)?;
        let found = self.member(btf, ty, path.split_once('.').map_or("", |(_, rest)| rest));
        Some(found.and_then(|mut path| {
            path.field.offset = path.field.offset.checked_add(before).ok_or(Error::TooLarge { id: ty })?;
            Ok(path)
        }))
    }

    fn member(&self, btf: &Btf<'_>, ty: TypeId, rest: &str) -> Result<Path, Error> {
        if rest.is_empty() {
            return whole(btf, ty);
        }
        let path = btf.path(ty, rest)?;
        // A pointer stored in a map may point to any memory, so paths through it are refused.
        if path.hops.is_empty() { Ok(path) } else { Err(Error::Void) }
    }

    /// The argument that a path begins with, and the offset in it of the CPU's value that the path names.
    fn cpu<'p>(&self, argument: &'p str) -> (&'p str, u32) {
        let index = || {
            let values = self.per_cpu?;
            let digits = argument.strip_prefix("value[")?.strip_suffix(']')?;
            let cpu =
                digits.parse::<u32>().ok().filter(|cpu| !digits.starts_with('+') && *cpu < values.count)?;
            Some(("value", values.stride().checked_mul(cpu)?))
        };
        index().unwrap_or((argument, 0))
    }

    /// What a path leads to in each of the values of a per-CPU map's element: `value`, or a member of it. `None` if the
    /// path does not begin with the value, or the map has one value for all CPUs. Without types, it is the whole value.
    pub(crate) fn each(&self, path: &str) -> Option<Result<(PerCpuValues, Option<Field>), Error>> {
        let values = self.per_cpu.filter(|_| first(path) == "value")?;
        let rest = path.split_once('.').map_or("", |(_, rest)| rest);
        match self.ty("value") {
            Some((btf, ty)) => Some(self.member(btf, ty, rest).map(|path| (values, Some(path.field)))),
            None => rest.is_empty().then_some(Ok((values, None))),
        }
    }

    /// The default columns of a key or a value: its members that are numbers or texts, or else its bytes.
    pub(crate) fn columns(&self, argument: &str) -> Vec<String> {
        let mut columns = Vec::new();
        if let Some((btf, ty)) = self.ty(argument) {
            spread(btf, ty, argument, DEPTH_MAX, &mut columns);
        }
        if columns.is_empty() {
            columns.push(argument.into());
        }
        columns.truncate(COLUMNS_MAX);
        columns
    }
}

/// The first name of a path, with its index.
fn first(path: &str) -> &str {
    path.split_once('.').map_or(path, |(first, _)| first)
}

fn whole(btf: &Btf<'_>, ty: TypeId) -> Result<Path, Error> {
    let field = Field { offset: 0, size: btf.size_of(ty)?, class: btf.class(ty)?, bits: None, ty };
    Ok(Path { hops: Vec::new(), field })
}

fn spread(btf: &Btf<'_>, ty: TypeId, name: &str, depth: usize, columns: &mut Vec<String>) {
    match btf.class(ty) {
        Ok(Class::Struct) if depth > 0 && columns.len() < COLUMNS_MAX => {
            for member in btf.named_members(ty).unwrap_or_default() {
                spread(btf, member.type_id, &format!("{name}.{}", member.name), depth - 1, columns);
            }
        }
        Ok(Class::Struct | Class::Array { .. } | Class::Float) | Err(_) => {}
        Ok(_) => columns.push(name.into()),
    }
}
