//! The named columns of each target show of known objects what /proc, /sys and bpftool say of them.

mod bpf;
mod cell;
pub mod child;
mod files;
mod forms;
mod net;
mod per_cpu;
mod sockets;
mod system;
mod task;

use kwalk::progs::available;
use kwalk::select::{Select, named_columns};

use cell::Lack;

use crate::support::Need::Bpf;
use crate::support::{Test, kernel_version, running, test};

/// Columns that need a newer kernel than their target does.
const NEWER: &[(&str, &[&str], (u16, u16))] = &[
    // bpf_copy_from_user_task
    ("task", &["cmdline"], (5, 18)),
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
    ("task_file", &["family", "protocol", "src", "sport", "dst", "dport", "state"], (5, 11)),
    ("bpf_prog", &["verified"], (5, 16)),
];

/// Those of them that take a function of the kernel's, which it calls for its JIT alone. An older kernel is said to be too old.
const JIT: &[(&str, &[&str])] = &[("task", &["pidns", "nspid", "kthread", "work"]), ("netlink", &["groups"])];

pub fn tests() -> Vec<Test> {
    let own = vec![test("every_column_is_there", &[Bpf], every_column_is_there)];
    let tests = [
        own,
        task::tests(),
        files::tests(),
        forms::tests(),
        net::tests(),
        per_cpu::tests(),
        sockets::tests(),
        bpf::tests(),
        system::tests(),
    ];
    tests.into_iter().flatten().collect()
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
