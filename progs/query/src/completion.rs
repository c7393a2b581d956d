//! What user space does with each row that a program has written, before it is shown: it fills columns in from /proc,
//! and tests the conditions on them.
//!
//! A program can copy the memory of another process only by waiting for that memory, for ever if the process wants it:
//! so what is in such memory is read through /proc, which does not wait. The crate `kwalk` does this; a program that
//! is run by other means leaves it to whoever reads the rows.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::expr::Compare;
use crate::record::Schema;

/// What is to be done with each row.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The layout of what the program writes: the columns of the selection, those that its order needs, and then those
    /// that only this needs. Those that are filled in are NULL.
    pub written: Schema,
    /// The layout of a complete row, with the same columns.
    pub complete: Schema,
    /// The column with the process id (thread group id).
    pub tgid: usize,
    /// The column with the thread id.
    pub pid: usize,
    /// The column with the time at which the process was started, in nanoseconds since boot, suspension included. With
    /// the id it says which process it is, since ids are used again.
    pub start: usize,
    /// What to append to the bytes that the program has written ([`fill`](crate::fill)), in this order: texts, and then
    /// numbers, which depend on them.
    pub fills: Vec<Fill>,
    /// The numbers that are filled in.
    pub numbers: Vec<Choice>,
    /// The condition for the row to be shown.
    pub test: Option<Test>,
    /// The condition as SQL.
    pub(crate) sql: String,
}

impl Completion {
    /// The condition as SQL; `None` if there is none.
    pub fn condition(&self) -> Option<&str> {
        self.test.as_ref().map(|_| self.sql.as_str())
    }
}

/// What is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// The arguments of the process, each with a NUL after it.
    Arguments,
    /// The argument with this number, from 0 on, with a NUL after it.
    Argument(usize),
    /// A number, in 8 bytes.
    Number {
        /// Its index in [`Completion::numbers`].
        nth: usize,
        /// Whether its 64 bits are unsigned.
        unsigned: bool,
    },
}

/// A number that depends on conditions: a `CASE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The conditions, each with the column that has the number. The first that is true counts.
    pub arms: Vec<(Test, usize)>,
    /// The column with the number if none is true; `None` for NULL.
    pub otherwise: Option<usize>,
}

/// A condition on a complete row: true, false or unknown.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A constant; `None` is unknown.
    Known(Option<bool>),
    /// A column with what the program has found of a part of the condition: 1 is true, 0 false, NULL unknown.
    Column(usize),
    /// A comparison of two texts, byte by byte.
    Compare(Compare, Operand, Operand),
    /// Whether a text matches a pattern: `%` stands for any bytes, `_` for any one byte.
    Like(Operand, Vec<u8>),
    /// Whether a column is NULL.
    IsNull(usize),
    /// Whether a condition is unknown.
    IsUnknown(Box<Test>),
    /// `IS TRUE` or `IS FALSE`.
    Is(bool, Box<Test>),
    /// `NOT`.
    Not(Box<Test>),
    /// `AND`.
    And(Vec<Test>),
    /// `OR`.
    Or(Vec<Test>),
    /// `CASE`: the second condition of the first pair whose first one is true; else the last.
    Case(Vec<(Test, Test)>, Box<Test>),
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A column: a text, or a list of texts, which are joined by spaces.
    Column(usize),
    /// A constant.
    Literal(Vec<u8>),
}
