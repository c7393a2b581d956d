//! The arguments of processes are what /proc/PID/cmdline has, of any length and one by one, and conditions on them mean
//! what they say.

mod conditions;
mod fuse;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;

use kwalk::Scope;
use kwalk::print::raw::Reader;
use kwalk::select::{Prepared, Select, Value, Walk, cmdline, field, sql};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::columns::child::Child;
use crate::support::Need::{Bpf, File, Root};
use crate::support::helper::{Helper, Started};
use crate::support::rows::{all, counted, walked};
use crate::support::{Need, Test, eventually, kwalk, refused, running, stdout, test, test_alone};
use conditions::meets;

const PROC: &[Need] = &[Bpf, Root];
/// To call what no safe function of Rust's does.
const PYTHON: &[Need] = &[Bpf, Root, Need::Tool("python3")];
const COPY: &[Need] = &[Bpf, Root, Need::Tool("python3"), Need::Kernel(5, 18), Need::Jit];
const ARGV: &[Need] = &[Bpf, Root, Need::Kernel(5, 18)];
const FUSE: &[Need] = &[Bpf, Root, Need::Tool("python3"), Need::Kernel(5, 18), Need::Jit, File("/dev/fuse")];
const NUMBERS: &[Need] = &[Bpf, Root, File("/proc/sys/kernel/ns_last_pid")];
/// Kernels before refuse vfork(2) in a process that has asked for another time namespace.
const TIME: &[Need] = &[Bpf, Root, Need::Kernel(6, 12), File("/proc/self/timens_offsets")];
/// Without /proc it is not known whether the pid namespace is the first one, and in another numbers take this.
const NUMBERED: &[Need] = &[Bpf, Root, Need::Kernel(6, 2), Need::Jit];

pub fn tests() -> Vec<Test> {
    vec![
        test("arguments_are_those_of_proc", PROC, arguments_are_those_of_proc),
        test("titles_are_those_of_proc", PROC, titles_are_those_of_proc),
        test("each_format_has_them", PROC, each_format_has_them),
        test("a_case_can_be_a_column", PROC, conditions::a_case_can_be_a_column),
        test("conditions_look_at_whole_texts", PROC, conditions::conditions_look_at_whole_texts),
        test("conditions_are_split", PROC, conditions::conditions_are_split),
        test("a_plan_says_what_is_tested_where", &[Bpf], conditions::a_plan_says_what_is_tested_where),
        test("what_is_tested_afterwards_is_inexact", PROC, conditions::what_is_tested_afterwards_is_inexact),
        test("rows_are_sorted_limited_and_counted", PROC, conditions::rows_are_sorted_limited_and_counted),
        test("a_prepared_walk_reads_them_again", PROC, a_prepared_walk_reads_them_again),
        test("threads_files_and_mappings_have_them", PROC, threads_files_and_mappings_have_them),
        test("threads_may_outlive_the_first", PYTHON, threads_may_outlive_the_first),
        test("what_is_a_file_s_is_not_copied", COPY, what_is_a_file_s_is_not_copied),
        test("memory_that_never_answers_hangs_nobody", FUSE, memory_that_never_answers_hangs_nobody),
        test("what_is_too_long_is_undecided", PYTHON, what_is_too_long_is_undecided),
        test("what_is_copied_in_part_is_undecided", ARGV, what_is_copied_in_part_is_undecided),
        test("a_process_that_has_ended_has_none", PROC, a_process_that_has_ended_has_none),
        test("a_reused_number_is_another_process", NUMBERS, a_reused_number_is_another_process),
        test_alone("without_proc_there_is_an_error", NUMBERED, without_proc_there_is_an_error),
        test_alone("time_may_be_another_in_a_namespace", TIME, time_may_be_another_in_a_namespace),
    ]
}

/// The arguments that /proc has of a process.
fn arguments(pid: u32) -> Vec<Vec<u8>> {
    let mut text = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!text.is_empty());
    if text.last() == Some(&0) {
        text.pop();
    }
    text.split(|byte| *byte == 0).map(Vec::from).collect()
}

/// What a process's row has.
fn shown(pid: u32) -> Option<Vec<Vec<u8>>> {
    let select = Select::new("task").fields(["cmdline"]).filter(field("pid").eq(pid));
    one(&select, |values| match values[0] {
        Value::Texts(texts) => Some(texts.iter().map(Vec::from).collect()),
        Value::Null => None,
        other => panic!("{other:?}"),
    })
}

