//! The assembler against the running kernel: what it encodes is loaded, does what RFC 9669 says, and comes back as
//! what was sent.
//!
//! Programs are generated, and run with generated inputs; a reference evaluator (`machine`) says what must come out:
//! R0, all registers, the stack and a map. Programs without dead code must also come back from the kernel as they
//! were sent, but for the rewrites of one table (`rewrites`).
//!
//! What no running kernel of today judges here: `gotox` (since 6.19; older ones must refuse it), `addr_space_cast` (it
//! takes an arena that is mapped), what packet loads give (no command of ours runs a program on a packet; that they are
//! taken is tested), and whatever the other byte order is about.
//!
//! By itself it takes the same 40,000 cases (a program and its inputs) every time; with `KWALK_CASES=10000` the first of
//! them; with `KWALK_CASES=1000000 cargo test --test integration assembler::` that many new ones. A failure is shrunk and kept in
//! `tests/assembler.regressions`, which is tried first.

mod directed;
mod kernel;
mod machine;
mod programs;
mod rewrites;

use directed::*;
use kwalk::sys::*;
use kwalk_asm::{Endian, Insn};
use programs::{CTX_LEN, MAP_LEN, Program, inputs, program};
use proptest::prelude::*;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestRng, TestRunner,
};
use rewrites::{Context, REWRITES, compare};

use crate::support::{Need, Test, test};

/// Most of these programs are run by hand, as `BPF_PROG_TYPE_SYSCALL`.
const NEEDS: &[Need] = &[Need::Bpf, Need::Kernel(5, 14)];
/// All instructions but the youngest.
const V4: &[Need] = &[Need::Bpf, Need::Kernel(6, 6)];
/// And `may_goto`.
const GENERATED: &[Need] = &[Need::Bpf, Need::Kernel(6, 9)];
/// What kernels do for their JIT alone: others look up in arrays by the helper, and call nothing back.
const JIT: &[Need] = &[NEEDS[0], NEEDS[1], Need::Jit];
/// The kernel functions of RCU.
const RCU: &[Need] = &[Need::Bpf, Need::Kernel(6, 2), Need::Jit];
/// Load-acquire and store-release, and the verifier's words of today.
const BARRIERS: &[Need] = &[Need::Bpf, Need::Kernel(6, 15)];

/// Programs that failed once.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/assembler.regressions");

/// How many inputs each program runs with.
const RUNS: u64 = 8;

/// As many as there are of the same every time.
const SAME: u32 = 40_000;

fn cases() -> u32 {
    std::env::var("KWALK_CASES").map_or(SAME, |cases| cases.parse().expect("KWALK_CASES is a number"))
}

/// Some share of the cases, by percent, as programs.
fn config(percent: u64) -> Config {
    let cases = u64::from(cases()) * percent / 100 / RUNS;
    Config {
        cases: cases as u32,
        max_shrink_iters: 4096,
        max_shrink_time: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..Config::default()
    }
}

