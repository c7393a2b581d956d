//! kwalk-btf against other readers of the kernel's types: the same two questions, from opening the file on, in a process
//! that runs already and in one that starts for it.

use std::env::current_exe;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use aya_obj::btf::BtfKind;
use btf_rs::{Backend, Type};
use kwalk::KernelBtf;
use kwalk::btf::{Btf, Kind};
use libbpf_rs::btf::{BtfType, ReferencesType, types};

use crate::race::{Course, Row, Unit, median};

/// The first argument of a process that is to answer one question.
pub(crate) const COLD: &str = "--cold";

/// The same, for what memory that takes.
pub(crate) const MEMORY: &str = "--memory";

/// How often a process is asked for its memory.
const PROCESSES: usize = 15;

/// What memory is told in, in kB.
const PAGE: i64 = 4;

/// How a reader answers a question: with an id, or with the offsets of two loads.
type Answer = fn() -> u64;

struct Reader {
    name: &'static str,
    function: Answer,
    /// Not every reader tells of members.
    member: Option<Answer>,
}

/// The first is ours.
const READERS: &[Reader] = &[
    Reader { name: "kwalk", function: kwalk_function, member: Some(kwalk_member) },
    Reader {
        name: "btf-rs 2.0, mapped",
        function: || btf_rs_function(Backend::Mmap),
        member: Some(|| btf_rs_member(Backend::Mmap)),
    },
    Reader {
        name: "btf-rs 2.0, cached",
        function: || btf_rs_function(Backend::Cache),
        member: Some(|| btf_rs_member(Backend::Cache)),
    },
    Reader { name: "libbpf 1.7", function: libbpf_function, member: Some(libbpf_member) },
    Reader { name: "aya-obj 0.3", function: aya_function, member: None },
];

struct Question {
    what: &'static str,
    answer: fn(&Reader) -> Option<Answer>,
}

const QUESTIONS: &[Question] = &[
    Question { what: "`bpf_iter_task`", answer: |reader| Some(reader.function) },
    Question { what: "`task_struct.real_parent.tgid`", answer: |reader| reader.member },
];

pub(crate) fn races() -> Vec<Row> {
    let mut rows = Vec::new();
    for (nth, Question { what, answer }) in QUESTIONS.iter().enumerate() {
        for (peer, theirs) in READERS.iter().enumerate().skip(1) {
            let (Some(ours), Some(their_answer)) = (answer(&READERS[0]), answer(theirs)) else { continue };
            assert_eq!(ours(), their_answer(), "{what}: {}", theirs.name);
            let course = |what: &str| Course::new(what, Unit::Time, theirs.name);
            rows.push(course(&format!("find {what}")).run(ours, their_answer));
            rows.push(course("the same, cold").run_beyond(
                || process(COLD, None),
                || process(COLD, Some((0, nth))),
                || process(COLD, Some((peer, nth))),
            ));
            let peak = |ask| median((0..PROCESSES).map(|_| process(MEMORY, ask)).collect());
            let nothing = peak(None);
            let [ours, theirs_kb] = [0, peer].map(|reader| (peak(Some((reader, nth))) - nothing).max(PAGE));
            rows.push(Row::less("the same, memory", "kB", ours as f64, theirs_kb as f64, theirs.name));
        }
    }
    rows
}

