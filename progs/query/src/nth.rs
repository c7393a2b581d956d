//! Objects with several rows: a walk shows one row of each object, and another walk the next one.

/// Which of its rows a walk shows of each object: a program reads the number from the only element of a map
/// ([`Plan::row`](crate::Plan::row)). A zeroed element means the first.
///
/// So a route to a group of next hops has a row for each of them, with a program without a loop, and most walks are a
/// single one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NthRow(pub u64);

/// The offset of the flag that says that an object has more rows.
pub(crate) const MORE: i32 = 8;

impl NthRow {
    /// The size of the map's element, in bytes.
    pub const SIZE: usize = 16;

    /// The value to store in the map's element before a walk.
    pub fn value(self) -> [u8; NthRow::SIZE] {
        let mut value = [0; NthRow::SIZE];
        value.iter_mut().zip(self.0.to_ne_bytes()).for_each(|(to, from)| *to = from);
        value
    }

    /// The row after this one, if the walk that left this value in the map's element has seen an object that has one.
    pub fn next(self, value: &[u8; NthRow::SIZE]) -> Option<NthRow> {
        let has_more = value.iter().skip(MORE as usize).any(|byte| *byte != 0);
        has_more.then(|| self.0.checked_add(1).map(NthRow)).flatten()
    }
}
