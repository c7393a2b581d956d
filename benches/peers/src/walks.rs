//! Walks of 5,000 tasks in a process that has loaded its programs: what rows, a filter and text take beyond the walk alone,
//! and text against what clang compiles.

use kwalk::btf::Btf;
use kwalk::progs::{Kernel, targets};
use kwalk::select::field;
use kwalk::{Error, KernelBtf, Scope, kernel};

use crate::population::{Kind, Population};
use crate::programs::{self, Attached};
use crate::race::{Course, Unit};
use crate::{Table, libbpf, tools};

/// How many tasks there are then.
pub(crate) const TASKS: usize = 5_000;

pub(crate) fn races(table: &mut Table) {
    let Some(types) = table.has("walks", KernelBtf::open()) else { return };
    let btf = Btf::new(types.bytes()).expect("the kernel's types");
    let kernel = kernel(&btf);
    for (kind, what) in [(Kind::Threads, "threads"), (Kind::Processes, "processes")] {
        if let Err(why) = of_tasks(table, &kernel, kind, what) {
            table.left_out.push(format!("walks of {TASKS} {what}: {why}"));
        }
    }
}

fn of_tasks(table: &mut Table, kernel: &Kernel<'_>, kind: Kind, what: &str) -> Result<(), String> {
    let failed = |error: Error| error.to_string();
    let name = own_name();
    let missing = TASKS.saturating_sub(programs::tasks_there(kernel).map_err(failed)?);
    let _population = Population::new(kind, missing)?;
    let none = &Scope::All;
    let empty = Attached::empty(kernel, &targets::task::TARGET, none).map_err(failed)?;
    let rows = Attached::rows(kernel, &programs::tasks(), none, None).map_err(failed)?;
    let one = programs::tasks().filter(field("comm").eq(name.as_str()));
    let one = Attached::rows(kernel, &one, none, None).map_err(failed)?;
    assert_eq!(one.walk().rows, 1);
    let lines = Attached::lines(kernel).map_err(failed)?;
    let course = |column: &str, peer| {
        Course::new(format!("{TASKS} {what}: {column}"), Unit::Each("task", TASKS), peer)
    };
    const EMPTY: &str = "kwalk, empty program";
    table.add(course("rows of tgid, pid, comm", EMPTY).goal(0.74).run(|| rows.walk(), || empty.walk()));
    table.add(course("a filter, one match", EMPTY).goal(0.87).run(|| one.walk(), || empty.walk()));
    let clang =
        tools::object("lines").and_then(|path| libbpf::Attached::new(&path).map_err(|e| e.to_string()));
    if let Some(mut clang) = table.has("text by clang and libbpf-rs", clang) {
        let [ours, theirs] = [lines.walk().rows, clang.walk().rows];
        assert!(ours.abs_diff(theirs) < TASKS / 10, "{ours} lines, {theirs}");
        table.add(course("text", "clang, libbpf-rs 0.27").goal(1.0).run(|| lines.walk(), || clang.walk()));
    }
    Ok(())
}

/// A name for this process that no other has.
fn own_name() -> String {
    let name = format!("kw{}", std::process::id());
    std::fs::write("/proc/self/comm", &name).expect("a name of its own");
    name
}
