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
    /// The types; `None` if the map was created without, or has a value for each CPU.
    pub types: Option<ElementTypes<'a>>,
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
        self.ty(path.split_once('.').map_or(path, |(first, _)| first)).map(|(btf, _)| btf)
    }

    /// Resolves a path into a key or a value; `None` if the path begins with neither, or there are no types.
    pub(crate) fn path(&self, path: &str) -> Option<Result<Path, Error>> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let (btf, ty) = self.ty(first)?;
        Some(match rest {
            "" => whole(btf, ty),
            _ => btf.path(ty, rest).and_then(|path| match path.hops.is_empty() {
                true => Ok(path),
                // A pointer stored in a map may point to any memory, so paths through it are refused.
                false => Err(Error::Void),
            }),
        })
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

/// An object of this type as a whole.
pub(crate) fn whole(btf: &Btf<'_>, ty: TypeId) -> Result<Path, Error> {
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
