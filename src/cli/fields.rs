//! `kwalk fields`: lists the columns and fields of a target.

use std::process::ExitCode;

use crate::list::listed;
use crate::message::Failure;
use crate::output::print;
use crate::types::Types;
use kwalk::btf::{self, Array, Btf, Class, Enumerator, Field, Kind, Member, Type, TypeId};
use kwalk::print::table::Column;
use kwalk::progs::find;
use kwalk::select::{MapElements, NamedColumn, ResolvedName, Root, Show, resolved_name, resolved_target};
use kwalk::{Error, MapName, Scope};

/// The maximal number of fields: more than anybody reads, and a few megabytes.
const MOST: usize = 100_000;

pub(crate) fn fields(
    types: &Types,
    target: &str,
    path: Option<&str>,
    depth: u32,
    map: Option<&MapName>,
) -> Result<ExitCode, Failure> {
    let types = types.open()?;
    let btf = Btf::new(types.bytes())?;
    let kernel = types.kernel(&btf);
    let map = map.map(MapName::open).transpose()?;
    if let Some(map) = &map {
        Scope::Map(map).check(&find(&btf, target)?.target)?;
    }
    let elements = map.as_ref().map(MapElements::of).transpose()?;
    let map_btf = elements.as_ref().map(MapElements::btf).transpose()?.flatten();
    let elements = elements.as_ref().map(|elements| elements.elements(map_btf.as_ref()));
    let mut out = Vec::new();
    let Some(path) = path else {
        // They look up more than the target, in one pass over the types.
        let found = resolved_target(&kernel, target);
        let mut tree = Tree::new(&btf, depth);
        tree.members(0, 0, find(&btf, target)?.context)?;
        let found = found.map_err(Error::from)?;
        columns(&found.columns, &mut out);
        roots(found.roots, &mut out);
        let functions = found.functions.iter().map(|function| {
            vec![format!("{}({})", function.name, function.arguments.join(", ")), function.about.into()]
        });
        table(&["FUNCTION", "GIVES"], functions.collect(), &mut out);
        table(FIELD, tree.rows, &mut out);
        if let Some(types) = elements.and_then(|elements| elements.types) {
            let mut tree = Tree::new(types.btf, depth);
            tree.element("key", types.key)?;
            tree.element("value", types.value)?;
            table(&["ELEMENT", "OFFSET", "SIZE", "TYPE"], tree.rows, &mut out);
        }
        return print(&out);
    };
    let whole = elements.and_then(|elements| elements.types).and_then(|types| match path {
        // A map with variables has no type for its key.
        "key" if types.key != TypeId(0) => Some((types.btf, types.key)),
        "value" => Some((types.btf, types.value)),
        _ => None,
    });
    if let Some((btf, ty)) = whole {
        let mut tree = Tree::new(btf, depth);
        tree.element(path, ty)?;
        table(FIELD, tree.rows, &mut out);
        return print(&out);
    }
    let found = resolved_name(&kernel, target, elements, path);
    find(&btf, target)?;
    let ResolvedName { column, field, in_map } = found.map_err(Error::from)?;
    let mut tree = Tree::new(map_btf.as_ref().filter(|_| in_map).unwrap_or(&btf), depth);
    columns(column.as_slice(), &mut out);
    if let Some((NamedColumn { show: Show::Names(names), .. }, _)) = column {
        let names = names.iter().map(|(value, name)| vec![(*name).into(), value.to_string()]);
        table(&["NAME", "VALUE"], names.collect(), &mut out);
    }
    if let Some((path, Field { offset, ty, class, bits, .. })) = field {
        let (bit, width) = bits.map_or((0, 0), |bits| (bits.offset, bits.width));
        tree.field(0, &path, &Place { bit: u64::from(offset) * 8 + u64::from(bit), width }, ty)?;
        if matches!(class, Class::Enum { .. }) && depth > 0 {
            tree.enumerators(1, ty)?;
        }
    }
    table(FIELD, tree.rows, &mut out);
    print(&out)
}

const FIELD: &[&str] = &["FIELD", "OFFSET", "SIZE", "TYPE"];

/// Appends a table, if it has rows; an empty line is between two of them.
fn table(heading: &[&str], rows: Vec<Vec<String>>, out: &mut Vec<u8>) {
    if rows.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push(b'\n');
    }
    listed(heading.iter().map(|name| Column::text(name)).collect(), rows, out);
}

/// Lists named columns, each with how it is computed on this kernel.
fn columns(columns: &[(&NamedColumn, String)], out: &mut Vec<u8>) {
    let has_units = columns.iter().any(|(column, _)| !column.unit.is_empty());
    let unit = |unit: &'static str| has_units.then_some(unit);
    let rows = columns.iter().map(|(column, what)| {
        let texts = [Some(column.name), unit(column.unit), Some(column.meaning), Some(what)];
        texts.into_iter().flatten().map(String::from).collect()
    });
    let heading = [Some("COLUMN"), unit("UNIT"), Some("MEANING"), Some("WHAT")];
    table(&heading.into_iter().flatten().collect::<Vec<_>>(), rows.collect(), out);
}

/// Lists what paths can begin with beside the arguments and fields.
fn roots(roots: Vec<Root>, out: &mut Vec<u8>) {
    let rows = roots.into_iter().map(|Root { name, ty, what, since }| {
        let since = since.map_or("-".into(), |(major, minor)| format!("{major}.{minor}"));
        vec![name.into(), format!("struct {ty} *"), since, what]
    });
    table(&["ROOT", "TYPE", "SINCE", "IS"], rows.collect(), out);
}

