//! What is said of selections that can't be done.

use crate::support::{failure, kwalk};
use kwalk::select::{COLUMNS_MAX, Column, Reason, Select, field, sql};

use super::mistake;

/// A target, a condition, what is marked of it, the first line of the message, words of the hint.
const REFUSED: &[(&str, &str, &str, &str, &str)] = &[
    ("task", "tgdi = 1", "tgdi", "tgdi: there is no such column or field", "tgid"),
    (
        "task",
        "real_parent.com = 'a'",
        "real_parent.com",
        "real_parent.com: there is no such column or field",
        "real_parent.comm",
    ),
    (
        "task_file",
        "file.f_flag = 1",
        "file.f_flag",
        "file.f_flag: there is no such column or field",
        "file.f_flags",
    ),
    ("task", "comm = 5", "5", "5 is a number, where a text is needed", ""),
    ("task", "tgid = '12'", "'12'", "'12' is a text, where a number is needed", "without quotes"),
    ("task", "comm + 1 = 2", "comm", "comm is a text, where a number is needed", ""),
    ("task", "tgid like '1%'", "tgid", "tgid is a number, where a text is needed", ""),
    ("task", "comm like tgid", "tgid", "tgid is a number, where a text in quotes is needed", ""),
    (
        "task",
        "comm = real_parent.comm",
        "real_parent.comm",
        "a comparison of two texts can't be done in the kernel",
        "compare what comes out",
    ),
    (
        "tcp",
        "sport = 1 and src = dst",
        "dst",
        "a comparison of two addresses can't be done in the kernel",
        "compare what comes out",
    ),
    (
        "task",
        "mm <> active_mm",
        "active_mm",
        "a comparison of two pointers can't be done in the kernel",
        "compare what comes out",
    ),
    ("task", "comm < 'a'", "'a'", "the order of texts can't be done in the kernel", ""),
    (
        "task",
        "comm = 'seventeen bytes!!'",
        "'seventeen bytes!!'",
        "this text has 17 bytes, and what it is compared with has at most 15",
        "LIKE 'systemd-journa%'",
    ),
    (
        "task",
        "comm in ('sixteen bytes !!', 'a')",
        "'sixteen bytes !!'",
        "this text has 16 bytes, and what it is compared with has at most 15",
        "LIKE",
    ),
    (
        "task",
        "comm like '%sixteen bytes _!%'",
        "'%sixteen bytes _!%'",
        "this text has 16 bytes, and what it is compared with has at most 15",
        "LIKE",
    ),
    (
        "task",
        "tgid = 5000000000",
        "5000000000",
        "5000000000 does not fit tgid, which is from -2147483648 to 2147483647",
        "",
    ),
    (
        "task",
        "cred.uid.val in (1, -1)",
        "-1",
        "-1 does not fit cred.uid.val, which is from 0 to 4294967295",
        "",
    ),
    ("task", "sched_reset_on_fork = 2", "2", "2 does not fit sched_reset_on_fork, which is from 0 to 1", ""),
    (
        "task",
        "pid = 99999999999999999999",
        "99999999999999999999",
        "99999999999999999999 is no number of at most 64 bits",
        "",
    ),
    ("task", "mm", "mm", "mm is a pointer, where a condition is needed", "mm IS NOT NULL"),
    (
        "task",
        "mm = 0",
        "0",
        "mm is a pointer: as 0 it is NULL, and no comparison with NULL is ever true",
        "mm IS NULL",
    ),
    ("task", "mm + 1 > 2", "mm", "mm is a pointer, where a number is needed", "mm.FIELD"),
    ("task", "mm like 'a%'", "mm", "mm is a pointer, where a text is needed", "mm.FIELD"),
    (
        "task",
        "cred.uid = 0",
        "cred.uid",
        "cred.uid is a struct, where a number, a text or a pointer is needed",
        "cred.uid.FIELD",
    ),
    (
        "task",
        "signal.rlim = 0",
        "signal.rlim",
        "signal.rlim is an array, where a number, a text or a pointer is needed",
        "signal.rlim[0]",
    ),
    ("task", "tgid = null", "null", "a comparison with NULL is never true", "IS NULL"),
    ("task", "comm", "comm", "comm is a text, where a condition is needed", ""),
    ("task", "pid << 64 = 0", "64", "numbers have 64 bits, and can't be shifted by 64", ""),
    (
        "task",
        "pid = 1 and comm like 'a%b'",
        "'a%b'",
        "% is allowed only at the start and the end of a pattern",
        "two patterns",
    ),
    (
        "task",
        "(pid = 1) = 1",
        "pid = 1",
        "pid = 1 is a condition, where a number, a text or a pointer is needed",
        "",
    ),
    (
        "tcp",
        "argv() like 'x'",
        "argv",
        "a function of tasks for a target without tasks can't be done in the kernel",
        "",
    ),
    ("task_file", "cmdline like 'x'", "cmdline", "cmdline: there is no such column or field", "cmdline()"),
    ("task", "rss > 100M", "100M", "100M is no number of at most 64 bits", "in quotes: '100M'"),
    ("task", "(utime > 1.5ms)", "1.5ms", "1.5ms is no number of at most 64 bits", "in quotes: '1.5ms'"),
    ("task", "comm like 'a' junk", "junk", "the end is expected here", ""),
    ("task", "comm ilike 'a'", "comm ilike 'a'", "ILIKE can't be done in the kernel", ""),
    (
        "task",
        "comm like 'a' escape 'b'",
        "comm like 'a'",
        "LIKE with ESCAPE or ANY can't be done in the kernel",
        "",
    ),
    ("task", "pid in (select 1)", "pid in (select 1)", "a subquery can't be done in the kernel", ""),
    ("task", "case when pid = 1 then comm end = 1", "comm", "comm is a text, where a number is needed", ""),
    (
        "task",
        "lower(comm) = 'a'",
        "lower(comm)",
        "lower: there is no such function",
        "the functions are ntohs",
    ),
    ("task", "pid = 1 and comm || 'a' = 'b'", "comm || 'a'", "this operator can't be done in the kernel", ""),
    ("task", "pid = 1.5", "1.5", "a number with a fraction or an exponent can't be done in the kernel", ""),
    ("task", "pid = x'10'", "x'10'", "x'10' is a text, where a number is needed", ""),
    (
        "task",
        "signal.rlim[pid].rlim_cur = 1",
        "signal.rlim[pid].rlim_cur",
        "this index can't be done in the kernel",
        "",
    ),
    ("task", "pid = ", "", "the expression ends here, where more is expected", ""),
    ("task", "", "", "the expression ends here, where more is expected", ""),
    ("task", "pid = )", ")", "`)` is not expected here", ""),
    ("task", "comm = 'a", "'a", "the quote that begins here is not closed", ""),
    (
        "bpf_map",
        "type = BPF_MAP_TYPE_ARAY",
        "BPF_MAP_TYPE_ARAY",
        "BPF_MAP_TYPE_ARAY: there is no such column or field",
        "BPF_MAP_TYPE_ARRAY",
    ),
];

