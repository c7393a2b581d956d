//! Finds types: by name with one walk over the records, by id through a sparse index that such walks leave behind.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use crate::view::begins_with;
use crate::walk::{BLOCK, Block, Entry, Lane, Position};
use crate::wire::Record;
use crate::{Btf, Error, Kind, TypeId, near};

/// How many found names are kept, more than a program asks for. The oldest goes first.
const KEPT: usize = 64;

/// Where the blocks end that a walk has passed, and what was found last.
#[derive(Clone, Default)]
pub(crate) struct Index {
    ends: RefCell<Vec<Position>>,
    count: Cell<Option<u32>>,
    found: RefCell<VecDeque<Found>>,
}

impl Index {
    /// Keeps the end of a block, if it is beyond all others; `end` is where all types end.
    pub(crate) fn learn(&self, position: Position, end: usize) {
        let mut ends = self.ends.borrow_mut();
        if ends.is_empty() {
            // As many as there can be, so that it never grows.
            ends.reserve_exact(end / BLOCK + 1);
        }
        if ends.last().is_none_or(|last| last.index < position.index) {
            ends.push(position);
        }
        if position.offset as usize == end {
            self.count.set(Some(position.index));
        }
    }

    /// The farthest position that a walk has reached.
    fn frontier(&self) -> Position {
        self.ends.borrow().last().copied().unwrap_or_default()
    }

    /// The block with the record of this index, if a walk has passed it.
    fn block_of(&self, index: u32) -> Option<Block> {
        let ends = self.ends.borrow();
        let nth = ends.partition_point(|end| end.index <= index);
        let to = *ends.get(nth)?;
        let from = nth.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
        Some(Block { from, to, is_wanted: true })
    }
}

/// The answer to a question that may be asked again. The name is an offset into the strings.
#[derive(Clone, Copy)]
struct Found {
    kind: Kind,
    name_off: u32,
    id: TypeId,
}

/// A Bloom filter of kinds and names, which rejects most records without a call. Of a name it knows the first bytes: as
/// many as the shortest wanted name has with its zero byte, at most 8.
struct Filter {
    /// A bit for each kind that something is missing of. A kernel's structs are many and lie scattered among its first
    /// types, so that branches on them are mispredicted; its functions begin where all structs have been found.
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

    /// Rejects from now on the kinds of which everything has been found; returns whether anything is missing.
    fn narrow(&self, wanted: &[(Kind, &str)], found: &[Option<TypeId>]) -> bool {
        let missing = wanted.iter().zip(found).filter(|(_, found)| found.is_none());
        self.kinds.set(missing.fold(0, |kinds, ((kind, _), _)| kinds | 1 << *kind as u8));
        self.kinds.get() != 0
    }

    /// The upper 6 bits of a product, which depend on all bytes: 2⁶⁴ over the golden ratio spreads them well.
    #[inline(always)]
    fn hash(&self, bytes: [u8; 8]) -> u64 {
        (u64::from_ne_bytes(bytes) & self.mask).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58
    }

    /// Whether one of some records may be wanted. Which of them has a wanted kind can't be predicted, so that a branch
    /// for each would be mispredicted too often; whether any has, can.
    #[inline(always)]
    fn accepts(&self, records: &[Record], strings: &[u8]) -> bool {
        let is_of_kind = |record: &Record| self.kinds.get() >> (record.raw_kind() % 32) & 1;
        if records.iter().fold(0, |any, record| any | is_of_kind(record)) == 0 {
            return false;
        }
        let accepts = |record: &Record| {
            // The name of any other is not looked at.
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
    /// Finds the type of this kind and name; of several, the one with the lowest id.
    ///
    /// The kind is part of the question because names are unique within a kind at best: `bpf_iter_task` is a STRUCT
    /// and a FUNC. An anonymous type can't be found. Of split BTF, the own types are searched, not those of its base.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], or what is wrong with the records before the place where it would be.
    pub fn find(&self, kind: Kind, name: &str) -> Result<TypeId, Error> {
        let [found] = self.find_many([(kind, name)])?;
        found.ok_or_else(|| Error::NotFound { kind, name: String::from(name) })
    }

    /// Finds several types with one walk, as [`find`](Btf::find) does one; `None` for those that don't exist.
    ///
    /// # Errors
    ///
    /// What is wrong with the records before the place where the last of them would be.
    pub fn find_many<const N: usize>(&self, wanted: [(Kind, &str); N]) -> Result<[Option<TypeId>; N], Error> {
        let mut found = wanted.map(|(kind, name)| self.found_before(kind, name));
        if !found.iter().all(Option::is_some) {
            self.find_missing(&wanted, &mut found)?;
        }
        Ok(found)
    }

    fn find_missing(&self, wanted: &[(Kind, &str)], found: &mut [Option<TypeId>]) -> Result<(), Error> {
        // Comparing names on the way costs less than searching the string section first: the walk waits for the lengths
        // of records, and the names come in meanwhile.
        let (mut filter, strings) = (Filter::new(wanted, found), self.names.strings);
        if self.is_split() {
            // Names may be among the base's strings: only the kinds are filtered.
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

    /// Apart from the walk, which so keeps what it needs in registers.
    #[cold]
    #[inline(never)]
    fn any_is_one_of(&self, wanted: &[(Kind, &str)], records: &[Record]) -> bool {
        records.iter().any(|record| {
            let text = self.names.tail(record.name_off);
            wanted.iter().any(|(kind, name)| record.raw_kind() == *kind as u8 && begins_with(text, name))
        })
    }

    /// Whether the record is of this kind and name.
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

    /// All types of this kind whose names begin with `prefix`, in the order of their ids; anonymous ones never. Of
    /// split BTF, its own ones.
    ///
    /// # Errors
    ///
    /// What is wrong with the records or one of those names.
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

    /// Up to three names of types of this kind that `name` may have meant, best first; see [`near`](crate::near()).
    ///
    /// # Errors
    ///
    /// As [`with_prefix`](Btf::with_prefix).
    pub fn near(&self, kind: Kind, name: &str) -> Result<Vec<String>, Error> {
        let all = self.with_prefix(kind, "")?;
        Ok(near(name, all.into_iter().map(|(_, name)| name)))
    }

    /// How many types there are; their ids run from 1 to this. Those of a base are counted too.
    ///
    /// # Errors
    ///
    /// What is wrong with the records, all of which must be passed to count them.
    pub fn type_count(&self) -> Result<u32, Error> {
        if self.index.count.get().is_none() {
            self.unseen().try_for_each(|block| block.map(drop))?;
        }
        // A walk that has not failed has counted, unless there was nothing to walk over.
        let own = self.index.count.get().unwrap_or(0);
        Ok((self.first_id - 1).saturating_add(own))
    }

    /// The record of type `id`, which is none of the base's.
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
            Some(ControlFlow::Break(entry)) => Ok(entry),
            _ => Err(Error::NoSuchType { id, count: self.type_count()? }),
        }
    }

    /// The blocks that the index does not know yet.
    fn unseen(&self) -> impl Iterator<Item = Result<Block, Error>> {
        self.blocks(self.index.frontier(), |start| self.scan_all(start))
    }

    /// Visits the records of the blocks in which `scan` finds something wanted, until `visit` breaks.
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
