//! A line on stderr that says how far a long walk has come, and goes with it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Who waits this long wants to know that something happens,
const PATIENCE: Duration = Duration::from_secs(1);
/// and again after this.
const BETWEEN: Duration = Duration::from_millis(100);

/// How far a walk has come, for a person who waits. The line vanishes with this value.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When the line is to be written next; none if nobody is there to see it.
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// From now on, if `wanted`.
    pub(crate) fn new(wanted: bool) -> Progress {
        Progress { next: wanted.then(|| Instant::now() + PATIENCE), shown: false }
    }

    /// So many rows have come. To be told often: it looks at the clock, and mostly does nothing.
    pub(crate) fn tell(&mut self, rows: u64) {
        let now = Instant::now();
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + BETWEEN);
            self.shown = true;
            // Nobody can be told if that fails.
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
