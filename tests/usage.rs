//! What the command says: every bad input has its own message, exit status and hint, and nothing on stdout; what it
//! prints goes to stdout, and a reader that leaves is no error.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use btf_rs::{BtfType, Type};
use kwalk::text::PROGRAMS;
use nix::unistd::gettid;
use tempfile::TempDir;

use crate::support::{Bpffs, Need, Test, dir, failure, kwalk, refused, stdout, test, unique};

const NONE: &[Need] = &[];
const BPF: &[Need] = &[Need::Bpf];
const ROOT: &[Need] = &[Need::Bpf, Need::Root];
const MOUNT: &[Need] = &[Need::Root, Need::Tool("unshare")];
const STRACE: &[Need] = &[Need::Bpf, Need::Tool("strace")];

pub fn tests() -> Vec<Test> {
    vec![
        test("wrong_usage_names_what_is_wrong", NONE, wrong_usage_names_what_is_wrong),
        test("wrong_usage_is_said_like_all_errors", NONE, wrong_usage_is_said_like_all_errors),
        test("a_negative_number_is_no_option", NONE, a_negative_number_is_no_option),
        test("without_a_command_there_is_help", NONE, without_a_command_there_is_help),
        test("an_unknown_program_is_refused_with_near_misses", NONE, an_unknown_program_is_refused),
        test("a_command_name_that_can_t_be_is_refused", NONE, a_command_name_that_can_t_be_is_refused),
        test("a_program_without_command_names_takes_none", BPF, a_program_without_command_names_takes_none),
        test("a_program_without_tasks_takes_no_process", BPF, a_program_without_tasks_takes_no_process),
        test("a_process_that_is_gone_is_refused", BPF, a_process_that_is_gone_is_refused),
        test("a_thread_is_no_process", ROOT, a_thread_is_no_process),
        test("numbers_that_name_no_process_are_refused", BPF, numbers_that_name_no_process_are_refused),
        test("process_and_thread_exclude_each_other", NONE, process_and_thread_exclude_each_other),
        test("a_pin_takes_no_filter_when_it_is_read", ROOT, a_pin_takes_no_filter_when_it_is_read),
        test("another_file_is_no_iterator", NONE, another_file_is_no_iterator),
        test("a_path_that_is_not_there_is_refused", NONE, a_path_that_is_not_there_is_refused),
        test("without_rights_the_capabilities_are_named", ROOT, without_rights_the_capabilities_are_named),
        test("without_rights_the_lists_work", ROOT, without_rights_the_lists_work),
        test("without_rights_the_links_are_secret", ROOT, without_rights_the_links_are_secret),
        test("without_rights_a_pin_opens_by_its_mode", ROOT, without_rights_a_pin_opens_by_its_mode),
        test("without_rights_the_doctor_says_so", ROOT, without_rights_the_doctor_says_so),
        test("without_btf_it_is_asked_for", MOUNT, without_btf_it_is_asked_for),
        test("damaged_btf_is_refused", MOUNT, damaged_btf_is_refused),
        test("a_reader_that_leaves_is_no_error", ROOT, a_reader_that_leaves_is_no_error),
        test("a_closed_stdout_is_an_error", ROOT, a_closed_stdout_is_an_error),
        test("a_full_disk_is_an_error", ROOT, a_full_disk_is_an_error),
        test("messages_that_nobody_reads_change_nothing", &[], messages_that_nobody_reads_change_nothing),
        test("help_and_version_go_to_stdout", NONE, help_and_version_go_to_stdout),
        test("targets_are_those_of_the_kernel_s_types", BPF, targets_are_those_of_the_kernel_s_types),
        test("programs_are_those_of_the_library", NONE, programs_are_those_of_the_library),
        test("the_doctor_tries_every_program", ROOT, the_doctor_tries_every_program),
        test("a_walk_takes_few_calls_and_no_probes", STRACE, a_walk_takes_few_calls_and_no_probes),
    ]
}

// Wrong usage

