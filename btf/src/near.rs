//! Names that are similar to a mistyped one.

use alloc::string::String;
use alloc::vec::Vec;

/// The maximal number of similar names.
const BEST: usize = 3;

/// Longer names are never near, which bounds the time for any candidates.
const LONGEST: usize = 64;

/// Up to three of the `candidates` that are similar to `name`, best first.
///
/// A candidate is similar if at most one edit per three bytes (rounded up) turns `name` into it, where an edit inserts,
/// removes or replaces a byte. After those come candidates that contain `name`, or are contained in it, if the shorter
/// of the two has at least three bytes.
///
/// ```
/// let near = kwalk_btf::near("real_parnt", ["parent", "real_parent", "pid"].into_iter());
/// assert_eq!(near, ["real_parent"]);
/// ```
pub fn near<'s>(name: &str, candidates: impl Iterator<Item = &'s str>) -> Vec<String> {
    let mut best: Vec<(usize, &str)> = Vec::with_capacity(BEST + 1);
    for candidate in candidates {
        let Some(distance) = distance(name.as_bytes(), candidate.as_bytes()) else { continue };
        if best.contains(&(distance, candidate)) {
            continue;
        }
        let place = best.partition_point(|&(other, _)| other <= distance);
        best.insert(place, (distance, candidate));
        best.truncate(BEST);
    }
    best.into_iter().map(|(_, name)| String::from(name)).collect()
}

/// The distance of `b` from `a`; `None` if they are not similar.
fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.is_empty() || b.is_empty() || a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let limit = a.len().div_ceil(3);
    if a.len().abs_diff(b.len()) <= limit {
        let edits = edits(a, b);
        if edits <= limit {
            return Some(edits);
        }
    }
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let contained = short.len() >= 3 && long.windows(short.len()).any(|part| part == short);
    contained.then(|| LONGEST + long.len() - short.len())
}

/// The Levenshtein distance, row by row of its table.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
