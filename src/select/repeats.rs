//! Walks of targets whose objects can have several rows: one walk for each row of the object that has the most.

use std::borrow::Borrow;

use kwalk_query::NthRow;

use super::output::Output;
use super::prepared::{In, Prepared};
use crate::error::Error;
use crate::iter::Iter;

/// The outputs of a question's walks, one row of each object after the other, in one network namespace after the other.
pub(super) struct Repeats<'a, P, N> {
    pub(super) prepared: P,
    /// The namespaces that were not walked yet.
    namespaces: N,
    /// The namespace that is walked, and the row that the last walk showed.
    walked: Option<(In<'a>, NthRow)>,
}

impl<'a, P: Borrow<Prepared<'a>>, N: Iterator<Item = Result<In<'a>, Error>>> Repeats<'a, P, N> {
    pub(super) fn new(prepared: P, namespaces: N) -> Repeats<'a, P, N> {
        Repeats { prepared, namespaces, walked: None }
    }

    /// Goes on to the next namespace or row to walk; false after the last.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        let prepared = self.prepared.borrow();
        let following = match self.walked.take() {
            Some((netns, row)) => prepared.row_after(row)?.map(|row| (netns, row)),
            None => None,
        };
        let (netns, row) = match following {
            Some(following) => following,
            None => match self.namespaces.next().transpose()? {
                Some(netns) => (netns, NthRow(0)),
                None => return Ok(false),
            },
        };
        prepared.set_row(row)?;
        self.walked = Some((netns, row));
        Ok(true)
    }

    /// Starts a walk of the namespace and the row where this is. If that fails, the next one is of another namespace.
    pub(super) fn walk(&mut self) -> Result<Iter, Error> {
        let own = (In::Own, NthRow(0));
        let walk = self.prepared.borrow().iter(&self.walked.as_ref().unwrap_or(&own).0);
        if walk.is_err() {
            self.walked = None;
        }
        walk
    }
}

impl<'a, P: Borrow<Prepared<'a>>, N: Iterator<Item = Result<In<'a>, Error>>> Iterator for Repeats<'a, P, N> {
    type Item = Result<Output, Error>;

    fn next(&mut self) -> Option<Result<Output, Error>> {
        match self.advance() {
            Ok(true) => Some(self.walk().map(Output::Iter)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
