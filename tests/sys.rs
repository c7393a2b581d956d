//! The system calls, against the running kernel.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;

use btf_rs::{Btf, Type};
use kwalk::btf::{FuncInfo, LineRecord, TypeId};
use kwalk::sys::*;
use nix::unistd::{dup, dup2_stderr, dup2_stdin, dup2_stdout};

use crate::support::objects::function_btf;
use crate::support::{Bpffs, Need, Test, kernel_version, test, test_alone};

pub fn tests() -> Vec<Test> {
    const NEEDS: &[Need] = &[Need::Bpf, Need::Root];
    const SYSCALL: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(5, 14)];
    const PARAMETERS: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(6, 1)];
    macro_rules! tests {
        (here [$($needs:ident: [$($here:ident)*])*] apart [$($apart:ident)*]) => {
            vec![
                $($(test(stringify!($here), $needs, $here),)*)*
                $(test_alone(stringify!($apart), NEEDS, $apart),)*
            ]
        };
    }
    tests! {
        here [
            NEEDS: [
                a_map_keeps_what_it_is_given
                lengths_are_checked_against_the_map
                a_map_with_values_per_cpu_is_refused
                a_program_is_found_by_its_id
                a_map_can_be_bound_to_a_program
                a_rejection_comes_with_the_log
                the_log_cites_source_lines
                btf_is_loaded_and_given_back
                an_iterator_without_output_ends_at_once
                what_an_iterator_writes_is_read
                a_map_s_elements_are_walked
                a_pin_that_cannot_be_says_why
                the_kernel_s_btf_is_mapped_or_read_alike
            ]
            SYSCALL: [a_syscall_program_changes_its_context]
            PARAMETERS: [
                link_parameters_restrict_the_walk
                a_link_tells_what_it_walks
                a_link_s_program_can_be_swapped
                a_pin_leads_back_to_the_object
            ]
        ] apart [
            descriptors_stay_clear_of_stdio
            a_descriptor_that_cannot_move_up_is_closed
            failures_leak_no_descriptors
            without_privileges_nothing_is_loaded
        ]
    }
}

// Programs, instruction by instruction: opcode, registers (source << 4 | destination), offset, immediate.

type Insn = (u8, u8, i16, i32);

const R0_IS_0: Insn = (0xb7, 0x00, 0, 0);
const EXIT: Insn = (0x95, 0x00, 0, 0);

/// Writes the 8 bytes of `STAMP` for each object and at the end of the walk.
const STAMPS: [Insn; 9] = [
    (0x79, 0x11, 0, 0),         // r1 = ctx->meta
    (0x79, 0x11, 0, 0),         // r1 = meta->seq
    (0x7a, 0x0a, -8, STAMP),    // *(u64 *)(r10 - 8) = STAMP
    (0xbf, 0xa2, 0, 0),         // r2 = r10
    (0x07, 0x02, 0, -8),        // r2 += -8
    (0xb7, 0x03, 0, 8),         // r3 = 8
    (0x85, 0x00, 0, SEQ_WRITE), // call bpf_seq_write
    R0_IS_0,
    EXIT,
];
const STAMP: i32 = 0x1234_5678;
const SEQ_WRITE: i32 = 127;

fn code(insns: &[Insn]) -> Vec<u8> {
    let encode = |&(opcode, registers, offset, immediate): &Insn| {
        // The two registers are bit fields, which big-endian machines fill from the other end.
        let registers = if cfg!(target_endian = "big") { u8::rotate_left(registers, 4) } else { registers };
        let mut bytes = vec![opcode, registers];
        bytes.extend(offset.to_ne_bytes());
        bytes.extend(immediate.to_ne_bytes());
        bytes
    };
    insns.iter().flat_map(encode).collect()
}

fn socket_filter(name: &str) -> ProgFd {
    let insns = code(&[R0_IS_0, EXIT]);
    let load = ProgLoad::new(ProgType::SOCKET_FILTER, &insns, c"GPL");
    bpf(ProgLoad { name: ObjName::new(name), ..load }).unwrap()
}

