//! The path of a cgroup is what /proc says it is, on however many levels; and where a program can't look at all of it, that
//! is said, and no condition is taken for false.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use kwalk::Scope;
use kwalk::progs::targets;
use kwalk::select::{Bound, PlanOptions, Select, Walk, field, sql};
use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::columns::cell::{found, one};
use crate::columns::child::Child;
use crate::support::Need::{Bpf, Jit, Kernel, Root, That};
use crate::support::rows::{all, text};
use crate::support::{
    Need, Test, eventually, has_target, kernel_version, kwalk, running, stdout, test, test_alone, unique,
};

const NEEDS: &[Need] = &[Bpf, Root, That("a mount of cgroup v2", || mounted().is_some())];

const V1: &[Need] =
    &[Bpf, Root, That("a mount of cgroup v1 with a controller", || !controllers().is_empty())];

/// The controllers of which there are columns and which are mounted as cgroup v1, by their names there, and where.
fn controllers() -> Vec<(&'static str, &'static str, PathBuf)> {
    const KNOWN: [(&str, &str); 4] =
        [("memory", "cgroup_memory"), ("pids", "cgroup_pids"), ("cpu", "cgroup_cpu"), ("blkio", "cgroup_io")];
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found = Vec::new();
    for line in mounts.lines() {
        let Some((mount, about)) = line.split_once(" - ") else { continue };
        let about: Vec<_> = about.split(' ').collect();
        if about[0] == "cgroup" {
            let options = about.last().unwrap_or(&"").split(',');
            let known = options.flat_map(|option| KNOWN.into_iter().find(|(name, _)| *name == option));
            found.extend(known.map(|(name, column)| (name, column, mount.split(' ').nth(4).unwrap().into())));
        }
    }
    found
}

/// `bpf_rdonly_cast` came with 6.2.
const INSIDE: &[Need] = &[Bpf, Root, NEEDS[2], Kernel(6, 2), Jit];

pub fn tests() -> Vec<Test> {
    vec![
        test("deep_ones_are_what_proc_says", NEEDS, deep_ones_are_what_proc_says),
        test("controllers_of_v1_have_theirs", V1, controllers_of_v1_have_theirs),
        test("one_that_is_removed_is_marked_as_in_proc", NEEDS, one_that_is_removed_is_marked_as_in_proc),
        test_alone("in_a_cgroup_namespace_they_are_what_proc_says", INSIDE, in_a_cgroup_namespace),
        test("where_each_round_is_verified_the_rest_is_undecided", NEEDS, the_rest_is_undecided),
        test("what_is_too_long_is_cut_and_undecided", NEEDS, what_is_too_long_is_cut_and_undecided),
    ]
}

fn mounted() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (mount, about) = line.split_once(" - ")?;
        (about.split(' ').next() == Some("cgroup2")).then(|| mount.split(' ').nth(4).unwrap().into())
    })
}

/// Whether programs follow a tree as far as there is room for its names.
fn follows_all() -> bool {
    kernel_version() >= (6, 4) && running().has_jit
}

/// Cgroups, each in the one before, by descriptors: their path may be longer than one that a call takes.
struct Nested {
    /// Each with its parent's descriptor and its name.
    all: Vec<(OwnedFd, String)>,
    last: OwnedFd,
}

impl Nested {
    fn new(names: impl IntoIterator<Item = String>) -> Nested {
        const FLAGS: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);
        let mut nested = Nested { all: Vec::new(), last: File::open(mounted().unwrap()).unwrap().into() };
        for name in names {
            mkdirat(&nested.last, name.as_str(), Mode::S_IRWXU).unwrap();
            let below = openat(&nested.last, name.as_str(), FLAGS, Mode::empty()).unwrap();
            let above = std::mem::replace(&mut nested.last, below);
            nested.all.push((above, name));
        }
        nested
    }

    fn add(&self, pid: u32) {
        let procs = openat(&self.last, "cgroup.procs", OFlag::O_WRONLY, Mode::empty()).unwrap();
        File::from(procs).write_all(pid.to_string().as_bytes()).unwrap();
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        for (above, name) in self.all.iter().rev() {
            eventually("the cgroup is empty", || {
                !matches!(
                    unlinkat(above, name.as_str(), UnlinkatFlags::RemoveDir),
                    Err(nix::errno::Errno::EBUSY)
                )
            });
        }
    }
}

/// What /proc says.
fn of_proc(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap().into()
}

