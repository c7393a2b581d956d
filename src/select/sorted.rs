//! Rows in an order.

use std::cmp::Ordering;

use kwalk_query::{Order, Row, Schema, Value};

/// Keeps rows, to give them in an order.
///
/// Numbers are in the order of numbers, values of enums too; texts in that of their bytes; what is NULL comes last. Rows
/// that are equal stay in the order in which they came.
#[derive(Debug)]
pub struct Sorted {
    schema: Schema,
    order: Vec<Order>,
    bytes: Vec<u8>,
}

impl Sorted {
    /// Of rows of this schema.
    pub fn new(schema: Schema, order: Vec<Order>) -> Sorted {
        Sorted { schema, order, bytes: Vec::new() }
    }

    /// Keeps one more.
    pub fn push(&mut self, row: &Row<'_>) {
        self.bytes.extend_from_slice(row.bytes());
    }

    /// All of them in order, as rows of `schema`: that of the rows, or one with fewer of their columns.
    pub fn rows<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = Row<'a>> {
        let mut keys: Vec<Value<'a>> = Vec::new();
        let (mut starts, mut at) = (Vec::new(), 0);
        let from = |at: usize| self.bytes.get(at..).unwrap_or_default();
        // The rows are as they were given: there is no other end than the last.
        while let Ok(Some((row, len @ 1..))) = self.schema.row(from(at)) {
            keys.extend(self.order.iter().map(|order| row.get(order.column)));
            starts.push(at);
            at += len;
        }
        let mut rows: Vec<usize> = (0..starts.len()).collect();
        let width = self.order.len();
        let key = |row: usize| keys.get(row * width..).unwrap_or_default();
        rows.sort_by(|left, right| {
            let sides = key(*left).iter().zip(key(*right)).zip(&self.order);
            let mut unequal = sides.map(|((left, right), order)| compare(*left, *right, order.descending));
            unequal.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        });
        rows.into_iter().filter_map(move |row| Some(schema.row(from(*starts.get(row)?)).ok()??.0))
    }
}

fn compare(left: Value<'_>, right: Value<'_>, descending: bool) -> Ordering {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => (left == Value::Null).cmp(&(right == Value::Null)),
        _ if descending => right.order(&left),
        _ => left.order(&right),
    }
}
