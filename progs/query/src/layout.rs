//! The layout of a row: which bytes each column gets.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use kwalk_btf::{Class, Field};

use crate::columns::Show;
use crate::completion::Fill;
use crate::elements::{PerCpuValues, is_bytes};
use crate::emit::{Chunk, Column, ColumnKind, Rows};
use crate::ir::{IpPlace, Value};
use crate::ir::{Node, Number, Text, TextKind};
use crate::limits::{FILLED_MAX, STACK, TEXT_MAX};
use crate::place::Place;
use crate::planned::Planned;
use crate::record::{At, ColumnInfo, Schema};
use crate::resolve::Names;
use crate::value::Type;

/// Distributes columns to chunks that fit the stack, in their order; within a chunk, the widest come first. What user
/// space fills in, each of `fills`, comes after all that the program writes.
pub(crate) fn layout(columns: Vec<Planned>, names: &Names<'_>, fills: &[Fill]) -> (Rows, Schema) {
    let booted = names.kernel.booted;
    let (mut rows, mut schema) = (Rows::default(), Schema { booted, ..Schema::default() });
    let mut filled = Vec::new();
    // The columns of the open chunk: the column's number, its fragment's number, and its kind.
    let mut open: Vec<(usize, u32, ColumnKind)> = Vec::new();
    let (mut size, mut nullable) = (0, 0);
    for (nth, Planned { name, show, value, fragment, .. }) in columns.into_iter().enumerate() {
        let (ty, source) = (ty(&value, show, names), value.to_string());
        let mut at = At::Fixed(0, 0);
        match kind(value) {
            Part::Filled(fill) => filled.push((nth, fill)),
            Part::Text(text) => {
                // Read twice, a text could change in between; and what each CPU has of several members is in the same
                // bytes.
                let same = rows.texts.iter().position(|(known, _)| *known == *text);
                at = At::Text(same.unwrap_or(rows.texts.len()));
                if same.is_none() {
                    schema.texts.push(text.size());
                    rows.texts.push((*text, fragment));
                }
            }
            Part::Fixed(kind) => {
                let (bytes, null) = (kind.size(), usize::from(kind.may_be_null()));
                if !fits(size + bytes, nullable + null) {
                    close(&mut rows, &mut schema, core::mem::take(&mut open));
                    (size, nullable) = (0, 0);
                }
                size += bytes;
                nullable += null;
                open.push((nth, fragment, kind));
            }
        }
        schema.columns.push(ColumnInfo { name, ty, show, source, at, null: None });
    }
    close(&mut rows, &mut schema, open);
    for (nth, fill) in filled {
        let place = fills.iter().position(|known| *known == fill);
        if let (Some(place), Some(column)) = (place, schema.columns.get_mut(nth)) {
            column.at = At::Text(rows.texts.len() + place);
        }
    }
    schema.texts.extend(fills.iter().map(|_| FILLED_MAX));
    (rows, schema)
}

/// An upper bound of the number of chunks. Columns that turn out never to be NULL may take less room.
pub(crate) fn chunks(columns: &[Planned]) -> usize {
    let kinds = columns.iter().filter_map(|column| match kind(column.value.clone()) {
        Part::Fixed(kind) => Some(kind),
        Part::Text(_) | Part::Filled(_) => None,
    });
    let (mut chunks, mut size, mut nullable) = (0, 0, 0);
    for kind in kinds {
        let (bytes, null) = (kind.size(), usize::from(kind.may_be_null()));
        if chunks == 0 || !fits(size + bytes, nullable + null) {
            (chunks, size, nullable) = (chunks + 1, 0, 0);
        }
        size += bytes;
        nullable += null;
    }
    chunks
}

/// Whether columns with `size` bytes, `nullable` of which can be NULL, fit one chunk: the stack must hold them and the
/// word of 32 NULL bits.
fn fits(size: usize, nullable: usize) -> bool {
    size <= STACK - 8 && nullable <= 32
}

/// Assigns offsets to the columns of a chunk.
fn close(rows: &mut Rows, schema: &mut Schema, mut open: Vec<(usize, u32, ColumnKind)>) {
    if open.is_empty() {
        return;
    }
    // The widest come first, so that each is aligned without gaps.
    open.sort_by_key(|(.., kind)| core::cmp::Reverse(alignment(kind.size())));
    let mut chunk = Chunk::default();
    let word = open.iter().any(|(.., kind)| kind.may_be_null()).then(|| {
        let before = open.iter().filter(|(.., kind)| alignment(kind.size()) == 8);
        before.map(|(.., kind)| kind.size()).sum::<usize>()
    });
    let mut next_bit = 0;
    for (nth, fragment, kind) in open {
        // The word with the NULL bits comes before the other columns of 4 bytes.
        if word == Some(chunk.size) && chunk.nulls.is_none() {
            chunk.nulls = Some((chunk.size, 0));
            chunk.size += 4;
        }
        let null = kind.may_be_null().then(|| {
            next_bit += 1;
            1 << (next_bit - 1)
        });
        let at = chunk.size;
        chunk.size += kind.size();
        if let Some(column) = schema.columns.get_mut(nth) {
            column.at = At::Fixed(schema.fixed + at, kind.size());
            column.null = null.zip(word).map(|(bit, word)| (schema.fixed + word, bit));
        }
        chunk.columns.push(Column { at, null, kind, fragment });
    }
    if let Some(at) = word {
        if chunk.nulls.is_none() {
            chunk.size += 4;
        }
        let bits = chunk.columns.iter().filter_map(|column| column.null).fold(0, |all, bit| all | bit);
        chunk.nulls = Some((at, bits));
    }
    schema.fixed += chunk.size;
    rows.chunks.push(chunk);
}

