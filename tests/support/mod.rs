//! What the integration tests share: how a test says what it needs, and how it makes objects to find.
pub mod helper;
pub mod objects;
pub mod pins;
pub mod rows;

use std::ffi::OsStr;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use kwalk::KernelBtf;
use kwalk::btf::Btf;
use kwalk::progs::{Kernel, Target, available};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// What a test needs beside a Rust toolchain. Where it is missing, the test is reported as ignored, and why.
#[derive(Clone, Copy)]
pub enum Need {
    /// To load programs: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, and a kernel with BTF.
    Bpf,
    /// To be root: to mount, to look into other processes.
    Root,
    /// A program of this name.
    Tool(&'static str),
    /// A kernel of at least this version.
    Kernel(u16, u16),
    /// A kernel of this version, which figures are of.
    ThisKernel(u16, u16),
    /// Rust's library for this target.
    Std(&'static str),
    /// A file of the kernel's, at this path.
    File(&'static str),
    /// A kernel that compiles programs: others refuse to call its functions, and calls back, with the error number 524.
    Jit,
    /// A kernel that has this target.
    Target(&'static Target),
    /// What is described here, if the function says that it is there.
    That(&'static str, fn() -> bool),
}

impl Need {
    /// Why the test can't run, if it can't.
    pub fn missing(self) -> Option<String> {
        match self {
            Need::Bpf if !Path::new("/sys/kernel/btf/vmlinux").exists() => {
                Some("the kernel has no BTF in /sys/kernel/btf/vmlinux".into())
            }
            Need::Bpf => {
                use kwalk::sys::Caps;
                let caps = Caps::effective().unwrap_or(Caps::empty());
                let enough = caps.contains(Caps::SYS_ADMIN) || caps.contains(Caps::BPF | Caps::PERFMON);
                (!enough).then(|| "needs CAP_BPF and CAP_PERFMON".into())
            }
            Need::Root => (!nix::unistd::geteuid().is_root()).then(|| "needs root".into()),
            Need::Tool(name) => {
                let found = std::env::var_os("PATH")
                    .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).exists()));
                (!found).then(|| format!("needs the program {name}"))
            }
            Need::Std(target) => {
                let mut rustc = Command::new("rustc");
                let dir = rustc.args(["--print", "target-libdir", "--target", target]).output();
                let dir = dir.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
                let found = dir.is_ok_and(|dir| Path::new(&dir).is_dir());
                (!found).then(|| format!("needs Rust's library for {target} (rustup target add {target})"))
            }
            Need::File(path) => (!Path::new(path).exists()).then(|| format!("needs {path}")),
            // What these two say of an old kernel begins alike: `cargo vm test` looks for it.
            Need::Kernel(major, minor) => {
                (kernel_version() < (major, minor)).then(|| format!("needs Linux {major}.{minor}"))
            }
            Need::ThisKernel(major, minor) => (kernel_version() != (major, minor))
                .then(|| format!("what it compares with is of Linux {major}.{minor}")),
            Need::Jit => (!running().has_jit).then(|| "the kernel has no JIT".into()),
            Need::Target(target) => (!has_target(target)).then(|| {
                let (major, minor) = target.since.unwrap_or_default();
                format!("needs Linux {major}.{minor}, for the target {}", target.name)
            }),
            Need::That(what, is_there) => (!is_there()).then(|| format!("needs {what}")),
        }
    }
}

/// The folder of the workspace. The tests are the command's, in `src/cli`.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

/// The version of the running kernel: major and minor.
pub fn kernel_version() -> (u16, u16) {
    kwalk::sys::release().expect("a version")
}

/// Whether the running kernel can count the elements of a map: by a function that programs call.
pub fn counts_elements() -> bool {
    kernel_version() >= (6, 6) && running().has_jit
}

/// The running kernel. A thread's view of its types stays with the process.
pub fn running() -> Kernel<'static> {
    static TYPES: LazyLock<KernelBtf> = LazyLock::new(|| KernelBtf::open().expect("the kernel's types"));
    thread_local! {
        static BTF: &'static Btf<'static> =
            Box::leak(Box::new(Btf::new(TYPES.bytes()).expect("the kernel's types")));
    }
    kwalk::kernel(BTF.with(|btf| *btf))
}

/// Whether the running kernel has the target.
pub fn has_target(target: &Target) -> bool {
    available(running().btf)
        .expect("the kernel's targets")
        .iter()
        .any(|found| found.target.name == target.name)
}

/// A test: its name in its module, what it needs, and how it is run. It fails by panicking.
pub struct Test {
    name: String,
    needs: &'static [Need],
    run: fn(),
    is_alone: bool,
}

/// A test that runs where all of `needs` are met.
pub fn test(name: impl Into<String>, needs: &'static [Need], run: fn()) -> Test {
    Test { name: name.into(), needs, run, is_alone: false }
}

/// A [`test`] in a process of its own, whose descriptors, threads and rights no other test sees or changes.
pub fn test_alone(name: impl Into<String>, needs: &'static [Need], run: fn()) -> Test {
    Test { is_alone: true, ..test(name, needs, run) }
}

/// Set in the process of a test that runs alone.
const ALONE: &str = "KWALK_TEST_ALONE";

impl Test {
    fn trial(self, module: &str) -> Trial {
        let name = format!("{module}::{}", self.name);
        let Test { needs, run, is_alone, .. } = self;
        Trial::ignorable_test(name.clone(), move || match needs.iter().find_map(|need| need.missing()) {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None if is_alone && std::env::var_os(ALONE).is_none() => run_again(&name),
            None => {
                run();
                Ok(Completion::Completed)
            }
        })
    }
}

/// Runs a test of this name in another process.
fn run_again(name: &str) -> Result<Completion, Failed> {
    let mut child = Command::new(std::env::current_exe().expect("the test's own path"));
    child.args(["--exact", name, "--test-threads=1", "--color=never"]).env(ALONE, "1");
    let Output { status, stdout, stderr } =
        child.stdin(Stdio::null()).output().expect("the test starts again");
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    // A name that selects no test would succeed too.
    if status.success() && said.contains(" 1 passed;") { Ok(Completion::Completed) } else { Err(said.into()) }
}

/// Modules with the tests of each.
macro_rules! tests {
    ($($module:ident)*) => { [$((stringify!($module), $module::tests())),*] };
}
pub(crate) use tests;

/// Runs the tests as the arguments of this process say. What they mount goes with this process, however it ends: root's has
/// a mount namespace of its own, before there are other threads.
pub fn main<const N: usize>(modules: [(&str, Vec<Test>); N]) -> ExitCode {
    if unshare(CloneFlags::CLONE_NEWNS).is_ok() {
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("mounts of our own");
    }
    let tests =
        modules.into_iter().flat_map(|(module, tests)| tests.into_iter().map(|test| test.trial(module)));
    let mut arguments = Arguments::from_args();
    // Most tests wait for other processes half of the time.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(2 * cores);
    libtest_mimic::run(&arguments, tests.collect()).exit_code()
}

/// The command under test.
pub fn kwalk<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kwalk"));
    // The kernel's own types, whoever runs the tests.
    command.args(args).stdin(Stdio::null()).env_remove("KWALK_BTF");
    command
}