/// What is wrong on each of these command lines, and a word that the message needs.
const WRONG: &[(&[&str], &str)] = &[
    (&["frobnicate"], "frobnicate"),
    (&["--frobnicate"], "--frobnicate"),
    (&["cat"], "<PROGRAM>"),
    (&["cat", "stacks", "a", "b"], "'b'"),
    (&["cat", "stacks", "--pid"], "--pid"),
    (&["cat", "stacks", "--pid", "0"], "--pid"),
    (&["cat", "stacks", "--pid=-1"], "--pid"),
    (&["cat", "stacks", "--pid", "abc"], "--pid"),
    (&["cat", "stacks", "--pid", "4294967296"], "--pid"),
    (&["cat", "stacks", "--pid", ""], "--pid"),
    (&["cat", "stacks", "--tid", "0"], "--tid"),
    (&["pin", "maps"], "<PATH>"),
    (&["pin", "maps", ""], "PATH"),
    (&["pin", "stacks", "/sys/fs/bpf/x", "--replace", "--pid", "1"], "--replace"),
    (&["unpin"], "<PATH"),
    (&["preload", "extra"], "extra"),
    (&["targets", "extra"], "extra"),
    (&["targets", "--btf"], "--btf"),
    (&["targets", "--btf", ""], "--btf"),
    (&["fields"], "<TARGET>"),
    (&["fields", "task", "comm", "extra"], "extra"),
    (&["fields", "task", "--depth", "-1"], "--depth"),
    (&["fields", "task", "--depth", "x"], "--depth"),
    (&["task", "extra"], "'extra'"),
    (&["task", "-f"], "--fields"),
    (&["task", "-f", "comm", "-f", "pid"], "--fields"),
    (&["task", "-w"], "--where"),
    (&["task", "-o", "xml"], "'xml'"),
    (&["task", "--limit", "-1"], "--limit"),
    (&["task", "--limit", "18446744073709551616"], "--limit"),
    (&["task", "--count", "--sort", "pid"], "--count"),
    (&["task", "--pid", "0"], "--pid"),
    (&["task", "--pid", "1", "--tid", "1"], "--tid"),
];

fn wrong_usage_names_what_is_wrong() {
    for (args, word) in WRONG {
        let said = failure(&mut kwalk(*args), 2);
        let first = said.split("Usage:").next().unwrap();
        assert!(first.contains(word), "{args:?}: {said}");
        assert!(!said.contains("error:"), "{args:?}: {said}");
    }
}

/// One line `kwalk: …` says it all; other lines are hints.
fn wrong_usage_is_said_like_all_errors() {
    for (args, word) in WRONG {
        let said = failure(&mut kwalk(*args), 2);
        let mut lines = said.lines();
        assert!(lines.next().unwrap().contains(word), "{args:?}: {said}");
        assert!(lines.all(|line| line.starts_with("hint: ")), "{args:?}: {said}");
    }
    let said = failure(&mut kwalk(["pan"]), 2);
    assert!(said.contains("\nhint: did you mean pin?"), "{said}");
}

/// A hint to `-- -1` would make a command name of it.
fn a_negative_number_is_no_option() {
    for option in ["--pid", "--tid"] {
        let said = failure(&mut kwalk(["cat", "stacks", option, "-1"]), 2);
        assert_eq!(said, failure(&mut kwalk(["cat", "stacks", &format!("{option}=-1")]), 2));
        assert!(said.contains("'-1'") && said.contains(option), "{said}");
    }
}

/// As of `ip` and others: the help, but on stderr, for nothing was done.
fn without_a_command_there_is_help() {
    let Output { status, stdout: printed, stderr } = kwalk([""; 0]).output().unwrap();
    assert_eq!((status.code(), &printed[..]), (Some(2), &b""[..]));
    assert_eq!(String::from_utf8(stderr).unwrap().trim_end(), stdout(&mut kwalk(["--help"])).trim_end());
}

fn an_unknown_program_is_refused() {
    let names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
    let hint = format!("the programs are {}", names.join(", "));
    refused(&mut kwalk(["cat", "stack"]), 2, "program stack: no such text program", "did you mean stacks?");
    refused(
        &mut kwalk(["cat", "task-file"]),
        2,
        "program task-file: no such text program",
        "mean task_file?",
    );
    refused(&mut kwalk(["cat", "frobnicate"]), 2, "program frobnicate: no such text program", &hint);
    refused(&mut kwalk(["cat", ""]), 2, "program : no such text program", &hint);
}

