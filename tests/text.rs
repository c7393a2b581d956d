//! What the text programs print is what the kernel's other witnesses say: /proc, bpftool, and what the test itself made.

#[path = "support/helper.rs"]
mod helper;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, ExitCode};

use kwalk::sys::{
    BtfLoad, ElemFlags, FuncInfo, MapCreate, MapDeleteElem, MapFd, MapFlags, MapType, MapUpdateElem, ObjName,
    ProgBtf, ProgFd, ProgLoad, ProgType, bpf,
};
use kwalk::text::{self, Only, Options};
use kwalk::{KernelBtf, Loaded, Parameters, btf::Btf};

use helper::{HIGH_FD, Helper, fds, numbers};
use support::Need::{Bpf, Kernel, Root, Tool};
use support::{Need, Sleeper, counts_elements, dir, kernel_version, kwalk, refused, stdout, test, unique};

/// Other processes' stacks and files are root's to see.
const PROC: &[Need] = &[Bpf, Root];

fn main() -> ExitCode {
    if let Some(done) = helper::main() {
        return done;
    }
    support::main(vec![
        test("maps_shows_every_map_with_its_entries", &[Bpf], maps_shows_every_map_with_its_entries),
        test("maps_agrees_with_bpftool", &[Bpf, Root, Tool("bpftool")], maps_agrees_with_bpftool),
        test("progs_shows_names_and_what_they_attach_to", &[Bpf], progs_shows_names_and_what_they_attach_to),
        test("progs_prefers_the_function_name", &[Bpf, Kernel(6, 1)], progs_prefers_the_function_name),
        test("progs_agrees_with_bpftool", &[Bpf, Root, Tool("bpftool")], progs_agrees_with_bpftool),
        test("stacks_shows_exactly_the_sleepers", PROC, stacks_shows_exactly_the_sleepers),
        test("stacks_tells_alike_names_apart", PROC, stacks_tells_alike_names_apart),
        test("stacks_shows_every_thread", PROC, stacks_shows_every_thread),
        test("stacks_of_one_process_or_thread", PROC, stacks_of_one_process_or_thread),
        test("files_shows_what_a_sleeper_inherits", PROC, files_shows_what_a_sleeper_inherits),
        test("files_shows_all_kinds_of_file", PROC, files_shows_all_kinds_of_file),
        test("files_of_one_process_or_thread", PROC, files_of_one_process_or_thread),
        test("a_program_looks_for_a_process_itself", PROC, a_program_looks_for_a_process_itself),
        test("task_file_shows_the_same_files", PROC, task_file_shows_the_same_files),
        test("no_match_prints_nothing", &[Bpf], no_match_prints_nothing),
        test("a_name_is_compared_to_its_end_alone", PROC, a_name_is_compared_to_its_end_alone),
        test("a_hostile_name_is_escaped", PROC, a_hostile_name_is_escaped),
        test("a_line_feed_in_a_name_makes_no_row", PROC, a_line_feed_in_a_name_makes_no_row),
    ])
}

fn cat<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let mut command = kwalk(["cat"]);
    stdout(command.args(args))
}

/// What a look at /proc and a walk give, once the look is the same before and after the walk.
#[track_caller]
fn settled<T: PartialEq, U>(look: impl Fn() -> T, walk: impl Fn() -> U) -> (T, U) {
    for _ in 0..200 {
        let (before, walked) = (look(), walk());
        if look() == before {
            return (before, walked);
        }
    }
    panic!("never the same before and after a walk");
}

// maps

fn maps_header() -> &'static str {
    if counts_elements() {
        "  id name             max_entries  cur_entries"
    } else {
        "  id name             max_entries"
    }
}

fn map_row(id: u32, name: &str, max_entries: u32, entries: u64) -> String {
    if counts_elements() {
        format!("{id:>4} {name:<16}  {max_entries:>10}   {entries:>10}")
    } else {
        format!("{id:>4} {name:<16}{max_entries:>6}")
    }
}

/// The rows of `cat maps` by id; each id but once.
#[track_caller]
fn rows<'t>(text: &'t str, header: &str) -> BTreeMap<u32, &'t str> {
    let mut lines = text.strip_suffix('\n').expect("the last line ends").split('\n');
    assert_eq!(lines.next(), Some(header));
    let mut rows = BTreeMap::new();
    for line in lines {
        let id = line.split_whitespace().next().and_then(|id| id.parse().ok());
        let id = id.unwrap_or_else(|| panic!("{line:?} begins with no id"));
        assert_eq!(rows.insert(id, line), None, "{id} comes twice");
    }
    rows
}

