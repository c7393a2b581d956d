//! Readers of /proc as fast as they can be written: numbers of directories instead of paths, buffers that are used again,
//! nothing allocated for a row.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::read;

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What a row of a task gives: its number and its name, whose bytes are looked at.
fn stat(text: &[u8]) -> Option<(u32, u64)> {
    let (open, close) =
        (text.iter().position(|byte| *byte == b'(')?, text.iter().rposition(|byte| *byte == b')')?);
    let name =
        text.get(open + 1..close)?.iter().fold(0_u64, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
    Some((number(&text[..open])?, name))
}

fn number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let mut any = false;
    let value = digits.fold(0_u32, |value, byte| {
        any = true;
        value.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'))
    });
    any.then_some(value)
}

/// A path of at most some 60 bytes: `name` with `rest` behind it, which ends with a NUL.
struct Joined([u8; 64]);

impl Joined {
    fn new(name: &CStr, rest: &CStr) -> Joined {
        let mut path = [0; 64];
        let name = name.to_bytes();
        path[..name.len()].copy_from_slice(name);
        path[name.len()..name.len() + rest.count_bytes()].copy_from_slice(rest.to_bytes());
        Joined(path)
    }

    fn path(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).expect("it is longer than its names")
    }
}

/// Calls `each` for the entries of a directory that are numbers.
fn numbered(dir: impl AsFd, buffer: &mut [MaybeUninit<u8>], mut each: impl FnMut(&CStr)) {
    let mut entries = RawDir::new(dir, buffer);
    while let Some(Ok(entry)) = entries.next() {
        if entry.file_name().to_bytes()[0].is_ascii_digit() {
            each(entry.file_name());
        }
    }
}

fn proc() -> OwnedFd {
    rustix::fs::open("/proc", DIR, Mode::empty()).expect("/proc is there")
}

/// Reads one file of a task's, and gives whether it told one.
fn read_stat(dir: impl AsFd, path: &CStr) -> bool {
    let mut text = [0; 1024];
    let Ok(file) = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { return false };
    let row = read(&file, &mut text).ok().and_then(|len| stat(&text[..len]));
    std::hint::black_box(row).is_some()
}

/// `/proc/*/stat`: how many processes there are.
pub(crate) fn processes() -> usize {
    let (proc, mut count) = (proc(), 0);
    numbered(&proc, &mut [MaybeUninit::uninit(); 32 << 10], |pid| {
        count += usize::from(read_stat(&proc, Joined::new(pid, c"/stat").path()));
    });
    count
}

/// `/proc/*/task/*/stat`: how many threads.
pub(crate) fn threads() -> usize {
    let (proc, mut count) = (proc(), 0);
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    numbered(&proc, &mut [MaybeUninit::uninit(); 32 << 10], |pid| {
        let Ok(tasks) = openat(&proc, Joined::new(pid, c"/task").path(), DIR, Mode::empty()) else { return };
        numbered(&tasks, &mut buffer, |tid| {
            count += usize::from(read_stat(&tasks, Joined::new(tid, c"/stat").path()));
        });
    });
    count
}

/// `/proc/*/fd/*`: how many open files, and what they are.
pub(crate) fn files() -> usize {
    let (proc, mut count) = (proc(), 0);
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut target = [0; 4096];
    numbered(&proc, &mut [MaybeUninit::uninit(); 32 << 10], |pid| {
        let Ok(fds) = openat(&proc, Joined::new(pid, c"/fd").path(), DIR, Mode::empty()) else { return };
        numbered(&fds, &mut buffer, |fd| {
            let row = readlinkat_raw(&fds, fd, &mut target[..]).ok();
            count += usize::from(std::hint::black_box(row).is_some());
        });
    });
    count
}

/// `/proc/net/tcp`: how many sockets, with their addresses, ports, states and users.
pub(crate) fn sockets() -> usize {
    let open = rustix::fs::open("/proc/net/tcp", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let file = open.expect("/proc/net/tcp is there");
    let mut buffer = [0; 64 << 10];
    let (mut kept, mut count) = (0, 0);
    loop {
        let len = read(&file, &mut buffer[kept..]).expect("it can be read");
        let text = &buffer[..kept + len];
        let mut rest = text;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            count += usize::from(std::hint::black_box(socket(&rest[..end])).is_some());
            rest = &rest[end + 1..];
        }
        let whole = text.len() - rest.len();
        if len == 0 {
            return count;
        }
        kept = text.len() - whole;
        buffer.copy_within(whole..whole + kept, 0);
    }
}

/// `   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 …`
fn socket(line: &[u8]) -> Option<[u32; 6]> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let mut end = || -> Option<[u32; 2]> {
        let word = words.next()?;
        let colon = word.len().checked_sub(5)?;
        Some([hex(&word[..colon])?, hex(&word[colon + 1..])?])
    };
    // The header's first word has no colon.
    let _ = end();
    let ([src, sport], [dst, dport]) = (end()?, end()?);
    let state = hex(words.next()?)?;
    let uid = number(words.nth(3)?)?;
    Some([src, sport, dst, dport, state, uid])
}

fn hex(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}
