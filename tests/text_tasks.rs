//! What the text programs print of tasks and their files is what /proc says, and what the test itself made.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;

use kwalk::text::{self, Only, Options};
use kwalk::{Loaded, Scope};

use crate::support::Need::{Bpf, Root};
use crate::support::helper::{HIGH_FD, Helper, fds, numbers};
use crate::support::{Need, Sleeper, Test, dir, kernel_version, kwalk, refused, running, test, unique};

/// Other processes' stacks and files are root's to see.
const PROC: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("stacks_shows_exactly_the_sleepers", PROC, stacks_shows_exactly_the_sleepers),
        test("stacks_tells_alike_names_apart", PROC, stacks_tells_alike_names_apart),
        test("stacks_shows_every_thread", PROC, stacks_shows_every_thread),
        test("stacks_of_one_process_or_thread", PROC, stacks_of_one_process_or_thread),
        test("files_shows_what_a_sleeper_inherits", PROC, files_shows_what_a_sleeper_inherits),
        test("files_shows_all_kinds_of_file", PROC, files_shows_all_kinds_of_file),
        test("files_of_one_process_or_thread", PROC, files_of_one_process_or_thread),
        test("a_program_looks_for_a_process_itself", PROC, a_program_looks_for_a_process_itself),
        test("task_file_shows_the_same_files", PROC, task_file_shows_the_same_files),
        test("no_match_prints_nothing", &[Bpf], no_match_prints_nothing),
        test("a_name_is_compared_to_its_end_alone", PROC, a_name_is_compared_to_its_end_alone),
        test("a_hostile_name_is_passed_on", PROC, a_hostile_name_is_passed_on),
        test("a_line_feed_in_a_name_makes_no_row", PROC, a_line_feed_in_a_name_makes_no_row),
    ]
}

/// What a look at /proc and a walk give, once the look is the same before and after the walk.
#[track_caller]
fn settled<T: PartialEq, U>(look: impl Fn() -> T, walk: impl Fn() -> U) -> (T, U) {
    for _ in 0..200 {
        let (before, walked) = (look(), walk());
        if look() == before {
            return (before, walked);
        }
    }
    panic!("never the same before and after a walk");
}

// stacks

/// One task of /proc: its thread and process number, its command name and kernel stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    tid: u32,
    tgid: u32,
    comm: Vec<u8>,
    stack: Vec<String>,
}

impl Task {
    /// Nothing where it has gone, or is about to.
    fn look(tgid: u32, tid: u32) -> Option<Task> {
        let dir = format!("/proc/{tgid}/task/{tid}");
        let mut comm = fs::read(format!("{dir}/comm")).ok()?;
        (comm.pop() == Some(b'\n')).then_some(())?;
        let stack = fs::read_to_string(format!("{dir}/stack")).ok()?;
        let frames = stack.lines().map(|line| line.strip_prefix("[<0>] ").expect("a frame").into());
        Some(Task { tid, tgid, comm, stack: frames.collect() })
    }

    /// How `stacks` shows it.
    fn block(&self) -> String {
        let Task { tid, tgid, comm, stack } = self;
        let (comm, depth) = (escape(comm), stack.len());
        let mut block =
            format!("=== Task: {comm} (pid={tid}, tgid={tgid}) ===\nStack depth: {depth} frames\n");
        for (nth, frame) in stack.iter().enumerate() {
            writeln!(block, "  [{nth:2}] {frame}").unwrap();
        }
        block + "\n"
    }
}

/// All of them, or those of one command name, in the order of their numbers.
fn tasks(comm: Option<&[u8]>) -> Vec<Task> {
    let mut tasks: Vec<_> = numbers("/proc")
        .into_iter()
        .flat_map(|tgid| numbers(&format!("/proc/{tgid}/task")).into_iter().map(move |tid| (tgid, tid)))
        .filter(|(tgid, tid)| {
            let is = fs::read(format!("/proc/{tgid}/task/{tid}/comm"));
            comm.is_none_or(|comm| is.is_ok_and(|is| is.strip_suffix(b"\n") == Some(comm)))
        })
        .filter_map(|(tgid, tid)| Task::look(tgid, tid))
        .collect();
    tasks.sort();
    tasks
}

