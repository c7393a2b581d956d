//! A header once, totals exact, nothing lost and nothing twice: however the output is read, and by however many at once.

use std::any::Any;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use kwalk::sys::{IterCreate, IterFd, MapFd, bpf};
use kwalk::text::Options;
use kwalk::{Link, Loaded, PinPath, Scope};

use crate::support::Need::{Bpf, Root};
use crate::support::helper::{Helper, fds};
use crate::support::objects::{idle_program, pin_object, small_map, text_program};
use crate::support::{Bpffs, Need, Sleeper, Test, counts_elements, kwalk, stdout, test, unique};

/// /proc shows other processes' files, and a bpffs is mounted, for root alone.
const NEEDS: &[Need] = &[Bpf, Root];
/// And links that are told a process.
const PARAMETERS: &[Need] = &[Bpf, Root, Need::Kernel(6, 1)];
/// And programs that are not preempted while they take a stack. Before, a kernel with full preemption loses stacks.
const UNPREEMPTED: &[Need] = &[Bpf, Root, Need::Kernel(6, 10)];
/// What the kernel collects before it gives something out.
const BUFFER: usize = 32 << 10;

pub fn tests() -> Vec<Test> {
    vec![
        test("files_in_reads_of_any_size", NEEDS, || in_reads_of_any_size(&files())),
        test("task_file_in_reads_of_any_size", NEEDS, || in_reads_of_any_size(&task_file())),
        test("stacks_in_reads_of_any_size", NEEDS, || in_reads_of_any_size(&stacks())),
        test("maps_in_reads_of_any_size", NEEDS, || in_reads_of_any_size(&maps())),
        test("progs_in_reads_of_any_size", NEEDS, || in_reads_of_any_size(&progs())),
        test("files_by_two_readers", NEEDS, || by_two_readers(&files())),
        test("stacks_by_two_readers", NEEDS, || by_two_readers(&stacks())),
        test("maps_by_two_readers", NEEDS, || by_two_readers(&maps())),
        test("files_by_200_readers", NEEDS, || by_200_readers(&files())),
        test("stacks_by_200_readers", NEEDS, || by_200_readers(&stacks())),
        test("files_by_readers_of_four_threads", NEEDS, || by_readers_of_four_threads(&files())),
        test("stacks_by_readers_of_four_threads", UNPREEMPTED, || by_readers_of_four_threads(&stacks())),
        test("files_one_after_another", NEEDS, || one_after_another(&files())),
        test("stacks_one_after_another", NEEDS, || one_after_another(&stacks())),
        test("files_beside_a_reader_that_stops", NEEDS, || beside_a_reader_that_stops(&files())),
        test("stacks_beside_a_reader_that_stops", NEEDS, || beside_a_reader_that_stops(&stacks())),
        test("files_pinned_for_two_processes", NEEDS, || pinned_for_two_processes(&files())),
        test("stacks_pinned_for_two_processes", NEEDS, || pinned_for_two_processes(&stacks())),
        test("files_pinned_and_read_at_offsets", PARAMETERS, || pinned_and_read_at_offsets(&of_one("files"))),
        test("task_file_pinned_and_read_at_offsets", PARAMETERS, || {
            pinned_and_read_at_offsets(&of_one("task_file"))
        }),
        test("stacks_pinned_and_read_at_offsets", NEEDS, || pinned_and_read_at_offsets(&stacks())),
        test("maps_pinned_and_read_at_offsets", NEEDS, || pinned_and_read_at_offsets(&maps())),
        test("progs_pinned_and_read_at_offsets", NEEDS, || pinned_and_read_at_offsets(&progs())),
        test("files_after_the_end", NEEDS, || after_the_end(&files())),
        test("task_file_after_the_end", NEEDS, || after_the_end(&task_file())),
        test("stacks_after_the_end", NEEDS, || after_the_end(&stacks())),
        test("files_born_after_the_end", NEEDS, || born_after_the_end("files", 1)),
        test("stacks_born_after_the_end", NEEDS, || born_after_the_end("stacks", 0)),
        test("maps_made_after_the_end", NEEDS, maps_made_after_the_end),
        test("a_match_at_either_end_of_the_walk", NEEDS, a_match_at_either_end_of_the_walk),
        test("totals_of_the_whole_machine", NEEDS, totals_of_the_whole_machine),
        test("a_reader_is_forgotten_at_its_end", NEEDS, a_reader_is_forgotten_at_its_end),
    ]
}

