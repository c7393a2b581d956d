//! Finds types: by name with one walk over the records, by id through a sparse index that such walks leave behind.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use zerocopy::FromBytes;

use crate::wire::{Endian, RawRecord, Record};
use crate::{Btf, Error, Kind, TypeId, near};

/// One mark per so many ids: 16 kB for the 126,000 types of a distribution's kernel, and a look-up by id takes at most 31
/// steps.
const STRIDE: usize = 32;

/// How many found names are kept, more than a program asks for. The oldest goes first.
const KEPT: usize = 64;

/// Where every [`STRIDE`]th record begins, as far as a walk has come, and what was found last.
#[derive(Clone, Default)]
pub(crate) struct Index {
    marks: RefCell<Vec<u32>>,
    count: Cell<Option<u32>>,
    found: RefCell<VecDeque<Found>>,
}

/// The answer to a question that may be asked again. The name stays where it is, among the strings.
#[derive(Clone, Copy)]
struct Found {
    kind: Kind,
    name_off: u32,
    id: TypeId,
}

/// A record on the way: `place` counts from 0, so that it is type `place + 1`.
pub(crate) struct Stop<'a> {
    pub(crate) place: usize,
    pub(crate) record: Record,
    /// Where the record begins in the type section.
    pub(crate) start: usize,
    /// What follows the record: members and the like.
    pub(crate) trail: &'a [u8],
}

