//! Every target of the table that this kernel has can be walked, object by object and each once.

mod support;

use std::fs::read_to_string;

use kwalk::asm::Reg::{R0, R7};
use kwalk::btf::Btf;
use kwalk::progs::target::{Parameters as Takes, TARGETS, available};
use kwalk::progs::{Target, Walk};
use kwalk::sys::{CgroupOrder, CgroupStart, MapCreate, MapType, bpf};
use kwalk::{KernelBtf, Link, Loaded, Parameters};
use support::{Need, test};

const NEEDS: &[Need] = &[Need::Bpf, Need::Root];

/// A program that writes a byte for each object.
fn attach(btf: &Btf<'_>, target: &'static Target, parameters: &Parameters<'_>) -> Link {
    let mut walk = Walk::new(btf, target).unwrap();
    let done = walk.asm.label();
    let _object = walk.object(R7, done).unwrap_or_else(|error| panic!("{}: {error}", target.name));
    walk.write(b".");
    walk.asm.mov(R0, 0);
    let program = walk.finish("count", done).unwrap();
    let loaded = Loaded::load(&program).unwrap_or_else(|error| panic!("{}: {error}", target.name));
    loaded.attach(parameters).unwrap_or_else(|error| panic!("{}: {error}", target.name))
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

fn every_target_is_walked() {
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    let names: Vec<_> = available(&btf).unwrap().iter().map(|target| target.name).collect();
    let map = |kind, value| bpf(MapCreate::new(kind, 4, value, 3)).unwrap();
    let (array, sockets) = (map(MapType::ARRAY, 8), map(MapType::SOCKMAP, 4));
    for target in TARGETS.iter().filter(|target| names.contains(&target.name)) {
        let (parameters, least) = match (target.name, target.parameters) {
            ("bpf_map_elem", _) => (Parameters::Map(&array), 3),
            ("sockmap", _) => (Parameters::Map(&sockets), 0),
            // A map of this kind needs types of its own.
            ("bpf_sk_storage_map", _) => continue,
            (_, Takes::Cgroup) => {
                let order = CgroupOrder::SELF_ONLY;
                (Parameters::Cgroup { order, start: CgroupStart::Root }, 1)
            }
            ("task" | "task_file" | "task_vma", _) => (Parameters::None, 10),
            ("bpf_link" | "bpf_prog" | "bpf_map", _) => (Parameters::None, 1),
            _ => (Parameters::None, 0),
        };
        let count = count(&attach(&btf, target, &parameters));
        assert!(count >= least, "{}: {count} objects, not {least}", target.name);
    }
}

/// Its last call has a symbol, the last one again, which is not to be shown.
fn no_symbol_is_shown_twice() {
    const KSYM: &Target = Target::named("ksym");
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    if !available(&btf).unwrap().iter().any(|target| target.name == "ksym") {
        return;
    }
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

fn main() -> std::process::ExitCode {
    support::main(vec![
        test("every_target_is_walked", NEEDS, every_target_is_walked),
        test("no_symbol_is_shown_twice", NEEDS, no_symbol_is_shown_twice),
    ])
}
