//! Processes that have what a test wants to find: this test binary again, which does as its arguments say, one after the
//! other, says what came of it, and sleeps until the test lets go of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, setgid, setresgid, setresuid, setuid};

use crate::support::eventually;
use crate::support::helper::Started;

const CHILD: &str = "--columns-child";

/// Acts as such a process, if this is one.
pub fn main() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != CHILD {
        return None;
    }
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut said = Vec::new();
    for arg in args {
        let bytes = arg.as_bytes();
        let at = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
        let (verb, rest) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
        let (own, number) = (OsString::from_vec(rest.to_vec()), String::from_utf8_lossy(rest).parse::<u32>());
        match verb {
            b"comm" => fs::write("/proc/self/comm", rest).expect("a name of its own"),
            b"thread" => {
                let (send, named) = std::sync::mpsc::channel();
                thread::spawn(move || {
                    fs::write("/proc/thread-self/comm", own.as_bytes()).expect("a name of its own");
                    send.send(()).expect("the main thread waits");
                    loop {
                        thread::park();
                    }
                });
                named.recv().expect("the thread has its name");
            }
            b"spin" => {
                thread::spawn(|| {
                    loop {
                        std::hint::spin_loop();
                    }
                });
            }
            b"unshare" => {
                let flags = CloneFlags::from_bits_retain(number.expect("flags") as i32);
                unshare(flags).expect("namespaces of its own");
            }
            b"user" => {
                setgid(Gid::from_raw(number.clone().expect("a user") + 1)).expect("another group");
                setuid(Uid::from_raw(number.expect("a user"))).expect("another user");
            }
            // Real and effective: user, user, group, group.
            b"ids" => {
                let text = own.to_str().expect("numbers");
                let ids: Vec<u32> = text.split(':').map(|id| id.parse().expect("a number")).collect();
                let [uid, euid, gid, egid] = ids[..] else { panic!("{text}: not four") };
                let (gid, egid) = (Gid::from_raw(gid), Gid::from_raw(egid));
                setresgid(gid, egid, egid).expect("other groups");
                let (uid, euid) = (Uid::from_raw(uid), Uid::from_raw(euid));
                setresuid(uid, euid, euid).expect("other users");
            }
            // Into a cgroup, by its directory.
            b"join" => fs::write(Path::new(&own).join("cgroup.procs"), "0").expect("a cgroup"),
            b"socket" => held.push(UnixDatagram::unbound().expect("a socket").into()),
            // A thread with open files of its own.
            b"files" => {
                let (send, ready) = std::sync::mpsc::channel();
                thread::spawn(move || {
                    unshare(CloneFlags::CLONE_FILES).expect("files of its own");
                    let _file = File::open(own).expect("a file");
                    send.send(nix::unistd::gettid()).expect("the main thread waits");
                    loop {
                        thread::park();
                    }
                });
                said.push(ready.recv().expect("the thread has its file").to_string());
            }
            b"zombie" => {
                #[allow(clippy::zombie_processes, reason = "that is what is wanted")]
                let child = Command::new("/proc/self/exe")
                    .arg(CHILD)
                    .arg(format!("end={}", number.unwrap_or(0)))
                    .spawn()
                    .expect("a child");
                said.push(child.id().to_string());
            }
            b"killed" => {
                let mut child = Command::new("/proc/self/exe");
                child.arg(CHILD).arg("look").stdin(Stdio::piped()).stdout(Stdio::null());
                #[allow(clippy::zombie_processes, reason = "that is what is wanted")]
                let mut child = child.spawn().expect("a child");
                let signal = Signal::try_from(number.expect("a signal") as i32).expect("a signal");
                kill(Pid::from_raw(child.id() as i32), signal).expect("it is there");
                said.push(child.id().to_string());
                held.extend(child.stdin.take().map(OwnedFd::from));
            }
            b"open" => held.push(File::open(own).expect("a file").into()),
            b"memory" => {
                // Each page is touched.
                let pages = vec![1_u8; number.expect("bytes") as usize];
                std::mem::forget(std::hint::black_box(pages));
            }
            b"spread" => {
                // Each CPU touches a few pages, fewer than it adds to the process's counter at once.
                let (cpus, mut pages) = (Cpus::all(), vec![0_u8; number.expect("bytes") as usize]);
                for (nth, page) in pages.chunks_mut(13 * 4096).enumerate() {
                    cpus.on(nth);
                    page.fill(1);
                }
                std::mem::forget(std::hint::black_box(pages));
            }
            b"end" => return Some(ExitCode::from(number.unwrap_or(0) as u8)),
            // For their looks alone.
            b"" | b"look" => {}
            other => panic!("{}: no such verb", other.escape_ascii()),
        }
    }
    println!("{}", said.join(" "));
    // Until the test lets go of the other end.
    let _ = io::stdin().read(&mut [0]);
    Some(ExitCode::SUCCESS)
}

/// Such a process.
pub struct Child(Started);

impl Child {
    pub fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Child {
        Child::of(&std::env::current_exe().expect("this test binary"), args)
    }

    /// One that runs another copy of this binary.
    pub fn of<S: AsRef<OsStr>>(exe: &Path, args: impl IntoIterator<Item = S>) -> Child {
        let mut command = Command::new(exe);
        command.arg0("columns").arg(CHILD).args(args);
        Child::start(command)
    }

    /// One that some program starts.
    pub fn by<S: AsRef<OsStr>>(starter: &[&str], args: impl IntoIterator<Item = S>) -> Child {
        let mut command = Command::new(starter[0]);
        command.args(&starter[1..]).arg(std::env::current_exe().expect("this test binary"));
        command.arg(CHILD).args(args);
        Child::start(command)
    }

    fn start(mut command: Command) -> Child {
        let child = Child(Started::new(&mut command));
        eventually("the child sleeps", || child.stat(3) == "S");
        child
    }

    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// The numbers that it has said.
    pub fn said(&self) -> Vec<u32> {
        self.0.words.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    /// A field of its `/proc/PID/stat`, by its number in proc(5), from 3 on.
    pub fn stat(&self, number: usize) -> String {
        stat(self.pid(), number)
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).unwrap();
    }
}

/// A field of a process's `/proc/PID/stat`, by its number in proc(5), from 3 on.
pub fn stat(pid: u32, number: usize) -> String {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap();
    let stat = String::from_utf8_lossy(&stat).into_owned();
    stat.rsplit(") ").next().unwrap().split_whitespace().nth(number - 3).unwrap().into()
}

/// The CPUs that this process may run on.
pub struct Cpus(Vec<usize>);

impl Cpus {
    pub fn all() -> Cpus {
        let set = sched_getaffinity(Pid::from_raw(0)).expect("the CPUs of this process");
        Cpus((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).is_ok_and(|is_set| is_set)).collect())
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The kernel's number of one of them.
    pub fn number(&self, nth: usize) -> usize {
        self.0[nth]
    }

    /// Which of them has this number.
    pub fn nth_of(&self, cpu: usize) -> Option<usize> {
        self.0.iter().position(|known| *known == cpu)
    }

    /// Moves this thread to one of them, one after the other by the number.
    pub fn on(&self, nth: usize) {
        let mut set = CpuSet::new();
        set.set(self.0[nth % self.0.len()]).expect("a CPU");
        sched_setaffinity(Pid::from_raw(0), &set).expect("one of the CPUs");
    }
}