fn iterator(target: &str, insns: &[Insn]) -> ProgFd {
    static BTF: LazyLock<Btf> =
        LazyLock::new(|| Btf::from_bytes(KernelBtf::open().unwrap().bytes()).unwrap());
    let name = format!("bpf_iter_{target}");
    let is_func = |id: &u32| matches!(BTF.resolve_type_by_id(*id), Ok(Type::Func(_)));
    let id = BTF.resolve_ids_by_name(&name).unwrap().into_iter().find(is_func).unwrap();
    bpf(ProgLoad::iter(&code(insns), c"GPL", id)).unwrap()
}

fn hash(entries: u32) -> MapFd {
    bpf(MapCreate { name: ObjName::new("kwalk_test"), ..MapCreate::new(MapType::HASH, 4, 8, entries) })
        .unwrap()
}

fn insert(map: &MapFd, key: u32, value: u64) -> Result<()> {
    let (key, value) = (key.to_ne_bytes(), value.to_ne_bytes());
    bpf(MapUpdateElem { map, key: &key, value: &value, flags: ElemFlags::empty() })
}

/// How many stamps a walk gives: objects, and one for its end.
fn stamps(link: &LinkFd) -> usize {
    let iter = bpf(IterCreate { link }).unwrap();
    let mut output = Vec::new();
    loop {
        let mut buf = [0; 4096];
        match iter.read(&mut buf).unwrap() {
            0 => break,
            len => output.extend_from_slice(&buf[..len]),
        }
    }
    let stamp = i64::from(STAMP).to_ne_bytes();
    assert!(output.chunks(8).all(|chunk| chunk == stamp));
    output.len() / 8
}

fn a_map_keeps_what_it_is_given() {
    let map = hash(2);
    let info = map.info().unwrap();
    assert_eq!((info.map_type, info.key_size, info.value_size, info.max_entries), (MapType::HASH, 4, 8, 2));
    assert_eq!(info.name.as_str(), "kwalk_test");

    let key = 1u32.to_ne_bytes();
    let mut value = [0; 8];
    let errno = |result: Result<()>| result.unwrap_err().errno();
    assert_eq!(errno(bpf(MapLookupElem { map: &map, key: &key, value: &mut value })), libc::ENOENT);
    insert(&map, 1, 11).unwrap();
    bpf(MapLookupElem { map: &map, key: &key, value: &mut value }).unwrap();
    assert_eq!(value, 11u64.to_ne_bytes());
    let again = MapUpdateElem { map: &map, key: &key, value: &value, flags: ElemFlags::NOEXIST };
    assert_eq!(errno(bpf(again)), libc::EEXIST);

    insert(&map, 2, 22).unwrap();
    assert_eq!(errno(insert(&map, 3, 33)), libc::E2BIG);
    bpf(MapDeleteElem { map: &map, key: &key }).unwrap();
    assert_eq!(errno(bpf(MapDeleteElem { map: &map, key: &key })), libc::ENOENT);

    bpf(MapFreeze { map: &map }).unwrap();
    assert_eq!(errno(insert(&map, 2, 0)), libc::EPERM);
    // EBUSY in older kernels
    assert!([libc::EPERM, libc::EBUSY].contains(&errno(bpf(MapFreeze { map: &map }))));
    let key = 2u32.to_ne_bytes();
    bpf(MapLookupElem { map: &map, key: &key, value: &mut value }).unwrap();
    assert_eq!(value, 22u64.to_ne_bytes());
    assert_eq!(bpf(MapCreate::new(MapType::ARRAY, 3, 8, 1)).unwrap_err().errno(), libc::EINVAL);
}

fn lengths_are_checked_against_the_map() {
    let map = hash(1);
    insert(&map, 1, 11).unwrap();
    // The sizes are known of a map from elsewhere, too.
    let found: MapFd = open_id(map.info().unwrap().id).unwrap();
    let reopened = MapFd::try_from(OwnedFd::from(found)).unwrap();
    assert_eq!((reopened.map_type(), reopened.key_size(), reopened.value_size()), (MapType::HASH, 4, 8));
    for map in [&map, &reopened] {
        for (key, value) in [(0, 8), (3, 8), (5, 8), (4, 0), (4, 7), (4, 9)] {
            let (key, mut value) = (vec![0; key], vec![0xaa; value]);
            let error = bpf(MapLookupElem { map, key: &key, value: &mut value }).unwrap_err();
            assert_eq!(error.errno(), libc::EINVAL);
            assert!(error.to_string().contains("bytes"), "{error}");
            assert!(value.iter().all(|&byte| byte == 0xaa));
            let update = MapUpdateElem { map, key: &key, value: &value, flags: ElemFlags::empty() };
            assert_eq!(bpf(update).unwrap_err().errno(), libc::EINVAL);
        }
        assert_eq!(bpf(MapDeleteElem { map, key: &[0; 5] }).unwrap_err().errno(), libc::EINVAL);
    }
}