fn a_command_name_that_can_t_be_is_refused() {
    let sixteen = "sixteen-bytes-xx";
    for program in ["stacks", "files", "task_file"] {
        let message = format!("command name {sixteen}: it has more than 15 bytes, the maximum");
        refused(&mut kwalk(["cat", program, sixteen]), 2, &message, "1 to 15 bytes");
        refused(&mut kwalk(["cat", program, ""]), 2, "command name: it is empty", "1 to 15 bytes");
    }
    // It is bytes that count, and it is said without control characters.
    let message = r"command name \xc3\xa9\x1b[2Jdeuxieme\n...: it has more than 15 bytes, the maximum";
    refused(&mut kwalk(["cat", "stacks", "é\x1b[2Jdeuxieme\n..."]), 2, message, "1 to 15 bytes");
}

fn a_program_without_command_names_takes_none() {
    for program in PROGRAMS.iter().filter(|program| !program.comm) {
        let message =
            format!("program {}: the objects it walks have no command name to filter by", program.name);
        refused(&mut kwalk(["cat", program.name, "bash"]), 2, &message, "");
    }
}

/// The kernel takes the number and ignores it: what is printed would not be what was asked for.
fn a_program_without_tasks_takes_no_process() {
    let number = std::process::id().to_string();
    let programs: Vec<_> =
        PROGRAMS.iter().filter(|program| !program.target.name.starts_with("task")).collect();
    assert!(!programs.is_empty());
    for program in programs {
        for option in ["--pid", "--tid"] {
            let said = failure(&mut kwalk(["cat", program.name, option, &number]), 2);
            let first = said.lines().next().unwrap();
            assert!(first.contains(program.name) || first.contains(&*program.target.name), "{said}");
            // A newer kernel would not help.
            assert!(!said.contains("this kernel") && !said.contains("6.1"), "{said}");
        }
    }
}

fn a_process_that_is_gone_is_refused() {
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let number = child.id().to_string();
    for program in PROGRAMS.iter().filter(|program| program.target.name.starts_with("task")) {
        let message = format!("process {number}: no process with this id");
        refused(&mut kwalk(["cat", program.name, "--pid", &number]), 1, &message, "");
        let message = format!("thread {number}: no thread with this id");
        refused(&mut kwalk(["cat", program.name, "--tid", &number]), 1, &message, "");
    }
}

