//! Pins: what is pinned reads as `cat` prints it and outlives its process; what is refused leaves nothing behind; what
//! is replaced is replaced without a gap, all of it or nothing.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use kwalk::btf::Btf;
use kwalk::progs::Target;
use kwalk::sys::{
    LinkFd, MapCreate, MapFd, MapType, ObjName, ObjPin, ProgFd, bpf, ids, open_id, raise_memlock,
};
use kwalk::text::Options;
use kwalk::{Error, KernelBtf, Link, Loaded, Parameters, PinPath, pin_all, replace_all, text};
use nix::unistd::{Uid, setfsuid};
use support::{Bpffs, Need, dir, eventually, kernel_version, refused, stdout, test, unique};

const ROOT: &[Need] = &[Need::Bpf, Need::Root];
const LOADER: &[Need] = &[Need::Bpf, Need::Root, Need::Tool("setpriv")];
const MOUNT: &[Need] = &[Need::Bpf, Need::Root, Need::Tool("unshare")];

const PRELOADED: [&str; 2] = ["maps.debug", "progs.debug"];

fn main() -> std::process::ExitCode {
    support::main(vec![
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
        test("preload_pins_what_cat_prints", LOADER, preload_pins_what_cat_prints),
        test("preload_into_what_is_there_is_refused", LOADER, preload_into_what_is_there_is_refused),
        test("preload_elsewhere_is_refused", LOADER, preload_elsewhere_is_refused),
        test("preload_replaces_in_place", LOADER, preload_replaces_in_place),
        test("preload_replaces_what_is_not_there", LOADER, preload_replaces_what_is_not_there),
        test("preload_replaces_both_or_none", LOADER, preload_replaces_both_or_none),
        test("preload_mounts_on_demand", MOUNT, preload_mounts_on_demand),
        test("preload_unmounts_what_it_mounted", MOUNT, preload_unmounts_what_it_mounted),
        test("without_bpffs_the_hint_is_to_mount_it", MOUNT, without_bpffs_the_hint_is_to_mount_it),
        test("all_are_pinned_or_none", ROOT, all_are_pinned_or_none),
        test("a_failed_pinning_removes_its_own_alone", ROOT, a_failed_pinning_removes_its_own_alone),
        test("nobody_sees_half_of_the_pins", ROOT, nobody_sees_half_of_the_pins),
        test("a_replacement_keeps_the_link", LOADER, a_replacement_keeps_the_link),
        test("a_replacement_for_another_target_is_refused", LOADER, another_target_is_refused),
        test("a_replacement_needs_an_iterator", LOADER, a_replacement_needs_an_iterator),
        test("all_are_replaced_or_none", ROOT, all_are_replaced_or_none),
        test("what_was_replaced_is_put_back", ROOT, what_was_replaced_is_put_back),
        test("a_reader_outlives_a_replacement", LOADER, a_reader_outlives_a_replacement),
        test("replacements_leave_no_gap", ROOT, replacements_leave_no_gap),
    ])
}

// What the tests make and look at

/// A user id under which nobody else loads programs, with the capabilities that it takes: by it they are told from
/// those that other processes load at the same time.
struct Loader(u32);

impl Loader {
    fn new() -> Loader {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Kernels before 5.11 charge maps to a limit that this user can't raise, and inherits.
        let _ = raise_memlock();
        Loader(1_000_000_000 + std::process::id() % 10_000_000 * 100 + NEXT.fetch_add(1, SeqCst))
    }

