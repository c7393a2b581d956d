//! Pins: what is pinned reads as `cat` prints it and outlives its process; what is refused leaves nothing behind; of many,
//! all are pinned or none.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use kwalk::{PinPath, pin_all};
use nix::unistd::{Uid, setfsuid};

use crate::support::objects::{pin_object, small_map};
use crate::support::pins::*;
use crate::support::{
    Bpffs, Need, Test, dir, eventually, kernel_version, names, refused, stdout, test, unique,
};

const ROOT: &[Need] = &[Need::Bpf, Need::Root];
const LOADER: &[Need] = &[Need::Bpf, Need::Root, Need::Tool("setpriv")];

pub fn tests() -> Vec<Test> {
    vec![
        test("a_pin_reads_as_cat_prints", LOADER, a_pin_reads_as_cat_prints),
        test("links_lists_what_is_pinned", LOADER, links_lists_what_is_pinned),
        test("a_pin_keeps_its_filter_and_its_process", LOADER, a_pin_keeps_its_filter_and_its_process),
        test("a_pin_is_root_s_alone", LOADER, a_pin_is_root_s_alone),
        test("unpin_ends_the_links", LOADER, unpin_ends_the_links),
        test("rm_ends_the_link", LOADER, rm_ends_the_link),
        test("pin_outside_of_bpffs_is_refused", LOADER, pin_outside_of_bpffs_is_refused),
        test("pin_where_something_is_is_refused", LOADER, pin_where_something_is_is_refused),
        test("pin_on_the_mount_itself_is_refused", LOADER, pin_on_the_mount_itself_is_refused),
        test("pin_of_a_name_with_a_dot_is_refused", LOADER, pin_of_a_name_with_a_dot_is_refused),
        test("pin_without_a_name_is_refused", LOADER, pin_without_a_name_is_refused),
        test("pin_in_a_missing_directory_is_refused", LOADER, pin_in_a_missing_directory_is_refused),
        test("pin_of_what_can_t_be_attached_is_refused", LOADER, pin_of_what_can_t_be_attached_is_refused),
        test("unpin_leaves_what_is_no_iterator", LOADER, unpin_leaves_what_is_no_iterator),
        test("unpin_refuses_other_paths", LOADER, unpin_refuses_other_paths),
        test("cat_of_what_is_no_iterator_is_refused", ROOT, cat_of_what_is_no_iterator_is_refused),
        test("what_is_not_there_is_said_so", ROOT, what_is_not_there_is_said_so),
        test("unpin_goes_on_after_a_failure", ROOT, unpin_goes_on_after_a_failure),
        test("all_are_pinned_or_none", ROOT, all_are_pinned_or_none),
        test("a_failed_pinning_removes_its_own_alone", ROOT, a_failed_pinning_removes_its_own_alone),
        test("nobody_sees_half_of_the_pins", ROOT, nobody_sees_half_of_the_pins),
    ]
}

// pin

fn a_pin_reads_as_cat_prints() {
    let (bpffs, loader, name) = (Bpffs::mount(), Loader::new(), unique("same"));
    let path = bpffs.path("pin");
    let _maps = [small_map(&name), small_map(&name)];
    let _program = load("maps", &name);
    for (program, own) in [("maps", 2), ("progs", 1)] {
        assert_eq!(stdout(&mut loader.kwalk(["pin", program, arg(&path)])), "");
        // The process that pinned it is gone.
        let pinned = read(&path);
        let printed = stdout(&mut loader.kwalk(["cat", program]));
        assert_eq!(rows(&pinned, &name).len(), own, "{pinned}");
        for text in [&printed, &stdout(&mut loader.kwalk(["cat", arg(&path)]))] {
            assert_eq!(rows(text, &name), rows(&pinned, &name));
            assert_eq!(text.lines().next(), pinned.lines().next());
        }
        assert_eq!(bpffs.names(), ["pin"]);
        fs::remove_file(&path).unwrap();
    }
}

