//! Numbers that are shown in a form of their own are right in it, and what is shown can be pasted back into a condition.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{SystemTime, UNIX_EPOCH};

use kwalk::select::DateTime;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{major, makedev, minor};

use super::cell::{found, one};
use super::child::Child;
use super::task::of;
use crate::support::Need::{Bpf, Root, Target};
use crate::support::{Need, Test, dir, failure, kwalk, running, stdout, test};

const PROC: &[Need] = &[Bpf, Root];
const VMA: Need = Target(&kwalk::progs::targets::task_vma::TARGET);

pub fn tests() -> Vec<Test> {
    vec![
        test("capabilities_are_bits", PROC, capabilities),
        test("start_is_a_date", PROC, start_is_a_date),
        test("flags_and_modes_are_octal", PROC, octal),
        test("capabilities_are_pasted_back", PROC, bits),
        test("devices_are_those_of_stat", &[Bpf, Root, VMA], devices),
    ]
}

/// The sets of capabilities, which processes differ in.
fn capabilities() {
    let said = |pid: u32, key: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line =
            status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t")).unwrap().to_owned();
        i128::from_str_radix(&line, 16).unwrap()
    };
    let user = 1_900_000_000 + std::process::id();
    let (own, other) = (Child::new(["look"]), Child::new([format!("user={user}")]));
    let keys = ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"];
    let columns = "cap_effective, cap_permitted, cap_inheritable, cap_bset, cap_ambient";
    for child in [&own, &other] {
        let row = one("task", columns, &of(child.pid()));
        for (cell, key) in row.iter().zip(keys) {
            assert_eq!(*cell, said(child.pid(), key), "{key}");
        }
    }
    let effective = said(own.pid(), "CapEff");
    assert!(effective != 0 && said(other.pid(), "CapEff") == 0 && said(other.pid(), "CapBnd") != 0);
    let is = |condition: String| found("task", "pid", &format!("pid = {} and {condition}", own.pid())).len();
    assert_eq!(is(format!("cap_effective = '{effective:016x}' and cap_effective = {effective:#x}")), 1);
    assert_eq!(is(format!("cap_effective <> '{effective:016x}'")), 0);
    // As the command shows it, so it is in /proc.
    for format in ["table", "csv", "ndjson"] {
        let condition = of(own.pid());
        let args = ["task", "-f", "cap_effective", "-w", &condition, "-o", format];
        let shown = stdout(&mut kwalk(args));
        assert!(shown.contains(&format!("{effective:016x}")), "{shown}");
    }
}

/// When a process was started, as a date that can be pasted back.
fn start_is_a_date() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i128;
    let before = now();
    let child = Child::new(["thread=x"]);
    let after = now();
    let pid = child.pid();
    let condition = of(pid);
    let shown = |format: &str, fields: &str| {
        stdout(&mut kwalk(["task", "-f", fields, "-w", &condition, "-o", format]))
    };
    let csv = shown("csv", "start");
    let date = csv.lines().nth(1).unwrap().trim();
    // To compare two dates of the same form is to compare them as texts.
    let form = |nanos: i128| DateTime::new(nanos).to_string();
    assert!(*form(before) <= *date && *date <= *form(after), "{} {date} {}", form(before), form(after));
    assert_eq!(shown("ndjson", "start"), format!("{{\"start\":\"{date}\"}}\n"));
    assert!(shown("table", "start").contains(date));
    let is = |condition: String| found("task", "pid", &format!("pid = {pid} and ({condition})")).len();
    let [plain, zone] = [date.replace('T', " ").replace('Z', ""), date.replace('Z', "+00:00")];
    for same in [date, &plain, &zone] {
        for (op, wanted) in [("=", 1), ("<>", 0), ("<", 0), ("<=", 1), (">", 0), (">=", 1)] {
            assert_eq!(is(format!("start {op} '{same}'")), wanted, "start {op} '{same}'");
        }
        assert_eq!(is(format!("start in ('2001-01-01', '{same}') and '{same}' = start")), 1);
        assert_eq!(is(format!("start between '{same}' and '{same}'")), 1);
    }
    let [earlier, later] = [-1_000_000, 1_000_000].map(|by| {
        let raw = found("task", "start_boottime as raw", &condition)[0][0].number();
        form(i128::from(running().booted.unwrap()) + raw + by)
    });
    assert_eq!(is(format!("start > '{earlier}' and start < '{later}'")), 1);
    assert_eq!(is(format!("start < '{earlier}' or start > '{later}' or start = '{later}'")), 0);
    assert_eq!(is("start > '2020-01-01' and start < '2120-01-01 00:00'".into()), 1);
    // The date of the whole second, in a zone, of which `date` is behind.
    assert_eq!(is(format!("start >= '{}'", &date[..19])), 1);
    // An age is no date.
    let said = failure(&mut kwalk(["task", "-w", "start > '10m'"]), 2);
    assert!(said.starts_with("kwalk: '10m' is not a date, such as "), "{said}");
}

