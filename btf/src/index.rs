//! Finds types: by name with one walk over the records, by id through a sparse index that such walks leave behind.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use crate::view::Names;
use crate::walk::{Lane, Mark, STRETCH, Stop, Stretch};
use crate::wire::Record;
use crate::{Btf, Error, Kind, TypeId, near};

/// How many found names are kept, more than a program asks for. The oldest goes first.
const KEPT: usize = 64;

/// Where the stretches begin that a walk has passed, and what was found last.
#[derive(Clone, Default)]
pub(crate) struct Index {
    marks: RefCell<Vec<Mark>>,
    count: Cell<Option<u32>>,
    found: RefCell<VecDeque<Found>>,
}

impl Index {
    /// Keeps a mark, if it is beyond all others; where all types end, it is the last.
    pub(crate) fn learn(&self, mark: Mark, end: usize) {
        let mut marks = self.marks.borrow_mut();
        if marks.is_empty() {
            // As many as there can be, so that it never grows.
            marks.reserve_exact(end / STRETCH + 1);
        }
        if marks.last().is_none_or(|last| last.place < mark.place) {
            marks.push(mark);
        }
        if mark.start as usize == end {
            self.count.set(Some(mark.place));
        }
    }

    /// The mark that is farthest on.
    fn frontier(&self) -> Mark {
        self.marks.borrow().last().copied().unwrap_or_default()
    }

    /// The records from the nearest mark on that is not behind this place, if a walk has passed it.
    fn stretch_of(&self, place: u32) -> Option<Stretch> {
        let marks = self.marks.borrow();
        let beyond = marks.partition_point(|mark| mark.place <= place);
        let to = *marks.get(beyond)?;
        let from = beyond.checked_sub(1).and_then(|before| marks.get(before)).copied().unwrap_or_default();
        Some(Stretch { from, to, is_wanted: true })
    }
}

/// The answer to a question that may be asked again. The name stays where it is, among the strings.
#[derive(Clone, Copy)]
struct Found {
    kind: Kind,
    name_off: u32,
    id: TypeId,
}

/// What most records are told by that are none of the wanted: the kinds, and the first bytes of the names, as many of them as
/// the shortest name has with the zero behind it, at most a word. It takes no call, and is wrong for few.
struct Sieve {
    /// A bit for each kind that something is missing of: structs are many and lie here and there among the first types of a
    /// kernel, so that each jump for one is a bad guess; functions begin where those have all been found.
    kinds: Cell<u32>,
    mask: u64,
    /// A bit for each hash of such bytes.
    hashes: u64,
}

impl Sieve {
    fn of(wanted: &[(Kind, &str)]) -> Sieve {
        let shortest = wanted.iter().map(|(_, name)| name.len() + 1).min().unwrap_or(0);
        let mut mask = [0; 8];
        mask.iter_mut().take(shortest).for_each(|byte| *byte = u8::MAX);
        let mut sieve = Sieve { kinds: Cell::new(0), mask: u64::from_ne_bytes(mask), hashes: 0 };
        for (_, name) in wanted {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(name.bytes()).for_each(|(byte, of_name)| *byte = of_name);
            sieve.hashes |= 1 << sieve.hash(bytes);
        }
        sieve
    }

    /// Lets only those pass from now on that are not found; gives whether there are any.
    fn narrow(&self, wanted: &[(Kind, &str)], found: &[Option<TypeId>]) -> bool {
        let missing = wanted.iter().zip(found).filter(|(_, found)| found.is_none());
        self.kinds.set(missing.fold(0, |kinds, ((kind, _), _)| kinds | 1 << *kind as u8));
        self.kinds.get() != 0
    }

    /// The upper 6 bits of a product, in which all bytes have a part: 2⁶⁴ over the golden ratio spreads them well.
    #[inline(always)]
    fn hash(&self, bytes: [u8; 8]) -> u64 {
        (u64::from_ne_bytes(bytes) & self.mask).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58
    }

    /// Whether one of some records passes. Which of them is of a wanted kind can't be foreseen, so that a jump for each
    /// would be wrong too often; whether any is, can.
    #[inline(always)]
    fn lets_pass(&self, records: &[Record], names: Names<'_>) -> bool {
        let is_of_kind = |record: &Record| self.kinds.get() >> (record.raw_kind() % 32) & 1;
        if records.iter().fold(0, |any, record| any | is_of_kind(record)) == 0 {
            return false;
        }
        let passes = |record: &Record| {
            // The name of any other is not looked at.
            let is_of_kind = is_of_kind(record);
            let name = names.from(record.name_off & is_of_kind.wrapping_neg()).first_chunk();
            u64::from(is_of_kind) & name.map_or(1, |bytes| self.hashes >> self.hash(*bytes))
        };
        records.iter().fold(0, |any, record| any | passes(record)) != 0
    }
}