fn links_lists_what_is_pinned() {
    let (bpffs, loader) = (Bpffs::mount(), Loader::new());
    let pid = std::process::id().to_string();
    let (maps, files) = (bpffs.path("maps"), bpffs.path("files"));
    stdout(&mut loader.kwalk(["pin", "maps", arg(&maps)]));
    stdout(&mut loader.kwalk(["pin", "files", arg(&files), "--pid", &pid]));
    let listed = stdout(&mut loader.kwalk(["links"]));
    let row = |path| {
        let (link, program) = state(path);
        let mut rows = listed.lines().filter(|row| row.split_whitespace().next() == Some(&link.to_string()));
        let row: Vec<_> = rows.next().expect("the link is listed").split_whitespace().skip(1).collect();
        assert_eq!(row[1], program.to_string());
        assert_eq!(rows.next(), None);
        row.iter().map(|column| String::from(*column)).collect::<Vec<_>>()
    };
    let (maps, files) = (row(&maps), row(&files));
    assert_eq!([&maps[0], &maps[2]], ["bpf_map", "maps"]);
    assert_eq!(maps.len(), 3, "{maps:?}");
    assert_eq!([&files[0], &files[2]], ["task_file", "files"]);
    // Before 6.12, the program looks for the process.
    let parameters = if kernel_version() < (6, 12) { vec![] } else { vec![format!("pid={pid}")] };
    assert_eq!(files[3..], parameters);
}

fn a_pin_keeps_its_filter_and_its_process() {
    let (bpffs, loader, comm) = (Bpffs::mount(), Loader::new(), unique("pinned"));
    let sleepers = [crate::support::Sleeper::named(&comm), crate::support::Sleeper::named(&comm)];
    let (by_name, by_pid) = (bpffs.path("name"), bpffs.path("pid"));
    let pid = sleepers[0].pid().to_string();
    stdout(&mut loader.kwalk(["pin", "stacks", arg(&by_name), &comm]));
    stdout(&mut loader.kwalk(["pin", "stacks", arg(&by_pid), "--pid", &pid]));
    let tasks =
        |path| read(path).lines().filter(|line| line.starts_with("=== Task: ")).map(String::from).collect();
    let task = |pid: u32| format!("=== Task: {comm} (pid={pid}, tgid={pid}) ===");
    let named: BTreeSet<String> = tasks(&by_name);
    assert_eq!(named, sleepers.iter().map(|sleeper| task(sleeper.pid())).collect());
    let numbered: BTreeSet<String> = tasks(&by_pid);
    assert_eq!(numbered, [task(sleepers[0].pid())].into());
}

fn a_pin_is_root_s_alone() {
    let (bpffs, loader) = (Bpffs::mount(), Loader::new());
    let path = bpffs.path("pin");
    stdout(&mut loader.kwalk(["pin", "maps", arg(&path)]));
    assert_eq!(mode(&path) & 0o477, 0o400);
}

fn unpin_ends_the_links() {
    let (bpffs, loader) = (Bpffs::mount(), Loader::new());
    let before = bpffs.names();
    let (one, two) = (bpffs.path("one"), bpffs.path("two"));
    stdout(&mut loader.kwalk(["pin", "maps", arg(&one)]));
    stdout(&mut loader.kwalk(["pin", "stacks", arg(&two)]));
    loader.eventually_owns(2, 2);
    assert_eq!(stdout(&mut loader.kwalk(["unpin", arg(&one), arg(&two)])), "");
    assert_eq!(bpffs.names(), before);
    loader.eventually_owns(0, 0);
}

fn rm_ends_the_link() {
    let (bpffs, loader) = (Bpffs::mount(), Loader::new());
    let path = bpffs.path("pin");
    stdout(&mut loader.kwalk(["pin", "maps", arg(&path)]));
    loader.eventually_owns(1, 1);
    stdout(Command::new("rm").arg(&path));
    loader.eventually_owns(0, 0);
}

fn pin_outside_of_bpffs_is_refused() {
    let (bpffs, dir) = (Bpffs::mount(), dir());
    let path = dir.path().join("pin");
    let path = arg(&path);
    let message = format!("{path}: it is not in a bpffs");
    changes_nothing(&bpffs, &["pin", "maps", path], 1, &message, "mount -t bpf bpf /sys/fs/bpf");
    assert!(!Path::new(path).exists());
}

fn pin_where_something_is_is_refused() {
    let (bpffs, name) = (Bpffs::mount(), unique("exists"));
    let path = bpffs.path("pin");
    pin("maps", &name, &path);
    let before = state(&path);
    let message = format!("{}: it exists already", path.display());
    changes_nothing(&bpffs, &["pin", "maps", arg(&path)], 1, &message, "--replace");
    assert_eq!(state(&path), before);
    let directory = bpffs.path("directory");
    fs::create_dir(&directory).unwrap();
    let message = format!("{}: it exists already", directory.display());
    changes_nothing(&bpffs, &["pin", "maps", arg(&directory)], 1, &message, "another path");
}

