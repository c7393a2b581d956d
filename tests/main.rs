//! What kwalk promises, a module per promise. `cargo test -p kwalk-cli --test integration pin::` runs one of them.
#![allow(unreachable_pub, reason = "nothing here is a library's")]

mod architecture;
mod assembler;
mod btf_write;
mod cgroup_paths;
mod cgroups;
mod clang;
mod cmdline;
mod columns;
mod elements;
mod fields;
mod instructions;
mod kernels;
mod kfuncs;
mod maps;
mod netns;
mod pid_namespaces;
mod pin;
mod preload;
mod prepared;
mod readers;
mod rejections;
mod routes;
mod select;
mod skeleton;
#[allow(dead_code, reason = "the other binary uses the rest of it")]
mod support;
mod sys;
mod targets;
mod text_bpf;
mod text_tasks;
mod types;
mod usage;
mod walk;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Tests start this binary again, as a process to look at.
    if let Some(done) = columns::child::main().or_else(support::helper::main) {
        return done;
    }
    support::main(support::tests![
        architecture assembler btf_write cgroup_paths cgroups clang cmdline columns elements fields instructions kernels
        kfuncs maps netns pid_namespaces pin preload prepared readers rejections routes select skeleton sys targets text_bpf
        text_tasks types usage walk
    ])
}
