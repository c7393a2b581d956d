//! Reads the rows of walks.

use std::fmt;

use kwalk_query::{NotARow, Row, Schema};

use super::output::Output;
use crate::error::Error;
use crate::iter::Iter;
use crate::link::Link;

/// The rows of a walk, or of several walks, one after the other.
pub struct Rows<'p> {
    schema: Schema,
    /// The walk that is being read.
    walk: Option<Iter>,
    /// The walks after it.
    rest: Box<dyn Iterator<Item = Result<Output, Error>> + Send + 'p>,
    /// The bytes that were read. Those before `at` were returned.
    pending: Vec<u8>,
    at: usize,
}

impl<'p> Rows<'p> {
    /// Starts a walk of a link whose program writes rows of this schema.
    ///
    /// This is a single walk, which shows the first row of objects that can have several. If the target's walks lose objects between two reads
    /// ([`Target::loses`](kwalk_progs::Target::loses)), it does so too, without an error: to avoid that takes the
    /// program's maps, which a [`Prepared`](super::Prepared) has.
    ///
    /// # Errors
    ///
    /// Those of [`Link::iter`].
    pub fn of(link: &Link, schema: Schema) -> Result<Rows<'static>, Error> {
        Ok(Rows { walk: Some(link.iter()?), ..Rows::new(schema, std::iter::empty()) })
    }

    pub(super) fn new(
        schema: Schema,
        walks: impl Iterator<Item = Result<Output, Error>> + Send + 'p,
    ) -> Rows<'p> {
        Rows { schema, walk: None, rest: Box::new(walks), pending: Vec::new(), at: 0 }
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
    /// one of several walks.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        // The row is borrowed after the loop, because the buffer can't grow while it is borrowed.
        let len = loop {
            let rest = self.pending.get(self.at..).unwrap_or_default();
            if let Some((_, len @ 1..)) = self.schema.row(rest)? {
                break len;
            }
            if !self.read()? {
                return Ok(None);
            }
        };
        let bytes = self.pending.get(self.at..self.at + len).unwrap_or_default();
        self.at += len;
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