/// A process that asks, or one that does nothing: how much memory it had at most, in kB.
fn process(mode: &str, ask: Option<(usize, usize)>) -> i64 {
    let mut command = Command::new(current_exe().expect("its own path"));
    command.arg(mode);
    if let Some((reader, question)) = ask {
        command.args([reader.to_string(), question.to_string()]);
    }
    let output = command.output().expect("it starts");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// What such a process does.
pub(crate) fn answer(mode: &str, args: impl Iterator<Item = String>) {
    if mode == MEMORY {
        touch_code();
    }
    let numbers: Vec<usize> = args.map(|arg| arg.parse().expect("a number")).collect();
    if let [reader, question] = numbers[..] {
        let answer = (QUESTIONS[question].answer)(&READERS[reader]).expect("it can answer");
        std::hint::black_box(answer());
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    println!("{}", peak.expect("in kB").trim());
}

/// Has all of this program in memory, and of its libraries: the kernel maps some 16 pages around each that is touched, so
/// that it would say more of where a reader's code lies among that of the others than of what the reader needs.
fn touch_code() {
    // Not given back: else the reader would find its memory here.
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc is there").leak();
    let memory = File::open("/proc/self/mem").expect("/proc is there");
    for line in maps.lines().filter(|line| line.contains(" r") && line.contains('/')) {
        let (range, _) = line.split_once(' ').expect("a range");
        let (start, end) = range.split_once('-').expect("two ends");
        let [start, end] = [start, end].map(|end| u64::from_str_radix(end, 16).expect("an address"));
        for page in (start..end).step_by(4096) {
            memory.read_exact_at(&mut [0], page).expect("it can be read");
        }
    }
}

fn offsets(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

fn kwalk_function() -> u64 {
    let kernel = KernelBtf::open().expect("the kernel has BTF");
    let btf = Btf::new(kernel.bytes()).expect("it is BTF");
    btf.find(Kind::Func, "bpf_iter_task").expect("there").0.into()
}

fn kwalk_member() -> u64 {
    let kernel = KernelBtf::open().expect("the kernel has BTF");
    let btf = Btf::new(kernel.bytes()).expect("it is BTF");
    let task = btf.find(Kind::Struct, "task_struct").expect("there");
    let path = btf.path(task, "real_parent.tgid").expect("there");
    offsets(path.hops[0].offset, path.field.offset)
}

fn btf_rs(backend: Backend) -> btf_rs::Btf {
    btf_rs::Btf::from_file_with_backend(KernelBtf::PATH, backend).expect("the kernel has BTF")
}

fn btf_rs_function(backend: Backend) -> u64 {
    let btf = btf_rs(backend);
    let ids = btf.resolve_ids_by_name("bpf_iter_task").expect("there");
    let is_function = |id: &&u32| matches!(btf.resolve_type_by_id(**id), Ok(Type::Func(_)));
    (*ids.iter().find(is_function).expect("a function")).into()
}

fn btf_rs_member(backend: Backend) -> u64 {
    let btf = btf_rs(backend);
    let types = btf.resolve_types_by_name("task_struct").expect("there");
    let task = types.into_iter().find_map(|ty| if let Type::Struct(task) = ty { Some(task) } else { None });
    let task = task.expect("a struct");
    let member = |of: &btf_rs::Struct, name: &str| {
        let named = |member: &&btf_rs::Member| btf.resolve_name(*member).is_ok_and(|found| found == name);
        of.members.iter().find(named).cloned().expect("a member")
    };
    let parent = member(&task, "real_parent");
    let behind = btf.chained_type_iter(&parent);
    let pointee = behind.filter_map(|ty| if let Type::Struct(of) = ty { Some(of) } else { None }).next();
    let tgid = member(&pointee.expect("a struct"), "tgid");
    offsets(parent.bit_offset() / 8, tgid.bit_offset() / 8)
}

fn libbpf_function() -> u64 {
    use libbpf_rs::libbpf_sys::{BTF_KIND_FUNC, btf__find_by_name_kind, btf__free, btf__load_vmlinux_btf};
    // The safe wrapper finds a name's first type only, whatever its kind.
    // SAFETY: no arguments; the name ends with a zero byte; what was loaded is freed once, and not used afterwards.
    let id = unsafe {
        let btf = btf__load_vmlinux_btf();
        assert!(!btf.is_null(), "the kernel has BTF");
        let id = btf__find_by_name_kind(btf, c"bpf_iter_task".as_ptr(), BTF_KIND_FUNC);
        btf__free(btf);
        id
    };
    id.try_into().expect("there")
}

fn libbpf_member() -> u64 {
    let btf = libbpf_rs::btf::Btf::from_vmlinux().expect("the kernel has BTF");
    let task: types::Struct<'_> = btf.type_by_name("task_struct").expect("there");
    let member = |of: &types::Struct<'_>, name: &str| {
        let member = of.iter().find(|member| member.name.is_some_and(|found| found == name));
        let member = member.expect("a member");
        let types::MemberAttr::Normal { offset } = member.attr else { panic!("a bitfield") };
        (offset / 8, member.ty)
    };
    let (parent, pointer) = member(&task, "real_parent");
    let pointer: types::Ptr<'_> = btf
        .type_by_id::<BtfType<'_>>(pointer)
        .expect("there")
        .skip_mods_and_typedefs()
        .try_into()
        .expect("a pointer");
    let pointee: types::Struct<'_> =
        pointer.referenced_type().skip_mods_and_typedefs().try_into().expect("a struct");
    offsets(parent, member(&pointee, "tgid").0)
}

fn aya_function() -> u64 {
    let btf = aya_obj::btf::Btf::from_sys_fs().expect("the kernel has BTF");
    btf.id_by_type_name_kind("bpf_iter_task", BtfKind::Func).expect("there").into()
}