fn a_map_with_values_per_cpu_is_refused() {
    let map = bpf(MapCreate::new(MapType::PERCPU_ARRAY, 4, 8, 1)).unwrap();
    let error = bpf(MapLookupElem { map: &map, key: &[0; 4], value: &mut [0; 8] }).unwrap_err();
    assert_eq!(error.errno(), libc::EINVAL);
}

fn a_program_is_found_by_its_id() {
    let prog = socket_filter("kwalk-test");
    let info = prog.info().unwrap();
    assert_eq!(info.prog_type, ProgType::SOCKET_FILTER);
    assert_eq!(info.name.as_str(), "kwalk_test");
    assert_eq!(prog.xlated().unwrap(), code(&[R0_IS_0, EXIT]));
    assert_eq!(info.xlated_prog_len, 16);
    assert!(ids::<ProgFd>().any(|id| id.unwrap() == info.id));
    assert_eq!(open_id::<ProgFd>(info.id).unwrap().info().unwrap(), info);
    assert_eq!(open_id::<ProgFd>(u32::MAX).unwrap_err().errno(), libc::ENOENT);
    let (map, types) = (hash(1), bpf(BtfLoad { btf: &function_btf("f", ""), log: None }).unwrap());
    let link = bpf(LinkCreate::iter(&iterator("task", &STAMPS), IterLinkInfo::None)).unwrap();
    has_among_others::<MapFd>(map.info().unwrap().id);
    has_among_others::<LinkFd>(link.info().unwrap().id);
    has_among_others::<BtfFd>(types.info().unwrap().id);
}

/// The ids of a kind of object are in order, and this one is among them.
#[track_caller]
fn has_among_others<O: Object>(id: u32) {
    let ids: Vec<_> = ids::<O>().map(Result::unwrap).collect();
    assert!(ids.contains(&id) && ids.is_sorted(), "{id} in {ids:?}");
}

fn a_map_can_be_bound_to_a_program() {
    let (prog, map) = (socket_filter("bind"), hash(1));
    assert_eq!(prog.map_ids().unwrap(), [0; 0]);
    bpf(ProgBindMap { prog: &prog, map: &map }).unwrap();
    assert_eq!(prog.map_ids().unwrap(), [map.info().unwrap().id]);
}

fn a_rejection_comes_with_the_log() {
    let insns = code(&[EXIT]);
    let rejected = |len| {
        let mut buf = vec![0xff; len];
        let log = Some(Log { level: LogLevel::BRIEF, buf: &mut buf });
        let load = ProgLoad { log, ..ProgLoad::new(ProgType::SOCKET_FILTER, &insns, c"GPL") };
        (bpf(load).unwrap_err(), Log::text(&buf))
    };
    let (error, log) = rejected(64 << 10);
    assert_eq!(error.errno(), libc::EACCES);
    assert!(log.contains("R0 !read_ok"), "{log}");
    // Older kernels want at least 128 bytes.
    assert!([libc::ENOSPC, libc::EINVAL].contains(&rejected(1).0.errno()));

    let odd = bpf(ProgLoad::new(ProgType::SOCKET_FILTER, &insns[..7], c"GPL")).unwrap_err();
    assert_eq!((odd.call(), odd.errno()), ("BPF_PROG_LOAD", libc::EINVAL));
    let none = bpf(ProgLoad::new(ProgType::SOCKET_FILTER, &[], c"GPL")).unwrap_err();
    assert_eq!(none.errno(), libc::E2BIG);
    let unknown = bpf(ProgLoad::new(ProgType(0xffff), &insns, c"GPL")).unwrap_err();
    assert_eq!(unknown.errno(), libc::EINVAL);
}

