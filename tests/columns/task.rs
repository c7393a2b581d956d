//! Of `task`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use kwalk::kallsyms::Kallsyms;
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

use super::cell::{Cell, found, one};
use super::child::{Child, stat};
use crate::support::Need::{Bpf, Jit, Kernel, Root, Tool};
use crate::support::{Need, Test, dir, eventually, kernel_version, test, unique};

const PROC: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("task_numbers_are_those_of_proc", PROC, numbers_are_those_of_proc),
        test("task_names_are_any_bytes", PROC, names_are_any_bytes),
        test("task_states_have_letters", PROC, states_have_letters),
        test("task_scheduling", &[Bpf, Root, Tool("chrt"), Tool("nice")], scheduling),
        test("task_user", PROC, user),
        test("task_memory", PROC, memory),
        test("task_exe_and_argv", PROC, exe_and_argv),
        test("task_kernel_threads_have_no_texts", PROC, kernel_threads_have_no_texts),
        test("task_kernel_threads_have_full_names", PROC, kernel_threads_have_full_names),
        test("task_cgroup", &[Bpf, Root, CGROUPS], cgroup),
        test("task_namespaces", PROC, namespaces),
        test("task_pid_namespace", &[Bpf, Root, Tool("unshare"), Kernel(6, 2), Jit], pid_namespace),
        test("task_stack", PROC, stack),
        test("task_units_in_conditions", PROC, units_in_conditions),
        test("task_ends", PROC, ends),
        test("task_rss_exact_has_what_each_cpu_counts", PROC, rss_exact),
    ]
}

pub fn of(pid: u32) -> String {
    format!("pid = {pid}")
}

/// Clock ticks, in nanoseconds: `USER_HZ` is 100 on every machine that matters here.
const TICK: i128 = 10_000_000;

/// How long the machine runs, in nanoseconds.
pub fn since_boot() -> i128 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap();
    i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec())
}

fn numbers_are_those_of_proc() {
    let child = Child::new([format!("comm={}", unique("kwc")), "thread=other one".into(), "thread=x".into()]);
    let pid = child.pid();
    let row = one("task", "tgid, pid, ppid, comm, threads, prio, flags, start, exit", &of(pid));
    let number = |nth: usize| child.stat(nth).parse::<i128>().unwrap();
    assert_eq!(row[0], i128::from(pid));
    assert_eq!(row[1], i128::from(pid));
    assert_eq!(row[2], i128::from(std::process::id()));
    assert_eq!(row[3], unique("kwc"));
    assert_eq!(row[4], 3);
    assert_eq!(row[5], number(18) + 100);
    assert_eq!(row[6], number(9));
    assert_eq!(row[7].number() / TICK, number(22));
    assert_eq!(row[8], Cell::Null);
    // Each thread once, with its own name and start, and the process's own numbers.
    let rows = found("task", "pid, tgid, ppid, comm, start", &format!("tgid = {pid}"));
    let tids = crate::support::helper::numbers(&format!("/proc/{pid}/task"));
    assert_eq!(rows.iter().map(|row| row[0].number() as u32).collect::<Vec<_>>(), tids);
    for (row, comm) in rows.iter().zip([&*unique("kwc"), "other one", "x"]) {
        assert_eq!(row[1], i128::from(pid));
        assert_eq!(row[2], i128::from(std::process::id()));
        assert_eq!(row[3], comm);
        let of_thread = fs::read_to_string(format!("/proc/{pid}/task/{}/stat", row[0].number())).unwrap();
        let start: i128 = of_thread.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
        assert_eq!(row[4].number() / TICK, start);
    }
}

fn names_are_any_bytes() {
    let names: [&[u8]; 7] =
        [b"a\nb", b"\x1b[31mred", b"'\"`;--", b"\xff\xfe\x80", b"123456789012345", b" ", b"\\n%_"];
    for name in names {
        let child = Child::new([OsString::from_vec([b"comm=", name].concat())]);
        let row = one("task", "comm", &of(child.pid()));
        assert_eq!(row[0], *name);
        assert_eq!(fs::read(format!("/proc/{}/comm", child.pid())).unwrap(), [name, b"\n"].concat());
    }
}

