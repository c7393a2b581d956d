//! Types of a map's keys and values. The context's arguments are `void *`: only the map itself knows their types.

use alloc::string::String;
use alloc::vec::Vec;

use kwalk_btf::{Btf, Class, Error, Field, Path, Reason, SectionVar, TypeId, near};

/// How many columns the members of a key or a value give at most, if a selection names no columns. If there are more, the
/// last is the whole as bytes.
const COLUMNS_MAX: usize = 40;
/// How many levels of nested structs and arrays give columns.
const DEPTH_MAX: usize = 4;
/// An array of up to this many elements gives a column for each; a longer one, or one of bytes, is a column.
const ELEMENTS_MAX: u32 = 16;

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
        self.ty(first(path).0).map(|(btf, _)| btf)
    }

    /// Resolves a path into a key or a value; `None` if the path begins with neither, or there are no types. In a per-CPU
    /// map, `value[1]` is the value of CPU 1.
    pub(crate) fn path(&self, path: &str) -> Option<Result<Path, Error>> {
        let (argument, rest) = first(path);
        let (btf, ty) = self.ty(argument)?;
        let (before, rest) = self.cpu(argument, rest);
        let found = below(btf, ty, rest);
        Some(found.and_then(|mut path| {
            path.field.offset = path.field.offset.checked_add(before).ok_or(Error::TooLarge { id: ty })?;
            Ok(path)
        }))
    }

    /// The offset of the CPU's value that the rest of a path names first, and what follows it.
    fn cpu<'p>(&self, argument: &str, rest: &'p str) -> (u32, &'p str) {
        let index = || {
            let values = self.per_cpu.filter(|_| argument == "value")?;
            let (digits, below) = rest.strip_prefix('[')?.split_once(']')?;
            let cpu =
                digits.parse::<u32>().ok().filter(|cpu| !digits.starts_with('+') && *cpu < values.count)?;
            Some((values.stride().checked_mul(cpu)?, below.strip_prefix('.').unwrap_or(below)))
        };
        index().unwrap_or((0, rest))
    }

    /// The number of values that a per-CPU map's element has, if a path names a CPU beyond them, as `value[99]` does.
    pub(crate) fn lacks(&self, path: &str) -> Option<u32> {
        let (argument, rest) = first(path);
        let values = self.per_cpu.filter(|_| argument == "value")?;
        let (digits, _) = rest.strip_prefix('[')?.split_once(']')?;
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let is_there = digits.parse::<u32>().is_ok_and(|cpu| cpu < values.count);
        (is_number && !is_there).then_some(values.count)
    }

    /// What a path leads to in each of the values of a per-CPU map's element: `value`, or a member of it. `None` if the
    /// path does not begin with the value or names a CPU, or the map has one value for all CPUs. Without types, it is the
    /// whole value.
    pub(crate) fn each(&self, path: &str) -> Option<Result<(PerCpuValues, Option<Field>), Error>> {
        let (argument, rest) = first(path);
        let values = self.per_cpu.filter(|_| argument == "value" && !rest.starts_with('['))?;
        match self.ty("value") {
            Some((btf, ty)) => Some(below(btf, ty, rest).map(|path| (values, Some(path.field)))),
            None => rest.is_empty().then_some(Ok((values, None))),
        }
    }

    /// A column for each CPU, if this one is a bitfield that each CPU has: of those there are no lists.
    fn each_bitfield(&self, name: String) -> Vec<String> {
        match self.each(&name) {
            Some(Ok((values, Some(Field { bits: Some(_), .. })))) => {
                let (argument, rest) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
                (0..values.count).map(|cpu| format!("{argument}[{cpu}]{rest}")).take(COLUMNS_MAX).collect()
            }
            _ => vec![name],
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
        let mut columns: Vec<String> =
            columns.into_iter().flat_map(|name| self.each_bitfield(name)).collect();
        if columns.len() > COLUMNS_MAX {
            // What has no column of its own is among the bytes of the whole.
            columns.truncate(COLUMNS_MAX - 1);
            columns.push(argument.into());
        }
        columns
    }
}