fn map(map_type: MapType, name: &str, flags: MapFlags, (key, value, entries): (u32, u32, u32)) -> MapFd {
    let create =
        MapCreate { name: ObjName::new(name), flags, ..MapCreate::new(map_type, key, value, entries) };
    bpf(create).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn insert(map: &MapFd, keys: std::ops::Range<u32>) {
    let value = vec![0; map.value_size()];
    for key in keys {
        let update = MapUpdateElem { map, key: &key.to_ne_bytes(), value: &value, flags: ElemFlags::NOEXIST };
        bpf(update).expect("an element");
    }
}

fn maps_shows_every_map_with_its_entries() {
    let prefix = unique("m");
    let mut expected = Vec::new();
    let mut add = |map: &MapFd, name: &str, max_entries, entries| {
        expected.push((map.info().unwrap().id, name.to_owned(), max_entries, entries));
    };

    let mut maps = Vec::new();
    let sizes = [(1, 0), (1, 1), (7, 3), (1000, 999), (4096, 1), (100_000, 321)];
    for (nth, (max_entries, entries)) in (0..).zip(sizes) {
        for (letter, map_type, flags) in [
            ("h", MapType::HASH, MapFlags::empty()),
            ("n", MapType::HASH, MapFlags::NO_PREALLOC),
            ("a", MapType::ARRAY, MapFlags::empty()),
        ] {
            let name = format!("{prefix}{letter}{nth}");
            let map = map(map_type, &name, flags, (4, 8, max_entries));
            let is_array = map_type == MapType::ARRAY;
            if !is_array {
                insert(&map, 0..entries);
            }
            // An array has no count: its elements are always all there.
            add(&map, &name, max_entries, if is_array { 0 } else { entries });
            maps.push(map);
        }
    }
    // Far fewer elements than room, or the kernel would begin to forget them.
    let name = format!("{prefix}_lru");
    let lru = map(MapType::LRU_HASH, &name, MapFlags::empty(), (4, 100, 10_000));
    insert(&lru, 0..50);
    add(&lru, &name, 10_000, 50);
    // What was removed does not count, wherever it was removed.
    let name = format!("{prefix}_del");
    let deleted = map(MapType::HASH, &name, MapFlags::empty(), (4, 4, 64));
    insert(&deleted, 0..40);
    for key in 10..40u32 {
        bpf(MapDeleteElem { map: &deleted, key: &key.to_ne_bytes() }).unwrap();
    }
    insert(&deleted, 100..105);
    add(&deleted, &name, 64, 15);
    // Before 5.11 all that it may come to is charged beforehand.
    let most = if kernel_version() < (5, 11) { 1_000_000 } else { 2_000_000_000 };
    for (name, map_type, flags, sizes) in [
        ("x", MapType::PERCPU_ARRAY, MapFlags::empty(), (4, 8, 3)),
        ("", MapType::PERCPU_HASH, MapFlags::empty(), (16, 8, 12)),
        ("fifteen_letters", MapType::LRU_PERCPU_HASH, MapFlags::empty(), (4, 8, 512)),
        ("all_ten_columns", MapType::LPM_TRIE, MapFlags::NO_PREALLOC, (8, 1, most)),
    ] {
        let map = map(map_type, name, flags, sizes);
        add(&map, name, sizes.2, 0);
        maps.push(map);
    }

    let text = cat(["maps"]);
    let rows = rows(&text, maps_header());
    assert!(expected.len() >= 20);
    for (id, name, max_entries, entries) in expected {
        assert_eq!(rows.get(&id), Some(&&*map_row(id, &name, max_entries, u64::from(entries))), "{name}");
    }
    assert!(rows.keys().is_sorted() && text.lines().skip(1).map(|row| row[..4].trim()).all(|id| id != "0"));
}

/// What `bpftool KIND show` says: each object's id and its lines.
fn bpftool(kind: &str) -> BTreeMap<u32, String> {
    let text = stdout(Command::new("bpftool").args([kind, "show"]));
    let mut objects: BTreeMap<u32, String> = BTreeMap::new();
    for line in text.lines() {
        if !line.starts_with(char::is_whitespace) {
            let id = line.split(':').next().and_then(|id| id.parse().ok());
            objects.insert(id.unwrap_or_else(|| panic!("{line:?} begins with no id")), String::new());
        }
        let mut last = objects.last_entry().expect("an object's first line is not indented");
        writeln!(last.get_mut(), "{line}").unwrap();
    }
    objects
}

/// The word that follows `key` in what bpftool says.
fn word<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == key)?;
    words.next()
}