pub(crate) fn refusals_say_what_and_where() {
    for &(target, condition, marked, message, hint) in REFUSED {
        let error = match sql::expression(condition) {
            Err(error) => error,
            Ok(condition) => mistake(&Select::new(target).fields(["pid"]).filter(condition)),
        };
        let shown = error.to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], message, "{condition}");
        assert_eq!(error.span.as_ref().map(|span| span.excerpt()), Some(marked), "{condition}");
        let (text, carets) = (lines[1], lines[2]);
        assert_eq!(text, format!("  {condition}"));
        assert_eq!(carets.len() - carets.trim_start().len(), 2 + error.span.as_ref().unwrap().range().start);
        // The command shows the same, and knows what to do.
        let said = failure(&mut kwalk([target, "--where", condition]), 2);
        let hinted = said.strip_prefix(&format!("kwalk: {shown}\n")).unwrap_or_else(|| panic!("{said}"));
        assert_eq!(hinted.is_empty(), hint.is_empty(), "{condition}: {hinted}");
        assert!(
            hint.is_empty() || hinted.starts_with("hint: ") && hinted.contains(hint),
            "{condition}: {hinted}"
        );
    }
}

pub(crate) fn limits_are_refused() {
    let reason = |select: &Select| *mistake(select).reason;
    let task = |count: usize| {
        let column = |nth| Column::from(field("pid") + nth as u32).named(format!("c{nth}"));
        Select::new("task").fields((0..count).map(column))
    };
    assert_eq!(reason(&task(0)), Reason::Columns(0));
    assert_eq!(reason(&task(COLUMNS_MAX + 1)), Reason::Columns(501));
    assert_eq!(reason(&Select::new("task").fields(["pid", "pid"])), Reason::SameName("pid".into()));
    // A text that several columns show is in the row once.
    let texts = (0..130).map(|nth| {
        let parents = "real_parent.".repeat(nth / 60);
        Column::from(&*format!("{parents}files.fd_array[{}].f_path.dentry.d_name.name", nth % 60))
    });
    assert_eq!(reason(&Select::new("task").fields(texts)), Reason::RowSize(130 * 258));
    let deep = (0..300).fold(field("pid"), |deep, _| deep + 1).eq(1);
    assert_eq!(reason(&task(1).filter(deep)), Reason::TooComplex);
    let one = sql::columns("'a' as b").unwrap();
    assert!(matches!(reason(&Select::new("task").fields(one)), Reason::Kind { needs: "a field", .. }));
    let cmdline = sql::columns("cmdline()").unwrap();
    assert!(
        matches!(reason(&Select::new("tcp").fields(cmdline)), Reason::Unsupported(what) if what.contains("of tasks"))
    );
    // Patterns that are longer than programs can look for, in texts that may be longer or not.
    for (name, message) in [
        ("exe", "this pattern has 300 bytes, and one that begins with % can have at most 208"),
        ("comm", "this text has 300 bytes, and what it is compared with has at most 15"),
    ] {
        let condition = format!("{name} like '%{}%'", "x".repeat(300));
        let said = failure(&mut kwalk(["task", "-w", &condition]), 2);
        assert!(said.starts_with(&format!("kwalk: {message}\n")), "{said}");
    }
    for list in [
        "tgid comm",
        "tgid,",
        "tgid, , comm",
        ",",
        "",
        "*",
        "tgid as",
        "tgid as 'x'",
        "count(*)",
        "tgid; comm",
    ] {
        assert!(sql::columns(list).is_err(), "{list}");
    }
    // Parentheses alone are no depth.
    let nested = format!("{}pid{} = 1", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(sql::expression(&nested), Ok(field("pid").eq(1)));
    let nested = format!("{}pid{} = 1", "(".repeat(300), " + 1)".repeat(300));
    assert_eq!(sql::expression(&nested).unwrap_err().reason.as_ref(), &Reason::TooComplex);
    let long = vec!["pid = 1"; 600].join(" or ");
    assert_eq!(sql::expression(&long).unwrap_err().reason.as_ref(), &Reason::TooComplex);
    let columns = |count| (0..count).map(|nth| format!("pid + {nth} AS c{nth}")).collect::<Vec<_>>();
    let select = Select::new("task").fields(sql::columns(&columns(COLUMNS_MAX + 1).join(", ")).unwrap());
    assert_eq!(reason(&select), Reason::Columns(501));
    // A list may be long, but no expression in it.
    let list = format!("pid, {long}, tgid");
    assert_eq!(sql::columns(&list).unwrap_err().reason.as_ref(), &Reason::TooComplex);
    let list = format!("pid, f({}), tgid", vec!["pid = 1"; 600].join(", "));
    assert_eq!(sql::columns(&list).unwrap_err().reason.as_ref(), &Reason::TooComplex);
    let sum = vec!["pid"; 400].join(" + ");
    assert_eq!(sql::expression(&sum).unwrap_err().reason.as_ref(), &Reason::TooComplex);
    let sum = vec!["pid"; 2000].join(" + ");
    assert_eq!(sql::expression(&sum).unwrap_err().reason.as_ref(), &Reason::TooComplex);
}