fn alignment(size: usize) -> usize {
    [8, 4, 2].into_iter().find(|wide| size % wide == 0).unwrap_or(1)
}

/// Where a column's value is.
enum Part {
    /// In a chunk.
    Fixed(ColumnKind),
    /// After the chunks: it has a variable size.
    Text(Box<Text>),
    /// After all that the program writes.
    Filled(Fill),
}

fn kind(value: Value) -> Part {
    Part::Fixed(match value {
        Value::Number(Number { node: Node::Field(place), .. }) => ColumnKind::Field(*place),
        Value::Number(number) => ColumnKind::Number(number),
        Value::Pointer(place) | Value::Float(place) => ColumnKind::Field(place),
        Value::Text(text) if is_fixed(&text) => ColumnKind::Text(text.place),
        Value::Text(text) | Value::Stack(text) | Value::Bytes(text) | Value::List(text, ..) => {
            return Part::Text(text.into());
        }
        Value::Ip(ip) => match *ip {
            IpPlace { family: None, v4: Some(place), .. } => ColumnKind::Field(place),
            IpPlace { family: None, v6: Some(place), .. } => ColumnKind::Text(place),
            _ => ColumnKind::Ip(ip),
        },
        // The planner has refused literals.
        Value::Literal(_) => ColumnKind::Number(Number::constant(0)),
        Value::Filled(fill) => return Part::Filled(fill),
    })
}

/// Whether a text is shown with the fixed size of its array.
pub(crate) fn is_fixed(text: &Text) -> bool {
    text.kind == TextKind::Array && text.place.field.size as usize <= TEXT_MAX
}

fn field_class(number: &Number) -> Option<Class> {
    number.only_field().map(|place| place.field.class)
}

fn ty(value: &Value, show: Show, names: &Names<'_>) -> Type {
    if show == Show::Char {
        return Type::Text;
    }
    if let (Value::Number(number), Show::Names(names)) = (value, show) {
        let names = names.iter().map(|(value, name)| (*value, (*name).to_owned())).collect();
        return Type::Enum { signed: number.min < 0, names };
    }
    let field = |place: &Place| match place.field.class {
        Class::Bool => Type::Bool,
        Class::Enum { signed } => Type::Enum { signed, names: names.enumerators(place) },
        Class::Int { signed } => Type::Int { signed },
        _ => Type::Int { signed: false },
    };
    match value {
        Value::Number(Number { node: Node::Field(place), .. }) => field(place),
        Value::Number(number) if matches!(field_class(number), Some(Class::Enum { .. })) => {
            number.only_field().map_or(Type::Int { signed: true }, field)
        }
        Value::Number(number) => Type::Int { signed: !number.unsigned },
        Value::Pointer(_) => Type::Pointer,
        Value::Float(_) => Type::Float,
        Value::Text(_) | Value::Literal(_) => Type::Text,
        Value::Ip(_) => Type::Ip,
        Value::Stack(_) => Type::Stack,
        Value::Bytes(_) => Type::Bytes,
        Value::Filled(Fill::Arguments) => Type::Texts,
        Value::Filled(Fill::Argument(_)) => Type::Text,
        Value::Filled(Fill::Number { unsigned, .. }) => Type::Int { signed: !unsigned },
        Value::List(text, values, field) => list(text, *values, field.as_ref(), names),
    }
}

/// The type of what each CPU has of a per-CPU map's value.
fn list(text: &Text, values: PerCpuValues, field: Option<&Field>, names: &Names<'_>) -> Type {
    let (offset, size) = field.map_or((0, values.size), |field| (field.offset, field.size));
    let of = match field.map(|field| field.class) {
        _ if field.is_none_or(is_bytes) => Type::Bytes,
        Some(Class::Int { signed }) => Type::Int { signed },
        Some(Class::Char) => Type::Int { signed: false },
        Some(Class::Bool) => Type::Bool,
        Some(Class::Enum { signed }) => {
            let names = field.map_or(Vec::new(), |field| names.enumerators_of(&text.place.path, field));
            Type::Enum { signed, names }
        }
        Some(Class::Ptr { .. }) => Type::Pointer,
        Some(Class::Text) => Type::Text,
        Some(Class::Float) => Type::Float,
        Some(Class::Struct | Class::Array { .. }) | None => Type::Bytes,
    };
    let stride = values.stride() as usize;
    Type::List { of: Box::new(of), offset: offset as usize, size: size as usize, stride }
}
