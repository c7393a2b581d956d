//! Every target of the table that this kernel has can be walked, object by object and each once; and links can be told
//! what they should.
//!
//! `cargo vm test` reads from the names and outcomes of the tests `target_…` and `parameter_…` what each kernel supports.

use std::fs::read_to_string;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;

use kwalk::asm::Reg::{R0, R7};
use kwalk::progs::{Builder, Parameters, Target, available, targets};
use kwalk::sys::{CgroupOrder, CgroupStart, ElemFlags, MapCreate, MapType, MapUpdateElem, bpf, pidfd_open};
use kwalk::{Error, Link, Loaded, Scope};
use nix::unistd::gettid;

use crate::support::{Need, Test, kwalk, running, stdout, test};

/// A program that writes a byte for each object.
fn load(target: &Target) -> Loaded {
    let mut walk = Builder::new(&running(), target).unwrap();
    let done = walk.asm.label();
    let _object = walk.object(R7, done).unwrap_or_else(|error| panic!("{}: {error}", target.name));
    walk.write(b".");
    walk.asm.mov(R0, 0);
    let program = walk.finish("count", done).unwrap();
    Loaded::load(&program).unwrap_or_else(|error| panic!("{}: {error}", target.name))
}

/// The first line of csv has the names that `kwalk targets` lists, of which some are words of SQL.
fn default_columns_have_their_names() {
    let mut seen = 0;
    for line in stdout(&mut kwalk(["targets"])).lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (target, columns) = (words[0], words.last().unwrap());
        let output = kwalk([target, "-o", "csv", "--limit", "1"]).output().unwrap();
        // Some need to be told where, and some have no objects.
        // A name in a row may be any bytes.
        if let Some(first) = String::from_utf8_lossy(&output.stdout).lines().next() {
            // This kernel may lack some.
            let shown: Vec<&str> = first.split(',').collect();
            let known = columns.split(',').filter(|column| shown.contains(column));
            assert_eq!(known.collect::<Vec<_>>(), shown, "{target}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

/// The kernel answers EINVAL for whatever does not suit it.
fn sleepable_programs() {
    const TAKEN: [&str; 7] = ["task", "task_file", "task_vma", "ksym", "cgroup", "kmem_cache", "dmabuf"];
    let kernel = running();
    let map = bpf(MapCreate::new(MapType::ARRAY, 4, 8, 3)).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for found in available(kernel.btf).unwrap() {
        let target = &found.target;
        let mut builder = Builder::new(&kernel, target).unwrap();
        let done = builder.asm.label();
        builder.may_sleep();
        let loaded = Loaded::load(&builder.finish("sleepy", done).unwrap()).unwrap();
        let scope = match target.parameters {
            Parameters::Map => Scope::Map(&map),
            Parameters::Cgroup => {
                Scope::Cgroup { order: CgroupOrder::DESCENDANTS_PRE, start: CgroupStart::Root }
            }
            _ => Scope::All,
        };
        match loaded.attach(&scope) {
            Ok(_) => {
                assert!(TAKEN.contains(&&*target.name), "{}", target.name);
                taken += 1;
            }
            Err(Error::Sleepable { target: refusing }) => {
                assert!(refusing == target.name && !TAKEN.contains(&&*target.name), "{}", target.name);
                refused += 1;
            }
            Err(error) => panic!("{}: {error}", target.name),
        }
    }
    assert!(taken > 3 && refused > 6, "{taken} {refused}");
}

fn attach(target: &Target, scope: Scope<'_>) -> Link {
    load(target).attach(&scope).unwrap_or_else(|error| panic!("{}: {error}", target.name))
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
    let map = |kind, value| bpf(MapCreate::new(kind, 4, value, 3)).unwrap();
    let (array, sockets) = (map(MapType::ARRAY, 8), map(MapType::SOCKMAP, 4));
    // For most targets there is something on every machine; for the others, it is made.
    let (tcp, _udp, _unix) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UnixDatagram::unbound().unwrap(),
    );
    let value = &(tcp.as_raw_fd() as u32).to_ne_bytes();
    bpf(MapUpdateElem { map: &sockets, key: &[0; 4], value, flags: ElemFlags::empty() }).unwrap();
    let (scope, least) = match (&*target.name, target.parameters) {
        ("bpf_map_elem", _) => (Scope::Map(&array), 3),
        ("sockmap", _) => (Scope::Map(&sockets), 1),
        ("bpf_sk_storage_map", _) => {
            // A map of that kind needs types of its own; of another, the target is asked and refuses.
            let refused = load(target).attach(&Scope::Map(&array)).unwrap_err();
            assert!(matches!(refused, Error::MapType { map_type: MapType::ARRAY, .. }));
            return;
        }
        (_, Parameters::Cgroup) => (cgroup(CgroupOrder::SELF_ONLY), 1),
        ("task" | "task_file" | "task_vma", _) => (Scope::All, 10),
        // Few machines can make one: `columns::dmabuf_is_what_was_made` does.
        ("dmabuf", _) => (Scope::All, 0),
        _ => (Scope::All, 1),
    };
    let count = count(&attach(target, scope));
    assert!(count >= least, "{}: {count} objects, not {least}", target.name);
}

fn cgroup(order: CgroupOrder) -> Scope<'static> {
    Scope::Cgroup { order, start: CgroupStart::Root }
}

/// How many objects a walk that is told this has.
fn told(target: &Target, scope: Scope<'_>) -> usize {
    count(&attach(target, scope))
}

const TASK: &Target = &targets::task::TARGET;
const CGROUP: &Target = &targets::cgroup::TARGET;

/// Runs a check in this process, of a thread that does not lead it.
fn in_a_thread(check: fn()) {
    std::thread::scope(|scope| scope.spawn(check).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn pid() {
    in_a_thread(|| {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
        assert!(threads > 1);
        assert_eq!(told(TASK, Scope::Pid(std::process::id())), threads);
    });
}

fn tid() {
    assert_eq!(told(TASK, Scope::Tid(std::process::id())), 1);
}

fn tid_of_any_thread() {
    in_a_thread(|| assert_eq!(told(TASK, Scope::Tid(gettid().as_raw() as u32)), 1));
}

fn pidfd() {
    let pidfd = pidfd_open(std::process::id()).unwrap();
    assert!(told(TASK, Scope::PidFd(pidfd.as_fd())) >= 1);
}

fn cgroup_order() {
    for order in [CgroupOrder::SELF_ONLY, CgroupOrder::DESCENDANTS_PRE, CgroupOrder::ANCESTORS_UP] {
        assert!(told(CGROUP, cgroup(order)) >= 1, "{order:?}");
    }
}

fn cgroup_children() {
    told(CGROUP, cgroup(CgroupOrder::CHILDREN));
}

fn every_target_is_tested() {
    for target in targets::ALL {
        assert!(WALKED.contains(&&*target.name), "{}", target.name);
    }
}

/// Its last call has a symbol, the last one again, which is not to be shown.
fn no_symbol_is_shown_twice() {
    const KSYM: &Target = &targets::ksym::TARGET;
    let link = attach(KSYM, Scope::All);
    // Programs come and go meanwhile, and their symbols with them.
    let equal = (0..100).any(|_| {
        let symbols = || read_to_string("/proc/kallsyms").unwrap().lines().count();
        let (before, walked, after) = (symbols(), count(&link), symbols());
        before == walked && walked == after
    });
    assert!(equal, "the walk never shows as many symbols as /proc/kallsyms before and after it");
}

macro_rules! walked {
    ($($name:ident)*) => {
        const WALKED: &[&str] = &[$(stringify!($name)),*];
        fn walks() -> Vec<Test> {
            vec![$({
                const TARGET: &Target = &targets::$name::TARGET;
                const NEEDS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(TARGET)];
                test(concat!("target_", stringify!($name)), NEEDS, || walk(TARGET))
            }),*]
        }
    };
}
walked! {
    bpf_link bpf_map bpf_map_elem bpf_prog bpf_sk_storage_map cgroup dmabuf ipv6_route kmem_cache ksym netlink sockmap
    task task_file task_vma tcp udp unix
}

pub fn tests() -> Vec<Test> {
    const KSYMS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(&targets::ksym::TARGET)];
    const TASKS: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 1)];
    const THREADS: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 12)];
    const CGROUPS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(CGROUP)];
    const CHILDREN: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(7, 0)];
    const SLEEPING: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 1)];
    let mut tests = walks();
    tests.extend([
        test("every_target_is_tested", &[], every_target_is_tested),
        test("default_columns_have_their_names", &[Need::Bpf, Need::Root], default_columns_have_their_names),
        test("sleepable_programs_are_taken_or_refused_in_words", SLEEPING, sleepable_programs),
        test("no_symbol_is_shown_twice", KSYMS, no_symbol_is_shown_twice),
        test("parameter_pid", TASKS, pid),
        test("parameter_tid", TASKS, tid),
        test("parameter_tid_of_any_thread", THREADS, tid_of_any_thread),
        test("parameter_pidfd", TASKS, pidfd),
        test("parameter_cgroup_order", CGROUPS, cgroup_order),
        test("parameter_cgroup_children", CHILDREN, cgroup_children),
    ]);
    tests
}
