//! Raw rows in a file that can be read back without other data, and that shows if it was truncated.
//!
//! Numbers are in the byte order of the machine that wrote the file, which its byte-order mark tells.
//!
//! | bytes | what |
//! |---|---|
//! | 6 | `kwalk\0` |
//! | 2 | the version, 1 |
//! | 4 | the byte-order mark, 0x01020304 |
//! | 4 | the length of the schema |
//! | | the schema ([`Schema::encode`]) |
//! | 4 | the length of a chunk, not 0 |
//! | | the chunk: whole rows, one after the other ([`Schema::row`]) |
//! | | more chunks |
//! | 4 | 0: the end of the chunks, written only after a complete walk |
//! | 8 | the number of rows |
//! | 8 | the number of their bytes |
//!
//! ```
//! use kwalk::print::{Format, raw::{Raw, Reader}};
//! use kwalk::select::Schema;
//!
//! let mut file = Vec::new();
//! let mut raw = Raw::new(&Schema::default());
//! raw.begin(&mut file);
//! raw.end(&mut file);
//!
//! let mut reader = Reader::new(&file[..])?;
//! assert!(reader.next_row()?.is_none());
//! # Ok::<(), kwalk::print::raw::Error>(())
//! ```

use std::io::{self, Read};
use std::{error, fmt};

use kwalk_query::{NotARow, NotASchema, Row, Schema};

use super::format::{Format, append};

const MAGIC: [u8; 6] = *b"kwalk\0";
const VERSION: u16 = 1;
const MARK: u32 = 0x0102_0304;

/// Writes raw rows.
#[derive(Debug)]
pub struct Raw {
    schema: Vec<u8>,
    /// The position of the length of the open chunk, to which rows are appended.
    open: Option<usize>,
    rows: u64,
    bytes: u64,
}

impl Raw {
    /// The format for rows of this schema.
    pub fn new(schema: &Schema) -> Raw {
        let mut bytes = Vec::new();
        schema.encode(&mut bytes);
        Raw { schema: bytes, open: None, rows: 0, bytes: 0 }
    }

    fn len(bytes: usize) -> [u8; 4] {
        // No buffer has a schema or chunk of more than 4 GiB.
        u32::try_from(bytes).unwrap_or(u32::MAX).to_ne_bytes()
    }
}

impl Format for Raw {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_ne_bytes());
        out.extend_from_slice(&MARK.to_ne_bytes());
        out.extend_from_slice(&Raw::len(self.schema.len()));
        out.extend_from_slice(&self.schema);
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        if self.open.is_none() {
            self.open = Some(out.len());
            out.extend_from_slice(&[0; 4]);
        }
        append(row.bytes(), out);
        self.rows += 1;
        self.bytes += row.bytes().len() as u64;
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(at) = self.open.take() {
            let len = Raw::len(out.len().saturating_sub(at + 4));
            if let Some(place) = out.get_mut(at..at + 4) {
                place.copy_from_slice(&len);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.rows.to_ne_bytes());
        out.extend_from_slice(&self.bytes.to_ne_bytes());
    }
}

/// Reads raw rows.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    schema: Schema,
    chunk: Vec<u8>,
    /// How many bytes of the chunk were returned.
    at: usize,
    rows: u64,
    bytes: u64,
    ended: bool,
}

/// Why raw rows can't be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The input can't be read.
    Io(io::Error),
    /// It does not start as raw rows do.
    NotRows,
    /// It was written by a machine of the other byte order.
    ByteOrder,
    /// It has a version that this crate can't read.
    Version(u16),
    /// It is truncated, or the walk was aborted.
    Cut,
    /// Its schema is invalid.
    Schema(NotASchema),
    /// A row in it is invalid.
    Row(NotARow),
    /// Its rows or bytes are not as many as it says.
    Total,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => error.fmt(f),
            Error::NotRows => f.write_str("these are no rows that `kwalk -o raw` has written"),
            Error::ByteOrder => f.write_str("these rows are of a machine of the other byte order"),
            Error::Version(version) => write!(f, "these rows are of version {version}, not {VERSION}"),
            Error::Cut => f.write_str("these rows are cut off"),
            Error::Schema(error) => error.fmt(f),
            Error::Row(error) => error.fmt(f),
            Error::Total => f.write_str("these are not as many rows as there were"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            Error::Schema(error) => Some(error),
            Error::Row(error) => Some(error),
            _ => None,
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// All but [`Error::Row`] and [`Error::Total`].
    pub fn new(input: R) -> Result<Reader<R>, Error> {
        let schema = Schema::default();
        let mut reader = Reader { input, schema, chunk: Vec::new(), at: 0, rows: 0, bytes: 0, ended: false };
        if reader.array::<6>()? != MAGIC {
            return Err(Error::NotRows);
        }
        let version = u16::from_ne_bytes(reader.array()?);
        match u32::from_ne_bytes(reader.array()?) {
            MARK => {}
            mark if mark == MARK.swap_bytes() => return Err(Error::ByteOrder),
            _ => return Err(Error::NotRows),
        }
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let len = u32::from_ne_bytes(reader.array()?);
        reader.fill(len)?;
        reader.schema = Schema::decode(&reader.chunk).map_err(Error::Schema)?;
        reader.chunk.clear();
        Ok(reader)
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads the next row; `None` after the last row of a complete file.
    ///
    /// # Errors
    ///
    /// [`Error::Cut`] if the file is truncated; [`Error::Io`], [`Error::Row`], [`Error::Total`].
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Error> {
        if self.at == self.chunk.len() && !self.next_chunk()? {
            return Ok(None);
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        match self.schema.row(rest).map_err(Error::Row)? {
            Some((row, len)) if len > 0 => {
                self.at += len;
                self.rows += 1;
                self.bytes += len as u64;
                Ok(Some(row))
            }
            _ => Err(Error::Row(NotARow { text: None })),
        }
    }

    /// Reads a chunk, and returns whether there was one.
    fn next_chunk(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        let len = u32::from_ne_bytes(self.array()?);
        self.at = 0;
        self.fill(len)?;
        if len > 0 {
            return Ok(true);
        }
        let total = (u64::from_ne_bytes(self.array()?), u64::from_ne_bytes(self.array()?));
        self.ended = true;
        if total == (self.rows, self.bytes) { Ok(false) } else { Err(Error::Total) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Cut,
            _ => Error::Io(error),
        })?;
        Ok(bytes)
    }

    /// Reads this many bytes. The length is not trusted: no memory is allocated for bytes that are not there.
    fn fill(&mut self, len: u32) -> Result<(), Error> {
        self.chunk.clear();
        let read = self.input.by_ref().take(len.into()).read_to_end(&mut self.chunk).map_err(Error::Io)?;
        if read == len as usize { Ok(()) } else { Err(Error::Cut) }
    }
}
