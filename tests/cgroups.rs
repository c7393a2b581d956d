//! A walk of cgroups shows each once and in order, however many there are, and leaves out those that go meanwhile.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use kwalk::progs::targets;
use kwalk::select::Rows;
use kwalk::sys::{CgroupOrder, CgroupStart};
use kwalk::{Error, Scope, open_cgroup};

use crate::support::rows::{all, number, opened, text};
use crate::support::{Need, Test, kernel_version, kwalk, refused, stdout, test, test_alone, unique};

const NEEDS: &[Need] = &[Need::Bpf, Need::Root, Need::Target(&targets::cgroup::TARGET)];
const V1: &[Need] =
    &[Need::Bpf, Need::Root, NEEDS[2], Need::That("a mount of cgroup v1", || mounted("cgroup").is_some())];

pub fn tests() -> Vec<Test> {
    vec![
        test("few_cgroups_are_those_of_the_tree", NEEDS, few_cgroups_are_those_of_the_tree),
        test_alone("2000_cgroups_are_those_of_the_tree", NEEDS, many_cgroups_are_those_of_the_tree),
        test("what_goes_meanwhile_is_left_out", NEEDS, what_goes_meanwhile_is_left_out),
        test("the_root_is_where_a_walk_begins", NEEDS, the_root_is_where_a_walk_begins),
        test("ids_of_v1_are_not_taken_for_those_of_v2", V1, ids_of_v1_are_not_taken_for_those_of_v2),
        test("the_command_walks_cgroups", NEEDS, the_command_walks_cgroups),
        test("what_makes_no_sense_is_refused", NEEDS, what_makes_no_sense_is_refused),
    ]
}

/// Where a cgroup hierarchy of this type is mounted.
fn mounted(file_system: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().find_map(|line| {
        let (mount, about) = line.split_once(" - ")?;
        let is_it = about.split(' ').next() == Some(file_system);
        is_it.then(|| PathBuf::from(mount.split(' ').nth(4).unwrap_or_default()))
    })
}

/// A mount of cgroup v2: the machine's, or one of our own where it has none.
fn v2() -> PathBuf {
    mounted("cgroup2").expect("cgroup v2 is mounted")
}

/// A cgroup of the test's own, which goes with all below it.
struct Tree(PathBuf);

impl Tree {
    fn new(mount: &Path) -> Tree {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = mount.join(format!("{}-{}", unique("kwalk-test-"), NEXT.fetch_add(1, SeqCst)));
        fs::create_dir(&dir).unwrap();
        Tree(dir)
    }

