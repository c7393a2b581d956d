//! Sequential traversal of type records, whose lengths depend on their contents.
//!
//! The start of a record is known only after the one before was read. To use the processor in parallel, several blocks
//! are scanned side by side: the start of each but the first is guessed, and its result is discarded unless the block
//! before ends exactly there.

use core::iter;
use core::ops::ControlFlow;

use zerocopy::FromBytes;

use crate::wire::{Endian, Layout, RawRecord, Record};
use crate::{Btf, Error, Kind, TypeId};

/// The size of a block in bytes; it ends with the record that reaches beyond. A block has some 160 of a kernel's
/// records, half of which a look-up by id must pass.
pub(crate) const BLOCK: usize = 4096;

/// The number of blocks that are scanned side by side.
pub(crate) const LANES: usize = 4;

/// The number of offsets that are tried to find the start of a record.
const GUESSES: usize = 64;

/// The start of a record, or the end of the last one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Position {
    /// The offset in the type section, which has at most 4 GiB.
    pub(crate) offset: u32,
    /// The number of records before it.
    pub(crate) index: u32,
}

/// Consecutive records.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// Whether one of the records may be wanted.
    pub(crate) is_wanted: bool,
}

/// A record and its position.
pub(crate) struct Entry<'a> {
    pub(crate) position: Position,
    pub(crate) record: Record,
    /// What follows the record: members and the like.
    pub(crate) trail: &'a [u8],
}

/// The result of a scan from an offset where a block may begin.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lane {
    start: usize,
    end: usize,
    count: u32,
    is_wanted: bool,
}

impl Lane {
    /// The block that was scanned, if it begins at `from`.
    fn after(&self, from: Position) -> Option<Block> {
        let to = Position { offset: self.end as u32, index: from.index + self.count };
        let follows = self.start == from.offset as usize && self.count > 0;
        follows.then_some(Block { from, to, is_wanted: self.is_wanted })
    }
}

impl<'a> Btf<'a> {
    /// The blocks from a position on, up to the end or to a damaged record, scanned by `scan`: [`Btf::scan`] or
    /// [`Btf::scan_all`]. Each is added to the index.
    pub(crate) fn blocks<const N: usize>(
        &self,
        mut from: Position,
        scan: impl Fn(usize) -> [Lane; N],
    ) -> impl Iterator<Item = Result<Block, Error>> {
        let mut lanes = [Lane::default(); N].into_iter();
        iter::from_fn(move || {
            let start = from.offset as usize;
            if start == self.types.len() {
                return None;
            }
            let block = lanes.next().and_then(|lane| lane.after(from)).or_else(|| {
                lanes = scan(start).into_iter();
                lanes
                    .next()
                    .and_then(|lane| lane.after(from))
                    .or_else(|| self.scan_by_layout(start).after(from))
            });
            let Some(block) = block else { return Some(Err(self.record_error(start))) };
            self.index.learn(block.to, self.types.len());
            from = block.to;
            Some(Ok(block))
        })
    }

    /// Scans the block at `start`, and those that probably follow. `is_wanted` tells whether one of these records may
    /// be wanted.
    #[inline(never)]
    pub(crate) fn scan(&self, start: usize, is_wanted: &impl Fn(&[Record]) -> bool) -> [Lane; LANES] {
        if self.endian == Endian::NATIVE {
            // With a constant byte order, the check of it is compiled out of the loop.
            return self.scan_in(Endian::NATIVE, start, is_wanted);
        }
        let [first] = self.scan_all(start);
        [first, Lane::default(), Lane::default(), Lane::default()]
    }

    /// Scans one block, all of whose records are wanted. This is less code than [`Btf::scan`], and slower.
    #[inline(never)]
    pub(crate) fn scan_all(&self, start: usize) -> [Lane; 1] {
        self.scan_in(self.endian, start, &|_| true)
    }

