//! Two that do the same, by turns, so that what else the machine does slows both alike.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The time that a race takes.
const TIME: Duration = Duration::from_secs(2);

const FEWEST_ROUNDS: usize = 15;

/// What is raced over.
pub(crate) struct Course {
    pub(crate) what: &'static str,
    /// What is counted, and how many of it a round has.
    pub(crate) unit: &'static str,
    pub(crate) count: usize,
    pub(crate) peer: &'static str,
}

/// A row of the table.
pub(crate) struct Row {
    course: Course,
    ours: Duration,
    theirs: Duration,
}

impl Course {
    /// Runs both, and takes the median of each.
    pub(crate) fn run<A, B>(self, mut ours: impl FnMut() -> A, mut theirs: impl FnMut() -> B) -> Row {
        // Not counted: the first round finds its memory.
        black_box((ours(), theirs()));
        let start = Instant::now();
        let mut times = (Vec::new(), Vec::new());
        while times.0.len() < FEWEST_ROUNDS || start.elapsed() < TIME {
            times.0.push(time(&mut ours));
            times.1.push(time(&mut theirs));
        }
        Row { course: self, ours: median(times.0), theirs: median(times.1) }
    }
}

/// What it gives is thrown away after the clock has stopped.
fn time<T>(f: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(f());
    let time = start.elapsed();
    drop(result);
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Course { what, unit, count, peer } = self.course;
        let speed = |time: Duration| count as f64 / time.as_secs_f64() / 1e6;
        let ratio = self.theirs.as_secs_f64() / self.ours.as_secs_f64();
        let (ours, theirs) = (speed(self.ours), speed(self.theirs));
        write!(f, "| {what} | million {unit}/s | {ours:.1} | {theirs:.2} | {peer} | {ratio:.1} |")
    }
}