/// What `stacks` prints of these tasks.
fn stacks_text(tasks: &[Task]) -> String {
    let blocks: String = tasks.iter().map(Task::block).collect();
    match tasks.len() {
        0 => blocks,
        shown => format!("{blocks}\n=== Summary: {shown} task stacks shown ===\n"),
    }
}

/// What `kwalk cat {args}` prints, which is the kernel's bytes, as [`escape`] writes them.
#[track_caller]
fn cat<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = kwalk(["cat"]).args(args).output().expect("the command starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let lines: Vec<_> = output.stdout.split(|byte| *byte == b'\n').map(escape).collect();
    lines.join("\n")
}

/// As names are written here: control characters and what is not UTF-8 as `\xNN`.
fn escape(comm: &[u8]) -> String {
    let mut text = String::new();
    for chunk in comm.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char.is_control() {
                true => {
                    char.encode_utf8(&mut [0; 4]).bytes().for_each(|b| write!(text, "\\x{b:02x}").unwrap())
                }
                false => text.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| write!(text, "\\x{byte:02x}").unwrap());
    }
    text
}

/// Checks `stacks COMM` against /proc, to the byte, and gives the processes that were shown.
#[track_caller]
fn check_stacks(comm: &str) -> BTreeSet<u32> {
    let (tasks, text) = settled(|| tasks(Some(comm.as_bytes())), || cat(["stacks", comm]));
    assert!(tasks.iter().all(|task| !task.stack.is_empty()), "{tasks:?}");
    assert_eq!(text, stacks_text(&tasks));
    tasks.iter().map(|task| task.tgid).collect()
}

fn stacks_shows_exactly_the_sleepers() {
    let comm = unique("stk");
    let sleepers = [(); 3].map(|()| Sleeper::named(&comm));
    assert_eq!(check_stacks(&comm), sleepers.iter().map(Sleeper::pid).collect());
}

fn stacks_tells_alike_names_apart() {
    // Numbers in base 36 leave room for 7 bytes, which fill a word together with the NUL.
    let digit = |place| char::from_digit(std::process::id() / 36u32.pow(place) % 36, 36).unwrap();
    let six: String = ['k'].into_iter().chain((0..5).map(digit)).collect();
    let rests = ["", "7", "78", "78a", "78b", "78_14_6", "78_14_71", "78_14_715", "78_14_716"];
    let names = [vec!["~".to_owned()], rests.map(|rest| format!("{six}{rest}")).to_vec()].concat();
    let lengths: Vec<_> = names.iter().map(String::len).collect();
    assert_eq!(lengths, [1, 6, 7, 8, 9, 9, 13, 14, 15, 15]);
    let sleepers: Vec<_> = names.iter().map(|name| Sleeper::named(name)).collect();
    for (name, sleeper) in names.iter().zip(&sleepers) {
        let shown = check_stacks(name);
        assert!(shown.contains(&sleeper.pid()), "{name}: {shown:?}");
        // A name of one byte is somebody else's too, for all we know.
        assert!(shown.len() == 1 || name.len() == 1, "{name}: {shown:?}");
    }
}