fn the_log_cites_source_lines() {
    let btf = bpf(BtfLoad { btf: &function_btf("f", "return nothing;\0f.rs\0"), log: None }).unwrap();
    let mut buf = vec![0; 64 << 10];
    let prog_btf = ProgBtf {
        btf: &btf,
        func_info: &[FuncInfo { insn_off: 0, type_id: TypeId(3) }],
        line_info: &[LineRecord { insn_off: 0, file_name_off: 23, line_off: 7, line_col: 42 << 10 }],
    };
    let insns = code(&[EXIT]);
    let error = bpf(ProgLoad {
        btf: Some(prog_btf),
        log: Some(Log { level: LogLevel::BRIEF, buf: &mut buf }),
        ..ProgLoad::new(ProgType::SOCKET_FILTER, &insns, c"GPL")
    });
    assert_eq!(error.unwrap_err().errno(), libc::EACCES);
    assert!(Log::text(&buf).contains("; return nothing;"), "{}", Log::text(&buf));

    let insns = code(&[R0_IS_0, EXIT]);
    let load = ProgLoad::new(ProgType::SOCKET_FILTER, &insns, c"GPL");
    let prog = bpf(ProgLoad { btf: Some(prog_btf), ..load }).unwrap();
    assert_eq!(prog.info().unwrap().btf_id, btf.info().unwrap().id);
}

fn btf_is_loaded_and_given_back() {
    let data = function_btf("f", "");
    let btf = bpf(BtfLoad { btf: &data, log: None }).unwrap();
    let info = btf.info().unwrap();
    assert_eq!((info.size as usize, info.kernel, info.name.as_str()), (data.len(), false, ""));
    assert_eq!(btf.data().unwrap(), data);
    // Of its own types the kernel has told since 5.11.
    let named = ids::<BtfFd>().filter_map(|id| open_id::<BtfFd>(id.unwrap()).ok());
    let vmlinux = named.map(|btf| btf.info().unwrap()).any(|info| info.kernel && info.name == "vmlinux");
    assert!(vmlinux || kernel_version() < (5, 11));

    let mut buf = vec![0; 4096];
    let log = Some(Log { level: LogLevel::BRIEF, buf: &mut buf });
    assert_eq!(bpf(BtfLoad { btf: &[0; 32], log }).unwrap_err().errno(), libc::EINVAL);
    assert!(Log::text(&buf).contains("magic"), "{}", Log::text(&buf));
}

fn a_syscall_program_changes_its_context() {
    // r2 = 42; *(u64 *)(r1 + 0) = r2; r0 = 7; exit
    let insns = code(&[(0xb7, 0x02, 0, 42), (0x7b, 0x21, 0, 0), (0xb7, 0x00, 0, 7), EXIT]);
    let load = ProgLoad::new(ProgType::SYSCALL, &insns, c"GPL");
    let prog = bpf(ProgLoad { flags: ProgFlags::SLEEPABLE, ..load }).unwrap();
    let mut ctx = [0; 16];
    assert_eq!(bpf(ProgRun { prog: &prog, ctx: &mut ctx }).unwrap(), 7);
    assert_eq!(ctx[..8], 42u64.to_ne_bytes());
    assert_eq!(bpf(ProgRun { prog: &prog, ctx: &mut [0; 4] }).unwrap_err().errno(), libc::EINVAL);
}

fn an_iterator_without_output_ends_at_once() {
    let prog = iterator("task", &[R0_IS_0, EXIT]);
    // Told since 5.15 or so.
    assert!(prog.info().unwrap().attach_btf_id != 0 || kernel_version() < (6, 1));
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::None)).unwrap();
    let iter = bpf(IterCreate { link: &link }).unwrap();
    assert_eq!(iter.read(&mut [0; 64]).unwrap(), 0);
}

