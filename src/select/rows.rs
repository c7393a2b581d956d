//! The rows of walks, one after the other.

use std::fmt;

use kwalk_query::{NotARow, Row, Schema};

use super::output::Output;
use crate::error::Error;
use crate::iter::Iter;
use crate::link::Link;

/// The rows of a walk, or of several, one after the other: gives them as they come.
pub struct Rows<'p> {
    schema: Schema,
    /// The walk that is being read.
    walk: Option<Iter>,
    /// Those that come after it.
    rest: Box<dyn Iterator<Item = Result<Output, Error>> + Send + 'p>,
    /// What has been read, of which what lies before `at` has been given.
    pending: Vec<u8>,
    at: usize,
}

impl<'p> Rows<'p> {
    /// Starts a walk of a link whose program has written, or writes, rows of this schema.
    ///
    /// It is one walk, which loses objects where a read of the kernel's ends if the target's walks do
    /// ([`Target::loses`](kwalk_progs::Target::loses)), without an error: what it takes to have them all are the program's
    /// maps, which a [`Prepared`](super::Prepared) has.
    ///
    /// # Errors
    ///
    /// What [`Link::iter`] reports.
    pub fn of(link: &Link, schema: Schema) -> Result<Rows<'static>, Error> {
        Ok(Rows { walk: Some(link.iter()?), ..Rows::new(schema, std::iter::empty()) })
    }

    pub(super) fn new(
        schema: Schema,
        walks: impl Iterator<Item = Result<Output, Error>> + Send + 'p,
    ) -> Rows<'p> {
        Rows { schema, walk: None, rest: Box::new(walks), pending: Vec::new(), at: 0 }
    }

    /// The same with the first walk started: what keeps it from that is said before anything is read.
    pub(super) fn begun(mut self) -> Result<Rows<'p>, Error> {
        self.begin()?;
        Ok(self)
    }

    /// Goes on to the next walk, and gives whether there is one.
    fn begin(&mut self) -> Result<bool, Error> {
        match self.rest.next().transpose()? {
            Some(Output::Iter(walk)) => self.walk = Some(walk),
            Some(Output::Bytes(output)) => self.pending = output,
            None => return Ok(false),
        }
        Ok(true)
    }

    /// The columns of the rows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether the next row has to be asked for: the kernel may take its time.
    pub fn is_drained(&self) -> bool {
        self.at == self.pending.len()
    }

    /// The next row; none at the end, of which the kernel has said that it is the end.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] where the walk breaks off, [`Error::Row`] where its output is not made of rows; of several walks,
    /// what keeps one of them from being started.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        // A row is borrowed only when nothing more has to be read for it.
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

    /// Reads on, and gives whether there is more. A row may come in two reads, where the kernel's buffer is larger than
    /// ours.
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
                // Another read would start it again.
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