/// Walks between two looks by bpftool, and gives the rows of the objects that were there all the time. Rows of objects
/// in neither look can only be of such as have come after the first.
#[track_caller]
fn between<'t>(
    walked: &'t (BTreeMap<u32, String>, String, BTreeMap<u32, String>),
    header: &str,
) -> Vec<(u32, &'t str, &'t str)> {
    let (before, text, after) = walked;
    let rows = rows(text, header);
    let last = before.last_key_value().map_or(0, |(id, _)| *id);
    for id in rows.keys().filter(|id| !before.contains_key(id) && !after.contains_key(id)) {
        assert!(*id > last, "{id}: bpftool does not know it");
    }
    let lasting = before.iter().filter(|(id, _)| after.contains_key(id));
    let lasting = lasting.map(|(id, said)| {
        (*id, rows.get(id).copied().unwrap_or_else(|| panic!("{id} is not shown: {said}")), said.as_str())
    });
    lasting.collect()
}

fn maps_agrees_with_bpftool() {
    let name = unique("agree");
    let made: Vec<_> =
        (1..6).map(|nth| map(MapType::HASH, &name, MapFlags::empty(), (4, 4, 10 * nth))).collect();
    let walked = (bpftool("map"), cat(["maps"]), bpftool("map"));
    let rows = between(&walked, maps_header());
    for (id, row, said) in &rows {
        let name = word(said.lines().next().unwrap(), "name").unwrap_or_default();
        let max_entries: u32 = word(said, "max_entries").expect("bpftool says it").parse().unwrap();
        let whole = map_row(*id, name, max_entries, 0);
        let (known, entries) = row.split_at(if counts_elements() { row.len() - 10 } else { row.len() });
        assert_eq!(known, &whole[..known.len()], "{said}");
        assert!(
            !counts_elements()
                || entries.trim_start().parse::<u32>().is_ok_and(|entries| entries <= max_entries),
            "{row}"
        );
    }
    for map in made {
        let id = map.info().unwrap().id;
        assert!(rows.iter().any(|(known, ..)| *known == id), "bpftool does not show {id}");
    }
}

// progs

const PROGS_HEADER: &str = "  id name             attached";

fn prog_row(id: u32, name: &str, function: &str) -> String {
    format!("{id:>4} {name:<16} {function} ")
}

