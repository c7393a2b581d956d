//! What is refused, and how that is said.

use crate::support::{failure, kwalk, refused};

/// Whole messages: the exit status is 2 for what the user typed.
pub(crate) fn messages_say_what_and_where() {
    let carets = |args: &[&str], said: &str| assert_eq!(failure(&mut kwalk(args), 2), said, "{args:?}");
    carets(
        &["task", "-f", "tgid,comn"],
        "kwalk: comn: there is no such column or field\n  tgid,comn\n       ^^^^\nhint: did you mean comm?\n",
    );
    carets(
        &["task", "-w", "comm = 1"],
        "kwalk: 1 is a number, where a text is needed\n  comm = 1\n         ^\n",
    );
    carets(
        &["task", "-w", "comm like 'a' junk"],
        "kwalk: the end is expected here\n  comm like 'a' junk\n                ^^^^\n",
    );
    carets(
        &["task", "--sort", "comm nulls first"],
        "kwalk: a comma, ASC, DESC or the end is expected here\n  comm nulls first\n       ^^^^^\n",
    );
    carets(&["task", "--sort", "5"], "kwalk: 5 is a constant, where a field is needed\n  5\n  ^\n");
    carets(&["task", "--sort", "'x'"], "kwalk: 'x' is a constant, where a field is needed\n  'x'\n  ^^^\n");
    carets(
        &["task", "-f", "real_parent.cred.uid"],
        "kwalk: real_parent.cred.uid is a struct, where a number, a text or a pointer is needed\n  \
         real_parent.cred.uid\n  ^^^^^^^^^^^^^^^^^^^^\nhint: name one of its fields: real_parent.cred.uid.FIELD\n",
    );
    for (args, said, hint) in [
        (
            ["tcp", "-w", "state = 'OPEN'"],
            "'OPEN' is not one of its names",
            "ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1",
        ),
        (
            ["tcp", "-w", "family = 'ipv4'"],
            "'ipv4' is not one of its names",
            "did you mean unix, inet, inet6, netlink",
        ),
        (
            ["udp", "-w", "state = 'OPEN'"],
            "'OPEN' is not one of its names",
            "did you mean ESTABLISHED, UNCONN?",
        ),
        (
            ["tcp", "-w", "sport = '80'"],
            "'80' is a text, where a number is needed",
            "numbers are written without quotes",
        ),
        (["tcp", "-w", "sport = 'http'"], "'http' is a text, where a number is needed", ""),
        (
            ["tcp", "-w", "src = '::1/128'"],
            "'::1/128' is not an IP address, but a network: cidr(ADDRESS, 'IP/BITS') tests it",
            "",
        ),
        (
            ["tcp", "-w", "src = '[::1]:80'"],
            "'[::1]:80' is not an IP address alone; the port is a column of its own",
            "",
        ),
        (
            ["ipv6_route", "-w", "gateway = 'fe80::1%2'"],
            "'fe80::1%2' is not an IP address; here, none has a device after %",
            "",
        ),
    ] {
        let whole = failure(&mut kwalk(args), 2);
        let lines: Vec<_> = whole.lines().collect();
        assert_eq!(lines[0], format!("kwalk: {said}"), "{whole}");
        let hinted = lines.get(3).copied().unwrap_or_default();
        assert!(hinted.contains(hint) && hinted.is_empty() == hint.is_empty(), "{whole}");
    }
    refused(
        &mut kwalk(["bpf_prog", "--pid", "1"]),
        2,
        "target bpf_prog: it can't be walked with these parameters",
        "always walked as a whole",
    );
    let number = u32::MAX.to_string();
    refused(
        &mut kwalk(["task", "--pid", &number]),
        1,
        &format!("process {number}: no process with this id"),
        "",
    );
    refused(
        &mut kwalk(["task", "--tid", &number]),
        1,
        &format!("thread {number}: no thread with this id"),
        "",
    );
}

/// It is what the user typed that is too much; what the verifier said of it is there for who wants it.
pub(crate) fn what_is_too_large_is_said() {
    // Each search has two jumps for each place where the text may begin, of which verifiers remember 8,192.
    let name = "mm.exe_file.f_path.dentry.d_name.name";
    let arms: Vec<_> = (0..8).map(|nth| format!("when {name} like '%needle_{nth}%' then {nth}")).collect();
    let list = format!("case {} end = 1", arms.join(" "));
    let (condition, list) = (format!("pid > 1 and {list}"), list.split_at(80).0);
    let whole = failure(&mut kwalk(["task", "-w", &condition]), 2);
    let lines: Vec<_> = whole.lines().collect();
    let said = format!(
        "kwalk: selection: it is too large for the kernel's verifier, most of all the condition `{list}…`"
    );
    assert_eq!((lines[0], lines.len()), (&*said, 4), "{whole}");
    assert!(lines[2].starts_with(&format!("  {:12}^^^^", "")), "{whole}");
    let hint =
        "hint: a shorter condition, or fewer columns: select more than you need, and filter what comes out";
    assert_eq!(lines[3], hint);
    let verbose = kwalk(["-v", "task", "-w", &condition]).output().unwrap();
    let log = String::from_utf8(verbose.stderr).unwrap();
    assert!(log.ends_with(&whole) && log.contains("\n; the condition `pid > 1`"), "{log}");
}

pub(crate) fn unknown_words_have_near_misses() {
    for (word, hint) in [
        ("tsk", "did you mean task?"),
        ("pan", "did you mean pin?"),
        ("targts", "did you mean targets?"),
        ("bpf_maps", "did you mean bpf_map"),
        ("frobnicate", "`kwalk --help` lists the commands, `kwalk targets` what this kernel can walk"),
        ("\x1b[2J", "`kwalk --help` lists the commands"),
    ] {
        let shown = word.replace('\x1b', "\\x1b");
        let message = format!("{shown}: there is no such command or target");
        refused(&mut kwalk([word]), 2, &message, hint);
        refused(&mut kwalk([word, "-f", "comm", "-o", "json"]), 2, &message, hint);
    }
}

pub(crate) fn a_format_that_is_none_is_refused() {
    refused(
        &mut kwalk(["task", "-o", "xml"]),
        2,
        "invalid value 'xml' for '--format <FORMAT>'",
        "it can be table, ndjson, json, csv, raw",
    );
}