    /// Makes `count` cgroups of `len` bytes of name in all: each tenth with the nine that follow it below it.
    fn grow(&self, count: usize, len: usize) {
        let mut parent = self.0.clone();
        for nth in 0..count {
            let name = format!("{nth:0>len$}");
            if nth % 10 == 0 {
                parent = self.0.join(&name);
                fs::create_dir(&parent).unwrap();
            } else {
                fs::create_dir(parent.join(&name)).unwrap();
            }
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for (dir, ..) in tree(&self.0, CgroupOrder::DESCENDANTS_POST) {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// The directories at and below one, each with its name, as the kernel orders them: in the order of their making, which is
/// that of the names here.
fn tree(dir: &Path, order: CgroupOrder) -> Vec<(PathBuf, u64, String)> {
    let own = (
        dir.to_owned(),
        fs::metadata(dir).unwrap().ino(),
        dir.file_name().unwrap_or_default().to_str().unwrap().to_owned(),
    );
    let mut children: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    children.retain(|path| path.is_dir());
    children.sort();
    match order {
        CgroupOrder::SELF_ONLY => vec![own],
        CgroupOrder::DESCENDANTS_PRE => {
            let below = children.iter().flat_map(|child| tree(child, order));
            [own].into_iter().chain(below).collect()
        }
        CgroupOrder::DESCENDANTS_POST => {
            let below = children.iter().flat_map(|child| tree(child, order));
            below.chain([own]).collect()
        }
        CgroupOrder::CHILDREN => {
            children.iter().flat_map(|child| tree(child, CgroupOrder::SELF_ONLY)).collect()
        }
        CgroupOrder::ANCESTORS_UP => {
            let mut all = vec![own];
            if dir != v2() {
                all.extend(tree(dir.parent().unwrap(), order));
            } else {
                all[0].2 = String::new();
            }
            all
        }
        other => panic!("{other:?}"),
    }
}

/// The orders that this kernel knows.
fn orders() -> Vec<CgroupOrder> {
    let children = (kernel_version() >= (7, 0)).then_some(CgroupOrder::CHILDREN);
    let always = [
        CgroupOrder::SELF_ONLY,
        CgroupOrder::DESCENDANTS_PRE,
        CgroupOrder::DESCENDANTS_POST,
        CgroupOrder::ANCESTORS_UP,
    ];
    always.into_iter().chain(children).collect()
}

fn open(order: CgroupOrder, start: CgroupStart<'_>) -> Result<Rows<'_>, Error> {
    opened("cgroup", ["kn.id", "kn.name"], Scope::Cgroup { order, start })
}

fn walk(order: CgroupOrder, start: CgroupStart<'_>) -> Vec<(u64, String)> {
    all(open(order, start).unwrap(), |row| (number(&row[0]), text(&row[1]))).unwrap()
}

/// What a walk shows in each order is what the directories are.
#[track_caller]
fn is_the_tree(dir: &Path) {
    for order in orders() {
        let wanted: Vec<_> = tree(dir, order).into_iter().map(|(_, id, name)| (id, name)).collect();
        let fd = open_cgroup(dir).unwrap();
        let id = fs::metadata(dir).unwrap().ino();
        for start in [CgroupStart::Fd(fd.as_fd()), CgroupStart::Id(id)] {
            let found = walk(order, start);
            assert!(found == wanted, "{order:?} {start:?}: {} of {}", found.len(), wanted.len());
        }
    }
}

fn few_cgroups_are_those_of_the_tree() {
    let own = Tree::new(&v2());
    own.grow(25, 4);
    is_the_tree(&own.0);
    let deep = tree(&own.0, CgroupOrder::DESCENDANTS_POST).remove(0).0;
    is_the_tree(&deep);
    assert!(walk(CgroupOrder::ANCESTORS_UP, CgroupStart::Fd(open_cgroup(&deep).unwrap().as_fd())).len() > 2);
}

fn fds() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn many_cgroups_are_those_of_the_tree() {
    let own = Tree::new(&v2());
    own.grow(2000, 180);
    let before = fds();
    let start = std::time::Instant::now();
    is_the_tree(&own.0);
    println!("{:?} for {} walks", start.elapsed(), 2 * orders().len());
    assert_eq!(fds(), before);
}

fn what_goes_meanwhile_is_left_out() {
    let own = Tree::new(&v2());
    own.grow(400, 180);
    let fd = open_cgroup(&own.0).unwrap();
    let mut before = tree(&own.0, CgroupOrder::DESCENDANTS_PRE);
    let mut rows = open(CgroupOrder::DESCENDANTS_PRE, CgroupStart::Fd(fd.as_fd())).unwrap();
    let mut found = Vec::new();
    let mut next = |found: &mut Vec<u64>| {
        let row = rows.next_row().unwrap().map(|row| number(&row.get(0)));
        found.extend(row);
        row.is_some()
    };
    while found.len() < 100 {
        assert!(next(&mut found));
    }
    // Of those that are still to come one in three goes, and those that come are not shown.
    let gone: Vec<_> =
        before[100..].iter().filter(|(dir, ..)| fs::remove_dir(dir).is_ok()).cloned().collect();
    assert!(gone.len() > 200);
    fs::create_dir(own.0.join("new")).unwrap();
    while next(&mut found) {}
    before.retain(|cgroup| !gone.contains(cgroup));
    assert_eq!(found, before.into_iter().map(|(_, id, _)| id).collect::<Vec<_>>());
}

fn the_root_is_where_a_walk_begins() {
    let own = Tree::new(&v2());
    let root = fs::metadata(v2()).unwrap().ino();
    assert_eq!(walk(CgroupOrder::SELF_ONLY, CgroupStart::Root), [(root, String::new())]);
    let found = walk(CgroupOrder::DESCENDANTS_PRE, CgroupStart::Root);
    let id = fs::metadata(&own.0).unwrap().ino();
    assert_eq!(found.iter().filter(|(found, _)| *found == id).count(), 1);
}

/// The kernel walks those of v1, too, but finds none by their ids: what is too much for a buffer is refused.
fn ids_of_v1_are_not_taken_for_those_of_v2() {
    let own = Tree::new(&mounted("cgroup").unwrap());
    own.grow(20, 180);
    is_v1(&own, Ok(21));
    let more = Tree::new(&own.0);
    more.grow(300, 180);
    is_v1(&own, Err(libc::EOPNOTSUPP));
}

#[track_caller]
fn is_v1(own: &Tree, wanted: Result<usize, i32>) {
    let fd = open_cgroup(&own.0).unwrap();
    let found = match open(CgroupOrder::DESCENDANTS_PRE, CgroupStart::Fd(fd.as_fd())) {
        Ok(rows) => Ok(all(rows, |_| ()).unwrap().len()),
        Err(error) => {
            let Error::Read { source, .. } = error else { panic!("{error}") };
            Err(source.raw_os_error().unwrap())
        }
    };
    assert_eq!(found, wanted);
}

fn the_command_walks_cgroups() {
    let own = Tree::new(&v2());
    own.grow(500, 180);
    let dir = own.0.to_str().unwrap();
    let names = ["self", "pre", "post", "up", "children"];
    for (order, name) in orders().into_iter().zip(names) {
        let args = ["cgroup", "--order", name, "--cgroup", dir];
        let printed = stdout(kwalk(args).args(["-f", "id", "-o", "csv"]));
        let found: Vec<u64> = printed.lines().skip(1).map(|line| line.parse().unwrap()).collect();
        let wanted: Vec<_> = tree(&own.0, order).into_iter().map(|(_, id, _)| id).collect();
        assert!(found == wanted, "{name}: {} of {}", found.len(), wanted.len());
        assert_eq!(stdout(kwalk(args).arg("--count")), format!("{}\n", wanted.len()), "{name}");
    }
    let own = format!("id = {}", fs::metadata(&own.0).unwrap().ino());
    assert_eq!(stdout(&mut kwalk(["cgroup", "-w", &own, "--count"])), "1\n");
    // Unless another order is given, parents come before their children.
    let walked =
        |args: &[&str]| stdout(kwalk(["cgroup", "--cgroup", dir, "-f", "id", "-o", "csv"]).args(args));
    assert_eq!(walked(&[]), walked(&["--order", "pre"]));

    let wrong = "it can't be walked with these parameters";
    let hint = "[--cgroup PATH] [--order self|pre|post|up|children]";
    refused(&mut kwalk(["cgroup", "--pid", "1"]), 2, &format!("target cgroup: {wrong}"), hint);
    refused(
        &mut kwalk(["task", "--order", "pre"]),
        2,
        &format!("target task: {wrong}"),
        "[--pid N | --tid N]",
    );
    let root = ["cgroup", "--order", "pre", "--cgroup", "/"];
    refused(&mut kwalk(root), 1, "/: it is not a cgroup", "/proc/self/mounts");
    let order = ["cgroup", "--order", "down"];
    refused(
        &mut kwalk(order),
        2,
        "invalid value 'down' for '--order <ORDER>'",
        "self, pre, post, up, children",
    );
}

fn what_makes_no_sense_is_refused() {
    for path in
        ["/", "/dev/null", "/proc"].map(Path::new).into_iter().chain([v2().join("cgroup.procs").as_path()])
    {
        let error = open_cgroup(path).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: it is not a cgroup", path.display()));
        assert!(matches!(error, Error::NotA { needs: "a cgroup", .. }));
    }
    assert!(matches!(open_cgroup(&v2().join("gone")), Err(Error::Open { .. })));
    let none = |order| open(order, CgroupStart::Root).unwrap_err();
    assert!(matches!(none(CgroupOrder(0)), Error::Sys(error) if error.errno() == libc::EINVAL));
    if kernel_version() < (7, 0) {
        let error = none(CgroupOrder::CHILDREN);
        assert_eq!(error.to_string(), "target cgroup: this kernel can't walk a cgroup's children alone");
        assert!(matches!(error, Error::NoParameters { since: (7, 0), .. }));
    }
    let gone = open(CgroupOrder::SELF_ONLY, CgroupStart::Id(u64::MAX)).unwrap_err();
    assert!(matches!(gone, Error::Sys(error) if error.errno() == libc::ENOENT));
    let error = opened("cgroup", ["kn.id"], Scope::All).unwrap_err();
    assert!(matches!(error, Error::Scope { target, .. } if target == "cgroup"));
}
