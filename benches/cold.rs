//! How long a whole process takes from its start to its end, that walks the tasks which are there: static binaries, and one
//! that does nothing, which is as fast as a process can be.

use std::path::Path;
use std::process::{Command, Stdio};

use built::Built;
use criterion::Criterion;

mod built;
mod measure;

fn cold(c: &mut Criterion) {
    let built = match Built::new(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        Ok(built) => built,
        Err(why) => return println!("left out: {why}"),
    };
    // A name that no task has.
    let commands: [(&str, &Path, &[&str]); 4] = [
        ("nothing", &built.empty, &[]),
        ("embed", &built.embed, &["kwalk-nobody"]),
        ("kwalk task --count", &built.kwalk, &["task", "--count"]),
        ("kwalk task", &built.kwalk, &["task"]),
    ];
    let mut group = c.benchmark_group("cold");
    for (name, path, args) in commands {
        let mut command = Command::new(path);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
        match built::done(&mut command) {
            Ok(_) => drop(group.bench_function(name, |b| b.iter(|| command.status().expect("it starts")))),
            Err(why) => println!("left out: {name}: {why}"),
        }
    }
    group.finish();
}

fn main() {
    measure::run(&[cold]);
}