#[track_caller]
fn one<T>(select: &Select, row: impl Fn(&[Value<'_>]) -> T) -> T {
    let mut rows = all(walked(select, Scope::All).unwrap(), row).unwrap();
    assert_eq!(rows.len(), 1, "{select:?}");
    rows.remove(0)
}

/// A text of so many bytes, each part of which is at one place.
fn long(len: usize) -> String {
    (0..)
        .map(|nth| format!("{nth}."))
        .scan(0, |sum, word| {
            *sum += word.len();
            (*sum - word.len() < len).then_some(word)
        })
        .collect::<String>()[..len]
        .into()
}

fn arguments_are_those_of_proc() {
    for args in [
        &["look=with a space", "", "", "look=\u{e4}\n", ""][..],
        &["look=x"],
        &[&format!("look={}", long(70_000)), "look=END", "", ""],
    ] {
        let child = Child::new(args);
        let wanted = arguments(child.pid());
        assert!(args.iter().all(|arg| wanted.iter().any(|shown| shown == arg.as_bytes())));
        assert_eq!(shown(child.pid()), Some(wanted.clone()));
        // One by one.
        let names = ["cmdline[0]", "cmdline[1]", "cmdline[2]", "cmdline[3]", "cmdline[99]"];
        let select = Select::new("task").fields(names).filter(field("pid").eq(child.pid()));
        let each = one(&select, |values| {
            let text = |value: &Value<'_>| match value {
                Value::Text(text) => Some(text.to_vec()),
                Value::Null => None,
                other => panic!("{other:?}"),
            };
            values.iter().map(text).collect::<Vec<_>>()
        });
        let wanted: Vec<_> = [0, 1, 2, 3, 99].map(|nth| wanted.get(nth).cloned()).into();
        assert_eq!(each, wanted);
    }
    // The kernel's own threads have none, and a process that is not waited for has lost its.
    assert_eq!(shown(2), None);
    let parent = Child::new(["zombie"]);
    let zombie = parent.said()[0];
    eventually("the child's child has ended", || crate::columns::child::stat(zombie, 3) == "Z");
    assert_eq!(shown(zombie), None);
}

fn titles_are_those_of_proc() {
    let write = |pid: u32, at: u64, text: &[u8]| {
        let memory = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).unwrap();
        memory.write_all_at(text, at).unwrap();
    };
    let title = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let child = Child::new(["look=title", "look=more"]);
    let pid = child.pid();
    let [start, end, room] = [48, 49, 51].map(|nth| child.stat(nth).parse::<u64>().unwrap());
    // As short as a word, with NULs up to the end of the arguments.
    let len = (end - start) as usize;
    let padded = [b"short: title".to_vec(), vec![0; len - 12]].concat();
    write(pid, start, &padded);
    assert_eq!(shown(pid), Some(arguments(pid)));
    assert_eq!(shown(pid).unwrap()[..2], [b"short: title".to_vec(), Vec::new()]);
    let is = |condition: &str| {
        let condition = sql::expression(condition).unwrap().and(field("pid").eq(pid));
        counted(&Select::new("task").filter(condition), Scope::All).unwrap()
    };
    // In a condition, and where it is one text, it is what ps shows: without them.
    for condition in
        ["cmdline = 'short: title'", "cmdline like '%: title'", "cmdline in ('x', 'short: title')"]
    {
        assert_eq!(is(condition), 1, "{condition}");
    }
    for format in ["csv", "table"] {
        let own = format!("pid = {pid}");
        let said = stdout(&mut kwalk(["task", "-f", "cmdline", "-w", &own, "-o", format]));
        assert_eq!(said.lines().nth(1), Some("short: title"));
    }
    // Over all of them: there is no NUL where they end.
    let whole = vec![b'w'; len];
    write(pid, start, &[&whole[..], b"\0"].concat());
    assert_eq!(shown(pid), Some(vec![whole]));
    // On into the environment.
    let beyond = format!("{:n$}: beyond the arguments", "master", n = len);
    assert!((beyond.len() as u64) < room - start);
    write(pid, start, format!("{beyond}\0").as_bytes());
    assert_eq!(title(pid), format!("{beyond}\0").as_bytes());
    assert_eq!(shown(pid), Some(vec![beyond.clone().into()]));
    assert_eq!(is(&format!("cmdline = '{beyond}'")), 1);
    assert_eq!(is("cmdline like '%: beyond the arguments'"), 1);
    assert_eq!(is("cmdline[0] like 'master %' and cmdline[1] is null"), 1);
}