/// What /proc says of a hierarchy of v1.
fn of_controller(pid: u32, controller: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = text.lines().find_map(|line| {
        let (names, path) = line.split_once(':')?.1.split_once(':')?;
        names.split(',').any(|name| name == controller).then_some(path)
    });
    path.unwrap_or_else(|| panic!("{controller}: {text}")).into()
}

fn deep_ones_are_what_proc_says() {
    let top = unique("kwalk-deep-");
    for levels in [1, 62, 64, 250, if follows_all() { 600 } else { 251 }] {
        let names = [top.clone(), "system.slice".into(), "sshd.service".into()];
        let below = (3..levels).map(|nth| format!("c{nth}"));
        let nested = Nested::new(names.into_iter().take(levels).chain(below));
        let child = Child::new(["look"]);
        let pid = child.pid();
        nested.add(pid);
        let path = of_proc(pid);
        assert_eq!(path.matches('/').count(), levels);
        assert_eq!(one("task", "cgroup", &format!("pid = {pid}"))[0], path.as_str(), "{levels}");
        // By a walk of the cgroups too.
        if has_target(&targets::cgroup::TARGET) {
            let args = ["cgroup", "--order", "pre", "-f", "path", "-o", "csv", "-w"];
            let shown = stdout(kwalk(args).arg(format!("level = {levels} and path like '/{top}%'")));
            assert_eq!(shown.lines().nth(1), Some(path.as_str()));
        }
        let list: Vec<_> = (0..30).map(|nth| format!("'/x{nth}'")).collect();
        let list = list.join(", ");
        let mut conditions = vec![
            (format!("cgroup like '/{top}%'"), true),
            ("cgroup like '/system.slice/sshd.service%'".into(), false),
            (format!("cgroup like '%{}'", path.rsplit('/').next().unwrap()), true),
            ("cgroup like '%/nothing'".into(), false),
            (format!("cgroup like '%{top}%'"), true),
            ("cgroup is null".into(), false),
            (format!("cgroup in ({list})"), false),
            (format!("not (cgroup in ({list}))"), true),
            (format!("not (cgroup like '/{top}%')"), false),
        ];
        if path.len() < 200 {
            conditions.push((format!("cgroup = '{path}'"), true));
            conditions.push((format!("cgroup in ({list}, '{path}')"), true));
            conditions.push((format!("cgroup = '{}'", &path[..path.len() - 1]), false));
        }
        for (condition, holds) in conditions {
            let rows = found("task", "pid", &format!("pid = {pid} and {condition}"));
            assert_eq!(rows.len(), usize::from(holds), "{levels}: {condition}");
        }
        drop(child);
    }
}

fn controllers_of_v1_have_theirs() {
    for (controller, column, mount) in controllers() {
        let dir = mount.join(unique(&format!("kwalk-v1-{controller}-")));
        fs::create_dir(&dir).unwrap();
        let child = Child::new(["look"]);
        let pid = child.pid();
        fs::write(dir.join("cgroup.procs"), pid.to_string()).unwrap();
        let path = of_controller(pid, controller);
        assert!(path.contains("kwalk-v1-"), "{path}");
        assert_eq!(one("task", column, &format!("pid = {pid}"))[0], path.as_str(), "{column}");
        let condition = format!("pid = {pid} and {column} = '{path}'");
        assert_eq!(found("task", "pid", &condition).len(), 1);
        drop(child);
        eventually("the cgroup is empty", || fs::remove_dir(&dir).is_ok());
    }
}

fn one_that_is_removed_is_marked_as_in_proc() {
    let nested = Nested::new([unique("kwalk-gone-"), "below".into()]);
    let child = Child::new(["look"]);
    nested.add(child.pid());
    child.signal(Signal::SIGKILL);
    // It stays until it is waited for, and its cgroup does not.
    eventually("the child is dead", || child.stat(3) == "Z");
    drop(nested);
    let path = of_proc(child.pid());
    let own = format!("pid = {}", child.pid());
    assert_eq!(one("task", "cgroup", &own)[0], path.as_str());
    if path.ends_with(" (deleted)") {
        assert_eq!(found("task", "pid", &format!("{own} and cgroup like '% (deleted)'")).len(), 1);
    }
    assert!(path.ends_with("/below (deleted)") || kernel_version() < (6, 0), "{path}");
}

