//! Walks of targets whose objects can have several rows: one walk for each row of the object that has the most.

use std::borrow::Borrow;

use kwalk_query::NthRow;

use super::output::Output;
use super::prepared::{In, Prepared};
use crate::error::Error;

/// The outputs of a question's walks, one row of each object after the other, in one network namespace after the other.
pub(super) struct Repeats<'a, P, N> {
    prepared: P,
    /// The namespaces that were not walked yet.
    namespaces: N,
    /// The namespace that is walked, and the row that the last walk showed.
    walked: Option<(In<'a>, NthRow)>,
}

impl<'a, P: Borrow<Prepared<'a>>, N: Iterator<Item = Result<In<'a>, Error>>> Repeats<'a, P, N> {
    pub(super) fn new(prepared: P, namespaces: N) -> Repeats<'a, P, N> {
        Repeats { prepared, namespaces, walked: None }
    }

    /// The next namespace and row to walk; `None` after the last.
    fn following(&mut self) -> Result<Option<(In<'a>, NthRow)>, Error> {
        if let Some((netns, row)) = self.walked.take() {
            if let Some(row) = self.prepared.borrow().row_after(row)? {
                return Ok(Some((netns, row)));
            }
        }
        Ok(self.namespaces.next().transpose()?.map(|netns| (netns, NthRow(0))))
    }
}

impl<'a, P: Borrow<Prepared<'a>>, N: Iterator<Item = Result<In<'a>, Error>>> Iterator for Repeats<'a, P, N> {
    type Item = Result<Output, Error>;

    fn next(&mut self) -> Option<Result<Output, Error>> {
        let (netns, row) = match self.following() {
            Ok(following) => following?,
            Err(error) => return Some(Err(error)),
        };
        let prepared = self.prepared.borrow();
        let walk = prepared.set_row(row).and_then(|()| prepared.iter(&netns));
        self.walked = walk.is_ok().then_some((netns, row));
        Some(walk.map(Output::Iter))
    }
}
