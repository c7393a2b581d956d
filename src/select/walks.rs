//! Starts the walks of a prepared question.

use std::borrow::Borrow;
use std::iter::once;

use kwalk_query::Undecided;

use super::cgroups::{self, Walked};
use super::output::Output;
use super::partitions::Partitions;
use super::prepared::Prepared;
use super::repeats::Repeats;
use super::rows::Rows;
use crate::error::Error;
use crate::scope::Scope;

impl<'a> Prepared<'a> {
    /// Starts a walk, and returns its rows as they come. If the scope has several network namespaces, they are walked
    /// one after the other.
    ///
    /// The kernel does not continue a walk of cgroups beyond its buffer of 8 pages. If there are more, the walk is done
    /// in two steps: one walk gets the ids of the cgroups, then each cgroup is walked by its id, in the same order.
    /// Cgroups that are removed in between are left out, and so are those outside of this process's cgroup namespace,
    /// where they have no id.
    ///
    /// If objects can have several rows, such as routes to a group of next hops, each walk shows one row of each object, and
    /// there are as many walks as the object has rows that has most.
    ///
    /// If a target's walks lose objects between two reads ([`Target::loses`](kwalk_progs::Target::loses)), only walks
    /// that are complete after one read are used. If there are more objects, they are split into halves and walked
    /// again, until every object is shown, once. This takes about two walks per 32 kB of rows, half of which visit all
    /// objects.
    ///
    /// # Errors
    /// Those of [`Link::iter`](crate::Link::iter) and, for the first network namespace, of
    /// [`Link::iter_in`](crate::Link::iter_in). For other namespaces, [`Rows::next_row`] returns the error, and
    /// continues with the next namespace if it is called again. [`Error::Read`] for cgroups and for targets whose walks
    /// lose objects: with `EAGAIN` for more than 1,000,000 objects, which no single read can visit.
    pub fn rows(&mut self) -> Result<Rows<'_>, Error> {
        started(&*self)
    }

    /// Starts one walk, and drops the prepared question with the rows.
    ///
    /// # Errors
    ///
    /// Those of [`Prepared::rows`].
    pub fn into_rows(self) -> Result<Rows<'a>, Error> {
        started(self)
    }
}

/// The rows of a walk of a prepared question, owned or borrowed. The first walk is started at once, so that its error
/// is returned before any row.
fn started<'a: 'p, 'p, P>(prepared: P) -> Result<Rows<'p>, Error>
where
    P: Borrow<Prepared<'a>> + Send + 'p,
{
    let this = prepared.borrow();
    let rows = Rows::new(&this.plan)?;
    this.set_undecided(&[0; Undecided::SIZE])?;
    if let Scope::Cgroup { .. } = this.scope {
        return Ok(match cgroups::walk(this)? {
            Walked::Output(output) => rows.with(once(Ok(Output::Bytes(output)))),
            Walked::Ids(ids) => {
                let one = move |id| cgroups::one(prepared.borrow(), id);
                rows.with(ids.into_iter().filter_map(one))
            }
        });
    }
    let namespaces = this.namespaces();
    let partition = this.plan.partition;
    let repeats = Repeats::new(prepared, namespaces);
    match partition {
        Some(map) => rows.with(Partitions::new(repeats, map)).begun(),
        None => rows.with(repeats).begun(),
    }
}