/// A program that does nothing: `r0 = 0; exit`. Its function is called `function`, if that is given.
fn program(name: &str, function: Option<&str>) -> ProgFd {
    let insns = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let load = ProgLoad {
        name: ObjName::new(name),
        ..ProgLoad::new(ProgType::SOCKET_FILTER, &insns, c"Dual MIT/GPL")
    };
    let Some(function) = function else { return bpf(load).expect("it loads") };
    // The types: 1 int, 2 int(void), 3 the function.
    let strings = format!("\0int\0{function}\0");
    let (int, proto, func) = (1 << 24, 13 << 24, 12 << 24);
    let types: [u32; 10] = [1, int, 4, 0x0100_0020, 0, proto, 1, 5, func, 2];
    let types = types.map(u32::to_ne_bytes).concat();
    let mut btf = 0xeb9f_u16.to_ne_bytes().to_vec();
    btf.extend([1, 0]);
    let lengths = [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
    btf.extend(lengths.map(u32::to_ne_bytes).concat());
    btf.extend(types);
    btf.extend(strings.bytes());
    let btf = bpf(BtfLoad { btf: &btf, log: None }).expect("the types load");
    let func_info = [FuncInfo { insn_off: 0, type_id: 3 }];
    let btf = Some(ProgBtf { btf: &btf, func_info: &func_info, line_info: &[] });
    bpf(ProgLoad { btf, ..load }).expect("it loads with its types")
}

fn text_program(name: &str) -> Loaded {
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    Loaded::load(&text::by_name(name).unwrap().write(&btf, &Options::default()).unwrap()).unwrap()
}

fn progs_shows_names_and_what_they_attach_to() {
    let mut expected = Vec::new();
    let iterators: Vec<_> = text::PROGRAMS.iter().map(|program| text_program(program.name)).collect();
    for (loaded, program) in iterators.iter().zip(text::PROGRAMS) {
        let id = loaded.fd().info().unwrap().id;
        expected.push((id, prog_row(id, program.name, &format!("bpf_iter_{}", program.target.name))));
    }
    let names = ["", "q", "exactly_fifteen"];
    let others: Vec<_> = names.iter().map(|name| program(name, None)).collect();
    for (other, name) in others.iter().zip(names) {
        let id = other.info().unwrap().id;
        expected.push((id, prog_row(id, name, "")));
    }
    let text = cat(["progs"]);
    let rows = rows(&text, PROGS_HEADER);
    for (id, row) in expected {
        assert_eq!(rows.get(&id), Some(&&*row));
    }
    assert!(rows.values().any(|row| row.ends_with(" progs            bpf_iter_bpf_prog ")), "not itself");
}

/// Which can have more than 127 bytes since 6.1.
fn progs_prefers_the_function_name() {
    let long = "a_function_whose_name_does_not_fit_into_the_fifteen_bytes_of_a_program_name";
    // As much as the kernel prints of texts in a row, but for two empty ones; and as long as a name may be.
    let (fits, longest) = ("x".repeat(505), "x".repeat(511));
    let made = [("a_function_whos", long), ("", "sixteen_letters_"), ("other", "f"), ("fits", &fits)]
        .map(|(name, function)| (program(name, Some(function)), function));
    let too_long = program("too_long", Some(&longest));
    let text = cat(["progs"]);
    let rows = rows(&text, PROGS_HEADER);
    for (prog, function) in made {
        let id = prog.info().unwrap().id;
        assert_eq!(rows.get(&id), Some(&&*prog_row(id, function, "")));
    }
    let id = too_long.info().unwrap().id;
    assert_eq!(rows.get(&id), Some(&&*prog_row(id, "too_long", "")));
}

fn progs_agrees_with_bpftool() {
    let function = "bpftool_shows_functions_too_where_the_name_is_cut";
    let made = [
        program("bpftool_shows_f", Some(function)),
        program("agree", None),
        program("", None),
        program("fifteen_letters", None),
    ];
    let loaded = text_program("task_file");
    let walked = (bpftool("prog"), cat(["progs"]), bpftool("prog"));
    let rows = between(&walked, PROGS_HEADER);
    for (id, row, said) in &rows {
        let name = word(said.lines().next().unwrap(), "name").unwrap_or_default();
        // bpftool looks for the function's name only where the program's name is as long as it can be.
        if word(said, "btf_id").is_none() || name.len() >= 15 {
            assert!(row.starts_with(&format!("{id:>4} {name:<16} ")), "{row:?}: {said}");
        }
    }
    for made in made.iter().chain([loaded.fd()]) {
        let id = made.info().unwrap().id;
        assert!(rows.iter().any(|(known, ..)| *known == id), "bpftool does not show {id}");
    }
    let (_, row, said) = rows.iter().find(|(id, ..)| *id == made[0].info().unwrap().id).unwrap();
    assert!(row.contains(function) && said.contains(function), "{row:?}: {said}");
}

// stacks

/// One task of /proc: its thread and process number, its command name and kernel stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    tid: u32,
    tgid: u32,
    comm: Vec<u8>,
    stack: Vec<String>,
}

impl Task {
    /// Nothing where it has gone, or is about to.
    fn look(tgid: u32, tid: u32) -> Option<Task> {
        let dir = format!("/proc/{tgid}/task/{tid}");
        let mut comm = fs::read(format!("{dir}/comm")).ok()?;
        (comm.pop() == Some(b'\n')).then_some(())?;
        let stack = fs::read_to_string(format!("{dir}/stack")).ok()?;
        let frames = stack.lines().map(|line| line.strip_prefix("[<0>] ").expect("a frame").into());
        Some(Task { tid, tgid, comm, stack: frames.collect() })
    }

    /// How `stacks` shows it.
    fn block(&self) -> String {
        let Task { tid, tgid, comm, stack } = self;
        let (comm, depth) = (escape(comm), stack.len());
        let mut block =
            format!("=== Task: {comm} (pid={tid}, tgid={tgid}) ===\nStack depth: {depth} frames\n");
        for (nth, frame) in stack.iter().enumerate() {
            writeln!(block, "  [{nth:2}] {frame}").unwrap();
        }
        block + "\n"
    }
}

/// All of them, or those of one command name, in the order of their numbers.
fn tasks(comm: Option<&[u8]>) -> Vec<Task> {
    let mut tasks: Vec<_> = numbers("/proc")
        .into_iter()
        .flat_map(|tgid| numbers(&format!("/proc/{tgid}/task")).into_iter().map(move |tid| (tgid, tid)))
        .filter(|(tgid, tid)| {
            let is = fs::read(format!("/proc/{tgid}/task/{tid}/comm"));
            comm.is_none_or(|comm| is.is_ok_and(|is| is.strip_suffix(b"\n") == Some(comm)))
        })
        .filter_map(|(tgid, tid)| Task::look(tgid, tid))
        .collect();
    tasks.sort();
    tasks
}

/// What `stacks` prints of these tasks.
fn stacks_text(tasks: &[Task]) -> String {
    let blocks: String = tasks.iter().map(Task::block).collect();
    match tasks.len() {
        0 => blocks,
        shown => format!("{blocks}\n=== Summary: {shown} task stacks shown ===\n"),
    }
}