fn states_have_letters() {
    let letter = |pid: u32| one("task", "state", &of(pid)).remove(0);
    let sleeping = Child::new(["look"]);
    assert_eq!(letter(sleeping.pid()), "S");
    sleeping.signal(Signal::SIGSTOP);
    eventually("the child is stopped", || sleeping.stat(3) == "T");
    assert_eq!(letter(sleeping.pid()), "T");

    let parent = Child::new(["zombie", "spin"]);
    let zombie = parent.said()[0];
    eventually("the child's child has ended", || stat(zombie, 3) == "Z");
    let row = one("task", "state, exe, rss, exit, cgroup", &of(zombie));
    assert_eq!(row[0], "Z");
    assert!(row[1] == () && row[2] == (), "{row:?}");
    assert_eq!(row[3], 0);

    let spinning = crate::support::helper::numbers(&format!("/proc/{}/task", parent.pid()))[1];
    assert_eq!(letter(spinning), "R");
    // It takes its time of the processor, by the column as by /proc.
    let spent = || one("task", "utime + stime as spent", &of(spinning))[0].number();
    let before = spent();
    eventually("time is spent", || spent() > before + 50_000_000);
    // As /proc scales it, which counts in ticks.
    let said = || {
        let path = format!("/proc/{}/task/{spinning}/stat", parent.pid());
        let text = fs::read_to_string(path).unwrap();
        let [utime, stime] = [11, 12].map(|nth| {
            text.rsplit(") ").next().unwrap().split(' ').nth(nth).unwrap().parse::<i128>().unwrap() * TICK
        });
        utime + stime
    };
    let (before, row, after) = (said(), spent(), said());
    // Each of the two is rounded down to a tick there.
    assert!((before..after + 3 * TICK).contains(&(row + TICK)), "{before} {row} {after}");
    // No more than there was.
    let row = one("task", "utime, stime, start", &of(spinning));
    assert!(row[0].number() > row[1].number(), "{row:?}");
    assert!(row[0].number() + row[1].number() <= since_boot() - row[2].number() + TICK, "{row:?}");

    // By the letters' names, in conditions.
    let own = format!("pid in ({}, {zombie}, {spinning})", sleeping.pid());
    let pids = |condition: &str| {
        let rows = found("task", "pid", &format!("{own} and ({condition})"));
        rows.iter().map(|row| row[0].number() as u32).collect::<Vec<_>>()
    };
    assert_eq!(pids("state = 'T'"), [sleeping.pid()]);
    assert_eq!(pids("state in ('Z', 'T') and state <> 'T'"), [zombie]);
    assert_eq!(pids("not (state = 'T' or state = 'Z')"), [spinning]);
}

/// How processes ended, as waitid(2) says it to their parent.
fn ends() {
    let parent = Child::new(["zombie=0", "zombie=7", "zombie=255", "killed=9", "killed=15", "look"]);
    let wanted = [
        (Some(0), None),
        (Some(7), None),
        (Some(255), None),
        (None, Some("SIGKILL")),
        (None, Some("SIGTERM")),
    ];
    for (pid, (exit, signal)) in parent.said().into_iter().zip(wanted) {
        eventually("the child has ended", || stat(pid, 3) == "Z");
        let row = one("task", "exit, signal, exit_code", &of(pid));
        match exit {
            Some(exit) => {
                assert!(row[0] == exit && row[1] == (), "{exit} {row:?} {} {}", stat(pid, 52), stat(pid, 3))
            }
            None => assert!(row[0] == () && row[1] == *signal.unwrap(), "{row:?}"),
        }
        // The raw one, which /proc has, too. A dump of memory, which a signal may leave, is a bit of it.
        assert_eq!(row[2], stat(pid, 52).parse::<i128>().unwrap());
    }
    let row = one("task", "exit, signal", &of(parent.pid()));
    assert!(row[0] == () && row[1] == (), "{row:?}");
    let own = format!("ppid = {}", parent.pid());
    let pids = |condition: &str| found("task", "pid", &format!("{own} and ({condition})")).len();
    assert_eq!(["exit = 7", "exit > 0", "signal = 'SIGKILL'", "signal = 9"].map(pids), [1, 2, 1, 1]);
}

