//! The named columns of each target show of known objects what /proc, /sys and bpftool say of them.

mod bpf;
pub mod cell;
pub mod child;
mod files;
mod forms;
mod identity;
mod info;
mod net;
mod options;
mod per_cpu;
mod sockets;
mod system;
mod task;
mod tcp;

use std::collections::BTreeSet;
use std::process::Command;

use kwalk::progs::{available, targets};
use kwalk::select::{Select, named_columns};

use cell::Lack;

use crate::support::Need::Bpf;
use crate::support::{Test, kernel_version, running, test};

/// Columns that need a newer kernel than their target does.
const NEWER: &[(&str, &[&str], (u16, u16))] = &[
    // bpf_rdonly_cast
    ("task", &["pidns", "nspid", "kthread", "work"], (6, 2)),
    ("netlink", &["groups"], (6, 2)),
    // Before, threads had what they had yet to add, and no CPU.
    ("task", &["rss_exact"], (6, 2)),
    // Where maps count their elements.
    ("bpf_map", &["entries"], (6, 6)),
    // bpf_map_lookup_percpu_elem
    ("bpf_prog", &["run_count", "run_time"], (5, 19)),
    // bpf_sock_from_file
    ("task_file", &["family", "protocol", "src", "sport", "dst", "dport", "state", "netns"], (5, 11)),
    // bpf_rdonly_cast
    ("ipv6_route", &["hops"], (6, 2)),
    ("task_file", &["pidfd", "eventfd", "signals", "bpf_map", "bpf_prog", "bpf_link"], (6, 2)),
    // bpf_skc_to_unix_sock
    ("task_file", &["unix_path"], (5, 16)),
    ("bpf_prog", &["verified"], (5, 16)),
];

/// Those of them that take a function of the kernel's, which it calls for its JIT alone. An older kernel is said to be too old.
const JIT: &[(&str, &[&str])] = &[
    ("task", &["pidns", "nspid", "kthread", "work"]),
    ("netlink", &["groups"]),
    ("ipv6_route", &["hops"]),
    ("task_file", &["pidfd", "eventfd", "signals", "bpf_map", "bpf_prog", "bpf_link"]),
];

pub fn tests() -> Vec<Test> {
    let own = vec![
        test("every_column_is_there", &[Bpf], every_column_is_there),
        test("every_column_has_a_witness", &[], every_column_has_a_witness),
    ];
    let tests = [
        own,
        task::tests(),
        identity::tests(),
        files::tests(),
        forms::tests(),
        net::tests(),
        per_cpu::tests(),
        tcp::tests(),
        sockets::tests(),
        options::tests(),
        bpf::tests(),
        info::tests(),
        system::tests(),
    ];
    tests.into_iter().flatten().collect()
}

/// What somebody else says of the same object: a line for each named column, with the test that compares the two, or with
/// `none:` and the reason why it can't be had.
const WITNESSES: &str = include_str!("witnesses.txt");

/// Each named column has its line there, and each line is of a named column and of a test.
fn every_column_has_a_witness() {
    let list =
        Command::new(std::env::current_exe().unwrap()).args(["--list", "--format=terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let tests: BTreeSet<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let all = targets::ALL.iter().flat_map(|target| {
        named_columns(&target.name).iter().map(|column| format!("{}.{}", target.name, column.name))
    });
    let mut missing: BTreeSet<String> = all.collect();
    let mut wrong = Vec::new();
    for line in WITNESSES.lines().filter(|line| !line.starts_with('#')) {
        let (column, witness) = line.split_once(' ').unwrap_or((line, ""));
        if !missing.remove(column) {
            wrong.push(format!("{column}: there is no such column, or it is there twice"));
        }
        let is_one = match witness.trim().strip_prefix("none:") {
            Some(reason) => !reason.trim().is_empty(),
            None => tests.contains(witness.trim()),
        };
        if !is_one {
            wrong.push(format!("{column}: neither a test nor a reason: {witness}"));
        }
    }
    wrong.extend(
        missing.into_iter().map(|column| format!("{column}: it has no witness in tests/witnesses.txt")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each column of each target that this kernel has can be planned, but for those that are known to be newer, or to take a
/// JIT, of which that is said.
fn every_column_is_there() {
    let kernel = running();
    let mut wrong = Vec::new();
    for found in available(kernel.btf).unwrap() {
        let target = &*found.target.name;
        for column in named_columns(target) {
            let newer = NEWER.iter().find(|(of, names, _)| *of == target && names.contains(&column.name));
            assert_eq!(column.since, newer.map(|(.., since)| *since), "{target}.{}", column.name);
            let takes_jit = JIT.iter().any(|(of, names)| *of == target && names.contains(&column.name))
                && !kernel.has_jit;
            let wanted = match column.since {
                Some(since) if kernel_version() < since => Some(Lack::Since(since)),
                _ => takes_jit.then_some(Lack::Jit),
            };
            let found = match Select::new(target).fields([column.name]).plan(&kernel) {
                Ok(_) => None,
                Err(error) => {
                    let error = kwalk::Error::from(error);
                    let lack = Lack::of(&error);
                    if lack.is_none() {
                        wrong.push(format!("{target}.{}: {error}", column.name));
                    }
                    lack
                }
            };
            if found != wanted {
                wrong.push(format!("{target}.{}: it lacks {found:?}, and not {wanted:?}", column.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