/// As names are printed: control characters and what is not UTF-8 as `\xNN`.
fn escape(comm: &[u8]) -> String {
    let mut text = String::new();
    for chunk in comm.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char.is_control() {
                true => {
                    char.encode_utf8(&mut [0; 4]).bytes().for_each(|b| write!(text, "\\x{b:02x}").unwrap())
                }
                false => text.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| write!(text, "\\x{byte:02x}").unwrap());
    }
    text
}

/// Checks `stacks COMM` against /proc, to the byte, and gives the processes that were shown.
#[track_caller]
fn check_stacks(comm: &str) -> BTreeSet<u32> {
    let (tasks, text) = settled(|| tasks(Some(comm.as_bytes())), || cat(["stacks", comm]));
    assert!(tasks.iter().all(|task| !task.stack.is_empty()), "{tasks:?}");
    assert_eq!(text, stacks_text(&tasks));
    tasks.iter().map(|task| task.tgid).collect()
}

fn stacks_shows_exactly_the_sleepers() {
    let comm = unique("stk");
    let sleepers = [(); 3].map(|()| Sleeper::named(&comm));
    assert_eq!(check_stacks(&comm), sleepers.iter().map(Sleeper::pid).collect());
}

fn stacks_tells_alike_names_apart() {
    // Numbers in base 36 leave room for 7 bytes, which fill a word together with the NUL.
    let digit = |place| char::from_digit(std::process::id() / 36u32.pow(place) % 36, 36).unwrap();
    let six: String = ['k'].into_iter().chain((0..5).map(digit)).collect();
    let rests = ["", "7", "78", "78a", "78b", "78_14_6", "78_14_71", "78_14_715", "78_14_716"];
    let names = [vec!["~".to_owned()], rests.map(|rest| format!("{six}{rest}")).to_vec()].concat();
    let lengths: Vec<_> = names.iter().map(String::len).collect();
    assert_eq!(lengths, [1, 6, 7, 8, 9, 9, 13, 14, 15, 15]);
    let sleepers: Vec<_> = names.iter().map(|name| Sleeper::named(name)).collect();
    for (name, sleeper) in names.iter().zip(&sleepers) {
        let shown = check_stacks(name);
        assert!(shown.contains(&sleeper.pid()), "{name}: {shown:?}");
        // A name of one byte is somebody else's too, for all we know.
        assert!(shown.len() == 1 || name.len() == 1, "{name}: {shown:?}");
    }
}

/// What `stacks` has printed, block by block, and that its summary counts the blocks.
#[track_caller]
fn blocks(text: &str) -> Vec<(Task, &str)> {
    let (mut rest, summary) = text.split_at(text.rfind("\n=== Summary: ").expect("a summary"));
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (block, next) = rest.split_at(rest.find("\n\n").expect("an empty line ends a block") + 2);
        let (head, tail) = block.split_once(") ===\nStack depth: ").expect("a head");
        let (comm, numbers) = head.rsplit_once(" (pid=").expect("a number");
        let (tid, tgid) = numbers.split_once(", tgid=").expect("a process's number");
        let (depth, frames) = tail.split_once(" frames\n").expect("a depth");
        let frames = frames.lines().filter_map(|line| line.get(7..));
        let comm = comm.strip_prefix("=== Task: ").expect("a name").as_bytes().to_vec();
        let stack: Vec<_> = frames.map(str::to_owned).collect();
        assert_eq!(depth, stack.len().to_string(), "{block}");
        blocks.push((Task { tid: tid.parse().unwrap(), tgid: tgid.parse().unwrap(), comm, stack }, block));
        rest = next;
    }
    assert_eq!(summary, format!("\n=== Summary: {} task stacks shown ===\n", blocks.len()));
    blocks
}