fn scheduling() {
    let own: i128 = stat(std::process::id(), 19).parse().unwrap();
    for (starter, nice, policy, number) in [
        (&["nice", "-n", "7"][..], 19.min(own + 7), "OTHER", 0),
        (&["nice", "-n", "-40"], -20, "OTHER", 0),
        (&["chrt", "--batch", "0"], own, "BATCH", 3),
        (&["chrt", "--idle", "0"], own, "IDLE", 5),
        (&["chrt", "--fifo", "42"], own, "FIFO", 1),
        (&["chrt", "--rr", "3"], own, "RR", 2),
    ] {
        let child = Child::by(starter, ["look"]);
        let row = one("task", "nice, policy, prio, policy as number", &of(child.pid()));
        assert_eq!(row[0], nice, "{starter:?}");
        assert_eq!(row[1], policy);
        assert_eq!(row[1], number);
        assert_eq!(row[2].number() - 100, child.stat(18).parse::<i128>().unwrap());
        assert_eq!(child.stat(41), number.to_string());
        assert_eq!(child.stat(19), nice.to_string());
        let named = found("task", "pid", &format!("pid = {} and policy = '{policy}'", child.pid()));
        assert_eq!(named.len(), 1);
    }
}

fn user() {
    let user = 1_900_000_000 + std::process::id();
    let child = Child::new([format!("user={user}")]);
    let row = one("task", "uid, gid, euid, tgid", &format!("uid = {user}"));
    assert_eq!(row[0], i128::from(user));
    assert_eq!(row[1], i128::from(user + 1));
    assert_eq!(row[2], i128::from(user));
    assert_eq!(row[3], i128::from(child.pid()));
}

fn memory() {
    const MEMORY: u32 = 32 << 20;
    let child = Child::new([format!("memory={MEMORY}")]);
    let statm = fs::read_to_string(format!("/proc/{}/statm", child.pid())).unwrap();
    let pages: Vec<i128> = statm.split_whitespace().map(|pages| pages.parse().unwrap()).collect();
    let page = i128::from(nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).unwrap().unwrap());
    let row = one("task", "vsize, rss", &of(child.pid()));
    assert_eq!(row[0], pages[0] * page);
    // Three counters, of each of which every processor keeps as much to itself as `percpu_counter_batch` says, the larger of
    // 32 and twice the number of processors.
    let cpus = std::thread::available_parallelism().unwrap().get() as i128;
    let slack = 3 * 32.max(2 * cpus) * cpus;
    if !row[1].is_absent() {
        let off = row[1].number() / page - pages[1];
        assert!(off.abs() <= slack, "{} pages, of {}: {off}", row[1].number() / page, pages[1]);
        assert!(row[1].number() > i128::from(MEMORY) - slack * page);
    }
}

/// A process whose CPUs have counted a few pages each.
fn rss_exact() {
    let child = Child::new([format!("spread={}", 997 * 4096)]);
    let status = fs::read_to_string(format!("/proc/{}/smaps_rollup", child.pid())).unwrap();
    let said = status.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")).unwrap();
    let row = one("task", "rss_exact, rss", &of(child.pid()));
    assert_eq!(row[0], said.trim().parse::<i128>().unwrap() << 10);
    if !row[0].is_absent() {
        assert!(row[1].number() > 0);
        assert_eq!(found("task", "pid", "rss < 0 or rss_exact < 0").len(), 0);
        assert_eq!(found("task", "pid", &format!("pid = {} and rss_exact > '4000K'", child.pid())).len(), 1);
    }
    // A helper copies the same as a load gives, of every size and sign.
    let columns = "copied(prio) as a, prio as b, copied(mm.total_vm) as c, mm.total_vm as d, copied(exit_signal) as e, \
                   exit_signal as f, copied(mm.map_count) + copied(mm.map_count) as g, 2 * mm.map_count as h";
    let row = one("task", columns, &of(child.pid()));
    assert!(row.chunks(2).all(|pair| pair[0] == pair[1]) && row[2].number() > 100 && row[4] != -1, "{row:?}");
    assert_eq!(
        found("task", "copied(mm.total_vm) as a", "mm is null and copied(mm.total_vm) is not null"),
        [] as [Vec<Cell>; 0]
    );
    // Negative numbers, which counters have for a while.
    let nice = i128::from(stat(std::process::id(), 19).parse::<i8>().unwrap());
    let row = one("task", "positive(nice - 21) as none, positive(nice + 30) as all", &of(std::process::id()));
    assert!(row[0] == 0 && row[1] == nice + 30, "{row:?}");
}