/// An attached program, and what it must print, which is more than one buffer.
struct Subject {
    program: &'static str,
    comm: Option<String>,
    link: Link,
    expected: Expected,
    /// The objects that it shows.
    _held: Box<dyn Any>,
}

enum Expected {
    /// This.
    Exactly(String),
    /// These rows below a header, in this order, among others that are no concern of the test.
    Among { header: &'static str, rows: Vec<String> },
}

impl Subject {
    fn new(
        link: Link,
        program: &'static str,
        comm: Option<&str>,
        expected: Expected,
        held: impl Any,
    ) -> Subject {
        Subject { link, program, comm: comm.map(str::to_owned), expected, _held: Box::new(held) }
    }

    #[track_caller]
    fn check(&self, text: &str) {
        match &self.expected {
            Expected::Exactly(expected) => same(text.lines(), expected.lines()),
            Expected::Among { header, rows } => {
                assert_eq!(text.lines().position(|line| line == *header), Some(0));
                assert_eq!(text.lines().filter(|line| line == header).count(), 1, "headers");
                let ids: Vec<_> = text.lines().skip(1).map(id).collect();
                assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
                let own = text.lines().filter(|row| name(row) == name(&rows[0]));
                same(own, rows.iter().map(String::as_str));
            }
        }
        assert!(text.ends_with('\n'));
    }
}

/// The id that a row of `maps` or `progs` begins with.
#[track_caller]
fn id(row: &str) -> u32 {
    let id = row.split_whitespace().next().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("{row:?} begins with no id"))
}

fn name(row: &str) -> Option<&str> {
    row.split_whitespace().nth(1)
}

/// Compares line by line, so as to say where they differ, and how they go on there.
#[track_caller]
fn same<'t>(actual: impl Iterator<Item = &'t str>, expected: impl Iterator<Item = &'t str>) {
    let (mut actual, mut expected) = (actual, expected);
    for nth in 1.. {
        let (line, wanted) = (actual.next(), expected.next());
        if line != wanted {
            let (more, wanted_more): (Vec<_>, Vec<_>) =
                (actual.take(9).collect(), expected.take(9).collect());
            panic!("line {nth}: {line:?} {more:#?}, not {wanted:?} {wanted_more:#?}");
        }
        if wanted.is_none() {
            return;
        }
    }
}

fn attach(program: &str, comm: Option<&str>) -> Link {
    attach_for(Options::default().readers, program, comm)
}

fn attach_for(readers: u32, program: &str, comm: Option<&str>) -> Link {
    let comm = comm.map(|comm| comm.parse().unwrap());
    let program = text_program(program, &Options { comm, readers, ..Options::default() });
    Loaded::load(&program).unwrap().attach(&Scope::All).unwrap()
}

/// A walk, read piece by piece.
struct Reader {
    iter: IterFd,
    buf: Vec<u8>,
    out: Vec<u8>,
}

impl Reader {
    fn new(link: &Link, size: usize) -> Reader {
        let iter = bpf(IterCreate { link: link.fd() }).expect("a walk");
        Reader { iter, buf: vec![0; size], out: Vec::new() }
    }

    /// Reads once; gives how much there was.
    #[track_caller]
    fn step(&mut self) -> usize {
        let len = self.iter.read(&mut self.buf).expect("it reads");
        self.out.extend(&self.buf[..len]);
        len
    }

    #[track_caller]
    fn finish(mut self) -> String {
        while self.step() != 0 {}
        self.text()
    }

    #[track_caller]
    fn text(self) -> String {
        String::from_utf8(self.out).expect("text")
    }
}

