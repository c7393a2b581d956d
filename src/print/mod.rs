//! What goes to a person, or to another program: knows nothing of the kernel.

mod append;
pub mod csv;
mod escape;
mod human;
pub mod json;
mod number;
mod progress;
pub mod raw;
pub mod table;

pub use escape::{Escape, escape_line};
pub use progress::Progress;

use crate::select::Row;

/// Adds the name of a kernel address to a buffer: printable text.
pub type Symbols = Box<dyn Fn(u64, &mut Vec<u8>)>;

/// Rows as bytes. What a format gives is added to a buffer that is its user's, to be written and emptied at any time: no
/// format but the table keeps rows, or allocates for one.
pub trait Format {
    /// What comes before the rows.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// How the addresses of stacks are to be shown, which are numbers otherwise.
    fn symbolise(&mut self, _symbols: Symbols) {}

    /// One more row.
    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>);

    /// Called before `out` is written and emptied, which some formats want to know.
    fn flush(&mut self, _out: &mut Vec<u8>) {}

    /// What comes behind the last row of a walk that has broken off.
    fn broken_off(&mut self, _out: &mut Vec<u8>) {}

    /// What comes behind the last row of a walk that has come to its end.
    fn end(&mut self, out: &mut Vec<u8>);
}
