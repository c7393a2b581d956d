//! What came of the tests, kernel by kernel: for a terminal, and for the README.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};

use crate::results::{Outcome, Test};

/// What a reason begins with that says that a kernel is too old (`tests/support`).
const TOO_OLD: &str = "needs Linux ";

/// What came of a kernel.
pub(crate) struct Row {
    /// What it is called here.
    pub(crate) kernel: String,
    /// Its release, or its package's version.
    pub(crate) version: String,
    /// What became of it.
    pub(crate) result: Result,
}

/// What became of a kernel.
pub(crate) enum Result {
    /// The tests ran.
    Ran(Vec<Test>),
    /// There is none to be had, and why.
    Skipped(String),
    /// Its guest did not do what it should.
    Failed(String),
}

impl Row {
    /// Why this row is a failure; nothing if it is none.
    fn failures(&self, newest: bool) -> Vec<String> {
        match &self.result {
            Result::Skipped(_) => Vec::new(),
            Result::Failed(why) => vec![why.clone()],
            Result::Ran(tests) => {
                let mut failures = Vec::new();
                for Test { name, outcome } in tests {
                    match outcome {
                        Outcome::Failed => failures.push(name.clone()),
                        Outcome::Ignored(why) if newest && why.starts_with(TOO_OLD) => {
                            failures.push(format!("{name}: ignored on the newest kernel: {why}"));
                        }
                        _ => {}
                    }
                }
                failures
            }
        }
    }

    fn counts(&self) -> [String; 3] {
        match &self.result {
            Result::Skipped(_) => ["skipped", "", ""].map(String::from),
            Result::Failed(_) => ["", "broke off", ""].map(String::from),
            Result::Ran(tests) => {
                let count =
                    |wanted: fn(&Outcome) -> bool| tests.iter().filter(|test| wanted(&test.outcome)).count();
                [
                    count(|outcome| *outcome == Outcome::Passed),
                    count(|outcome| *outcome == Outcome::Failed),
                    count(|outcome| matches!(outcome, Outcome::Ignored(_))),
                ]
                .map(|count| count.to_string())
            }
        }
    }
}

/// Whether all went well, and at least one kernel was there.
pub(crate) fn is_success(rows: &[Row], newest: Option<&str>) -> bool {
    let failed = rows.iter().any(|row| !row.failures(newest == Some(&row.kernel)).is_empty());
    !failed && rows.iter().any(|row| matches!(row.result, Result::Ran(_)))
}

/// One table, then the names of what failed, and the reasons of what was ignored. `newest` is the kernel on which no test
/// may be ignored for want of a feature.
pub(crate) fn table(rows: &[Row], newest: Option<&str>) -> String {
    let cells = rows.iter().map(|row| {
        let [passed, failed, ignored] = row.counts();
        [row.kernel.clone(), row.version.clone(), passed, failed, ignored]
    });
    let mut text = columns(&["KERNEL", "RELEASE", "PASSED", "FAILED", "IGNORED"], cells);

    let mut ignored: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for row in rows {
        match &row.result {
            Result::Skipped(why) => section(&mut text, &format!("skipped: {}: {why}", row.kernel), []),
            Result::Failed(_) => {}
            Result::Ran(tests) => {
                for Test { name, outcome } in tests {
                    if let Outcome::Ignored(why) = outcome {
                        ignored.entry(why).or_default().entry(name).or_default().push(&row.kernel);
                    }
                }
            }
        }
        let failures = row.failures(newest == Some(&row.kernel));
        if !failures.is_empty() {
            section(&mut text, &format!("failed on {}:", row.kernel), failures.iter().map(String::as_str));
        }
    }
    for (why, tests) in ignored {
        let lines: Vec<_> =
            tests.iter().map(|(name, kernels)| format!("{name} on {}", kernels.join(", "))).collect();
        section(&mut text, &format!("ignored: {why}:"), lines.iter().map(String::as_str));
    }
    text
}

/// Aligned columns under a heading.
pub(crate) fn columns<const N: usize>(
    heading: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn section<'a>(text: &mut String, heading: &str, lines: impl IntoIterator<Item = &'a str>) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "\n{heading}");
    for line in lines {
        let _ = writeln!(text, "    {}", line.replace('\n', "\n    "));
    }
}