/// What a command that must succeed silently on stderr printed.
#[track_caller]
pub fn stdout(command: &mut Command) -> String {
    let output = command.output().expect("the command starts");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{command:?}: {}, stderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// What `kwalk cat {args}` prints.
#[track_caller]
pub fn cat<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let mut command = kwalk(["cat"]);
    stdout(command.args(args))
}

/// What a command that must fail with `status`, and print nothing, said about it.
#[track_caller]
pub fn failure(command: &mut Command, status: i32) -> String {
    let Output { status: actual, stdout, stderr } = command.output().expect("the command starts");
    let stderr = String::from_utf8(stderr).expect("the message is UTF-8");
    assert_eq!(actual.code(), Some(status), "{command:?}: {stderr}");
    assert_eq!(String::from_utf8_lossy(&stdout), "", "{command:?}");
    assert!(stderr.starts_with("kwalk: "), "{command:?}: {stderr}");
    stderr
}

/// A directory that goes with the test.
pub fn dir() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The names in a directory, in order.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A bpffs of the test's own, and what the kernel itself has pinned there: some kernels have a preload module.
pub struct Bpffs(TempDir, Vec<String>);

impl Bpffs {
    pub fn mount() -> Bpffs {
        let dir = dir();
        mount(Some("bpf"), dir.path(), Some("bpf"), MsFlags::empty(), None::<&str>).expect("bpffs mounts");
        let own = names(dir.path());
        Bpffs(dir, own)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names in it, but for the kernel's.
    pub fn names(&self) -> Vec<String> {
        let mut names = names(self.0.path());
        names.retain(|name| !self.1.contains(name));
        names
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

/// A process that sleeps under a command name of its own.
pub struct Sleeper {
    /// Its command name.
    pub comm: String,
    child: Child,
    _dir: TempDir,
}

impl Sleeper {
    /// Starts one whose command name is `comm`, which should be one that nobody else uses.
    pub fn named(comm: &str) -> Sleeper {
        Sleeper::with(comm, |_| ())
    }

    /// The same, with its standard streams and more as `prepare` says.
    pub fn with(comm: &str, prepare: impl FnOnce(&mut Command)) -> Sleeper {
        let dir = dir();
        let path = dir.path().join(comm);
        symlink("/bin/sleep", &path).expect("a symbolic link");
        let mut command = Command::new(path);
        command.arg("600").stdin(Stdio::null()).stdout(Stdio::null());
        prepare(&mut command);
        let sleeper = Sleeper { comm: comm.into(), child: command.spawn().expect("sleep starts"), _dir: dir };
        eventually("the process sleeps", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.pid())).unwrap();
            let maps =
                std::fs::read_to_string(format!("/proc/{}/syscall", sleeper.pid())).unwrap_or_default();
            stat.contains(&format!("({comm}) S")) && !maps.starts_with("running")
        });
        sleeper
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits, some seconds at most, for what takes the kernel or another process a moment.
#[track_caller]
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}: not after 20 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The most memory that `command` has had when it comes to sleep, in kB: of several runs the least, since how much of a
/// file the kernel maps around a page varies, and only ever adds.
pub fn peak(command: &Path, args: &[&str]) -> u64 {
    let name = command.file_name().unwrap().to_str().unwrap();
    let runs = [(); 15].map(|()| {
        // It comes to sleep when it wants to write, at the latest.
        let (full, _reader) = UnixStream::pair().unwrap();
        full.set_nonblocking(true).unwrap();
        while (&full).write(&[0; 4096]).is_ok() {}
        full.set_nonblocking(false).unwrap();
        let mut child = Command::new(command)
            .args(args)
            .stdin(Stdio::null())
            .stdout(OwnedFd::from(full))
            .spawn()
            .unwrap();
        let proc = PathBuf::from(format!("/proc/{}", child.id()));
        let asleep = format!("({name}) S ");
        eventually("it sleeps", || std::fs::read_to_string(proc.join("stat")).unwrap().contains(&asleep));
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    });
    runs.into_iter().min().unwrap()
}

/// Lets this process, and those that it starts, have some thousands of open files.
pub fn many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const FILES: u64 = 8192;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    if soft < FILES {
        setrlimit(Resource::RLIMIT_NOFILE, FILES, hard.max(FILES)).expect("a higher limit");
    }
}

/// A command name that no other test and no other run uses: at most 15 bytes.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}", std::process::id())
}

/// A command that must fail with `status` and print nothing but `kwalk: {message}` and, unless `hint` is empty, a line of
/// hint with these words.
#[track_caller]
pub fn refused(command: &mut Command, status: i32, message: &str, hint: &str) {
    let said = failure(command, status);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some(format!("kwalk: {message}").as_str()), "{command:?}");
    let hinted = lines.next().unwrap_or_default();
    assert_eq!(hinted.starts_with("hint: "), !hint.is_empty(), "{command:?}: {said}");
    assert!(hinted.contains(hint), "{command:?}: {said}");
    assert_eq!(lines.next(), None, "{command:?}: {said}");
}