fn exe_and_argv() {
    let dir = dir();
    // As long as a name can be, and longer than 255 bytes in all; in /proc, a line feed is escaped only in maps.
    let deep = dir.path().join("e\n\x1b[2J \"'\\").join("d".repeat(255));
    fs::create_dir_all(&deep).unwrap();
    let exe = deep.join(OsStr::from_bytes(b"f\xff \xc3\xa4"));
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let arguments = |pid: u32| {
        let mut text = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert_eq!(text.pop(), Some(0));
        for byte in &mut text {
            if *byte == 0 {
                *byte = b' ';
            }
        }
        text
    };
    let long = "x".repeat(5000);
    // All of them have 4,097 bytes and the NUL, or one less.
    let before = arguments(Child::of(&exe, ["look="]).pid()).len();
    let [full, over] = [4096, 4097].map(|len| format!("look={}", "y".repeat(len - before)));
    for args in [
        &["look", "look=with a space", "", "", "look=ä\n"][..],
        &["look"],
        &[&full],
        &[&over],
        &[&format!("look={long}"), "look=z"],
    ] {
        let child = Child::of(&exe, args);
        let pid = child.pid();
        let link = || fs::read_link(format!("/proc/{pid}/exe")).unwrap().into_os_string().into_vec();
        assert_eq!(link(), exe.as_os_str().as_bytes());
        // Old kernels' names are those in the file system that the file is in.
        let shown = |name: &[u8]| one("task", "exe", &of(pid))[0] == *name;
        let (link, old) = (link(), kernel_version() < (6, 6));
        let mut names = (0..if old { link.len() } else { 1 }).map(|from| &link[from..]);
        assert!(names.any(|name| name.starts_with(b"/") && shown(name)), "{link:?}");
        let mut wanted = arguments(pid);
        // What does not fit is cut, which a mark says.
        if wanted.len() > 4096 {
            wanted.truncate(4095);
            wanted.extend_from_slice("\u{2026}".as_bytes());
        }
        assert_eq!(one("task", "argv()", &of(pid))[0], *wanted);
    }
    // A title that is written over all of them, as setproctitle(3) does, has no NUL there.
    let child = Child::of(&exe, ["look=title"]);
    let wanted = [&arguments(child.pid())[..], b"!"].concat();
    let end: u64 = child.stat(49).parse().unwrap();
    let memory = fs::OpenOptions::new().write(true).open(format!("/proc/{}/mem", child.pid())).unwrap();
    memory.write_all_at(b"!", end - 1).unwrap();
    let shown = one("task", "argv()", &of(child.pid()));
    assert_eq!(shown[0], *wanted);
    // Found by what is in it.
    let child = Child::of(&exe, ["look=needle in hay"]);
    let text = "argv() like '%needle in%' and tgid = ";
    let row = found("task", "tgid, argv()", &of(child.pid()));
    if !row[0][1].is_absent() {
        assert_eq!(found("task", "tgid", &format!("{text}{}", child.pid())).len(), 1);
    }
    assert_eq!(found("task", "tgid", &format!("exe like '%\u{1b}%' and pid = {}", child.pid())).len(), 1);
    fs::remove_file(&exe).unwrap();
    // Old kernels' names are those of the directory entries, which say nothing of being deleted.
    if kernel_version() >= (6, 6) {
        let wanted = [exe.as_os_str().as_bytes(), b" (deleted)"].concat();
        assert_eq!(one("task", "exe", &of(child.pid()))[0], *wanted);
    }
}

fn kernel_threads_have_no_texts() {
    // Number 2 makes all others.
    let threads = found("task", "pid, exe, rss, vsize", "ppid = 2");
    assert!(threads.len() > 5);
    for row in &threads {
        let exe = fs::read_link(format!("/proc/{}/exe", row[0].number()));
        assert!(exe.is_err(), "{row:?}: {exe:?}");
        assert!(row[1] == () && row[2] == () && row[3] == (), "{row:?}");
    }
    let pids = |condition: &str| found("task", "pid", &format!("ppid = 2 and ({condition})")).len();
    assert!(pids("exe is null") + 5 > threads.len());
    assert_eq!(pids("exe is not null"), 0);
    for unknown in ["exe like 'x%'", "exe = 'x'", "rss > '0K'", "exe like '%'"] {
        if unknown.starts_with("rss") && threads[0][2].is_absent() {
            continue;
        }
        assert_eq!(pids(unknown), 0, "{unknown}");
        assert_eq!(pids(&format!("not ({unknown})")), 0, "not {unknown}");
        assert!(pids(&format!("({unknown}) is null")) > 5, "{unknown} is null");
    }
    let mut texts = vec!["cmdline"];
    texts.extend((!found("task", "argv()", "pid = 2")[0][0].is_absent()).then_some("argv()"));
    for text in texts {
        assert_eq!(pids(&format!("{text} is not null")), 0);
        assert_eq!(pids(&format!("not ({text} like 'x%')")), 0);
        assert!(pids(&format!("{text} is null")) + 5 > threads.len());
    }
}