fn stacks_shows_every_thread() {
    let comm = unique("all");
    let helper = Helper::with_threads(&comm, 5);
    let (before, text, after) = (tasks(None), cat(["stacks"]), tasks(None));
    let shown = blocks(&text);
    let tids: Vec<_> = shown.iter().map(|(task, _)| task.tid).collect();
    assert!(tids.is_sorted() && tids.windows(2).all(|pair| pair[0] != pair[1]), "{tids:?}");

    let shown: BTreeMap<_, _> = shown.into_iter().map(|(task, block)| (task.tid, (task, block))).collect();
    let after: BTreeMap<_, _> = after.into_iter().map(|task| (task.tid, task)).collect();
    for task in &before {
        // Without a stack it has ended, or is in the act; and this may be a namespace whose first process is not its own.
        let Some(later) = after.get(&task.tid).filter(|later| later.tgid == task.tgid) else { continue };
        if task.stack.is_empty() || later.stack.is_empty() || (task.tgid == 1 && task.tid != 1) {
            continue;
        }
        let (seen, _) = shown.get(&task.tid).unwrap_or_else(|| panic!("{task:?} is not shown"));
        assert_eq!(seen.tgid, task.tgid);
        // What /proc tells of a kernel thread's name is longer than what the kernel keeps with the task.
        let kernel = fs::read(format!("/proc/{}/cmdline", task.tgid)).is_ok_and(|args| args.is_empty());
        let (name, known) = (String::from_utf8_lossy(&seen.comm), escape(&task.comm));
        assert!(
            name == known || task.comm != later.comm || (kernel && known.starts_with(&*name)),
            "{name}: {task:?}"
        );
    }
    let tids = helper.tids();
    assert_eq!(tids.len(), 6);
    for tid in tids {
        assert_eq!(shown[&tid].1, Task::look(helper.pid(), tid).unwrap().block());
    }
}

fn stacks_of_one_process_or_thread() {
    let (comm, other) = (unique("one"), unique("thr"));
    let helper = Helper::with_named_thread(&comm, &other);
    let _same_name = Sleeper::named(&comm);
    let pid = helper.pid();
    let [leader, thread] = helper.tids()[..] else { panic!("not two threads") };
    let tasks = [leader, thread].map(|tid| Task::look(pid, tid).unwrap());
    assert_eq!(tasks.each_ref().map(|task| &task.comm[..]), [comm.as_bytes(), other.as_bytes()]);

    let (pid, thread) = (&*pid.to_string(), &*thread.to_string());
    for (args, shown) in [
        (&["--pid", pid][..], &tasks[..]),
        (&["--tid", pid], &tasks[..1]),
        (&["--tid", thread], &tasks[1..]),
        (&[&comm, "--pid", pid], &tasks[..1]),
        (&[&other, "--pid", pid], &tasks[1..]),
        (&[&other, "--tid", thread], &tasks[1..]),
        (&[&other, "--tid", pid], &[]),
        (&[&other], &tasks[1..]),
    ] {
        assert_eq!(cat([&["stacks"][..], args].concat()), stacks_text(shown), "{args:?}");
    }
}

// files, task_file

/// An open file: of this process, seen in this thread, of this number.
type Open = (u32, u32, u32);

/// What processes of this name have open, as /proc shows it, in the order of their numbers.
fn open_files(comm: &str) -> Vec<Open> {
    let named = |pid: &u32| {
        let is = fs::read(format!("/proc/{pid}/comm"));
        is.is_ok_and(|is| is.strip_suffix(b"\n") == Some(comm.as_bytes()))
    };
    let pids = numbers("/proc").into_iter().filter(named);
    pids.flat_map(|pid| fds(pid).into_iter().map(move |fd| (pid, pid, fd))).collect()
}

/// Checks what `files` has printed, to the byte but for the addresses; it gives those, as the kernel prints numbers.
#[track_caller]
fn check_files(text: &str, comm: &[u8], open: &[Open]) -> Vec<String> {
    if open.is_empty() {
        assert_eq!(text, "");
        return Vec::new();
    }
    let mut rest =
        text.strip_prefix("COMM                 TGID      PID     FD FILE_OPS\n").expect("the header");
    // The name is padded as it is, and escaped after.
    let comm = escape(&[comm, &[b' '; 16][comm.len()..]].concat());
    let mut addresses = Vec::new();
    for (tgid, pid, fd) in open {
        let start = format!("{comm} {tgid:>8} {pid:>8} {fd:>6} 0x");
        let row;
        (row, rest) = rest.split_once('\n').expect("a row");
        addresses.push(address(row.strip_prefix(&start).unwrap_or_else(|| panic!("{row:?}, not {start:?}"))));
    }
    assert_eq!(rest, format!("\n=== Summary: {} file descriptors shown ===\n", open.len()));
    addresses
}

/// The same for `task_file`.
#[track_caller]
fn check_task_file(text: &str, open: &[Open]) -> Vec<String> {
    if open.is_empty() {
        assert_eq!(text, "");
        return Vec::new();
    }
    let mut lines = text.strip_suffix('\n').expect("the last line ends").split('\n');
    assert_eq!(lines.next(), Some("    tgid      gid       fd      file"));
    let addresses = open.iter().map(|(tgid, pid, fd)| {
        let start = format!("{tgid:>8} {pid:>8} {fd:>8} ");
        let row = lines.next().expect("a row");
        address(row.strip_prefix(&start).unwrap_or_else(|| panic!("{row:?}, not {start:?}")))
    });
    let addresses = addresses.collect();
    assert_eq!(lines.next(), None);
    addresses
}

