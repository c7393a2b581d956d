//! Of `task`, `task_file` and `task_vma`: whose they are, and how they are scheduled and mapped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::cell::{found, one, tells};
use super::child::Child;
use super::files::has_whole_paths;
use crate::support::Need::{Bpf, Root, Target};
use crate::support::{Need, Test, test, unique};

const PROC: &[Need] = &[Bpf, Root];
const VMA: Need = Target(&kwalk::progs::targets::task_vma::TARGET);

pub fn tests() -> Vec<Test> {
    vec![
        test("task_has_four_ids", PROC, task_has_four_ids),
        test("task_scheduling_of_all", PROC, task_scheduling_of_all),
        test("task_file_is_somebody_s", PROC, task_file_is_somebody_s),
        test("task_vma_is_somebody_s", &[Bpf, Root, VMA], task_vma_is_somebody_s),
        test("task_vma_flags_are_those_of_smaps", &[Bpf, Root, VMA], task_vma_flags),
    ]
}

/// Ids that nobody else has, each another: user, effective user, group, effective group.
fn ids() -> [u32; 4] {
    [0, 1, 2, 3].map(|nth| 1_700_000_000 + std::process::id() % 10_000_000 * 10 + nth)
}

fn with_ids() -> String {
    format!("ids={}", ids().map(|id| id.to_string()).join(":"))
}

/// The numbers of a line of `/proc/PID/status`.
fn status(pid: u32, key: &str) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

fn task_has_four_ids() {
    let child = Child::new([with_ids()]);
    let (users, groups) = (status(child.pid(), "Uid:"), status(child.pid(), "Gid:"));
    assert_eq!([users[0], users[1], groups[0], groups[1]], ids());
    let row = one("task", "uid, euid, gid, egid", &format!("tgid = {}", child.pid()));
    for ((column, cell), wanted) in ["uid", "euid", "gid", "egid"].iter().zip(&row).zip(ids()) {
        tells(column, cell, wanted);
    }
}

/// The kernel's own threads have real-time policies and nice values.
fn task_scheduling_of_all() {
    let rows = found("task", "pid, tgid, prio, nice, policy, flags", "");
    let (mut policies, mut nices) = (BTreeSet::new(), BTreeSet::new());
    let (mut seen, mut agreed) = (0, 0);
    for row in &rows {
        let dir = format!("/proc/{}/task/{}", row[1].number(), row[0].number());
        // Some have gone by now.
        let Ok(stat) = fs::read(format!("{dir}/stat")) else { continue };
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let words: Vec<i128> = stat
            .rsplit(") ")
            .next()
            .unwrap()
            .split_whitespace()
            .skip(1)
            .map(|word| word.parse().unwrap())
            .collect();
        // By their numbers in proc(5), of which the first here is 4.
        let field = |number: usize| words[number - 4];
        seen += 1;
        // A priority that is inherited for a moment comes and goes.
        if (row[2].number() - 100, row[3].number()) == (field(18), field(19)) {
            agreed += 1;
        }
        assert_eq!(row[4], field(41), "{dir}: {row:?}");
        // What is told of the kernel's threads does not change: PF_KTHREAD.
        assert_eq!(row[5].number() & 0x20_0000, field(9) & 0x20_0000, "{dir}: {row:?}");
        policies.insert(field(41));
        nices.insert(field(19));
    }
    assert!(agreed + 3 >= seen && agreed > 10, "{agreed} of {seen}");
    assert!(policies.contains(&1) && nices.contains(&-20), "{policies:?} {nices:?}");
    assert!(!found("task", "pid", "policy = 'FIFO' and prio < 100").is_empty());
}

fn task_file_is_somebody_s() {
    let child = Child::new([&format!("comm={}", unique("kwi")), "files=/dev/full", &with_ids()]);
    let (pid, tid) = (child.pid(), child.said()[0]);
    let fds = |tid: u32| {
        let dir = fs::read_dir(format!("/proc/{pid}/task/{tid}/fd")).unwrap();
        dir.map(|fd| fd.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect::<BTreeSet<i128>>()
    };
    let rows = found("task_file", "tgid, pid, uid, comm, fd, path", &format!("tgid = {pid}"));
    for of in [pid, tid] {
        let rows: Vec<_> = rows.iter().filter(|row| row[1] == i128::from(of)).collect();
        assert_eq!(rows.iter().map(|row| row[4].number()).collect::<BTreeSet<_>>(), fds(of));
        for row in rows {
            tells("tgid", &row[0], pid);
            tells("pid", &row[1], of);
            // The thread was there before.
            if of == pid {
                tells("uid", &row[2], status(pid, "Uid:")[0]);
                tells("comm", &row[3], unique("kwi").as_str());
            }
        }
    }
    let path = if has_whole_paths() { "/dev/full" } else { "/full" };
    assert!(rows.iter().any(|row| row[1] == i128::from(tid) && row[5] == path), "{rows:?}");
}

fn task_vma_is_somebody_s() {
    let child = Child::new([format!("comm={}", unique("kwv")), with_ids()]);
    let rows = found("task_vma", "uid, comm, tgid, pid", &format!("tgid = {}", child.pid()));
    assert!(rows.len() > 5);
    for row in rows {
        tells("uid", &row[0], ids()[0]);
        tells("comm", &row[1], unique("kwv").as_str());
        tells("tgid", &row[2], child.pid());
        tells("pid", &row[3], child.pid());
    }
}

/// The names that `/proc/PID/smaps` has for the flags that have the same bits on every machine (`fs/proc/task_mmu.c`).
const VM_FLAGS: &[(&str, i128)] = &[
    ("rd", 0x1),
    ("wr", 0x2),
    ("ex", 0x4),
    ("sh", 0x8),
    ("mr", 0x10),
    ("mw", 0x20),
    ("me", 0x40),
    ("ms", 0x80),
    ("gd", 0x100),
    ("pf", 0x400),
    ("lo", 0x2000),
    ("io", 0x4000),
    ("dc", 0x2_0000),
    ("de", 0x4_0000),
    ("ac", 0x10_0000),
    ("nr", 0x20_0000),
];

fn task_vma_flags() {
    let child = Child::new(["memory=5000000"]);
    let rows = found("task_vma", "start, flags", &format!("tgid = {}", child.pid()));
    let shown: BTreeMap<i128, i128> = rows.iter().map(|row| (row[0].number(), row[1].number())).collect();
    let text = fs::read_to_string(format!("/proc/{}/smaps", child.pid())).unwrap();
    let (mut start, mut seen) = (0, BTreeSet::new());
    for line in text.lines() {
        if let Some((from, _)) = line.split_once('-').filter(|(from, _)| !from.contains(':')) {
            start = i128::from_str_radix(from, 16).unwrap_or(start);
        }
        let Some(names) = line.strip_prefix("VmFlags:") else { continue };
        // The vsyscall page is no mapping of the process's own.
        let Some(flags) = shown.get(&start) else { continue };
        for (name, bit) in VM_FLAGS {
            let is_set = names.split_whitespace().any(|one| one == *name);
            assert_eq!(flags & bit != 0, is_set, "{start:x} {flags:x} {name}: {names}");
            if is_set {
                seen.insert(*name);
            }
        }
    }
    assert!(["rd", "wr", "ex", "me", "gd", "ac"].iter().all(|name| seen.contains(name)), "{seen:?}");
}