/// Attaches a program whose output stays as it is, because its objects sleep; `check` looks whether it is right.
fn unchanging(program: &'static str, comm: &str, held: impl Any, check: impl FnOnce(&str)) -> Subject {
    let link = attach(program, Some(comm));
    let text = Reader::new(&link, 1 << 20).finish();
    assert!(text.len() > 2 * BUFFER, "{} bytes are not enough for a test", text.len());
    check(&text);
    Subject::new(link, program, Some(comm), Expected::Exactly(text), held)
}

/// A command name, or a name of maps, that no other test uses.
fn own_name() -> String {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    unique(&format!("r{}_", LAST.fetch_add(1, Relaxed)))
}

/// Three processes with some 900 files each, which is less than any usual limit.
fn crowd(comm: &str) -> Vec<Helper> {
    let mut helpers: Vec<_> = (0..3).map(|_| Helper::with_files(comm, 900)).collect();
    helpers.sort_by_key(Helper::pid);
    helpers
}

/// What they have open, by process and number, in order.
fn open_files(helpers: &[Helper]) -> Vec<(u32, u32)> {
    let open = helpers.iter().map(Helper::pid).flat_map(|pid| fds(pid).into_iter().map(move |fd| (pid, fd)));
    open.collect()
}

/// Checks rows of `files` or `task_file`: how each begins, and that it ends with an address.
#[track_caller]
fn check_rows<'t>(lines: &mut impl Iterator<Item = &'t str>, starts: impl Iterator<Item = String>) {
    for start in starts {
        let row = lines.next().expect("a row");
        let address = row.strip_prefix(&start).unwrap_or_else(|| panic!("{row:?}, not {start:?}"));
        assert!(u64::from_str_radix(address, 16).is_ok(), "{row:?}");
    }
}

#[track_caller]
fn check_files(text: &str, comm: &str, open: &[(u32, u32)]) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("COMM                 TGID      PID     FD FILE_OPS"));
    let starts = open.iter().map(|(pid, fd)| format!("{comm:<16} {pid:>8} {pid:>8} {fd:>6} 0x"));
    check_rows(&mut lines, starts);
    let summary = format!("=== Summary: {} file descriptors shown ===", open.len());
    same(lines, ["", &summary].into_iter());
}

#[track_caller]
fn check_task_file(text: &str, open: &[(u32, u32)]) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("    tgid      gid       fd      file"));
    check_rows(&mut lines, open.iter().map(|(pid, fd)| format!("{pid:>8} {pid:>8} {fd:>8} ")));
    assert_eq!(lines.next(), None);
}

fn files() -> Subject {
    let comm = own_name();
    let helpers = crowd(&comm);
    let open = open_files(&helpers);
    unchanging("files", &comm, helpers, |text| check_files(text, &comm, &open))
}

fn task_file() -> Subject {
    let comm = own_name();
    let helpers = crowd(&comm);
    let open = open_files(&helpers);
    unchanging("task_file", &comm, helpers, |text| check_task_file(text, &open))
}

/// The same programs, told by their link what to walk: they show every object that they are shown.
fn of_one(program: &'static str) -> Subject {
    let helper = Helper::with_files(own_name(), 900);
    let loaded = Loaded::load(&text_program(program, &Options::default())).unwrap();
    let link = loaded.attach(&Scope::Pid(helper.pid())).unwrap();
    let text = Reader::new(&link, 1 << 20).finish();
    assert!(text.len() > BUFFER && text.lines().count() > 900, "{} bytes", text.len());
    Subject::new(link, program, None, Expected::Exactly(text), helper)
}

