//! Preloads and replacements: what is replaced is replaced without a gap, all of it or nothing; what is refused leaves
//! nothing behind.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use kwalk::progs::targets;
use kwalk::text::Options;
use kwalk::{Error, Loaded, PinPath, pin_all, replace_all};

use crate::support::objects::{pin_object, pretend, small_map, text_program};
use crate::support::pins::*;
use crate::support::{Bpffs, Need, Test, dir, eventually, names, refused, stdout, test, unique};

const ROOT: &[Need] = &[Need::Bpf, Need::Root];
const LOADER: &[Need] = &[Need::Bpf, Need::Root, Need::Tool("setpriv")];
const MOUNT: &[Need] = &[Need::Bpf, Need::Root, Need::Tool("unshare")];

const PRELOADED: [&str; 2] = ["maps.debug", "progs.debug"];

pub fn tests() -> Vec<Test> {
    vec![
        test("preload_pins_what_cat_prints", LOADER, preload_pins_what_cat_prints),
        test("preload_into_what_is_there_is_refused", LOADER, preload_into_what_is_there_is_refused),
        test("preload_elsewhere_is_refused", LOADER, preload_elsewhere_is_refused),
        test("preload_replaces_in_place", LOADER, preload_replaces_in_place),
        test("preload_replaces_what_is_not_there", LOADER, preload_replaces_what_is_not_there),
        test("preload_replaces_both_or_none", LOADER, preload_replaces_both_or_none),
        test("preload_mounts_on_demand", MOUNT, preload_mounts_on_demand),
        test("preload_unmounts_what_it_mounted", MOUNT, preload_unmounts_what_it_mounted),
        test("without_bpffs_the_hint_is_to_mount_it", MOUNT, without_bpffs_the_hint_is_to_mount_it),
        test("a_replacement_keeps_the_link", LOADER, a_replacement_keeps_the_link),
        test("a_replacement_for_another_target_is_refused", LOADER, another_target_is_refused),
        test("a_replacement_needs_an_iterator", LOADER, a_replacement_needs_an_iterator),
        test("all_are_replaced_or_none", ROOT, all_are_replaced_or_none),
        test("what_was_replaced_is_put_back", ROOT, what_was_replaced_is_put_back),
        test("a_reader_outlives_a_replacement", LOADER, a_reader_outlives_a_replacement),
        test("replacements_leave_no_gap", ROOT, replacements_leave_no_gap),
    ]
}

// preload

fn preload_pins_what_cat_prints() {
    let (bpffs, loader, name) = (Bpffs::mount(), Loader::new(), unique("preload"));
    let _maps = [small_map(&name), small_map(&name)];
    let _program = load("maps", &name);
    let dir = bpffs.path("kwalk");
    assert_eq!(stdout(&mut loader.kwalk(["preload", "--dir", arg(&dir)])), "");
    assert_eq!(bpffs.names(), ["kwalk"]);
    assert_eq!(names(&dir), PRELOADED);
    assert_eq!(mode(&dir), 0o755);
    for (pin, program, own) in [("maps.debug", "maps", 2), ("progs.debug", "progs", 1)] {
        let path = dir.join(pin);
        assert_eq!(mode(&path), 0o400);
        let (pinned, printed) = (read(&path), stdout(&mut loader.kwalk(["cat", program])));
        assert_eq!(rows(&pinned, &name).len(), own, "{pinned}");
        assert_eq!(rows(&pinned, &name), rows(&printed, &name));
        assert_eq!(pinned.lines().next(), printed.lines().next());
    }
    loader.eventually_owns(2, 2);
}

fn preload_into_what_is_there_is_refused() {
    let (bpffs, name) = (Bpffs::mount(), unique("there"));
    let (dir, pinned) = (bpffs.path("kwalk"), bpffs.path("pin"));
    fs::create_dir(&dir).unwrap();
    pin("maps", &name, &pinned);
    for path in [&dir, &pinned] {
        let message = format!("{}: it exists already", path.display());
        changes_nothing(&bpffs, &["preload", "--dir", arg(path)], 1, &message, "--replace");
    }
    assert_eq!(names(&dir), [""; 0]);
}