fn what_an_iterator_writes_is_read() {
    let prog = iterator("task", &STAMPS);
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::None)).unwrap();
    assert!(stamps(&link) > 2);
    // Two walks of one link don't share their position.
    let (first, second) =
        (bpf(IterCreate { link: &link }).unwrap(), bpf(IterCreate { link: &link }).unwrap());
    let mut buf = [0; 8];
    assert_eq!(first.read(&mut buf).unwrap(), 8);
    assert_eq!(second.read(&mut buf).unwrap(), 8);
    assert_eq!(buf, i64::from(STAMP).to_ne_bytes());
}

fn link_parameters_restrict_the_walk() {
    let attach = |target, info| bpf(LinkCreate::iter(&iterator(target, &STAMPS), info));
    let pid = std::process::id();
    let pidfd = pidfd_open(pid).unwrap();
    assert_eq!(stamps(&attach("task", IterLinkInfo::Tid(pid)).unwrap()), 1 + 1);
    for info in [IterLinkInfo::Pid(pid), IterLinkInfo::PidFd(pidfd.as_fd())] {
        assert!(stamps(&attach("task", info).unwrap()) > 1);
    }
    let all = stamps(&attach("task", IterLinkInfo::None).unwrap());
    assert!(stamps(&attach("task", IterLinkInfo::PidFd(pidfd.as_fd())).unwrap()) < all);

    let cgroup = |order, start| attach("cgroup", IterLinkInfo::Cgroup { order, start });
    assert_eq!(stamps(&cgroup(CgroupOrder::SELF_ONLY, CgroupStart::Root).unwrap()), 1 + 1);
    assert!(stamps(&cgroup(CgroupOrder::DESCENDANTS_PRE, CgroupStart::Root).unwrap()) > 1);
    let id =
        cgroup(CgroupOrder::SELF_ONLY, CgroupStart::Root).unwrap().info().unwrap().iter.unwrap().cgroup();
    let (id, order) = id.unwrap();
    assert_eq!(order, CgroupOrder::SELF_ONLY);
    assert_eq!(stamps(&cgroup(CgroupOrder::ANCESTORS_UP, CgroupStart::Id(id)).unwrap()), 1 + 1);
    assert_eq!(attach("cgroup", IterLinkInfo::None).unwrap_err().errno(), libc::EINVAL);
}

fn a_map_s_elements_are_walked() {
    let map = hash(8);
    (0..5).for_each(|key| insert(&map, key, 0).unwrap());
    let prog = iterator("bpf_map_elem", &STAMPS);
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::Map(&map))).unwrap();
    assert_eq!(stamps(&link), 5 + 1);
    let iter = link.info().unwrap().iter.unwrap();
    assert_eq!((iter.target.as_str(), iter.map_id()), ("bpf_map_elem", Some(map.info().unwrap().id)));

    let error = bpf(LinkCreate::iter(&prog, IterLinkInfo::None)).unwrap_err();
    assert_eq!(error.errno(), libc::EBADF);
}

fn a_link_tells_what_it_walks() {
    let prog = iterator("task", &STAMPS);
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::Tid(1))).unwrap();
    let info = link.info().unwrap();
    assert_eq!((info.link_type, info.prog_id), (LinkType::ITER, prog.info().unwrap().id));
    let iter = info.iter.clone().unwrap();
    assert_eq!(iter.target, "task");
    assert_eq!(iter.task(), Some((1, 0)));
    assert_eq!((iter.map_id(), iter.cgroup()), (None, None));
    assert!(ids::<LinkFd>().any(|id| id.unwrap() == info.id));
    // The kernel has two names for links.
    for fd in [OwnedFd::from(link), open_id::<LinkFd>(info.id).unwrap().into()] {
        assert_eq!(LinkFd::try_from(fd).unwrap().info().unwrap(), info);
    }
}

fn a_link_s_program_can_be_swapped() {
    let (silent, stamping) = (iterator("task", &[R0_IS_0, EXIT]), iterator("task", &STAMPS));
    let link = bpf(LinkCreate::iter(&silent, IterLinkInfo::Tid(std::process::id()))).unwrap();
    assert_eq!(stamps(&link), 0);
    bpf(LinkUpdate { link: &link, new: &stamping, old: Some(&silent) }).unwrap();
    assert_eq!(stamps(&link), 1 + 1);
    let stale = bpf(LinkUpdate { link: &link, new: &silent, old: Some(&silent) }).unwrap_err();
    assert_eq!(stale.errno(), libc::EPERM);
    let other = iterator("bpf_map", &STAMPS);
    let mixed = bpf(LinkUpdate { link: &link, new: &other, old: None }).unwrap_err();
    assert_eq!(mixed.errno(), libc::EINVAL);
    assert_eq!(stamps(&link), 1 + 1);
}

fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap()
}

fn a_pin_leads_back_to_the_object() {
    let bpffs = Bpffs::mount();
    let prog = iterator("task", &STAMPS);
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::Tid(std::process::id()))).unwrap();
    let map = hash(1);
    let (prog_path, link_path, map_path) =
        (c(bpffs.path("prog")), c(bpffs.path("link")), c(bpffs.path("map")));
    bpf(ObjPin { fd: prog.as_fd(), path: &prog_path }).unwrap();
    bpf(ObjPin { fd: link.as_fd(), path: &link_path }).unwrap();
    bpf(ObjPin { fd: map.as_fd(), path: &map_path }).unwrap();

    let get = |path| bpf(ObjGet { path }).unwrap();
    let (prog_id, link_id) = (prog.info().unwrap().id, link.info().unwrap().id);
    drop((prog, link));
    assert_eq!(ProgFd::try_from(get(&prog_path)).unwrap().info().unwrap().id, prog_id);
    assert_eq!(LinkFd::try_from(get(&link_path)).unwrap().info().unwrap().id, link_id);
    assert_eq!(MapFd::try_from(get(&map_path)).unwrap().info().unwrap(), map.info().unwrap());

    // What is something else is not taken for it.
    let error = LinkFd::try_from(get(&map_path)).unwrap_err();
    assert_eq!(error.errno(), libc::EINVAL);
    assert!(error.to_string().contains("bpf-map"), "{error}");
    assert!(MapFd::try_from(get(&prog_path)).is_err());
    assert!(ProgFd::try_from(get(&link_path)).is_err());
    assert!(BtfFd::try_from(get(&prog_path)).is_err());
    assert!(ProgFd::try_from(OwnedFd::from(File::open("/dev/null").unwrap())).is_err());

    let iter = IterFd::open(&bpffs.path("link")).unwrap();
    let mut buf = [0; 64];
    assert_eq!(iter.read(&mut buf).unwrap(), 16);
    assert_eq!(buf[..16], i64::from(STAMP).to_ne_bytes().repeat(2));
    assert_eq!(IterFd::open(&bpffs.path("map")).unwrap_err().raw_os_error(), Some(libc::EIO));
}

fn a_pin_that_cannot_be_says_why() {
    let bpffs = Bpffs::mount();
    let elsewhere = crate::support::dir();
    let map = hash(1);
    let pin = |path: CString| bpf(ObjPin { fd: map.as_fd(), path: &path });
    let outside = pin(c(elsewhere.path().join("map"))).unwrap_err();
    assert_eq!(outside.errno(), libc::EPERM);
    assert_eq!(pin(c(bpffs.path("dotted.name"))).unwrap_err().errno(), libc::EPERM);
    assert_eq!(pin(c(bpffs.path("no/such/directory"))).unwrap_err().errno(), libc::ENOENT);
    pin(c(bpffs.path("map"))).unwrap();
    assert_eq!(pin(c(bpffs.path("map"))).unwrap_err().errno(), libc::EEXIST);
    assert_eq!(bpf(ObjGet { path: &c(bpffs.path("nothing")) }).unwrap_err().errno(), libc::ENOENT);
    let file = elsewhere.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(bpf(ObjGet { path: &c(&file) }).unwrap_err().errno(), libc::EACCES);
}

fn the_kernel_s_btf_is_mapped_or_read_alike() {
    let opened = KernelBtf::open().unwrap();
    let mut read = Vec::new();
    File::open(KernelBtf::PATH).unwrap().read_to_end(&mut read).unwrap();
    assert!(opened.bytes() == read);
    let maps = || fs::read_to_string("/proc/self/maps").unwrap().contains("/btf/vmlinux");
    assert_eq!(maps(), opened.is_mapped());
    assert!(format!("{opened:?}").contains(&read.len().to_string()));
}

fn is_open(fd: RawFd) -> bool {
    fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok()
}

