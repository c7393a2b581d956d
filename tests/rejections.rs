//! Who writes a program that the verifier rejects is told which line of Rust it was, why, and what to do.

use kwalk::asm::Reg::{R0, R1, R2, R5, R6, R7, R8, R10};
use kwalk::asm::{Assembler, Helper, HelperId, Insn, u32_at, u64_at};
use kwalk::btf::Kind;
use kwalk::progs::{Builder, Program, ProgramType, targets};
use kwalk::{Error, Fault, Loaded, Rejection};

use crate::support::{Need, Test, kernel_version, running, test};

const NEEDS: &[Need] = &[Need::Bpf];
const NEWER: &[Need] = &[Need::Bpf, Need::Kernel(6, 12)];

fn load(write: impl FnOnce(&mut Assembler)) -> Result<Loaded, Error> {
    let attach_btf_id = running().btf.find(Kind::Func, "bpf_iter_task").unwrap().0;
    let mut a = Assembler::new();
    write(&mut a);
    let code = a.finish().unwrap();
    Loaded::load(&Program {
        name: "broken",
        program_type: ProgramType::Iter { target: targets::task::TARGET, attach_btf_id },
        code,
        sleepable: false,
        maps: vec![],
        kfuncs: vec![],
        fragments: vec![],
    })
}

#[track_caller]
fn rejected(write: impl FnOnce(&mut Assembler)) -> Rejection {
    match load(write) {
        Err(Error::Rejected(rejection)) => *rejection,
        other => panic!("{other:?}"),
    }
}

fn the_line_is_named() {
    let mut line = 0;
    let broken = rejected(|a| {
        a.load(R7, u64_at(R1 + 8));
        line = line!() + 1;
        a.load(R0, u32_at(R7 + 0));
        a.exit();
    });
    let at = broken.at.clone().unwrap();
    assert_eq!((at.slot, at.line.file(), at.line.line()), (1, file!(), line));
    assert_eq!(at.insn, "r0 = *(u32 *)(r7 +0)");
    assert_eq!(broken.errno, libc::EACCES);
    assert!(broken.reason.starts_with("R7 invalid mem access '"), "{broken}");
    assert_eq!(broken.fault(), Some(Fault::MaybeNull), "{broken:?}");
    // The kernel cites the line, too.
    assert!(broken.log.contains(&format!("\n; {}", at.line)), "{}", broken.log);
    let said = Error::from(broken).to_string();
    let place = format!("program broken, {}, instruction 1, `r0 = *(u32 *)(r7 +0)`: ", at.line);
    assert!(said.starts_with(&place), "{said}");
    assert_eq!(said.lines().count(), 1);
}

/// A wide load before it counts as two slots; a function of the program is rejected at its own line.
fn slots_and_functions_lead_to_their_lines() {
    let mut line = 0;
    let broken = rejected(|a| {
        let function = a.label();
        a.load_imm64(R6, 1 << 40);
        a.call_local(function);
        a.mov(R0, 0);
        a.exit();
        a.bind(function);
        line = line!() + 1;
        a.mov(R0, R6);
        a.exit();
    });
    let at = broken.at.clone().unwrap();
    assert_eq!((at.slot, at.line.line()), (5, line));
    assert!(broken.log.contains(&format!("\n; {}", at.line)), "{}", broken.log);
    assert_eq!(broken.reason, "R6 !read_ok");
}