fn stacks() -> Subject {
    let comm = own_name();
    let helper = Helper::with_threads(&comm, 400);
    let (pid, tids) = (helper.pid(), helper.tids());
    unchanging("stacks", &comm, helper, |text| {
        let heads = tids.iter().map(|tid| format!("=== Task: {comm} (pid={tid}, tgid={pid}) ==="));
        let summary = format!("=== Summary: {} task stacks shown ===", tids.len());
        let expected: Vec<_> = heads.chain([summary]).collect();
        same(text.lines().filter(|line| line.starts_with('=')), expected.iter().map(String::as_str));
        let frames = text.lines().filter(|line| line.starts_with("  [ 0] ")).count();
        assert_eq!(frames, tids.len(), "innermost frames");
    })
}

/// Pins an object and closes it: a process can't have so many open.
fn pin(bpffs: &Bpffs, nth: usize, fd: impl AsFd) {
    pin_object(fd, &bpffs.path(&format!("p{nth}")));
}

/// A row for a map of one element, which is not counted where the kernel can't count.
fn map_row(name: &str, map: &MapFd) -> String {
    let id = map.info().unwrap().id;
    if counts_elements() {
        format!("{id:>4} {name:<16}  {:>10}   {:>10}", 1, 0)
    } else {
        format!("{id:>4} {name:<16}{:>6}", 1)
    }
}

fn maps_header() -> &'static str {
    if counts_elements() {
        "  id name             max_entries  cur_entries"
    } else {
        "  id name             max_entries"
    }
}

fn maps() -> Subject {
    let (name, bpffs) = (own_name(), Bpffs::mount());
    let rows = (0..1500).map(|nth| {
        let map = small_map(&name);
        pin(&bpffs, nth, &map);
        map_row(&name, &map)
    });
    let expected = Expected::Among { header: maps_header(), rows: rows.collect() };
    Subject::new(attach("maps", None), "maps", None, expected, bpffs)
}

fn progs() -> Subject {
    // The longer a program's function's name, the fewer programs fill a buffer; before 6.1 it can have 127 bytes.
    let (function, bpffs) = (unique(&"long_".repeat(20)), Bpffs::mount());
    let rows = (0..400).map(|nth| {
        let prog = idle_program("", Some(&function));
        pin(&bpffs, nth, &prog);
        format!("{:>4} {function}  ", prog.info().unwrap().id)
    });
    let expected = Expected::Among { header: "  id name             attached", rows: rows.collect() };
    Subject::new(attach("progs", None), "progs", None, expected, bpffs)
}

fn in_reads_of_any_size(subject: &Subject) {
    for size in [1 << 20, 1, 7, 100, 4095, 4096, 65536] {
        let mut reader = Reader::new(&subject.link, size);
        let mut reads = 0;
        while reader.step() != 0 {
            reads += 1;
        }
        let text = reader.text();
        assert!(text.len() > BUFFER && reads >= text.len().div_ceil(size.min(BUFFER)), "{reads} reads");
        subject.check(&text);
    }
}

fn by_two_readers(subject: &Subject) {
    for sizes in [[700, 4096], [1, 31], [65536, 65536]] {
        let mut readers = sizes.map(|size| Reader::new(&subject.link, size));
        let mut reading = true;
        while reading {
            // Both, even where one of them is at the end.
            reading = readers.each_mut().map(|reader| reader.step() != 0).contains(&true);
        }
        for reader in readers {
            subject.check(&reader.text());
        }
    }
}

fn by_200_readers(subject: &Subject) {
    let mut readers: Vec<_> = (0..200).map(|nth| Reader::new(&subject.link, 1000 + 97 * nth)).collect();
    let mut reading = true;
    while reading {
        reading = readers.iter_mut().map(|reader| reader.step() != 0).fold(false, |any, more| any | more);
    }
    for reader in readers {
        subject.check(&reader.text());
    }
}

/// More than there are processors, maybe: a preemptible kernel takes one from a reader in the middle of an object, and
/// gives it to another.
fn by_readers_of_four_threads(subject: &Subject) {
    let link = &subject.link;
    let walks = || (0..10).map(|_| Reader::new(link, 1 << 20).finish()).collect::<Vec<_>>();
    let texts = thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(walks));
        readers.map(|reader| reader.join().expect("it reads"))
    });
    for text in texts.iter().flatten() {
        subject.check(text);
    }
}

