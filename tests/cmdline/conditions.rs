//! Conditions on the arguments of processes, what is computed with them, and who tests what.

use kwalk::Scope;
use kwalk::select::{Plan, PlanOptions, Pushed, Select, Value, Verdict, cmdline, field, sql};

use super::{arguments, long, one};
use crate::columns::child::Child;
use crate::support::rows::{all, counted, number, walked};
use crate::support::{failure, kwalk, running, stdout};

pub(super) fn a_case_can_be_a_column() {
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
pub(super) fn meets(pid: u32, condition: &str) -> bool {
    let condition = sql::expression(condition).unwrap().and(field("pid").eq(pid));
    let select = Select::new("task").fields(["pid"]).filter(condition);
    let rows = all(walked(&select, Scope::All).unwrap(), |row| number(&row[0])).unwrap();
    let count = counted(&select, Scope::All).unwrap();
    assert_eq!(rows, vec![u64::from(pid); count as usize], "{select:?}");
    count == 1
}

pub(super) fn conditions_look_at_whole_texts() {
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

pub(super) fn conditions_are_split() {
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
    assert_eq!(filter("cmdline like '%x%' and tgid = 7").pushed, Some(Pushed::Tgid(7)));
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

pub(super) fn a_plan_says_what_is_tested_where() {
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

pub(super) fn what_is_tested_afterwards_is_inexact() {
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

pub(super) fn rows_are_sorted_limited_and_counted() {
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
