//! Which bytes of a row each column gets.

use kwalk_btf::Class;

use super::columns::Show;
use super::condition::{Condition, Text, TextKind};
use super::emit::{Chunk, Column, ColumnKind, Kept, Rows, STACK};
use super::expr::Expr;
use super::number::{Node, Number};
use super::pattern::TEXT_MAX;
use super::place::Place;
use super::record::{At, ColumnInfo, Schema, Type};
use super::resolve::{IpPlace, Names, Value};

/// A column before it has its place.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) show: Show,
    pub(crate) value: Value,
    /// The number of the part of the selection that it is.
    pub(crate) part: u32,
}

/// What columns want that the condition finds on the way, as much as there is room for: what is kept, and so is there.
pub(crate) fn keep(condition: &Condition, columns: &mut [Planned], room: usize) -> Vec<Kept> {
    let (numbers, places) = condition.certain();
    let mut keep = Vec::new();
    let mut there = |place: &mut Place| {
        let is = |kept: &Kept| matches!(kept, Kept::Pointer(kept) if kept.beside(place));
        if !keep.iter().any(is) {
            let wanted = place.may_be_null() && places.iter().any(|found| found.beside(place));
            if !wanted || keep.len() >= room {
                return;
            }
            keep.push(Kept::Pointer(place.clone()));
        }
        place.there = true;
    };
    for column in columns.iter_mut() {
        match &mut column.value {
            Value::Number(number) => number.each_place(&mut there),
            Value::Pointer(place) | Value::Text(Text { place, kind: TextKind::Array }) => there(place),
            Value::Ip(ip) => {
                [&mut ip.family, &mut ip.v4, &mut ip.v6].into_iter().flatten().for_each(&mut there);
            }
            _ => {}
        }
    }
    // Of numbers, those that take longest to compute.
    let wanted =
        |column: &&Planned| matches!(&column.value, Value::Number(number) if numbers.contains(&number));
    let mut wanted: Vec<_> = columns.iter().filter(wanted).map(|column| &column.value).collect();
    wanted.sort_by_key(|value| matches!(value, Value::Number(Number { node: Node::Field(_), .. })));
    for value in wanted {
        if let (Value::Number(number), true) = (value, keep.len() < room) {
            if !number.may_be_null() {
                keep.push(Kept::Number(number.clone()));
            }
        }
    }
    keep
}

/// Lays columns out: in their order into chunks that fit the stack, in each chunk by their width.
pub(crate) fn layout(columns: Vec<Planned>, names: &Names<'_>) -> (Rows, Schema) {
    let (mut rows, mut schema) = (Rows::default(), Schema::default());
    // What is in the open chunk: the number of the column, its part's, and what it holds.
    let mut open: Vec<(usize, u32, ColumnKind)> = Vec::new();
    let (mut size, mut nullable) = (0, 0);
    for (nth, Planned { name, show, value, part, .. }) in columns.into_iter().enumerate() {
        let (ty, source) = (ty(&value, show, names), value.to_string());
        let mut at = At::Fixed(0, 0);
        match kind(value) {
            Err(text) => {
                at = At::Text(rows.texts.len());
                schema.texts.push(text.size());
                rows.texts.push((*text, part));
            }
            Ok(kind) => {
                let (bytes, null) = (kind.size(), usize::from(kind.may_be_null()));
                // With the word of bits; 32 columns have room in it.
                if size + bytes > STACK - 8 || nullable + null > 32 {
                    close(&mut rows, &mut schema, std::mem::take(&mut open));
                    (size, nullable) = (0, 0);
                }
                size += bytes;
                nullable += null;
                open.push((nth, part, kind));
            }
        }
        schema.columns.push(ColumnInfo { name, ty, show, source, at, null: None });
    }
    close(&mut rows, &mut schema, open);
    (rows, schema)
}

/// Gives the columns of a chunk their places.
fn close(rows: &mut Rows, schema: &mut Schema, mut open: Vec<(usize, u32, ColumnKind)>) {
    if open.is_empty() {
        return;
    }
    // Widest first, so that each is aligned without gaps.
    open.sort_by_key(|(.., kind)| std::cmp::Reverse(alignment(kind.size())));
    let mut chunk = Chunk::default();
    let word = open.iter().any(|(.., kind)| kind.may_be_null()).then(|| {
        let before = open.iter().filter(|(.., kind)| alignment(kind.size()) == 8);
        before.map(|(.., kind)| kind.size()).sum::<usize>()
    });
    let mut next_bit = 0;
    for (nth, part, kind) in open {
        // The word of bits comes before the other columns of four bytes.
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
        chunk.columns.push(Column { at, null, kind, part });
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

/// How a value is held; or, of a text behind a pointer or a very long one, where it is.
fn kind(value: Value) -> Result<ColumnKind, Box<Text>> {
    match value {
        Value::Number(Number { node: Node::Field(place), .. }) => Ok(ColumnKind::Field(*place)),
        Value::Number(number) => Ok(ColumnKind::Number(number)),
        Value::Pointer(place) => Ok(ColumnKind::Field(place)),
        Value::Text(Text { place, kind: TextKind::Array }) if place.field.size as usize <= TEXT_MAX => {
            Ok(ColumnKind::Text(place))
        }
        Value::Text(text) | Value::Stack(text) | Value::Bytes(text) => Err(text.into()),
        Value::Ip(ip) => Ok(match *ip {
            IpPlace { family: None, v4: Some(place), .. } => ColumnKind::Field(place),
            IpPlace { family: None, v6: Some(place), .. } => ColumnKind::Text(place),
            _ => ColumnKind::Ip(ip),
        }),
        // Refused before.
        Value::Literal(_) => Ok(ColumnKind::Number(Number::constant(0))),
    }
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
        Value::Number(number) => Type::Int { signed: !number.unsigned },
        Value::Pointer(_) => Type::Pointer,
        Value::Text(_) | Value::Literal(_) => Type::Text,
        Value::Ip(_) => Type::Ip,
        Value::Stack(_) => Type::Stack,
        Value::Bytes(_) => Type::Bytes,
    }
}
