//! Programs are written for the kernel that runs them: with the instructions that it has, and without its functions where
//! it can't call them.

use std::collections::BTreeSet;

use kwalk::asm::Insn;
use kwalk::asm::Reg::{R7, R8};
use kwalk::progs::{self, Builder, Kernel, Program, available, targets};
use kwalk::select::{Expr, PlanOptions, Reason, Select, Walk, field};
use kwalk::text::{self, Options, PROGRAMS};
use kwalk::{Iter, Loaded, Scope};

use crate::support::Need::{Bpf, Root};
use crate::support::rows::{all, counted, number, walked};
use crate::support::{Need, Sleeper, Test, running, test, unique};

const NEEDS: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("long_lists_are_looked_up", NEEDS, long_lists_are_looked_up),
        test("long_lists_of_numbers_too", NEEDS, long_lists_of_numbers_too),
        test("long_jumps_are_those_that_the_kernel_has", NEEDS, long_jumps_are_those_that_the_kernel_has),
        test("without_a_jit_no_function_is_called", NEEDS, without_a_jit_no_function_is_called),
        test("without_a_jit_maps_are_listed_as_before", NEEDS, without_a_jit_maps_are_listed_as_before),
    ]
}

/// Names of 14 bytes, as many as people paste.
fn names() -> Vec<String> {
    (0..5000).map(|nth| format!("a_name_{nth:07}")).collect()
}

fn long_lists_are_looked_up() {
    let sleepers = [0, 1].map(|nth| Sleeper::named(&unique(&format!("kwl{nth}_"))));
    let list = names().into_iter().chain([sleepers[0].comm.clone()]);
    let condition = field("comm").is_in(list);
    let pids = |condition: Expr| {
        let select = Select::new("task").fields(["pid"]).filter(condition);
        BTreeSet::from_iter(all(walked(&select, Scope::All).unwrap(), |row| number(&row[0])).unwrap())
    };
    assert_eq!(pids(condition.clone()), BTreeSet::from([u64::from(sleepers[0].pid())]));
    let others = pids(condition.clone().not());
    assert!(!others.contains(&sleepers[0].pid().into()) && others.contains(&sleepers[1].pid().into()));
    // A prefix of one of them is none, nor is a name that goes on.
    let near = [sleepers[0].comm.split_at(5).0.to_owned(), format!("{}x", sleepers[0].comm)];
    assert_eq!(pids(field("comm").is_in(names().into_iter().chain(near))), BTreeSet::new());
    // One look-up is all that it takes.
    let program = Select::new("task").fields(["pid"]).filter(condition).plan(&running()).unwrap();
    let program = program.program(&running()).unwrap();
    assert!(program.code.len_slots() < 50, "{} slots", program.code.len_slots());
    assert_eq!(program.maps.len(), 1);
}

fn long_lists_of_numbers_too() {
    let sleeper = Sleeper::named(&unique("kwn"));
    let own = sleeper.pid();
    let list = || (1..5000u32).map(|nth| nth + 5_000_000).chain([own]);
    assert_eq!(counted(&Select::new("task").filter(field("pid").is_in(list())), Scope::All).unwrap(), 1);
    // Signs count: −1 is not 2³²−1.
    let signed = (1..100i64).map(|nth| -nth).chain([own.into()]);
    assert_eq!(
        counted(&Select::new("task").filter((field("pid") + 0).is_in(signed)), Scope::All).unwrap(),
        1
    );
    let negative = (1..100i64).map(|nth| -nth);
    let select = Select::new("task").filter((-field("pid")).is_in(negative));
    assert!(counted(&select, Scope::All).unwrap() > 0);
}