/// Numbers with a leading 0 beside columns that are shown in octal.
fn octal() {
    let dir = dir();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o640).custom_flags(nix::libc::O_NONBLOCK);
    let file = options.open(dir.path().join("file")).unwrap();
    let own = format!("tgid = {} and fd = {}", std::process::id(), file.as_raw_fd());
    let row = one("task_file", "flags, mode", &own);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    assert_eq!(row[0], i128::from_str_radix(flags, 8).unwrap());
    let mode = i128::from(file.metadata().unwrap().mode() & 0o7777);
    assert!(mode != 0 && row[1] == mode);
    // As a table shows them, pasted back.
    let shown = stdout(&mut kwalk(["task_file", "-f", "flags,mode", "-w", &own, "-o", "table"]));
    let words: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words, [format!("0{:o}", row[0].number()), format!("0{mode:o}")]);
    let is = |condition: &str| found("task_file", "fd", &format!("{own} and ({condition})")).len();
    let (flags, mode) = (words[0], words[1]);
    for condition in [
        format!("flags = {flags} and mode = {mode}"),
        format!("flags in (1, {flags}) and mode between {mode} and {mode}"),
        format!("flags & {:#o} = {:#o}", nix::libc::O_APPEND, nix::libc::O_APPEND).replace("0o", "0"),
        format!("flags = {} and not mode <> {mode}", row[0].number()),
        format!("case when mode = {mode} then 1 else 0 end = 1"),
    ] {
        assert_eq!(is(&condition), 1, "{condition}");
    }
    // Elsewhere such a number is decimal, as in SQL.
    assert_eq!(is(&format!("fd = 0{}", file.as_raw_fd())), 1);
    let said = failure(&mut kwalk(["task_file", "-w", "flags = 08"]), 2);
    assert!(said.starts_with("kwalk: '08' is not an octal number"), "{said}");
}