/// The offset of a field in bits, from the object that the nearest pointer above points to.
struct Place {
    bit: u64,
    /// The width of a bitfield in bits; 0 for other fields.
    width: u8,
}

/// The rows so far.
struct Tree<'b, 'a> {
    btf: &'b Btf<'a>,
    rows: Vec<Vec<String>>,
    depth: u32,
    /// The structs whose members are being listed, to stop at recursive types.
    open: Vec<TypeId>,
}

impl<'b, 'a> Tree<'b, 'a> {
    fn new(btf: &'b Btf<'a>, depth: u32) -> Tree<'b, 'a> {
        Tree { btf, rows: Vec::new(), depth, open: Vec::new() }
    }

    /// Adds a map's key or value. If the value has a program's variables, they are below it.
    fn element(&mut self, name: &str, ty: TypeId) -> Result<(), Failure> {
        let variables = match self.btf.get(ty) {
            Err(btf::Error::Void) => return Ok(()),
            Ok(section) if section.kind() == Kind::Datasec => self.btf.section_vars(ty)?,
            _ => return self.field(0, name, &Place { bit: 0, width: 0 }, ty),
        };
        let section = self.btf.get(ty)?;
        self.row(0, name, [0.to_string(), self.btf.size_of(ty)?.to_string(), section.name().into()])?;
        for var in variables.take_while(|_| self.depth > 0).collect::<Vec<_>>() {
            let variable = self.btf.get(var.type_id)?;
            if let Some(ty) = variable.refers_to() {
                self.field(1, variable.name(), &Place { bit: u64::from(var.offset) * 8, width: 0 }, ty)?;
            }
        }
        Ok(())
    }

    /// Adds a field and its descendants.
    fn field(&mut self, level: u32, name: &str, place: &Place, ty: TypeId) -> Result<(), Failure> {
        let mut spelling = self.btf.spelling(ty)?;
        let size = match place.width {
            0 => self.btf.size_of(ty)?.to_string(),
            width => {
                spelling += &format!(":{width}");
                extent(width.into())
            }
        };
        self.row(level, name, [extent(place.bit), size, spelling])?;
        if level < self.depth { self.below(level + 1, place.bit, ty) } else { Ok(()) }
    }

    /// Adds the descendants of a field of this type at the offset `bit`.
    fn below(&mut self, level: u32, bit: u64, ty: TypeId) -> Result<(), Failure> {
        let array = self.behind(ty)?.and_then(|ty| ty.array());
        match array {
            Some(Array { element, .. }) if self.holder(element)?.is_some() => {
                self.field(level, "[0]", &Place { bit, width: 0 }, element)
            }
            Some(_) => Ok(()),
            None => match self.holder(ty)? {
                Some((holder, true)) => self.members(level, 0, holder),
                Some((holder, false)) => self.members(level, bit, holder),
                None => Ok(()),
            },
        }
    }

    /// Adds the members of a struct or union at the offset `base`, and their descendants.
    fn members(&mut self, level: u32, base: u64, holder: TypeId) -> Result<(), Failure> {
        if self.open.contains(&holder) {
            return Ok(());
        }
        self.open.push(holder);
        for Member { name, type_id, bit_offset, bitfield_width } in self.btf.named_members(holder)? {
            let place = Place { bit: base.saturating_add(bit_offset.into()), width: bitfield_width };
            self.field(level, name, &place, type_id)?;
        }
        self.open.pop();
        Ok(())
    }

    /// Adds the names of an enum.
    fn enumerators(&mut self, level: u32, ty: TypeId) -> Result<(), Failure> {
        for enumerator in self.btf.enumerators(ty)? {
            let Enumerator { name, value } = enumerator?;
            self.row(level, &format!("{name} = {value}"), Default::default())?;
        }
        Ok(())
    }

    fn row(&mut self, level: u32, name: &str, rest: [String; 3]) -> Result<(), Failure> {
        if self.rows.len() == MOST {
            return Err(Failure::usage(format!(
                "--depth {}: more than {MOST} fields; ask for fewer levels, or for what lies below one of them",
                self.depth
            )));
        }
        let indented = format!("{:width$}{name}", "", width = 2 * level as usize);
        self.rows.push([indented].into_iter().chain(rest).collect());
        Ok(())
    }

    /// The struct or union whose members a path can go on with, and whether a pointer leads there.
    fn holder(&self, ty: TypeId) -> Result<Option<(TypeId, bool)>, Error> {
        let mut ty = self.behind(ty)?;
        let pointee = ty.and_then(|ty| ty.refers_to().filter(|_| ty.kind() == Kind::Ptr));
        if let Some(pointee) = pointee {
            ty = self.behind(pointee)?;
        }
        let holder = ty.filter(|ty| matches!(ty.kind(), Kind::Struct | Kind::Union));
        Ok(holder.map(|holder| (holder.id, pointee.is_some())))
    }

    /// The type behind typedefs and qualifiers, unless it is `void`.
    fn behind(&self, ty: TypeId) -> Result<Option<Type<'_>>, Error> {
        match self.btf.resolve(ty) {
            Ok((_, ty)) => Ok(Some(ty)),
            Err(btf::Error::Void) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Formats a number of bits as bytes, or as `bytes:bits`.
fn extent(bits: u64) -> String {
    match (bits / 8, bits % 8) {
        (bytes, 0) => bytes.to_string(),
        (bytes, bits) => format!("{bytes}:{bits}"),
    }
}
