//! The parts of what a user has asked for, which are those of selections: without them, there are none.

use core::fmt::{self, Display, Formatter};

/// A part of a selection, which needs the feature `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {}

impl Part {
    /// The user's text with carets below it.
    pub fn marked(&self) -> String {
        match *self {}
    }
}

impl Display for Part {
    fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
