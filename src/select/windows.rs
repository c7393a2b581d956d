//! Walks that lose objects where a read ends: only what one read gives whole is taken. What does not fit is walked again
//! in halves, each of which passes the other's objects over.

use std::io;

use kwalk_progs::select::Window;

use super::Walk;
use crate::sys::{ElemFlags, MapFd, MapLookupElem, MapUpdateElem, bpf};
use crate::{Error, Link, Loaded, Netns};

/// The walks of a selection in one place after the other, each of them as the outputs of its parts.
pub(super) struct Windows<P> {
    loaded: Loaded,
    link: Link,
    /// Which of the program's maps says what is walked.
    map: u32,
    /// The namespaces that are still to be walked in; none is this process's own.
    places: P,
    place: Option<Netns>,
    /// What is still to be walked in this one, the next part last.
    rest: Vec<Window>,
}

impl<P> Windows<P> {
    pub(super) fn new(loaded: Loaded, link: Link, map: u32, places: P) -> Windows<P> {
        Windows { loaded, link, map, places, place: None, rest: Vec::new() }
    }

    fn map(&self) -> Option<&MapFd> {
        self.loaded.maps().get(self.map as usize)
    }

    /// The output of the walk of a window, or none if one read did not reach the end.
    fn walk(&self, window: Window) -> Result<Option<Vec<u8>>, Error> {
        if let Some(map) = self.map() {
            bpf(MapUpdateElem { map, key: &[0; 4], value: &window.value(), flags: ElemFlags::empty() })?;
        }
        let mut walk = match &self.place {
            Some(netns) => self.link.iter_in(netns)?,
            None => self.link.iter()?,
        };
        let mut output = walk.read_once()?.to_vec();
        if !self.has_ended()? {
            // One object is no more than a read gives: there are too many to go through in one.
            let passed = || Error::Read { bytes: 0, source: io::Error::from_raw_os_error(libc::EAGAIN) };
            return if window.halves().is_some() { Ok(None) } else { Err(passed()) };
        }
        loop {
            match walk.next_chunk()? {
                [] => return Ok(Some(output)),
                chunk => output.extend_from_slice(chunk),
            }
        }
    }

    fn has_ended(&self) -> Result<bool, Error> {
        let mut value = Window::ALL.value();
        if let Some(map) = self.map() {
            bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
        }
        Ok(Window::has_ended(&value))
    }
}

impl<P: Iterator<Item = Result<Option<Netns>, Error>>> Iterator for Windows<P> {
    type Item = Result<Walk, Error>;

    fn next(&mut self) -> Option<Result<Walk, Error>> {
        loop {
            let Some(window) = self.rest.pop() else {
                match self.places.next()? {
                    Ok(place) => self.place = place,
                    Err(error) => return Some(Err(error)),
                }
                self.rest.push(Window::ALL);
                continue;
            };
            match self.walk(window) {
                Ok(Some(output)) => return Some(Ok(Walk::Output(output))),
                Ok(None) => self.rest.extend(window.halves().into_iter().flatten()),
                Err(error) => {
                    // As other walks, which are over when one of their reads fails.
                    self.rest.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