/// A program for one reader at once has totals for as many as like, if each waits for the one before.
fn one_after_another(subject: &Subject) {
    let link = attach_for(1, subject.program, subject.comm.as_deref());
    for size in [1000, 1 << 20].repeat(20) {
        subject.check(&Reader::new(&link, size).finish());
    }
}

fn beside_a_reader_that_stops(subject: &Subject) {
    let [mut stopped, mut paused] = [5000, 3000].map(|size| Reader::new(&subject.link, size));
    while stopped.out.len() < BUFFER + 10_000 {
        assert_ne!(stopped.step(), 0);
        assert_ne!(paused.step(), 0);
    }
    drop(stopped);
    subject.check(&Reader::new(&subject.link, 8000).finish());
    subject.check(&paused.finish());
    subject.check(&Reader::new(&subject.link, 8000).finish());
}

fn pinned_for_two_processes(subject: &Subject) {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("pinned");
    subject.link.pin(&PinPath::new(&path).unwrap()).unwrap();
    let mut cats = [(); 2].map(|()| {
        let mut command = kwalk(["cat".as_ref(), path.as_os_str()]);
        command.stdout(Stdio::piped()).spawn().expect("kwalk starts")
    });
    // Their output is more than a pipe takes: each is in the middle of its walk until somebody reads what it writes.
    let mut outputs = cats.each_mut().map(|cat| {
        let mut first = [0];
        cat.stdout.as_mut().unwrap().read_exact(&mut first).expect("it has begun");
        first.to_vec()
    });
    for (cat, output) in cats.iter_mut().zip(&mut outputs) {
        cat.stdout.take().unwrap().read_to_end(output).unwrap();
        assert!(cat.wait().unwrap().success());
        subject.check(std::str::from_utf8(output).unwrap());
    }
    subject.check(&stdout(&mut kwalk(["cat".as_ref(), path.as_os_str()])));
    subject.check(&fs::read_to_string(&path).expect("who may open it may read it"));
    fs::remove_file(path).unwrap();
}

/// With pread(2), which leaves the file's own position at 0: a program that filters could not tell its first row then.
fn pinned_and_read_at_offsets(subject: &Subject) {
    let bpffs = Bpffs::mount();
    let path = bpffs.path("pinned");
    subject.link.pin(&PinPath::new(&path).unwrap()).unwrap();
    let (file, mut out, mut buf) = (File::open(path).unwrap(), Vec::new(), vec![0; 10_000]);
    loop {
        match file.read_at(&mut buf, out.len() as u64).expect("it reads") {
            0 => break,
            len => out.extend(&buf[..len]),
        }
    }
    subject.check(std::str::from_utf8(&out).unwrap());
}

fn after_the_end(subject: &Subject) {
    let mut reader = Reader::new(&subject.link, 10_000);
    while reader.step() != 0 {}
    for _ in 0..3 {
        assert_eq!(reader.step(), 0);
    }
    subject.check(&reader.text());
}

/// Nothing follows a summary: a reader that reads on restarts the kernel's walk, which shows what has come since. Of another
/// reader, which had begun before and ends after that, it is part of the total.
fn born_after_the_end(program: &'static str, files: usize) {
    let comm = own_name();
    let first = Sleeper::named(&comm);
    let link = attach_for(8, program, Some(&comm));
    let late = Reader::new(&link, 1 << 20);
    let mut reader = Reader::new(&link, 1 << 20);
    while reader.step() != 0 {}
    let text = String::from_utf8(reader.out.clone()).unwrap();
    let summary = |count: usize| match files {
        0 => format!("\n=== Summary: {count} task stacks shown ===\n"),
        _ => format!("\n=== Summary: {count} file descriptors shown ===\n"),
    };
    let each = if files == 0 { 1 } else { fds(first.pid()).len() };
    assert!(text.ends_with(&summary(each)), "{text}");
    // The kernel goes on with the numbers of processes behind those that it has shown.
    let mut born = vec![Sleeper::named(&comm)];
    for _ in 0..3 {
        assert_eq!(reader.step(), 0);
        born.push(Sleeper::named(&comm));
    }
    assert!(born.iter().any(|one| one.pid() > first.pid()));
    // What the other shows is all of them, and its total is its own.
    let all = late.finish();
    assert!(all.ends_with(&summary(each * (1 + born.len()))), "{all}");
    assert_eq!((reader.step(), reader.text()), (0, text));
}