/// An address of the kernel, as `%lx` prints it.
#[track_caller]
fn address(text: &str) -> String {
    let number = u64::from_str_radix(text, 16).expect("an address");
    assert!(number != 0 && text == format!("{number:x}"), "{text}");
    text.into()
}

fn files_shows_what_a_sleeper_inherits() {
    let (comm, dir) = (unique("fil"), dir());
    let create = |name| File::create(dir.path().join(name)).unwrap();
    let (_pipe_out, pipe_in) = nix::unistd::pipe().unwrap();
    let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let sleepers = [
        Sleeper::with(&comm, |command| {
            command.stdin(create("one")).stdout(create("two")).stderr(create("three"));
        }),
        Sleeper::with(&comm, |command| {
            command.stdin(std::os::fd::OwnedFd::from(socket)).stdout(pipe_in).stderr(create("four"));
        }),
    ];
    let (open, text) = settled(|| open_files(&comm), || cat(["files", &comm]));
    let addresses = check_files(&text, comm.as_bytes(), &open);
    let of = |nth: usize, fd| {
        let at = open.iter().position(|open| *open == (sleepers[nth].pid(), sleepers[nth].pid(), fd));
        &addresses[at.expect("/proc shows it")]
    };
    assert_eq!(
        open.iter().map(|open| open.0).collect::<BTreeSet<_>>(),
        BTreeSet::from(sleepers.each_ref().map(Sleeper::pid))
    );
    let regular = of(0, 0);
    assert_eq!([of(0, 1), of(0, 2), of(1, 2)], [regular; 3]);
    assert_eq!(BTreeSet::from([of(1, 0), of(1, 1), regular]).len(), 3, "{text}");
}

fn files_shows_all_kinds_of_file() {
    let (comm, dir) = (unique("kin"), dir());
    let helper = Helper::with_kinds(&comm, dir.path());
    let kinds =
        ["one", "two", "high", "null", "pipe_out", "pipe_in", "unix", "tcp"].map(|kind| helper.fd(kind));
    assert!(kinds.contains(&(HIGH_FD as u32)));
    let open = open_files(&comm);
    assert!(kinds.iter().all(|fd| open.contains(&(helper.pid(), helper.pid(), *fd))), "{kinds:?}: {open:?}");

    let text = cat(["files", &comm]);
    let addresses = check_files(&text, comm.as_bytes(), &open);
    let of = |fd| &addresses[open.iter().position(|open| open.2 == fd).unwrap()];
    let [one, two, high, null, pipe_out, pipe_in, unix, tcp] = kinds.map(of);
    assert_eq!([two, high], [one; 2]);
    assert_eq!([pipe_in, of(0), of(1)], [pipe_out; 3]);
    assert_eq!((unix, of(2)), (tcp, null));
    assert_eq!(BTreeSet::from([one, null, pipe_out, unix]).len(), 4, "{text}");
}

fn files_of_one_process_or_thread() {
    let (comm, other) = (unique("pid"), unique("tid"));
    let helper = Helper::with_named_thread(&comm, &other);
    let _same_name = Sleeper::named(&comm);
    let pid = helper.pid();
    let [leader, thread] = helper.tids()[..] else { panic!("not two threads") };
    let open = |tid| fds(pid).into_iter().map(|fd| (pid, tid, fd)).collect::<Vec<_>>();
    // The kernel shows files that threads share once, as those of the thread that leads them.
    let (leading, led) = (open(leader), open(thread));
    assert!(leading.len() >= 3, "{leading:?}");

    let (pid, thread) = (&*pid.to_string(), &*thread.to_string());
    for (args, name, shown) in [
        (&["--pid", pid][..], &comm, &leading[..]),
        (&["--tid", pid], &comm, &leading),
        (&["--tid", thread], &other, &led),
        (&[&comm, "--pid", pid], &comm, &leading),
        (&[&other, "--tid", thread], &other, &led),
        (&[&comm, "--tid", thread], &comm, &[]),
        (&[&other, "--pid", pid], &other, &[]),
    ] {
        if args.contains(&thread) && kernel_version() < (6, 12) {
            let message = "target task_file: this kernel can't walk a thread that leads no process alone";
            refused(kwalk(["cat", "files"]).args(args), 1, message, "Linux 6.12");
            continue;
        }
        check_files(&cat([&["files"][..], args].concat()), name.as_bytes(), shown);
        check_task_file(&cat([&["task_file"][..], args].concat()), shown);
    }
}

