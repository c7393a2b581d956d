//! What can be counted and is the same on every machine with the same kernel: instructions of programs, and of those how many
//! the verifier looks at; instructions, system calls, memory and size of commands. `tests/costs.txt` has what they are
//! known to be; what is far beside that, either way, is to be looked into. `KWALK_COSTS=write` has the file written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use kwalk::progs::{Program, available};
use kwalk::select::Select;
use kwalk::{Loaded, text};

use crate::support::Need::{Bpf, Root, Std, ThisKernel, Tool};
use crate::support::{Need, Test, dir, peak, root, running, test};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/costs.txt");

/// What is run of the command: nothing whose output depends on what else there is.
const COMMANDS: &[&[&str]] = &[
    &["--version"],
    &["fields", "task"],
    &["task", "--count"],
    &["task", "-f", "tgid,comm,real_parent.comm", "-w", "tgid = 1 and comm like '%'", "-o", "ndjson"],
    &["cat", "stacks", "--pid", "1"],
];

/// The target of the static command.
const MUSL: &str = "x86_64-unknown-linux-musl";

/// It, as README says that it is built.
static STATIC: LazyLock<PathBuf> = LazyLock::new(|| {
    // Beside this build's own.
    let target = Path::new(env!("CARGO_BIN_EXE_kwalk")).ancestors().nth(2).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--profile",
        "static",
        "--package",
        "kwalk-cli",
        "--target",
        MUSL,
    ]);
    cargo.arg("--target-dir").arg(target).current_dir(root());
    assert!(cargo.status().unwrap().success());
    target.join(MUSL).join("static/kwalk")
});

type Costs = BTreeMap<String, u64>;

static KNOWN: LazyLock<Costs> = LazyLock::new(|| {
    let lines = std::fs::read_to_string(FILE).unwrap_or_default();
    let line = |line: &str| {
        let (what, cost) = line.rsplit_once(' ')?;
        Some((what.trim_end().into(), cost.parse().ok()?))
    };
    lines.lines().filter_map(line).collect()
});

pub fn tests() -> Vec<Test> {
    // The kernel that the file's figures are of: another one's types and verifier have their own.
    const MEASURED: Need = ThisKernel(6, 18);
    const PROGRAMS: &[Need] = &[Bpf, Root, MEASURED];
    const CALLS: &[Need] = &[Bpf, Root, MEASURED, Tool("strace")];
    const BUILD: &[Need] = &[Tool("cargo"), Std(MUSL)];
    const RUN: &[Need] = &[Bpf, Root, MEASURED, Tool("cargo"), Std(MUSL)];
    const INSTRUCTIONS: &[Need] = &[Bpf, Root, MEASURED, Tool("valgrind")];
    vec![
        test("programs_have_so_many_instructions", PROGRAMS, || compare("program", 20, programs())),
        test("commands_make_so_many_system_calls", CALLS, || compare("calls", 20, calls())),
        test("commands_take_so_many_instructions", INSTRUCTIONS, || {
            compare("instructions", 10, instructions())
        }),
        test("the_static_command_has_so_many_bytes", BUILD, || compare("bytes", 20, bytes())),
        test("commands_take_so_much_memory", RUN, || compare("memory", 10, memory())),
    ]
}

/// Compares with the file's lines that begin with this word, or writes them. One part in so many more or less is as good:
/// what a command takes depends a little on how cargo was told to build it.
fn compare(word: &str, parts: u64, found: Costs) {
    let found: Costs = found.into_iter().map(|(what, cost)| (format!("{word} {what}"), cost)).collect();
    if std::env::var_os("KWALK_COSTS").is_some_and(|what| what == "write") {
        return write(word, found);
    }
    let known: Vec<_> = KNOWN.iter().filter(|(what, _)| what.starts_with(&format!("{word} "))).collect();
    let mut wrong = String::new();
    for (what, &cost) in known {
        let is_near = |found: u64| found.abs_diff(cost) * parts <= cost;
        match found.get(what) {
            Some(&found) if is_near(found) => {}
            Some(found) => writeln!(wrong, "{what}: {found}, and known to be {cost}").unwrap(),
            None => writeln!(wrong, "{what}: no longer there").unwrap(),
        }
    }
    for what in found.keys().filter(|what| !KNOWN.contains_key(*what)) {
        writeln!(wrong, "{what}: not known yet").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}KWALK_COSTS=write has tests/costs.txt written anew");
}

/// Puts these lines into the file, in the place of those that begin with this word.
fn write(word: &str, found: Costs) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap();
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let others = text.lines().filter(|line| !line.starts_with(&format!("{word} ")));
    let mut lines: Vec<_> = others.map(String::from).collect();
    lines.extend(found.iter().map(|(what, cost)| format!("{what:60} {cost}")));
    lines.sort();
    std::fs::write(FILE, lines.join("\n") + "\n").unwrap();
}

/// The text programs, and the selections of the default columns.
fn programs() -> Costs {
    let kernel = running();
    let mut costs = Costs::new();
    let mut add = |name: String, program: &Program| {
        let verified = Loaded::load(program).unwrap().fd().info().unwrap().verified_insns;
        costs.insert(format!("{name}, emitted"), program.code.len_slots() as u64);
        costs.insert(format!("{name}, verified"), verified.into());
    };
    for program in text::PROGRAMS {
        add(format!("cat {}", program.name), &program.write(&kernel, &text::Options::default()).unwrap());
    }
    for found in available(kernel.btf).unwrap() {
        let name = &*found.target.name;
        // What such a map holds is known of a map only.
        if name != "bpf_map_elem" {
            add(name.into(), &Select::new(name).plan(&kernel).unwrap().program(&kernel).unwrap());
        }
    }
    costs
}

fn calls() -> Costs {
    let dir = dir();
    let trace = dir.path().join("trace");
    counted(|command| {
        let mut strace = Command::new("strace");
        run(strace.args(["-f", "-o"]).arg(&trace).args(command));
        std::fs::read_to_string(&trace).unwrap().lines().filter(|line| line.contains('(')).count() as u64
    })
}

/// Of the command as the tests have it, which is not the fastest; but what is slower in one is so in the other.
fn instructions() -> Costs {
    let dir = dir();
    counted(|command| {
        let mut valgrind = Command::new("valgrind");
        let out = dir.path().join("out");
        valgrind
            .args(["--tool=callgrind", "--log-file=/dev/null"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .args(command);
        run(&mut valgrind);
        let out = std::fs::read_to_string(&out).unwrap();
        let total =
            out.lines().find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
        total.unwrap().trim().parse().unwrap()
    })
}

fn bytes() -> Costs {
    Costs::from([("kwalk, static".into(), STATIC.metadata().unwrap().len())])
}

/// In kB, of the static command: most of it is what it has of its file.
fn memory() -> Costs {
    const WALKS: [&[&str]; 3] = [&["task", "--count"], &["task", "-o", "ndjson"], &["task", "-o", "csv"]];
    WALKS.iter().map(|words| (named(words), peak(&STATIC, words))).collect()
}

/// What each command costs.
fn counted(cost: impl Fn(Vec<&str>) -> u64) -> Costs {
    let command = |words: &[&'static str]| [&[env!("CARGO_BIN_EXE_kwalk")], words].concat();
    COMMANDS.iter().map(|words| (named(words), cost(command(words)))).collect()
}

fn named(words: &[&str]) -> String {
    format!("kwalk {}", words.join(" "))
}

fn run(command: &mut Command) {
    // Where libraries are looked for is up to who runs the tests.
    let path = std::env::var_os("PATH").unwrap();
    let output = command.env_clear().env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
