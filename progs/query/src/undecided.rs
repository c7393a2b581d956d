//! What a condition can't decide, because a program can't look at the whole of a text.

use alloc::vec::Vec;

/// Where a program counts the objects for which a condition of the question could not be decided, and why that can
/// happen. Such an object is not shown; if the condition is a part of a column, the column is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The index of the program's map whose only element begins with the count, in 8 bytes.
    pub map: u32,
    /// The bounds that the texts of these objects exceed: one of these, or several.
    pub bounds: Vec<Bound>,
}

/// A bound beyond which a program can't look at a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// A path that is assembled from the names of a tree, such as that of a cgroup: it has more than 4,095 bytes; or on
    /// kernels before 6.4 and without a JIT, more than 255 levels.
    Path,
    /// `LIKE '%…'` and `LIKE '%…%'` for arguments that a program copies: they have 4,098 bytes or more.
    Arguments,
    /// `LIKE '%…%'` on kernels before 6.4 and without a JIT: the text has more than 2,000 bytes, and the first ones don't
    /// match.
    Search,
    /// `LIKE '%…'` and `LIKE '%…%'` for a text behind a pointer, or in an array of 256 bytes and more: it has 255 bytes or
    /// more.
    Beginning,
}

impl Undecided {
    /// Each bound counts once.
    pub(crate) fn new(map: u32, mut bounds: Vec<Bound>) -> Undecided {
        let mut once = Vec::new();
        bounds.retain(|bound| {
            let is_new = !once.contains(bound);
            once.push(*bound);
            is_new
        });
        Undecided { map, bounds }
    }

    /// The size of the map's element, in bytes.
    pub const SIZE: usize = 16;

    /// The count in the map's element.
    pub fn count(element: &[u8; Undecided::SIZE]) -> u64 {
        element.first_chunk().map_or(0, |count| u64::from_ne_bytes(*count))
    }
}
