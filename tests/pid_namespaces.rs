//! The numbers of processes and threads are those of the pid namespace of who asks, in columns, conditions and options.

use std::fs;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};

use crate::columns::child::Child;
use crate::support::Need::{Bpf, Jit, Kernel, Root};
use crate::support::helper::Helper;
use crate::support::{Need, Test, failure, kwalk, stdout, test};

/// `bpf_rdonly_cast` came with 6.2.
const NEEDS: &[Need] = &[Bpf, Root, Kernel(6, 2), Jit];

pub fn tests() -> Vec<Test> {
    vec![
        test("columns_and_options_are_the_readers_numbers", NEEDS, || inside(are_the_readers)),
        test("a_number_from_elsewhere_is_explained", NEEDS, || inside(a_number_from_elsewhere_is_explained)),
    ]
}

/// Runs a test on a thread whose new processes are in a pid namespace of their own.
fn inside(run: fn()) {
    let thread = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        run();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The last of the numbers that /proc has for a thread in the pid namespaces that it is in.
fn inner(pid: u32, tid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    let numbers: Vec<u32> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(numbers.len() > 1, "{line}");
    numbers[numbers.len() - 1]
}

fn lines(command: &mut Command) -> Vec<String> {
    let mut lines: Vec<_> = stdout(command).lines().skip(1).map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}

fn are_the_readers() {
    // The first process of the namespace, and one with a thread, whose parents are outside of it; and one whose parent is
    // in it: it has ended, and waits.
    let first = Child::new(["look"]);
    let two = Helper::with_threads("kwpidns", 1);
    let parent = Child::new(["zombie"]);
    let orphan = parent.said()[0];
    let tids = two.tids();
    let [leader, other] = [tids[0], tids[1]];
    let (pid, tid) = (inner(two.pid(), leader), inner(two.pid(), other));
    assert!(inner(first.pid(), first.pid()) == 1 && pid != tid && pid != leader && tid != other);
    let row = |condition: &str| {
        let fields = "tgid,pid,ppid,task.tgid,task.pid";
        lines(&mut kwalk(["task", "-f", fields, "-o", "csv", "-w", condition]))
    };
    let both = |more: &str| {
        let mut both =
            [format!("{pid},{pid},0,{},{leader}", two.pid()), format!("{pid},{tid},0,{},{other}", two.pid())]
                .to_vec();
        both.retain(|row| row.contains(more));
        both.sort();
        both
    };
    assert_eq!(row("comm = 'kwpidns'"), both(""));
    assert_eq!(row(&format!("tgid = {pid}")), both(""));
    assert_eq!(row(&format!("pid = {tid}")), both(&format!(",{other}")));
    assert_eq!(row(&format!("task.pid = {other}")), both(&format!(",{other}")));
    assert_eq!(row(&format!("pid in ({pid}, {tid}) and ppid = 0")), both(""));
    let inside = inner(parent.pid(), parent.pid());
    let child = row(&format!("ppid = {inside}"));
    assert_eq!(child.len(), 1, "{child:?}");
    // It has said the number that it has itself seen: the one in there.
    assert!(child[0].starts_with(&format!("{orphan},{orphan},{inside},")), "{child:?}");

    for (option, number, wanted) in
        [("--pid", pid, vec![pid, tid]), ("--tid", tid, vec![tid]), ("--tid", pid, vec![pid])]
    {
        let rows = lines(&mut kwalk(["task", option, &number.to_string(), "-f", "pid", "-o", "csv"]));
        let mut wanted: Vec<_> = wanted.iter().map(u32::to_string).collect();
        wanted.sort();
        assert_eq!(rows, wanted, "{option} {number}");
    }
    // Links filter by the numbers of who opens them.
    for (condition, link) in [
        (format!("pid = {tid}"), format!("tid = {tid}")),
        (format!("tgid = {pid}"), format!("pid = {pid}")),
        (format!("task.pid = {tid}"), "nothing: it walks all objects".into()),
    ] {
        let plan = stdout(&mut kwalk(["task", "-w", &condition, "--explain"]));
        let shown = plan.lines().find_map(|line| line.strip_prefix("link ")).unwrap().trim();
        assert_eq!(shown, link, "{condition}");
    }
    for target in ["task_file", "task_vma"] {
        let args = [target, "-f", "tgid,pid", "-o", "csv", "-w", &format!("tgid = {pid}")];
        let mut rows = lines(&mut kwalk(args));
        rows.dedup();
        assert_eq!(rows, [format!("{pid},{pid}")], "{target}");
        assert!(lines(kwalk(args).args(["--pid", &pid.to_string()])).len() > 2, "{target}");
    }
}

fn a_number_from_elsewhere_is_explained() {
    let _first = Child::new(["look"]);
    let child = Child::new(["look"]);
    let (here, there) = (child.pid(), inner(child.pid(), child.pid()));
    let hint = format!("{here} is the number in the initial pid namespace of what is --pid {there} here");
    for words in [&["task"][..], &["cat", "files"]] {
        let said = failure(kwalk(words).args(["--pid", &here.to_string()]), 1);
        assert!(said.contains(&hint), "{said}");
    }
}
