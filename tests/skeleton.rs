//! The life of a skeleton: each step is done for all programs or undone, whatever fails; what is open is closed, and
//! nothing else; standard streams are never mistaken for the kernel's objects.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use kwalk::asm::Reg::{R2, R5};
use kwalk::progs::{Builder, Map, MapKind, Program, targets};
use kwalk::sys::{LinkFd, MapCreate, MapFd, MapType, ObjName, ProgFd, bpf};
use kwalk::text::Options;
use kwalk::{Error, Iter, Link, Loaded, PinPath, ProcessError, Rejection, Scope, Skeleton, unpin};
use nix::unistd::{close, dup, dup2_stderr, dup2_stdin, dup2_stdout};

use crate::support::objects::{living, pretend, text_program};
use crate::support::{Bpffs, Need, Test, eventually, running, test_alone};

const BPF: &[Need] = &[Need::Bpf];
const ROOT: &[Need] = &[Need::Bpf, Need::Root];
const PARAMETERS: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 1)];

pub fn tests() -> Vec<Test> {
    vec![
        test_alone("a_whole_life", PARAMETERS, a_whole_life),
        test_alone("steps_done_twice_are_done_once", ROOT, steps_done_twice_are_done_once),
        test_alone("a_drop_destroys", ROOT, a_drop_destroys),
        test_alone("destroy_closes_nothing_else", ROOT, destroy_closes_nothing_else),
        test_alone("a_walk_outlives_its_skeleton", ROOT, a_walk_outlives_its_skeleton),
        test_alone("a_pin_outlives_its_skeleton", ROOT, a_pin_outlives_its_skeleton),
        test_alone("a_failed_load_undoes_the_others", ROOT, a_failed_load_undoes_the_others),
        test_alone("a_failed_map_undoes_the_load", ROOT, a_failed_map_undoes_the_load),
        test_alone("a_failed_attach_undoes_the_others", ROOT, a_failed_attach_undoes_the_others),
        test_alone("a_refused_attach_undoes_the_others", ROOT, a_refused_attach_undoes_the_others),
        test_alone("a_dead_process_undoes_the_attach", ROOT, a_dead_process_undoes_the_attach),
        test_alone("steps_out_of_order_are_refused", ROOT, steps_out_of_order_are_refused),
        test_alone("other_names_are_refused", BPF, other_names_are_refused),
        test_alone("the_verifier_s_reason_is_told", BPF, the_verifier_s_reason_is_told),
        test_alone("standard_streams_stay_free", ROOT, standard_streams_stay_free),
    ]
}

// What the tests make and look at

/// The name of an object of this process: no other has it.
fn own(prefix: &str) -> &'static str {
    format!("{prefix}_sk{}", std::process::id()).leak()
}

/// What this process's programs hold of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    fds: BTreeMap<RawFd, PathBuf>,
    programs: Vec<u32>,
    maps: Vec<u32>,
    links: Vec<u32>,
}

impl Held {
    fn now() -> Held {
        let suffix = own("");
        let own = |name: ObjName| name.as_str().ends_with(suffix);
        let fds = fds();
        let programs: Vec<_> = living(|program: &ProgFd| own(program.info().unwrap().name)).collect();
        let maps = living(|map: &MapFd| own(map.info().unwrap().name)).collect();
        let links = living(|link: &LinkFd| programs.contains(&link.info().unwrap().prog_id)).collect();
        Held { fds, programs, maps, links }
    }

    /// Descriptors, programs, maps, links.
    fn counts(&self) -> [usize; 4] {
        [self.fds.len(), self.programs.len(), self.maps.len(), self.links.len()]
    }
}

/// What this process has open.
fn fds() -> BTreeMap<RawFd, PathBuf> {
    let dir = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
    let entries: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // The descriptor that listed them is closed by now.
    let number = |name: &std::ffi::OsString| name.to_str().unwrap().parse().unwrap();
    entries.iter().filter_map(|name| Some((number(name), fs::read_link(dir.join(name)).ok()?))).collect()
}

/// Descriptors are closed at once; the kernel lets the rest go a moment later.
#[track_caller]
fn holds(fds: usize, programs: usize, maps: usize, links: usize) {
    let counts = [fds, programs, maps, links];
    assert_eq!(Held::now().fds.len(), fds, "{:?}", Held::now());
    eventually(&format!("descriptors, programs, maps and links are {counts:?}"), || {
        Held::now().counts() == counts
    });
}