/// A program of more than 32,767 instructions, whose jumps are too long for 16 bits.
fn long_jumps_are_those_that_the_kernel_has() {
    let sleeper = Sleeper::named(&unique("kwj"));
    let kernel = running();
    let mut builder = Builder::new(&kernel, &targets::task::TARGET).unwrap();
    let done = builder.asm.label();
    let task = builder.object(R7, done).unwrap();
    builder.text_is(&task, "comm", sleeper.comm.as_bytes(), done).unwrap();
    builder.asm.mov(R8, 0);
    (0..40_000).for_each(|_| builder.asm.add(R8, 1));
    builder.asm.jump_if(R8.ne(40_000), done);
    builder.printf("%d\n", &[task.field("pid")]).unwrap();
    let program = builder.finish("long", done).unwrap();
    assert!(program.code.len_slots() > 1 << 15);
    let long = program.code.insns().iter().any(|insn| matches!(insn, Insn::JumpLong { .. }));
    assert!(!long || kernel.version >= Some((6, 6)), "gotol on {:?}", kernel.version);
    let mut iter = Loaded::load(&program).unwrap().attach(&Scope::All).unwrap().iter().unwrap();
    assert_eq!(iter.next_chunk().unwrap(), format!("{}\n", sleeper.pid()).as_bytes());
}

fn without_jit() -> Kernel<'static> {
    let mut kernel = running();
    kernel.has_jit = false;
    kernel
}

fn calls_functions(program: &Program) -> bool {
    let is_call = |insn: &Insn| matches!(insn, Insn::CallKfunc { .. });
    !program.kfuncs.is_empty() || program.code.insns().iter().any(is_call)
}

/// What a kernel without a JIT refuses is not in the program; or the question is refused, and says so.
fn without_a_jit_no_function_is_called() {
    let (kernel, with) = (without_jit(), running());
    let (mut written, mut refused, mut differ) = (0, 0, 0);
    for target in available(kernel.btf).unwrap() {
        let name = &*target.target.name;
        let columns = kwalk::select::named_columns(name).iter().map(|column| vec![column.name]);
        for fields in columns.filter(|fields| !fields.is_empty()) {
            let select = Select::new(name).fields(fields.clone());
            match select.plan(&kernel).and_then(|plan| plan.program(&kernel)) {
                Ok(program) => {
                    assert!(!calls_functions(&program), "{name} {fields:?}");
                    let same = select.plan(&with).and_then(|plan| plan.program(&with));
                    differ += u32::from(same.is_ok_and(|same| calls_functions(&same)));
                    Loaded::load(&program).unwrap_or_else(|error| panic!("{name} {fields:?}: {error}"));
                    written += 1;
                }
                Err(error) => {
                    let known = matches!(
                        *error.reason,
                        Reason::NoJit { .. } | Reason::Since { .. } | Reason::Name { .. } | Reason::Field(_)
                    );
                    assert!(known, "{name} {fields:?}: {error}");
                    refused += u32::from(matches!(*error.reason, Reason::NoJit { .. }));
                }
            }
        }
    }
    assert!(written > 50, "{written}");
    // On kernels that have such functions.
    if with.kfunc("bpf_rdonly_cast").unwrap().is_some() {
        assert!(differ > 5 && refused > 0, "{differ} {refused}");
    }
    // What is shown is the same.
    let select = Select::new("task").fields(["pid"]).filter(field("real_parent.comm").is_not_null());
    let rows = Walk::plan_with(&select, &kernel, Scope::All, &PlanOptions::default()).unwrap();
    let rows = all(rows.prepare().unwrap().into_rows().unwrap(), |row| number(&row[0])).unwrap();
    assert!(rows.contains(&std::process::id().into()), "{rows:?}");
    // A program that is written to call one says what is wrong.
    let mut builder = Builder::new(&kernel, &targets::task::TARGET).unwrap();
    let error = builder.kfunc("bpf_task_acquire").unwrap_err();
    assert_eq!(error, progs::Error::NoJit { function: "bpf_task_acquire" });
}

fn without_a_jit_maps_are_listed_as_before() {
    for program in PROGRAMS {
        let program = program.write(&without_jit(), &Options::default()).unwrap();
        assert!(!calls_functions(&program), "{}", program.name);
    }
    let maps = text::by_name("maps").unwrap().write(&without_jit(), &Options::default()).unwrap();
    let _map = crate::support::objects::small_map(&unique("kwm"));
    let link = Loaded::load(&maps).unwrap().attach(&Scope::All).unwrap();
    let mut iter: Iter = link.iter().unwrap();
    let first = String::from_utf8(iter.next_chunk().unwrap().to_vec()).unwrap();
    assert_eq!(first.lines().next(), Some("  id name             max_entries"));
    assert!(first.contains(&unique("kwm")), "{first}");
}
