//! Some that do the same, by turns, so that what else the machine does slows all alike. Whose turn comes finds nothing of its
//! own in the processor's caches, as if another program had run there: so a turn is many runs, of which the first does not
//! count.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The least time that a turn takes.
const TURN: Duration = Duration::from_millis(100);

const ROUNDS: usize = 9;

/// Who takes longer than this for them does some fewer.
const LONGEST: Duration = Duration::from_secs(15);

const FEWEST_ROUNDS: usize = 5;

/// What is raced over.
pub(crate) struct Course {
    what: String,
    unit: Unit,
    pub(crate) peer: &'static str,
    goal: Option<f64>,
}

/// What the table tells of a round.
pub(crate) enum Unit {
    /// How many of these are done in a second, of so many that a round has.
    Rate(&'static str, usize),
    /// How long it takes.
    Time,
    /// How long it takes for one of these, of so many.
    Each(&'static str, usize),
}

/// A row of the table.
pub(crate) struct Row {
    pub(crate) what: String,
    unit: String,
    ours: f64,
    theirs: f64,
    pub(crate) peer: &'static str,
    /// How much better ours is.
    pub(crate) ratio: f64,
    /// How much better it is to be.
    goal: Option<f64>,
}

impl Course {
    pub(crate) fn new(what: impl Into<String>, unit: Unit, peer: &'static str) -> Course {
        Course { what: what.into(), unit, peer, goal: None }
    }

    /// The ratio that is wanted.
    pub(crate) fn goal(self, ratio: f64) -> Course {
        Course { goal: Some(ratio), ..self }
    }

    /// Runs both, and takes the median of each.
    pub(crate) fn run<A, B>(self, mut ours: impl FnMut() -> A, mut theirs: impl FnMut() -> B) -> Row {
        let [ours, theirs] = medians([&mut || time(&mut ours), &mut || time(&mut theirs)]);
        self.timed(ours, theirs)
    }

    /// The same, of which the time is taken off that `nothing` takes.
    pub(crate) fn run_beyond<A>(
        self,
        mut nothing: impl FnMut() -> A,
        mut ours: impl FnMut() -> A,
        mut theirs: impl FnMut() -> A,
    ) -> Row {
        let [nothing, ours, theirs] =
            medians([&mut || time(&mut nothing), &mut || time(&mut ours), &mut || time(&mut theirs)]);
        self.timed(ours.saturating_sub(nothing), theirs.saturating_sub(nothing))
    }

    fn timed(self, ours: Duration, theirs: Duration) -> Row {
        let Course { what, unit, peer, goal } = self;
        let (ours, theirs) = (ours.as_secs_f64(), theirs.as_secs_f64());
        let ratio = theirs / ours;
        match unit {
            Unit::Rate(things, count) => {
                let speed = |time| count as f64 / time / 1e6;
                let unit = format!("million {things}/s");
                Row { what, unit, ours: speed(ours), theirs: speed(theirs), peer, ratio, goal }
            }
            Unit::Each(thing, count) => {
                let each = |time| time * 1e6 / count as f64;
                let unit = format!("µs/{thing}");
                Row { what, unit, ours: each(ours), theirs: each(theirs), peer, ratio, goal }
            }
            Unit::Time => {
                Row { what, unit: "ms".into(), ours: ours * 1e3, theirs: theirs * 1e3, peer, ratio, goal }
            }
        }
    }
}

impl Row {
    /// Of what is no time, and better if it is less.
    pub(crate) fn less(what: &str, unit: &str, ours: f64, theirs: f64, peer: &'static str) -> Row {
        Row { what: what.into(), unit: unit.into(), ours, theirs, peer, ratio: theirs / ours, goal: None }
    }

    /// The ratio as the table has it: none where ours is too small to be told from nothing.
    pub(crate) fn times(&self) -> String {
        if !self.ratio.is_finite() {
            "-".into()
        } else if self.ratio < 10.0 {
            format!("{:.2}", self.ratio)
        } else {
            format!("{:.1}", self.ratio)
        }
    }
}

/// The least that it takes: where no peer takes turns with it, nothing else tells it from what the machine does besides.
pub(crate) fn alone<T>(mut run: impl FnMut() -> T) -> Duration {
    let [times] = rounds([&mut || time(&mut run)]);
    times.into_iter().min().unwrap_or_default()
}

fn medians<const N: usize>(runners: [&mut dyn FnMut() -> Duration; N]) -> [Duration; N] {
    rounds(runners).map(median)
}

fn rounds<const N: usize>(mut runners: [&mut dyn FnMut() -> Duration; N]) -> [Vec<Duration>; N] {
    let start = Instant::now();
    let mut times = [const { Vec::new() }; N];
    for round in 0..ROUNDS {
        if round >= FEWEST_ROUNDS && start.elapsed() > LONGEST {
            break;
        }
        for (run, times) in runners.iter_mut().zip(&mut times) {
            let turn = Instant::now();
            run();
            times.push(run());
            while turn.elapsed() < TURN {
                times.push(run());
            }
        }
    }
    times
}

pub(crate) fn median<T: Ord + Copy>(mut all: Vec<T>) -> T {
    all.sort_unstable();
    all[all.len() / 2]
}

/// What it gives is thrown away after the clock has stopped.
fn time<T>(f: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(f());
    let time = start.elapsed();
    drop(result);
    time
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { what, unit, ours, theirs, peer, goal, .. } = self;
        let goal = goal.map(|goal| goal.to_string()).unwrap_or_default();
        write!(f, "| {what} | {unit} | {ours:.2} | {theirs:.2} | {peer} | {} | {goal} |", self.times())
    }
}
