//! What a selection shows is what was asked for: conditions mean in the kernel what they mean outside of it, fields are
//! what /proc says, and what can't be done is refused where it stands.

mod messages;
mod oracle;
mod parts;
mod programs;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use kwalk::progs::{Parameters, available, targets};
use kwalk::select::{
    self, Column, Expr, Pushed, Reason, Row, Select, Value, Walk, field, named_columns, sql,
};
use kwalk::sys::{CgroupOrder, CgroupStart, pidfd_open};
use kwalk::{Error, Loaded, Scope};
use oracle::{Cond, FIELDS, Task};
use proptest::test_runner::{Config, TestRunner};

use crate::support::Need::{Bpf, Root};
use crate::support::helper::{Helper, fds};
use crate::support::rows::{all, counted, opened, walked};
use crate::support::{Need, Sleeper, Test, kernel_version, many_files, running, test, unique};

const PROC: &[Need] = &[Bpf, Root];
/// Paths with their mounts, and arguments.
const LONG: &[Need] = &[Bpf, Root, Need::Kernel(6, 6)];
const VMA: &[Need] = &[Bpf, Need::Target(&targets::task_vma::TARGET)];
const USER: &[Need] = &[Bpf, Need::That("addresses that tell, and bpf_rdonly_cast", tells_addresses)];
const PIDFD: &[Need] = &[Bpf, Root, Need::Kernel(6, 1)];

pub fn tests() -> Vec<Test> {
    vec![
        test("the_kernel_agrees_on_random_conditions", PROC, random_conditions),
        test("fields_are_what_proc_says", PROC, fields_are_what_proc_says),
        test("expressions_can_be_columns", PROC, expressions_can_be_columns),
        test("more_than_a_buffer_is_complete", PROC, more_than_a_buffer_is_complete),
        test("rows_of_several_writes_are_whole", PROC, rows_of_several_writes_are_whole),
        test("patterns_match_what_they_should", PROC, patterns_match_what_they_should),
        test("a_name_is_any_bytes", PROC, a_name_is_any_bytes),
        test("every_named_column_runs", PROC, every_named_column_runs),
        test("the_kernel_counts", PROC, the_kernel_counts),
        test("what_is_kept_may_be_asked_for", PROC, programs::what_is_kept_may_be_asked_for),
        test("what_is_shared_is_read_once", PROC, programs::what_is_shared_is_read_once),
        test("columns_are_as_many_as_there_may_be", PROC, programs::columns_are_as_many_as_there_may_be),
        test("long_texts_count_as_a_whole", LONG, programs::long_texts_count_as_a_whole),
        test("no_arguments_are_read_under_the_lock", VMA, programs::no_arguments_are_read_under_the_lock),
        test("enums_have_names", PROC, enums_have_names),
        test("a_process_is_told_to_the_link", PROC, a_process_is_told_to_the_link),
        test("a_pushed_process_shows_no_more", PROC, a_pushed_process_shows_no_more),
        test(
            "a_thread_s_files_are_found_by_its_number",
            &[Bpf, Root, Need::Kernel(6, 12)],
            a_thread_s_files_are_found_by_its_number,
        ),
        test("a_pidfd_names_a_process", PIDFD, a_pidfd_names_a_process),
        test("what_can_t_be_is_empty", PROC, what_can_t_be_is_empty),
        test("what_a_null_pointer_leads_to_is_unknown", PROC, what_a_null_pointer_leads_to_is_unknown),
        test("what_is_the_process_s_is_null", USER, what_is_the_process_s_is_null),
        test("refusals_say_what_and_where", &[Bpf], messages::refusals_say_what_and_where),
        test("limits_are_refused", &[Bpf], messages::limits_are_refused),
        test("each_instruction_is_of_its_part", &[Bpf], parts::each_instruction_is_of_its_part),
        test("a_rejection_names_its_part", &[Bpf], parts::a_rejection_names_its_part),
        test("what_was_not_parsed_is_named_too", &[Bpf], parts::what_was_not_parsed_is_named_too),
        test("what_is_too_large_is_the_largest_part", &[Bpf], parts::what_is_too_large_is_the_largest_part),
    ]
}

