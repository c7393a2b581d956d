//! The walks of a question that is prepared, and their rows.

use std::borrow::Borrow;
use std::iter::once;

use super::cgroups::{self, Walked};
use super::output::Output;
use super::partitions::Partitions;
use super::prepared::{In, Prepared};
use super::rows::Rows;
use crate::error::Error;
use crate::scope::Scope;

impl<'a> Prepared<'a> {
    /// Walks, and gives the rows as they come. Of network namespaces, one is walked after the other.
    ///
    /// The kernel does not go on with a walk of cgroups beyond its buffer of 8 pages. If there is more, it is done in two:
    /// the cgroups' ids first, in one walk, then each of them by its id, in that order. One that has gone in between is left
    /// out, as is one outside of this process's cgroup namespace, which has no id there.
    ///
    /// Where a target's walks lose objects between two reads ([`Target::loses`](kwalk_progs::Target::loses)), only what one read gives whole is taken; if
    /// there is more, it is walked again in halves, so often that each object is shown, and once. That takes about two walks
    /// for each 32 kB of rows, and goes through all objects in half of them.
    ///
    /// # Errors
    ///
    /// What [`Link::iter`](crate::Link::iter) and, for the first network namespace, [`Link::iter_in`](crate::Link::iter_in) report; for the others,
    /// [`Rows::next_row`] does, and goes on with those that follow if it is asked again. [`Error::Read`], too, of cgroups and
    /// where walks lose objects: with `EAGAIN` if there are more than 1,000,000, which no read goes through.
    pub fn rows(&mut self) -> Result<Rows<'_>, Error> {
        rows(&*self)
    }

    /// The same once, without keeping what is loaded for another walk.
    ///
    /// # Errors
    ///
    /// As [`Prepared::rows`].
    pub fn into_rows(self) -> Result<Rows<'a>, Error> {
        rows(self)
    }
}

/// The rows of a walk of what is prepared, owned or borrowed. What keeps the first walk from starting is said before
/// anything is read.
fn rows<'a: 'p, 'p, P>(prepared: P) -> Result<Rows<'p>, Error>
where
    P: Borrow<Prepared<'a>> + Send + 'p,
{
    let this = prepared.borrow();
    let schema = this.plan.schema().cloned().unwrap_or_default();
    if let Scope::Cgroup { .. } = this.scope {
        return Ok(match cgroups::walk(this)? {
            Walked::Output(output) => Rows::new(schema, once(Ok(Output::Bytes(output)))),
            Walked::Ids(ids) => {
                let one = move |id| cgroups::one(prepared.borrow(), id);
                Rows::new(schema, ids.into_iter().filter_map(one))
            }
        });
    }
    let namespaces = this.namespaces();
    match this.plan.partition {
        Some(map) => Rows::new(schema, Partitions::new(prepared, map, namespaces)).begun(),
        None => {
            let walk = move |netns: Result<In<'_>, Error>| Ok(Output::Iter(prepared.borrow().iter(&netns?)?));
            Rows::new(schema, namespaces.map(walk)).begun()
        }
    }
}
