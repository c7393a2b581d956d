//! Walks against reading /proc: in one process, against the procfs crate and against readers that are as tight as can be;
//! and whole commands against those that read it. The objects: 5,000 processes, 5,000 threads, 100,000 open files, 10,000
//! sockets.

use std::path::Path;

use kwalk::btf::Btf;
use kwalk::progs::Kernel;
use kwalk::select::{Select, field};
use kwalk::{KernelBtf, Scope, kernel};

use crate::cold::{command, race};
use crate::population::{Kind, Population};
use crate::programs::{self, Attached};
use crate::race::{Course, Unit};
use crate::tools::tool;
use crate::walks::TASKS;
use crate::{Table, tight};

/// Something that there are many of.
struct Objects {
    kind: Kind,
    count: usize,
    /// What the table calls one.
    one: &'static str,
    many: &'static str,
    /// How kwalk asks for them.
    select: fn() -> Select,
    /// Where they are in /proc, and what counts them there.
    path: &'static str,
    tight: fn() -> usize,
    procfs: fn() -> usize,
    /// How many times as fast as the tight reader kwalk is to be.
    goal: f64,
    /// The command that shows them, and ours that shows the same.
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    /// How many times as fast as the command ours is to be.
    whole_goal: f64,
}

const OBJECTS: [Objects; 4] = [
    Objects {
        kind: Kind::Processes,
        count: TASKS,
        one: "process",
        many: "processes",
        select: || programs::tasks().filter(field("pid").eq(field("tgid"))),
        path: "/proc/*/stat",
        tight: tight::processes,
        procfs: processes,
        goal: 45.0,
        theirs: &["ps", "-eo", "pid,comm"],
        ours: &["task", "-f", "pid,comm", "-w", "pid = tgid"],
        whole_goal: 40.0,
    },
    Objects {
        kind: Kind::Threads,
        count: TASKS,
        one: "thread",
        many: "threads",
        select: programs::tasks,
        path: "/proc/*/task/*/stat",
        tight: tight::threads,
        procfs: threads,
        goal: 60.0,
        theirs: &["ps", "-eLo", "tgid,pid,comm"],
        ours: &["task", "-f", "tgid,pid,comm"],
        whole_goal: 40.0,
    },
    Objects {
        kind: Kind::Files,
        count: 100_000,
        one: "file",
        many: "open files",
        select: programs::files,
        path: "/proc/*/fd/*",
        tight: tight::files,
        procfs: files,
        goal: 12.0,
        theirs: &["lsof", "-n", "-P"],
        ours: &["task_file"],
        whole_goal: 40.0,
    },
    Objects {
        kind: Kind::Sockets,
        count: 10_000,
        one: "socket",
        many: "TCP sockets",
        select: programs::sockets,
        path: "/proc/net/tcp",
        tight: tight::sockets,
        procfs: sockets,
        goal: 3.0,
        theirs: &["ss", "-tan"],
        ours: &["tcp"],
        whole_goal: 3.0,
    },
];

pub(crate) fn races(table: &mut Table) {
    let Some(types) = table.has("walks", KernelBtf::open()) else { return };
    let btf = Btf::new(types.bytes()).expect("the kernel's types");
    let kernel = kernel(&btf);
    let built = crate::built(table);
    for objects in OBJECTS {
        if let Err(why) = of(table, &kernel, built.map(|built| &*built.kwalk), &objects) {
            table.left_out.push(format!("{} {}: {why}", objects.count, objects.many));
        }
    }
}

fn of(table: &mut Table, kernel: &Kernel<'_>, kwalk: Option<&Path>, objects: &Objects) -> Result<(), String> {
    let &Objects { kind, count, one, many, path, tight, procfs, .. } = objects;
    let _population = Population::new(kind, count)?;
    let rows = Attached::rows(kernel, &(objects.select)(), &Scope::All, None).map_err(|e| e.to_string())?;
    let found = [rows.walk().rows, tight(), procfs()];
    assert!(found.iter().all(|found| (count..count + count / 10 + 500).contains(found)), "{many}: {found:?}");
    let course = |peer| Course::new(format!("{count} {many}"), Unit::Each(one, count), peer);
    table.add(course(path).goal(objects.goal).run(|| rows.walk(), tight));
    table.add(course("procfs 0.18").run(|| rows.walk(), procfs));
    let (Some(kwalk), &[name, ref args @ ..]) = (kwalk, objects.theirs) else { return Ok(()) };
    if let Some(path) = table.has(name, tool(name)) {
        let what = format!("{count} {many}: `kwalk {}`", objects.ours.join(" "));
        let course = Course::new(what, Unit::Time, name).goal(objects.whole_goal);
        race(table, course, command(kwalk, objects.ours), command(&path, args));
    }
    Ok(())
}

fn processes() -> usize {
    let all = procfs::process::all_processes().expect("/proc is there");
    all.flatten().filter_map(|process| process.stat().ok()).map(std::hint::black_box).count()
}

fn threads() -> usize {
    let all = procfs::process::all_processes().expect("/proc is there");
    let tasks = all.flatten().filter_map(|process| process.tasks().ok()).flatten().flatten();
    tasks.filter_map(|task| task.stat().ok()).map(std::hint::black_box).count()
}

fn files() -> usize {
    let all = procfs::process::all_processes().expect("/proc is there");
    let files = all.flatten().filter_map(|process| process.fd().ok()).flatten().flatten();
    files.map(std::hint::black_box).count()
}

fn sockets() -> usize {
    std::hint::black_box(procfs::net::tcp().expect("/proc/net/tcp is there")).len()
}