fn a_thread_is_no_process() {
    // The test's own thread may lead the process; this one doesn't.
    let checks = || {
        let thread = gettid().to_string();
        let message = format!("process {thread}: this is a thread of another process");
        let hint = format!("--tid {thread}");
        refused(&mut kwalk(["cat", "stacks", "--pid", &thread]), 1, &message, &hint);
        // The hint is right.
        let shown = stdout(&mut kwalk(["cat", "stacks", "--tid", &thread]));
        assert_eq!(shown.matches("=== Task: ").count(), 1, "{shown}");
        assert!(shown.contains(&format!("(pid={thread}, tgid={})", std::process::id())), "{shown}");
    };
    std::thread::scope(|scope| scope.spawn(checks).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn numbers_that_name_no_process_are_refused() {
    for number in ["2147483648", "4294967295"] {
        let message = format!("process {number}: no process with this id");
        refused(&mut kwalk(["cat", "stacks", "--pid", number]), 1, &message, "");
        let message = format!("thread {number}: no thread with this id");
        refused(&mut kwalk(["cat", "stacks", "--tid", number]), 1, &message, "");
    }
}

fn process_and_thread_exclude_each_other() {
    let number = std::process::id().to_string();
    let path = "/sys/fs/bpf/pin";
    for command in [&["cat", "stacks"][..], &["pin", "stacks", path]] {
        let said = failure(kwalk(command).args(["--pid", &number, "--tid", &number]), 2);
        let first = said.lines().next().unwrap();
        assert!(first.contains("--pid") && first.contains("--tid"), "{said}");
    }
}

fn a_pin_takes_no_filter_when_it_is_read() {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("pin");
    let path = path.to_str().unwrap();
    stdout(&mut kwalk(["pin", "stacks", path]));
    for filter in [&["bash"][..], &["--pid", "1"], &["--tid", "1"]] {
        let message = format!("{path}: a pinned program can be filtered only when it is pinned");
        refused(kwalk(["cat", path]).args(filter), 2, &message, "--help");
    }
}

fn another_file_is_no_iterator() {
    let dir = dir();
    let file = dir.path().join("file");
    fs::write(&file, "secret").unwrap();
    for path in [file.as_path(), dir.path()] {
        let message = format!("{}: what is pinned there is no iterator", path.display());
        refused(&mut kwalk(["cat", path.to_str().unwrap()]), 1, &message, "");
    }
}

fn a_path_that_is_not_there_is_refused() {
    let dir = dir();
    let path = dir.path().join("pin");
    let path = path.to_str().unwrap();
    let message = format!("{path}: No such file or directory (os error 2)");
    refused(&mut kwalk(["cat", path]), 1, &message, "");
    // Without a slash it would be a program.
    refused(
        kwalk(["cat", "./pin"]).current_dir(&dir),
        1,
        "./pin: No such file or directory (os error 2)",
        "",
    );
}

// Without rights

/// The command, where anybody may run it.
struct Unprivileged(TempDir);

impl Unprivileged {
    fn new() -> Unprivileged {
        let dir = dir();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        // Not by this process, whose children could hold the file open for writing.
        stdout(Command::new("cp").arg(env!("CARGO_BIN_EXE_kwalk")).arg(dir.path()));
        Unprivileged(dir)
    }

    fn kwalk(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.0.path().join("kwalk"));
        command.args(args).stdin(Stdio::null()).current_dir("/").uid(65534).gid(65534);
        command
    }
}

fn without_rights_the_capabilities_are_named() {
    let (nobody, bpffs) = (Unprivileged::new(), Bpffs::mount());
    let before = bpffs.names();
    let (pin, dir) = (bpffs.path("pin"), bpffs.path("kwalk"));
    let (pin, dir) = (pin.to_str().unwrap(), dir.to_str().unwrap());
    let mut commands: Vec<_> = PROGRAMS.iter().map(|program| vec!["cat", program.name]).collect();
    commands.extend([vec!["pin", "maps", pin], vec!["pin", "stacks", pin], vec!["preload", "--dir", dir]]);
    for args in commands {
        let said = failure(&mut nobody.kwalk(&args), 1);
        assert!(said.lines().next().unwrap().ends_with("Operation not permitted (EPERM)"), "{said}");
        let hint = said.lines().nth(1).unwrap_or_default();
        assert!(hint.starts_with("hint: "), "{args:?}: {said}");
        assert!(hint.contains("CAP_BPF") && hint.contains("CAP_PERFMON"), "{args:?}: {said}");
        assert!(hint.contains("missing") && hint.contains("root"), "{args:?}: {said}");
    }
    assert_eq!(bpffs.names(), before);
}

fn without_rights_the_lists_work() {
    let nobody = Unprivileged::new();
    for list in [&["targets"][..], &["programs"], &["fields", "task"]] {
        assert_eq!(stdout(&mut nobody.kwalk(list)), stdout(&mut kwalk(list)));
    }
}

fn without_rights_the_links_are_secret() {
    let message = "BPF_LINK_GET_NEXT_ID: Operation not permitted (EPERM)";
    refused(&mut Unprivileged::new().kwalk(&["links"]), 1, message, "CAP_SYS_ADMIN missing");
}

fn without_rights_a_pin_opens_by_its_mode() {
    let (nobody, bpffs, comm) = (Unprivileged::new(), Bpffs::mount(), unique("nobody"));
    let sleeper = crate::support::Sleeper::named(&comm);
    let path = bpffs.path("pin");
    let text = path.to_str().unwrap();
    stdout(&mut kwalk(["pin", "stacks", text, &comm]));
    let message = format!("{text}: Permission denied (os error 13)");
    refused(&mut nobody.kwalk(&["cat", text]), 1, &message, "until its mode is changed");
    failure(&mut nobody.kwalk(&["unpin", text]), 1);
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    let shown = stdout(&mut nobody.kwalk(&["cat", text]));
    let task = format!("=== Task: {comm} (pid={}, tgid={}) ===\n", sleeper.pid(), sleeper.pid());
    assert!(shown.starts_with(&task), "{shown}");
    assert_eq!(shown, fs::read_to_string(&path).unwrap());
}

fn without_rights_the_doctor_says_so() {
    let Output { status, stdout, stderr } = Unprivileged::new().kwalk(&["doctor"]).output().unwrap();
    let said = String::from_utf8(stdout).unwrap();
    assert_eq!((status.code(), &stderr[..]), (Some(1), &b""[..]), "{said}");
    let mut lines = said.lines();
    let privileges = lines.find(|line| line.contains(" privileges: ")).unwrap();
    assert!(!privileges.starts_with("ok"), "{said}");
    assert!(privileges.contains("CAP_BPF") && privileges.contains("CAP_PERFMON"), "{said}");
    assert!(lines.next().unwrap().trim_start().starts_with("hint: "), "{said}");
    for program in PROGRAMS {
        let line = said.lines().find(|line| line.contains(&format!(" program {}: ", program.name))).unwrap();
        assert!(line.starts_with("failed "), "{said}");
    }
}

// Without types

/// Runs a script, in a mount namespace of its own, with the command as `$0`.
fn apart(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", script, env!("CARGO_BIN_EXE_kwalk")]);
    command
}

const BTF: &str = "/sys/kernel/btf/vmlinux";

fn without_btf_it_is_asked_for() {
    let message = format!("open: {BTF}: No such file or directory (ENOENT)");
    for args in ["cat maps", "targets", "fields task"] {
        let script = format!("mount -t tmpfs none /sys/kernel/btf; exec \"$0\" {args}");
        refused(&mut apart(&script), 1, &message, "CONFIG_DEBUG_INFO_BTF");
    }
    let output = apart("mount -t tmpfs none /sys/kernel/btf; exec \"$0\" doctor").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("failed   types: {message}\n         hint: ")), "{said}");
}