fn preload_elsewhere_is_refused() {
    let (bpffs, outside) = (Bpffs::mount(), dir());
    let path = outside.path().join("kwalk");
    for flags in [&[][..], &["--replace"]] {
        let args = [&["preload", "--dir", arg(&path)], flags].concat();
        let message = format!("{}: it is not in a bpffs", path.display());
        changes_nothing(&bpffs, &args, 1, &message, "mount -t bpf bpf /sys/fs/bpf");
        assert!(!path.exists());
    }
    let path = bpffs.path("missing/kwalk");
    let message = format!("{}: No such file or directory (os error 2)", path.display());
    changes_nothing(&bpffs, &["preload", "--dir", arg(&path)], 1, &message, "");
}

fn preload_replaces_in_place() {
    let (bpffs, loader) = (Bpffs::mount(), Loader::new());
    let dir = bpffs.path("kwalk");
    let state = || PRELOADED.map(|pin| state(&dir.join(pin)));
    stdout(&mut loader.kwalk(["preload", "--dir", arg(&dir)]));
    let before = state();
    assert_eq!(stdout(&mut loader.kwalk(["preload", "--replace", "--dir", arg(&dir)])), "");
    for ((link, program), (old_link, old_program)) in state().into_iter().zip(before) {
        assert_eq!(link, old_link);
        assert_ne!(program, old_program);
    }
    assert_eq!(names(&dir), PRELOADED);
    assert_eq!(PRELOADED.map(|pin| mode(&dir.join(pin))), [0o400; 2]);
    loader.eventually_owns(2, 2);
}

fn preload_replaces_what_is_not_there() {
    let (bpffs, loader) = (Bpffs::mount(), Loader::new());
    let dir = bpffs.path("kwalk");
    assert_eq!(stdout(&mut loader.kwalk(["preload", "--replace", "--dir", arg(&dir)])), "");
    assert_eq!(names(&dir), PRELOADED);
    loader.eventually_owns(2, 2);
}

fn preload_replaces_both_or_none() {
    let (bpffs, name) = (Bpffs::mount(), unique("both"));
    let dir = bpffs.path("kwalk");
    let link = attach("maps", &name);
    pin_all(&PinPath::new(&dir).unwrap(), &PRELOADED.map(|pin| (pin, &link))).unwrap();
    let before = state(&dir.join("maps.debug"));
    let message =
        format!("{}/progs.debug: the iterator pinned there walks bpf_map, not bpf_prog", dir.display());
    changes_nothing(&bpffs, &["preload", "--replace", "--dir", arg(&dir)], 1, &message, "");
    assert_eq!(state(&dir.join("maps.debug")), before);
}

/// Runs a script, in a namespace of its own where no bpffs is mounted at `/sys/fs/bpf`, with the command as `$0`.
fn unmounted(script: &str) -> Command {
    let script = format!("while umount /sys/fs/bpf 2>/dev/null; do :; done; {script}");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, env!("CARGO_BIN_EXE_kwalk")]);
    command
}

/// Prints how many bpffs are mounted at `/sys/fs/bpf`.
const COUNT: &str = "grep -c ' /sys/fs/bpf bpf ' /proc/self/mounts";

fn preload_mounts_on_demand() {
    let script = format!("\"$0\" preload --mount && ls /sys/fs/bpf/kwalk && {COUNT}");
    assert_eq!(stdout(&mut unmounted(&script)), "maps.debug\nprogs.debug\n1\n");
    // What is mounted already is used.
    let script = format!("mount -t bpf bpf /sys/fs/bpf && \"$0\" preload --mount && {COUNT}");
    assert_eq!(stdout(&mut unmounted(&script)), "1\n");
}

