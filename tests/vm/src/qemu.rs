//! A guest, from its first instruction to a verdict that its output can't forge.
//!
//! Its four lines are files: the kernel's console, the commands' stdout and stderr, and the events that its first
//! process reports. A run counts only if the events come to their end, and the console has nothing bad.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vm_init::{End, Event};

use crate::arch::Arch;
use crate::error::{Error, Result};

/// The kernel's options. Warnings are among what the console shows, and a kernel that is not well does not go on. What
/// protects a processor from its own speculation, and clears memory that is about to be written, an emulated one pays for
/// several times over.
const OPTIONS: &str = "loglevel=5 panic=-1 oops=panic mitigations=off init_on_alloc=0";

/// A guest that is to be run.
pub(crate) struct Guest<'a> {
    /// Its processor.
    pub(crate) arch: &'a Arch,
    /// Its kernel.
    pub(crate) kernel: &'a Path,
    /// Its files.
    pub(crate) initramfs: &'a Path,
    /// More options of its kernel.
    pub(crate) options: &'a str,
    /// How many commands it has been given.
    pub(crate) commands: usize,
    /// How long it may be silent.
    pub(crate) patience: Duration,
}

/// What a command of a guest did.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub(crate) end: End,
    /// What it wrote to stdout.
    pub(crate) stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub(crate) stderr: Vec<u8>,
    /// How long it took, by the guest's clock.
    pub(crate) took: Duration,
}

/// What a guest did.
#[derive(Debug)]
pub(crate) struct Run {
    /// `uname -r`
    pub(crate) release: String,
    /// What became of its commands: of all of them, or it would be an error.
    pub(crate) ended: Vec<Ended>,
}

/// Where a guest's output goes as it comes, beside what [`Run`] keeps of it.
pub(crate) trait Watch {
    /// Something for stdout.
    fn stdout(&mut self, bytes: &[u8]);
    /// Something for stderr.
    fn stderr(&mut self, bytes: &[u8]);
}

/// Nobody watches.
impl Watch for () {
    fn stdout(&mut self, _: &[u8]) {}
    fn stderr(&mut self, _: &[u8]) {}
}