fn each_format_has_them() {
    let args = [
        OsString::from("look=a, \"b\" \\"),
        "".into(),
        OsString::from_vec(b"look=\x1b[2J".to_vec()),
        format!("look={}", long(70_000)).into(),
    ];
    let child = Child::new(&args);
    let wanted = arguments(child.pid());
    let condition = format!("pid = {}", child.pid());
    let print = |format: &str, fields: &str| {
        kwalk(["task", "-f", fields, "-w", &condition, "-o", format]).output().unwrap().stdout
    };
    let list = |value: &serde_json::Value| -> Vec<Vec<u8>> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().into()).collect()
    };
    let object: serde_json::Value = serde_json::from_slice(&print("ndjson", "cmdline")).unwrap();
    assert_eq!(list(&object["cmdline"]), wanted);
    let objects: serde_json::Value = serde_json::from_slice(&print("json", "pid,cmdline")).unwrap();
    assert_eq!(list(&objects[0]["cmdline"]), wanted);
    // With spaces between them.
    let csv = print("csv", "cmdline,cmdline[0]");
    let mut reader = csv::Reader::from_reader(&csv[..]);
    let record = reader.records().next().unwrap().unwrap();
    let joined = wanted.join(&b' ');
    let joined = String::from_utf8_lossy(&joined).into_owned();
    let begin = joined.split_once('\u{1b}').unwrap().0.replace('\\', "");
    assert!(
        record[0].replace('\\', "").starts_with(&begin)
            && record[0].ends_with(&joined[joined.len() - 70_000..])
    );
    assert_eq!(record[1].as_bytes(), wanted[0]);
    let table = String::from_utf8(print("table", "pid,cmdline")).unwrap();
    assert!(
        table.lines().nth(1).unwrap().ends_with(&joined[joined.len() - 70_000..])
            && table.lines().count() == 2
    );
    let raw = print("raw", "pid,cmdline,comm");
    let mut reader = Reader::new(&raw[..]).unwrap();
    let row = reader.next_row().unwrap().unwrap();
    let Value::Texts(texts) = row.get(1) else { panic!("{:?}", row.get(1)) };
    assert_eq!(texts.iter().map(Vec::from).collect::<Vec<_>>(), wanted);
    assert_eq!(row.get(0), Value::Int(child.pid().into()));
    assert!(reader.next_row().unwrap().is_none());
}

fn a_prepared_walk_reads_them_again() {
    let child = Child::new(["look=prepared"]);
    let pid = child.pid();
    let select = Select::new("task")
        .fields(["cmdline[2]"])
        .filter(field("pid").eq(pid).and(cmdline().like("%prepared").or(cmdline().like("%changed!"))));
    let kernel = running();
    let mut walk = Walk::plan(&select, &kernel, Scope::All).unwrap().prepare().unwrap();
    let mut count = Walk::plan_count(&select, &kernel, Scope::Pid(pid)).unwrap().prepare().unwrap();
    let texts = |walk: &mut Prepared<'_>| {
        all(walk.rows().unwrap(), |row| crate::support::rows::text(&row[0])).unwrap()
    };
    assert_eq!((texts(&mut walk), count.count().unwrap()), (vec!["look=prepared".into()], 1));
    let end: u64 = child.stat(49).parse().unwrap();
    let memory = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).unwrap();
    memory.write_all_at(b"changed!", end - 9).unwrap();
    assert_eq!((texts(&mut walk), count.count().unwrap()), (vec!["look=changed!".into()], 1));
    memory.write_all_at(b"x", end - 2).unwrap();
    assert_eq!((texts(&mut walk), count.count().unwrap()), (vec![], 0));
}

fn threads_files_and_mappings_have_them() {
    let helper = Helper::with_threads("kwcmd", 3);
    let wanted = arguments(helper.pid()).join(&b' ');
    let of = |target: &str| {
        let select = Select::new(target).fields([cmdline()]).filter(field("task.tgid").eq(helper.pid()));
        let rows = all(walked(&select, Scope::All).unwrap(), |row| match row[0] {
            Value::Texts(texts) => texts.joined().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        });
        rows.unwrap()
    };
    assert_eq!(of("task"), vec![wanted.clone(); 4]);
    let files = crate::support::helper::fds(helper.pid()).len();
    assert_eq!(of("task_file"), vec![wanted.clone(); files]);
    if crate::support::has_target(&kwalk::progs::targets::task_vma::TARGET) {
        let maps = fs::read_to_string(format!("/proc/{}/maps", helper.pid())).unwrap();
        let mappings = of("task_vma");
        assert!(mappings.len() + 1 >= maps.lines().count() && mappings.iter().all(|one| *one == wanted));
    }
}