    #[inline(always)]
    fn scan_in<const N: usize>(
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
            (*at, *end) = (guess, guess.saturating_add(BLOCK).min(self.types.len()));
            next = self.guess(*end);
        }
        let starts = at;
        // Each iteration reads one record per lane, as long as all lanes have one. A shared counter and a shared result
        // save registers.
        let (mut rounds, mut any_is_wanted) = (0, false);
        while at.iter().zip(&ends).all(|(at, end)| at < end) {
            let found = at.map(|at| self.record(endian, at));
            let Some(found) = all(found) else { break };
            any_is_wanted |= is_wanted(&found.map(|(record, _)| record));
            at = found.map(|(_, end)| end);
            rounds += 1;
        }
        let mut lanes = [Lane::default(); N];
        for (lane, ((&start, &at), &end)) in lanes.iter_mut().zip(starts.iter().zip(&at).zip(&ends)) {
            *lane = Lane { start, end: at, count: rounds, is_wanted: false };
            while lane.end < end {
                let Some((record, behind)) = self.record(endian, lane.end) else { break };
                any_is_wanted |= is_wanted(&[record]);
                lane.end = behind;
                lane.count += 1;
            }
        }
        lanes.map(|lane| Lane { is_wanted: any_is_wanted, ..lane })
    }

    /// Scans one block that begins with a record of an unknown kind.
    #[cold]
    fn scan_by_layout(&self, start: usize) -> Lane {
        let end = start.saturating_add(BLOCK).min(self.types.len());
        let mut lane = Lane { start, end: start, count: 0, is_wanted: true };
        while lane.end < end {
            let Some((_, behind)) = self.any_record(lane.end) else { break };
            lane.end = behind;
            lane.count += 1;
        }
        lane
    }

    /// The first offset from here on where a record could begin.
    #[inline(never)]
    fn guess(&self, from: usize) -> Option<usize> {
        let seems = |&start: &usize| {
            self.record(self.endian, start)
                .is_some_and(|(record, _)| u64::from(record.name_off) < self.names.end())
        };
        (from..self.types.len()).step_by(size_of::<u32>()).take(GUESSES).find(seems)
    }

    /// The record of a known kind at `start`, and the end of what follows it.
    // Not a `Result`: an error value would have to be dropped in each of 100,000 iterations. `record_error` finds the
    // error.
    #[inline(always)]
    fn record(&self, endian: Endian, start: usize) -> Option<(Record, usize)> {
        self.record_or(endian, start, |_| u64::MAX)
    }

    /// Like [`record`](Btf::record), but also for a kind whose length only the layout section gives.
    #[inline(always)]
    fn any_record(&self, start: usize) -> Option<(Record, usize)> {
        self.record_or(self.endian, start, |record| self.layout_len(record.raw_kind(), record.vlen()))
    }

    #[inline(always)]
    fn record_or(
        &self,
        endian: Endian,
        start: usize,
        unknown_len: impl Fn(&Record) -> u64,
    ) -> Option<(Record, usize)> {
        let (raw, behind) = RawRecord::ref_from_prefix(self.types.get(start..)?).ok()?;
        let record = raw.read(endian);
        let mut len = record.trail_len();
        if len > behind.len() as u64 {
            len = unknown_len(&record);
        }
        (len <= behind.len() as u64).then(|| (record, start + size_of::<RawRecord>() + len as usize))
    }

    /// The number of bytes after a record of an unknown kind, from the layout section.
    #[cold]
    fn layout_len(&self, kind: u8, vlen: u32) -> u64 {
        let sizes = Layout::of_unknown(self.layouts, kind);
        sizes.map_or(u64::MAX, |(once, each)| u64::from(once) + u64::from(each) * u64::from(vlen))
    }

    /// The error of the record at `start`.
    #[cold]
    fn record_error(&self, start: usize) -> Error {
        let offset = self.types_at + start;
        let raw = self.types.get(start..).and_then(|rest| RawRecord::ref_from_prefix(rest).ok());
        let record = raw.map(|(raw, _)| raw.read(self.endian));
        let has_len = |&kind: &u8| {
            Kind::from_number(kind).is_some() || Layout::of_unknown(self.layouts, kind).is_some()
        };
        match record.map(|record| record.raw_kind()) {
            Some(kind) if !has_len(&kind) => Error::UnknownKind { offset, kind },
            _ => Error::Record { offset },
        }
    }

    /// Visits the records of a block, until `visit` breaks.
    pub(crate) fn visit<B>(
        &self,
        block: Block,
        mut visit: impl FnMut(Entry<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut position = block.from;
        while position.offset < block.to.offset {
            let start = position.offset as usize;
            // The block was scanned, so there is a record.
            let Some((record, end)) = self.any_record(start) else { break };
            let trail = self.types.get(start + size_of::<RawRecord>()..end).unwrap_or_default();
            visit(Entry { position, record, trail })?;
            position = Position { offset: end as u32, index: position.index + 1 };
        }
        ControlFlow::Continue(())
    }

    /// The id of the type at this position among the own ones.
    pub(crate) fn id(&self, position: Position) -> TypeId {
        TypeId(self.first_id.saturating_add(position.index))
    }
}

/// All records; `None` if one is missing.
#[inline(always)]
fn all<const N: usize>(found: [Option<(Record, usize)>; N]) -> Option<[(Record, usize); N]> {
    found.iter().all(Option::is_some).then(|| found.map(Option::unwrap_or_default))
}