fn reasons_are_told_apart() {
    type Case = (&'static str, fn(&mut Assembler), &'static str, Option<Fault>);
    #[rustfmt::skip]
    let cases: [Case; 8] = [
        ("a number", |a| { a.mov(R7, 8); a.load(R0, u32_at(R7 + 0)); a.exit(); }, "invalid mem access", Some(Fault::NoAddress)),
        ("nothing", |a| { a.mov(R0, R5); a.exit(); }, "R5 !read_ok", Some(Fault::UnwrittenRegister)),
        ("a write", |a| {
            let end = a.label();
            a.load(R7, u64_at(R1 + 8));
            a.jump_if(R7.eq(0), end);
            a.store(u64_at(R7 + 0), 0);
            a.bind(end);
            a.mov(R0, 0);
            a.exit();
        }, "only read is supported", Some(Fault::ReadOnly)),
        ("dead code", |a| { a.mov(R0, 0); a.exit(); a.mov(R0, 0); a.exit(); }, "unreachable insn 2", None),
        ("no helper", |a| { a.emit(Insn::CallHelper { helper: HelperId(9999) }); a.exit(); }, "invalid func unknown#9999", Some(Fault::Helper(HelperId(9999)))),
        ("another's helper", |a| { a.call(Helper::SkbStoreBytes); a.exit(); }, "bpf_skb_store_bytes#9", Some(Fault::Helper(HelperId(9)))),
        ("a newer helper", |a| { a.call(Helper::TcpRawGenSyncookieIpv4); a.exit(); }, "#204", Some(Fault::Helper(HelperId(204)))),
        ("no end", |a| {
            let again = a.label();
            a.mov(R0, 0);
            a.bind(again);
            // The longer each round, the fewer states the verifier compares and prints.
            (0..5_000).for_each(|_| a.mov(R1, 0));
            a.add(R0, 1);
            a.jump_if(R0.lt(5_000_000), again);
            a.exit();
        }, "BPF program is too large", Some(Fault::TooLarge)),
    ];
    for (name, write, reason, fault) in cases {
        let broken = match load(write) {
            Err(Error::Rejected(rejection)) => *rejection,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(broken.fault(), fault, "{name}: {broken:?}");
        // Before 6.4, the end of a log is lost if it is long.
        if name == "no end" && kernel_version() < (6, 4) {
            assert_eq!((broken.reason.as_str(), broken.errno), ("", libc::E2BIG));
            continue;
        }
        assert!(broken.reason.contains(reason), "{name}: {}", broken.reason);
        assert!(broken.at.is_some(), "{name}: {}", broken.log);
    }
}

/// How wide an argument's load is, and what is returned, older kernels don't look at.
fn what_newer_kernels_look_at() {
    let broken = rejected(|a| {
        a.mov(R0, 2);
        a.exit();
    });
    assert!(broken.reason.contains("At program exit"), "{}", broken.reason);
    assert_eq!(broken.fault(), Some(Fault::ReturnValue));
    let broken = rejected(|a| {
        a.load(R7, u32_at(R1 + 8));
        a.mov(R0, 0);
        a.exit();
    });
    assert!(broken.reason.contains("invalid bpf_context access"), "{}", broken.reason);
    assert_eq!(broken.fault(), Some(Fault::Context));
}

/// The types tell where it lies, but the verifier lets nobody load it.
fn what_an_index_on_a_pointer_leads_to() {
    let kernel = running();
    let mut walk = Builder::new(&kernel, &targets::task::TARGET).unwrap();
    let done = walk.asm.label();
    let task = walk.trusted_object(R7, done).unwrap();
    let error = walk.load(R8, task.field("files.fdt.fd[0].f_pos")).unwrap_err();
    let expected = "field files.fdt.fd[0].f_pos: it is not within a program's reach, which ends at a pointer to pointers";
    assert_eq!(error.to_string(), expected);
    walk.load(R8, task.field("real_parent[1].pid")).unwrap();
    let Err(Error::Rejected(rejection)) = Loaded::load(&walk.finish("beyond", done).unwrap()) else {
        panic!()
    };
    assert!(rejection.reason.contains("access beyond struct task_struct"), "{rejection}");
    assert_eq!(rejection.fault(), Some(Fault::BeyondStruct));
}

fn what_is_not_the_verifier_s_says_so() {
    // No program at all: the kernel looks no further than at its length.
    let error = load(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Sys(error) if error.errno() == libc::E2BIG), "{error:?}");
    // Nothing is rejected without a fault.
    load(|a| {
        a.mov(R2, R10);
        a.mov(R0, 0);
        a.exit();
    })
    .unwrap();
}

pub fn tests() -> Vec<Test> {
    vec![
        test("the_line_is_named", NEEDS, the_line_is_named),
        test("slots_and_functions_lead_to_their_lines", NEEDS, slots_and_functions_lead_to_their_lines),
        test("reasons_are_told_apart", NEEDS, reasons_are_told_apart),
        test("what_newer_kernels_look_at", NEWER, what_newer_kernels_look_at),
        test("what_an_index_on_a_pointer_leads_to", NEEDS, what_an_index_on_a_pointer_leads_to),
        test("what_is_not_the_verifier_s_says_so", NEEDS, what_is_not_the_verifier_s_says_so),
    ]
}
