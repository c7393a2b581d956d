//! How fast walks are read, in objects, in a process that has loaded its program: 100, 5,000 and 50,000 tasks, as threads
//! and as processes, by five programs; then 100,000 open files, 10,000 sockets, 1,000,000 elements of a map.
//!
//! An iteration starts a walk, reads it to its end and looks at each row. A population that can't be had is left out, with
//! a line that says why.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use kwalk::btf::Btf;
use kwalk::progs::{Kernel, Target, targets};
use kwalk::select::{Select, Walk, field};
use kwalk::sys::MapFd;
use kwalk::{Error, KernelBtf, Scope, kernel};
use population::{Kind, Population};
use programs::{Attached, Given};

mod measure;
mod population;
mod programs;

/// What is walked, by the names of their groups.
const WALKED: [&str; 5] = ["threads", "processes", "task_file", "tcp", "bpf_map_elem"];

/// Whether some of these are asked for: a population is not made for nobody. A filter on the command line begins with a
/// group's name, or is none of a group's.
fn is_wanted(what: &str, count: usize) -> bool {
    let group = format!("{what}/{count}/");
    let mut filters = std::env::args().skip(1).filter(|arg| WALKED.iter().any(|name| arg.starts_with(name)));
    let mut all = true;
    filters.any(|filter| {
        all = false;
        filter.starts_with(&group) || group.starts_with(&filter)
    }) || all
}

fn types() -> KernelBtf {
    KernelBtf::open().expect("the kernel has BTF")
}

/// A group for so many objects.
fn group<'a>(c: &'a mut Criterion, what: &str, count: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(format!("{what}/{count}"));
    group.throughput(Throughput::Elements(count as u64)).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(700));
    group
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, attached: Result<Attached, Error>) -> Given {
    let attached = attached.expect("the kernel takes the program");
    let given = attached.walk();
    group.bench_function(name, |b| b.iter(|| attached.walk()));
    given
}

/// The same of one that gives something, in objects and in bytes.
fn bench_output(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    count: usize,
    attached: Result<Attached, Error>,
) {
    let attached = attached.expect("the kernel takes the program");
    let given = attached.walk();
    // Other tasks come and go.
    assert!(given.rows >= count / 10 * 9, "{name}: {given:?}");
    group.bench_function(name, |b| b.iter(|| attached.walk()));
    group.throughput(Throughput::Bytes(given.bytes as u64));
    group.bench_function(format!("{name}, bytes"), |b| b.iter(|| attached.walk()));
    group.throughput(Throughput::Elements(count as u64));
}

/// A population, or a line that says why there is none.
fn populate(kind: Kind, count: usize) -> Option<Population> {
    said(Population::new(kind, count))
}

fn said<T>(made: Result<T, String>) -> Option<T> {
    made.inspect_err(|why| println!("left out: {why}")).ok()
}

fn tasks(c: &mut Criterion) {
    let types = types();
    let btf = Btf::new(types.bytes()).expect("it is BTF");
    let kernel = kernel(&btf);
    // One process that only this one's condition is true of.
    let name = format!("kw{}", std::process::id());
    std::fs::write("/proc/self/comm", &name).expect("a name of its own");
    for (kind, what) in [(Kind::Threads, "threads"), (Kind::Processes, "processes")] {
        for size in [100_usize, 5_000, 50_000].into_iter().filter(|size| is_wanted(what, *size)) {
            // With those that are there anyway.
            let missing = size.saturating_sub(programs::tasks_there(&kernel).expect("they can be counted"));
            let Some(_population) = populate(kind, missing) else { continue };
            let none = &Scope::All;
            let mut group = group(c, what, size);
            bench(&mut group, "empty program", Attached::empty(&kernel, &targets::task::TARGET, none));
            let records = Attached::rows(&kernel, &programs::tasks(), none, None);
            bench_output(&mut group, "records", size, records);
            bench_output(&mut group, "lines", size, Attached::lines(&kernel));
            let one = programs::tasks().filter(field("comm").eq(name.as_str()));
            let one = bench(&mut group, "filter, one match", Attached::rows(&kernel, &one, none, None));
            let told = Scope::Pid(std::process::id());
            // It passes by no other.
            group.throughput(Throughput::Elements(1));
            let own = bench(
                &mut group,
                "link told a pid",
                Attached::rows(&kernel, &programs::tasks(), &told, None),
            );
            assert_eq!((one.rows, own.rows), (1, 1));
            asked_again(&mut group, &kernel);
            group.finish();
        }
    }
}

/// Compares two ways to count tasks repeatedly: with a walk that is prepared once, and with one that is planned, loaded
/// and attached for each count.
fn asked_again(group: &mut BenchmarkGroup<'_, WallTime>, kernel: &Kernel<'_>) {
    let select = Select::new("task");
    let prepare = || Walk::plan_count(&select, kernel, Scope::All)?.prepare();
    let mut prepared = prepare().expect("the kernel takes the program");
    group.bench_function("count, prepared", |b| b.iter(|| prepared.count().expect("the walk ends")));
    let anew = || prepare()?.count();
    group.bench_function("count, anew", |b| b.iter(|| anew().expect("the walk ends")));
}

/// What else there is many of.
fn others(c: &mut Criterion) {
    let types = types();
    let btf = Btf::new(types.bytes()).expect("it is BTF");
    let kernel = kernel(&btf);
    let mut both = |target: &Target, count: usize, select: &Select, map: Option<&MapFd>| {
        let told = map.map_or(Scope::All, Scope::Map);
        let mut group = group(c, &target.name, count);
        bench(&mut group, "empty program", Attached::empty(&kernel, target, &told));
        bench_output(&mut group, "records", count, Attached::rows(&kernel, select, &told, map));
        group.finish();
    };
    for (kind, target, count, select) in [
        (Kind::Files, &targets::task_file::TARGET, 100_000, programs::files()),
        (Kind::Sockets, &targets::tcp::TARGET, 10_000, programs::sockets()),
    ] {
        if is_wanted(&target.name, count) {
            if let Some(_population) = populate(kind, count) {
                both(target, count, &select, None);
            }
        }
    }
    const ELEMENTS: u32 = 1_000_000;
    let (target, count) = (&targets::bpf_map_elem::TARGET, ELEMENTS as usize);
    if is_wanted(&target.name, count) {
        if let Some(map) = said(population::elements(ELEMENTS)) {
            both(target, count, &programs::elements(), Some(&map));
        }
    }
}

fn main() {
    if population::helper() {
        return;
    }
    let types = types();
    let btf = Btf::new(types.bytes()).expect("it is BTF");
    let kernel = kernel(&btf);
    match Attached::empty(&kernel, &targets::task::TARGET, &Scope::All) {
        Ok(_) => measure::run(&[tasks, others]),
        Err(why) => println!("left out, since programs can't be loaded: {why}"),
    }
}
