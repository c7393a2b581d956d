//! Look-ups of types: by name with one pass over the records, by id through a sparse index that such passes fill.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use crate::view::begins_with;
use crate::walk::{BLOCK, Block, Entry, Lane, Position};
use crate::wire::Record;
use crate::{Btf, Error, Kind, TypeId, near};

/// The number of found names that are cached, more than a program looks up. The oldest is dropped first.
const KEPT: usize = 64;

/// The ends of the blocks that were walked, and a cache of found names.
#[derive(Clone, Default)]
pub(crate) struct Index {
    ends: RefCell<Vec<Position>>,
    /// The record that was looked up last by its id: a struct's members mostly have types of ascending ids.
    last: Cell<Position>,
    count: Cell<Option<u32>>,
    found: RefCell<VecDeque<Found>>,
}

impl Index {
    /// Adds the end of a block, if it is beyond all others; `end` is where all types end.
    pub(crate) fn learn(&self, position: Position, end: usize) {
        let mut ends = self.ends.borrow_mut();
        if ends.is_empty() {
            // The maximal number of blocks, so that it never grows.
            ends.reserve_exact(end / BLOCK + 1);
        }
        if ends.last().is_none_or(|last| last.index < position.index) {
            ends.push(position);
        }
        if position.offset as usize == end {
            self.count.set(Some(position.index));
        }
    }

    /// The position up to which the records were walked.
    fn frontier(&self) -> Position {
        self.ends.borrow().last().copied().unwrap_or_default()
    }

    /// The block with the record of this index, if it was walked; without records before it that need not be passed.
    fn block_of(&self, index: u32) -> Option<Block> {
        let ends = self.ends.borrow();
        let nth = ends.partition_point(|end| end.index <= index);
        let to = *ends.get(nth)?;
        let mut from = nth.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
        let last = self.last.get();
        if (from.index..=index).contains(&last.index) {
            from = last;
        }
        Some(Block { from, to, is_wanted: true })
    }
}

/// A found name. It is an offset in the strings.
#[derive(Clone, Copy)]
struct Found {
    kind: Kind,
    name_off: u32,
    id: TypeId,
}

/// A Bloom filter of kinds and names, which rejects most records without a call. It uses the first bytes of a name: as
/// many as the shortest wanted name has with its zero byte, at most 8.
struct Filter {
    /// A bit for each kind that still has unfound names. A kernel's structs are many and scattered among its first
    /// types, so branches on them are mispredicted; its functions begin after all structs have been found.
    kinds: Cell<u32>,
    mask: u64,
    /// A bit for each hash of a name's first bytes.
    hashes: u64,
}

impl Filter {
    fn new(wanted: &[(Kind, &str)], found: &[Option<TypeId>]) -> Filter {
        let shortest = wanted.iter().map(|(_, name)| name.len() + 1).min().unwrap_or(0);
        let mut mask = [0; 8];
        mask.iter_mut().take(shortest).for_each(|byte| *byte = u8::MAX);
        let mut filter = Filter { kinds: Cell::new(0), mask: u64::from_ne_bytes(mask), hashes: 0 };
        for (_, name) in wanted {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(name.bytes()).for_each(|(byte, of_name)| *byte = of_name);
            filter.hashes |= 1 << filter.hash(bytes);
        }
        filter.narrow(wanted, found);
        filter
    }

    /// Removes the kinds of which everything was found; returns whether anything is still unfound.
    fn narrow(&self, wanted: &[(Kind, &str)], found: &[Option<TypeId>]) -> bool {
        let missing = wanted.iter().zip(found).filter(|(_, found)| found.is_none());
        self.kinds.set(missing.fold(0, |kinds, ((kind, _), _)| kinds | 1 << *kind as u8));
        self.kinds.get() != 0
    }

    /// The upper 6 bits of a product, which depend on all bytes: 2⁶⁴ divided by the golden ratio spreads them well.
    #[inline(always)]
    fn hash(&self, bytes: [u8; 8]) -> u64 {
        (u64::from_ne_bytes(bytes) & self.mask).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58
    }

