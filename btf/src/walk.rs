//! The way over the records. Where one ends only it can tell, so that a processor has to wait for each before it sees the
//! next: therefore several stretches are passed side by side. Where the later ones begin is a guess, which counts for
//! nothing until the stretch before it ends just there.

use core::iter;
use core::ops::ControlFlow;

use zerocopy::FromBytes;

use crate::wire::{Endian, RawRecord, Record};
use crate::{Btf, Error, Kind, TypeId};

/// A stretch ends with the record that reaches beyond so many bytes: after some 160 of a kernel's, half of which a
/// look-up by id passes.
pub(crate) const STRETCH: usize = 4096;

/// How many stretches are passed side by side.
pub(crate) const LANES: usize = 4;

/// How many places are looked at for one where a record may begin.
const GUESSES: usize = 64;

/// Where a record begins, or the last one ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    /// In the type section, of at most 4 GiB.
    pub(crate) start: u32,
    /// How many records come before: they are counted from 0, types from 1.
    pub(crate) place: u32,
}

/// Some records in a row.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: Mark,
    pub(crate) to: Mark,
    /// Whether one of them is wanted.
    pub(crate) is_wanted: bool,
}

/// A record on the way.
pub(crate) struct Stop<'a> {
    pub(crate) mark: Mark,
    pub(crate) record: Record,
    /// What follows the record: members and the like.
    pub(crate) trail: &'a [u8],
}

impl Stop<'_> {
    pub(crate) fn id(&self) -> TypeId {
        // Fewer than 2³² records fit the section.
        TypeId(self.mark.place + 1)
    }
}

/// What was passed from a place on where a stretch may begin.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lane {
    start: usize,
    at: usize,
    count: u32,
    is_wanted: bool,
}

impl Lane {
    /// What was passed, if it is what follows `from`.
    fn behind(&self, from: Mark) -> Option<Stretch> {
        let to = Mark { start: self.at as u32, place: from.place + self.count };
        let follows = self.start == from.start as usize && self.count > 0;
        follows.then_some(Stretch { from, to, is_wanted: self.is_wanted })
    }
}

impl<'a> Btf<'a> {
    /// The stretches from `mark` on, in their order, up to the end or to a record that can't be read, as [`Btf::pass`] or
    /// [`Btf::pass_all`] passes them. The index learns of each.
    pub(crate) fn stretches<const N: usize>(
        &self,
        mark: Mark,
        pass: impl Fn(usize) -> [Lane; N],
    ) -> impl Iterator<Item = Result<Stretch, Error>> {
        let mut from = mark;
        let mut passed = [Lane::default(); N].into_iter();
        iter::from_fn(move || {
            let start = from.start as usize;
            if start == self.types.len() {
                return None;
            }
            let mut next = passed.next().and_then(|lane| lane.behind(from));
            if next.is_none() {
                passed = pass(start).into_iter();
                next = passed.next().and_then(|lane| lane.behind(from));
            }
            let Some(stretch) = next else { return Some(Err(self.fault(start))) };
            self.index.learn(stretch.to, self.types.len());
            from = stretch.to;
            Some(Ok(stretch))
        })
    }

    /// Passes the stretch that begins at `start`, and those that seem to follow. `is_wanted` says whether one of some
    /// records is.
    #[inline(never)]
    pub(crate) fn pass(&self, start: usize, is_wanted: &impl Fn(&[Record]) -> bool) -> [Lane; LANES] {
        match self.endian {
            // The kernel's own order is built into its loop.
            Endian::NATIVE => self.pass_in(Endian::NATIVE, start, is_wanted),
            _ => {
                let mut passed = self.pass_all(start).into_iter();
                [(); LANES].map(|()| passed.next().unwrap_or_default())
            }
        }
    }

    /// Passes one stretch, whose records are all wanted, with less code and in more time.
    #[inline(never)]
    pub(crate) fn pass_all(&self, start: usize) -> [Lane; 1] {
        self.pass_in(self.endian, start, &|_| true)
    }

