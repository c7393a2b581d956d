//! The first process of a guest: sets up what a system has, runs what it was told, says how each command ended, and powers
//! off.
//!
//! Started by anybody else it sleeps, as /bin/sleep does: tests look for processes that do nothing else.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockType, recv, sendto, socket};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use vm_init::{End, Event, PLAN, Plan};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    if std::process::id() != 1 {
        return sleep();
    }
    if let Err(error) = start() {
        // Nothing but the console is known to work. Without a last event no run counts.
        eprintln!("init: {error}");
    }
    // It returns only if it can't: the kernel then panics because this process has ended, which is noticed.
    let _ = reboot(RebootMode::RB_POWER_OFF);
    ExitCode::FAILURE
}

fn sleep() -> ExitCode {
    match std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => thread::sleep(Duration::from_secs(seconds)),
        None => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

fn start() -> Result<()> {
    let plan = Plan::decode(&fs::read(PLAN)?).ok_or("the plan makes no sense")?;
    mounted("devtmpfs", "/dev")?;
    let mut events = Line::open(&plan.lines.events)?;
    run(&plan, &mut events).or_else(|error| events.say(&Event::Failed(error.to_string())))
}

fn run(plan: &Plan, events: &mut Line) -> Result<()> {
    let (mut stdout, mut stderr) = (Line::open(&plan.lines.stdout)?, Line::open(&plan.lines.stderr)?);
    prepare()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?.trim_end().to_owned();
    events.say(&Event::Up { release, btf: Path::new("/sys/kernel/btf/vmlinux").exists() })?;
    for command in &plan.commands {
        let ended = execute(plan, command, &mut stdout, &mut stderr)?;
        events.say(&ended)?;
    }
    events.say(&Event::Done)
}

/// What a system has, and tests expect.
fn prepare() -> Result<()> {
    mounted("proc", "/proc")?;
    mounted("sysfs", "/sys")?;
    mounted("bpf", "/sys/fs/bpf")?;
    mounted("cgroup2", "/sys/fs/cgroup")?;
    mounted("devpts", "/dev/pts")?;
    // As much as tests open, in one process.
    setrlimit(Resource::RLIMIT_NOFILE, 20_000, 20_000)?;
    for path in ["/dev/shm", "/run", "/tmp"] {
        // Binaries lie where they were built, which may be below one of these.
        if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
            continue;
        }
        mounted("tmpfs", path)?;
    }
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), Path::new("/dev").join(name))?;
    }
    loopback_up()
}

fn mounted(kind: &str, path: &str) -> Result<()> {
    let failed = |error: &dyn Error| format!("{kind} at {path}: {error}");
    fs::create_dir_all(path).map_err(|error| failed(&error))?;
    match mount(Some(kind), path, Some(kind), MsFlags::empty(), None::<&str>) {
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(errno) => Err(failed(&errno).into()),
    }
}

/// Brings up interface 1, which the loopback is in every network namespace.
fn loopback_up() -> Result<()> {
    const NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 1 | 4;
    const UP: u32 = 1;
    // struct nlmsghdr: length, type, flags, sequence, port; struct ifinfomsg: family, index, flags, which flags to change.
    let mut message = Vec::new();
    message.extend(32u32.to_ne_bytes());
    message.extend([NEWLINK, REQUEST_AND_ACK].map(u16::to_ne_bytes).concat());
    message.extend([0u32, 0, 0, 1, UP, UP].map(u32::to_ne_bytes).concat());
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), None)?;
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut answer = [0; 128];
    let answered = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // The answer's error follows its header: 0, or a negative number.
    match answer[..answered].get(16..20) {
        Some(&[a, b, c, d]) if i32::from_ne_bytes([a, b, c, d]) == 0 => Ok(()),
        _ => Err("the loopback interface does not come up".into()),
    }
}

/// Runs a command to its end, and whatever it leaves behind.
fn execute(plan: &Plan, command: &[OsString], stdout: &mut Line, stderr: &mut Line) -> Result<Event> {
    let (program, arguments) = command.split_first().ok_or("a command without words")?;
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(&plan.dir)
        .env_clear()
        .envs(plan.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", Path::new(program).display()))?;
    let (out, err) = (child.stdout.take().ok_or("no pipe")?, child.stderr.take().ok_or("no pipe")?);
    let pid = Pid::from_raw(child.id().try_into()?);
    thread::scope(|scope| {
        let out = scope.spawn(|| stdout.pass_on(out));
        let err = scope.spawn(|| stderr.pass_on(err));
        let end = reap(pid)?;
        let millis = start.elapsed().as_millis().try_into()?;
        // What it has left running holds the pipes open, and would be in the next command's way. All but this process:
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        let passed = |bytes: thread::Result<io::Result<u64>>| {
            bytes.map_err(|_| "a panic")?.map_err(Box::<dyn Error>::from)
        };
        Ok(Event::Ended { end, stdout: passed(out.join())?, stderr: passed(err.join())?, millis })
    })
}

/// Waits for `pid`, and buries those whose parents have gone meanwhile.
fn reap(pid: Pid) -> Result<End> {
    loop {
        match waitpid(None, None)? {
            WaitStatus::Exited(ended, status) if ended == pid => return Ok(End::Status(status)),
            WaitStatus::Signaled(ended, signal, _) if ended == pid => return Ok(End::Signal(signal as i32)),
            _ => {}
        }
    }
}

/// How long a device may take to appear after the first process has been started.
const APPEARS: Duration = Duration::from_secs(60);

/// A line to the host, which passes on bytes as they are: a serial line, or a port of virtio, whose bytes have been sent when
/// they have been written.
struct Line(File);

impl Line {
    fn open(path: impl AsRef<Path>) -> Result<Line> {
        let path = path.as_ref();
        let start = Instant::now();
        let file = loop {
            match File::options().write(true).read(true).open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && start.elapsed() < APPEARS => {
                    thread::sleep(Duration::from_millis(10));
                }
                opened => break opened.map_err(|error| format!("{}: {error}", path.display()))?,
            }
        };
        if file.is_terminal() {
            let mut settings = tcgetattr(&file)?;
            cfmakeraw(&mut settings);
            tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        }
        Ok(Line(file))
    }

    /// Waits until all that was written has been sent.
    fn sent(&self) -> io::Result<()> {
        if self.0.is_terminal() {
            tcdrain(&self.0)?;
        }
        Ok(())
    }

    fn say(&mut self, event: &Event) -> Result<()> {
        self.0.write_all(format!("{event}\n").as_bytes())?;
        Ok(self.sent()?)
    }

    /// Copies all of it, and gives how much that was, once it has been sent.
    fn pass_on(&mut self, mut from: impl Read) -> io::Result<u64> {
        let (mut copied, mut buf) = (0, vec![0; 64 << 10]);
        loop {
            match from.read(&mut buf) {
                Ok(0) => break,
                Ok(len) => {
                    self.0.write_all(&buf[..len])?;
                    copied += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sent()?;
        Ok(copied)
    }
}