/// What `stacks` has printed, block by block, and that its summary counts the blocks.
#[track_caller]
fn blocks(text: &str) -> Vec<(Task, &str)> {
    let (mut rest, summary) = text.split_at(text.rfind("\n=== Summary: ").expect("a summary"));
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (block, next) = rest.split_at(rest.find("\n\n").expect("an empty line ends a block") + 2);
        let (head, tail) = block.split_once(") ===\nStack depth: ").expect("a head");
        let (comm, numbers) = head.rsplit_once(" (pid=").expect("a number");
        let (tid, tgid) = numbers.split_once(", tgid=").expect("a process's number");
        let (depth, frames) = tail.split_once(" frames\n").expect("a depth");
        let frames = frames.lines().filter_map(|line| line.get(7..));
        let comm = comm.strip_prefix("=== Task: ").expect("a name").as_bytes().to_vec();
        let stack: Vec<_> = frames.map(str::to_owned).collect();
        assert_eq!(depth, stack.len().to_string(), "{block}");
        blocks.push((Task { tid: tid.parse().unwrap(), tgid: tgid.parse().unwrap(), comm, stack }, block));
        rest = next;
    }
    assert_eq!(summary, format!("\n=== Summary: {} task stacks shown ===\n", blocks.len()));
    blocks
}

fn stacks_shows_every_thread() {
    let comm = unique("all");
    let helper = Helper::with_threads(&comm, 5);
    let (before, text, after) = (tasks(None), cat(["stacks"]), tasks(None));
    let shown = blocks(&text);
    let tids: Vec<_> = shown.iter().map(|(task, _)| task.tid).collect();
    assert!(tids.is_sorted() && tids.windows(2).all(|pair| pair[0] != pair[1]), "{tids:?}");

    let shown: BTreeMap<_, _> = shown.into_iter().map(|(task, block)| (task.tid, (task, block))).collect();
    let after: BTreeMap<_, _> = after.into_iter().map(|task| (task.tid, task)).collect();
    for task in &before {
        // Without a stack it has ended, or is in the act; and this may be a namespace whose first process is not its own.
        let Some(later) = after.get(&task.tid).filter(|later| later.tgid == task.tgid) else { continue };
        if task.stack.is_empty() || later.stack.is_empty() || (task.tgid == 1 && task.tid != 1) {
            continue;
        }
        let (seen, _) = shown.get(&task.tid).unwrap_or_else(|| panic!("{task:?} is not shown"));
        assert_eq!(seen.tgid, task.tgid);
        // What /proc tells of a kernel thread's name is longer than what the kernel keeps with the task.
        let kernel = fs::read(format!("/proc/{}/cmdline", task.tgid)).is_ok_and(|args| args.is_empty());
        let (name, known) = (String::from_utf8_lossy(&seen.comm), escape(&task.comm));
        assert!(
            name == known || task.comm != later.comm || (kernel && known.starts_with(&*name)),
            "{name}: {task:?}"
        );
    }
    let tids = helper.tids();
    assert_eq!(tids.len(), 6);
    for tid in tids {
        assert_eq!(shown[&tid].1, Task::look(helper.pid(), tid).unwrap().block());
    }
}

fn stacks_of_one_process_or_thread() {
    let (comm, other) = (unique("one"), unique("thr"));
    let helper = Helper::with_named_thread(&comm, &other);
    let _same_name = Sleeper::named(&comm);
    let pid = helper.pid();
    let [leader, thread] = helper.tids()[..] else { panic!("not two threads") };
    let tasks = [leader, thread].map(|tid| Task::look(pid, tid).unwrap());
    assert_eq!(tasks.each_ref().map(|task| &task.comm[..]), [comm.as_bytes(), other.as_bytes()]);

    let (pid, thread) = (&*pid.to_string(), &*thread.to_string());
    for (args, shown) in [
        (&["--pid", pid][..], &tasks[..]),
        (&["--tid", pid], &tasks[..1]),
        (&["--tid", thread], &tasks[1..]),
        (&[&comm, "--pid", pid], &tasks[..1]),
        (&[&other, "--pid", pid], &tasks[1..]),
        (&[&other, "--tid", thread], &tasks[1..]),
        (&[&other, "--tid", pid], &[]),
        (&[&other], &tasks[1..]),
    ] {
        assert_eq!(cat([&["stacks"][..], args].concat()), stacks_text(shown), "{args:?}");
    }
}

// files, task_file

/// An open file: of this process, seen in this thread, of this number.
type Open = (u32, u32, u32);