/// /proc has the whole names of kernel threads, and what kernel workers work on.
fn kernel_threads_have_full_names() {
    let (mut long, mut working) = (0, 0);
    for row in found("task", "pid, comm, kthread, work, flags", "ppid = 2 or pid = 2") {
        let Ok(said) = fs::read(format!("/proc/{}/comm", row[0].number())) else { continue };
        let said = said.strip_suffix(b"\n").unwrap_or(&said);
        if row[2].is_absent() {
            return;
        }
        let is_worker = row[4].number() & 0x20 != 0;
        let name = if row[2] == () { row[1].text() } else { row[2].text() };
        match &row[3] {
            // Workers come, go and take other work while this looks.
            Cell::Text(work) if is_worker && !work.is_empty() => {
                let [does, did] = ["+", "-"].map(|sign| [row[1].text(), sign.as_bytes(), work].concat());
                working += usize::from(said == does || said == did);
            }
            Cell::Text(_) => assert!(is_worker && said.starts_with(row[1].text()), "{row:?}"),
            _ => assert!(!is_worker && said == name, "{row:?} {}", said.escape_ascii()),
        }
        long += usize::from(row[2] != ());
    }
    eprintln!("{long} long names, {working} at work");
    assert!(working > 0);
    // A process of its user has neither.
    let row = one("task", "kthread, work", &of(std::process::id()));
    assert!(row[0] == () && row[1] == (), "{row:?}");
}

/// For [`Cgroup`].
pub const CGROUPS: Need = Need::That("a mount of cgroup v2", || cgroups().is_some());

/// Where the cgroups of version 2 are.
fn cgroups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    mount.split(' ').nth(4).map(PathBuf::from)
}

/// A cgroup that goes with the test, and those below it.
pub struct Cgroup(pub PathBuf);

impl Cgroup {
    pub fn new(name: &str) -> Cgroup {
        let path = cgroups().unwrap().join(name);
        fs::create_dir(&path).unwrap();
        Cgroup(path)
    }

    pub fn below(&self, name: &OsStr) -> Cgroup {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap();
        Cgroup(path)
    }

