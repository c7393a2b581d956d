//! Finds types: by name with one walk over the records, by id through a sparse index that such walks leave behind.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::ControlFlow;

use zerocopy::FromBytes;

use crate::wire::{Endian, RawRecord, Record};
use crate::{Btf, Error, Kind, TypeId};

/// One mark per so many ids: 8 kB for the 126,000 types of a distribution's kernel, and a look-up takes at most 63 steps.
const STRIDE: usize = 64;

/// Where every [`STRIDE`]th record begins, as far as a walk has come.
#[derive(Clone, Default)]
pub(crate) struct Index {
    marks: RefCell<Vec<u32>>,
    count: Cell<Option<u32>>,
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
        let [found] = self.find_many([(kind, name)])?;
        found.ok_or_else(|| Error::NotFound { kind, name: String::from(name) })
    }

    /// Finds several types with one walk, as [`find`](Btf::find) does one; `None` for those that don't exist.
    ///
    /// # Errors
    ///
    /// What is wrong with the records before the place where the last of them would be.
    pub fn find_many<const N: usize>(&self, wanted: [(Kind, &str); N]) -> Result<[Option<TypeId>; N], Error> {
        let mut found = [None; N];
        let mut missing = N;
        if missing == 0 {
            return Ok(found);
        }
        // Comparing the names of the wanted kinds on the way costs less than searching the string section first: the
        // walk waits for the lengths of records, and the names come in meanwhile.
        self.walk(0, |stop| {
            for (&(kind, name), found) in wanted.iter().zip(&mut found) {
                if stop.record.raw_kind() == kind as u8
                    && found.is_none()
                    && self.is_named(stop.record.name_off, name)
                {
                    *found = Some(stop.id());
                    missing -= 1;
                }
            }
            if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
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
            if stop.record.raw_kind() == kind as u8 && self.starts_with(name_off, prefix.as_bytes()) {
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
        let mut next_mark = marks.len() * STRIDE;
        while !rest.is_empty() {
            let start = types.len() - rest.len();
            if place == next_mark {
                marks.push(start as u32);
                next_mark += STRIDE;
            }
            // Errors are made where they are returned: an eager one would cost each of 100,000 rounds a drop.
            let Ok((record, behind)) = RawRecord::ref_from_prefix(rest) else {
                return Err(Error::Record { offset: self.types_at + start });
            };
            let record = record.read(endian);
            let Some(trail_len) = record.trail_len() else {
                return Err(Error::UnknownKind { offset: self.types_at + start, kind: record.raw_kind() });
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
        self.index.count.set(Some(place as u32));
        Ok(None)
    }

    /// Whether the record has this name: whole, not empty, and one name only.
    #[inline]
    fn is_named(&self, name_off: u32, name: &str) -> bool {
        let Some(rest) = self.strings.get(name_off as usize..) else { return false };
        rest.get(name.len()) == Some(&0)
            && rest.starts_with(name.as_bytes())
            && !name.is_empty()
            && !name.contains('\0')
    }

    fn starts_with(&self, name_off: u32, prefix: &[u8]) -> bool {
        self.strings.get(name_off as usize..).is_some_and(|rest| rest.starts_with(prefix))
    }
}