/// What processes of this name have open, as /proc shows it, in the order of their numbers.
fn open_files(comm: &str) -> Vec<Open> {
    let named = |pid: &u32| {
        let is = fs::read(format!("/proc/{pid}/comm"));
        is.is_ok_and(|is| is.strip_suffix(b"\n") == Some(comm.as_bytes()))
    };
    let pids = numbers("/proc").into_iter().filter(named);
    pids.flat_map(|pid| fds(pid).into_iter().map(move |fd| (pid, pid, fd))).collect()
}

/// Checks what `files` has printed, to the byte but for the addresses; it gives those, as the kernel prints numbers.
#[track_caller]
fn check_files(text: &str, comm: &[u8], open: &[Open]) -> Vec<String> {
    if open.is_empty() {
        assert_eq!(text, "");
        return Vec::new();
    }
    let mut rest =
        text.strip_prefix("COMM                 TGID      PID     FD FILE_OPS\n").expect("the header");
    // The name is padded as it is, and escaped after.
    let comm = escape(&[comm, &[b' '; 16][comm.len()..]].concat());
    let mut addresses = Vec::new();
    for (tgid, pid, fd) in open {
        let start = format!("{comm} {tgid:>8} {pid:>8} {fd:>6} 0x");
        let row;
        (row, rest) = rest.split_once('\n').expect("a row");
        addresses.push(address(row.strip_prefix(&start).unwrap_or_else(|| panic!("{row:?}, not {start:?}"))));
    }
    assert_eq!(rest, format!("\n=== Summary: {} file descriptors shown ===\n", open.len()));
    addresses
}

/// The same for `task_file`.
#[track_caller]
fn check_task_file(text: &str, open: &[Open]) -> Vec<String> {
    if open.is_empty() {
        assert_eq!(text, "");
        return Vec::new();
    }
    let mut lines = text.strip_suffix('\n').expect("the last line ends").split('\n');
    assert_eq!(lines.next(), Some("    tgid      gid       fd      file"));
    let addresses = open.iter().map(|(tgid, pid, fd)| {
        let start = format!("{tgid:>8} {pid:>8} {fd:>8} ");
        let row = lines.next().expect("a row");
        address(row.strip_prefix(&start).unwrap_or_else(|| panic!("{row:?}, not {start:?}")))
    });
    let addresses = addresses.collect();
    assert_eq!(lines.next(), None);
    addresses
}

/// An address of the kernel, as `%lx` prints it.
#[track_caller]
fn address(text: &str) -> String {
    let number = u64::from_str_radix(text, 16).expect("an address");
    assert!(number != 0 && text == format!("{number:x}"), "{text}");
    text.into()
}

fn files_shows_what_a_sleeper_inherits() {
    let (comm, dir) = (unique("fil"), dir());
    let create = |name| File::create(dir.path().join(name)).unwrap();
    let (_pipe_out, pipe_in) = nix::unistd::pipe().unwrap();
    let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let sleepers = [
        Sleeper::with(&comm, |command| {
            command.stdin(create("one")).stdout(create("two")).stderr(create("three"));
        }),
        Sleeper::with(&comm, |command| {
            command.stdin(std::os::fd::OwnedFd::from(socket)).stdout(pipe_in).stderr(create("four"));
        }),
    ];
    let (open, text) = settled(|| open_files(&comm), || cat(["files", &comm]));
    let addresses = check_files(&text, comm.as_bytes(), &open);
    let of = |nth: usize, fd| {
        let at = open.iter().position(|open| *open == (sleepers[nth].pid(), sleepers[nth].pid(), fd));
        &addresses[at.expect("/proc shows it")]
    };
    assert_eq!(
        open.iter().map(|open| open.0).collect::<BTreeSet<_>>(),
        BTreeSet::from(sleepers.each_ref().map(Sleeper::pid))
    );
    let regular = of(0, 0);
    assert_eq!([of(0, 1), of(0, 2), of(1, 2)], [regular; 3]);
    assert_eq!(BTreeSet::from([of(1, 0), of(1, 1), regular]).len(), 3, "{text}");
}

