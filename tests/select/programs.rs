//! Programs of shapes that are easily got wrong: counting with calls, what is kept and NULL all the same, long texts.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use kwalk::asm::Insn;
use kwalk::select::{COLUMNS_MAX, Reason, Select, Value, argv, field, sql};

use super::mistake;
use super::{number, rows};
use crate::support::helper::Started;
use crate::support::{eventually, kernel_version, running, unique};

/// What is kept is not NULL, and still may be asked whether it is: the program must have a way to what follows.
pub(crate) fn what_is_kept_may_be_asked_for() {
    for condition in [
        "ppid > 0 and ((real_parent.comm is null and uid = 0 and gid = 0) or tgid = 1)",
        "ppid > 0 and (tgid in (1, 2, 3) or real_parent.comm is null and uid = 0)",
        "mm.total_vm > 0 and (tgid in (1, 2, 3) or mm.map_count is null)",
        "vsize > 0 and ((vsize is null and uid = 0 and gid = 0) or tgid = 1)",
        "utime + stime >= 0 and utime + stime <> 1",
    ] {
        let fields = ["tgid", "ppid", "real_parent.comm", "mm.map_count", "vsize"];
        let select = Select::new("task").fields(fields).filter(sql::expression(condition).unwrap());
        // The verifier took it, and what is shown has what was kept.
        for vsize in rows(&select, |values| values[4] != Value::Null) {
            assert!(vsize || !condition.starts_with("vsize") && !condition.starts_with("mm."), "{condition}");
        }
    }
}

/// A number that a condition requires and a column shows is computed once, and so is a text that two columns show: else the
/// two could differ.
pub(crate) fn what_is_shared_is_read_once() {
    let kernel = running();
    let calls = |columns: &str, condition: &str| {
        let select = Select::new("task").fields(sql::columns(columns).unwrap());
        let program = select.filter(sql::expression(condition).unwrap()).plan(&kernel).unwrap();
        let program = program.program(&kernel).unwrap();
        let is_call = |insn: &&Insn| matches!(insn, Insn::CallHelper { .. });
        program.code.insns().iter().filter(is_call).count()
    };
    assert_eq!(calls("stack, stack as again", "pid = 1"), calls("stack", "pid = 1"));
    if kernel_version() >= (6, 2) {
        for condition in ["rss_exact > 5", "rss_exact > pid", "pid < rss_exact", "rss_exact + pid > 1"] {
            let (without, with) = (calls("pid", condition), calls("pid, rss_exact as again", condition));
            // What is a part of something else is computed again.
            assert_eq!(with == without, !condition.contains('+'), "{condition}");
        }
        // The row shows what the condition has read.
        let select = Select::new("task").fields(["rss_exact", "real_parent.tgid"]);
        let select = select.filter(sql::expression("rss_exact > 4096 and real_parent.tgid > 0").unwrap());
        let found = rows(&select, |values| (number(&values[0]), number(&values[1])));
        assert!(
            !found.is_empty() && found.iter().all(|(rss, parent)| *rss > 4096 && *parent > 0),
            "{found:?}"
        );
    }
}

pub(crate) fn columns_are_as_many_as_there_may_be() {
    let list: Vec<_> = (0..COLUMNS_MAX).map(|nth| format!("tgid * 2 + {nth} AS c{nth}")).collect();
    let select = Select::new("task").fields(sql::columns(&list.join(", ")).unwrap());
    let pid = std::process::id();
    let found =
        rows(&select.filter(field("pid").eq(pid)), |values| values.iter().map(number).collect::<Vec<_>>());
    let wanted: Vec<_> = (0..COLUMNS_MAX as i128).map(|nth| i128::from(pid) * 2 + nth).collect();
    assert_eq!(found, [wanted]);
}

pub(crate) fn long_texts_count_as_a_whole() {
    let top = std::env::temp_dir().join(unique("kwlong"));
    let dir = top.join("d".repeat(200)).join("e".repeat(200));
    fs::create_dir_all(&dir).unwrap();
    let program = dir.join("sleeper");
    fs::copy("/proc/self/exe", &program).unwrap();
    let long = format!("{}END", "x".repeat(2_500));
    // This test binary, as a helper that waits.
    let mut command = Command::new(&program);
    let child = Started::new(command.arg0(&long).args(["--helper", "files", "1"]));
    let pid = child.pid();
    let is = |condition: &str| {
        let condition = sql::expression(condition).unwrap();
        let select = Select::new("task").fields(["pid"]).filter(field("pid").eq(pid).and(condition));
        !rows(&select, |values| number(&values[0])).is_empty()
    };
    eventually("it runs that program", || is("exe like '%/sleeper'"));
    let path = program.to_str().unwrap();
    let searches_all = kernel_version() >= (6, 4) && running().has_jit;
    let many: Vec<_> = (0..30).map(|nth| format!("'/x{nth}'")).collect();
    let many = many.join(", ");
    let almost = format!("{}x", &path[..path.len() - 1]);
    for (condition, wanted) in [
        (&*format!("exe = '{path}'"), true),
        (&format!("exe = '{almost}'"), false),
        (&format!("exe <> '{almost}'"), true),
        (&format!("exe like '{}%'", &path[..path.len() - 3]), true),
        (&format!("exe like '{path}_%'"), false),
        (&format!("exe in ('{path}', {many})"), true),
        (&format!("exe in ('{almost}', {many})"), false),
        ("exe like '%eee/sleeper'", true),
        ("exe like '%ddd/eee%'", true),
        ("exe like '%ddd_eee%'", true),
        ("exe like '%eee/ddd%'", false),
        ("exe like '%/sleepe'", false),
        ("exe = '/'", false),
        ("argv() like '%END --helper files 1'", true),
        ("argv() like 'xxx%'", true),
        ("argv() like '%xxxx%'", true),
        // Where the verifier follows each position, only the first are searched, and what that can't tell is neither.
        ("argv() like '%xEND%'", searches_all),
        ("not argv() like '%xEND%'", false),
        ("cmdline like '%xEND%'", true),
        ("not exe like '%nothing%'", true),
    ] {
        assert_eq!(is(condition), wanted, "{condition} of {path}");
    }
    drop(child);
    fs::remove_dir_all(&top).unwrap();
}

/// The walk of mappings holds the lock that it takes to read a process's memory.
pub(crate) fn no_arguments_are_read_under_the_lock() {
    let of = |select: Select| mistake(&select).reason;
    let mut found = vec![of(Select::new("task_vma").fields([argv()]))];
    found.push(of(Select::new("task_vma").fields(["tgid"]).filter(argv().like("a%"))));
    assert!(found.iter().all(|reason| matches!(**reason, Reason::Unsupported(_))), "{found:?}");
}
