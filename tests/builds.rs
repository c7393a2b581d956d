//! What is built from these sources, and what that costs: tests that run cargo. `cargo test -p kwalk-cli --test integration`
//! leaves them out.
#![allow(unreachable_pub, reason = "nothing here is a library's")]

mod costs;
mod embed;
#[allow(dead_code, reason = "the other binary uses the rest of it")]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    support::main(support::tests![costs embed])
}