fn runner(percent: u64) -> TestRunner {
    if cases() > SAME {
        return TestRunner::new(config(percent));
    }
    TestRunner::new_with_rng(config(percent), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// A map of a test's own.
struct Map {
    map: MapFd,
    fd: i32,
    id: u32,
}

impl Map {
    fn new() -> Map {
        let (map, fd, id) = kernel::one_value(MAP_LEN);
        Map { map, fd, id }
    }
}

/// Runs a program in the kernel and by the reference, with the same context and map.
fn runs_alike(prog: &ProgFd, insns: &[Insn], map: Option<&Map>, words: &[u64]) -> Result<(), TestCaseError> {
    let mut ctx = vec![0; CTX_LEN];
    for (bytes, word) in ctx.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    let mut value: Vec<u8> = words.iter().rev().flat_map(|word| word.to_ne_bytes()).take(MAP_LEN).collect();
    let (mut is, mut value_is) = (ctx.clone(), value.clone());
    if let Some(Map { map, .. }) = map {
        bpf(MapUpdateElem { map, key: &[0; 4], value: &value, flags: ElemFlags::empty() }).unwrap();
    }
    let r0 = bpf(ProgRun { prog, ctx: &mut is }).unwrap();
    if let Some(Map { map, .. }) = map {
        bpf(MapLookupElem { map, key: &[0; 4], value: &mut value_is }).unwrap();
    }
    let expected = machine::run(insns, &mut ctx, &mut value);
    prop_assert_eq!(words_of(&is), words_of(&ctx), "the context");
    prop_assert_eq!(words_of(&value_is), words_of(&value), "the map");
    prop_assert_eq!(r0, expected as u32, "what it returned");
    Ok(())
}

fn words_of(bytes: &[u8]) -> Vec<String> {
    bytes.chunks_exact(8).map(|word| format!("{:#x}", u64::from_ne_bytes(word.try_into().unwrap()))).collect()
}

/// Loads a program, looks at its tag, runs it.
fn loads_and_runs(program: &Program, seed: u64, map: &Map) -> Result<(ProgFd, Vec<Insn>), TestCaseError> {
    let insns = program.insns(map.fd);
    let code = kernel::code(&insns);
    let bytes = kernel::bytes(&insns);
    prop_assert_eq!(Insn::decode_program(&bytes, Endian::NATIVE), Ok(insns.clone()));
    let prog = kernel::load(ProgType::SYSCALL, &bytes).map_err(|error| match error.contains("(E2BIG)") {
        // The verifier gives up on too many paths, rarely.
        true => TestCaseError::reject("too complex"),
        false => TestCaseError::fail(error),
    })?;
    let tag = prog.info().unwrap().tag;
    prop_assert_eq!(tag, code.tag(Endian::NATIVE, kernel::tag_hash()), "the tag");
    let map = program.uses_map().then_some(map);
    for run in 0..RUNS {
        runs_alike(&prog, &insns, map, &inputs(seed.wrapping_add(run)))?;
    }
    Ok((prog, insns))
}

/// The slots at which functions begin.
fn functions(insns: &[Insn]) -> Vec<usize> {
    kernel::code(insns).functions()
}

fn programs_do_what_the_reference_does() {
    let map = Map::new();
    let mut runner = runner(40);
    let result = runner.run(&(program(false), any::<u64>()), |(program, seed)| {
        loads_and_runs(&program, seed, &map).map(drop)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

fn programs_come_back_as_they_were_sent() {
    let map = Map::new();
    let used = std::cell::RefCell::new(vec![0; REWRITES.len()]);
    let mut runner = runner(60);
    let result = runner.run(&(program(true), any::<u64>()), |(program, seed)| {
        let (prog, insns) = loads_and_runs(&program, seed, &map)?;
        let context =
            Context { map_id: map.id, helper: kernel::helper, functions: functions(&insns), slot: 0 };
        let rows = compare(&insns, &kernel::xlated(&prog), context).map_err(TestCaseError::fail)?;
        used.borrow_mut().iter_mut().zip(rows).for_each(|(all, more)| *all += more);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    for (row, used) in REWRITES.iter().zip(used.into_inner()) {
        assert!(used > 0 || cases() < 10_000, "no program had this to rewrite: {}", row.what);
    }
}

pub fn tests() -> Vec<Test> {
    macro_rules! tests {
        ($($needs:ident: $($name:ident)*;)*) => {
            vec![$($(test(stringify!($name), $needs, $name),)*)*]
        };
    }
    tests! {
        GENERATED:
            programs_do_what_the_reference_does
            programs_come_back_as_they_were_sent
            may_goto_counts;
        NEEDS:
            dead_code_is_removed
            a_compare_and_exchange_extends_r0_where_that_matters
            maps_come_back_by_id
            the_context_of_a_filter_is_another_structure
            packet_loads_are_expanded
            many_long_jumps_lead_where_they_should_without_gotol;
        JIT:
            a_look_up_in_an_array_is_inlined
            a_function_is_called_back;
        RCU:
            a_kernel_function_becomes_its_address;
        V4:
            every_operation_on_numbers_at_which_something_changes
            long_jumps_lead_where_they_should;
        BARRIERS:
            what_the_verifier_must_refuse_is_refused;
    }
}
