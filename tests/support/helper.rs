//! Processes that hold what `sleep` can't: threads, many files, files of known kinds, names that no path has.
//!
//! They are this test binary again, so its `main` begins with [`main`].

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sched::{CloneFlags, unshare};

use super::eventually;

/// The first argument of a process that is a helper.
const HELPER: &str = "--helper";
/// The number that [`Helper::with_kinds`] duplicates a file to.
pub const HIGH_FD: RawFd = 777;

/// Where the sockets of a [`Helper::with_netns`] listen, for TCP; for UDP, one above.
pub const PORTS: [u16; 3] = [1000, 2000, 65000];

/// Acts as a helper, if this process was started as one.
pub fn main() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != HELPER {
        return None;
    }
    let (role, argument) = (args.next()?, args.next()?);
    for comm in args {
        fs::write("/proc/self/comm", comm.as_bytes()).expect("a name of its own");
    }
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut words = Vec::new();
    match role.to_str()? {
        "threads" => {
            let park = || {
                loop {
                    thread::park();
                }
            };
            for _ in 0..argument.to_str()?.parse().ok()? {
                thread::Builder::new().stack_size(64 << 10).spawn(park).expect("a thread");
            }
        }
        "named-thread" => {
            let (send, name) = std::sync::mpsc::channel();
            let own = move || {
                fs::write("/proc/thread-self/comm", argument.as_bytes()).expect("a name of its own");
                send.send(()).expect("the main thread waits");
                loop {
                    thread::park();
                }
            };
            thread::Builder::new().spawn(own).expect("a thread");
            name.recv().expect("the thread has its name");
        }
        "files" => {
            for _ in 0..argument.to_str()?.parse().ok()? {
                held.push(File::open("/dev/null").expect("/dev/null").into());
            }
        }
        "kinds" => {
            let create = |name| File::create(Path::new(&argument).join(name)).expect("a file");
            let (pipe_out, pipe_in) = nix::unistd::pipe().expect("a pipe");
            let (unix, _) = UnixStream::pair().expect("a pair of sockets");
            let one = create("one");
            let high = fcntl(&one, FcntlArg::F_DUPFD(HIGH_FD)).expect("a duplicate");
            let kinds: [(&str, OwnedFd); 7] = [
                ("one", one.into()),
                ("two", create("two").into()),
                ("null", File::open("/dev/null").expect("/dev/null").into()),
                ("pipe_out", pipe_out),
                ("pipe_in", pipe_in),
                ("unix", unix.into()),
                ("tcp", TcpListener::bind("127.0.0.1:0").expect("a listening socket").into()),
            ];
            words.push(format!("high={high}"));
            for (name, fd) in kinds {
                words.push(format!("{name}={}", fd.as_raw_fd()));
                held.push(fd);
            }
        }
        "netns" => {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of its own");
            for port in PORTS {
                held.push(TcpListener::bind(("0.0.0.0", port)).expect("a listening socket").into());
                held.push(UdpSocket::bind(("0.0.0.0", port + 1)).expect("a socket").into());
            }
            for _ in 0..argument.to_str()?.parse().ok()? {
                held.push(UnixDatagram::unbound().expect("a socket").into());
            }
        }
        role => panic!("{role}: no such helper"),
    }
    println!("{}", words.join(" "));
    // Until the test lets go of the other end.
    let _ = io::stdin().read(&mut [0]);
    Some(ExitCode::SUCCESS)
}

/// A process that has said that it is ready, and is gone with this.
pub struct Started {
    child: Child,
    /// What it has said: one line.
    pub words: String,
}

impl Started {
    pub fn new(command: &mut Command) -> Started {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Of a copied binary, another test's process may have the descriptor until it starts a program of its own.
        let mut child = loop {
            match command.spawn() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                started => break started.expect("the process starts"),
            }
        };
        let mut words = String::new();
        // The pipe stays open in `child`: reading takes nothing but the line that the process writes.
        BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut words).expect("a line");
        assert!(words.ends_with('\n'), "{command:?} has ended");
        Started { child, words }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A helper that holds what it should, and sleeps.
pub struct Helper(Started);

impl Helper {
    /// One with `count` more threads, all of the same command name.
    pub fn with_threads(comm: impl AsRef<OsStr>, count: usize) -> Helper {
        Helper::start("threads", count.to_string().as_ref(), &[comm.as_ref()], count)
    }

    /// One with one more thread, which has another command name.
    pub fn with_named_thread(comm: impl AsRef<OsStr>, thread: &str) -> Helper {
        Helper::start("named-thread", thread.as_ref(), &[comm.as_ref()], 1)
    }

    /// One that has had each of these command names, and has the last.
    pub fn with_names(comms: &[&str]) -> Helper {
        let comms: Vec<_> = comms.iter().map(OsStr::new).collect();
        Helper::start("threads", "0".as_ref(), &comms, 0)
    }

    /// One with `count` files, beside its standard streams.
    pub fn with_files(comm: impl AsRef<OsStr>, count: usize) -> Helper {
        Helper::start("files", count.to_string().as_ref(), &[comm.as_ref()], 0)
    }

    /// One with files of several kinds, two of them in `dir`; [`Helper::fd`] tells their numbers.
    pub fn with_kinds(comm: impl AsRef<OsStr>, dir: &Path) -> Helper {
        Helper::start("kinds", dir.as_os_str(), &[comm.as_ref()], 0)
    }

    /// One in a network namespace of its own, with sockets at [`PORTS`] and so many unix sockets.
    pub fn with_netns(unix: usize) -> Helper {
        Helper::start("netns", unix.to_string().as_ref(), &[], 0)
    }

    fn start(role: &str, argument: &OsStr, comms: &[&OsStr], threads: usize) -> Helper {
        let mut command = Command::new(std::env::current_exe().expect("this test binary"));
        command.args([OsStr::new(HELPER), role.as_ref(), argument]).args(comms);
        let helper = Helper(Started::new(&mut command));
        eventually("the helper sleeps", || {
            let tids = helper.tids();
            tids.len() == 1 + threads && tids.iter().all(|tid| helper.sleeps(*tid))
        });
        helper
    }

    fn sleeps(&self, tid: u32) -> bool {
        let status = fs::read(format!("/proc/{}/task/{tid}/status", self.pid())).unwrap_or_default();
        status.split(|byte| *byte == b'\n').any(|line| line == b"State:\tS (sleeping)")
    }

    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Its threads, itself first, in the order of their numbers.
    pub fn tids(&self) -> Vec<u32> {
        numbers(&format!("/proc/{}/task", self.pid()))
    }

    /// The number of one of the files of [`Helper::with_kinds`].
    #[track_caller]
    pub fn fd(&self, kind: &str) -> u32 {
        let word =
            self.0.words.split_whitespace().find_map(|word| word.strip_prefix(kind)?.strip_prefix('='));
        word.expect("a kind of file").parse().expect("a number")
    }
}

/// The names in a directory that are numbers, in ascending order; none where it has gone.
pub fn numbers(dir: &str) -> Vec<u32> {
    let names = fs::read_dir(dir).into_iter().flatten().map_while(|entry| Some(entry.ok()?.file_name()));
    let mut numbers: Vec<u32> = names.filter_map(|name: OsString| name.to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The open files of a process, by their numbers.
pub fn fds(pid: u32) -> Vec<u32> {
    numbers(&format!("/proc/{pid}/fd"))
}