/// Nothing but what was held before.
#[track_caller]
fn is_back_to(before: &Held) {
    assert_eq!(fds(), before.fds);
    eventually("everything else is gone", || Held::now() == *before);
}

/// A text program under a name of this process's own, its maps too.
fn program(name: &str) -> Program {
    let mut program = text_program(name, &Options::default());
    program.name = own(name);
    program.maps.iter_mut().for_each(|map| map.name = own("map"));
    program
}

/// The first without maps, the others with some.
fn three() -> [Program; 3] {
    let programs = ["maps", "stacks", "files"].map(program);
    assert_eq!(programs.each_ref().map(|program| program.maps.is_empty()), [true, false, false]);
    programs
}

fn maps(programs: &[Program]) -> usize {
    programs.iter().map(|program| program.maps.len()).sum()
}

/// A program with a map, which the verifier rejects: it reads a register that holds nothing.
fn rejected() -> Program {
    let kernel = running();
    let mut walk = Builder::new(&kernel, &targets::bpf_map::TARGET).unwrap();
    let out = walk.asm.label();
    walk.map(small_map(4));
    walk.asm.mov(R2, R5);
    walk.finish(own("bad"), out).unwrap()
}

fn small_map(key_size: u32) -> Map {
    Map::new(own("map"), MapKind::Array, key_size, 8)
}

/// A program that prints nothing of a target that can't be attached to without a map.
fn needs_a_map() -> Program {
    let kernel = running();
    let mut walk = Builder::new(&kernel, &targets::bpf_map_elem::TARGET).unwrap();
    let out = walk.asm.label();
    walk.finish(own("elem"), out).unwrap()
}

fn drain(mut iter: Iter) -> Result<String, Error> {
    let mut text = Vec::new();
    while let chunk @ [_, ..] = iter.next_chunk()? {
        text.extend_from_slice(chunk);
    }
    // Somebody's command name may be no UTF-8.
    Ok(String::from_utf8_lossy(&text).into())
}

/// The number of a process that is gone.
fn dead() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

// The tests

fn a_whole_life() {
    let before = Held::now();
    let programs = three();
    let maps = maps(&programs);
    // The maps are open as long as their programs.
    let fds = before.fds.len() + maps;
    let mut skeleton = Skeleton::open(programs);
    skeleton.configure(own("files"), Scope::Pid(std::process::id())).unwrap();
    is_back_to(&before);

    skeleton.load().unwrap();
    holds(fds + 3, 3, maps, 0);
    assert!(skeleton.loaded(own("stacks")).is_some() && skeleton.link(own("stacks")).is_none());
    let ids = Held::now().programs;

    for _ in 0..2 {
        skeleton.attach().unwrap();
        holds(fds + 6, 3, maps, 3);
        let iter = skeleton.iter(own("maps")).unwrap();
        assert_eq!(self::fds().len(), fds + 7);
        let text = drain(iter).unwrap();
        assert_eq!(text.lines().filter(|row| row.contains(own("map"))).count(), maps, "{text}");
        assert!(drain(skeleton.iter(own("stacks")).unwrap()).unwrap().contains("=== Task: "));
        // The one that was configured shows this process alone.
        let files = drain(skeleton.iter(own("files")).unwrap()).unwrap();
        let tgid = |row: &str| row[17..].split_whitespace().next().unwrap().parse::<u32>().unwrap();
        let rows: Vec<_> = files.lines().filter(|row| row.contains(" 0x")).map(tgid).collect();
        assert!(!rows.is_empty() && rows.iter().all(|tgid| *tgid == std::process::id()), "{files}");
        holds(fds + 6, 3, maps, 3);

        skeleton.detach();
        holds(fds + 3, 3, maps, 0);
        assert!(matches!(skeleton.iter(own("maps")), Err(Error::NoPart { .. })));
    }
    assert_eq!(Held::now().programs, ids);

    skeleton.attach().unwrap();
    skeleton.destroy();
    is_back_to(&before);
}

fn steps_done_twice_are_done_once() {
    let mut skeleton = Skeleton::open(three());
    skeleton.load().unwrap();
    let loaded = Held::now();
    skeleton.load().unwrap();
    is_back_to(&loaded);
    skeleton.attach().unwrap();
    let attached = Held::now();
    assert_eq!(attached.links.len(), 3);
    skeleton.attach().unwrap();
    is_back_to(&attached);
    skeleton.load().unwrap();
    is_back_to(&attached);
    skeleton.detach();
    skeleton.detach();
    is_back_to(&loaded);
}

