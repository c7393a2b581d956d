//! `kwalk TARGET`: what is asked for is shown, in each format, all of it and once; whatever the names are.

mod messages;
mod terminal;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use kwalk::print::raw::{Error, Reader};
use kwalk::progs::targets;
use kwalk::select::Value;
use kwalk::sys::{MapCreate, MapType, bpf};
use serde_json::Value as Json;

use crate::support::Need::{Bpf, Kernel, Root, Tool};
use crate::support::helper::{Helper, fds};
use crate::support::{Need, Test, dir, failure, kwalk, stdout, test, unique};

const NONE: &[Need] = &[];
const PROC: &[Need] = &[Bpf, Root];
const STRACE: &[Need] = &[Bpf, Root, Tool("strace")];
/// Where the types are mapped, not read: each read is made slow.
const SLOW: &[Need] = &[Bpf, Root, Tool("strace"), Kernel(6, 16)];
const VMAS: &[Need] = &[Bpf, Root, Need::Target(&targets::task_vma::TARGET)];
const TOLD: &[Need] = &[Bpf, Root, Kernel(6, 12)];

pub fn tests() -> Vec<Test> {
    vec![
        test("hostile_names_are_shown_in_each_format", PROC, hostile_names),
        test("each_format_has_each_row_once", PROC, each_format_has_each_row_once),
        test("numbers_are_exact_and_null_is_null", PROC, numbers_are_exact_and_null_is_null),
        test("enums_are_shown_by_name", PROC, enums_are_shown_by_name),
        test("rows_are_sorted_by_any_keys", PROC, rows_are_sorted_by_any_keys),
        test("what_is_null_is_sorted_last", PROC, what_is_null_is_sorted_last),
        test("a_limit_is_kept", PROC, a_limit_is_kept),
        test("the_kernel_counts", PROC, the_kernel_counts),
        test("one_process_or_thread_is_shown", PROC, one_process_or_thread),
        test("one_process_s_mappings_are_shown", VMAS, one_process_s_mappings),
        test("one_thread_s_files_are_shown", TOLD, one_thread_s_files),
        test("raw_rows_know_where_they_end", PROC, raw_rows_know_where_they_end),
        test("a_reader_may_leave", PROC, a_reader_may_leave),
        test("a_walk_that_breaks_off_says_so", STRACE, a_walk_that_breaks_off_says_so),
        test("a_plan_is_explained", &[Bpf], a_plan_is_explained),
        test("options_stand_in_any_order", &[Bpf], options_stand_in_any_order),
        test("messages_say_what_and_where", &[Bpf], messages::messages_say_what_and_where),
        test("what_is_too_large_is_said", &[Bpf], messages::what_is_too_large_is_said),
        test("unknown_words_have_near_misses", &[Bpf], messages::unknown_words_have_near_misses),
        test("a_format_that_is_none_is_refused", NONE, messages::a_format_that_is_none_is_refused),
        test("a_table_fits_the_terminal", PROC, terminal::a_table_fits_the_terminal),
        test("colour_is_for_terminals_that_want_it", PROC, terminal::colour),
        test("raw_rows_are_not_for_a_terminal", &[Bpf], terminal::raw_rows),
        test("a_terminal_is_not_commanded", PROC, terminal::a_terminal_is_not_commanded),
        test("a_long_walk_shows_how_far_it_is", SLOW, terminal::a_long_walk_shows_how_far_it_is),
    ]
}

/// The objects that ndjson has, one a line.
#[track_caller]
fn objects(args: &[&str]) -> Vec<Json> {
    let printed = stdout(kwalk(args).args(["-o", "ndjson"]));
    printed.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// The one column of rows, as numbers.
#[track_caller]
fn numbers(args: &[&str]) -> Vec<u64> {
    let only = |object: &Json| object.as_object().unwrap().values().next().unwrap().as_u64().unwrap();
    objects(args).iter().map(only).collect()
}

fn of(pid: u32) -> String {
    format!("tgid = {pid}")
}

/// What a name looks like to people: control characters, what is not UTF-8 and backslashes are escaped.
fn escaped(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let bytes = char.encode_utf8(&mut buffer);
            out += &match char {
                '\\' => r"\\".to_owned(),
                '\u{202e}' | '\u{200b}' => hex(bytes.as_bytes()),
                _ if char.is_control() => hex(bytes.as_bytes()),
                _ => bytes.to_owned(),
            };
        }
        out += &hex(chunk.invalid());
    }
    out
}