impl<'a> Btf<'a> {
    /// Finds the type of this kind and name; of several, the one with the lowest id.
    ///
    /// The kind is part of the question because names are unique within a kind at best: `bpf_iter_task` is a STRUCT
    /// and a FUNC. An anonymous type can't be found.
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
        // Comparing names on the way costs less than searching the string section first: the walk waits for the lengths of
        // records, and the names come in meanwhile.
        let (sieve, names) = (Sieve::of(wanted), self.names());
        sieve.narrow(wanted, found);
        let is_wanted =
            |records: &[Record]| sieve.lets_pass(records, names) && self.any_is_one_of(wanted, records);
        self.walk(
            |start| self.pass(start, &is_wanted),
            |stop| {
                if !is_wanted(&[stop.record]) {
                    return ControlFlow::Continue(());
                }
                for (&(kind, name), found) in wanted.iter().zip(&mut *found) {
                    if found.is_none() && self.is(stop.record, kind, name) {
                        *found = Some(self.keep(kind, stop.record.name_off, stop.id()));
                    }
                }
                if sieve.narrow(wanted, found) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        )?;
        Ok(())
    }

    /// Apart from the walk, which so keeps what it needs in registers.
    #[cold]
    #[inline(never)]
    fn any_is_one_of(&self, wanted: &[(Kind, &str)], records: &[Record]) -> bool {
        let is_one_of = |record: &Record| wanted.iter().any(|(kind, name)| self.is(*record, *kind, name));
        records.iter().any(is_one_of)
    }

    /// Whether the record is of this kind and name.
    fn is(&self, record: Record, kind: Kind, name: &str) -> bool {
        record.raw_kind() == kind as u8 && self.names().is(record.name_off, name)
    }

    fn found_before(&self, kind: Kind, name: &str) -> Option<TypeId> {
        let found = self.index.found.borrow();
        found
            .iter()
            .find(|found| found.kind == kind && self.names().is(found.name_off, name))
            .map(|found| found.id)
    }

    fn keep(&self, kind: Kind, name_off: u32, id: TypeId) -> TypeId {
        let mut found = self.index.found.borrow_mut();
        if found.len() == KEPT {
            found.pop_front();
        }
        found.push_back(Found { kind, name_off, id });
        id
    }

    /// All types of this kind whose names begin with `prefix`, in the order of their ids; anonymous ones never.
    ///
    /// # Errors
    ///
    /// What is wrong with the records or one of those names.
    pub fn with_prefix(&self, kind: Kind, prefix: &str) -> Result<Vec<(TypeId, &'a str)>, Error> {
        let may_be = |record: &Record| {
            record.raw_kind() == kind as u8
                && self.names().from(record.name_off).starts_with(prefix.as_bytes())
        };
        let mut found = Vec::new();
        let broken = self.walk(
            |start| self.pass(start, &|records: &[Record]| records.iter().any(may_be)),
            |stop| {
                if may_be(&stop.record) {
                    let name_off = stop.record.name_off;
                    match self.string(name_off) {
                        Ok(name) if name.is_empty() || !name.starts_with(prefix) => {}
                        Ok(name) => found.push((stop.id(), name)),
                        Err(error) => return ControlFlow::Break(error),
                    }
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

    /// How many types there are; their ids run from 1 to this.
    ///
    /// # Errors
    ///
    /// What is wrong with the records, all of which must be passed to count them.
    pub fn type_count(&self) -> Result<u32, Error> {
        if let Some(count) = self.index.count.get() {
            return Ok(count);
        }
        for stretch in self.unseen() {
            stretch?;
        }
        // A walk that has not failed has counted, unless there was nothing to walk over.
        Ok(self.index.count.get().unwrap_or(0))
    }

    /// The record of type `id`.
    pub(crate) fn stop(&self, id: TypeId) -> Result<Stop<'a>, Error> {
        let place = id.0.checked_sub(1).ok_or(Error::Void)?;
        let mut known = self.index.stretch_of(place);
        let mut ahead = self.unseen();
        while known.is_none() {
            let Some(stretch) = ahead.next() else { break };
            known = Some(stretch?).filter(|stretch| stretch.to.place > place);
        }
        let found = known.map(|stretch| {
            self.visit(stretch, |stop| {
                if stop.mark.place == place { ControlFlow::Break(stop) } else { ControlFlow::Continue(()) }
            })
        });
        match found {
            Some(ControlFlow::Break(stop)) => Ok(stop),
            _ => Err(Error::NoSuchType { id, count: self.type_count()? }),
        }
    }

    /// The stretches that the index does not know yet.
    fn unseen(&self) -> impl Iterator<Item = Result<Stretch, Error>> {
        self.stretches(self.index.frontier(), |start| self.pass_all(start))
    }

    /// Walks all records until `visit` breaks. It sees those of the stretches that `pass` has found something wanted in.
    fn walk<B, const N: usize>(
        &self,
        pass: impl Fn(usize) -> [Lane; N],
        mut visit: impl FnMut(Stop<'a>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        for stretch in self.stretches(Mark::default(), pass) {
            let stretch = stretch?;
            if stretch.is_wanted {
                if let ControlFlow::Break(value) = self.visit(stretch, &mut visit) {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }
}