/// This process moves to a cgroup, which is the root of a namespace then.
fn in_a_cgroup_namespace() {
    let (top, root) = (unique("kwalk-ns-"), mounted().unwrap());
    let nested = Nested::new([top.clone(), "a".into(), "b".into()]);
    let (own, beside) = (root.join(&top).join("a"), root.join(&top).join("c"));
    fs::create_dir(&beside).unwrap();
    let add = |dir: &Path, pid: u32| fs::write(dir.join("cgroup.procs"), pid.to_string()).unwrap();
    let wanted = ["/b", "/", "/..", "/../c", "/../.."];
    let dirs = [own.join("b"), own.clone(), root.join(&top), beside.clone(), root.clone()];
    let children = dirs.each_ref().map(|dir| {
        let child = Child::new(["look"]);
        add(dir, child.pid());
        child
    });
    let pids = children.each_ref().map(Child::pid);
    add(&own, std::process::id());
    // In hierarchies of v1, too: this process in one cgroup, a child in one beside it.
    let of_v1: Vec<_> = controllers()
        .into_iter()
        .map(|(controller, column, mount)| {
            let dirs = ["a", "b"].map(|name| mount.join(format!("{top}{name}")));
            dirs.iter().for_each(|dir| fs::create_dir(dir).unwrap());
            add(&dirs[0], std::process::id());
            add(&dirs[1], children[0].pid());
            (controller, column, mount, dirs)
        })
        .collect();
    let columns: Vec<_> = of_v1.iter().map(|(controller, column, ..)| (*controller, *column)).collect();
    let beside_v1 = format!("/../{top}b");
    let inside = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWCGROUP).unwrap();
        for (pid, wanted) in pids.into_iter().zip(wanted) {
            assert_eq!(of_proc(pid), wanted);
            let condition = format!("pid = {pid} and cgroup = '{wanted}'");
            let shown = stdout(kwalk(["task", "-f", "cgroup", "-o", "csv", "-w"]).arg(condition));
            assert_eq!(shown.lines().nth(1).map(str::trim_end), Some(wanted));
        }
        for (controller, column) in columns {
            let path = of_controller(pids[0], controller);
            assert_eq!(path, beside_v1);
            let condition = format!("pid = {} and {column} = '{path}'", pids[0]);
            assert_eq!(stdout(&mut kwalk(["task", "--count", "-w", &condition])), "1\n", "{column}");
        }
        let below = format!("cgroup like '/../%' and pid in ({}, {}, {})", pids[0], pids[3], pids[4]);
        assert_eq!(stdout(&mut kwalk(["task", "--count", "-w", &below])), "2\n");
    });
    let done = inside.join();
    add(&root, std::process::id());
    of_v1.iter().for_each(|(_, _, mount, _)| add(mount, std::process::id()));
    drop(children);
    for dir in of_v1.iter().flat_map(|(.., dirs)| dirs) {
        eventually("the cgroup is empty", || fs::remove_dir(dir).is_ok());
    }
    fs::remove_dir(&beside).unwrap();
    drop(nested);
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