/// Capabilities as /proc/PID/status shows them, pasted back: with quotes or without, with letters among the digits or not.
fn bits() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let effective = set("CapEff:");
    let number = u64::from_str_radix(&effective, 16).unwrap();
    assert!(effective.starts_with("00") && effective.ends_with("ff"), "{effective}");
    let own = of(std::process::id());
    let shown = stdout(&mut kwalk(["task", "-f", "cap_effective", "-w", &own, "-o", "csv"]));
    assert_eq!(shown.lines().nth(1), Some(&*effective));
    let is = |condition: &str| found("task", "pid", &format!("{own} and ({condition})")).len();
    for condition in [
        format!("cap_effective = {effective}"),
        format!("cap_effective = '{effective}'"),
        format!("cap_effective = {number} and cap_effective in (1, {})", effective.to_uppercase()),
        format!("{effective} = cap_effective and cap_effective between 0000000000000001 and {effective}"),
        // Decimal, these digits would be other bits.
        "cap_effective & 0000000000000010 = 16".into(),
        "cap_effective & 00000000000001e1 = 0x1e1".into(),
        "cap_effective & 00000000000001e1f = 7711".into(),
    ] {
        assert_eq!(is(&condition), 1, "{condition}");
    }
    assert_eq!(is(&format!("cap_effective <> {effective} or cap_effective = 0000000000000001")), 0);
    // Elsewhere, hexadecimal digits are those behind 0x.
    assert_eq!(is(&format!("pid = 00{}", std::process::id())), 1);
    for wrong in ["pid = 00ff", "pid = 001e1"] {
        let said = failure(&mut kwalk(["task", "-w", wrong]), 2);
        let number = &wrong[6..];
        assert!(
            said.starts_with(&format!("kwalk: '{number}' is not a number: hexadecimal digits")),
            "{said}"
        );
    }
    let said = failure(&mut kwalk(["task", "-w", "cap_bset = 00ffffffffffffffffff"]), 2);
    assert!(said.starts_with("kwalk: "), "{said}");
}

/// Device numbers as stat(2) has them, above the 8 bits that once were all of a minor number.
fn devices() {
    let dir = dir();
    // Each takes the next minor number of those without a device.
    let mut mounts = 0;
    let large = loop {
        mount(Some("kwalk"), dir.path(), Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        mounts += 1;
        let dev = fs::metadata(dir.path()).unwrap().dev();
        if minor(dev) > 255 {
            break dev;
        }
        assert!(mounts < 1000);
    };
    let path = dir.path().join("file");
    fs::write(&path, [7; 4096]).unwrap();
    let child = Child::new([format!("open={}", path.display())]);
    let (dev, ino) = (fs::metadata(&path).unwrap().dev(), fs::metadata(&path).unwrap().ino());
    assert_eq!(dev, large);
    let form = format!("{}:{}", major(dev), minor(dev));
    let own = format!("tgid = {} and inode = {ino}", child.pid());
    for condition in [format!("dev = {dev}"), format!("dev in ('8:1', '{form}')")] {
        let row = one("task_file", "dev", &format!("{own} and {condition}"));
        assert!(row[0] == i128::from(dev) && row[0] == form, "{condition}: {row:?}");
    }
    let condition = format!("{own} and dev = '{form}'");
    let shown = stdout(&mut kwalk(["task_file", "-f", "dev", "-w", &condition, "-o", "table"]));
    assert_eq!(shown.lines().map(str::trim).collect::<Vec<_>>(), ["DEV", &*form]);
    drop(child);
    for _ in 0..mounts {
        umount2(dir.path(), MntFlags::MNT_DETACH).unwrap();
    }
    // A mapped file's, by that of this process's own program.
    let exe = fs::metadata("/proc/self/exe").unwrap();
    let own = format!("tgid = {} and inode = {} and dev = {}", std::process::id(), exe.ino(), exe.dev());
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let exe_path = fs::read_link("/proc/self/exe").unwrap();
    let wanted = maps.lines().filter(|line| line.ends_with(exe_path.to_str().unwrap())).count();
    let ino = format!(" {} ", exe.ino());
    // On some file systems, such as overlayfs, /proc has another file's numbers than the mapping.
    if maps.lines().filter(|line| line.contains(&ino)).count() == wanted {
        assert_eq!(found("task_vma", "dev", &own).len(), wanted);
    }
    // Major numbers have 12 bits and minor ones 20, which few devices need.
    let null = File::open("/dev/null").unwrap();
    for (major, minor) in [(0x123, 0xa_bcde), (0xfff, 0xf_ffff), (8, 1), (259, 256)] {
        let computed = format!("st_dev(pid * 0 + {}) as dev", major << 20 | minor);
        let fd = null.as_raw_fd();
        let row = one("task_file", &computed, &format!("tgid = {} and fd = {fd}", std::process::id()));
        assert_eq!(row[0], i128::from(makedev(major, minor)));
    }
}