fn hostile_names() {
    let names: [&[u8]; 9] = [
        b"a\nb\r\tc",
        b"\x1b[2J\x1b]0;x\x07",
        b"a,\"b\",'c'\\d",
        b"\xff\xc3(\xf0\x9f",
        "é\u{9b}2J\u{7f}".as_bytes(),
        "名前 🦀".as_bytes(),
        b"- , -",
        b"a\\x0ab",
        "a\u{202e}b\u{200b}".as_bytes(),
    ];
    for name in names {
        let helper = Helper::with_threads(OsStr::from_bytes(name), 0);
        let (pid, condition) = (helper.pid().to_string(), of(helper.pid()));
        let args = ["task", "-f", "tgid,comm,ppid", "-w", &condition];
        let run = |format| stdout(kwalk(args).args(["-o", format]));

        let wanted = match std::str::from_utf8(name) {
            Ok(text) => text.into(),
            // As journalctl writes it.
            Err(_) => Json::from(name),
        };
        for (format, printed) in [("ndjson", run("ndjson")), ("json", run("json"))] {
            let read: Json = serde_json::from_str(&printed).unwrap();
            let row = if format == "json" { &read[0] } else { &read };
            assert_eq!(row["comm"], wanted, "{printed}");
            assert_eq!(row["tgid"], helper.pid(), "{printed}");
            assert_eq!(row["ppid"], std::process::id(), "{printed}");
        }

        // In csv it is what the kernel has.
        let printed = kwalk(args).args(["-o", "csv"]).output().unwrap().stdout;
        let mut reader = csv::Reader::from_reader(&printed[..]);
        assert_eq!(reader.headers().unwrap(), vec!["tgid", "comm", "ppid"]);
        let record = reader.byte_records().next().unwrap().unwrap();
        assert_eq!((&record[0], &record[1]), (pid.as_bytes(), name));
        let own = std::process::id();
        assert!(
            printed.starts_with(b"tgid,comm,ppid\n") && printed.ends_with(format!(",{own}\n").as_bytes())
        );

        let printed = run("table");
        let row = printed.lines().nth(1).unwrap();
        assert!(row.contains(&format!("{pid}  {}", escaped(name))), "{printed}");
        assert_eq!(printed.lines().count(), 2, "{printed}");

        for format in ["ndjson", "json", "table"] {
            let printed = run(format);
            let hidden = |char: char| char.is_control() && char != '\n' || "\u{202e}\u{200b}".contains(char);
            assert!(!printed.contains(hidden), "{format}: {printed:?}");
        }

        let output = kwalk(args).args(["-o", "raw"]).output().unwrap();
        let mut reader = Reader::new(&output.stdout[..]).unwrap();
        let names: Vec<_> = reader.schema().columns().iter().map(|column| column.name.clone()).collect();
        assert_eq!(names, ["tgid", "comm", "ppid"]);
        let row = reader.next_row().unwrap().unwrap();
        assert_eq!(row.get(1), Value::Text(name));
        assert!(reader.next_row().unwrap().is_none());

        // The name can be looked for, too: as a text, or by its bytes.
        let bytes: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = std::str::from_utf8(name).map(|text| format!("'{}'", text.replace('\'', "''")));
        for literal in text.into_iter().chain([format!("x'{bytes}'"), format!("X'{bytes}'")]) {
            for matches in [format!("comm = {literal}"), format!("comm in ('a', {literal})")] {
                let condition = format!("{matches} and {}", of(helper.pid()));
                assert_eq!(numbers(&["task", "-f", "tgid", "-w", &condition]), [u64::from(helper.pid())]);
            }
            let other = format!("comm <> {literal} and {}", of(helper.pid()));
            assert!(numbers(&["task", "-f", "tgid", "-w", &other]).is_empty());
        }
        let start = format!("comm like x'{}25' and {}", &bytes[..4], of(helper.pid()));
        assert_eq!(numbers(&["task", "-f", "tgid", "-w", &start]), [u64::from(helper.pid())]);
    }
}

fn each_format_has_each_row_once() {
    const THREADS: usize = 2_000;
    let helper = Helper::with_threads(unique("many,"), THREADS);
    let condition = of(helper.pid());
    let wanted: Vec<_> = helper.tids().iter().map(u32::to_string).collect();
    assert_eq!(wanted.len(), THREADS + 1);
    for format in ["ndjson", "json", "csv", "table", "raw"] {
        for sort in [&[][..], &["--sort", "comm, tgid + 1"]] {
            let mut command =
                kwalk(["task", "-f", "pid,comm,ppid,utime,start", "-w", &condition, "-o", format]);
            let output = command.args(sort).output().unwrap();
            assert!(output.status.success() && output.stdout.len() > 32 << 10, "{format}");
            let mut found = pids(format, &output.stdout);
            found.sort_unstable_by_key(|pid| pid.parse::<u32>().unwrap());
            assert_eq!(found, wanted, "{format}");
        }
    }
}