/// As it does where links can't be told: what it prints is the same.
fn a_program_looks_for_a_process_itself() {
    let helper = Helper::with_threads(unique("own"), 3);
    let (pid, thread) = (helper.pid(), helper.tids()[2]);
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    for (program, only, option, number) in [
        ("stacks", Only::Process(pid), "--pid", pid),
        ("stacks", Only::Thread(thread), "--tid", thread),
        ("files", Only::Process(pid), "--pid", pid),
        ("task_file", Only::Thread(pid), "--tid", pid),
    ] {
        let options = Options { only: Some(only), ..Options::default() };
        let loaded = Loaded::load(&text::by_name(program).unwrap().write(&btf, &options).unwrap()).unwrap();
        let mut iter = loaded.attach(&Parameters::None).unwrap().iter().unwrap();
        let mut own = Vec::new();
        while let chunk @ [_, ..] = iter.next_chunk().unwrap() {
            own.extend(chunk);
        }
        assert_eq!(
            String::from_utf8(own).unwrap(),
            cat([program, option, &number.to_string()]),
            "{program} {option}"
        );
    }
    let options = Options { only: Some(Only::Process(pid)), ..Options::default() };
    assert!(text::by_name("maps").unwrap().write(&btf, &options).is_err());
}

fn task_file_shows_the_same_files() {
    let (comm, dir) = (unique("tsk"), dir());
    let helpers = [(); 2].map(|()| Helper::with_kinds(&comm, dir.path()));
    let (open, text) = settled(|| open_files(&comm), || cat(["task_file", &comm]));
    assert_eq!(
        open.iter().map(|open| open.0).collect::<BTreeSet<_>>(),
        BTreeSet::from(helpers.each_ref().map(Helper::pid))
    );
    let addresses = check_task_file(&text, &open);
    assert_eq!(addresses, check_files(&cat(["files", &comm]), comm.as_bytes(), &open));
}

// names

fn no_match_prints_nothing() {
    let nobody = unique("no_");
    let own = std::process::id().to_string();
    for program in ["stacks", "files", "task_file"] {
        assert_eq!(cat([program, &nobody]), "", "{program}");
        assert_eq!(cat([program, &nobody, "--pid", &own]), "", "{program} --pid");
        assert_eq!(cat([program, &nobody, "--tid", &own]), "", "{program} --tid");
    }
}

fn a_name_is_compared_to_its_end_alone() {
    let comm = unique("n");
    let long = format!("{comm:_<15}");
    let helper = Helper::with_names(&[&long, &comm]);
    assert_eq!(check_stacks(&comm), BTreeSet::from([helper.pid()]));
    assert_eq!(check_stacks(&long), BTreeSet::new());
    check_files(&cat(["files", &comm]), comm.as_bytes(), &open_files(&comm));
}

fn a_hostile_name_is_escaped() {
    // It begins with a command for the terminal and ends with half a character.
    let pid = std::process::id().to_string();
    let comm = [b"\x1b[7m\xff\x07\xc3\xa9".as_slice(), &pid.as_bytes()[..pid.len().min(6)], b"\xc3"].concat();
    let helper = Helper::with_threads(OsStr::from_bytes(&comm), 0);
    let pid = helper.pid();
    let (name, number) = (OsStr::from_bytes(&comm), pid.to_string());
    let args = |program: &'static str| {
        [[OsStr::new(program), name].to_vec(), [program, "--pid", &number].map(OsStr::new).to_vec()]
    };
    let task = Task::look(pid, pid).unwrap();
    assert!(task.block().starts_with("=== Task: \\x1b[7m\\xff\\x07é"), "{task:?}");
    for args in args("stacks") {
        assert_eq!(cat(args), stacks_text(std::slice::from_ref(&task)));
    }
    let open: Vec<_> = fds(pid).into_iter().map(|fd| (pid, pid, fd)).collect();
    for args in args("files") {
        let text = cat(args);
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        check_files(&text, &comm, &open);
    }
}

fn a_line_feed_in_a_name_makes_no_row() {
    let helper = Helper::with_threads(format!("a\n{}", std::process::id()), 0);
    let pid = helper.pid();
    let number = pid.to_string();
    let text = cat(["files", "--pid", &number]);
    // The header, the rows, an empty line, the summary.
    assert_eq!(text.lines().count(), 1 + fds(pid).len() + 2, "{text}");
    let text = cat(["stacks", "--pid", &number]);
    let frames = Task::look(pid, pid).unwrap().stack.len();
    // The head, the depth, the frames, two empty lines, the summary.
    assert_eq!(text.lines().count(), 2 + frames + 2 + 1, "{text}");
}
