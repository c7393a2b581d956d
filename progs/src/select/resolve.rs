//! Names to places: what each part of an expression means for one target of one kernel.

use std::collections::BTreeMap;

use kwalk_btf::{Btf, Class, Kind as BtfKind, Reason as PathReason, TypeId};

use super::columns::{NamedColumn, Show};
use super::condition::Text;
use super::number::Number;
use super::place::{Base, Place};
use super::span::Span;
use super::{Error, Kind, Reason};
use crate::target::{Available, Target};

/// What a name or an expression without comparisons stands for.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(Number),
    Text(Text),
    /// A pointer to anything but characters.
    Pointer(Place),
    /// A text that the user wrote.
    Literal(Vec<u8>),
}

impl Value {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::Number(_) => Kind::Number,
            Value::Text(_) | Value::Literal(_) => Kind::Text,
            Value::Pointer(_) => Kind::Pointer,
        }
    }
}

/// Looks names up.
pub(crate) struct Names<'a> {
    btf: &'a Btf<'a>,
    target: Available<'a>,
    /// Where the context has its object.
    object_at: u32,
    /// What has been looked up: most names stand in a column and a condition.
    known: BTreeMap<String, Place>,
    pub(crate) columns: &'static [NamedColumn],
    /// Whether a pointer is loaded through the object.
    pub(crate) follows: bool,
}

impl<'a> Names<'a> {
    /// For a target whose context is the struct `context`.
    pub(crate) fn new(
        btf: &'a Btf<'a>,
        target: &'static Target,
        context: TypeId,
    ) -> Result<Names<'a>, kwalk_btf::Error> {
        let object_at = btf.path(context, target.object)?.field.offset;
        let (columns, known) = (super::columns::of(target.name), BTreeMap::new());
        let target = Available { name: target.name, context, known: Some(target) };
        Ok(Names { btf, target, object_at, known, columns, follows: false })
    }

    /// The target's column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<&'static NamedColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Where the column or field is that the user calls `name`.
    pub(crate) fn place(&mut self, name: &str, span: Option<&Span>) -> Result<Place, Error> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let fail = |reason| Error::new(reason, span.cloned());
        let column = self.column(name);
        let own = [name];
        let paths = column.map_or(&own[..], |column| column.paths);
        let (mut found, mut spelled) = (Err(kwalk_btf::Error::Void), name);
        for path in paths {
            (found, spelled) = (self.path(path), path);
            if found.is_ok() {
                break;
            }
        }
        let (base, path) = found.map_err(|error| fail(self.unknown(name, error)))?;
        let pointer = matches!(path.field.class, Class::Ptr { .. });
        self.follows |= base == Base::Object && (pointer || !path.hops.is_empty());
        let swap = column.is_some_and(|column| column.show == Show::BigEndian)
            && cfg!(target_endian = "little")
            && path.field.size > 1;
        let hops = path.hops.iter().map(|hop| hop.offset).collect();
        let place = Place { base, hops, field: path.field, swap, name: name.into(), path: spelled.into() };
        self.known.insert(name.into(), place.clone());
        Ok(place)
    }

    /// A path from what is in a register.
    fn path(&self, path: &str) -> Result<(Base, kwalk_btf::Path), kwalk_btf::Error> {
        let mut found = self.target.path(self.btf, path)?;
        // The object is at hand already.
        let base = match found.hops.first() {
            Some(hop) if hop.offset == self.object_at => {
                found.hops.remove(0);
                Base::Object
            }
            _ => Base::Context,
        };
        Ok((base, found))
    }

    /// What to say of a name that leads nowhere.
    fn unknown(&self, name: &str, error: kwalk_btf::Error) -> Reason {
        let kwalk_btf::Error::Path { reason: PathReason::NoSuchMember { near }, .. } = &error else {
            return Reason::Field(error);
        };
        let mut all = kwalk_btf::near(name, self.columns.iter().map(|column| column.name));
        // Names near to the last step that could be made.
        let before = name.rfind('.').map_or("", |at| name.get(..=at).unwrap_or_default());
        for near in near.iter().map(|near| format!("{before}{near}")) {
            if !all.contains(&near) {
                all.push(near);
            }
        }
        Reason::Name { name: name.into(), near: all }
    }

    /// What the field there holds.
    pub(crate) fn value(&self, place: Place, span: Option<&Span>) -> Result<Value, Error> {
        let field = place.field;
        let bits = field.bits.map_or(field.size * 8, |bits| bits.width.into());
        let wrong = |is| {
            let what = place.name.clone();
            Err(Error::new(Reason::Kind { what, is, needs: "a number, a text or a pointer" }, span.cloned()))
        };
        let number = |place: Place, signed| match (bits, field.size) {
            (1..=64, 1 | 2 | 4 | 8) => Ok(Value::Number(Number::field(place, signed, bits))),
            _ => Err(Error::new(Reason::Unsupported("a number of this width"), span.cloned())),
        };
        match field.class {
            Class::Int { signed } | Class::Enum { signed } => number(place, signed),
            Class::Bool | Class::Char => number(place, false),
            Class::Text if field.size == 0 => {
                Err(Error::new(Reason::Unsupported("a text of unknown size"), span.cloned()))
            }
            Class::Text => Ok(Value::Text(Text { place, pointer: false })),
            Class::Ptr { pointee } if self.is_char(pointee) => Ok(Value::Text(Text { place, pointer: true })),
            Class::Ptr { .. } => Ok(Value::Pointer(place)),
            Class::Struct => wrong(Kind::Struct),
            Class::Array { .. } => wrong(Kind::Array),
            Class::Float => wrong(Kind::Float),
        }
    }

    fn is_char(&self, id: TypeId) -> bool {
        self.btf.get(id).is_ok_and(|ty| {
            // `unsigned char` is what the names of files are made of.
            let char = ["char", "unsigned char"].contains(&ty.name());
            ty.kind() == BtfKind::Int && ty.size() == Some(1) && char
        })
    }

    /// The names and values of an enum.
    pub(crate) fn enumerators(&self, place: &Place) -> Vec<(i128, String)> {
        if !matches!(place.field.class, Class::Enum { .. }) {
            return Vec::new();
        }
        let all = self.btf.enumerators(place.field.ty).into_iter().flatten().flatten();
        all.map(|one| (one.value, one.name.to_owned())).collect()
    }
}
