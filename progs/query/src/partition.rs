//! Partitions: disjoint parts of a target's objects. The walks of some targets lose objects between two reads
//! ([`Target::loses`](crate::Target::loses)): these are walked one partition after the other, each in a single read.

/// A part of a target's objects, by the top bits of the hash of their address. Addresses are hashed (multiplied by
/// `SPREAD`), because their lowest and highest bits are the same for most objects: so the halves of a partition have
/// about the same size.
///
/// A program reads its partition from the only element of a map ([`Plan::partition`](crate::Plan::partition)). A zeroed
/// element means all objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// The bits of the hash that are compared, from the topmost on.
    mask: u64,
    /// Their values.
    bits: u64,
}

/// The multiplier of the hash: 2⁶⁴ divided by the golden ratio, an odd number, so that no two addresses have the same
/// hash.
pub(crate) const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Offsets in the map's value: the mask, the bits, whether the walk has reached its end, and room for an address.
pub(crate) const MASK: i32 = 0;
pub(crate) const BITS: i32 = 8;
pub(crate) const ENDED: i32 = 16;
pub(crate) const ADDRESS: i32 = 24;
/// The size of the map's value, in bytes.
pub(crate) const SIZE: usize = 32;

impl Partition {
    /// All objects.
    pub const ALL: Partition = Partition { mask: 0, bits: 0 };

    /// The value to store in the map's element before a walk.
    pub fn value(self) -> [u8; SIZE] {
        let mut value = [0; SIZE];
        for (word, number) in value.chunks_exact_mut(8).zip([self.mask, self.bits]) {
            word.copy_from_slice(&number.to_ne_bytes());
        }
        value
    }

    /// Whether the walk that left this value in the map's element reached its end.
    pub fn has_ended(value: &[u8; SIZE]) -> bool {
        value.chunks_exact(8).nth(ENDED as usize / 8).is_some_and(|word| word.iter().any(|byte| *byte != 0))
    }

    /// Splits the partition in two; `None` if it is a single address.
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