/// The first column of what was printed in a format.
fn pids(format: &str, printed: &[u8]) -> Vec<String> {
    let text = || std::str::from_utf8(printed).unwrap();
    match format {
        "ndjson" => text()
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["pid"].to_string())
            .collect(),
        "json" => {
            let all: Vec<Json> = serde_json::from_slice(printed).unwrap();
            all.iter().map(|row| row["pid"].to_string()).collect()
        }
        "csv" => {
            let mut reader = csv::Reader::from_reader(printed);
            reader.records().map(|record| record.unwrap()[0].to_owned()).collect()
        }
        "table" => {
            let rows = text().lines().skip(1);
            rows.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
        }
        _ => {
            let (mut reader, mut found) = (Reader::new(printed).unwrap(), Vec::new());
            while let Some(row) = reader.next_row().unwrap() {
                let Value::Int(pid) = row.get(0) else { panic!("{row:?}") };
                found.push(pid.to_string());
            }
            found
        }
    }
}

fn numbers_are_exact_and_null_is_null() {
    let condition = of(std::process::id());
    let fields = "tgid * 0 + 18446744073709551615 as most, tgid * 0 - 9223372036854775807 as least, \
                  1 / (tgid - tgid) as none, cred, tgid as t";
    let run =
        |format| stdout(&mut kwalk(["task", "-f", fields, "-w", &condition, "--limit", "1", "-o", format]));
    let printed = run("ndjson");
    let numbers = r#"{"most":18446744073709551615,"least":-9223372036854775807,"none":null,"cred":"0x"#;
    let pointer = printed.strip_prefix(numbers).and_then(|rest| rest.split('"').next()).expect(&printed);
    assert!(u64::from_str_radix(pointer, 16).unwrap() > 0xffff, "{printed}");
    assert_eq!(run("json"), format!("[\n{}\n]\n", printed.trim_end()));
    let printed = run("csv");
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("most,least,none,cred,t"));
    let numbers = format!("18446744073709551615,-9223372036854775807,,0x{pointer},");
    assert!(lines.next().unwrap().starts_with(&numbers));
    // A reader of csv skips empty lines, and must not take a text for NULL.
    let helper = Helper::with_threads("NULL", 0);
    let alone = |column| {
        let condition = of(helper.pid());
        let args = ["task", "-f", column, "-w", &condition, "--limit", "1", "-o", "csv"];
        stdout(&mut kwalk(args)).lines().nth(1).unwrap().to_owned()
    };
    assert_eq!([alone("1 / (tgid - tgid)"), alone("comm")], ["NULL", "\"NULL\""]);
    let printed = run("table");
    let mut cells = printed.lines().nth(1).unwrap().split_whitespace();
    assert_eq!(cells.nth(2), Some("-"), "{printed}");
}

fn enums_are_shown_by_name() {
    let map = bpf(MapCreate::new(MapType::ARRAY, 4, 8, 3)).unwrap();
    let id = map.info().unwrap().id;
    let condition = format!("id = {id} and type = BPF_MAP_TYPE_ARRAY");
    for (format, shown) in [
        ("ndjson", "{\"type\":\"BPF_MAP_TYPE_ARRAY\",\"max\":3}\n"),
        ("csv", "type,max\nBPF_MAP_TYPE_ARRAY,3\n"),
        ("table", "TYPE                MAX\nBPF_MAP_TYPE_ARRAY    3\n"),
    ] {
        let mut command = kwalk(["bpf_map", "-f", "type,max", "-w", &condition, "-o", format]);
        assert_eq!(stdout(&mut command), shown);
    }
}

