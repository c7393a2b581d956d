//! Walks of targets that lose objects between two reads: only the output of walks that are complete after one read is
//! used. If it does not fit one read, each half of the objects is walked by itself.

use std::borrow::Borrow;
use std::io;

use kwalk_query::Partition;

use super::output::Output;
use super::prepared::{In, Prepared};
use super::repeats::Repeats;
use crate::error::Error;
use crate::sys::{ElemFlags, MapFd, MapLookupElem, MapUpdateElem, bpf};

/// The outputs of a question's walks, one partition after the other, of one row of each object after the other, in one
/// network namespace after the other.
pub(super) struct Partitions<'a, P, N> {
    repeats: Repeats<'a, P, N>,
    /// The index of the program's map that has the partition.
    map: u32,
    /// The partitions that were not walked yet, the next one last.
    rest: Vec<Partition>,
}

impl<'a, P, N> Partitions<'a, P, N>
where
    P: Borrow<Prepared<'a>>,
    N: Iterator<Item = Result<In<'a>, Error>>,
{
    pub(super) fn new(repeats: Repeats<'a, P, N>, map: u32) -> Partitions<'a, P, N> {
        Partitions { repeats, map, rest: Vec::new() }
    }

    fn partition_map(&self) -> Option<&MapFd> {
        self.repeats.prepared.borrow().loaded.maps().get(self.map as usize)
    }

    /// Walks a partition. Returns its output, or `None` if one read did not reach the end.
    fn walk(&mut self, partition: Partition) -> Result<Option<Vec<u8>>, Error> {
        if let Some(map) = self.partition_map() {
            bpf(MapUpdateElem { map, key: &[0; 4], value: &partition.value(), flags: ElemFlags::empty() })?;
        }
        let undecided = self.repeats.prepared.borrow().undecided_element()?;
        let mut walk = self.repeats.walk()?;
        let mut output = walk.read_once()?.to_vec();
        if !self.has_ended()? {
            // A single object always fits one read: so the walk visits too many objects for one.
            let passed = || Error::Read { bytes: 0, source: io::Error::from_raw_os_error(libc::EAGAIN) };
            self.repeats.prepared.borrow().set_undecided(&undecided)?;
            return if partition.halves().is_some() { Ok(None) } else { Err(passed()) };
        }
        loop {
            match walk.next_chunk()? {
                [] => return Ok(Some(output)),
                chunk => output.extend_from_slice(chunk),
            }
        }
    }

    fn has_ended(&self) -> Result<bool, Error> {
        let mut value = Partition::ALL.value();
        if let Some(map) = self.partition_map() {
            bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
        }
        Ok(Partition::has_ended(&value))
    }
}

impl<'a, P, N> Iterator for Partitions<'a, P, N>
where
    P: Borrow<Prepared<'a>>,
    N: Iterator<Item = Result<In<'a>, Error>>,
{
    type Item = Result<Output, Error>;

    fn next(&mut self) -> Option<Result<Output, Error>> {
        loop {
            let Some(partition) = self.rest.pop() else {
                match self.repeats.advance() {
                    Ok(true) => self.rest.push(Partition::ALL),
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            match self.walk(partition) {
                Ok(Some(output)) => return Some(Ok(Output::Bytes(output))),
                Ok(None) => self.rest.extend(partition.halves().into_iter().flatten()),
                Err(error) => {
                    // Like other walks, this one ends with the first read that fails.
                    self.rest.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