fn files_shows_all_kinds_of_file() {
    let (comm, dir) = (unique("kin"), dir());
    let helper = Helper::with_kinds(&comm, dir.path());
    let kinds =
        ["one", "two", "high", "null", "pipe_out", "pipe_in", "unix", "tcp"].map(|kind| helper.fd(kind));
    assert!(kinds.contains(&(HIGH_FD as u32)));
    let open = open_files(&comm);
    assert!(kinds.iter().all(|fd| open.contains(&(helper.pid(), helper.pid(), *fd))), "{kinds:?}: {open:?}");

    let text = cat(["files", &comm]);
    let addresses = check_files(&text, comm.as_bytes(), &open);
    let of = |fd| &addresses[open.iter().position(|open| open.2 == fd).unwrap()];
    let [one, two, high, null, pipe_out, pipe_in, unix, tcp] = kinds.map(of);
    assert_eq!([two, high], [one; 2]);
    assert_eq!([pipe_in, of(0), of(1)], [pipe_out; 3]);
    assert_eq!((unix, of(2)), (tcp, null));
    assert_eq!(BTreeSet::from([one, null, pipe_out, unix]).len(), 4, "{text}");
}

fn files_of_one_process_or_thread() {
    let (comm, other) = (unique("pid"), unique("tid"));
    let helper = Helper::with_named_thread(&comm, &other);
    let _same_name = Sleeper::named(&comm);
    let pid = helper.pid();
    let [leader, thread] = helper.tids()[..] else { panic!("not two threads") };
    let open = |tid| fds(pid).into_iter().map(|fd| (pid, tid, fd)).collect::<Vec<_>>();
    // The kernel shows files that threads share once, as those of the thread that leads them.
    let (leading, led) = (open(leader), open(thread));
    assert!(leading.len() >= 3, "{leading:?}");

    let (pid, thread) = (&*pid.to_string(), &*thread.to_string());
    for (args, name, shown) in [
        (&["--pid", pid][..], &comm, &leading[..]),
        (&["--tid", pid], &comm, &leading),
        (&["--tid", thread], &other, &led),
        (&[&comm, "--pid", pid], &comm, &leading),
        (&[&other, "--tid", thread], &other, &led),
        (&[&comm, "--tid", thread], &comm, &[]),
        (&[&other, "--pid", pid], &other, &[]),
    ] {
        if args.contains(&thread) && kernel_version() < (6, 12) {
            let message = "target task_file: this kernel can't walk a thread that leads no process alone";
            refused(kwalk(["cat", "files"]).args(args), 1, message, "Linux 6.12");
            continue;
        }
        check_files(&cat([&["files"][..], args].concat()), name.as_bytes(), shown);
        check_task_file(&cat([&["task_file"][..], args].concat()), shown);
    }
}

/// As it does where links can't be told: what it prints is the same.
fn a_program_looks_for_a_process_itself() {
    let helper = Helper::with_threads(unique("own"), 3);
    let (pid, thread) = (helper.pid(), helper.tids()[2]);
    let kernel = running();
    for (program, only, option, number) in [
        ("stacks", Only::Process(pid), "--pid", pid),
        ("stacks", Only::Thread(thread), "--tid", thread),
        ("files", Only::Process(pid), "--pid", pid),
        ("task_file", Only::Thread(pid), "--tid", pid),
    ] {
        let options = Options { only: Some(only), ..Options::default() };
        let loaded =
            Loaded::load(&text::by_name(program).unwrap().write(&kernel, &options).unwrap()).unwrap();
        let mut iter = loaded.attach(&Scope::All).unwrap().iter().unwrap();
        let mut own = Vec::new();
        while let chunk @ [_, ..] = iter.next_chunk().unwrap() {
            own.extend(chunk);
        }
        assert_eq!(
            String::from_utf8(own).unwrap(),
            cat([program, option, &number.to_string()]),
            "{program} {option}"
        );
    }
    let options = Options { only: Some(Only::Process(pid)), ..Options::default() };
    assert!(text::by_name("maps").unwrap().write(&kernel, &options).is_err());
}

