//! Common subexpressions: what the condition always reads and columns show stays in a register for the row.

use alloc::vec::Vec;

use crate::ir::Value;
use crate::ir::{Condition, Node, Number, Text, TextKind};
use crate::place::Place;
use crate::planned::Planned;

/// A value that the condition reads and columns use again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reused {
    /// The pointer on which a field's address is based. It is not NULL.
    Pointer(Place),
    /// A number.
    Number(Number),
}

/// Chooses the values that columns reuse, at most as many as there are registers. Fields of the columns that are based
/// on a reused pointer are marked as never NULL.
pub(crate) fn reused(condition: &Condition, columns: &mut [Planned], registers: usize) -> Vec<Reused> {
    let (numbers, places) = condition.operands_read();
    let mut reused = Vec::new();
    let mut reuse_pointer = |place: &mut Place| {
        let is = |reused: &Reused| matches!(reused, Reused::Pointer(other) if other.shares_base(place));
        if !reused.iter().any(is) {
            let is_read = place.may_be_null() && places.iter().any(|read| read.shares_base(place));
            if !is_read || reused.len() >= registers {
                return;
            }
            reused.push(Reused::Pointer(place.clone()));
        }
        place.never_null = true;
    };
    for column in columns.iter_mut() {
        match &mut column.value {
            Value::Number(number) => number.each_place(&mut reuse_pointer),
            Value::Pointer(place)
            | Value::Float(place)
            | Value::Text(Text { place, kind: TextKind::Array }) => reuse_pointer(place),
            Value::Ip(ip) => {
                let places = [&mut ip.family, &mut ip.v4, &mut ip.v6, &mut ip.device];
                places.into_iter().flatten().for_each(&mut reuse_pointer);
            }
            _ => {}
        }
    }
    let shared =
        |column: &&Planned| matches!(&column.value, Value::Number(number) if numbers.contains(&number));
    let mut shared: Vec<_> = columns.iter().filter(shared).map(|column| &column.value).collect();
    // The numbers that take longest to compute come first.
    shared.sort_by_key(|value| matches!(value, Value::Number(Number { node: Node::Field(_), .. })));
    for value in shared {
        if let (Value::Number(number), true) = (value, reused.len() < registers) {
            if !number.may_be_null() {
                reused.push(Reused::Number(number.clone()));
            }
        }
    }
    reused
}
