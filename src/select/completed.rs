//! Completes rows: fills in what programs don't have, and tests conditions on it.

use kwalk_query::{Completion, Fill, Row, Schema, Value, fill};

use super::arguments::Arguments;
use super::evaluate::{chosen, decided, holds};
use crate::error::Error;

/// Completes the rows of a walk.
#[derive(Debug)]
pub(super) struct Completed {
    completion: Completion,
    arguments: Arguments,
    /// The bytes of the last row.
    bytes: Vec<u8>,
    /// The number of rows whose condition could not be decided.
    undecided: u64,
}

impl Completed {
    pub(super) fn new(completion: Completion) -> Result<Completed, Error> {
        let arguments = Arguments::open()?;
        Ok(Completed { completion, arguments, bytes: Vec::new(), undecided: 0 })
    }

    /// The layout of what the program writes.
    pub(super) fn written(&self) -> &Schema {
        &self.completion.written
    }

    /// The bytes of the last row.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Completes the row that a program has written in these bytes, and returns whether it is to be shown.
    pub(super) fn complete(&mut self, written: &[u8]) -> Result<bool, Error> {
        let Completion { tgid, pid, start, complete, fills, numbers, test, .. } = &self.completion;
        let row = self.completion.written.whole_row(written);
        let early = test.as_ref().and_then(|test| decided(test, &row));
        if early == Some(false) {
            return Ok(false);
        }
        let (tgid, pid, start) = (number(&row, *tgid), number(&row, *pid), number(&row, *start));
        let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
        let text = match (small(tgid), small(pid), start) {
            (Some(tgid), Some(pid), Some(start)) => self.arguments.of(tgid, pid, start)?,
            _ => &[],
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(written);
        for one in fills {
            let mut each = text.split_inclusive(|byte| *byte == 0);
            match one {
                Fill::Arguments => fill(text, &mut self.bytes),
                Fill::Argument(nth) => fill(each.nth(*nth).unwrap_or_default(), &mut self.bytes),
                Fill::Number { nth, .. } => {
                    // The texts are there already.
                    let row = complete.whole_row(&self.bytes);
                    let number = numbers.get(*nth).and_then(|choice| chosen(choice, &row));
                    fill(number.as_ref().map_or(&[], <[u8; 8]>::as_slice), &mut self.bytes);
                }
            }
        }
        match test {
            None => Ok(true),
            _ if early == Some(true) => Ok(true),
            // Of what was cut, any bytes may be missing.
            Some(_) if self.arguments.is_cut() => {
                self.undecided += 1;
                Ok(false)
            }
            Some(test) => Ok(holds(test, &complete.whole_row(&self.bytes)) == Some(true)),
        }
    }

    /// The error at the end of the walk, if the condition could not be decided for a row.
    pub(super) fn ended(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.undecided) {
            0 => Ok(()),
            rows => Err(Error::Undecided { rows }),
        }
    }
}

fn number(row: &Row<'_>, column: usize) -> Option<u64> {
    match row.get(column) {
        Value::Int(value) => value.try_into().ok(),
        Value::Uint(value) => Some(value),
        _ => None,
    }
}