/// The directory above it is in no bpffs; the hint to mount one would lead nowhere.
fn pin_on_the_mount_itself_is_refused() {
    let bpffs = Bpffs::mount();
    let mount = bpffs.path("");
    let path = arg(&mount).trim_end_matches('/');
    for args in [&["pin", "maps", path][..], &["preload", "--dir", path]] {
        changes_nothing(&bpffs, args, 1, &format!("{path}: it exists already"), "another path");
    }
    changes_nothing(&bpffs, &["unpin", path], 1, &format!("{path}: it is a directory"), "rm -r");
}

fn pin_of_a_name_with_a_dot_is_refused() {
    let bpffs = Bpffs::mount();
    for name in ["a.b", ".a", "a."] {
        let path = bpffs.path(name);
        let message = format!("{}: bpffs refuses names with a dot", path.display());
        changes_nothing(&bpffs, &["pin", "maps", arg(&path)], 1, &message, "without one");
    }
}

fn pin_without_a_name_is_refused() {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("..");
    let message = format!("{}: a pin needs a name", path.display());
    changes_nothing(&bpffs, &["pin", "maps", arg(&path)], 1, &message, "");
    changes_nothing(&bpffs, &["pin", "maps", "/"], 1, "/: a pin needs a name", "");
}

fn pin_in_a_missing_directory_is_refused() {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("missing/pin");
    let message = format!("{}: No such file or directory (os error 2)", path.display());
    changes_nothing(&bpffs, &["pin", "maps", arg(&path)], 1, &message, "");
}

fn pin_of_what_can_t_be_attached_is_refused() {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("pin");
    let path = arg(&path);
    changes_nothing(&bpffs, &["pin", "map", path], 2, "program map: no such text program", "mean maps");
    let message = "program maps: the objects it walks have no command name to filter by";
    changes_nothing(&bpffs, &["pin", "maps", path, "comm"], 2, message, "");
    let said = crate::support::failure(&mut Loader::new().kwalk(["pin", "maps", path, "--pid", "1"]), 2);
    assert!(said.contains("bpf_map"), "{said}");
    assert!(!Path::new(path).exists());
    let pid = dead();
    let message = format!("process {pid}: no process with this id");
    changes_nothing(&bpffs, &["pin", "stacks", path, "--pid", &pid.to_string()], 1, &message, "");
}

/// The number of a process that is gone.
fn dead() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

// unpin

fn unpin_leaves_what_is_no_iterator() {
    let (bpffs, name) = (Bpffs::mount(), unique("other"));
    let (map, program) = (small_map(&name), load("maps", &name));
    for (kind, fd) in [("map", map.as_fd()), ("program", program.fd().as_fd())] {
        let path = bpffs.path(kind);
        pin_object(fd, &path);
        let message = format!("{}: what is pinned there is no iterator", path.display());
        changes_nothing(&bpffs, &["unpin", arg(&path)], 1, &message, "");
    }
}

fn unpin_refuses_other_paths() {
    let (bpffs, outside) = (Bpffs::mount(), dir());
    let file = outside.path().join("file");
    fs::write(&file, "").unwrap();
    let message = format!("{}: it is not in a bpffs", file.display());
    changes_nothing(&bpffs, &["unpin", arg(&file)], 1, &message, "choose a path below a bpffs");
    assert!(file.exists());
    let directory = bpffs.path("directory");
    fs::create_dir(&directory).unwrap();
    let message = format!("{}: it is a directory", directory.display());
    changes_nothing(&bpffs, &["unpin", arg(&directory)], 1, &message, "rm -r");
    let missing = bpffs.path("missing");
    let message = format!("{}: No such file or directory (os error 2)", missing.display());
    changes_nothing(&bpffs, &["unpin", arg(&missing)], 1, &message, "");
}

fn cat_of_what_is_no_iterator_is_refused() {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("map");
    pin_object(small_map(&unique("cat")), &path);
    let message = format!("{}: what is pinned there is no iterator", path.display());
    refused(&mut crate::support::kwalk(["cat", arg(&path)]), 1, &message, "");
    let dir = bpffs.path("dir");
    fs::create_dir(&dir).unwrap();
    let message = format!("{}: what is pinned there is no iterator", dir.display());
    refused(&mut crate::support::kwalk(["cat", arg(&dir)]), 1, &message, "");
}

