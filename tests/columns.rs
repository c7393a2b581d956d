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

fn main() -> ExitCode {
    if let Some(done) = child::main().or_else(helper::main) {
        return done;
    }
    let tests =
        [task::tests(), files::tests(), net::tests(), sockets::tests(), bpf::tests(), system::tests()];
    support::main(tests.into_iter().flatten().collect())
}