fn damaged_btf_is_refused() {
    let dir = dir();
    let whole = fs::read(BTF).unwrap();
    let mut flipped = whole.clone();
    flipped[8..24].fill(0xff);
    for (nth, bytes) in [&b""[..], b"not BTF at all, yet long enough for a header", &whole[..4096], &flipped]
        .into_iter()
        .enumerate()
    {
        let path = dir.path().join(nth.to_string());
        fs::write(&path, bytes).unwrap();
        for args in ["cat maps", "targets", "fields task"] {
            let script = format!("mount --bind {} {BTF}; exec \"$0\" {args}", path.display());
            failure(&mut apart(&script), 1);
        }
    }
}

// Output

/// Command lines that print.
fn printing(bpffs: &Bpffs) -> Vec<Vec<String>> {
    let path = bpffs.path("pin").to_str().unwrap().to_owned();
    stdout(&mut kwalk(["pin", "stacks", &path]));
    let fixed = [
        "cat stacks",
        "task",
        "task -o table",
        "task -o json --sort comm",
        "task -o csv",
        "task -o raw",
        "task --explain",
        "targets",
        "fields task",
        "programs",
        "links",
        "doctor",
        "--help",
        "--version",
        "cat --help",
    ];
    let split = |line: &str| line.split(' ').map(String::from).collect();
    fixed.into_iter().map(split).chain([vec!["cat".into(), path]]).collect()
}

fn a_reader_that_leaves_is_no_error() {
    let bpffs = Bpffs::mount();
    for args in printing(&bpffs) {
        let mut child = kwalk(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{args:?}");
    }
}

/// Or one that is open for reading alone: what is printed is lost there, too.
fn a_closed_stdout_is_an_error() {
    let bpffs = Bpffs::mount();
    let with = |redirected: &str, args: &[String]| {
        let mut command = Command::new("sh");
        let script = format!("exec \"$0\" \"$@\" {redirected}");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_kwalk")]).args(args);
        command
    };
    for args in printing(&bpffs).into_iter().chain([vec!["task".into(), "--count".into()]]) {
        for closed in [">&-", "<&- >&-", "1</dev/null"] {
            refused(&mut with(closed, &args), 1, "standard output: Bad file descriptor (os error 9)", "");
        }
        // What is discarded as somebody wants it.
        for open in [">/dev/null", "1<>/dev/null"] {
            assert_eq!(stdout(&mut with(open, &args)), "", "{args:?} {open}");
        }
    }
    // Who prints nothing needs no place for it.
    let path = bpffs.path("other").to_str().unwrap().to_owned();
    for args in [vec!["pin".into(), "stacks".into(), path.clone()], vec!["unpin".into(), path]] {
        assert_eq!(stdout(&mut with(">&-", &args)), "", "{args:?}");
    }
}

fn a_full_disk_is_an_error() {
    let bpffs = Bpffs::mount();
    for args in printing(&bpffs) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = kwalk(&args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "kwalk: standard output: No space left on device (os error 28)\n", "{args:?}");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
    }
}

fn messages_that_nobody_reads_change_nothing() {
    for args in [&["cat", "nobody"][..], &["frobnicate"], &[]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        for stderr in [OwnedFd::from(full), OwnedFd::from(writer)] {
            let status = kwalk(args).stderr(stderr).status().unwrap();
            assert_eq!(status.code(), Some(2), "{args:?}");
        }
    }
}