/// The rows of a selection, with what `row` makes of each.
#[track_caller]
pub fn rows<T>(select: &Select, row: impl Fn(&[Value<'_>]) -> T) -> Vec<T> {
    collect(select, row).unwrap_or_else(|error| panic!("{error}: {select:?}"))
}

fn collect<T>(select: &Select, row: impl Fn(&[Value<'_>]) -> T) -> Result<Vec<T>, Error> {
    all(walked(select, Scope::All)?, row)
}

fn number(value: &Value<'_>) -> i128 {
    match *value {
        Value::Int(value) => value.into(),
        Value::Uint(value) => value.into(),
        Value::Bool(value) => value.into(),
        Value::Enum { value, .. } => value,
        ref other => panic!("{other:?} is no number"),
    }
}

fn text(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("{other:?} is no text"),
    }
}

/// What the kernel has of each task that stays as it is, by its number: ours, and those of the kernel that always sleep.
fn population(helpers: &[&Helper]) -> BTreeMap<i128, Task> {
    let select = Select::new("task").fields(FIELDS.iter().map(|(name, _)| *name));
    let walk = || {
        let tasks = collect(&select, |values| {
            FIELDS.iter().map(|(name, _)| *name).zip(values.iter().map(own)).collect::<Task>()
        });
        tasks.unwrap()
    };
    let pids: BTreeSet<i128> =
        helpers.iter().flat_map(|helper| helper.tids()).map(i128::from).chain(2..40).collect();
    let again = walk();
    let tasks = walk().into_iter().filter(|task| again.contains(task)).filter_map(|task| {
        let oracle::Value::Number(pid) = task["pid"] else { return None };
        // The kernel's own threads, without memory.
        let stays =
            task["mm"] == oracle::Value::Null || helpers.iter().any(|h| h.tids().contains(&(pid as u32)));
        (pids.contains(&pid) && stays).then_some((pid, task))
    });
    tasks.collect()
}

fn own(value: &Value<'_>) -> oracle::Value {
    match *value {
        Value::Null => oracle::Value::Null,
        Value::Text(text) => oracle::Value::Text(text.into()),
        Value::Texts(texts) => oracle::Value::Text(texts.joined().collect()),
        Value::Pointer(_) => oracle::Value::Pointer,
        ref value => oracle::Value::Number(number(value)),
    }
}

fn random_conditions() {
    let helpers = [
        Helper::with_threads("kwsel'ä", 3),
        Helper::with_named_thread("kwselect_0123456", "kwsel"),
        Helper::with_names(&["x"]),
        // With arguments of so many bytes.
        Helper::with_names(&[&words(70_000), "y"]),
        Helper::with_names(&[&words(3_000), &words(4_000), "y"]),
        without_arguments(),
        // Some conditions look at arguments: enough of those are long, whichever conditions there are.
        Helper::with_names(&[&words(5_000)]),
        Helper::with_names(&[&words(20_000)]),
        Helper::with_names(&[&words(40_000)]),
    ];
    for (helper, score) in helpers.iter().zip(["500", "1000", "7"]) {
        fs::write(format!("/proc/{}/oom_score_adj", helper.pid()), score).unwrap();
    }
    let tasks = population(&helpers.each_ref());
    assert!(tasks.len() >= 15, "{} tasks", tasks.len());
    let len = |task: &Task, name| match &task[name] {
        oracle::Value::Text(text) => text.len(),
        _ => 0,
    };
    let lengths: Vec<_> = helpers.iter().map(|helper| len(&tasks[&helper.pid().into()], "cmdline")).collect();
    assert!(lengths[3] > 70_000 && lengths[4] > 7_000 && lengths[5] == 0, "{lengths:?}");
    let values = || tasks.values().flat_map(Task::values);
    let known: BTreeSet<i128> = values()
        .filter_map(|value| if let oracle::Value::Number(number) = value { Some(*number) } else { None })
        .collect();
    let texts: BTreeSet<String> = values()
        .filter_map(|value| match value {
            oracle::Value::Text(text) => String::from_utf8(text.clone()).ok(),
            _ => None,
        })
        .filter(|text| text.is_ascii())
        .collect();
    assert!(values().any(|value| *value == oracle::Value::Null));

    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let (run, shown, hidden, refused) = (Cell::new(0u32), Cell::new(0u32), Cell::new(0u32), Cell::new(0u32));
    // How often a text was compared, and one of more than 4,095 bytes.
    let (texts_compared, long) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let conditions = oracle::conditions(&Vec::from_iter(known), &Vec::from_iter(texts));
    let done = runner.run(&conditions, |condition| {
        // With fields that the condition looks at: programs keep what they find for it.
        let said = condition.expr().to_string();
        let names = FIELDS.iter().map(|(name, _)| *name).filter(|name| *name != "pid" && said.contains(name));
        let names: Vec<_> = ["pid"].into_iter().chain(names.take(6)).collect();
        let select = Select::new("task").fields(names.iter().copied()).filter(condition.expr());
        let wanted = |condition: &Cond| -> BTreeSet<i128> {
            let is = |task: &Task| condition.eval(task) == Some(true);
            tasks.iter().filter(|(_, task)| is(task)).map(|(pid, _)| *pid).collect()
        };
        let found =
            collect(&select, |values| (number(&values[0]), values.iter().map(own).collect::<Vec<_>>()));
        let found = match found {
            Ok(found) => found,
            // A literal beside a field that it does not fit, which is a mistake.
            Err(Error::Select(_)) => {
                refused.set(refused.get() + 1);
                return Ok(());
            }
            // More paths than the verifier follows.
            Err(Error::Rejected(rejection)) if rejection.is_too_large() => {
                refused.set(refused.get() + 1);
                return Ok(());
            }
            Err(error) => panic!("{}: {error}", condition.expr()),
        };
        for (pid, values) in found.iter().filter(|(pid, _)| tasks.contains_key(pid)) {
            let wanted: Vec<_> = names.iter().map(|name| tasks[pid][name].clone()).collect();
            proptest::prop_assert_eq!(values, &wanted, "{} of {}", names.join(", "), condition.expr());
        }
        let found: BTreeSet<_> =
            found.into_iter().map(|(pid, _)| pid).filter(|pid| tasks.contains_key(pid)).collect();
        proptest::prop_assert_eq!(&found, &wanted(&condition), "{}", condition.expr());
        run.set(run.get() + 1);
        condition.texts(&mut |name| {
            texts_compared.set(texts_compared.get() + tasks.len() as u32);
            long.set(long.get() + tasks.values().filter(|task| len(task, name) > 4095).count() as u32);
        });
        shown.set(shown.get() + found.len() as u32);
        hidden.set(hidden.get() + (tasks.len() - found.len()) as u32);
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
    // Conditions that nobody, or everybody, meets would prove little.
    let (run, shown, hidden, refused) = (run.get(), shown.get(), hidden.get(), refused.get());
    eprintln!("{run} conditions, {refused} refused, {shown} rows shown, {hidden} not, {} tasks", tasks.len());
    eprintln!("{} texts compared, {} of them of more than 4,095 bytes", texts_compared.get(), long.get());
    assert!(run > refused && shown * 10 > hidden && hidden * 10 > shown && long.get() * 10 > run);
}

/// A text of so many bytes, in which each number occurs once.
fn words(len: usize) -> String {
    let mut text: String = (0..len).map(|nth| format!("{nth} ")).take(len / 2).collect();
    text.truncate(len);
    text
}

/// A process that has set an empty title.
fn without_arguments() -> Helper {
    let helper = Helper::with_names(&["y"]);
    let stat = |nth| crate::columns::child::stat(helper.pid(), nth).parse::<u64>().unwrap();
    let memory = fs::OpenOptions::new().write(true).open(format!("/proc/{}/mem", helper.pid())).unwrap();
    memory.write_all_at(b"\0", stat(48)).unwrap();
    // A title is what does not end where the arguments do.
    memory.write_all_at(b"x", stat(49) - 1).unwrap();
    helper
}

fn fields_are_what_proc_says() {
    let helper = Helper::with_threads(unique("kwp"), 2);
    let pid = helper.pid();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The fields after the name, which begin with number 3.
    let stat: Vec<i128> =
        stat.rsplit(") ").next().unwrap().split(' ').map(|word| word.trim().parse().unwrap_or(-1)).collect();
    let stat = |number: usize| stat[number - 3];
    let fields = [
        "tgid",
        "ppid",
        "comm",
        "threads",
        "prio - 100",
        "mm.start_code",
        "mm.start_stack",
        "exit_signal",
        "policy",
        "uid",
        "start_boottime / 10000000",
        "real_parent.comm",
        "group_leader.pid",
        "mm.start_brk",
        "signal.rlim[4].rlim_cur",
    ];
    let columns: Vec<_> = fields.iter().map(|text| sql::columns(text).unwrap().remove(0)).collect();
    let select = Select::new("task").fields(columns).filter(field("pid").eq(pid));
    let found = rows(&select, |values| {
        let shown = |value: &Value<'_>| match value {
            Value::Text(_) => text(value),
            value => number(value).to_string(),
        };
        values.iter().map(shown).collect::<Vec<_>>()
    });
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let core = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = core
        .lines()
        .find(|line| line.starts_with("Max core"))
        .unwrap()
        .split_whitespace()
        .nth(4)
        .unwrap()
        .to_owned();
    let core = if core == "unlimited" { u64::MAX.to_string() } else { core };
    let wanted = [
        pid.to_string(),
        std::process::id().to_string(),
        comm.trim_end().into(),
        "3".into(),
        stat(18).to_string(),
        stat(26).to_string(),
        stat(28).to_string(),
        stat(38).to_string(),
        stat(41).to_string(),
        "0".into(),
        stat(22).to_string(),
        own.trim_end().into(),
        pid.to_string(),
        stat(47).to_string(),
        core,
    ];
    assert_eq!(found, [wanted], "{fields:?}");
}

fn expressions_can_be_columns() {
    let helper = Helper::with_threads(unique("kwx"), 0);
    let pid = i128::from(helper.pid());
    let list = "pid * 2 as twice, -pid, pid / 0 as nothing, pid % -7 as rest, mm.task_size / (pid - pid) as none, \
                last_siginfo, mm, ~pid & 0xff as low, comm, mm.exe_file.f_path.dentry.d_name.name as exe, start_time";
    let select =
        Select::new("task").fields(sql::columns(list).unwrap()).filter(field("pid").eq(helper.pid()));
    let found = rows(&select, |values| {
        // The kernel has the upper half of the addresses; on s390x all of them, but for the first pages.
        let first = if cfg!(target_arch = "s390x") { 0x1000 } else { 1 << 63 };
        let (null, pointer) =
            (Value::Null, |value: &Value<'_>| matches!(value, Value::Pointer(address) if *address >= first));
        assert_eq!([values[2], values[4], values[5]], [null; 3]);
        assert!(pointer(&values[6]), "{values:?}");
        (number(&values[0]), number(&values[1]), number(&values[3]), number(&values[7]), text(&values[9]))
    });
    let exe = std::env::current_exe().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(found, [(pid * 2, -pid, pid % 7, !pid & 0xff, exe)]);
}

/// Files are shown of one of the threads that share them, whatever the condition says about threads.
fn a_pushed_process_shows_no_more() {
    let kernel = running();
    let helper = Helper::with_threads(unique("kwf"), 1);
    let pid = helper.pid();
    for (condition, pushed, wanted) in [
        (format!("tgid = {pid}"), Some(Pushed::Tgid(pid)), fds(pid)),
        (format!("pid = {pid}"), Some(Pushed::Tid(pid)), fds(pid)),
        (format!("pid = {pid} and tgid <> {pid}"), Some(Pushed::Tid(pid)), vec![]),
        (format!("tgid between {pid} and {pid}"), None, fds(pid)),
    ] {
        let select = Select::new("task_file").fields(["fd"]).filter(sql::expression(&condition).unwrap());
        assert_eq!(select.plan(&kernel).unwrap().pushed, pushed, "{condition}");
        assert_eq!(rows(&select, |values| number(&values[0]) as u32), wanted, "{condition}");
    }
}

/// By its number, the files and mappings of a thread that does not lead its process are found as by a scope.
fn a_thread_s_files_are_found_by_its_number() {
    let helper = Helper::with_threads(unique("kwf"), 1);
    let (pid, tid) = (helper.pid(), helper.tids()[1]);
    for (target, column) in [("task_file", "fd"), ("task_vma", "start")] {
        let of = |condition: &str| {
            let select =
                Select::new(target).fields([column, "pid"]).filter(sql::expression(condition).unwrap());
            rows(&select, |values| (number(&values[0]), number(&values[1]) as u32))
        };
        let (of_first, of_other) = (of(&format!("tgid = {pid}")), of(&format!("pid = {tid}")));
        assert!(of_first.len() > 2 && of_first.iter().all(|(_, thread)| *thread == pid));
        assert_eq!(of_other, of_first.iter().map(|(value, _)| (*value, tid)).collect::<Vec<_>>());
        assert_eq!(of(&format!("pid = {tid} and tgid = {pid}")), of_other);
        let count = |select: &Select, scope| {
            let walk = Walk::plan_count(select, &running(), scope).unwrap();
            walk.prepare().unwrap().count().unwrap() as usize
        };
        let all = Select::new(target);
        let one = all.clone().filter(field("pid").eq(tid));
        assert_eq!(count(&all, Scope::Tid(tid)), of_other.len(), "{target}");
        assert_eq!(count(&one, Scope::Tid(tid)), of_other.len(), "{target}");
        assert_eq!(count(&one, Scope::Pid(pid)), of_other.len(), "{target}");
        assert_eq!(count(&one, Scope::Pid(std::process::id())), 0, "{target}");
    }
}

/// Objects whose rows don't fit the rest of a buffer are shown again, and only once.
fn more_than_a_buffer_is_complete() {
    many_files();
    let helper = Helper::with_files(unique("kwm"), 3000);
    let select = Select::new("task_file")
        .fields(["fd", "pid", "comm", "file.f_path.dentry.d_name.name", "file.f_mode"])
        .filter(field("tgid").eq(helper.pid()));
    let found = rows(&select, |values| (number(&values[0]) as u32, text(&values[3])));
    let names: BTreeSet<_> = found.iter().map(|(_, name)| name.as_str()).collect();
    assert!(names.contains("null"), "{names:?}");
    assert_eq!(found.into_iter().map(|(fd, _)| fd).collect::<Vec<_>>(), fds(helper.pid()));
}

/// Columns that one stack can't hold are written one after the other.
fn rows_of_several_writes_are_whole() {
    let helpers: Vec<_> = (0..3).map(|_| Helper::with_threads(unique("kww"), 40)).collect();
    let part = |nth: u32| Column::from(field("pid") + nth).named(format!("c{nth}"));
    let texts =
        ["comm", "real_parent.comm", "mm.exe_file.f_path.dentry.d_name.name", "nsproxy.uts_ns.name.sysname"];
    let columns = (0..150).map(part).chain(texts.map(Column::from));
    let tgids = helpers.iter().map(Helper::pid);
    let select = Select::new("task").fields(columns).filter(field("tgid").is_in(tgids));
    let found = rows(&select, |values| {
        let pid = number(&values[0]);
        for (nth, value) in values[..150].iter().enumerate() {
            assert_eq!(number(value), pid + nth as i128);
        }
        assert_eq!((text(&values[150]), text(&values[153])), (unique("kww"), "Linux".into()));
        pid as u32
    });
    let mut wanted: Vec<u32> = helpers.iter().flat_map(Helper::tids).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

fn patterns_match_what_they_should() {
    let names = ["a", "ab", "abc", "xabc", "abcx", "ABC", "a%c", "a_c", "0123456789abcde", "a b"];
    // Who they are is in their parents' and their own numbers, not in their names.
    let helpers: Vec<_> = names.iter().map(|name| Helper::with_names(&[name])).collect();
    let pids: BTreeMap<u32, &str> = helpers.iter().map(Helper::pid).zip(names).collect();
    let cases: &[(&str, &[&str])] = &[
        ("abc", &["abc"]),
        ("ab%", &["ab", "abc", "abcx"]),
        ("%bc", &["abc", "xabc"]),
        ("%ab%", &["ab", "abc", "xabc", "abcx", "0123456789abcde"]),
        ("a_c", &["abc", "a%c", "a_c"]),
        ("__", &["ab"]),
        ("%_c", &["abc", "xabc", "a%c", "a_c"]),
        ("%__", &["ab", "abc", "xabc", "abcx", "ABC", "a%c", "a_c", "0123456789abcde", "a b"]),
        ("%____%", &["xabc", "abcx", "0123456789abcde"]),
        ("0123456789abcde", &["0123456789abcde"]),
        ("0123456789abcd_", &["0123456789abcde"]),
        ("%9abcde", &["0123456789abcde"]),
        ("%56789%", &["0123456789abcde"]),
        ("_123%", &["0123456789abcde"]),
        ("", &[]),
        ("%", &names),
        ("%%", &names),
        ("_", &["a"]),
        ("% %", &["a b"]),
    ];
    for (pattern, wanted) in cases {
        let own = field("pid").is_in(pids.keys().copied());
        let shown = |condition: Expr| {
            let select = Select::new("task").fields(["pid"]).filter(own.clone().and(condition));
            rows(&select, |values| pids[&(number(&values[0]) as u32)]).into_iter().collect::<BTreeSet<_>>()
        };
        let wanted: BTreeSet<_> = wanted.iter().copied().collect();
        assert_eq!(shown(field("comm").like(*pattern)), wanted, "{pattern:?}");
        let others = names.iter().copied().filter(|name| !wanted.contains(name)).collect();
        assert_eq!(shown(field("comm").like(*pattern).not()), others, "not {pattern:?}");
        if !pattern.contains(['%', '_']) {
            assert_eq!(shown(field("comm").eq(*pattern)), wanted, "= {pattern:?}");
            assert_eq!(shown(field("comm").ne(*pattern)), others, "<> {pattern:?}");
        }
    }
}

fn a_name_is_any_bytes() {
    let name = "k\n\t\u{1b}'[\"ü";
    let helper = Helper::with_names(&["longer_than_that", name]);
    let select = Select::new("task")
        .fields(["comm"])
        .filter(field("comm").eq(name).and(field("pid").eq(helper.pid())));
    assert_eq!(rows(&select, |values| text(&values[0])), [name]);
}

fn every_named_column_runs() {
    let _sleeper = Sleeper::named(&unique("kwn"));
    let mut wrong = Vec::new();
    for found in available(running().btf).unwrap() {
        let target = &*found.target.name;
        let mut check = |what: &str, select: Select| {
            let null = Cell::new(false);
            let run = ran(&select, |row| {
                null.set(null.get() || row.get(0) == Value::Null && what != "all");
            });
            match run {
                Err(error) if !is_of_others(&error) => wrong.push(format!("{target}.{what}: {error}")),
                Ok(()) if null.get() => wrong.push(format!("{target}.{what}: it is NULL and not NULL")),
                _ => {}
            }
        };
        check("all", Select::new(target));
        for column in named_columns(target) {
            check(
                column.name,
                Select::new(target).fields([column.name]).filter(field(column.name).is_not_null()),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn the_kernel_counts() {
    let count = |select: Select| counted(&select, Scope::All).unwrap();
    let name = unique("kwc");
    let sleepers: Vec<_> = (0..7).map(|_| Sleeper::named(&name)).collect();
    let named = || Select::new("task").filter(field("comm").eq(name.as_str()));
    assert_eq!(count(named()), 7);
    let pid = sleepers[3].pid();
    assert_eq!(count(named().filter(field("tgid").eq(pid))), 1);
    assert_eq!(count(named().filter(field("pid").eq(0).and(field("pid").eq(1)))), 0);
    // Those that call helpers to find out, too.
    let helper = Helper::with_threads(unique("kwct"), 1);
    let files = || Select::new("task_file").filter(field("tgid").eq(helper.pid()));
    assert_eq!(count(files()), fds(helper.pid()).len() as u64);
    let is_null = |fd: &u32| {
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", helper.pid())).unwrap();
        link.ends_with("null")
    };
    let nulls = fds(helper.pid()).iter().filter(|fd| is_null(fd)).count();
    assert_eq!(count(files().filter(field("path").like("%null"))), nulls as u64);
    if kernel_version() >= (5, 11) {
        assert_eq!(
            count(files().filter(field("family").is_null().and(field("fd").ge(0)))),
            fds(helper.pid()).len() as u64
        );
    }
}

/// Whether what is wrong is that the kernel is too old, as is said of a few functions, or has no JIT to call them.
fn is_of_others(error: &Error) -> bool {
    match error {
        Error::Select(error) => match *error.reason {
            Reason::Since { .. } => true,
            Reason::NoJit { .. } => !running().has_jit,
            _ => false,
        },
        _ => false,
    }
}

/// Runs a selection from any target, or loads it, if it wants a map.
fn ran(select: &Select, mut each: impl FnMut(Row<'_>)) -> Result<(), Error> {
    let kernel = running();
    let plan = select.plan(&kernel)?;
    let scope = match plan.target.parameters {
        Parameters::Map => return Loaded::load(&plan.program(&kernel)?).map(|_| ()),
        Parameters::Cgroup => Scope::Cgroup { order: CgroupOrder::DESCENDANTS_PRE, start: CgroupStart::Root },
        _ => Scope::All,
    };
    let mut rows = walked(select, scope)?;
    while let Some(row) = rows.next_row()? {
        each(row);
    }
    Ok(())
}

fn enums_have_names() {
    use kwalk::sys::{MapCreate, MapType, ObjName, bpf};
    let name = unique("kwe");
    let _map =
        bpf(MapCreate { name: ObjName::new(&name), ..MapCreate::new(MapType::ARRAY, 4, 8, 3) }).unwrap();
    let select = |condition: &str| {
        Select::new("bpf_map").fields(["name", "type", "max"]).filter(sql::expression(condition).unwrap())
    };
    let shown = |condition: String| {
        rows(&select(&condition), |values| {
            (
                text(&values[0]),
                matches!(values[1], Value::Enum { value: 2, name: Some("BPF_MAP_TYPE_ARRAY") }),
                number(&values[2]),
            )
        })
    };
    let wanted = [(name.clone(), true, 3)];
    assert_eq!(shown(format!("name = '{name}' and type = BPF_MAP_TYPE_ARRAY")), wanted);
    assert_eq!(
        shown(format!("name = '{name}' and BPF_MAP_TYPE_ARRAY = type and type in (BPF_MAP_TYPE_HASH, 2)")),
        wanted
    );
    assert_eq!(
        shown(format!("name = '{name}' and type between BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_ARRAY")),
        wanted
    );
    assert_eq!(shown(format!("name = '{name}' and type <> BPF_MAP_TYPE_ARRAY")), []);
}

fn a_process_is_told_to_the_link() {
    let kernel = running();
    let helper = Helper::with_threads(unique("kwt"), 2);
    let (pid, tids) = (helper.pid(), helper.tids());
    let cases = [
        (format!("tgid = {pid}"), Some(Pushed::Tgid(pid)), tids.clone()),
        (format!("comm like 'kwt%' and {pid} = tgid"), Some(Pushed::Tgid(pid)), tids.clone()),
        (format!("task.pid = {}", tids[1]), Some(Pushed::Tid(tids[1])), vec![tids[1]]),
        (format!("tgid = {pid} and pid = {}", tids[2]), Some(Pushed::Tid(tids[2])), vec![tids[2]]),
        (format!("tgid = {pid} or pid = {pid}"), None, tids.clone()),
        (format!("real_parent.tgid = {pid}"), None, vec![]),
        // Of nobody, and of one that leads no process: nothing, and no error.
        ("tgid = 2147483647".into(), Some(Pushed::Tgid(i32::MAX as u32)), vec![]),
        (format!("tgid = {}", tids[1]), Some(Pushed::Tgid(tids[1])), vec![]),
        (format!("pid = {pid} and tgid = {}", tids[1]), Some(Pushed::Tid(pid)), vec![]),
    ];
    for (condition, pushed, wanted) in cases {
        let select = Select::new("task").fields(["pid"]).filter(sql::expression(&condition).unwrap());
        assert_eq!(select.plan(&kernel).unwrap().pushed, pushed, "{condition}");
        assert_eq!(rows(&select, |values| number(&values[0]) as u32), wanted, "{condition}");
    }
}

fn a_pidfd_names_a_process() {
    let helper = Helper::with_threads(unique("kwfd"), 2);
    let pidfd = pidfd_open(helper.pid()).unwrap();
    let shown = |target: &str, field| -> Result<Vec<u32>, Error> {
        let rows = opened(target, [field], Scope::PidFd(pidfd.as_fd()))?;
        all(rows, |values| number(&values[0]) as u32)
    };
    assert_eq!(shown("task", "pid").unwrap(), helper.tids());
    match shown("task_file", "fd") {
        Err(Error::NoParameters { since: (6, 12), .. }) => assert!(kernel_version() < (6, 12)),
        files => assert_eq!(files.unwrap(), fds(helper.pid())),
    }
    assert!(matches!(shown("bpf_map", "id"), Err(Error::Scope { .. })));
    // Its number may be another's by now.
    drop(helper);
    match shown("task", "pid") {
        Ok(all) => assert_eq!(all, [0; 0]),
        Err(error) => assert!(matches!(error, Error::Sys(_)), "{error}"),
    }
}

fn what_can_t_be_is_empty() {
    for condition in [
        "1 = 2",
        "pid / 0 = 1",
        "not (pid / 0 = 1)",
        "1 / 0 is not null",
        "comm is null",
        "0",
        "pid = 2 and 1 = 0",
    ] {
        let select = Select::new("task").fields(["pid"]).filter(sql::expression(condition).unwrap());
        assert_eq!(rows(&select, |_| ()), [], "{condition}");
    }
    for condition in
        ["1 = 1", "pid / 0 is null", "(pid = 1 / 0) is unknown", "not (comm is null)", "comm like '%'", "-1"]
    {
        let select = Select::new("task").fields(["pid"]).filter(sql::expression(condition).unwrap());
        assert!(!rows(&select, |_| ()).is_empty(), "{condition}");
    }
}

/// Nobody traces the helper: `last_siginfo` is NULL.
fn what_a_null_pointer_leads_to_is_unknown() {
    let helper = Helper::with_threads(unique("kwn"), 0);
    let many = (1..40).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    for condition in [
        "last_siginfo > 16",
        "last_siginfo <> 16",
        "last_siginfo between 1 and 3",
        "last_siginfo in (1, 2)",
        &format!("last_siginfo in ({many})"),
        "last_siginfo > 16 and pid > 0",
        "last_siginfo.si_signo > 16",
        "ip(last_siginfo.si_signo) = '10.0.0.1'",
        // Four bytes are never this address.
        "ip(last_siginfo.si_signo) = '::1'",
        "cidr(ip(last_siginfo.si_signo), '::/0')",
    ] {
        let shown = |condition: &str| {
            let select = Select::new("task").filter(field("pid").eq(helper.pid()));
            let select = select.filter(sql::expression(condition).unwrap()).fields(["pid"]);
            rows(&select, |values| number(&values[0])) == [i128::from(helper.pid())]
        };
        let all = ["", "not ", "is null", "is not null", "is not true"].map(|test| match test {
            "" | "not " => shown(&format!("{test}({condition})")),
            _ => shown(&format!("({condition}) {test}")),
        });
        assert_eq!(all, [false, false, true, false, true], "{condition}");
    }
}

fn tells_addresses() -> bool {
    let tell = cfg!(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"));
    tell && running().kfunc("bpf_rdonly_cast").is_ok_and(|function| function.is_some())
}

/// The list that the C library has each thread tell the kernel of lies in the process's memory.
fn what_is_the_process_s_is_null() {
    let own = || Select::new("task").filter(field("tgid").eq(std::process::id()));
    // Linux 7.3 has it in a struct of its own.
    let is_there = own().fields(["robust_list"]).plan(&running()).is_ok();
    let list = if is_there { "robust_list" } else { "futex.robust_list" };
    let behind = &*format!("{list}.futex_offset");
    let found = rows(&own().fields([list, behind]), |values| {
        assert_eq!(values[1], Value::Null, "{values:?}");
        values[0] != Value::Null
    });
    if cfg!(target_env = "gnu") {
        assert!(found.contains(&true), "{found:?}");
    }
    for condition in [field(behind).eq(0), field(behind).ne(0), field(behind).is_null().not()] {
        assert_eq!(rows(&own().filter(condition.clone()).fields(["pid"]), |_| ()), [], "{condition}");
    }
}

/// What is wrong with a selection.
#[track_caller]
pub fn mistake(select: &Select) -> select::Error {
    match select.plan(&running()) {
        Err(error) => error,
        Ok(_) => panic!("{select:?} is taken"),
    }
}
