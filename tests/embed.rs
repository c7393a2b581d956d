//! What embedding costs: the size, the dependencies, the system calls and the memory of a static binary that walks tasks
//! through the library alone, against an empty one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::support::{Need, Sleeper, Test, peak, root, test, unique};

/// The crates that an embedder compiles, those that only run at build time included.
const DEPENDENCIES: [&str; 14] = [
    "bitflags",
    "cfg-if",
    "cfg_aliases",
    "kwalk",
    "kwalk-asm",
    "kwalk-btf",
    "kwalk-progs",
    "libc",
    "nix",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
    "zerocopy",
];

/// Three programs, built alike.
struct Built {
    /// Does nothing.
    empty: PathBuf,
    /// Sleeps.
    idle: PathBuf,
    /// The example.
    embed: PathBuf,
}

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embed");
    let (out, target) = (dir.join("empty"), host());
    std::fs::create_dir_all(&out).unwrap();
    // A package of its own, as an embedder has: in this one it would have what the tests need built with it.
    let root = root();
    let manifest = format!(
        "[package]\nname = \"embedder\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nkwalk = {{ path = {root:?}, default-features = false }}\n\n\
         [[bin]]\nname = \"embed\"\npath = {:?}\n\n\
         [profile.release]\nlto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"\n",
        root.join("src/embed.rs")
    );
    std::fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    let flags = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static", "-Cstrip=symbols"];
    // The same versions as everywhere, which are here already.
    let embed = cargo(&dir, &["build", "--offline", "--release", "--target", &target])
        .arg("--target-dir")
        .arg(&dir)
        .env("RUSTFLAGS", flags.join(" "))
        .status()
        .unwrap();
    assert!(embed.success());

    let compile = |name: &str, source: &str| {
        let path = out.join(name).with_extension("rs");
        std::fs::write(&path, source).unwrap();
        let compiled = Command::new("rustc")
            .args(["--edition=2024", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1", "-Cpanic=abort"])
            .args(flags)
            .args(["--target", &target, "--out-dir"])
            .args([&out, &path])
            .status()
            .unwrap();
        assert!(compiled.success());
        out.join(name)
    };
    Built {
        empty: compile("empty", "fn main() {}"),
        idle: compile("idle", "fn main() { std::thread::sleep(std::time::Duration::from_secs(600)) }"),
        embed: dir.join(&target).join("release/embed"),
    }
});

fn cargo(package: &Path, args: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(args).args(["--quiet", "--manifest-path"]).arg(package.join("Cargo.toml"));
    cargo
}

/// The target that binaries for this machine are built for.
fn host() -> String {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().into()
}

fn size() {
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    let more = size(&BUILT.embed) - size(&BUILT.empty);
    assert!(more <= 200_000, "{more} bytes more than an empty program");
}

fn is_static() {
    let elf = std::fs::read(&BUILT.embed).unwrap();
    let number =
        |at: usize, len: usize| elf[at..at + len].iter().rev().fold(0, |n, byte| n << 8 | *byte as usize);
    // Elf64_Ehdr: e_phoff, e_phentsize, e_phnum.
    let (offset, entry, count) = (number(32, 8), number(54, 2), number(56, 2));
    assert!(count > 0);
    const PT_INTERP: usize = 3;
    assert!((0..count).all(|nth| number(offset + nth * entry, 4) != PT_INTERP), "it names a dynamic loader");
}

fn dependencies() {
    let root = root();
    let args = [
        "tree",
        "--locked",
        "--package=kwalk",
        "--no-default-features",
        "--edges=normal,build",
        "--prefix=none",
    ];
    let tree = cargo(root, &args).arg("--format={lib}|{p}").output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split_once('|')?.1.split(' ').next())
        .filter(|name| *name != "zerocopy-derive")
        .collect();
    assert_eq!(names, BTreeSet::from(DEPENDENCIES));
}

/// How often `command` enters the kernel. Reads of its own list of mappings, in which Rust's start looks for the stack,
/// don't count: how many there are is up to the length of the path that the command is at.
fn system_calls(command: &Path, argument: &str) -> usize {
    let trace = crate::support::dir();
    let trace = trace.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-o"])
        .arg(&trace)
        .arg(command)
        .arg(argument)
        .output()
        .unwrap();
    assert!(status.status.success());
    let is_of_mappings = |line: &str| line.contains("read(") && line.contains("/maps>");
    let trace = std::fs::read_to_string(trace).unwrap();
    trace.lines().filter(|line| line.contains('(') && !is_of_mappings(line)).count()
}

fn system_calls_are_few() {
    let sleeper = Sleeper::named(&unique("kwc"));
    let more = system_calls(&BUILT.embed, &sleeper.comm) - system_calls(&BUILT.empty, "");
    assert!(more <= 15, "{more} system calls more than an empty program");
}

fn memory() {
    let sleeper = Sleeper::named(&unique("kwm"));
    let idle = peak(&BUILT.idle, &[]);
    let more = peak(&BUILT.embed, &[&sleeper.comm]) - idle;
    // The pages of its file count too: how many of them are mapped is up to the kernel.
    assert!(more <= 400, "{more} kB more than an idle program's {idle} kB");
}

fn walks_the_tasks() {
    let comm = unique("kwe");
    let sleepers = [Sleeper::named(&comm), Sleeper::named(&comm)];
    let output = Command::new(&BUILT.embed).arg(&comm).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut rows: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    let parent = std::process::id();
    let mut expected =
        sleepers.each_ref().map(|sleeper| format!("tgid={0} pid={0} ppid={parent} {comm}", sleeper.pid()));
    rows.sort_unstable();
    expected.sort();
    assert_eq!(rows, expected);
}

pub fn tests() -> Vec<Test> {
    const BUILD: &[Need] = &[Need::Tool("cargo")];
    const RUN: &[Need] = &[Need::Tool("cargo"), Need::Bpf];
    const TRACE: &[Need] = &[Need::Tool("cargo"), Need::Bpf, Need::Tool("strace")];
    vec![
        test("it_walks_the_tasks", RUN, walks_the_tasks),
        test("it_is_static", BUILD, is_static),
        test("it_adds_at_most_200_kb", BUILD, size),
        test("it_adds_at_most_400_kb_of_memory", RUN, memory),
        test("it_adds_at_most_15_system_calls", TRACE, system_calls_are_few),
        test("it_depends_on_these_crates_alone", BUILD, dependencies),
    ]
}
