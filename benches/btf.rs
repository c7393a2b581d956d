//! The speed of questions about the running kernel's types.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use kwalk::KernelBtf;
use kwalk::btf::{Btf, Kind, TypeId};

mod measure;

/// What a program that prints of tasks, files and maps asks for.
const DOZEN: [(Kind, &str); 12] = [
    (Kind::Func, "bpf_iter_task"),
    (Kind::Func, "bpf_iter_task_file"),
    (Kind::Func, "bpf_iter_bpf_map"),
    (Kind::Struct, "bpf_iter__task"),
    (Kind::Struct, "bpf_iter__task_file"),
    (Kind::Struct, "bpf_iter__bpf_map"),
    (Kind::Struct, "bpf_iter_meta"),
    (Kind::Struct, "seq_file"),
    (Kind::Struct, "task_struct"),
    (Kind::Struct, "file"),
    (Kind::Struct, "bpf_map"),
    (Kind::Enum, "bpf_map_type"),
];

fn kernel() -> KernelBtf {
    KernelBtf::open().expect("the kernel has BTF")
}

fn fresh(kernel: &KernelBtf) -> Btf<'_> {
    Btf::new(kernel.bytes()).expect("it is BTF")
}

fn task(btf: &Btf<'_>) -> TypeId {
    btf.find(Kind::Struct, "task_struct").expect("there")
}

fn names(c: &mut Criterion) {
    let kernel = kernel();
    let known = fresh(&kernel);
    assert!(known.find_many(DOZEN).expect("it is sound").iter().all(Option::is_some));
    let find = |btf: &Btf<'_>| btf.find(black_box(Kind::Func), black_box("bpf_iter_task"));
    let mut group = c.benchmark_group("names");
    group.bench_function("bpf_iter_task, from the file on", |b| b.iter(|| find(&fresh(&self::kernel()))));
    group.bench_function("bpf_iter_task", |b| b.iter(|| find(&fresh(&kernel))));
    group.bench_function("bpf_iter_task, again", |b| b.iter(|| find(&known)));
    group.throughput(Throughput::Elements(DOZEN.len() as u64));
    group.bench_function("a dozen", |b| b.iter(|| fresh(&kernel).find_many(black_box(DOZEN))));
    group.finish();
}

fn paths(c: &mut Criterion) {
    let kernel = kernel();
    let known = fresh(&kernel);
    let path = |btf: &Btf<'_>| btf.path(task(btf), black_box("real_parent.tgid"));
    assert!(path(&known).is_ok());
    let mut group = c.benchmark_group("paths");
    group.bench_function("task_struct.real_parent.tgid", |b| b.iter(|| path(&fresh(&kernel))));
    group.bench_function("task_struct.real_parent.tgid, again", |b| b.iter(|| path(&known)));
    group.finish();
}

/// All that `kwalk fields` prints of a struct is a declaration.
fn declarations(c: &mut Criterion) {
    let kernel = kernel();
    let known = fresh(&kernel);
    let declare_all = |btf: &Btf<'_>| -> usize {
        let members = btf.named_members(task(btf)).expect("a struct");
        let lengths =
            members.iter().map(|member| btf.declaration(member.type_id, member.name).map(|c| c.len()));
        lengths.sum::<Result<_, _>>().expect("they can be written")
    };
    let count = known.named_members(task(&known)).expect("a struct").len();
    let mut group = c.benchmark_group("declarations");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("members of task_struct", |b| {
        b.iter_batched_ref(|| fresh(&kernel), |btf| declare_all(btf), BatchSize::PerIteration);
    });
    group.finish();
}

fn main() {
    measure::run(&[names, paths, declarations]);
}