    /// Whether one of these records may be wanted. One branch for all of them is predictable, while one for each would
    /// be mispredicted too often.
    #[inline(always)]
    fn accepts(&self, records: &[Record], strings: &[u8]) -> bool {
        let is_of_kind = |record: &Record| self.kinds.get() >> (record.raw_kind() % 32) & 1;
        if records.iter().fold(0, |any, record| any | is_of_kind(record)) == 0 {
            return false;
        }
        let accepts = |record: &Record| {
            // The names of other kinds are not read.
            let is_of_kind = is_of_kind(record);
            let name = strings
                .get((record.name_off & is_of_kind.wrapping_neg()) as usize..)
                .and_then(<[u8]>::first_chunk);
            u64::from(is_of_kind) & name.map_or(1, |bytes| self.hashes >> self.hash(*bytes))
        };
        records.iter().fold(0, |any, record| any | accepts(record)) != 0
    }
}

impl<'a> Btf<'a> {
    /// Finds the type with this kind and name. If there are several, the one with the lowest id.
    ///
    /// The kind is required because names are unique only within a kind, if at all: `bpf_iter_task` is a STRUCT and a
    /// FUNC. An anonymous type can't be found. In split BTF, only its own types are searched, not those of its base.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], or the error of a damaged record before the type.
    pub fn find(&self, kind: Kind, name: &str) -> Result<TypeId, Error> {
        let [found] = self.find_many([(kind, name)])?;
        found.ok_or_else(|| Error::NotFound { kind, name: String::from(name) })
    }

    /// Finds several types in one pass, like [`find`](Btf::find); `None` for those that don't exist.
    ///
    /// # Errors
    ///
    /// The error of a damaged record before the last of the types.
    pub fn find_many<const N: usize>(&self, wanted: [(Kind, &str); N]) -> Result<[Option<TypeId>; N], Error> {
        let mut found = [None; N];
        self.find_each(&wanted, &mut found)?;
        Ok(found)
    }

    /// The same for a list of types.
    ///
    /// # Errors
    ///
    /// As those of [`find_many`](Btf::find_many).
    pub fn find_all(&self, wanted: &[(Kind, &str)]) -> Result<Vec<Option<TypeId>>, Error> {
        let mut found = vec![None; wanted.len()];
        self.find_each(wanted, &mut found)?;
        Ok(found)
    }

    fn find_each(&self, wanted: &[(Kind, &str)], found: &mut [Option<TypeId>]) -> Result<(), Error> {
        for ((kind, name), found) in wanted.iter().zip(&mut *found) {
            *found = self.found_before(*kind, name);
        }
        if found.iter().all(Option::is_some) { Ok(()) } else { self.find_missing(wanted, found) }
    }

