//! Walks that lose objects where a read ends: only what one read gives whole is taken. What does not fit is walked again
//! in halves, each of which passes the other's objects over.

use std::borrow::Borrow;
use std::io;

use kwalk_query::Partition;

use super::output::Output;
use super::prepared::{In, Prepared};
use crate::error::Error;
use crate::sys::{ElemFlags, MapFd, MapLookupElem, MapUpdateElem, bpf};

/// The walks of a question in one network namespace after the other, each of them as the outputs of its parts.
pub(super) struct Partitions<'a, P, N> {
    prepared: P,
    /// Which of the program's maps says what is walked.
    map: u32,
    /// The namespaces that are still to be walked in.
    namespaces: N,
    netns: In<'a>,
    /// What is still to be walked in this one, the next part last.
    rest: Vec<Partition>,
}

impl<'a, P: Borrow<Prepared<'a>>, N> Partitions<'a, P, N> {
    pub(super) fn new(prepared: P, map: u32, namespaces: N) -> Partitions<'a, P, N> {
        Partitions { prepared, map, namespaces, netns: In::Own, rest: Vec::new() }
    }

    fn map(&self) -> Option<&MapFd> {
        self.prepared.borrow().loaded.maps().get(self.map as usize)
    }

    /// The output of the walk of a partition, or none if one read did not reach the end.
    fn walk(&self, partition: Partition) -> Result<Option<Vec<u8>>, Error> {
        if let Some(map) = self.map() {
            bpf(MapUpdateElem { map, key: &[0; 4], value: &partition.value(), flags: ElemFlags::empty() })?;
        }
        let mut walk = self.prepared.borrow().iter(&self.netns)?;
        let mut output = walk.read_once()?.to_vec();
        if !self.has_ended()? {
            // One object is no more than a read gives: there are too many to go through in one.
            let passed = || Error::Read { bytes: 0, source: io::Error::from_raw_os_error(libc::EAGAIN) };
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
        if let Some(map) = self.map() {
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
                match self.namespaces.next()? {
                    Ok(netns) => self.netns = netns,
                    Err(error) => return Some(Err(error)),
                }
                self.rest.push(Partition::ALL);
                continue;
            };
            match self.walk(partition) {
                Ok(Some(output)) => return Some(Ok(Output::Bytes(output))),
                Ok(None) => self.rest.extend(partition.halves().into_iter().flatten()),
                Err(error) => {
                    // As other walks, which are over when one of their reads fails.
                    self.rest.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
