//! The arguments of processes are what /proc/PID/cmdline has, of any length and one by one, and conditions on them mean
//! what they say.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::process::{Child as Process, Command, Stdio};

use kwalk::Scope;
use std::time::Duration;

use kwalk::print::raw::Reader;
use kwalk::select::{Plan, PlanOptions, Prepared, Select, Value, Verdict, Walk, cmdline, field, sql};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::columns::child::Child;
use crate::support::Need::{Bpf, File, Root};
use crate::support::helper::{Helper, Started};
use crate::support::rows::{all, counted, number, walked};
use crate::support::{Need, Test, eventually, failure, kwalk, refused, running, stdout, test, test_alone};

const PROC: &[Need] = &[Bpf, Root];
/// To call what no safe function of Rust's does.
const PYTHON: &[Need] = &[Bpf, Root, Need::Tool("python3")];
const COPY: &[Need] = &[Bpf, Root, Need::Tool("python3"), Need::Kernel(5, 18), Need::Jit];
const NUMBERS: &[Need] = &[Bpf, Root, File("/proc/sys/kernel/ns_last_pid")];
const TIME: &[Need] = &[Bpf, Root, File("/proc/self/timens_offsets")];

pub fn tests() -> Vec<Test> {
    vec![
        test("arguments_are_those_of_proc", PROC, arguments_are_those_of_proc),
        test("titles_are_those_of_proc", PROC, titles_are_those_of_proc),
        test("each_format_has_them", PROC, each_format_has_them),
        test("a_case_can_be_a_column", PROC, a_case_can_be_a_column),
        test("conditions_look_at_whole_texts", PROC, conditions_look_at_whole_texts),
        test("conditions_are_split", PROC, conditions_are_split),
        test("a_plan_says_what_is_tested_where", &[Bpf], a_plan_says_what_is_tested_where),
        test("what_is_tested_afterwards_is_inexact", PROC, what_is_tested_afterwards_is_inexact),
        test("rows_are_sorted_limited_and_counted", PROC, rows_are_sorted_limited_and_counted),
        test("a_prepared_walk_reads_them_again", PROC, a_prepared_walk_reads_them_again),
        test("threads_files_and_mappings_have_them", PROC, threads_files_and_mappings_have_them),
        test("threads_may_outlive_the_first", PYTHON, threads_may_outlive_the_first),
        test("what_is_a_file_s_is_not_copied", COPY, what_is_a_file_s_is_not_copied),
        test("what_is_too_long_is_undecided", PYTHON, what_is_too_long_is_undecided),
        test("a_process_that_has_ended_has_none", PROC, a_process_that_has_ended_has_none),
        test("a_reused_number_is_another_process", NUMBERS, a_reused_number_is_another_process),
        test_alone("without_proc_there_is_an_error", PROC, without_proc_there_is_an_error),
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
    let is = |condition: &str| {
        let condition = sql::expression(condition).unwrap().and(field("pid").eq(pid));
        counted(&Select::new("task").filter(condition), Scope::All).unwrap()
    };
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

fn a_case_can_be_a_column() {
    let children = ["a", "b", "c"].map(|name| Child::new([format!("look=case {name}")]));
    let columns = "pid, case when cmdline like '%case a' then pid when cmdline[2] = 'look=case b' then -1 end as x, \
                   case when cmdline like '%case c' then mm.task_size else -1 end as y, tgid";
    let select = Select::new("task").fields(sql::columns(columns).unwrap());
    let select = select.filter(field("pid").is_in(children.each_ref().map(Child::pid))).order(["x"]);
    let rows = all(walked(&select, Scope::All).unwrap(), |row| (number(&row[0]), format!("{:?}", &row[1..])))
        .unwrap();
    let size = {
        let select = Select::new("task").fields(["mm.task_size"]).filter(field("pid").eq(children[0].pid()));
        one(&select, |row| number(&row[0]))
    };
    for (row, child) in rows.iter().zip(&children) {
        assert_eq!(row.0, u64::from(child.pid()));
    }
    let [a, b, c] = children.each_ref().map(|child| i64::from(child.pid()));
    let top = Value::Uint(u64::MAX);
    let wanted = [
        format!("{:?}", [Value::Int(a), top, Value::Int(a)]),
        format!("{:?}", [Value::Int(-1), top, Value::Int(b)]),
        format!("{:?}", [Value::Null, Value::Uint(size), Value::Int(c)]),
    ];
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    assert_eq!(rows, wanted);
    // With a sort order, too, NULL at the end.
    let condition = format!("pid in ({a}, {b}, {c})");
    let keys = "case when cmdline like '%case a' then 3 when cmdline like '%case b' then 2 end";
    let sorted = stdout(&mut kwalk(["task", "-f", "pid", "-w", &condition, "--sort", keys, "-o", "csv"]));
    let sorted: Vec<_> = sorted.lines().map(str::trim).collect();
    assert_eq!(sorted, ["pid".to_owned(), b.to_string(), a.to_string(), c.to_string()]);
    let said = failure(&mut kwalk(["task", "-f", "case when cmdline like 'x' then 1 end + 1"]), 2);
    assert!(
        said.starts_with("kwalk: a computation with what is read from /proc can't be done in the kernel\n")
    );
}

/// Whether a process meets a condition, by its row and by the count.
#[track_caller]
fn meets(pid: u32, condition: &str) -> bool {
    let condition = sql::expression(condition).unwrap().and(field("pid").eq(pid));
    let select = Select::new("task").fields(["pid"]).filter(condition);
    let rows = all(walked(&select, Scope::All).unwrap(), |row| number(&row[0])).unwrap();
    let count = counted(&select, Scope::All).unwrap();
    assert_eq!(rows, vec![u64::from(pid); count as usize], "{select:?}");
    count == 1
}

fn conditions_look_at_whole_texts() {
    let child = Child::new(["look=a b", "", &format!("look={}", long(70_000)), "look=END"]);
    let pid = child.pid();
    let joined = String::from_utf8(arguments(pid).join(&b' ')).unwrap();
    let middle = &joined[35_000..35_300];
    for (condition, wanted) in [
        (format!("cmdline = '{joined}'"), Some(true)),
        (format!("cmdline = '{joined} '"), Some(false)),
        (format!("cmdline <> '{}'", &joined[..joined.len() - 1]), Some(true)),
        (format!("cmdline like '%{middle}%'"), Some(true)),
        (format!("cmdline like '%{middle}'"), Some(false)),
        ("cmdline like '%=END'".into(), Some(true)),
        ("cmdline like '%=EN'".into(), Some(false)),
        ("cmdline like '%no such text%'".into(), Some(false)),
        ("cmdline like 'columns %look=a b  look=0.1.2.%_END'".into(), Some(true)),
        (format!("cmdline in ('x', '{joined}')"), Some(true)),
        ("cmdline in ('x', 'columns')".into(), Some(false)),
        ("cmdline between 'columns' and 'columnt'".into(), Some(true)),
        ("cmdline > 'd'".into(), Some(false)),
        ("cmdline is null".into(), Some(false)),
        ("cmdline[0] = 'columns'".into(), Some(true)),
        ("cmdline[2] = 'look=a b'".into(), Some(true)),
        ("cmdline[3] = ''".into(), Some(true)),
        ("cmdline[6] is null".into(), Some(true)),
        ("cmdline[6] = 'x'".into(), None),
        ("cmdline() like 'columns%'".into(), Some(true)),
        ("cmdline[0] = comm".into(), Some(false)),
        ("cmdline like '%END' or pid = 0".into(), Some(true)),
        ("cmdline like '%no%such' or pid > 1".into(), Some(true)),
        ("cmdline like '%no%such' or cmdline[9] = 'x'".into(), None),
        ("cmdline[9] = 'x' and pid > 1".into(), None),
        ("(cmdline[9] = 'x') is null".into(), Some(true)),
        ("(cmdline[9] = 'x' or pid > 1 or real_parent.comm = '') is true".into(), Some(true)),
        ("case when cmdline like '%END' then pid else 0 end > 1".into(), Some(true)),
        (
            "case when cmdline like '%no' then 1 when cmdline[9] = 'x' then 2 else 3 end in (2, 3)".into(),
            Some(true),
        ),
        ("case when cmdline like '%no' then 1 end is null".into(), Some(true)),
        ("case when cmdline like '%no' then 1 end = 1".into(), None),
        // All numbers of a CASE are unsigned if one is.
        ("case when cmdline like 'c%' then -1 else mm.task_size end = 0xffffffffffffffff".into(), Some(true)),
    ] {
        let name = if condition.len() < 200 { &*condition } else { &condition[..200] };
        assert_eq!(meets(pid, &condition), wanted == Some(true), "{name}");
        assert_eq!(meets(pid, &format!("not ({condition})")), wanted == Some(false), "not {name}");
        assert_eq!(meets(pid, &format!("({condition}) is null")), wanted.is_none(), "{name} is null");
    }
    // NULL is neither.
    assert!(
        !meets(2, "cmdline like '%'") && !meets(2, "not (cmdline like '%')") && meets(2, "cmdline is null")
    );
    assert!(
        meets(2, "cmdline like 'x' or comm = 'kthreadd'") && !meets(2, "cmdline = '' and comm = 'kthreadd'")
    );
}

fn plan(select: &Select) -> Plan {
    select.plan(&running()).unwrap()
}

fn conditions_are_split() {
    let filter = |condition: &str| {
        plan(&Select::new("task").fields(["pid"]).filter(sql::expression(condition).unwrap()))
    };
    let parts = |condition: &str| {
        let plan = filter(condition);
        (plan.condition(), plan.completion.and_then(|completion| completion.condition().map(String::from)))
    };
    let (kernel, after) = parts("cmdline like '%x%' and tgid = 7 and (comm = 'a' or pid = 7)");
    assert_eq!(kernel.unwrap(), "tgid = 7 AND (comm = 'a' OR pid = 7)");
    assert_eq!(after.unwrap(), "cmdline LIKE '%x%'");
    let (kernel, after) = parts("cmdline like '%x%' or tgid = 7");
    assert_eq!(kernel, None);
    assert_eq!(after.unwrap(), "cmdline LIKE '%x%' OR tgid = 7");
    let (kernel, after) = parts("pid > 1");
    assert_eq!((kernel.unwrap().as_str(), after), ("pid > 1", None));
    // The link still gets its part.
    assert_eq!(filter("cmdline like '%x%' and tgid = 7").pushed, Some(kwalk::select::Pushed::Tgid(7)));
    // What programs can't compute with is refused where it stands.
    for (condition, at) in [
        ("cmdline + 1 = 2", "cmdline"),
        ("cmdline = 5", "5"),
        ("cmdline like comm", "comm"),
        ("cmdline[0] = exe or cmdline like 'x' || 'y'", "||"),
    ] {
        let error = sql::expression(condition).and_then(|condition| {
            Select::new("task").fields(["pid"]).filter(condition).plan(&running()).map(drop)
        });
        let said = error.unwrap_err().to_string();
        assert!(said.contains(at) && said.contains('^'), "{condition}: {said}");
    }
}

fn a_plan_says_what_is_tested_where() {
    let args = ["task", "--explain", "-f", "pid,cmdline", "-w", "uid = 0 and (cmdline like '%x' or pid = 7)"];
    let plan = stdout(&mut kwalk(args));
    let lines: Vec<_> = plan.lines().collect();
    assert_eq!(lines[2], "condition     real_cred.uid.val = 0");
    assert_eq!(lines[3], "afterwards    cmdline LIKE '%x' OR pid = 7, with what is read from /proc");
    let from = |name: &str| lines.iter().find(|line| line.starts_with(name)).unwrap().to_string();
    let words: Vec<_> = from("cmdline  ").split_whitespace().map(String::from).collect();
    assert_eq!(words, ["cmdline", "/proc/PID/cmdline", "texts", "afterwards", "any"]);
    assert!(from("pid = 7 (not shown)").contains("CASE WHEN"), "{plan}");
}

fn what_is_tested_afterwards_is_inexact() {
    let child = Child::new(["look=inexact"]);
    let pid = child.pid();
    let asked = [
        (field("pid").eq(pid), Verdict::Exact),
        (cmdline().like("%look=inexact"), Verdict::Inexact),
        (field("cmdline").like("%no such%").or(field("tgid").eq(pid)), Verdict::Inexact),
        (field("tgid").eq(pid).and(field("cmdline[1]").is_not_null()), Verdict::Inexact),
        // The program finds only the beginning of a long path.
        (field("cmdline").like("%").or(field("exe").like("%no such%")), Verdict::Unsupported),
        ((field("cmdline") + 1).eq(2), Verdict::Unsupported),
    ];
    let (conditions, wanted): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let select = Select::new("task").fields(["pid"]);
    let (select, verdicts) = select.push_filters(&running(), &PlanOptions::default(), conditions).unwrap();
    assert_eq!(verdicts, wanted);
    assert_eq!(one(&select, |row| number(&row[0])), u64::from(pid));
    let (none, _) =
        select.push_filters(&running(), &PlanOptions::default(), [cmdline().like("%look=exact")]).unwrap();
    assert_eq!(counted(&none, Scope::All).unwrap(), 0);
}

fn rows_are_sorted_limited_and_counted() {
    let children = ["c", "a", "b"].map(|name| Child::new([format!("look=sorted {name}")]));
    let like =
        format!("cmdline[0] = 'columns' and cmdline like '%look=sorted%' and ppid = {}", std::process::id());
    let pids = |args: &[&str]| -> Vec<u32> {
        let shown = stdout(kwalk(["task", "-f", "pid", "-w", &like, "-o", "ndjson"]).args(args));
        let pid = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap() as u32
        };
        shown.lines().map(pid).collect()
    };
    let sorted = [&children[1], &children[2], &children[0]].map(Child::pid);
    assert_eq!(pids(&["--sort", "cmdline"]), sorted);
    assert_eq!(pids(&["--sort", "cmdline[2] desc", "--limit", "2"]), [sorted[2], sorted[1]]);
    assert_eq!(pids(&["--limit", "1"]).len(), 1);
    assert_eq!(stdout(&mut kwalk(["task", "--count", "-w", &like])), "3\n");
    assert_eq!(
        stdout(&mut kwalk(["task", "--count", "-w", &format!("{like} and pid = {}", sorted[0])])),
        "1\n"
    );
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
         threading.Thread(target=other).start()\nlibc.pthread_exit(None)",
        &["two words", ""],
    );
    let pid = python.pid();
    eventually("the first thread has ended", || crate::columns::child::stat(pid, 3) == "Z");
    assert_eq!(fs::read(format!("/proc/{pid}/cmdline")).unwrap(), b"");
    let select = Select::new("task").fields(["cmdline[3]", "cmdline[4]"]).filter(field("tgid").eq(pid));
    let texts = all(walked(&select, Scope::All).unwrap(), |row| format!("{row:?}")).unwrap();
    assert_eq!(texts, ["[Null, Null]", &format!("{:?}", [Value::Text(b"two words"), Value::Text(b"")])]);
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
