//! Programs call functions of the kernel and of its modules by their names; what is missing is named, with the kernel that
//! first has it.

use std::fs;
use std::path::Path;

use kwalk::asm::Reg::{R0, R1, R7, R8};
use kwalk::btf::Kind;
use kwalk::progs::{Builder, Target, kfunc, targets};
use kwalk::{Error, KernelBtf, Loaded, Scope};

use crate::support::{Need, Test, kernel_version, running, test};

const TASK: &Target = &targets::task::TARGET;
const NEEDS: &[Need] = &[Need::Bpf];
const CALLS: &[Need] = &[Need::Bpf, Need::Kernel(6, 2), Need::Jit];

/// Loads a program that writes a dot for each task, if what is emitted before goes on.
fn load(emit: impl FnOnce(&mut Builder<'_>)) -> Result<Loaded, Error> {
    let kernel = running();
    let mut walk = Builder::new(&kernel, TASK).unwrap();
    let done = walk.asm.label();
    let task = walk.trusted_object(R7, done).unwrap();
    if kernel.btf.find(Kind::Func, "bpf_task_acquire").is_ok() {
        // What is got through a function has to be given back through one, which the verifier looks at.
        let [lock, unlock, acquire, release] =
            ["bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_task_acquire", "bpf_task_release"]
                .map(|name| walk.kfunc(name).unwrap());
        walk.call(lock);
        walk.call_with(acquire, &task);
        walk.asm.mov(R8, R0);
        walk.call(unlock);
        walk.asm.jump_if(R8.eq(0), done);
        walk.asm.mov(R1, R8);
        walk.call(release);
    }
    emit(&mut walk);
    walk.write(b".");
    let program = walk.finish("kfuncs", done).unwrap();
    Loaded::load(&program)
}

fn the_kernel_s_functions_are_called() {
    let link = load(|_| ()).unwrap().attach(&Scope::All).unwrap();
    let mut iter = link.iter().unwrap();
    assert!(iter.next_chunk().unwrap().starts_with(b"."));
}

fn what_is_missing_is_named() {
    let error = load(|walk| {
        let missing = walk.kfunc("kwalk_no_such_function").unwrap();
        walk.call(missing);
    });
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "function kwalk_no_such_function: this kernel does not have it");
}

/// A function of the kernel that is there for the kernel alone.
fn what_is_not_for_programs_is_refused() {
    let error = load(|walk| {
        let callee = walk.kfunc("bpf_iter_task").unwrap();
        walk.call(callee);
    });
    let Err(Error::Rejected(rejection)) = error else { panic!("{error:?}") };
    assert!(rejection.reason.contains("calling kernel function bpf_iter_task is not allowed"), "{rejection}");
    assert_eq!(rejection.fault(), Some(kwalk::Fault::KernelFunction));
}

fn versions_are_those_of_kernels() {
    let kernel = running();
    for (since, names) in kfunc::SINCE {
        for name in *names {
            let is_there = kernel.btf.find(Kind::Func, name).is_ok();
            assert!(is_there || kernel_version() < *since, "{name} is not there since {since:?}");
        }
    }
}

/// A function of a module that has types, if there is one.
fn of_a_module() -> Option<String> {
    let base = btf_rs::Btf::from_file(KernelBtf::PATH).ok()?;
    let count = running().btf.type_count().ok()?;
    let paths = fs::read_dir(Path::new(KernelBtf::PATH).parent()?).ok()?;
    let paths = paths.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths = paths.filter(|path| !path.ends_with("vmlinux"));
    paths.find_map(|path| {
        let both = btf_rs::Btf::from_split_file(&path, &base).ok()?;
        let mut types = (count + 1..).map_while(|id| both.resolve_type_by_id(id).ok());
        types.find_map(|ty| match ty {
            btf_rs::Type::Func(function) => both.resolve_name(&function).ok(),
            _ => None,
        })
    })
}

/// Few of a module's functions are for programs, but the verifier knows which was meant.
fn a_function_of_a_module_is_found() {
    let name: &'static str = of_a_module().unwrap().leak();
    let loaded = load(|walk| {
        let callee = walk.kfunc(name).unwrap();
        walk.call(callee);
    });
    match loaded {
        Ok(_) => {}
        Err(Error::Rejected(rejection)) => assert!(rejection.reason.contains(name), "{rejection}"),
        other => panic!("{name}: {other:?}"),
    }
}

pub fn tests() -> Vec<Test> {
    const MODULE: &[Need] = &[
        Need::Bpf,
        Need::Root,
        Need::Kernel(6, 2),
        Need::Jit,
        Need::That("a module with types", || of_a_module().is_some()),
    ];
    vec![
        test("the_kernel_s_functions_are_called", CALLS, the_kernel_s_functions_are_called),
        test("what_is_missing_is_named", &[Need::Bpf, Need::Jit], what_is_missing_is_named),
        test("what_is_not_for_programs_is_refused", CALLS, what_is_not_for_programs_is_refused),
        test("versions_are_those_of_kernels", NEEDS, versions_are_those_of_kernels),
        test("a_function_of_a_module_is_found", MODULE, a_function_of_a_module_is_found),
    ]
}