fn rows_are_sorted_by_any_keys() {
    let helper = Helper::with_threads(unique("sort"), 50);
    let condition = of(helper.pid());
    let tids: Vec<u64> = helper.tids().into_iter().map(u64::from).collect();
    let down: Vec<_> = tids.iter().rev().copied().collect();
    let sorted = |fields, keys| numbers(&["task", "-f", fields, "-w", &condition, "--sort", keys]);
    assert_eq!(sorted("pid", "pid"), tids);
    assert_eq!(sorted("pid", "pid DESC"), down);
    assert_eq!(sorted("pid as x", "x desc"), down);
    // What is not shown, what is the same for all, and what is computed.
    assert_eq!(sorted("pid", "comm, -pid, tgid"), down);
    assert_eq!(sorted("pid", "ppid desc, pid asc"), tids);
    let by_rest = sorted("pid", "pid % 7, pid desc");
    let mut wanted = down.clone();
    wanted.sort_by_key(|tid| tid % 7);
    assert_eq!(by_rest, wanted);
    // What is equal stays as it came.
    assert_eq!(sorted("pid", "tgid"), numbers(&["task", "-f", "pid", "-w", &condition]));
    // The name of a column counts before the field of that name.
    assert_eq!(sorted("0 - pid as tgid, pid as pid", "tgid").len(), tids.len());
    // No more is shown than was asked for.
    let rows = objects(&["task", "-f", "pid", "-w", &condition, "--sort", "comm", "--limit", "3"]);
    assert!(rows.len() == 3 && rows.iter().all(|row| row.as_object().unwrap().len() == 1), "{rows:?}");

    let named = Helper::with_named_thread("B", "a\x7f");
    let condition = of(named.pid());
    let texts = |keys| {
        let rows = objects(&["task", "-f", "comm", "-w", &condition, "--sort", keys]);
        rows.iter().map(|row| row["comm"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("comm"), ["B", "a\x7f"]);
    assert_eq!(texts("comm desc"), ["a\x7f", "B"]);
}

fn what_is_null_is_sorted_last() {
    let helper = Helper::with_threads(unique("null"), 4);
    let (condition, tids) = (of(helper.pid()), helper.tids());
    for (direction, mut wanted) in [("asc", tids.clone()), ("desc", tids.iter().rev().copied().collect())] {
        let null = tids[2];
        wanted.retain(|tid| *tid != null);
        wanted.push(null);
        let keys = format!("0 / (pid - {null}), pid {direction}");
        let found = numbers(&["task", "-f", "pid", "-w", &condition, "--sort", &keys]);
        assert_eq!(found, wanted.iter().map(|tid| u64::from(*tid)).collect::<Vec<_>>());
        let found =
            numbers(&["task", "-f", "pid", "-w", &condition, "--sort", &keys.replace(", pid", " desc, pid")]);
        assert_eq!(found.last(), Some(&u64::from(null)));
    }
}

fn a_limit_is_kept() {
    for (limit, rows) in [("0", 0), ("1", 1), ("7", 7)] {
        for sort in [&[][..], &["--sort", "pid desc"]] {
            let run = |format| {
                let mut command = kwalk(["task", "-f", "pid", "--limit", limit, "-o", format]);
                stdout(command.args(sort))
            };
            assert_eq!(run("ndjson").lines().count(), rows);
            assert_eq!(serde_json::from_str::<Vec<Json>>(&run("json")).unwrap().len(), rows);
            assert_eq!(run("csv").lines().count(), 1 + rows);
            assert_eq!(run("table").lines().count(), 1 + rows);
        }
    }
    assert_eq!(stdout(&mut kwalk(["task", "--limit", "0", "-o", "json"])), "[]\n");
}

fn the_kernel_counts() {
    let helper = Helper::with_threads(unique("count"), 100);
    let (pid, condition) = (helper.pid().to_string(), of(helper.pid()));
    for (args, count) in [
        (&["task", "-w", &condition][..], 101),
        (&["task", "--pid", &pid], 101),
        (&["task", "--tid", &pid], 1),
        (&["task_file", "--pid", &pid], fds(helper.pid()).len()),
        (&["task", "-w", "tgid = 0"], 0),
    ] {
        assert_eq!(stdout(kwalk(args).arg("--count")), format!("{count}\n"), "{args:?}");
    }
    let shown = stdout(&mut kwalk(["task", "--count", "--explain", "-w", &condition]));
    assert!(shown.contains("row           none: it counts\n") && !shown.contains("COLUMN"), "{shown}");
}

fn one_process_or_thread() {
    let helper = Helper::with_threads(unique("told"), 5);
    let (pid, tids) = (helper.pid().to_string(), helper.tids());
    let wanted: Vec<u64> = tids.iter().map(|tid| u64::from(*tid)).collect();
    assert_eq!(numbers(&["task", "-f", "pid", "--pid", &pid]), wanted);
    for tid in &tids {
        assert_eq!(numbers(&["task", "-f", "pid", "--tid", &tid.to_string()]), [u64::from(*tid)]);
        let condition = format!("pid <> {tid}");
        assert!(objects(&["task", "--tid", &tid.to_string(), "-w", &condition]).is_empty());
    }
    let files: Vec<u64> = fds(helper.pid()).into_iter().map(u64::from).collect();
    assert_eq!(numbers(&["task_file", "-f", "fd", "--pid", &pid]), files);
}

fn one_process_s_mappings() {
    let helper = Helper::with_threads(unique("maps"), 0);
    let pid = helper.pid().to_string();
    let starts = numbers(&["task_vma", "-f", "start", "--pid", &pid]);
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let hex = |line: &str| u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
    // The page that the kernel shows of itself is no mapping of the process.
    let maps: Vec<_> = maps.lines().filter(|line| !line.ends_with("[vsyscall]")).map(hex).collect();
    assert_eq!(starts, maps);
}

fn one_thread_s_files() {
    let helper = Helper::with_threads(unique("files"), 1);
    let files: Vec<u64> = fds(helper.pid()).into_iter().map(u64::from).collect();
    let tid = helper.tids().into_iter().find(|tid| *tid != helper.pid()).unwrap().to_string();
    assert_eq!(numbers(&["task_file", "-f", "fd", "--tid", &tid]), files);
}

fn raw_rows_know_where_they_end() {
    let helper = Helper::with_threads(unique("raw"), 3);
    let condition = of(helper.pid());
    let fields = "pid, comm, signal.nr_threads, mm.exe_file.f_path.dentry.d_name.name as exe";
    let mut command = kwalk(["task", "-f", fields, "-w", &condition, "--sort", "utime", "-o", "raw"]);
    let whole = command.output().unwrap().stdout;
    let read = |bytes: &[u8]| -> Result<usize, Error> {
        let mut reader = Reader::new(bytes)?;
        let mut rows = 0;
        while let Some(row) = reader.next_row()? {
            assert_eq!(row.values().count(), 4);
            rows += 1;
        }
        Ok(rows)
    };
    assert_eq!(read(&whole).unwrap(), 4);
    for len in 0..whole.len() {
        assert!(matches!(read(&whole[..len]), Err(Error::Cut)), "{len} of {}", whole.len());
    }
    // Whatever is changed, it is read or refused.
    for at in 0..whole.len() {
        for change in [0, 1, 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            let _ = read(&changed);
        }
    }
    let wrong = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        read(&changed).unwrap_err().to_string()
    };
    assert_eq!(wrong(0, b"K"), "these are no rows that `kwalk -o raw` has written");
    assert_eq!(wrong(6, &7u16.to_ne_bytes()), "these rows are of version 7, not 1");
    assert_eq!(
        wrong(8, &0x0403_0201u32.to_ne_bytes()),
        "these rows are of a machine of the other byte order"
    );
    assert_eq!(wrong(whole.len() - 16, &[9]), "these are not as many rows as there were");
}

fn a_reader_may_leave() {
    let helper = Helper::with_threads(unique("leave"), 2_000);
    for format in ["ndjson", "json", "csv", "table", "raw"] {
        let mut command = kwalk(["task", "-w", &of(helper.pid()), "-o", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = Vec::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_until(b'k', &mut line).unwrap();
        let (mut stderr, mut said) = (child.stderr.take().unwrap(), String::new());
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{format}");
    }
}

/// The last read of a walk fails: all rows have come, but nobody has said that it is the end.
fn a_walk_that_breaks_off_says_so() {
    let (helper, dir) = (Helper::with_threads(unique("breaks"), 0), dir());
    let (pid, trace) = (helper.pid(), dir.path().join("trace"));
    let run = |options: &[&str], inject: &[&str]| {
        let mut strace = Command::new("strace");
        strace.args(["-e", "trace=read", "-o"]).arg(&trace).args(inject).arg(env!("CARGO_BIN_EXE_kwalk"));
        strace.args(["task", "-f", "tgid", "-w", &of(pid)]).args(options);
        let output = strace.output().unwrap();
        let reads = fs::read_to_string(&trace).unwrap().matches("read(").count();
        (output, reads)
    };
    let broken = |options: &[&str]| {
        let (whole, reads) = run(options, &[]);
        assert!(whole.status.success() && whole.stderr.is_empty(), "{whole:?}");
        let (broken, _) = run(options, &["-e", &format!("inject=read:error=EIO:when={reads}")]);
        // Its name is libc's: musl has another than glibc.
        let error = std::io::Error::from_raw_os_error(nix::libc::EIO);
        let said = format!("kwalk: read: the walk broke off after 4 bytes of output: {error}\n");
        assert_eq!(
            (broken.status.code(), std::str::from_utf8(&broken.stderr)),
            (Some(1), Ok(said.as_str())),
            "{options:?}"
        );
        broken.stdout
    };
    for (options, shown) in [
        (&["-o", "ndjson"][..], format!("{{\"tgid\":{pid}}}\n")),
        (&["-o", "json"], format!("[\n{{\"tgid\":{pid}}}")),
        (&["-o", "csv"], format!("tgid\n{pid}\n")),
        (&["-o", "table"], format!("{:>1$}\n{pid:>4}\n", "TGID", pid.to_string().len())),
        // Which rows come first is not known before the end.
        (&["-o", "json", "--sort", "tgid"], String::new()),
    ] {
        assert_eq!(String::from_utf8(broken(options)).unwrap(), shown, "{options:?}");
    }
    let printed = broken(&["-o", "raw"]);
    let mut reader = Reader::new(&printed[..]).unwrap();
    assert_eq!(reader.next_row().unwrap().unwrap().get(0), Value::Int(pid.into()));
    assert!(matches!(reader.next_row(), Err(Error::Cut)));
}

fn a_plan_is_explained() {
    let condition = "(ppid > 3 or cred.uid.val in (1, 2)) and comm like 'a%' and tgid = 1";
    let args = ["task", "--explain", "-w", condition, "-f", "tgid,ppid as p,comm", "--sort", "nvcsw desc"];
    let shown = stdout(&mut kwalk(args));
    let (plan, rest) = shown.split_once("\n\n").unwrap();
    let (columns, listing) = rest.split_once("\n\n").unwrap();
    let lines: Vec<_> = plan.lines().collect();
    assert_eq!(lines[0], "target        task");
    let link =
        if crate::support::kernel_version() >= (6, 1) { "pid = 1" } else { "nothing: it walks all objects" };
    assert_eq!(lines[1], format!("link          {link}"));
    // What costs least comes first.
    let condition =
        "comm LIKE 'a%' AND tgid = 1 AND (real_parent.tgid > 3 OR (cred.uid.val = 1 OR cred.uid.val = 2))";
    assert_eq!(lines[2], format!("condition     {condition}"));
    let columns: Vec<Vec<_>> = columns.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(columns[0], ["COLUMN", "FROM", "TYPE", "OFFSET", "SIZE"]);
    assert_eq!(columns[1][..3], ["tgid", "tgid", "i32"]);
    assert_eq!(columns[2][..3], ["p", "real_parent.tgid", "i32"]);
    assert_eq!(columns[3][..3], ["comm", "comm", "text"]);
    assert_eq!(columns[4].join(" ").split(" u64").next().unwrap(), "nvcsw (to sort by) nvcsw");
    // No two values share a byte, and the row has all of them.
    let row: usize =
        lines[3].strip_prefix("row           ").unwrap().strip_suffix(" bytes").unwrap().parse().unwrap();
    let mut taken = BTreeSet::new();
    for column in &columns[1..] {
        let [at, size] = [2, 1].map(|back| column[column.len() - back].parse::<usize>().unwrap());
        assert!((at..at + size).all(|byte| taken.insert(byte)) && at + size <= row, "{shown}");
    }
    let count: usize = lines[4].strip_prefix("instructions  ").unwrap().parse().unwrap();
    let instructions: Vec<_> = listing.lines().filter(|line| line.starts_with(' ')).collect();
    assert_eq!(instructions.len(), count);
    assert!(instructions.last().unwrap().ends_with("exit"));
    // Nothing is printed of a plan that can't be.
    failure(&mut kwalk(["task", "--explain", "-w", "x"]), 2);
}

fn options_stand_in_any_order() {
    let plan = stdout(&mut kwalk(["task", "-f", "tgid", "--explain"]));
    let btf = "/sys/kernel/btf/vmlinux";
    for args in [
        &["-v", "task", "-f", "tgid", "--explain"][..],
        &["--btf", btf, "task", "-f", "tgid", "--explain"],
        &["--explain", "-ftgid", "task"],
        &["task", "--fields=tgid", "--explain", "--btf", btf],
    ] {
        assert_eq!(stdout(&mut kwalk(args)), plan, "{args:?}");
    }
}