/// One that has only begun keeps its total, however many come and go.
fn a_reader_is_forgotten_at_its_end() {
    let comm = own_name();
    let helpers = crowd(&comm);
    let open = open_files(&helpers);
    let link = attach_for(8, "files", Some(&comm));
    let mut begun = Reader::new(&link, 1000);
    assert_ne!(begun.step(), 0);
    for _ in 0..40 {
        check_files(&Reader::new(&link, 1 << 20).finish(), &comm, &open);
    }
    check_files(&begun.finish(), &comm, &open);
}

fn maps_made_after_the_end() {
    let name = own_name();
    let before = small_map(&name);
    let mut reader = Reader::new(&attach("maps", None), 1000);
    while reader.step() != 0 {}
    let after = small_map(&name);
    while reader.step() != 0 {}
    let expected = Expected::Among {
        header: maps_header(),
        rows: [&before, &after].map(|map| map_row(&name, map)).into(),
    };
    let subject = Subject::new(attach("maps", None), "maps", None, expected, ());
    subject.check(&reader.text());
}

fn a_match_at_either_end_of_the_walk() {
    let [first, crowd_name, last] = [(); 3].map(|()| own_name());
    // Numbers begin again at some point; not twice in a row.
    let (begin, _crowd, end) = (0..3)
        .map(|_| (Helper::with_files(&first, 5), crowd(&crowd_name), Helper::with_files(&last, 5)))
        .find(|(begin, crowd, end)| {
            let numbers = crowd.iter().map(Helper::pid);
            numbers.clone().all(|pid| begin.pid() < pid) && numbers.clone().all(|pid| pid < end.pid())
        })
        .expect("processes in the order that they were started in");
    for (comm, helper) in [(first, begin), (last, end)] {
        let open = open_files(std::slice::from_ref(&helper));
        assert!(open.len() > 5);
        for size in [1, 100, 1 << 20] {
            let text = Reader::new(&attach("files", Some(&comm)), size).finish();
            check_files(&text, &comm, &open);
            let text = Reader::new(&attach("task_file", Some(&comm)), size).finish();
            check_task_file(&text, &open);
        }
    }
}

fn totals_of_the_whole_machine() {
    let comm = own_name();
    let (_threads, _crowd) = (Helper::with_threads(&comm, 400), crowd(&comm));
    for size in [100, 1 << 20] {
        // Names of any bytes are among them.
        let read = |program| {
            let mut reader = Reader::new(&attach(program, None), size);
            while reader.step() != 0 {}
            String::from_utf8_lossy(&reader.out).into_owned()
        };
        let text = read("files");
        let header = "COMM                 TGID      PID     FD FILE_OPS\n";
        assert!(text.starts_with(header) && text.matches(header).count() == 1);
        let rows =
            text.lines().filter(|line| line.rsplit(' ').next().is_some_and(|last| last.starts_with("0x")));
        let rows = rows.count();
        assert!(rows > 2700 && text.len() > 3 * BUFFER);
        assert!(text.ends_with(&format!("\n\n=== Summary: {rows} file descriptors shown ===\n")), "{rows}");
        assert_eq!(text.matches("\n=== Summary: ").count(), 1);

        let text = read("stacks");
        let stacks = text.matches(") ===\nStack depth: ").count();
        assert!(stacks > 400 && text.len() > 2 * BUFFER);
        assert!(text.ends_with(&format!("\n\n\n=== Summary: {stacks} task stacks shown ===\n")), "{stacks}");
        assert_eq!(text.matches("\n=== Summary: ").count(), 1);
    }
}
