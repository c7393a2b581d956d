//! Whole processes that walk the tasks, from their start to their end, and what they are in bytes.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kwalk::btf::Btf;
use kwalk::{KernelBtf, kernel};

use crate::built;
use crate::race::{Course, Row, Unit};
use crate::{Table, tools};

/// A name that no task has.
const NOBODY: &str = "kwalk-nobody";

/// A command that can be run again and again.
pub(crate) fn command(path: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Lets two commands run by turns, of which each has shown that it can.
pub(crate) fn race(table: &mut Table, course: Course, mut ours: Command, mut theirs: Command) {
    for command in [&mut ours, &mut theirs] {
        // To say why not, it may speak.
        if table.has(course.peer, built::done(command.stderr(Stdio::piped()))).is_none() {
            return;
        }
        command.stderr(Stdio::null());
    }
    let run = |command: &mut Command| command.status().expect("it starts");
    table.add(course.run(|| run(&mut ours), || run(&mut theirs)));
}

pub(crate) fn races(table: &mut Table) {
    let Some(built) = crate::built(table) else { return };
    let count = || command(&built.kwalk, &["task", "--count"]);
    let course = |what: &str, peer| Course::new(what, Unit::Time, peer);
    let same = "count the tasks, a whole process";
    let mut sizes: Vec<(&'static str, PathBuf)> = Vec::new();

    if let Some(skeleton) = table.has("light skeleton in C", tools::skeleton()) {
        race(table, course(same, "light skeleton in C").goal(1.0), count(), command(&skeleton, &[]));
        sizes.push(("light skeleton in C", skeleton));
    }
    let walkers = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    if let Some(object) = table.has("libbpf-rs 0.27 and aya 0.14", tools::object("count")) {
        for (binary, peer, goal) in [("libbpf", "libbpf-rs 0.27", 5.0), ("aya", "aya 0.14", 25.0)] {
            // They build C, which wants the headers of the machine's own library.
            let args = ["--package", "walkers", "--bin", binary];
            let dir = built::host().and_then(|host| built::cargo(&walkers, &host, "release", &args));
            let Some(dir) = table.has(peer, dir) else { continue };
            let mut theirs = command(&dir.join(binary), &[]);
            theirs.arg(&object);
            race(table, course(same, peer).goal(goal), count(), theirs);
            sizes.push((peer, dir.join(binary)));
        }
    }
    if let Some(bpftrace) = table.has("bpftrace", tools::tool("bpftrace")) {
        let script = ["-q", "-e", "iter:task { @tasks = count(); }"];
        race(table, course(same, "bpftrace").goal(100.0), count(), command(&bpftrace, &script));
    }

    let embed = || command(&built.embed, &[NOBODY]);
    let minimal = "the library's example, a whole process";
    let types = KernelBtf::open().map_err(|error| error.to_string());
    let floor = types.and_then(|types| {
        let btf = Btf::new(types.bytes()).map_err(|error| error.to_string())?;
        tools::floor(&kernel(&btf), NOBODY)
    });
    if let Some(floor) = table.has("C without a library", floor) {
        race(table, course(minimal, "C without a library").goal(0.83), embed(), command(&floor, &[]));
        sizes.push(("C without a library", floor));
    }
    race(table, course(minimal, "an empty program"), embed(), command(&built.empty, &[]));

    for (peer, path) in sizes {
        let ours = if peer == "C without a library" { &built.embed } else { &built.kwalk };
        let [ours_kb, theirs] =
            [ours, &path].map(|path| metadata(path).map_or(0, |file| file.len()) as f64 / 1e3);
        let name = ours.file_name().unwrap_or_default().to_string_lossy();
        table.add(Row::less(&format!("{name}, its static binary"), "kB", ours_kb, theirs, peer));
    }
}