fn a_drop_destroys() {
    let before = Held::now();
    let mut skeleton = Skeleton::open(three());
    skeleton.load().unwrap();
    skeleton.attach().unwrap();
    assert_eq!(Held::now().links.len(), 3);
    drop(skeleton);
    is_back_to(&before);
}

fn destroy_closes_nothing_else() {
    let open = || tempfile::tempfile().unwrap();
    let mut files = vec![open()];
    let mut skeleton = Skeleton::open(three());
    skeleton.load().unwrap();
    files.push(open());
    let other = Loaded::load(&program("progs")).unwrap();
    skeleton.attach().unwrap();
    files.push(open());
    let link = other.attach(&Scope::All).unwrap();
    skeleton.destroy();
    for file in &mut files {
        let mut text = String::new();
        file.write_all(b"works").unwrap();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "works");
    }
    assert!(drain(link.iter().unwrap()).unwrap().contains(own("progs")));
}

fn a_walk_outlives_its_skeleton() {
    let before = Held::now();
    let mut skeleton = Skeleton::open([program("progs")]);
    skeleton.load().unwrap();
    skeleton.attach().unwrap();
    let iter = skeleton.iter(own("progs")).unwrap();
    skeleton.destroy();
    assert!(drain(iter).unwrap().contains(own("progs")));
    is_back_to(&before);
}

fn a_pin_outlives_its_skeleton() {
    let bpffs = Bpffs::mount();
    let before = Held::now();
    let path = bpffs.path("pin");
    let programs = three();
    let maps = maps(&programs[1..2]);
    let mut skeleton = Skeleton::open(programs);
    skeleton.load().unwrap();
    skeleton.attach().unwrap();
    let link = skeleton.link(own("stacks")).unwrap();
    let id = link.info().unwrap().id;
    link.pin(&PinPath::new(&path).unwrap()).unwrap();
    skeleton.destroy();
    holds(before.fds.len(), 1, maps, 1);
    assert_eq!(Held::now().links, [id]);
    assert!(drain(Iter::open(&path).unwrap()).unwrap().contains("=== Task: "));
    unpin(&path).unwrap();
    is_back_to(&before);
}

fn a_failed_load_undoes_the_others() {
    for nth in 0..3 {
        let before = Held::now();
        let mut programs = Vec::from(three());
        programs[nth] = rejected();
        let mut skeleton = Skeleton::open(programs);
        let error = skeleton.load().unwrap_err();
        assert!(matches!(&error, Error::Rejected(rejection) if rejection.program == own("bad")), "{error}");
        is_back_to(&before);
        assert!(skeleton.loaded(own("stacks")).is_none());
        assert!(matches!(skeleton.attach(), Err(Error::NotLoaded { .. })));
        is_back_to(&before);
        skeleton.destroy();
        is_back_to(&before);
    }
}

fn a_failed_map_undoes_the_load() {
    let before = Held::now();
    let mut programs = three();
    // No array has keys of 5 bytes; the maps before it are made.
    programs[1].maps.push(small_map(5));
    let mut skeleton = Skeleton::open(programs);
    let error = skeleton.load().unwrap_err();
    assert!(matches!(&error, Error::Sys(error) if error.call() == "BPF_MAP_CREATE"), "{error}");
    is_back_to(&before);
}

fn a_failed_attach_undoes_the_others() {
    let map: MapFd = bpf(MapCreate::new(MapType::ARRAY, 4, 4, 1)).unwrap();
    let mut skeleton = Skeleton::open([program("maps"), needs_a_map(), program("progs")]);
    skeleton.load().unwrap();
    let loaded = Held::now();
    let error = skeleton.attach().unwrap_err();
    assert!(error.to_string().starts_with("target bpf_map_elem: "), "{error}");
    assert!(matches!(error, Error::Scope { takes: kwalk::progs::Parameters::Map, .. }), "{error:?}");
    is_back_to(&loaded);
    assert!(skeleton.link(own("maps")).is_none());
    // Once it is told what it needs, all are attached.
    skeleton.configure(own("elem"), Scope::Map(&map)).unwrap();
    skeleton.attach().unwrap();
    assert_eq!(Held::now().links.len(), 3);
    assert_eq!(drain(skeleton.iter(own("elem")).unwrap()).unwrap(), "");
}

/// The refusal is the kernel's own: a program that says it is for another target than it is.
fn a_refused_attach_undoes_the_others() {
    let mut liar = needs_a_map();
    pretend(&mut liar, targets::bpf_map::TARGET);
    let mut skeleton = Skeleton::open([program("maps"), program("stacks"), liar]);
    skeleton.load().unwrap();
    let loaded = Held::now();
    let error = skeleton.attach().unwrap_err();
    assert!(matches!(&error, Error::Sys(error) if error.call() == "BPF_LINK_CREATE"), "{error}");
    is_back_to(&loaded);
}