    fn kwalk<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        const CAPS: &str = "+bpf,+perfmon,+sys_admin,+dac_override";
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", self.0)).args(["--regid=65534", "--clear-groups"]);
        command.arg(format!("--inh-caps={CAPS}")).arg(format!("--ambient-caps={CAPS}"));
        command.arg(env!("CARGO_BIN_EXE_kwalk")).args(args);
        command
    }

    /// The ids of the programs that it has loaded and that still live.
    fn programs(&self) -> BTreeSet<u32> {
        let mine = |id: &u32| match open_id::<ProgFd>(*id) {
            Ok(program) => program.info().unwrap().created_by_uid == self.0,
            Err(error) => gone(&error),
        };
        ids::<ProgFd>().map(Result::unwrap).filter(mine).collect()
    }

    /// The ids of the links that hold them.
    fn links(&self) -> BTreeSet<u32> {
        let programs = self.programs();
        let mine = |id: &u32| match open_id::<LinkFd>(*id) {
            Ok(link) => programs.contains(&link.info().unwrap().prog_id),
            Err(error) => gone(&error),
        };
        ids::<LinkFd>().map(Result::unwrap).filter(mine).collect()
    }

    #[track_caller]
    fn eventually_owns(&self, links: usize, programs: usize) {
        eventually(&format!("{links} links and {programs} programs live"), || {
            self.links().len() == links && self.programs().len() == programs
        });
    }
}

/// An object that went while its id was on the way is not there; any other refusal is the test's failure.
#[track_caller]
fn gone(error: &kwalk::sys::Error) -> bool {
    assert_eq!(error.errno(), libc::ENOENT, "{error}");
    false
}

fn map(name: &str) -> MapFd {
    bpf(MapCreate { name: ObjName::new(name), ..MapCreate::new(MapType::ARRAY, 4, 4, 1) }).unwrap()
}

/// Loads the text program `program` under a name of the test's own.
fn load(program: &str, name: &str) -> Loaded {
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    let mut program = text::by_name(program).unwrap().write(&btf, &Options::default()).unwrap();
    program.name = String::from(name).leak();
    Loaded::load(&program).unwrap()
}

fn attach(program: &str, name: &str) -> Link {
    load(program, name).attach(&Parameters::None).unwrap()
}

fn pin(program: &str, name: &str, path: &Path) {
    attach(program, name).pin(&PinPath::new(path).unwrap()).unwrap();
}

/// The ids of the link that is pinned at `path`, and of its program.
fn state(path: &Path) -> (u32, u32) {
    let info = Link::open(path).unwrap().info().unwrap();
    (info.id, info.prog_id)
}

/// How many programs of this name live.
fn alive(name: &str) -> usize {
    let named = |id: &u32| match open_id::<ProgFd>(*id) {
        Ok(program) => program.info().unwrap().name.as_str() == name,
        Err(error) => gone(&error),
    };
    ids::<ProgFd>().map(Result::unwrap).filter(named).count()
}

/// The rows of `text` whose second column, the name, is `name`.
fn rows<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.split_whitespace().nth(1) == Some(name)).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

// pin

