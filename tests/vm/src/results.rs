//! What the tests' own runner says came of each test.

use vm_init::End;

use crate::qemu::Ended;

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was not run, and why.
    Ignored(String),
}

/// A test and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    /// Its module and its own name.
    pub(crate) name: String,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// What a run of the tests says: each of them; or why that can't be believed.
pub(crate) fn parse(ended: &Ended) -> Result<Vec<Test>, String> {
    let text = String::from_utf8_lossy(&ended.stdout);
    // What failed is then told with all its output, which may be that of a runner.
    let told = text.lines().take_while(|line| *line != "failures:");
    let tests: Vec<_> = told.filter_map(test).collect();
    let count = |wanted: fn(&Outcome) -> bool| tests.iter().filter(|test| wanted(&test.outcome)).count();
    let counts = [
        count(|outcome| *outcome == Outcome::Passed),
        count(|outcome| *outcome == Outcome::Failed),
        count(|outcome| matches!(outcome, Outcome::Ignored(_))),
    ];
    match (text.lines().rev().find_map(summary), ended.end) {
        (None, end) => Err(format!("it ended with {end}, without a result")),
        (Some(said), _) if said != counts => {
            Err(format!("its result speaks of {said:?} tests, its lines of {counts:?}"))
        }
        (Some([_, 0, _]), End::Status(0)) => Ok(tests),
        (Some([_, failed, _]), End::Status(101)) if failed > 0 => Ok(tests),
        (Some(_), end) => Err(format!("its result does not fit its end with {end}")),
    }
}

/// "test NAME   ... ok", "… FAILED", "… ignored (WHY)"
fn test(line: &str) -> Option<Test> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let outcome = match outcome {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ignored" => Outcome::Ignored(String::new()),
        why => Outcome::Ignored(why.strip_prefix("ignored (")?.strip_suffix(')')?.into()),
    };
    Some(Test { name: name.trim_end().into(), outcome })
}

/// "test result: ok. 3 passed; 0 failed; 1 ignored; …"
fn summary(line: &str) -> Option<[usize; 3]> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut parts = counts.split("; ");
    let mut next = |what| parts.next()?.strip_suffix(what)?.parse().ok();
    Some([next(" passed")?, next(" failed")?, next(" ignored")?])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(end: End, stdout: &str) -> Ended {
        Ended { end, stdout: stdout.into(), stderr: Vec::new(), took: Duration::ZERO }
    }

    const RUN: &str = "\nrunning 3 tests\ntest pin::a_test       ... ok\nsome output\ntest pin::another_test ... ignored (needs (some) tool)\n\
        test walk::b           ... FAILED\n\nfailures:\n\n---- walk::b ----\ntest b ... FAILED\ntest panicked\n\n\n\
        failures:\n    walk::b\n\n\
        test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n";

    #[test]
    fn each_test_is_found_with_its_outcome() {
        let tests = parse(&ended(End::Status(101), RUN)).unwrap();
        let test = |name: &str, outcome| Test { name: name.into(), outcome };
        let ignored = Outcome::Ignored("needs (some) tool".into());
        let expected = [
            test("pin::a_test", Outcome::Passed),
            test("pin::another_test", ignored),
            test("walk::b", Outcome::Failed),
        ];
        assert_eq!(tests, expected);
    }

    #[test]
    fn a_run_that_does_not_add_up_is_not_believed() {
        let passed = RUN.replace("FAILED", "ok").replace("1 passed; 1 failed", "2 passed; 0 failed");
        assert_eq!(parse(&ended(End::Status(0), &passed)).unwrap().len(), 3);
        for (end, text) in [
            (End::Status(0), RUN),
            (End::Signal(11), RUN),
            (End::Status(101), &passed),
            (End::Status(0), ""),
            (End::Signal(6), "\nrunning 3 tests\ntest a ... ok\n"),
            (End::Status(0), &passed.replace("test pin::a_test       ... ok\n", "")),
            (End::Status(0), &passed.replace("2 passed", "3 passed")),
        ] {
            parse(&ended(end, text)).unwrap_err();
        }
    }
}
