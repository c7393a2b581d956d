//! Partitions: parts of a walk's objects that a program is told to show, and to pass the others over. What takes more than
//! one read is shown in parts where walks lose objects between two reads ([`Target::loses`](crate::Target::loses)).

/// A part of a walk's objects: the whole, or a half of a half, of them, as the bits of their addresses say. They are spread
/// (by `SPREAD`), for the lowest bits of addresses are the same, and so are the highest: each half has about as many.
///
/// A program has it in the one element of a map ([`Plan::partition`](crate::Plan::partition)), whose zeros are the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Which bits count, from the topmost on.
    mask: u64,
    /// What they are.
    bits: u64,
}

/// Addresses are multiplied by this, an odd number (2⁶⁴ by the golden ratio): no two give the same.
pub(crate) const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Where the map's value has the mask, the bits, whether the end has been reached, and room for an address.
pub(crate) const MASK: i32 = 0;
pub(crate) const BITS: i32 = 8;
pub(crate) const ENDED: i32 = 16;
pub(crate) const ADDRESS: i32 = 24;
/// Bytes of the map's value.
pub(crate) const SIZE: usize = 32;

impl Partition {
    /// All objects.
    pub const ALL: Partition = Partition { mask: 0, bits: 0 };

    /// The value of the map's element before a walk of this partition.
    pub fn value(self) -> [u8; SIZE] {
        let mut value = [0; SIZE];
        for (word, number) in value.chunks_exact_mut(8).zip([self.mask, self.bits]) {
            word.copy_from_slice(&number.to_ne_bytes());
        }
        value
    }

    /// Whether a walk has reached its end that has left the map's element so.
    pub fn has_ended(value: &[u8; SIZE]) -> bool {
        value.chunks_exact(8).nth(ENDED as usize / 8).is_some_and(|word| word.iter().any(|byte| *byte != 0))
    }

    /// Its two halves; none if no two objects are in it.
    pub fn halves(self) -> Option<[Partition; 2]> {
        let bit = 1_u64.checked_shl(63_u32.checked_sub(self.mask.leading_ones())?)?;
        let mask = self.mask | bit;
        Some([Partition { mask, ..self }, Partition { mask, bits: self.bits | bit }])
    }
}

#[cfg(test)]
mod tests {
    use super::Partition;

    #[test]
    fn halves_are_disjoint_and_end_with_one_object() {
        let (mut partition, mut depth) = (Partition::ALL, 0);
        while let Some([low, high]) = partition.halves() {
            assert_eq!(low.mask, high.mask);
            assert_eq!(low.bits ^ high.bits, low.mask & !partition.mask);
            assert_eq!(low.bits & partition.mask, partition.bits);
            (partition, depth) = (if depth % 2 == 0 { low } else { high }, depth + 1);
        }
        assert_eq!((depth, partition.mask), (64, u64::MAX));
    }

    #[test]
    fn what_a_map_begins_with_is_the_whole() {
        assert_eq!(Partition::ALL.value(), [0; 32]);
        assert!(!Partition::has_ended(&Partition::ALL.value()));
    }
}
