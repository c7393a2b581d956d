//! Reads the rows of walks.

use std::fmt;

use kwalk_query::{NotARow, Plan, Row, Schema};

use super::completed::Completed;
use super::output::Output;
use crate::error::Error;
use crate::iter::Iter;
use crate::link::Link;

/// The rows of a walk, or of several walks, one after the other.
pub struct Rows<'p> {
    schema: Schema,
    /// What fills in the columns that the program does not write, if there are any.
    completed: Option<Completed>,
    /// The walk that is being read.
    walk: Option<Iter>,
    /// The walks after it.
    rest: Box<dyn Iterator<Item = Result<Output, Error>> + Send + 'p>,
    /// The bytes that were read. Those before `at` were returned.
    pending: Vec<u8>,
    at: usize,
}

impl<'p> Rows<'p> {
    /// Starts a walk of a link with the program of this plan.
    ///
    /// This is a single walk, which shows the first row of objects that can have several. If the target's walks lose objects between two reads
    /// ([`Target::loses`](kwalk_progs::Target::loses)), it does so too, without an error: to avoid that takes the
    /// program's maps, which a [`Prepared`](super::Prepared) has.
    ///
    /// # Errors
    ///
    /// Those of [`Link::iter`]; [`Error::NotA`] if columns are to be filled in and /proc is not that of this process's
    /// pid namespace.
    pub fn of(link: &Link, plan: &Plan) -> Result<Rows<'static>, Error> {
        Ok(Rows { walk: Some(link.iter()?), ..Rows::new(plan)? })
    }

    /// Rows of no walk.
    pub(super) fn new(plan: &Plan) -> Result<Rows<'p>, Error> {
        let completed = plan.completion.clone().map(Completed::new).transpose()?;
        let schema = plan.schema().cloned().unwrap_or_default();
        let rest = Box::new(std::iter::empty());
        Ok(Rows { schema, completed, walk: None, rest, pending: Vec::new(), at: 0 })
    }

    /// The rows of these walks.
    pub(super) fn with(self, walks: impl Iterator<Item = Result<Output, Error>> + Send + 'p) -> Rows<'p> {
        Rows { rest: Box::new(walks), ..self }
    }

    /// Starts the first walk, so that its error is returned before any row.
    pub(super) fn begun(mut self) -> Result<Rows<'p>, Error> {
        self.begin()?;
        Ok(self)
    }

    /// Starts the next walk, and returns whether there is one.
    fn begin(&mut self) -> Result<bool, Error> {
        match self.rest.next().transpose()? {
            Some(Output::Iter(walk)) => self.walk = Some(walk),
            Some(Output::Bytes(output)) => self.pending = output,
            None => return Ok(false),
        }
        Ok(true)
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether the next row must be read from the kernel, which may take a while.
    pub fn is_drained(&self) -> bool {
        self.at == self.pending.len()
    }

    /// The next row; `None` at the end of all walks.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a walk is aborted, [`Error::Row`] if its output is not a sequence of rows; errors in starting
    /// one of several walks. [`Error::Open`] if /proc refuses a process's arguments, and after the last row
    /// [`Error::Undecided`] if the condition could not be decided for all.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        // The row is borrowed after the loop, because the buffer can't grow while it is borrowed.
        let row = loop {
            let rest = self.pending.get(self.at..).unwrap_or_default();
            let written = self.completed.as_ref().map_or(&self.schema, Completed::written);
            if let Some((_, len @ 1..)) = written.row(rest)? {
                let row = self.at..self.at + len;
                self.at += len;
                let Some(completed) = &mut self.completed else { break row };
                if completed.complete(self.pending.get(row.clone()).unwrap_or_default())? {
                    break row;
                }
            } else if !self.read()? {
                self.completed.as_mut().map_or(Ok(()), Completed::ended)?;
                return Ok(None);
            }
        };
        let bytes = match &self.completed {
            Some(completed) => completed.bytes(),
            None => self.pending.get(row).unwrap_or_default(),
        };
        Ok(Some(self.schema.whole_row(bytes)))
    }

    /// Reads more bytes, and returns whether there were any. If the kernel's buffer is larger than ours, one row may
    /// come in two reads.
    fn read(&mut self) -> Result<bool, Error> {
        self.pending.drain(..self.at);
        self.at = 0;
        loop {
            if let Some(walk) = &mut self.walk {
                let chunk = walk.next_chunk()?;
                if !chunk.is_empty() {
                    self.pending.extend_from_slice(chunk);
                    return Ok(true);
                }
                // Another read would restart the kernel's walk.
                self.walk = None;
            }
            if !self.pending.is_empty() {
                return Err(NotARow { text: None }.into());
            }
            if !self.begin()? {
                return Ok(false);
            }
            if !self.pending.is_empty() {
                return Ok(true);
            }
        }
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).field("walk", &self.walk).finish_non_exhaustive()
    }
}