fn preload_unmounts_what_it_mounted() {
    let outside = dir();
    let path = outside.path().join("kwalk");
    let failing = format!("\"$0\" preload --mount --dir {} 2>/dev/null; echo $?; {COUNT}", arg(&path));
    let output = unmounted(&failing).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n0\n");
    // What somebody else has mounted stays.
    let output = unmounted(&format!("mount -t bpf bpf /sys/fs/bpf; {failing}")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n1\n");
}

fn without_bpffs_the_hint_is_to_mount_it() {
    for (args, path) in [("pin maps /sys/fs/bpf/pin", "/sys/fs/bpf/pin"), ("preload", "/sys/fs/bpf/kwalk")] {
        let message = format!("{path}: it is not in a bpffs");
        refused(&mut unmounted(&format!("\"$0\" {args}")), 1, &message, "mount -t bpf bpf /sys/fs/bpf");
    }
}

// --replace

fn a_replacement_keeps_the_link() {
    let (bpffs, loader, comm) = (Bpffs::mount(), Loader::new(), unique("replace"));
    let _sleeper = crate::support::Sleeper::named(&comm);
    let path = bpffs.path("pin");
    stdout(&mut loader.kwalk(["pin", "stacks", arg(&path), "no such name"]));
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    let ((link, program), empty) = (state(&path), read(&path));
    assert_eq!(empty, "");
    assert_eq!(stdout(&mut loader.kwalk(["pin", "--replace", "stacks", arg(&path), &comm])), "");
    let (new_link, new_program) = state(&path);
    assert_eq!(new_link, link);
    assert_ne!(new_program, program);
    assert_eq!(mode(&path), 0o444);
    assert!(read(&path).contains(&format!("=== Task: {comm} (pid=")));
    loader.eventually_owns(1, 1);
}

fn another_target_is_refused() {
    let (bpffs, name) = (Bpffs::mount(), unique("target"));
    let path = bpffs.path("pin");
    pin("maps", &name, &path);
    let before = state(&path);
    let message = format!("{}: the iterator pinned there walks bpf_map, not bpf_prog", path.display());
    changes_nothing(&bpffs, &["pin", "--replace", "progs", arg(&path)], 1, &message, "");
    assert_eq!(state(&path), before);
}

/// Whatever is wrong with the place, it is named.
fn a_replacement_needs_an_iterator() {
    let (bpffs, outside, loader) = (Bpffs::mount(), dir(), Loader::new());
    let (map_path, directory) = (bpffs.path("map"), bpffs.path("directory"));
    pin_object(small_map(&unique("needs")), &map_path);
    fs::create_dir(&directory).unwrap();
    let before = bpffs.names();
    for path in [bpffs.path("missing"), map_path, directory, outside.path().join("missing")] {
        let said = crate::support::failure(&mut loader.kwalk(["pin", "--replace", "maps", arg(&path)]), 1);
        assert!(said.starts_with(&format!("kwalk: {}: ", path.display())), "{said}");
    }
    assert_eq!(bpffs.names(), before);
    loader.eventually_owns(0, 0);
}

fn all_are_replaced_or_none() {
    let (bpffs, name) = (Bpffs::mount(), unique("none"));
    let (maps, progs) = (bpffs.path("maps"), bpffs.path("progs"));
    pin("maps", &name, &maps);
    pin("progs", &name, &progs);
    let before = [state(&maps), state(&progs)];
    let (new_maps, new_progs) = (load("maps", &name), load("progs", &name));
    let error = replace_all(&[(&maps, &new_maps), (&progs, &new_maps)]).unwrap_err();
    assert!(matches!(&error, Error::OtherTarget { path, .. } if *path == progs), "{error}");
    replace_all(&[(&maps, &new_maps), (&bpffs.path("missing"), &new_progs)]).expect_err("nothing is there");
    assert_eq!([state(&maps), state(&progs)], before);
    replace_all(&[(&maps, &new_maps), (&progs, &new_progs)]).unwrap();
    let programs = [new_maps.fd().info().unwrap().id, new_progs.fd().info().unwrap().id];
    assert_eq!([state(&maps), state(&progs)], [(before[0].0, programs[0]), (before[1].0, programs[1])]);
}

/// The kernel refuses the second after the first is done: a program that says it is for another target than it is.
fn what_was_replaced_is_put_back() {
    let (bpffs, name) = (Bpffs::mount(), unique("back"));
    let (maps, progs) = (bpffs.path("maps"), bpffs.path("progs"));
    pin("maps", &name, &maps);
    pin("progs", &name, &progs);
    let before = [state(&maps), state(&progs)];
    let new = load("maps", &name);
    let mut program = text_program("maps", &Options::default());
    pretend(&mut program, targets::bpf_prog::TARGET);
    let liar = Loaded::load(&program).unwrap();
    let error = replace_all(&[(&maps, &new), (&progs, &liar)]).unwrap_err();
    assert!(matches!(&error, Error::Sys(error) if error.errno() == libc::EINVAL), "{error}");
    assert_eq!([state(&maps), state(&progs)], before);
    let _map = small_map(&name);
    assert_eq!(rows(&read(&maps), &name).len(), 1);
}

fn a_reader_outlives_a_replacement() {
    // More rows than the kernel's buffer of 32 KiB holds: the walk is under way when the program is replaced.
    const MAPS: usize = 1500;
    let (bpffs, loader, name) = (Bpffs::mount(), Loader::new(), unique("reader"));
    // Pinned: a process can't have so many open.
    let held = Bpffs::mount();
    let maps = (0..MAPS).map(|nth| {
        let map = small_map(&name);
        pin_object(&map, &held.path(&format!("map{nth}")));
        map.info().unwrap().id
    });
    let maps: BTreeSet<_> = maps.collect();
    let path = bpffs.path("pin");
    stdout(&mut loader.kwalk(["pin", "maps", arg(&path)]));
    let old = state(&path).1;
    let mut reader = File::open(&path).unwrap();
    let mut text = vec![0; 100];
    reader.read_exact(&mut text).unwrap();
    stdout(&mut loader.kwalk(["pin", "--replace", "maps", arg(&path)]));
    let new = state(&path).1;
    assert_eq!(loader.programs(), [old, new].into());
    reader.read_to_end(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.len() > 32 << 10);
    let shown: BTreeSet<_> = rows(&text, &name).into_iter().map(id).collect();
    assert_eq!(rows(&text, &name).len(), MAPS);
    assert_eq!(shown, maps);
    assert_eq!(text.matches("max_entries").count(), 1);
    drop(reader);
    eventually("the old program is gone", || loader.programs() == [new].into());
}

fn id(row: &str) -> u32 {
    row.split_whitespace().next().unwrap().parse().unwrap()
}

fn replacements_leave_no_gap() {
    const REPLACEMENTS: usize = 50;
    let (bpffs, name) = (Bpffs::mount(), unique("gap"));
    let path = bpffs.path("pin");
    let _map = small_map(&name);
    pin("maps", &name, &path);
    let (reads, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(SeqCst) {
                let text = fs::read_to_string(&path).expect("the pin is there, and can be read");
                assert_eq!(rows(&text, &name).len(), 1, "{text}");
                assert_eq!(text.matches("max_entries").count(), 1, "{text}");
                reads.fetch_add(1, SeqCst);
            }
        });
        let programs = [load("maps", &name), load("maps", &name)];
        for (replacements, program) in programs.iter().cycle().enumerate() {
            replace_all(&[(&path, program)]).unwrap();
            if replacements >= REPLACEMENTS && reads.load(SeqCst) >= REPLACEMENTS || reader.is_finished() {
                break;
            }
        }
        done.store(true, SeqCst);
    });
    eventually("the replaced programs are gone", || alive(&name) == 1);
}