fn help_and_version_go_to_stdout() {
    let commands = ["cat", "pin", "unpin", "preload", "targets", "fields", "programs", "links", "doctor"];
    let help = stdout(&mut kwalk(["--help"]));
    for command in commands {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let own = stdout(&mut kwalk([command, "--help"]));
        assert!(own.contains(&format!("Usage: kwalk {command}")), "{own}");
    }
    assert_eq!(stdout(&mut kwalk(["-h"])), help);
    let own = stdout(&mut kwalk(["task", "-h"]));
    assert!(own.contains("Usage: kwalk TARGET"), "{own}");
    for option in
        ["--fields", "--where", "--sort", "--limit", "--format", "--count", "--pid", "--tid", "--explain"]
    {
        assert!(help.contains(option) && own.contains(option), "{option}: {help}{own}");
    }
    let version = format!("kwalk {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&mut kwalk(["--version"])), version);
    assert_eq!(stdout(&mut kwalk(["-V"])), version);
}

// Lists

/// The first column, without its heading.
fn first_column(text: &str) -> Vec<&str> {
    text.lines().skip(1).map(|row| row.split_whitespace().next().unwrap_or_default()).collect()
}

/// The witness is another reader of the kernel's types: a target has a function and a context.
fn targets_are_those_of_the_kernel_s_types() {
    let bytes = fs::read(BTF).unwrap();
    let btf = btf_rs::Btf::from_bytes(&bytes).unwrap();
    let (mut functions, mut contexts) = (BTreeSet::new(), BTreeSet::new());
    for found in (1..).map_while(|id| btf.resolve_type_by_id(id).ok()) {
        let name = |of: &dyn BtfType| btf.resolve_name(of).unwrap_or_default();
        match &found {
            Type::Func(function) => {
                functions.extend(name(function).strip_prefix("bpf_iter_").map(String::from))
            }
            Type::Struct(context) => {
                contexts.extend(name(context).strip_prefix("bpf_iter__").map(String::from))
            }
            _ => {}
        }
    }
    let targets: Vec<_> = functions.intersection(&contexts).collect();
    assert!(targets.iter().any(|target| *target == "task"), "{targets:?}");
    assert_eq!(first_column(&stdout(&mut kwalk(["targets"]))), targets);
}

fn programs_are_those_of_the_library() {
    let listed = stdout(&mut kwalk(["programs"]));
    let names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
    assert_eq!(first_column(&listed), names);
    for (program, row) in PROGRAMS.iter().zip(listed.lines().skip(1)) {
        assert_eq!(row.split_whitespace().nth(1), Some(&*program.target.name));
        assert_eq!(row.contains("[COMM]"), program.comm);
        assert!(row.ends_with(program.about));
    }
}

fn the_doctor_tries_every_program() {
    let said = stdout(&mut kwalk(["doctor"]));
    for what in ["kernel", "privileges", "types"] {
        assert!(said.contains(&format!("ok       {what}: ")), "{said}");
    }
    let good = |line: &str| {
        Some(line.strip_prefix("ok")?.trim_start().strip_prefix("program ")?.split_once(": ")?.0.to_owned())
    };
    let names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
    assert_eq!(said.lines().filter_map(good).collect::<Vec<_>>(), names, "{said}");
}

// System calls

fn a_walk_takes_few_calls_and_no_probes() {
    const WALK: [&str; 3] = ["BPF_PROG_LOAD", "BPF_LINK_CREATE", "BPF_ITER_CREATE"];
    let pid = std::process::id().to_string();
    assert_eq!(calls(&["cat", "maps"]), WALK);
    assert_eq!(calls(&["cat", "progs"]), WALK);
    let with_maps = [&["BPF_MAP_CREATE"; 2][..], &WALK].concat();
    assert_eq!(calls(&["cat", "stacks"]), with_maps);
    assert_eq!(calls(&["cat", "stacks", "no such name", "--pid", &pid]), with_maps);
}

/// The commands of bpf(2) that the command issues, in order.
fn calls(args: &[&str]) -> Vec<String> {
    let dir = dir();
    let trace = dir.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=bpf", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_kwalk")).args(args);
    let output = strace.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let command = |line: &str| Some(line.split_once("bpf(")?.1.split([',', ' ']).next()?.to_owned());
    read(&trace).lines().filter_map(command).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