/// A process that does as a script says until it prints a line, and then waits.
fn python(script: &str, args: &[&str]) -> Started {
    let script =
        format!("import ctypes, sys, threading, time\nlibc = ctypes.CDLL(None, use_errno=True)\n{script}");
    Started::new(Command::new("python3").args(["-c", &script]).args(args))
}

fn threads_may_outlive_the_first() {
    let python = python(
        "def other():\n    time.sleep(0.3)\n    print('up', flush=True)\n    time.sleep(600)\n\
         threading.Thread(target=other).start()\nimport os\n\
         SYS_exit = {'x86_64': 60, 'aarch64': 93, 's390x': 1}[os.uname().machine]\nlibc.syscall(SYS_exit, 7)",
        &["two words", ""],
    );
    let pid = python.pid();
    eventually("the first thread has ended", || crate::columns::child::stat(pid, 3) == "Z");
    assert_eq!(fs::read(format!("/proc/{pid}/cmdline")).unwrap(), b"");
    let select = Select::new("task").fields(["cmdline[3]", "cmdline[4]"]).filter(field("tgid").eq(pid));
    let texts = all(walked(&select, Scope::All).unwrap(), |row| format!("{row:?}")).unwrap();
    assert_eq!(texts, ["[Null, Null]", &format!("{:?}", [Value::Text(b"two words"), Value::Text(b"")])]);
    // The process lives, and has no exit code yet; that of its first thread is there.
    let select = Select::new("task").fields(["exit_code", "exit", "signal", "state"]);
    let select = select.filter(field("pid").eq(pid));
    let ends = all(walked(&select, Scope::All).unwrap(), |row| format!("{:?}", &row[..3])).unwrap();
    assert_eq!(ends, [format!("{:?}", [Value::Int(7 << 8), Value::Null, Value::Null])]);
}

/// A process whose arguments are those `size` bytes that `map` allocates at `at`; `None` if this kernel lets none say where
/// they are (CONFIG_CHECKPOINT_RESTORE).
fn moved(map: &str) -> Option<Started> {
    let python = python(
        &format!(
            "import mmap\n{map}\nlibc.sbrk.restype = ctypes.c_void_p\n\
             stat = open('/proc/self/stat').read().rsplit(')', 1)[1].split()\n\
             field = lambda number: int(stat[number - 3])\n\
             numbers = [field(n) for n in (26, 27, 45, 46, 47)]\n\
             numbers += [libc.sbrk(0), field(28), at, at + size, field(50), field(51)]\n\
             pr_set_mm, pr_set_mm_map = 35, 14\n\
             mm = (ctypes.c_uint64 * 13)(*numbers, 0, 0xffffffff << (32 if sys.byteorder == 'little' else 0))\n\
             failed = libc.prctl(pr_set_mm, pr_set_mm_map, mm, ctypes.c_ulong(ctypes.sizeof(mm)), 0)\n\
             print(ctypes.get_errno() if failed else 0, flush=True)\ntime.sleep(600)"
        ),
        &[],
    );
    assert!(["0\n", "22\n"].contains(&&*python.words), "{}", python.words);
    (python.words == "0\n").then_some(python)
}

/// /proc does not read from a file's mapping, whose file system may never answer.
fn what_is_a_file_s_is_not_copied() {
    let text = tempfile::NamedTempFile::new().unwrap();
    fs::write(text.path(), [b"from\0a file\0".to_vec(), vec![0; 4096]].concat()).unwrap();
    let mapping = |of: &str| {
        moved(&format!(
            "memory = mmap.mmap({of})\nsize = 12\n\
             at = ctypes.addressof(ctypes.c_char.from_buffer(memory))"
        ))
    };
    let anonymous = "-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\nmemory[:12] = (b'from\\0a file\\0'";
    let file = format!("(f := open('{}', 'r+b')).fileno(), 4096, mmap.MAP_PRIVATE", text.path().display());
    let (Some(own), Some(other)) = (mapping(anonymous), mapping(&file)) else { return };
    let both = |pid: u32| {
        let select = Select::new("task").fields(sql::columns("cmdline, argv() as argv").unwrap());
        one(&select.filter(field("pid").eq(pid)), |values| {
            let text = match values[1] {
                Value::Text(text) => Some(text.to_vec()),
                _ => None,
            };
            match values[0] {
                Value::Texts(texts) => (Some(texts.joined().collect::<Vec<_>>()), text),
                _ => (None, text),
            }
        })
    };
    let text = Some(b"from a file".to_vec());
    assert_eq!(fs::read(format!("/proc/{}/cmdline", own.pid())).unwrap(), b"from\0a file\0");
    assert_eq!(both(own.pid()), (text.clone(), text));
    assert_eq!(fs::read(format!("/proc/{}/cmdline", other.pid())).unwrap(), b"");
    assert_eq!(both(other.pid()), (None, None));
}