fn what_is_too_long_is_cut_and_undecided() {
    let top = unique("kwalk-long-");
    // More bytes than /proc shows.
    let nested = Nested::new([top.clone()].into_iter().chain((0..17).map(|nth| format!("{nth:0250}"))));
    let child = Child::new(["look"]);
    let pid = child.pid();
    nested.add(pid);
    let row = one("task", "cgroup", &format!("pid = {pid}"));
    let shown = String::from_utf8(row[0].text().to_vec()).unwrap();
    let rest = shown.strip_prefix("…/").unwrap_or_else(|| panic!("{shown}"));
    let whole: Vec<_> = (0..17).map(|nth| format!("{nth:0250}")).collect();
    let whole = format!("/{top}/{}", whole.join("/"));
    assert!(whole.len() > 4096 && whole.ends_with(&format!("/{rest}")) && rest.len() > 3800, "{shown}");

    let other = Child::new(["look"]);
    let both = format!("pid in ({pid}, {})", other.pid());
    let list: Vec<_> = (0..30).map(|nth| format!("'/x{nth}'")).collect();
    let like_other = format!("cgroup = '{}'", of_proc(other.pid()));
    let mut decided = 0;
    for (condition, others) in [
        ("cgroup like '/nothing/%'", 0),
        ("not (cgroup like '/nothing/%')", 1),
        ("cgroup like '%9'", 0),
        ("cgroup like '%nothing%'", 0),
        (&format!("cgroup in ({})", list.join(", ")), 0),
        (&like_other, 1),
        (&format!("pid = {} or cgroup like '/nothing/%'", other.pid()), 1),
    ] {
        let condition = format!("{both} and ({condition})");
        let output = kwalk(["task", "-f", "pid", "-o", "csv", "-w", &condition]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{condition}: {said}");
        assert!(
            said.starts_with("kwalk: the condition: 1 object could not be decided: a path has more"),
            "{said}"
        );
        let rows = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<_> = rows.lines().filter_map(|line| line.trim().parse::<u32>().ok()).collect();
        assert_eq!(rows, vec![other.pid(); others], "{condition}");
        let output = kwalk(["task", "--count", "-w", &condition]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{others}\n"));
        decided += others;
    }
    assert!(decided > 1);
    // What other terms decide is decided.
    let mut command = kwalk(["task", "-f", "pid", "-o", "csv", "-w"]);
    let sure = format!("pid = {pid} and (tgid = {pid} or cgroup like '/nothing%')");
    assert_eq!(stdout(command.arg(sure)).lines().count(), 2);
    let mut command = kwalk(["task", "--count", "-w"]);
    assert_eq!(stdout(command.arg(format!("pid = {pid} and cgroup is not null"))), "1\n");

    // The library counts anew for each walk; and a column that is not decided is NULL.
    let column = sql::columns("case when cgroup like '/nothing%' then 1 else 2 end as inside").unwrap();
    let select = Select::new("task").fields(column).filter(field("pid").eq(pid));
    let walk = Walk::plan_with(&select, &running(), Scope::All, &PlanOptions::default()).unwrap();
    assert_eq!(walk.plan.undecided.as_ref().unwrap().bounds, [Bound::Path]);
    let mut prepared = walk.prepare().unwrap();
    for _ in 0..2 {
        let mut rows = prepared.rows().unwrap();
        while rows.next_row().unwrap().is_some() {}
        drop(rows);
        assert_eq!(prepared.undecided().unwrap(), 1);
    }
}

/// As on a kernel without a JIT, or before 6.4.
fn the_rest_is_undecided() {
    let mut kernel = running();
    kernel.has_jit = false;
    let ask = |pid: u32, condition: &str| {
        let condition = field("pid").eq(pid).and(sql::expression(condition).unwrap());
        let select = Select::new("task").fields(["cgroup"]).filter(condition);
        let walk = Walk::plan(&select, &kernel, Scope::All).unwrap();
        let bounds = walk.plan.undecided.as_ref().map_or(Vec::new(), |undecided| undecided.bounds.clone());
        let mut prepared = walk.prepare().unwrap();
        let rows = all(prepared.rows().unwrap(), |row| text(&row[0])).unwrap();
        let undecided = prepared.undecided().unwrap();
        (rows, undecided, bounds)
    };
    // 3,000 bytes on 12 levels, and 300 levels.
    let top = unique("kwalk-wide-");
    let wide = Nested::new([top.clone()].into_iter().chain((0..12).map(|nth| format!("{nth:0250}"))));
    let deep = Nested::new((0..300).map(|nth| format!("{}-{nth}", if nth == 0 { &top } else { "d" })));
    let children = [Child::new(["look"]), Child::new(["look"])];
    wide.add(children[0].pid());
    deep.add(children[1].pid());
    let [wide, deep] = children.each_ref().map(Child::pid);
    let (path, cut) = (of_proc(wide), of_proc(deep));
    assert_eq!(ask(wide, &format!("cgroup like '/{top}/%'")).0, vec![path.clone()]);
    assert_eq!(ask(wide, &format!("cgroup = '{path}'")), (vec![path.clone()], 0, vec![Bound::Path]));
    let (rows, undecided, bounds) = ask(wide, "cgroup like '%/0000%'");
    assert_eq!((rows, undecided), (vec![path], 0));
    assert_eq!(bounds, [Bound::Path, Bound::Search]);
    let (rows, undecided, _) = ask(wide, "cgroup like '%nothing%'");
    assert_eq!((rows.len(), undecided), (0, 1));
    let (rows, undecided, _) = ask(wide, "not (cgroup like '%nothing%')");
    assert_eq!((rows.len(), undecided), (0, 1));

    let (rows, ..) = ask(deep, "tgid > 1");
    let rest = rows[0].strip_prefix('…').unwrap();
    assert!(cut.ends_with(rest) && rest.matches('/').count() == 256, "{rest}");
    for condition in ["cgroup like '/d-%'", "not (cgroup like '/d-%')", "cgroup like '%-7'"] {
        let (rows, undecided, bounds) = ask(deep, condition);
        assert_eq!((rows.len(), undecided, bounds), (0, 1, vec![Bound::Path]), "{condition}");
    }
}