fn descriptors_stay_clear_of_stdio() {
    let insns = STAMPS;
    let kept = [dup(io::stdin()), dup(io::stdout()), dup(io::stderr())].map(Result::unwrap);
    for fd in 0..=2 {
        nix::unistd::close(fd).unwrap();
    }
    let btf = KernelBtf::open().unwrap();
    let prog = iterator("task", &insns);
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::None)).unwrap();
    let iter = bpf(IterCreate { link: &link }).unwrap();
    let map = hash(1);
    let loaded = bpf(BtfLoad { btf: &function_btf("f", ""), log: None }).unwrap();
    let again: ProgFd = open_id(prog.info().unwrap().id).unwrap();
    let pidfd = pidfd_open(std::process::id()).unwrap();
    let low = File::open("/dev/null").unwrap();
    let fds = [prog.as_raw_fd(), link.as_raw_fd(), iter.as_raw_fd(), map.as_raw_fd(), loaded.as_raw_fd()];
    let right = fds.into_iter().chain([again.as_raw_fd(), pidfd.as_raw_fd()]).all(|fd| fd > 2)
        && low.as_raw_fd() == 0
        && (1..=2).all(|fd| !is_open(fd))
        && !btf.bytes().is_empty();
    drop(low);
    // A panic's message has somewhere to go again.
    dup2_stdin(&kept[0]).unwrap();
    dup2_stdout(&kept[1]).unwrap();
    dup2_stderr(&kept[2]).unwrap();
    assert!(right, "{fds:?}");
}

fn a_descriptor_that_cannot_move_up_is_closed() {
    let mut filler = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        filler.push(file);
    }
    nix::unistd::close(0).unwrap();
    let error = bpf(MapCreate::new(MapType::ARRAY, 4, 4, 1)).unwrap_err();
    assert_eq!((error.call(), error.errno()), ("BPF_MAP_CREATE", libc::EMFILE));
    assert!(!is_open(0));
}

fn failures_leak_no_descriptors() {
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let bpffs = Bpffs::mount();
    let map = hash(1);
    let prog = iterator("bpf_map_elem", &STAMPS);
    let link = bpf(LinkCreate::iter(&prog, IterLinkInfo::Map(&map))).unwrap();
    let link_path = c(bpffs.path("link"));
    bpf(ObjPin { fd: link.as_fd(), path: &link_path }).unwrap();
    let other = iterator("task", &STAMPS);
    let before = open();
    for _ in 0..3 {
        assert!(bpf(ProgLoad::new(ProgType::SOCKET_FILTER, &code(&[EXIT]), c"GPL")).is_err());
        assert!(bpf(ProgLoad::iter(&code(&STAMPS), c"GPL", 1)).is_err());
        assert!(bpf(LinkCreate::iter(&prog, IterLinkInfo::None)).is_err());
        assert!(bpf(LinkUpdate { link: &link, new: &other, old: None }).is_err());
        assert!(bpf(MapCreate::new(MapType::HASH, 0, 0, 0)).is_err());
        assert!(bpf(BtfLoad { btf: &[0; 32], log: None }).is_err());
        assert!(bpf(ObjPin { fd: map.as_fd(), path: &link_path }).is_err());
        assert!(MapFd::try_from(bpf(ObjGet { path: &link_path }).unwrap()).is_err());
        assert!(KernelBtf::open_path("/proc/self/mem".as_ref()).is_err());
        assert!(open_id::<LinkFd>(u32::MAX).is_err());
    }
    assert_eq!(open(), before);
}

fn without_privileges_nothing_is_loaded() {
    let insns = code(&[R0_IS_0, EXIT]);
    nix::unistd::setuid(nix::unistd::Uid::from_raw(65534)).unwrap();
    assert_eq!(Caps::effective().unwrap(), Caps::empty());
    let error = bpf(ProgLoad::iter(&insns, c"GPL", 1)).unwrap_err();
    assert_eq!(error.errno(), libc::EPERM);
    let error = ids::<ProgFd>().next().unwrap().unwrap_err();
    assert_eq!((error.call(), error.errno()), ("BPF_PROG_GET_NEXT_ID", libc::EPERM));
}
