//! Every target of the table that this kernel has can be walked, object by object and each once; and links can be told
//! what they should.
//!
//! `cargo vm test` reads from the names and outcomes of the tests `target_…` and `parameter_…` what each kernel supports.

mod support;

use std::fs::read_to_string;
use std::os::fd::AsFd;

use kwalk::asm::Reg::{R0, R7};
use kwalk::btf::Btf;
use kwalk::progs::target::{Parameters as Takes, TARGETS};
use kwalk::progs::{Target, Walk};
use kwalk::sys::{CgroupOrder, CgroupStart, MapCreate, MapType, bpf, pidfd_open};
use kwalk::{Error, KernelBtf, Link, Loaded, Parameters};
use libtest_mimic::Trial;
use nix::unistd::gettid;
use support::{Need, test};

/// A program that writes a byte for each object.
fn load(btf: &Btf<'_>, target: &'static Target) -> Loaded {
    let mut walk = Walk::new(btf, target).unwrap();
    let done = walk.asm.label();
    let _object = walk.object(R7, done).unwrap_or_else(|error| panic!("{}: {error}", target.name));
    walk.write(b".");
    walk.asm.mov(R0, 0);
    let program = walk.finish("count", done).unwrap();
    Loaded::load(&program).unwrap_or_else(|error| panic!("{}: {error}", target.name))
}

fn attach(btf: &Btf<'_>, target: &'static Target, parameters: &Parameters<'_>) -> Link {
    load(btf, target).attach(parameters).unwrap_or_else(|error| panic!("{}: {error}", target.name))
}

fn count(link: &Link) -> usize {
    let mut iter = link.iter().unwrap();
    let mut count = 0;
    loop {
        match iter.next_chunk().unwrap() {
            [] => return count,
            chunk => count += chunk.len(),
        }
    }
}

fn walk(target: &'static Target) {
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    let map = |kind, value| bpf(MapCreate::new(kind, 4, value, 3)).unwrap();
    let (array, sockets) = (map(MapType::ARRAY, 8), map(MapType::SOCKMAP, 4));
    let (parameters, least) = match (target.name, target.parameters) {
        ("bpf_map_elem", _) => (Parameters::Map(&array), 3),
        ("sockmap", _) => (Parameters::Map(&sockets), 0),
        ("bpf_sk_storage_map", _) => {
            // A map of that kind needs types of its own; of another, the target is asked and refuses.
            let refused = load(&btf, target).attach(&Parameters::Map(&array)).unwrap_err();
            assert!(matches!(refused, Error::MapType { map_type: MapType::ARRAY, .. }));
            return;
        }
        (_, Takes::Cgroup) => (cgroup(CgroupOrder::SELF_ONLY), 1),
        ("task" | "task_file" | "task_vma", _) => (Parameters::None, 10),
        ("bpf_link" | "bpf_prog" | "bpf_map", _) => (Parameters::None, 1),
        _ => (Parameters::None, 0),
    };
    let count = count(&attach(&btf, target, &parameters));
    assert!(count >= least, "{}: {count} objects, not {least}", target.name);
}

fn cgroup(order: CgroupOrder) -> Parameters<'static> {
    Parameters::Cgroup { order, start: CgroupStart::Root }
}

/// How many objects a walk that is told this has.
fn told(target: &'static Target, parameters: &Parameters<'_>) -> usize {
    let kernel = KernelBtf::open().unwrap();
    count(&attach(&Btf::new(kernel.bytes()).unwrap(), target, parameters))
}

const TASK: &Target = Target::named("task");
const CGROUP: &Target = Target::named("cgroup");

/// Runs a check in this process, of a thread that does not lead it.
fn in_a_thread(check: fn()) {
    std::thread::scope(|scope| scope.spawn(check).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn pid() {
    in_a_thread(|| {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
        assert!(threads > 1);
        assert_eq!(told(TASK, &Parameters::Pid(std::process::id())), threads);
    });
}

fn tid() {
    assert_eq!(told(TASK, &Parameters::Tid(std::process::id())), 1);
}

fn tid_of_any_thread() {
    in_a_thread(|| assert_eq!(told(TASK, &Parameters::Tid(gettid().as_raw() as u32)), 1));
}

fn pidfd() {
    let pidfd = pidfd_open(std::process::id()).unwrap();
    assert!(told(TASK, &Parameters::PidFd(pidfd.as_fd())) >= 1);
}

fn cgroup_order() {
    for order in [CgroupOrder::SELF_ONLY, CgroupOrder::DESCENDANTS_PRE, CgroupOrder::ANCESTORS_UP] {
        assert!(told(CGROUP, &cgroup(order)) >= 1, "{order:?}");
    }
}

fn cgroup_children() {
    told(CGROUP, &cgroup(CgroupOrder::CHILDREN));
}

fn every_target_is_tested() {
    for target in TARGETS {
        assert!(WALKED.contains(&target.name), "{}", target.name);
    }
}

/// Its last call has a symbol, the last one again, which is not to be shown.
fn no_symbol_is_shown_twice() {
    const KSYM: &Target = Target::named("ksym");
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    let link = attach(&btf, KSYM, &Parameters::None);
    // Programs come and go meanwhile, and their symbols with them.
    let equal = (0..100).any(|_| {
        let symbols = || read_to_string("/proc/kallsyms").unwrap().lines().count();
        let (before, walked, after) = (symbols(), count(&link), symbols());
        before == after && {
            assert_eq!(walked, before);
            true
        }
    });
    assert!(equal, "/proc/kallsyms never stays the same");
}

macro_rules! walked {
    ($($name:literal)*) => {
        const WALKED: &[&str] = &[$($name),*];
        fn targets() -> Vec<Trial> {
            vec![$({
                const TARGET: &Target = Target::named($name);
                const NEEDS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(TARGET)];
                test(concat!("target_", $name), NEEDS, || walk(TARGET))
            }),*]
        }
    };
}
walked! {
    "bpf_link" "bpf_map" "bpf_map_elem" "bpf_prog" "bpf_sk_storage_map" "cgroup" "dmabuf" "ipv6_route" "kmem_cache"
    "ksym" "netlink" "sockmap" "task" "task_file" "task_vma" "tcp" "udp" "unix"
}

fn main() -> std::process::ExitCode {
    const KSYMS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(Target::named("ksym"))];
    const TASKS: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 1)];
    const THREADS: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 12)];
    const CGROUPS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(CGROUP)];
    const CHILDREN: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(7, 0)];
    let mut tests = targets();
    tests.extend([
        test("every_target_is_tested", &[], every_target_is_tested),
        test("no_symbol_is_shown_twice", KSYMS, no_symbol_is_shown_twice),
        test("parameter_pid", TASKS, pid),
        test("parameter_tid", TASKS, tid),
        test("parameter_tid_of_any_thread", THREADS, tid_of_any_thread),
        test("parameter_pidfd", TASKS, pidfd),
        test("parameter_cgroup_order", CGROUPS, cgroup_order),
        test("parameter_cgroup_children", CHILDREN, cgroup_children),
    ]);
    support::main(tests)
}
