//! Reads the arguments of processes from /proc.

use std::fs::File;
use std::io::{self, Read};

use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};
use nix::unistd::{SysconfVar, sysconf};

use crate::error::Error;
use crate::facts::read;
use crate::process::exists;

/// At most this many bytes are read of a process's arguments. The kernel lets a process start with 6 MiB, but then the
/// process can let them begin and end anywhere in its memory.
const MOST: usize = 8 << 20;
/// An argument after those of a process that has more.
const CUT: &[u8] = "…\0".as_bytes();

/// The arguments of processes, one after the other.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The length of a clock tick in nanoseconds.
    tick: i64,
    /// What the time namespace of this process adds to the time since boot, in nanoseconds.
    shift: i64,
    /// The process whose arguments are in `text`: its id, and when it was started.
    process: Option<(u32, u64)>,
    /// Its arguments, each with a NUL after it.
    text: Vec<u8>,
    is_cut: bool,
}

impl Arguments {
    /// Checks that /proc is there, and that its numbers are those of this process's pid namespace.
    pub(super) fn open() -> Result<Arguments, Error> {
        let is_proc = statfs("/proc").is_ok_and(|fs| fs.filesystem_type() == PROC_SUPER_MAGIC);
        // The numbers of this process, from the namespace that /proc shows to its own.
        let numbers = |status: Vec<u8>| {
            let status = String::from_utf8_lossy(&status).into_owned();
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            line.is_none_or(|numbers| numbers.split_whitespace().count() == 1)
        };
        if !is_proc || !contents("/proc/self/status", MOST).is_ok_and(numbers) {
            return Err(Error::NotA {
                path: "/proc".into(),
                needs: "the proc file system of this pid namespace",
            });
        }
        let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().filter(|ticks| *ticks > 0).unwrap_or(100);
        Ok(Arguments {
            tick: 1_000_000_000 / ticks,
            shift: shift(),
            process: None,
            text: Vec::new(),
            is_cut: false,
        })
    }

    /// The arguments of the process `tgid`, each with a NUL after it, if it is the one that was started at `start`; else
    /// there are none, and there are none of a process without memory. `tid` is one of its threads.
    pub(super) fn of(&mut self, tgid: u32, tid: u32, start: u64) -> Result<&[u8], Error> {
        if self.process != Some((tgid, start)) {
            self.process = None;
            self.text = self.read(&format!("/proc/{tgid}"), tgid, start)?;
            match self.text.is_empty() {
                false => self.process = Some((tgid, start)),
                // The first thread of a process can end before the others: then it has no memory any more, and they have.
                true if tid != tgid => {
                    self.text = self.read(&format!("/proc/{tgid}/task/{tid}"), tgid, start)?;
                }
                true => {}
            }
            self.is_cut = end(&mut self.text);
        }
        Ok(&self.text)
    }

    /// Whether the last process had more.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn read(&self, dir: &str, tgid: u32, start: u64) -> Result<Vec<u8>, Error> {
        let path = format!("{dir}/cmdline");
        let text = match contents(&path, MOST + 1) {
            Ok(text) => text,
            Err(error) if is_gone(&error) => return gone(&path, tgid),
            Err(error) => return Err(Error::open(path.as_ref(), error)),
        };
        if text.is_empty() {
            return Ok(text);
        }
        // The number can belong to a process that was started after the walk: what was read counts only if the process
        // of the walk has the number still.
        let path = format!("/proc/{tgid}/stat");
        match contents(&path, MOST) {
            Ok(stat) if started(&stat) == Some(self.ticks(start)) => Ok(text),
            Ok(_) => Ok(Vec::new()),
            Err(error) if is_gone(&error) => gone(&path, tgid),
            Err(error) => Err(Error::open(path.as_ref(), error)),
        }
    }

    /// A time since boot as /proc shows it.
    fn ticks(&self, nanoseconds: u64) -> u64 {
        nanoseconds.wrapping_add_signed(self.shift) / self.tick.unsigned_abs().max(1)
    }
}

/// Ends the last argument with a NUL, and marks arguments that were cut, which it returns.
fn end(text: &mut Vec<u8>) -> bool {
    let is_cut = text.len() > MOST;
    text.truncate(MOST);
    // A process that has written a title over its arguments may have left no NUL at their end.
    if text.last().is_some_and(|last| *last != 0) {
        text.push(0);
    }
    if is_cut {
        text.extend_from_slice(CUT);
    }
    is_cut
}

/// Reads a file, `most` bytes of it at most.
fn contents(path: &str, most: usize) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(path)?.take(most as u64).read_to_end(&mut contents)?;
    Ok(contents)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Nothing, for a process that has ended; an error if /proc hides it (its mount option `hidepid`).
fn gone(path: &str, tgid: u32) -> Result<Vec<u8>, Error> {
    let is_hidden = exists(tgid) && File::open(format!("/proc/{tgid}")).is_err_and(|error| is_gone(&error));
    match is_hidden && exists(tgid) {
        true => Err(Error::open(path.as_ref(), io::Error::from_raw_os_error(libc::EACCES))),
        false => Ok(Vec::new()),
    }
}

/// When a process was started, in clock ticks since boot: field 22 of its `/proc/PID/stat`. The name of the process, which
/// can have any characters, is field 2.
fn started(stat: &[u8]) -> Option<u64> {
    let name = stat.iter().rposition(|byte| *byte == b')')?;
    let field = stat.get(name + 2..)?.split(|byte| *byte == b' ').nth(22 - 3)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// What this process's time namespace adds to the time since boot, in nanoseconds (time_namespaces(7)).
fn shift() -> i64 {
    let offset = |offsets: &str| {
        let line = offsets.lines().find_map(|line| line.strip_prefix("boottime"))?.to_owned();
        let mut numbers = line.split_whitespace().map(str::parse::<i64>);
        let (seconds, nanoseconds) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
    };
    read("/proc/self/timens_offsets", &mut [0; 256]).ok().and_then(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_marked() {
        let ended = |mut text: Vec<u8>| (end(&mut text), text);
        assert_eq!(ended(Vec::new()), (false, Vec::new()));
        assert_eq!(ended(b"a\0b\0".into()), (false, b"a\0b\0".into()));
        assert_eq!(ended(b"a\0b".into()), (false, b"a\0b\0".into()));
        assert_eq!(ended(vec![b'x'; MOST]), (false, [&vec![b'x'; MOST][..], b"\0"].concat()));
        let (is_cut, text) = ended(vec![b'x'; MOST + 1]);
        assert!(is_cut && text.len() <= kwalk_query::FILLED_MAX && text.ends_with("x\0…\0".as_bytes()));
    }

    #[test]
    fn the_name_of_a_process_is_no_field() {
        let fields: Vec<_> = (4..30).map(|nth| (nth * 10).to_string()).collect();
        let stat = format!("7 (a) b) (c) S {}", fields.join(" "));
        assert_eq!(started(stat.as_bytes()), Some(220));
        for broken in
            ["", "7 (a", "7 (a)", "7 (a) S 1", "7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 20"]
        {
            assert_eq!(started(broken.as_bytes()), None, "{broken}");
        }
    }
}