impl Guest<'_> {
    /// Runs it.
    pub(crate) fn run(&self, watch: &mut impl Watch) -> Result<Run> {
        let dir = TempDir::new().map_err(Error::at(&std::env::temp_dir()))?;
        let at = |name| Line::create(dir.path().join(name));
        let [mut console, mut stdout, mut stderr, mut events] =
            [at("console")?, at("stdout")?, at("stderr")?, at("events")?];
        let mut qemu = Qemu(
            self.command([&console, &stdout, &stderr, &events])
                .spawn()
                .map_err(Error::start(self.arch.qemu))?,
        );
        let mut since = Instant::now();
        let status = loop {
            let status = qemu.0.try_wait().map_err(Error::start(self.arch.qemu))?;
            let new = [stdout.more()?, stderr.more()?, events.more()?];
            watch.stdout(new[0]);
            watch.stderr(new[1]);
            if new.iter().any(|bytes| !bytes.is_empty()) {
                since = Instant::now();
            }
            if let Some(status) = status {
                break Some(status);
            }
            if since.elapsed() > self.patience {
                break None;
            }
            thread::sleep(Duration::from_millis(10));
        };
        drop(qemu.0.kill());
        console.more()?;
        let console = String::from_utf8_lossy(&console.bytes).into_owned();
        match status {
            None => {
                let (seconds, done) = (self.patience.as_secs(), self.done(&events));
                let why = format!("nothing happened for {seconds} seconds{done}{}", last(&stdout.bytes));
                Err(guest(why, &console))
            }
            Some(status) if !status.success() => {
                let mut said = String::new();
                if let Some(stderr) = &mut qemu.0.stderr {
                    // Whatever it is, it helps more than the status alone.
                    let _ = stderr.read_to_string(&mut said);
                }
                let why = said.lines().next().map_or(status.to_string(), |line| {
                    line.trim_start_matches(&format!("{}: ", self.arch.qemu)).into()
                });
                Err(Error::Program { name: self.arch.qemu, why })
            }
            Some(_) => self.verdict(&console, &events.bytes, &stdout.bytes, &stderr.bytes),
        }
    }

    fn command(&self, lines: [&Line; 4]) -> Command {
        let mut command = Command::new(self.arch.qemu);
        for (id, line) in ["console", "stdout", "stderr", "events"].into_iter().zip(lines) {
            // A comma ends a value, unless there are two of them.
            let path = line.path.display().to_string().replace(',', ",,");
            command.arg("-chardev").arg(format!("file,id={id},path={path}"));
        }
        command
            .args(self.arch.machine)
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot"])
            .args(["-smp", "1", "-m", "1024"])
            .arg("-kernel")
            .arg(self.kernel)
            .arg("-initrd")
            .arg(self.initramfs)
            .args(["-append", &format!("console={} {OPTIONS} {}", self.arch.console, self.options)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// What came of it, from what its four lines said.
    fn verdict(&self, console: &str, events: &[u8], mut stdout: &[u8], mut stderr: &[u8]) -> Result<Run> {
        if let Some(line) = console.lines().find(|line| line.contains("Failed to set sysctl")) {
            return Err(guest(format!("its kernel does not take an option: {}", line.trim()), console));
        }
        if let Some(line) = console.lines().find(|line| is_bad(line)) {
            return Err(guest(format!("its kernel is not well: {}", line.trim()), console));
        }
        let events = String::from_utf8_lossy(events);
        let mut run = Run { release: String::new(), ended: Vec::new() };
        let mut done = false;
        for line in events.lines() {
            match Event::parse(line) {
                Some(Event::Up { btf: false, .. }) => return Err(Error::NoBtf { image: self.kernel.into() }),
                Some(Event::Up { release, .. }) => run.release = release,
                Some(Event::Ended { end, stdout: out, stderr: err, millis }) => {
                    let took = Duration::from_millis(millis);
                    match (split(&mut stdout, out), split(&mut stderr, err)) {
                        (Some(stdout), Some(stderr)) => run.ended.push(Ended { end, stdout, stderr, took }),
                        _ => return Err(guest("some of its output was lost".into(), console)),
                    }
                }
                Some(Event::Failed(why)) => return Err(guest(why, console)),
                Some(Event::Done) => done = true,
                None => return Err(guest(format!("it said {line:?}, which means nothing"), console)),
            }
        }
        if !done || run.ended.len() != self.commands || !stdout.is_empty() || !stderr.is_empty() {
            let why = format!("it went down after {} of {} commands", run.ended.len(), self.commands);
            return Err(guest(why, console));
        }
        Ok(run)
    }

    fn done(&self, events: &Line) -> String {
        let ended =
            String::from_utf8_lossy(&events.bytes).lines().filter(|line| line.starts_with("ended ")).count();
        format!(", after {ended} of {} commands", self.commands)
    }
}

/// Whether a line of the console says that something is wrong with the kernel.
fn is_bad(line: &str) -> bool {
    const BAD: [&str; 9] = [
        "Kernel panic",
        "WARNING:",
        "BUG:",
        "Oops",
        "kernel BUG at",
        "general protection fault",
        "unable to handle",
        "Unable to handle",
        "UBSAN:",
    ];
    BAD.iter().any(|bad| line.contains(bad))
}

fn guest(why: String, console: &str) -> Error {
    const TAIL: usize = 40;
    let lines: Vec<_> = console.lines().map(str::trim_end).collect();
    Error::Guest { why, log: lines[lines.len().saturating_sub(TAIL)..].join("\n") }
}

/// The last line that commands printed: of tests, the one that hangs.
fn last(stdout: &[u8]) -> String {
    let said = String::from_utf8_lossy(stdout);
    said.lines().last().map_or(String::new(), |line| format!("; the last that it printed: {}", line.trim()))
}

/// Takes so many bytes from the front, if there are as many.
fn split(bytes: &mut &[u8], len: u64) -> Option<Vec<u8>> {
    let (first, rest) = bytes.split_at_checked(len.try_into().ok()?)?;
    *bytes = rest;
    Some(first.into())
}

/// A process that does not outlive this value.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line from the guest: a file that QEMU appends to.
struct Line {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
}

impl Line {
    fn create(path: PathBuf) -> Result<Line> {
        File::create(&path).map_err(Error::at(&path))?;
        let file = File::open(&path).map_err(Error::at(&path))?;
        Ok(Line { path, file, bytes: Vec::new() })
    }

    /// What has come since the last look.
    fn more(&mut self) -> Result<&[u8]> {
        let before = self.bytes.len();
        match self.file.read_to_end(&mut self.bytes) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(Error::at(&self.path)(error)),
            _ => Ok(&self.bytes[before..]),
        }
    }
}

/// Passes a guest's output on to this program's own.
pub(crate) struct PassOn;

impl Watch for PassOn {
    fn stdout(&mut self, bytes: &[u8]) {
        // Who has closed it does not want it.
        let mut out = std::io::stdout();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    fn stderr(&mut self, bytes: &[u8]) {
        let _ = std::io::stderr().write_all(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "[    0.1] fail to add MMCONFIG information\r\n[    3.9] reboot: Power down\r\n";
    const EVENTS: &str = "up true 6.1.0-50\nended status 0 3 0 1200\nended signal 9 2 1 0\ndone\n";

    fn verdict(console: &str, events: &str, stdout: &str, stderr: &str) -> Result<Run> {
        let arch = Arch::named(None).unwrap();
        let path = Path::new("/vmlinuz");
        let patience = Duration::from_secs(1);
        let guest = Guest { arch, kernel: path, initramfs: path, options: "", commands: 2, patience };
        guest.verdict(console, events.as_bytes(), stdout.as_bytes(), stderr.as_bytes())
    }

    #[test]
    fn each_command_gets_its_own_output() {
        // What it prints is no event, whatever it says.
        let run = verdict(CONSOLE, EVENTS, "up\n\u{1}x", "e").unwrap();
        assert_eq!(run.release, "6.1.0-50");
        let ended: Vec<_> =
            run.ended.iter().map(|ended| (ended.end, &*ended.stdout, &*ended.stderr)).collect();
        let took: Vec<_> = run.ended.iter().map(|ended| ended.took.as_millis()).collect();
        assert_eq!(took, [1200, 0]);
        assert_eq!(ended, [(End::Status(0), &b"up\n"[..], &b""[..]), (End::Signal(9), b"\x01x", b"e")]);
    }

    #[test]
    fn a_run_counts_only_if_it_comes_to_its_end() {
        let why = |events: &str, stdout, stderr| match verdict(CONSOLE, events, stdout, stderr) {
            Err(Error::Guest { why, log }) => {
                assert!(log.ends_with("reboot: Power down"), "{log}");
                why
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(why("", "", ""), "it went down after 0 of 2 commands");
        assert_eq!(why(&EVENTS.replace("done\n", ""), "12345", "e"), "it went down after 2 of 2 commands");
        assert_eq!(
            why("up true 6.1\nended status 0 0 0 0\ndone\n", "", ""),
            "it went down after 1 of 2 commands"
        );
        assert_eq!(why(EVENTS, "1234", "e"), "some of its output was lost");
        assert_eq!(why(EVENTS, "12345", ""), "some of its output was lost");
        assert_eq!(why(EVENTS, "123456", "e"), "it went down after 2 of 2 commands");
        assert_eq!(why("failed no memory\n", "", ""), "no memory");
        assert_eq!(why("ended status\n", "", ""), "it said \"ended status\", which means nothing");
    }

    #[test]
    fn a_kernel_that_is_not_well_fails_whatever_the_commands_say() {
        for line in [
            "[   1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
            "[   1.0] WARNING: CPU: 0 PID: 71 at kernel/bpf/verifier.c:1 f+0x1/0x2",
            "[   1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "[   1.0] Oops: 0000 [#1] PREEMPT SMP NOPTI",
            "[   1.0] Unable to handle kernel pointer dereference in virtual kernel address space",
            "[   1.0] Failed to set sysctl parameter 'net.core.bpf_jit_enable=0': -22",
            "[   1.0] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
        ] {
            match verdict(&format!("{CONSOLE}{line}\r\nmore\r\n"), EVENTS, "12345", "e") {
                Err(Error::Guest { why, log }) => {
                    assert!(why.ends_with(line) && log.ends_with("more"), "{why}")
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn who_hangs_is_named_by_the_last_line() {
        let said = last(b"test pin::a   ... ok\ntest walk::b  ... ");
        assert_eq!(said, "; the last that it printed: test walk::b  ...");
        assert_eq!(last(b""), "");
    }

    #[test]
    fn a_kernel_without_types_is_refused() {
        let error = verdict(CONSOLE, "up false 5.4.0\nended status 1 0 9 0\n", "", "no types.").unwrap_err();
        assert_eq!(error.to_string(), "/vmlinuz: this kernel has no BTF, which describes its types");
        assert!(error.hint().unwrap().contains("CONFIG_DEBUG_INFO_BTF"));
    }
}