    pub fn take(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// Its path as the kernel has it.
    pub fn path(&self) -> Vec<u8> {
        let root = cgroups().unwrap();
        [b"/", self.0.strip_prefix(root).unwrap().as_os_str().as_bytes()].concat()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Who was in there takes a moment to be gone.
        for _ in 0..200 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

fn cgroup() {
    let top = Cgroup::new(&unique("kwcg"));
    let (nested, long) =
        (top.below(OsStr::from_bytes(b"n\x1b[1m \xff'\"")), top.below("l".repeat(255).as_ref()));
    let deep = long.below("m".repeat(255).as_ref());
    for cgroup in [&top, &nested, &long, &deep] {
        let child = Child::new(["look"]);
        cgroup.take(child.pid());
        let said = fs::read(format!("/proc/{}/cgroup", child.pid())).unwrap();
        let wanted = cgroup.path();
        assert!(said.windows(wanted.len() + 3).any(|part| part == [b"0::", &wanted[..]].concat()));
        assert_eq!(one("task", "cgroup", &of(child.pid()))[0], *wanted);
    }
    let child = Child::new(["look"]);
    deep.take(child.pid());
    let name = unique("kwcg");
    assert_eq!(found("task", "pid", &format!("cgroup like '/{name}/%' and pid = {}", child.pid())).len(), 1);
    fs::write(cgroups().unwrap().join("cgroup.procs"), child.pid().to_string()).unwrap();
    assert_eq!(one("task", "cgroup", &of(child.pid()))[0], "/");
}

fn namespaces() {
    let all = [
        ("netns", "net", CloneFlags::CLONE_NEWNET),
        ("utsns", "uts", CloneFlags::CLONE_NEWUTS),
        ("ipcns", "ipc", CloneFlags::CLONE_NEWIPC),
        ("mntns", "mnt", CloneFlags::CLONE_NEWNS),
        ("cgroupns", "cgroup", CloneFlags::CLONE_NEWCGROUP),
        ("userns", "user", CloneFlags::CLONE_NEWUSER),
        ("pidns", "pid", CloneFlags::empty()),
    ];
    for (column, name, flag) in all {
        let child = Child::new([format!("unshare={}", flag.bits())]);
        let is_new = flag != CloneFlags::empty();
        assert_eq!(link(child.pid(), name) != link(std::process::id(), name), is_new, "{name}");
        let columns = all.map(|(column, ..)| column).join(", ");
        let row = one("task", &columns, &of(child.pid()));
        for (cell, (column, name, _)) in row.iter().zip(all) {
            assert_eq!(*cell, link(child.pid(), name), "{column}");
        }
        if is_new {
            let rows = found("task", "pid", &format!("{column} = {} and pid > 2", link(child.pid(), name)));
            assert_eq!(rows, [[Cell::Number(child.pid().into())]]);
        }
    }
}

/// A process that is number 1 of a pid namespace of its own, whose files and threads are the same to all others.
fn pid_namespace() {
    let child = Child::by(&["unshare", "--pid", "--fork", "--kill-child"], ["thread=x"]);
    let row = one("task", "pid, nspid, pidns", &format!("ppid = {} and nspid = 1", child.pid()));
    let pid = row[0].number() as u32;
    assert_eq!(row[1], 1);
    assert_eq!(row[2], link(pid, "pid"));
    assert!(link(pid, "pid") != link(std::process::id(), "pid"));
    let all = one("task", "nspid, pidns, pid", &of(child.pid()));
    assert!(all[0] == i128::from(child.pid()) && all[1] == link(child.pid(), "pid"), "{all:?}");
    let threads = found("task", "nspid", &format!("tgid = {pid}"));
    assert_eq!(threads, [[Cell::Number(1)], [Cell::Number(2)]]);
    assert_eq!(found("task", "pid", &format!("pidns = {}", link(pid, "pid"))).len(), 2);
}

/// The number of one of a process's namespaces.
fn link(pid: u32, name: &str) -> i128 {
    let link =
        fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap().into_os_string().into_string().unwrap();
    link.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn stack() {
    let child = Child::new(["thread=a", "thread=b"]);
    let symbols = Kallsyms::read().unwrap();
    for tid in crate::support::helper::numbers(&format!("/proc/{}/task", child.pid())) {
        let said = fs::read_to_string(format!("/proc/{}/task/{tid}/stack", child.pid())).unwrap();
        let row = one("task", "stack", &of(tid));
        let named = row[0].stack().iter().map(|address| {
            let (name, start, _) = symbols.around(*address).unwrap();
            (name.to_owned(), address - start)
        });
        let said: Vec<_> = said
            .lines()
            .map(|line| {
                let (name, offset) = line.strip_prefix("[<0>] ").unwrap().split_once('+').unwrap();
                let offset = offset.trim_start_matches("0x").split('/').next().unwrap();
                (name.to_owned(), u64::from_str_radix(offset, 16).unwrap())
            })
            .collect();
        assert_eq!(named.collect::<Vec<_>>(), said);
        assert!(said.len() > 2);
    }
}

fn units_in_conditions() {
    let child = Child::new([format!("memory={}", 8 << 20)]);
    let row = one("task", "rss, start, vsize, pid", &of(child.pid()));
    let (start, vsize) = (row[1].number(), row[2].number());
    let rss = if row[0].is_absent() { None } else { Some(row[0].number()) };
    let is = |condition: &str| {
        !found("task", "pid", &format!("pid = {} and ({condition})", child.pid())).is_empty()
    };
    for (condition, wanted) in [
        ("rss > '100K'", rss.is_some_and(|rss| rss > 100 << 10)),
        ("rss > '1.5GiB'", false),
        ("rss between '8M' and '1T'", rss.is_some_and(|rss| rss >= 8 << 20)),
        ("vsize >= '4096'", vsize >= 4096),
        ("utime >= '0s'", true),
        ("utime > '10000d'", false),
        ("utime < '1d04h' and utime < '12m03.5s'", true),
        ("start >= 500000000", start >= 500_000_000),
    ] {
        if rss.is_some() || !condition.starts_with("rss") {
            assert_eq!(is(condition), wanted, "{condition}");
        }
    }
    let after = found("task", "start", &format!("start > {start}"));
    assert!(after.iter().all(|row| row[0].number() > start));
    assert!(is(&format!("start = {start}")));
    assert!(is(&format!("vsize = '{}K'", vsize >> 10)));
}
