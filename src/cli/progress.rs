//! The progress of a long walk, in a line on stderr that is erased at the end.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// The time until the line appears.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time between two updates.
const BETWEEN: Duration = Duration::from_millis(100);

/// The progress line. Dropping the value erases it.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When to write the line next; `None` if nobody would see it.
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// Starts the clock, if a line is `wanted`.
    pub(crate) fn new(wanted: bool) -> Progress {
        Progress { next: wanted.then(|| Instant::now() + PATIENCE), shown: false }
    }

    /// Updates the number of rows. Cheap enough to be called for every buffer: it reads the clock, and mostly does
    /// nothing else.
    pub(crate) fn tell(&mut self, rows: u64) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + BETWEEN);
            self.shown = true;
            // A failure to write is ignored, because nothing can be done about it.
            let _ = write!(io::stderr(), "\r{rows} rows\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