    fn find_missing(&self, wanted: &[(Kind, &str)], found: &mut [Option<TypeId>]) -> Result<(), Error> {
        // Comparing names in the pass is cheaper than searching the string section first: the pass waits for the
        // lengths of records, and the names are loaded meanwhile.
        let (mut filter, strings) = (Filter::new(wanted, found), self.names.strings);
        if self.is_split() {
            // Names may be in the base's strings, so only the kinds are filtered.
            filter.hashes = u64::MAX;
        }
        let is_wanted =
            |records: &[Record]| filter.accepts(records, strings) && self.any_is_one_of(wanted, records);
        self.walk(
            |start| self.scan(start, &is_wanted),
            |Entry { record, position, .. }| {
                if !is_wanted(&[record]) {
                    return ControlFlow::Continue(());
                }
                for (&(kind, name), found) in wanted.iter().zip(&mut *found) {
                    if found.is_none() && self.is(record, kind, name) {
                        *found = Some(self.keep(kind, record.name_off, self.id(position)));
                    }
                }
                if filter.narrow(wanted, found) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        )?;
        Ok(())
    }

    /// Not inlined, so that the pass can keep what it needs in registers.
    #[cold]
    #[inline(never)]
    fn any_is_one_of(&self, wanted: &[(Kind, &str)], records: &[Record]) -> bool {
        records.iter().any(|record| {
            let text = self.names.tail(record.name_off);
            wanted.iter().any(|(kind, name)| record.raw_kind() == *kind as u8 && begins_with(text, name))
        })
    }

    /// Whether the record has this kind and name.
    fn is(&self, record: Record, kind: Kind, name: &str) -> bool {
        record.raw_kind() == kind as u8 && self.names.is(record.name_off, name)
    }

    fn found_before(&self, kind: Kind, name: &str) -> Option<TypeId> {
        let found = self.index.found.borrow();
        let is_it = |found: &&Found| found.kind == kind && self.names.is(found.name_off, name);
        found.iter().find(is_it).map(|found| found.id)
    }

    fn keep(&self, kind: Kind, name_off: u32, id: TypeId) -> TypeId {
        let mut found = self.index.found.borrow_mut();
        if found.len() == KEPT {
            found.pop_front();
        }
        found.push_back(Found { kind, name_off, id });
        id
    }

    /// All types of this kind whose names begin with `prefix`, in the order of their ids; no anonymous ones. In split
    /// BTF, only its own types.
    ///
    /// # Errors
    ///
    /// The error of a damaged record, or of one of these names.
    pub fn with_prefix(&self, kind: Kind, prefix: &str) -> Result<Vec<(TypeId, &'a str)>, Error> {
        let may_be = |record: &Record| {
            record.raw_kind() == kind as u8 && self.names.tail(record.name_off).starts_with(prefix.as_bytes())
        };
        let mut found = Vec::new();
        let broken = self.walk(
            |start| self.scan(start, &|records: &[Record]| records.iter().any(may_be)),
            |Entry { record, position, .. }| {
                match may_be(&record).then(|| self.string(record.name_off)) {
                    Some(Err(error)) => return ControlFlow::Break(error),
                    Some(Ok(name)) if !name.is_empty() && name.starts_with(prefix) => {
                        found.push((self.id(position), name));
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            },
        )?;
        broken.map_or(Ok(found), Err)
    }

    /// Up to three names of types of this kind that are similar to `name`, best first; see [`near`](crate::near()).
    ///
    /// # Errors
    ///
    /// As [`with_prefix`](Btf::with_prefix).
    pub fn near(&self, kind: Kind, name: &str) -> Result<Vec<String>, Error> {
        let all = self.with_prefix(kind, "")?;
        Ok(near(name, all.into_iter().map(|(_, name)| name)))
    }

    /// The number of types; ids run from 1 to this. In split BTF, those of the base are included.
    ///
    /// # Errors
    ///
    /// The error of a damaged record: all records must be read to count them.
    pub fn type_count(&self) -> Result<u32, Error> {
        if self.index.count.get().is_none() {
            self.unseen().try_for_each(|block| block.map(drop))?;
        }
        // A complete pass has set the count, unless there are no records.
        let own = self.index.count.get().unwrap_or(0);
        Ok((self.first_id - 1).saturating_add(own))
    }

    /// The record of type `id`, which is not one of the base's.
    pub(crate) fn entry(&self, id: TypeId) -> Result<Entry<'a>, Error> {
        let index = id.0.checked_sub(self.first_id).ok_or(Error::Void)?;
        let mut block = self.index.block_of(index);
        let mut ahead = self.unseen();
        while block.is_none() {
            let Some(next) = ahead.next() else { break };
            block = Some(next?).filter(|block| block.to.index > index);
        }
        let found = block.map(|block| {
            self.visit(block, |entry| {
                if entry.position.index == index {
                    ControlFlow::Break(entry)
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        match found {
            Some(ControlFlow::Break(entry)) => {
                self.index.last.set(entry.position);
                Ok(entry)
            }
            _ => Err(Error::NoSuchType { id, count: self.type_count()? }),
        }
    }

    /// The blocks that were not walked yet.
    fn unseen(&self) -> impl Iterator<Item = Result<Block, Error>> {
        self.blocks(self.index.frontier(), |start| self.scan_all(start))
    }

    /// Visits the records of the blocks that `scan` marks as wanted, until `visit` breaks.
    fn walk<B, const N: usize>(
        &self,
        scan: impl Fn(usize) -> [Lane; N],
        mut visit: impl FnMut(Entry<'a>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        for block in self.blocks(Position::default(), scan) {
            let block = block?;
            if block.is_wanted {
                if let ControlFlow::Break(value) = self.visit(block, &mut visit) {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }
}