/// Whether a field of an element is shown as its bytes: it has members, or is a number wider than those of programs.
pub(crate) fn is_bytes(field: &Field) -> bool {
    match field.class {
        Class::Struct | Class::Array { .. } => true,
        Class::Int { .. } | Class::Float => field.size > 8,
        _ => false,
    }
}

/// Splits a path behind its first name.
pub(crate) fn first(path: &str) -> (&str, &str) {
    let (first, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
    (first, rest.strip_prefix('.').unwrap_or(rest))
}

/// Resolves a path from an object of this type, or from a section with a program's variables.
fn below(btf: &Btf<'_>, ty: TypeId, path: &str) -> Result<Path, Error> {
    if path.is_empty() {
        return whole(btf, ty);
    }
    if let Ok(variables) = variables(btf, ty) {
        // The name of a variable may have a dot: that of a function, if it is static there.
        let rest = |name: &str| {
            let rest = path.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then(|| rest.strip_prefix('.').unwrap_or(rest))
        };
        let found = variables.iter().filter_map(|(name, var, ty)| Some((name.len(), var, *ty, rest(name)?)));
        let Some((_, var, ty, rest)) = found.max_by_key(|(len, ..)| *len) else {
            return Err(Error::Path {
                path: path.into(),
                at: 0,
                segment: first(path).0.into(),
                type_name: btf.get(ty)?.name().into(),
                reason: Reason::NoSuchMember {
                    near: near(first(path).0, variables.iter().map(|(name, ..)| *name)),
                },
            });
        };
        let mut found = below(btf, ty, rest)?;
        found.field.offset = found.field.offset.checked_add(var.offset).ok_or(Error::TooLarge { id: ty })?;
        return Ok(found);
    }
    match btf.path(ty, path)? {
        path if path.hops.is_empty() => Ok(path),
        // A pointer stored in a map may point to any memory, so paths through it are refused.
        _ => Err(Error::Void),
    }
}

/// The variables of a section (`.data`, `.bss`, `.rodata`), each with its name and type.
fn variables<'a>(btf: &Btf<'a>, section: TypeId) -> Result<Vec<(&'a str, SectionVar, TypeId)>, Error> {
    let found = btf.section_vars(section)?.filter_map(|var| {
        let variable = btf.get(var.type_id).ok()?;
        Some((variable.name(), var, variable.refers_to()?))
    });
    Ok(found.collect())
}

/// An object of this type as a whole.
pub(crate) fn whole(btf: &Btf<'_>, ty: TypeId) -> Result<Path, Error> {
    let field = Field { offset: 0, size: btf.size_of(ty)?, class: btf.class(ty)?, bits: None, ty };
    Ok(Path { hops: Vec::new(), field })
}

fn spread(btf: &Btf<'_>, ty: TypeId, name: &str, depth: usize, columns: &mut Vec<String>) {
    if columns.len() > COLUMNS_MAX {
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return columns.push(name.into()) };
    let size = |ty| btf.size_of(ty).unwrap_or(0);
    match btf.class(ty) {
        Ok(Class::Struct) => {
            for member in btf.named_members(ty).unwrap_or_default() {
                spread(btf, member.type_id, &format!("{name}.{}", member.name), depth, columns);
            }
        }
        Ok(Class::Array { element, len: len @ 1..=ELEMENTS_MAX }) if size(element) > 1 => {
            for index in 0..len {
                spread(btf, element, &format!("{name}[{index}]"), depth, columns);
            }
        }
        // A flexible array has none.
        Ok(Class::Array { .. }) if size(ty) == 0 => {}
        Ok(_) => columns.push(name.into()),
        Err(_) => {
            for (variable, _, ty) in variables(btf, ty).unwrap_or_default() {
                spread(btf, ty, &format!("{name}.{variable}"), depth, columns);
            }
        }
    }
}
