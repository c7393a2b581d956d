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

/// Chooses the values that columns reuse, at most as many as there are registers. Numbers come first, so that a row shows
/// those that its condition was true for; they are not NULL then. Fields of the columns that are based on a reused pointer
/// are marked as never NULL.
pub(crate) fn reused(condition: &Condition, columns: &mut [Planned], registers: usize) -> Vec<Reused> {
    let (numbers, places) = condition.operands_read();
    let mut reused: Vec<Reused> = Vec::new();
    let shared = columns.iter().filter_map(|column| match &column.value {
        Value::Number(number) if numbers.contains(&number) => Some(number),
        _ => None,
    });
    let mut shared: Vec<_> = shared.collect();
    // The numbers that take longest to compute come first, and before others those that may change between two looks at a
    // pointer.
    shared.sort_by_key(|number| (matches!(number.node, Node::Field(_)), !number.may_be_null()));
    for number in shared {
        let number = Reused::Number(number.clone());
        if reused.len() < registers && !reused.contains(&number) {
            reused.push(number);
        }
    }
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
    reused
}
