//! The named columns of each target show of known objects what /proc, /sys and bpftool say of them.
#![allow(dead_code, unreachable_pub, reason = "as in the modules that tests share")]

#[path = "columns/bpf.rs"]
mod bpf;
#[path = "columns/cell.rs"]
mod cell;
#[path = "columns/child.rs"]
mod child;
#[path = "columns/files.rs"]
mod files;
#[path = "columns/net.rs"]
mod net;
#[path = "columns/sockets.rs"]
mod sockets;
#[path = "columns/system.rs"]
mod system;
#[path = "columns/task.rs"]
mod task;

#[path = "support/helper.rs"]
mod helper;
mod support;

use std::process::ExitCode;

use kwalk::KernelBtf;
use kwalk::btf::Btf;
use kwalk::progs::target::available;
use kwalk::select::{Select, columns};

use cell::since;
use support::Need::Bpf;
use support::{kernel_version, test};

/// Columns that need a newer kernel than their target does.
const NEWER: &[(&str, &[&str], (u16, u16))] = &[
    // bpf_copy_from_user_task
    ("task", &["cmdline"], (5, 18)),
    // bpf_rdonly_cast
    ("task", &["pidns", "nspid"], (6, 2)),
    ("netlink", &["groups"], (6, 2)),
    // Where it is counted in an array of what verifiers look into.
    ("task", &["rss"], (6, 2)),
    // bpf_sock_from_file
    ("task_file", &["family", "protocol", "src", "sport", "dst", "dport", "state"], (5, 11)),
    ("bpf_prog", &["verified"], (5, 16)),
];

fn main() -> ExitCode {
    if let Some(done) = child::main().or_else(helper::main) {
        return done;
    }
    let own = vec![test("every_column_is_there", &[Bpf], every_column_is_there)];
    let tests =
        [own, task::tests(), files::tests(), net::tests(), sockets::tests(), bpf::tests(), system::tests()];
    support::main(tests.into_iter().flatten().collect())
}

/// Each column of each target that this kernel has can be planned, but for those that are known to be newer, of which that
/// is said.
fn every_column_is_there() {
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    let mut wrong = Vec::new();
    for target in available(&btf).unwrap() {
        for column in columns::of(target.name) {
            let newer =
                NEWER.iter().find(|(of, names, _)| *of == target.name && names.contains(&column.name));
            let wanted = newer.map(|(.., since)| *since).filter(|since| kernel_version() < *since);
            let found = match Select::new(target.name).fields([column.name]).plan(&btf) {
                Ok(_) => None,
                Err(error) => {
                    let error = kwalk::Error::from(error);
                    if since(&error).is_none() {
                        wrong.push(format!("{}.{}: {error}", target.name, column.name));
                    }
                    since(&error)
                }
            };
            if found != wanted {
                wrong.push(format!("{}.{}: since {found:?}, and not {wanted:?}", target.name, column.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
