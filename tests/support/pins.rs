//! What the tests of pins make, and look at.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use kwalk::sys::{LinkFd, ProgFd, raise_memlock};
use kwalk::text::Options;
use kwalk::{Link, Loaded, PinPath, Scope};

use super::objects::{living, text_program};
use super::{Bpffs, eventually, refused};

/// A user id under which nobody else loads programs, with the capabilities that it takes: by it they are told from
/// those that other processes load at the same time.
pub struct Loader(u32);

impl Loader {
    pub fn new() -> Loader {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Kernels before 5.11 charge maps to a limit that this user can't raise, and inherits.
        let _ = raise_memlock();
        Loader(1_000_000_000 + std::process::id() % 10_000_000 * 100 + NEXT.fetch_add(1, SeqCst))
    }

    pub fn kwalk<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        const CAPS: &str = "+bpf,+perfmon,+sys_admin,+dac_override";
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", self.0)).args(["--regid=65534", "--clear-groups"]);
        command.arg(format!("--inh-caps={CAPS}")).arg(format!("--ambient-caps={CAPS}"));
        command.arg(env!("CARGO_BIN_EXE_kwalk")).args(args);
        command
    }

    /// The ids of the programs that it has loaded and that still live.
    pub fn programs(&self) -> BTreeSet<u32> {
        living(|program: &ProgFd| program.info().unwrap().created_by_uid == self.0).collect()
    }

    /// The ids of the links that hold them.
    pub fn links(&self) -> BTreeSet<u32> {
        let programs = self.programs();
        living(|link: &LinkFd| programs.contains(&link.info().unwrap().prog_id)).collect()
    }

    #[track_caller]
    pub fn eventually_owns(&self, links: usize, programs: usize) {
        eventually(&format!("{links} links and {programs} programs live"), || {
            self.links().len() == links && self.programs().len() == programs
        });
    }
}

/// Loads the text program `program` under a name of the test's own.
pub fn load(program: &str, name: &str) -> Loaded {
    let mut program = text_program(program, &Options::default());
    program.name = String::from(name).leak();
    Loaded::load(&program).unwrap()
}

pub fn attach(program: &str, name: &str) -> Link {
    load(program, name).attach(&Scope::All).unwrap()
}

pub fn pin(program: &str, name: &str, path: &Path) {
    attach(program, name).pin(&PinPath::new(path).unwrap()).unwrap();
}

/// The ids of the link that is pinned at `path`, and of its program.
pub fn state(path: &Path) -> (u32, u32) {
    let info = Link::open(path).unwrap().info().unwrap();
    (info.id, info.prog_id)
}

/// How many programs of this name live.
pub fn alive(name: &str) -> usize {
    living(|program: &ProgFd| program.info().unwrap().name.as_str() == name).count()
}

/// The rows of `text` whose second column, the name, is `name`.
pub fn rows<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.split_whitespace().nth(1) == Some(name)).collect()
}

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

pub fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `kwalk {args}` is refused, and changes nothing in the bpffs nor in the kernel.
#[track_caller]
pub fn changes_nothing(bpffs: &Bpffs, args: &[&str], status: i32, message: &str, hint: &str) {
    let (before, loader) = (bpffs.names(), Loader::new());
    refused(&mut loader.kwalk(args), status, message, hint);
    assert_eq!(bpffs.names(), before);
    loader.eventually_owns(0, 0);
}