fn memory_that_never_answers_hangs_nobody() {
    let fuse = fuse::Fuse::mount();
    let map = format!(
        "f = open('{}', 'rb')\nmemory = mmap.mmap(f.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)\n\
         size = 12\nat = ctypes.addressof(ctypes.c_char.from_buffer(memory))",
        fuse.path().display()
    );
    let Some(victim) = moved(&map) else { return };
    let condition = format!("pid = {}", victim.pid());
    for text in ["cmdline", "argv()"] {
        let mut asked = kwalk(["task", "-f", text, "-w", &condition, "-o", "ndjson"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let start = std::time::Instant::now();
        while asked.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(20) {
                drop(fuse);
                asked.wait().unwrap();
                panic!("{text}: no answer after 20 s");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = asked.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with(":null}\n") && said.lines().count() == 1, "{text}: {said}");
    }
    assert_eq!(fs::read(format!("/proc/{}/cmdline", victim.pid())).unwrap(), b"");
}

/// A process may say that its arguments are anywhere in its memory, and how many.
fn what_is_too_long_is_undecided() {
    let Some(python) = moved(
        "size = 9 << 20\ntext = ctypes.create_string_buffer(b'x' * size)\nat = ctypes.addressof(text)\nsize += 1",
    ) else {
        return;
    };
    let pid = python.pid();
    let shown = shown(pid).unwrap();
    assert_eq!((shown.len(), shown[0].len(), &shown[1][..]), (2, 8 << 20, "…".as_bytes()));
    // It is decided where the rest of the condition decides.
    assert!(meets(pid, &format!("cmdline like '%no such%' or tgid = {pid}")));
    assert!(!meets(pid, "(cmdline like '%x%' and comm = 'no such') or (cmdline is null and pid = 1)"));
    let own = std::process::id();
    let condition = format!("pid in ({pid}, {own}) and (cmdline like '%integration%' or cmdline like 'x%')");
    for args in [&["-o", "csv", "-f", "pid"][..], &["-o", "csv", "-f", "pid", "--sort", "pid"], &["--count"]]
    {
        let output = kwalk(["task", "-w", &condition]).args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("kwalk: condition: it could not be decided for 1 object, of"), "{said}");
        assert_eq!(output.status.code(), Some(1));
        let lines = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<_> = lines.lines().skip(1).map(str::trim).collect();
        assert!(if args.len() > 1 { rows == [own.to_string()] } else { lines.is_empty() }, "{lines}");
    }
}

/// The kernel copies the first arguments: what depends on the others is not decided, and not decided wrongly.
fn what_is_copied_in_part_is_undecided() {
    let child = Child::new([format!("look={}", long(70_000)), "look=END".into()]);
    let (pid, own) = (child.pid(), std::process::id());
    let whole = arguments(pid).join(&b' ');
    let begin = String::from_utf8_lossy(&whole[..4000]).into_owned();
    let middle = &begin[1000..1050];
    // What is last of those that are copied, and what is partly behind them.
    let [cut, behind] =
        [4075..4095, 4090..4110].map(|part| String::from_utf8_lossy(&whole[part]).into_owned());
    for (condition, decided) in [
        (format!("argv() like '{begin}%'"), Some(true)),
        (format!("argv() like '%{middle}%'"), Some(true)),
        (format!("argv() like 'x{middle}%'"), Some(false)),
        (format!("argv() = '{begin}'"), Some(false)),
        ("argv() like '%look=END'".into(), None),
        ("argv() like '%=END%'".into(), None),
        ("argv() not like '%=END'".into(), None),
        ("argv() not like '%no such%'".into(), None),
        (format!("argv() like '%{cut}'"), None),
        (format!("argv() like '%{behind}%'"), None),
    ] {
        // The test itself has few arguments.
        let filter = format!("pid in ({pid}, {own}) and ({condition} or pid = {own})");
        let output = kwalk(["task", "-f", "pid", "-o", "csv", "-w", &filter]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let is_shown = lines.lines().any(|line| line == pid.to_string());
        assert!(lines.lines().any(|line| line == own.to_string()), "{condition}: {lines} {said}");
        match decided {
            Some(wanted) => assert_eq!((is_shown, &*said), (wanted, ""), "{condition}"),
            None => {
                assert!(!is_shown && output.status.code() == Some(1), "{condition}: {lines}");
                assert!(said.starts_with("kwalk: the condition: 1 object could not be decided: "), "{said}");
                assert!(said.contains("cmdline has them all"), "{said}");
            }
        }
    }
}

/// Rows that were read from the kernel, and those that were filled in: all are in one buffer of the kernel's.
fn two(select: &Select, between: impl FnOnce()) -> [Option<Vec<u8>>; 2] {
    let mut prepared = Walk::plan(select, &running(), Scope::All).unwrap().prepare().unwrap();
    let mut rows = prepared.rows().unwrap();
    let mut next = || {
        let row = rows.next_row().unwrap().unwrap();
        match row.get(0) {
            Value::Texts(texts) => Some(texts.joined().collect::<Vec<_>>()),
            Value::Null => None,
            other => panic!("{other:?}"),
        }
    };
    let first = next();
    between();
    [first, next()]
}

fn a_process_that_has_ended_has_none() {
    let mut children = [Child::new(["look=1"]), Child::new(["look=2"])].map(Some);
    children.sort_by_key(|child| child.as_ref().map(Child::pid));
    let pids = children.each_ref().map(|child| child.as_ref().unwrap().pid());
    let select = Select::new("task").fields(["cmdline"]).filter(field("pid").is_in(pids));
    let first = arguments(pids[0]).join(&b' ');
    let [shown, gone] = two(&select, || children[1] = None);
    assert_eq!((shown, gone), (Some(first), None));
}

fn a_reused_number_is_another_process() {
    let mut children = [Child::new(["look=1"]), Child::new(["look=2"])].map(Some);
    children.sort_by_key(|child| child.as_ref().map(Child::pid));
    let pids = children.each_ref().map(|child| child.as_ref().unwrap().pid());
    let select = Select::new("task").fields(["cmdline"]).filter(field("pid").is_in(pids));
    let mut other: Option<Process> = None;
    let [shown, gone] = two(&select, || {
        // /proc tells the start of a process in hundredths of a second.
        std::thread::sleep(Duration::from_millis(20));
        children[1] = None;
        // Other tests start processes, too.
        for _ in 0..1000 {
            fs::write("/proc/sys/kernel/ns_last_pid", (pids[1] - 1).to_string()).unwrap();
            let mut sleep = Command::new("/proc/self/exe");
            let mut started = sleep
                .args(["--helper", "files", "1"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            if started.id() == pids[1] {
                other = Some(started);
                break;
            }
            started.kill().unwrap();
            started.wait().unwrap();
        }
        // It has its arguments only after a while.
        let cmdline = || fs::read(format!("/proc/{}/cmdline", pids[1])).unwrap();
        eventually("it is the other process", || cmdline().ends_with(b"files\x001\0"));
    });
    let mut other = other.expect("a process with the same number");
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(shown.is_some());
    assert_eq!(gone, None);
}

fn without_proc_there_is_an_error() {
    mount(Some("none"), "/proc", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    for args in [&["-f", "pid,cmdline"][..], &["--count", "-w", "cmdline like '%x%'"]] {
        refused(
            kwalk(["task"]).args(args),
            1,
            "/proc: it is not the proc file system of this pid namespace",
            "mount -t proc proc /proc",
        );
    }
    assert!(stdout(&mut kwalk(["task", "-f", "pid", "--limit", "1", "-o", "csv"])).starts_with("pid"));
}

fn time_may_be_another_in_a_namespace() {
    const CLONE_NEWTIME: i32 = 0x80;
    unshare(CloneFlags::from_bits_retain(CLONE_NEWTIME)).unwrap();
    fs::write("/proc/self/timens_offsets", "boottime 1000000 7").unwrap();
    // It is in the namespace, as every process that is started from now on.
    let child = Child::new(["look=shifted"]);
    let shown =
        stdout(&mut kwalk(["task", "--pid", &child.pid().to_string(), "-f", "cmdline[2]", "-o", "ndjson"]));
    assert_eq!(shown, "{\"cmdline[2]\":\"look=shifted\"}\n");
}