/// bpffs answers EPERM for names with a dot, there or not.
fn what_is_not_there_is_said_so() {
    let bpffs = Bpffs::mount();
    for name in ["maps", "maps.debg"] {
        let path = bpffs.path(name);
        let message = format!("{}: No such file or directory (os error 2)", path.display());
        refused(&mut crate::support::kwalk(["cat", arg(&path)]), 1, &message, "");
        refused(&mut crate::support::kwalk(["unpin", arg(&path)]), 1, &message, "");
        refused(&mut crate::support::kwalk(["pin", "maps", arg(&path), "--replace"]), 1, &message, "");
    }
}

fn unpin_goes_on_after_a_failure() {
    let bpffs = Bpffs::mount();
    let (missing, pinned) = (bpffs.path("missing"), bpffs.path("pinned"));
    assert_eq!(stdout(&mut crate::support::kwalk(["pin", "maps", arg(&pinned)])), "");
    let message = format!("{}: No such file or directory (os error 2)", missing.display());
    refused(&mut crate::support::kwalk(["unpin", arg(&missing), arg(&pinned)]), 1, &message, "");
    assert!(!bpffs.names().contains(&"pinned".into()));
}

// The library's own

fn all_are_pinned_or_none() {
    let (bpffs, name) = (Bpffs::mount(), unique("all"));
    let before = bpffs.names();
    let dir = bpffs.path("dir");
    let links = [attach("maps", &name), attach("progs", &name)];
    for second in ["in/another", "", "first"] {
        let pins = [("first", &links[0]), (second, &links[1])];
        pin_all(&PinPath::new(&dir).unwrap(), &pins).expect_err(second);
        assert_eq!(bpffs.names(), before, "{second:?}");
    }
    // Nothing but these descriptors holds them.
    assert_eq!(alive(&name), 2);
    drop(links);
    eventually("the links are gone", || alive(&name) == 0);
}

fn a_failed_pinning_removes_its_own_alone() {
    let (bpffs, name) = (Bpffs::mount(), unique("alone"));
    let other = bpffs.path("other");
    pin("maps", &name, &other);
    let link = attach("maps", &name);
    let (dir, absolute) = (PinPath::new(&bpffs.path("dir")).unwrap(), arg(&other));
    for second in ["../other", absolute] {
        pin_all(&dir, &[("first", &link), (second, &link)]).expect_err(second);
        assert!(other.exists(), "{second}");
    }
    // A directory that is there already is somebody else's.
    let existing = bpffs.path("existing");
    let place = PinPath::new(&existing).unwrap();
    fs::create_dir(&existing).unwrap();
    pin("maps", &name, &existing.join("first"));
    pin_all(&place, &[("first", &link)]).expect_err("the directory exists");
    assert_eq!(names(&existing), ["first"]);
}

fn nobody_sees_half_of_the_pins() {
    const ROUNDS: usize = 100;
    let (bpffs, name) = (Bpffs::mount(), unique("half"));
    let link = attach("maps", &name);
    let pins = ["a", "b", "c", "d"];
    let dirs: Vec<_> = (0..ROUNDS).map(|nth| bpffs.path(&format!("dir{nth}"))).collect();
    let (round, whole) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            // For this thread alone: nobody, who has no way around a directory's mode.
            setfsuid(Uid::from_raw(65534));
            loop {
                let nth = round.load(SeqCst);
                let Some(dir) = dirs.get(nth) else { return };
                match fs::read_dir(dir) {
                    Ok(entries) => {
                        assert_eq!(entries.count(), pins.len(), "round {nth}");
                        whole.store(nth + 1, SeqCst);
                    }
                    Err(error) => {
                        assert!(matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES)), "{error}");
                    }
                }
            }
        });
        for (nth, dir) in dirs.iter().enumerate() {
            pin_all(&PinPath::new(dir).unwrap(), &pins.map(|pin| (pin, &link))).unwrap();
            while whole.load(SeqCst) <= nth && !watcher.is_finished() {
                std::thread::yield_now();
            }
            round.store(nth + 1, SeqCst);
        }
    });
}
