//! What a person sees who runs it in a terminal.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

use crate::support::helper::Helper;
use crate::support::{kwalk, stdout, unique};

/// Which of its streams a command has at the terminal.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Both,
    Stderr,
}

/// Runs a command at a terminal of so many columns: its status and what is seen there.
fn seen(command: &mut Command, columns: u16, at: At) -> (Option<i32>, String) {
    seen_with(command, columns, at, None)
}

/// The same with something in the environment.
fn seen_with(
    command: &mut Command,
    columns: u16,
    at: At,
    setting: Option<(&str, &str)>,
) -> (Option<i32>, String) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).unwrap();
    let own = || OwnedFd::try_clone(&pty.slave).unwrap();
    command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("COLUMNS").envs(setting).stderr(own());
    command.stdout(if at == At::Both { Stdio::from(own()) } else { Stdio::null() });
    let mut child = command.spawn().unwrap();
    // The terminal is gone when nobody has it, and then reading it is an error.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut terminal, mut bytes) = (File::from(pty.master), Vec::new());
    drop(pty.slave);
    let _ = terminal.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    (child.wait().unwrap().code(), text)
}

/// How wide a line is without its colours; what it is made of is one wide.
fn width(line: &str) -> usize {
    line.replace("\x1b[1m", "").replace("\x1b[0m", "").chars().count()
}

pub(crate) fn a_table_fits_the_terminal() {
    let helper = Helper::with_threads(unique("wide"), 3);
    let condition = format!("tgid = {}", helper.pid());
    let fields = "pid, comm, comm as \"again\", comm as third, comm as fourth, utime, stime, start, mm.exe_file.f_path.dentry.d_name.name as exe";
    let args = ["task", "-f", fields, "-w", &condition];
    let whole = stdout(kwalk(args).args(["-o", "table"]));
    assert!(whole.lines().map(width).max() > Some(80), "{whole}");
    for columns in [80, 60, 40, 20, 1] {
        let (status, shown) = seen(&mut kwalk(args), columns, At::Both);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!((status, lines.len()), (Some(0), 5), "{shown}");
        assert!(lines.iter().all(|line| width(line) <= columns.into()), "{columns}: {shown}");
        assert!(shown.contains('…'), "{columns}: {shown}");
    }
    // Numbers are whole as long as there is room for them.
    let (_, shown) = seen(&mut kwalk(args), 80, At::Both);
    for tid in helper.tids() {
        assert!(shown.contains(&format!("{tid}  ")), "{shown}");
    }
    let (_, shown) = seen(&mut kwalk(args), 500, At::Both);
    assert_eq!(shown.replace("\x1b[1m", "").replace("\x1b[0m", ""), whole);
}

pub(crate) fn colour() {
    let command = || kwalk(["task", "--limit", "2"]);
    let (status, shown) = seen(&mut command(), 80, At::Both);
    assert_eq!(status, Some(0));
    assert!(shown.starts_with("\x1b[1m") && shown.lines().next().unwrap().ends_with("\x1b[0m"), "{shown:?}");
    assert!(!shown.lines().skip(1).any(|line| line.contains('\x1b')), "{shown:?}");
    let with = |setting| seen_with(&mut command(), 80, At::Both, Some(setting)).1;
    for setting in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = with(setting);
        assert!(shown.contains("TGID") && !shown.contains('\x1b'), "{shown:?}");
    }
    // To be empty is not to be set.
    assert!(with(("NO_COLOR", "")).contains('\x1b'));
    let shown = with(("COLUMNS", "9"));
    assert!(shown.lines().all(|line| width(line) <= 9), "{shown}");
    // A table for a file has none.
    assert!(!stdout(command().args(["-o", "table"])).contains('\x1b'));
}

pub(crate) fn raw_rows() {
    let (status, said) = seen(&mut kwalk(["task", "-o", "raw"]), 80, At::Both);
    assert_eq!(status, Some(2));
    let hint = "hint: redirect them to a file, or choose another format, such as -o table\n";
    assert_eq!(said, format!("kwalk: raw rows are not for a terminal\n{hint}"));
}

pub(crate) fn a_terminal_is_not_commanded() {
    let name = OsStr::from_bytes(b"\x1b[2J\xff\\x\xe2\x80\xae");
    let helper = Helper::with_threads(name, 0);
    let (pid, condition) = (helper.pid().to_string(), format!("tgid = {}", helper.pid()));
    let shown = r"\x1b[2J\xff\\x\xe2\x80\xae";
    for (args, wanted) in [
        (&["cat", "stacks", "--pid", &pid][..], format!("=== Task: {shown} (pid={pid}, tgid={pid}) ===\n")),
        (&["task", "-f", "comm", "-w", &condition, "-o", "csv"], format!("comm\n{shown}\n")),
        (&["task", "-f", "comm", "-w", &condition, "-o", "table"], format!("\n{shown}\n")),
        (&["task", "-f", "comm", "-w", &condition], format!("\n{shown}\n")),
    ] {
        let (status, seen) = seen(&mut kwalk(args), 80, At::Both);
        assert_eq!(status, Some(0));
        assert!(seen.contains(&wanted), "{args:?}: {seen:?}");
        assert!(!seen.contains("\x1b[2J"), "{args:?}: {seen:?}");
    }
}

/// Each read is made to take 0.6 seconds.
pub(crate) fn a_long_walk_shows_how_far_it_is() {
    let helper = Helper::with_threads(unique("long"), 2_000);
    let condition = format!("tgid = {}", helper.pid());
    let slow = |at, options: &[&str]| {
        let mut strace = Command::new("strace");
        strace.args(["-e", "inject=read:delay_exit=600000", "-o", "/dev/null", env!("CARGO_BIN_EXE_kwalk")]);
        // Rows of more bytes than a read gives.
        strace.args(["task", "-f", "comm,pid,utime,stime,start", "-w", &condition]).args(options);
        seen(&mut strace, 80, at)
    };
    let (status, shown) = slow(At::Stderr, &[]);
    assert_eq!(status, Some(0));
    assert!(shown.contains(" rows\x1b[K") && shown.ends_with("\r\x1b[K"), "{shown:?}");
    let (_, shown) = slow(At::Both, &["--sort", "pid", "-o", "ndjson", "--limit", "1"]);
    let (progress, rows) = shown.rsplit_once("\r\x1b[K").unwrap();
    assert!(progress.contains(" rows") && rows.is_empty() || rows.starts_with('{'), "{shown:?}");
    // Rows on the terminal are progress enough.
    let (_, shown) = slow(At::Both, &["-o", "ndjson"]);
    assert!(!shown.contains('\x1b'), "{shown:?}");
}