fn a_dead_process_undoes_the_attach() {
    let (number, mut skeleton) = (dead(), Skeleton::open(three()));
    skeleton.load().unwrap();
    let loaded = Held::now();
    for (number, parameters, expected) in [
        (number, Scope::Pid(number), ProcessError::NoProcess),
        (number, Scope::Tid(number), ProcessError::NoThread),
        // What the kernel takes for "all".
        (0, Scope::Pid(0), ProcessError::NoProcess),
        (0, Scope::Tid(0), ProcessError::NoThread),
    ] {
        skeleton.configure(own("files"), parameters).unwrap();
        match skeleton.attach() {
            Err(Error::Process { number: found, reason }) => assert_eq!((found, reason), (number, expected)),
            other => panic!("{other:?}"),
        }
        is_back_to(&loaded);
    }
}

fn steps_out_of_order_are_refused() {
    let before = Held::now();
    let mut skeleton = Skeleton::open(three());
    let error = skeleton.attach().unwrap_err();
    assert!(matches!(error, Error::NotLoaded { program } if program == own("maps")), "{error}");
    skeleton.detach();
    assert!(matches!(skeleton.iter(own("maps")), Err(Error::NoPart { .. })));
    is_back_to(&before);
    skeleton.load().unwrap();
    assert!(matches!(skeleton.iter(own("maps")), Err(Error::NoPart { .. })));
}

fn other_names_are_refused() {
    let mut skeleton = Skeleton::open(three());
    let refused = |result: Result<(), Error>| match result {
        Err(Error::NoPart { name }) => name == "nobody",
        _ => false,
    };
    assert!(refused(skeleton.configure("nobody", Scope::All)));
    skeleton.load().unwrap();
    skeleton.attach().unwrap();
    assert!(refused(skeleton.iter("nobody").map(drop)));
    assert!(skeleton.loaded("nobody").is_none() && skeleton.link("nobody").is_none());
}

fn the_verifier_s_reason_is_told() {
    let error = Loaded::load(&rejected()).unwrap_err();
    let message = error.to_string();
    let Error::Rejected(rejection) = error else { panic!("{error:?}") };
    let Rejection { program, errno, reason, log, .. } = &*rejection;
    assert_eq!((*program, *errno, reason.as_str()), (own("bad"), libc::EACCES, "R5 !read_ok"));
    // The whole log, instructions included, and of that the reason.
    assert!(log.contains("r2 = r5") && log.contains("\nR5 !read_ok\n"), "{log}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains(": the verifier rejects it: R5 !read_ok ("), "{message}");
}

/// Where the standard streams were closed at the start, the next descriptors would take their numbers: what is printed
/// would then go to a kernel object.
fn standard_streams_stay_free() {
    let bpffs = Bpffs::mount();
    let (pin, programs) = (bpffs.path("pin"), three());
    let saved = [dup(io::stdin()), dup(io::stdout()), dup(io::stderr())].map(Result::unwrap);
    for fd in 0..=2 {
        close(fd).unwrap();
    }
    let taken = walk_without_streams(programs, &pin);
    dup2_stdin(&saved[0]).unwrap();
    dup2_stdout(&saved[1]).unwrap();
    dup2_stderr(&saved[2]).unwrap();
    assert_eq!(taken.unwrap(), Vec::new());
}

/// Goes through a life, and gives which standard streams' numbers were in use at its steps, and by what.
fn walk_without_streams(programs: [Program; 3], pin: &Path) -> Result<Vec<(RawFd, PathBuf)>, Error> {
    let mut taken = Vec::new();
    // Its own descriptor is closed once it has listed the others.
    let mut look = || taken.extend(fds().into_iter().filter(|(fd, _)| *fd <= 2));
    let mut skeleton = Skeleton::open(programs);
    skeleton.load()?;
    look();
    skeleton.attach()?;
    look();
    let iter = skeleton.iter(own("maps"))?;
    look();
    drain(iter)?;
    skeleton.link(own("maps")).expect("it is attached").pin(&PinPath::new(pin)?)?;
    let link = Link::open(pin)?;
    look();
    drop(link);
    let iter = Iter::open(pin)?;
    look();
    drain(iter)?;
    unpin(pin)?;
    skeleton.destroy();
    look();
    Ok(taken)
}