fn a_pin_reads_as_cat_prints() {
    let (bpffs, loader, name) = (Bpffs::mount(), Loader::new(), unique("same"));
    let path = bpffs.path("pin");
    let _maps = [map(&name), map(&name)];
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
    let sleepers = [support::Sleeper::named(&comm), support::Sleeper::named(&comm)];
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

/// `kwalk {args}` is refused, and changes nothing in the bpffs nor in the kernel.
#[track_caller]
fn changes_nothing(bpffs: &Bpffs, args: &[&str], status: i32, message: &str, hint: &str) {
    let (before, loader) = (bpffs.names(), Loader::new());
    refused(&mut loader.kwalk(args), status, message, hint);
    assert_eq!(bpffs.names(), before);
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
    let said = support::failure(&mut Loader::new().kwalk(["pin", "maps", path, "--pid", "1"]), 2);
    assert!(said.contains("bpf_map"), "{said}");
    assert!(!Path::new(path).exists());
    let pid = dead();
    let message = format!("process {pid}: there is none of this number");
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
    let (map, program) = (map(&name), load("maps", &name));
    for (kind, fd) in [("map", map.as_fd()), ("program", program.fd().as_fd())] {
        let path = bpffs.path(kind);
        bpf(ObjPin { fd, path: &c_string(&path) }).unwrap();
        let message = format!("{}: what is pinned there is no iterator", path.display());
        changes_nothing(&bpffs, &["unpin", arg(&path)], 1, &message, "");
    }
}

fn c_string(path: &Path) -> std::ffi::CString {
    std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap()
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
    bpf(ObjPin { fd: map(&unique("cat")).as_fd(), path: &c_string(&path) }).unwrap();
    let message = format!("{}: what is pinned there is no iterator", path.display());
    refused(&mut support::kwalk(["cat", arg(&path)]), 1, &message, "");
    let dir = bpffs.path("dir");
    fs::create_dir(&dir).unwrap();
    let message = format!("{}: what is pinned there is no iterator", dir.display());
    refused(&mut support::kwalk(["cat", arg(&dir)]), 1, &message, "");
}

/// bpffs answers EPERM for names with a dot, there or not.
fn what_is_not_there_is_said_so() {
    let bpffs = Bpffs::mount();
    for name in ["maps", "maps.debg"] {
        let path = bpffs.path(name);
        let message = format!("{}: No such file or directory (os error 2)", path.display());
        refused(&mut support::kwalk(["cat", arg(&path)]), 1, &message, "");
        refused(&mut support::kwalk(["unpin", arg(&path)]), 1, &message, "");
        refused(&mut support::kwalk(["pin", "maps", arg(&path), "--replace"]), 1, &message, "");
    }
}

fn unpin_goes_on_after_a_failure() {
    let bpffs = Bpffs::mount();
    let (missing, pinned) = (bpffs.path("missing"), bpffs.path("pinned"));
    assert_eq!(stdout(&mut support::kwalk(["pin", "maps", arg(&pinned)])), "");
    let message = format!("{}: No such file or directory (os error 2)", missing.display());
    refused(&mut support::kwalk(["unpin", arg(&missing), arg(&pinned)]), 1, &message, "");
    assert!(!bpffs.names().contains(&"pinned".into()));
}

// preload

fn preload_pins_what_cat_prints() {
    let (bpffs, loader, name) = (Bpffs::mount(), Loader::new(), unique("preload"));
    let _maps = [map(&name), map(&name)];
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

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
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

// --replace

fn a_replacement_keeps_the_link() {
    let (bpffs, loader, comm) = (Bpffs::mount(), Loader::new(), unique("replace"));
    let _sleeper = support::Sleeper::named(&comm);
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
    bpf(ObjPin { fd: map(&unique("needs")).as_fd(), path: &c_string(&map_path) }).unwrap();
    fs::create_dir(&directory).unwrap();
    let before = bpffs.names();
    for path in [bpffs.path("missing"), map_path, directory, outside.path().join("missing")] {
        let said = support::failure(&mut loader.kwalk(["pin", "--replace", "maps", arg(&path)]), 1);
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
    let kernel = KernelBtf::open().unwrap();
    let mut program = text::by_name("maps")
        .unwrap()
        .write(&Btf::new(kernel.bytes()).unwrap(), &Options::default())
        .unwrap();
    program.target = Target::by_name("bpf_prog").unwrap();
    let liar = Loaded::load(&program).unwrap();
    let error = replace_all(&[(&maps, &new), (&progs, &liar)]).unwrap_err();
    assert!(matches!(&error, Error::Sys(error) if error.errno() == libc::EINVAL), "{error}");
    assert_eq!([state(&maps), state(&progs)], before);
    let _map = map(&name);
    assert_eq!(rows(&read(&maps), &name).len(), 1);
}

fn a_reader_outlives_a_replacement() {
    // More rows than the kernel's buffer of 32 KiB holds: the walk is under way when the program is replaced.
    const MAPS: usize = 1500;
    let (bpffs, loader, name) = (Bpffs::mount(), Loader::new(), unique("reader"));
    // Pinned: a process can't have so many open.
    let held = Bpffs::mount();
    let maps = (0..MAPS).map(|nth| {
        let (map, path) = (map(&name), c_string(&held.path(&format!("map{nth}"))));
        bpf(ObjPin { fd: map.as_fd(), path: &path }).unwrap();
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
    let _map = map(&name);
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