    #[inline(always)]
    fn pass_in<const N: usize>(
        &self,
        endian: Endian,
        start: usize,
        is_wanted: &impl Fn(&[Record]) -> bool,
    ) -> [Lane; N] {
        let mut ends = [0; N];
        let mut at = [self.types.len(); N];
        let mut next = Some(start);
        for (at, end) in at.iter_mut().zip(&mut ends) {
            let Some(guess) = next else { break };
            (*at, *end) = (guess, guess.saturating_add(STRETCH).min(self.types.len()));
            next = self.guess(*end);
        }
        let starts = at;
        // A round passes a record of each, as long as all have one. Counted once and with one answer for all, this takes
        // few registers.
        let (mut rounds, mut any_is_wanted) = (0, false);
        while at.iter().zip(&ends).all(|(at, end)| at < end) {
            let found = at.map(|at| self.record(endian, at));
            let Some(found) = all(found) else { break };
            any_is_wanted |= is_wanted(&found.map(|(record, _)| record));
            at = found.map(|(_, behind)| behind);
            rounds += 1;
        }
        let mut lanes = [Lane::default(); N];
        for (lane, ((&start, &at), &end)) in lanes.iter_mut().zip(starts.iter().zip(&at).zip(&ends)) {
            *lane = Lane { start, at, count: rounds, is_wanted: false };
            while lane.at < end {
                let Some((record, behind)) = self.record(endian, lane.at) else { break };
                any_is_wanted |= is_wanted(&[record]);
                lane.at = behind;
                lane.count += 1;
            }
        }
        lanes.map(|lane| Lane { is_wanted: any_is_wanted, ..lane })
    }

    /// The first place from here on where a record seems to begin.
    #[inline(never)]
    fn guess(&self, from: usize) -> Option<usize> {
        let seems = |&start: &usize| {
            self.record(self.endian, start)
                .is_some_and(|(record, _)| (record.name_off as usize) < self.strings.len())
        };
        (from..self.types.len()).step_by(size_of::<u32>()).take(GUESSES).find(seems)
    }

    /// The record that begins here, and where what follows it ends.
    // What is wrong with it is found out where it is told: an eager error would cost each of 100,000 rounds a drop.
    #[inline(always)]
    fn record(&self, endian: Endian, start: usize) -> Option<(Record, usize)> {
        let (raw, behind) = RawRecord::ref_from_prefix(self.types.get(start..)?).ok()?;
        let record = raw.read(endian);
        let len = record.trail_len();
        (len <= behind.len() as u64).then(|| (record, start + size_of::<RawRecord>() + len as usize))
    }

    /// Why there is no record here.
    #[cold]
    fn fault(&self, start: usize) -> Error {
        let offset = self.types_at + start;
        let raw = self.types.get(start..).and_then(|rest| RawRecord::ref_from_prefix(rest).ok());
        let kind = raw.map(|(raw, _)| raw.read(self.endian).raw_kind());
        match kind.filter(|&kind| Kind::from_number(kind).is_none()) {
            Some(kind) => Error::UnknownKind { offset, kind },
            None => Error::Record { offset },
        }
    }

    /// Visits the records of a stretch, until `visit` breaks.
    pub(crate) fn visit<B>(
        &self,
        stretch: Stretch,
        mut visit: impl FnMut(Stop<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut mark = stretch.from;
        while mark.start < stretch.to.start {
            let start = mark.start as usize;
            // There is one: the stretch has been passed.
            let Some((record, end)) = self.record(self.endian, start) else { break };
            let trail = self.types.get(start + size_of::<RawRecord>()..end).unwrap_or_default();
            visit(Stop { mark, record, trail })?;
            mark = Mark { start: end as u32, place: mark.place + 1 };
        }
        ControlFlow::Continue(())
    }
}

/// All of them, if there are all.
#[inline(always)]
fn all<const N: usize>(found: [Option<(Record, usize)>; N]) -> Option<[(Record, usize); N]> {
    found.iter().all(Option::is_some).then(|| found.map(Option::unwrap_or_default))
}