impl Stop<'_> {
    pub(crate) fn id(&self) -> TypeId {
        // A section of at most 4 GiB holds fewer than 2³² records.
        TypeId(self.place as u32 + 1)
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
        if let Some(id) = self.found_before(kind, name) {
            return Ok(id);
        }
        // Comparing the names of the wanted kind on the way costs less than searching the string section first: the walk
        // waits for the lengths of records, and the names come in meanwhile.
        let found = self.walk(0, |stop| {
            let is_it = stop.record.raw_kind() == kind as u8 && self.names().is(stop.record.name_off, name);
            if is_it { ControlFlow::Break(stop) } else { ControlFlow::Continue(()) }
        })?;
        let stop = found.ok_or_else(|| Error::NotFound { kind, name: String::from(name) })?;
        Ok(self.keep(kind, stop.record.name_off, stop.id()))
    }

    /// Finds several types with one walk, as [`find`](Btf::find) does one; `None` for those that don't exist.
    ///
    /// # Errors
    ///
    /// What is wrong with the records before the place where the last of them would be.
    pub fn find_many<const N: usize>(&self, wanted: [(Kind, &str); N]) -> Result<[Option<TypeId>; N], Error> {
        let mut found = wanted.map(|(kind, name)| self.found_before(kind, name));
        if found.iter().all(Option::is_some) {
            return Ok(found);
        }
        // Most records are passed by after two looks: no wanted name is of their kind, or begins as theirs does.
        let kinds = wanted.iter().fold(0u32, |kinds, (kind, _)| kinds | 1 << *kind as u8);
        let begins = |first: u8, second: u8| 1u64 << ((first.wrapping_mul(7) ^ second) % 64);
        let beginnings = wanted.iter().fold(0, |all, (_, name)| match *name.as_bytes() {
            [] => all,
            [first] => all | begins(first, 0),
            [first, second, ..] => all | begins(first, second),
        });
        self.walk(0, |stop| {
            let (kind, name_off) = (stop.record.raw_kind(), stop.record.name_off);
            let is_like = |name: &[u8; 2]| beginnings & begins(name[0], name[1]) != 0;
            if kinds >> (kind % 32) & 1 == 0
                || !self.names().from(name_off).first_chunk().is_some_and(is_like)
            {
                return ControlFlow::Continue(());
            }
            self.look(&wanted, &mut found, kind, name_off, stop.id())
        })?;
        Ok(found)
    }

    /// Compares a record's name with those that are still wanted; breaks when none is.
    #[cold]
    #[inline(never)]
    fn look(
        &self,
        wanted: &[(Kind, &str)],
        found: &mut [Option<TypeId>],
        kind: u8,
        name_off: u32,
        id: TypeId,
    ) -> ControlFlow<()> {
        let mut missing = false;
        for (&(of, name), found) in wanted.iter().zip(found) {
            if found.is_none() && kind == of as u8 && self.names().is(name_off, name) {
                *found = Some(self.keep(of, name_off, id));
            }
            missing |= found.is_none();
        }
        if missing { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
        let mut found = Vec::new();
        let broken = self.walk(0, |stop| {
            let name_off = stop.record.name_off;
            if stop.record.raw_kind() == kind as u8
                && self.names().from(name_off).starts_with(prefix.as_bytes())
            {
                match self.string(name_off) {
                    Ok(name) if name.is_empty() || !name.starts_with(prefix) => {}
                    Ok(name) => found.push((stop.id(), name)),
                    Err(error) => return ControlFlow::Break(error),
                }
            }
            ControlFlow::Continue(())
        })?;
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
        let last_mark = self.index.marks.borrow().len().saturating_sub(1);
        self.walk(last_mark, |_| ControlFlow::<()>::Continue(()))?;
        // A walk that neither broke off nor failed has counted.
        Ok(self.index.count.get().unwrap_or(0))
    }

    /// The record of type `id`.
    pub(crate) fn stop(&self, id: TypeId) -> Result<Stop<'a>, Error> {
        let place = id.0.checked_sub(1).ok_or(Error::Void)? as usize;
        if let Some(count) = self.index.count.get().filter(|&count| id.0 > count) {
            return Err(Error::NoSuchType { id, count });
        }
        let last_mark = self.index.marks.borrow().len().saturating_sub(1);
        let stop = self.walk(last_mark.min(place / STRIDE), |stop| {
            if stop.place == place { ControlFlow::Break(stop) } else { ControlFlow::Continue(()) }
        })?;
        match stop {
            Some(stop) => Ok(stop),
            None => Err(Error::NoSuchType { id, count: self.type_count()? }),
        }
    }

    /// Walks the records from the given mark on, until `visit` breaks or the section ends, and leaves marks behind.
    #[inline]
    fn walk<B>(
        &self,
        mark: usize,
        visit: impl FnMut(Stop<'a>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        // Two loops, each with its order built in.
        match self.endian {
            Endian::Little => self.walk_in(Endian::Little, mark, visit),
            Endian::Big => self.walk_in(Endian::Big, mark, visit),
        }
    }

    #[inline(always)]
    fn walk_in<B>(
        &self,
        endian: Endian,
        mark: usize,
        mut visit: impl FnMut(Stop<'a>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        let types = self.types;
        let mut marks = self.index.marks.borrow_mut();
        let start = marks.get(mark).and_then(|&start| types.get(start as usize..));
        let (mut place, mut rest) = start.map_or((0, types), |rest| (mark * STRIDE, rest));
        loop {
            if !rest.is_empty() && place == marks.len() * STRIDE {
                marks.push((types.len() - rest.len()) as u32);
            }
            for _ in 0..STRIDE {
                let start = types.len() - rest.len();
                if rest.is_empty() {
                    self.index.count.set(Some(place as u32));
                    return Ok(None);
                }
                // Errors are made where they are returned: an eager one would cost each of 100,000 rounds a drop.
                let Ok((record, behind)) = RawRecord::ref_from_prefix(rest) else {
                    return Err(Error::Record { offset: self.types_at + start });
                };
                let record = record.read(endian);
                let Some(trail_len) = record.trail_len() else {
                    return Err(Error::UnknownKind {
                        offset: self.types_at + start,
                        kind: record.raw_kind(),
                    });
                };
                let Some((trail, next)) = behind.split_at_checked(trail_len) else {
                    return Err(Error::Record { offset: self.types_at + start });
                };
                if let ControlFlow::Break(value) = visit(Stop { place, record, start, trail }) {
                    return Ok(Some(value));
                }
                place += 1;
                rest = next;
            }
        }
    }
}