fn task_file_shows_the_same_files() {
    let (comm, dir) = (unique("tsk"), dir());
    let helpers = [(); 2].map(|()| Helper::with_kinds(&comm, dir.path()));
    let (open, text) = settled(|| open_files(&comm), || cat(["task_file", &comm]));
    assert_eq!(
        open.iter().map(|open| open.0).collect::<BTreeSet<_>>(),
        BTreeSet::from(helpers.each_ref().map(Helper::pid))
    );
    let addresses = check_task_file(&text, &open);
    assert_eq!(addresses, check_files(&cat(["files", &comm]), comm.as_bytes(), &open));
}

// names

fn no_match_prints_nothing() {
    let nobody = unique("no_");
    let own = std::process::id().to_string();
    for program in ["stacks", "files", "task_file"] {
        assert_eq!(cat([program, &nobody]), "", "{program}");
        assert_eq!(cat([program, &nobody, "--pid", &own]), "", "{program} --pid");
        assert_eq!(cat([program, &nobody, "--tid", &own]), "", "{program} --tid");
    }
}

fn a_name_is_compared_to_its_end_alone() {
    let comm = unique("n");
    let long = format!("{comm:_<15}");
    let helper = Helper::with_names(&[&long, &comm]);
    assert_eq!(check_stacks(&comm), BTreeSet::from([helper.pid()]));
    assert_eq!(check_stacks(&long), BTreeSet::new());
    check_files(&cat(["files", &comm]), comm.as_bytes(), &open_files(&comm));
}

fn a_hostile_name_is_passed_on() {
    // It begins with a command for the terminal and ends with half a character.
    let pid = std::process::id().to_string();
    let comm = [b"\x1b[7m\xff\x07\xc3\xa9".as_slice(), &pid.as_bytes()[..pid.len().min(6)], b"\xc3"].concat();
    let helper = Helper::with_threads(OsStr::from_bytes(&comm), 0);
    let pid = helper.pid();
    let (name, number) = (OsStr::from_bytes(&comm), pid.to_string());
    let args = |program: &'static str| {
        [[OsStr::new(program), name].to_vec(), [program, "--pid", &number].map(OsStr::new).to_vec()]
    };
    let task = Task::look(pid, pid).unwrap();
    assert!(task.block().starts_with("=== Task: \\x1b[7m\\xff\\x07é"), "{task:?}");
    let printed = kwalk(["cat", "stacks", "--pid", &number]).output().unwrap().stdout;
    assert!(
        printed.starts_with(&[b"=== Task: ", &comm[..], b" (pid="].concat()),
        "{}",
        printed.escape_ascii()
    );
    for args in args("stacks") {
        assert_eq!(cat(args), stacks_text(std::slice::from_ref(&task)));
    }
    let open: Vec<_> = fds(pid).into_iter().map(|fd| (pid, pid, fd)).collect();
    for args in args("files") {
        let text = cat(args);
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        check_files(&text, &comm, &open);
    }
}

fn a_line_feed_in_a_name_makes_no_row() {
    let helper = Helper::with_threads(format!("a\n{}", std::process::id()), 0);
    let pid = helper.pid();
    let number = pid.to_string();
    let text = cat(["files", "--pid", &number]);
    // The header, the rows, an empty line, the summary.
    assert_eq!(text.lines().count(), 1 + fds(pid).len() + 2, "{text}");
    let text = cat(["stacks", "--pid", &number]);
    let frames = Task::look(pid, pid).unwrap().stack.len();
    // The head, the depth, the frames, two empty lines, the summary.
    assert_eq!(text.lines().count(), 2 + frames + 2 + 1, "{text}");
}
