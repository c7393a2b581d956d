//! What each kernel supports, as the tests `target_…` and `parameter_…` found it: a table of the README.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::report::{Result as Tested, Row};
use crate::results::Outcome;

const BEGIN: &str = "<!-- What follows is written by `cargo vm test --readme`. -->\n";
const END: &str = "<!-- Until here. -->\n";

/// Puts the table between its marks.
pub(crate) fn update(readme: &Path, rows: &[Row]) -> Result<()> {
    let text = fs::read_to_string(readme).map_err(Error::at(readme))?;
    let text = replace(&text, &table(rows)).ok_or_else(|| Error::NoMarks(readme.into()))?;
    fs::write(readme, text).map_err(Error::at(readme))
}

fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

/// A column for each kernel that was tested, a row for each of the tests.
fn table(rows: &[Row]) -> String {
    let mut columns = Vec::new();
    let mut found: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for row in rows {
        let Tested::Ran(tests) = &row.result else { continue };
        for test in tests {
            let Some((_, name)) = test.name.rsplit_once("::") else { continue };
            let Some((kind, name)) =
                KINDS.iter().find_map(|kind| Some((*kind, name.strip_prefix(kind)?.strip_prefix('_')?)))
            else {
                continue;
            };
            let cells = found.entry((kind, name)).or_default();
            cells.resize(columns.len(), "");
            cells.push(match test.outcome {
                Outcome::Passed => "yes",
                Outcome::Failed => "fails",
                Outcome::Ignored(_) => "",
            });
        }
        columns.push(short(&row.version));
    }
    let mut text = String::new();
    for kind in KINDS.iter().rev() {
        text += &format!("| {kind} | {} |\n|---|{}\n", columns.join(" | "), ":---:|".repeat(columns.len()));
        for ((_, name), cells) in found.iter().filter(|((of, _), _)| of == kind) {
            text += &format!("| {} | {} |\n", name_of(kind, name), cells.join(" | "));
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

const KINDS: [&str; 2] = ["parameter", "target"];

/// Targets have the kernel's own names; those of parameters are words.
fn name_of(kind: &str, name: &str) -> String {
    if kind == "target" { format!("`{name}`") } else { name.replace('_', " ") }
}

/// "6.12" of "6.12.107+deb13-cloud-amd64"
fn short(release: &str) -> String {
    release.split(|c: char| !c.is_ascii_digit()).take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Test;

    #[test]
    fn the_table_has_a_column_for_each_kernel_and_stands_between_its_marks() {
        let row = |version: &str, ksym| {
            let test = |name: &str, outcome| Test { name: format!("targets::{name}"), outcome };
            let tests = vec![
                test("target_ksym", ksym),
                test("target_task", Outcome::Passed),
                test("parameter_tid_of_any_thread", Outcome::Failed),
                test("every_target_is_tested", Outcome::Passed),
            ];
            let result = Tested::Ran(tests);
            Row { kernel: version.into(), version: version.into(), result }
        };
        let skipped =
            Row { kernel: "6.12".into(), version: String::new(), result: Tested::Skipped("gone".into()) };
        let rows = [
            row("5.10.0-32-cloud-amd64", Outcome::Ignored("needs Linux 6.0".into())),
            skipped,
            row("7.3.4+deb13-cloud-amd64", Outcome::Passed),
        ];
        let expected = "| target | 5.10 | 7.3 |\n|---|:---:|:---:|\n| `ksym` |  | yes |\n| `task` | yes | yes |\n\n\
            | parameter | 5.10 | 7.3 |\n|---|:---:|:---:|\n| tid of any thread | fails | fails |\n";
        assert_eq!(table(&rows), expected);

        let text = format!("before\n{BEGIN}old\n{END}after\n");
        let new = replace(&text, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(replace(&new, "new\n"), Some(new.clone()));
        assert_eq!(replace("no marks", "new\n"), None);
    }
}
