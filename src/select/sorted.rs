//! Sorts rows.

use std::borrow::Borrow;
use std::cmp::Ordering;

use kwalk_query::{Order, Row, Schema, Value};

/// With a limit, at least this many rows are collected before those beyond it are dropped.
const COLLECTED_MIN: usize = 1024;

/// Collects rows, and returns all of them, or the first ones, in an order.
///
/// Numbers and enum values are sorted as numbers, texts byte by byte; NULL comes last. Equal rows stay in the order in
/// which they were added.
#[derive(Debug)]
pub struct Sorted {
    schema: Schema,
    order: Vec<Order>,
    limit: usize,
    bytes: Vec<u8>,
    /// The number of rows in `bytes`.
    count: usize,
    /// After rows were dropped: where the last row within the limit begins. Rows that would come after it are not
    /// collected.
    last: Option<usize>,
}

impl Sorted {
    /// Collects rows of this schema; with a limit, only the first `limit` rows in the order are kept. At most twice as
    /// many rows are in memory, or 1,024 if that is more.
    pub fn new(schema: Schema, order: Vec<Order>, limit: Option<u64>) -> Sorted {
        let limit = limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX);
        Sorted { schema, order, limit, bytes: Vec::new(), count: 0, last: None }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &Row<'_>) {
        let last = self.last.and_then(|at| self.row(at, &self.schema));
        // Of equal rows, the one that was added first comes first.
        if last.is_some_and(|last| self.compare(self.key(row), self.key(&last)).is_ge()) {
            return;
        }
        self.bytes.extend_from_slice(row.bytes());
        self.count += 1;
        if self.count >= self.limit.saturating_mul(2).max(COLLECTED_MIN) {
            self.drop_rest();
        }
    }

    /// The rows in order, decoded with `schema`: the schema of the rows, or one with fewer of their columns.
    pub fn rows<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = Row<'a>> {
        self.first().into_iter().filter_map(|at| self.row(at, schema))
    }

    /// Drops the rows beyond the limit, and sorts the others.
    fn drop_rest(&mut self) {
        let (mut bytes, mut count, mut last) = (Vec::new(), 0, None);
        for row in self.rows(&self.schema) {
            last = Some(bytes.len());
            bytes.extend_from_slice(row.bytes());
            count += 1;
        }
        (self.bytes, self.count, self.last) = (bytes, count, last);
    }

    /// The positions of the rows within the limit, in order.
    fn first(&self) -> Vec<usize> {
        let (mut starts, mut keys, mut at) = (Vec::new(), Vec::new(), 0);
        // Rows were added whole, so only the end of `bytes` ends the loop.
        while let Some(row) = self.row(at, &self.schema) {
            keys.extend(self.key(&row));
            starts.push(at);
            at += row.bytes().len();
        }
        let width = self.order.len();
        let key = |nth: usize| keys.get(nth * width..).unwrap_or_default().iter();
        let mut rows: Vec<usize> = (0..starts.len()).collect();
        rows.sort_by(|left, right| self.compare(key(*left), key(*right)));
        rows.into_iter().take(self.limit).filter_map(|nth| starts.get(nth).copied()).collect()
    }

    fn row<'a>(&'a self, at: usize, schema: &'a Schema) -> Option<Row<'a>> {
        let (row, len) = schema.row(self.bytes.get(at..)?).ok()??;
        (len > 0).then_some(row)
    }

    /// The values that a row is sorted by.
    fn key<'a>(&'a self, row: &Row<'a>) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let row = *row;
        self.order.iter().map(move |order| row.get(order.column))
    }

    fn compare<'a, V: Borrow<Value<'a>>>(
        &self,
        left: impl Iterator<Item = V>,
        right: impl Iterator<Item = V>,
    ) -> Ordering {
        let sides = left.zip(right).zip(&self.order);
        let mut unequal =
            sides.map(|((left, right), order)| compare(left.borrow(), right.borrow(), order.descending));
        unequal.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn compare(left: &Value<'_>, right: &Value<'_>, descending: bool) -> Ordering {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => (*left == Value::Null).cmp(&(*right == Value::Null)),
        _ if descending => right.order(left),
        _ => left.order(right),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A schema with a column of signed numbers that can be NULL, and one of unsigned numbers.
    fn schema() -> Schema {
        // When the kernel was booted, the size before the texts, the number of texts, the number of columns.
        let mut bytes = 0_i64.to_ne_bytes().to_vec();
        bytes.extend([12, 0, 2].map(u32::to_ne_bytes).concat());
        for (signed, at, null) in [(1, 4, 1), (0, 8, 0)] {
            // An empty name and source, the type, how it is shown, the offset, the size, the word with the NULL bit and
            // its mask.
            bytes.extend([0, 0].map(u32::to_ne_bytes).concat());
            bytes.extend([signed, 0]);
            bytes.extend([at, 4, 0, null].map(u32::to_ne_bytes).concat());
        }
        Schema::decode(&bytes).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_first_rows_are_those_of_a_stable_sort(
            values in prop::collection::vec(prop::option::weighted(0.9, -50..50i32), 0..6000),
            limit in prop::option::of(0..1500u64),
            descending: bool,
        ) {
            let schema = schema();
            let mut sorted = Sorted::new(schema.clone(), vec![Order { column: 0, descending }], limit);
            let limit = limit.map_or(usize::MAX, |limit| limit as usize);
            let mut most = 0;
            for (nth, value) in values.iter().enumerate() {
                let null = u32::from(value.is_none()).to_ne_bytes();
                let row = [null, value.unwrap_or(7).to_ne_bytes(), (nth as u32).to_ne_bytes()].concat();
                sorted.push(&schema.row(&row).unwrap().unwrap().0);
                most = most.max(sorted.bytes.len() / row.len());
            }
            prop_assert!(most <= limit.saturating_mul(2).max(COLLECTED_MIN), "{most} rows collected");
            let mut wanted: Vec<_> = (0..values.len()).collect();
            wanted.sort_by_key(|nth| {
                let value = values[*nth].map(i64::from);
                (value.is_none(), value.map(|value| if descending { -value } else { value }))
            });
            wanted.truncate(limit);
            let given: Vec<_> = sorted.rows(&schema).map(|row| row.get(1)).collect();
            prop_assert_eq!(given, wanted.into_iter().map(|nth| Value::Uint(nth as u64)).collect::<Vec<_>>());
        }
    }
}
