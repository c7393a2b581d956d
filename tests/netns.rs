//! A walk in another network namespace shows what that one has, and all of it; the walker stays where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Instant;

use kwalk::select::{Column, Select, field};
use kwalk::sys::{Command as _, IterLinkInfo, LinkCreate, NetnsFd, bpf};
use kwalk::{Error, Link, Loaded, Netns, ProcessError, Scope};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::fstat;
use nix::unistd::gettid;

use crate::support::Need::{Bpf, Kernel, Root, Target, Tool};
use crate::support::helper::{Helper, PORTS, numbers};
use crate::support::objects::idle_program;
use crate::support::rows::{all, counted, number, opened, walked};
use crate::support::{Need, Test, dir, eventually, kwalk, refused, running, stdout, test, test_alone};

const ROOT: &[Need] = &[Bpf, Root];
const RIGHTS: &[Need] = &[Bpf, Root, Tool("setpriv")];
const ROUTES: &[Need] = &[Bpf, Root, Tool("ip"), Tool("nsenter")];
/// Where descriptors lead to namespaces without /proc.
const PIDFD: &[Need] = &[Bpf, Root, Kernel(6, 11)];
const UNIX: &[Need] = &[Bpf, Root, Target(&kwalk::progs::targets::unix::TARGET)];

pub fn tests() -> Vec<Test> {
    vec![
        test("sockets_are_those_of_the_namespace", ROOT, sockets_are_those_of_the_namespace),
        test("unix_sockets_are_those_of_the_namespace", UNIX, unix_sockets_are_those_of_the_namespace),
        test_alone("each_of_10000_unix_sockets_is_shown_once", UNIX, each_of_many_unix_sockets_is_shown_once),
        test("netlink_sockets_are_those_of_the_namespace", ROOT, netlink_sockets_are_those_of_the_namespace),
        test("routes_are_those_of_the_namespace", ROUTES, routes_are_those_of_the_namespace),
        test("all_namespaces_are_found_once", ROOT, all_namespaces_are_found_once),
        test_alone("a_namespace_that_has_but_a_name_is_found", ROOT, one_that_has_but_a_name_is_found),
        test("what_keeps_a_namespace_leads_to_it", ROOT, what_keeps_a_namespace_leads_to_it),
        test_alone(
            "without_proc_mounts_are_said_to_be_missing",
            PIDFD,
            without_proc_mounts_are_said_to_be_missing,
        ),
        test("rows_of_several_namespaces_say_which", ROOT, rows_of_several_namespaces_say_which),
        test("processes_that_end_meanwhile_are_no_error", ROOT, processes_that_end_meanwhile_are_no_error),
        test_alone("nothing_is_left_behind", ROOT, nothing_is_left_behind),
        test("what_is_no_namespace_is_refused", ROOT, what_is_no_namespace_is_refused),
        test("other_targets_have_no_namespaces", ROOT, other_targets_have_no_namespaces),
        test("the_command_walks_namespaces", ROOT, the_command_walks_namespaces),
        test("the_command_says_what_is_wrong", RIGHTS, the_command_says_what_is_wrong),
        test_alone("what_goes_wrong_there_is_told_here", ROOT, what_goes_wrong_there_is_told_here),
    ]
}

/// Where a walk's object says what namespace it is in, and its port.
const SOCKETS: [(&str, [&str; 2], u16); 2] = [
    ("tcp", ["skc_net.net.ns.inum", "skc_num"], 0),
    ("udp", ["inet.sk.__sk_common.skc_net.net.ns.inum", "inet.sk.__sk_common.skc_num"], 1),
];

/// The pairs of numbers that a walk gives in these namespaces, in order.
#[track_caller]
fn pairs(target: &str, fields: [&str; 2], scope: Scope<'_>) -> Vec<(u64, u64)> {
    let rows = opened(target, fields, scope).unwrap();
    let mut pairs = all(rows, |values| (number(&values[0]), number(&values[1]))).unwrap();
    pairs.sort_unstable();
    pairs
}

fn of(helper: &Helper) -> Netns {
    Netns::of_process(helper.pid()).unwrap()
}

/// What `/proc/PID/ns/net` is called.
fn inode(pid: u32) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/net")).unwrap().ino()
}

fn own() -> PathBuf {
    fs::read_link("/proc/thread-self/ns/net").unwrap()
}

fn sockets_are_those_of_the_namespace() {
    let helpers = [Helper::with_netns(0), Helper::with_netns(0)];
    let here = own();
    for (target, fields, above) in SOCKETS {
        let wanted = |helper: &Helper| PORTS.map(|port| (inode(helper.pid()), u64::from(port + above)));
        for helper in &helpers {
            assert_eq!(of(helper).inode(), inode(helper.pid()));
            assert_eq!(pairs(target, fields, Scope::Netns(&[of(helper)])), wanted(helper), "{target}");
        }
        let mut both = helpers.each_ref().map(wanted).concat();
        both.sort_unstable();
        assert_eq!(pairs(target, fields, Scope::Netns(&helpers.each_ref().map(of))), both, "{target}");
        assert_eq!(own(), here);
    }
    assert_eq!(Netns::open("/proc/thread-self/ns/net".as_ref()).unwrap().to_string(), here.to_str().unwrap());
}

/// The inodes of a process's sockets.
fn sockets(helper: &Helper) -> BTreeSet<u64> {
    let sockets = fs::read_dir(format!("/proc/{}/fd", helper.pid())).unwrap().filter_map(|fd| {
        let link = fs::read_link(fd.unwrap().path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
    });
    sockets.collect()
}

fn unix_sockets_are_those_of_the_namespace() {
    const FIELDS: [&str; 2] = ["sk.__sk_common.skc_net.net.ns.inum", "sk.sk_socket.file.f_inode.i_ino"];
    let helpers = [Helper::with_netns(1000), Helper::with_netns(2)];
    for helper in &helpers {
        let sockets = sockets(helper);
        let found = pairs("unix", FIELDS, Scope::Netns(&[of(helper)]));
        let inodes: Vec<_> = found.iter().map(|(_, inode)| *inode).collect();
        assert!(found.iter().all(|(netns, _)| *netns == inode(helper.pid())));
        // The others are those of TCP and UDP.
        assert_eq!(inodes.len(), sockets.len() - 2 * PORTS.len());
        assert!(inodes.iter().all(|inode| sockets.contains(inode)));
    }
}

/// Where the kernel ends a read among the sockets of one hash bucket, it goes on with the next bucket.
fn each_of_many_unix_sockets_is_shown_once() {
    const INODE: &str = "sk.sk_socket.file.f_inode.i_ino";
    const ROOM: usize = 10_000;
    let (old, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, old.max(ROOM as u64), most.max(ROOM as u64)).unwrap();
    let helpers = [Helper::with_netns(3_000), Helper::with_netns(5_000)];
    let held = helpers.each_ref().map(sockets);
    let both = helpers.each_ref().map(of);
    let inodes = |select: &Select, scope: Scope<'_>| {
        let mut inodes = all(walked(select, scope).unwrap(), |values| number(&values[0])).unwrap();
        inodes.sort_unstable();
        inodes
    };
    // Rows of 8 bytes, and so large that those of a hash bucket are about what the kernel gives in one read.
    for more in [0, 100] {
        let more = (0..more).map(|nth| (field("sk.sk_wmem_alloc.refs.counter") + nth).into());
        let columns: Vec<Column> = [INODE.into()].into_iter().chain(more).collect();
        let select = Select::new("unix").fields(columns);
        let (mut every, mut half) = (Vec::<u64>::new(), Vec::<u64>::new());
        for (netns, held) in both.iter().zip(&held) {
            let found = inodes(&select, Scope::Netns(slice::from_ref(netns)));
            // The others are those of TCP and UDP.
            assert_eq!(found.len(), held.len() - 2 * PORTS.len());
            assert!(found.iter().all(|inode| held.contains(inode)));
            assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
            half.extend(found.iter().filter(|inode| **inode % 2 == 0));
            every.extend(found);
        }
        every.sort_unstable();
        half.sort_unstable();
        assert_eq!(inodes(&select, Scope::Netns(&both)), every);
        let even = (field(INODE) % 2).eq(0);
        assert_eq!(inodes(&select.clone().filter(even.clone()), Scope::Netns(&both)), half);
        let none = select.clone().filter(field("sk.sk_type").eq(99));
        assert_eq!(inodes(&none, Scope::Netns(&both)), [0; 0]);
        assert_eq!(counted(&select.filter(even), Scope::Netns(&both)).unwrap(), half.len() as u64);
    }
    let netns = inode(helpers[1].pid());
    let condition = format!("netns = {netns}");
    let args = ["unix", "--netns", "all", "-f", "inode", "-w", &condition, "-o", "csv"];
    let printed = stdout(&mut kwalk(args));
    let printed: BTreeSet<u64> = printed.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert_eq!(printed.len(), 5_000);
    assert!(printed.is_subset(&held[1]));
    // Here, where there may be others, too.
    let kept: Vec<_> = (0..3_000).map(|_| UnixDatagram::unbound().unwrap()).collect();
    let own: BTreeSet<_> = kept.iter().map(|socket| fstat(socket).unwrap().st_ino).collect();
    let mut found = inodes(&Select::new("unix").fields([INODE]), Scope::All);
    found.retain(|inode| own.contains(inode));
    assert_eq!(found.len(), own.len());
}

/// A namespace begins with netlink sockets of the kernel's.
fn netlink_sockets_are_those_of_the_namespace() {
    let helper = Helper::with_netns(0);
    let found = pairs(
        "netlink",
        ["sk.sk.__sk_common.skc_net.net.ns.inum", "sk.portid"],
        Scope::Netns(&[of(&helper)]),
    );
    assert!(found.iter().all(|(netns, _)| *netns == inode(helper.pid())));
    let shown = fs::read_to_string(format!("/proc/{}/net/netlink", helper.pid())).unwrap();
    assert!(!found.is_empty() && found.len() == shown.lines().count() - 1);
}

fn routes_are_those_of_the_namespace() {
    let helper = Helper::with_netns(0);
    let (pid, netns) = (helper.pid(), [of(&helper)]);
    // The file shows what stands in empty tables, too: unreachable, of the greatest metric, and without a table.
    let is_route = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        !(words[5] == "ffffffff" && words[8] == "00200200")
    };
    let routes = || {
        let text = fs::read_to_string(format!("/proc/{pid}/net/ipv6_route")).unwrap();
        text.lines().filter(is_route).count()
    };
    let shown = || {
        let rows = opened("ipv6_route", ["fib6_metric"], Scope::Netns(&netns));
        all(rows.unwrap(), |_| ()).unwrap().len()
    };
    assert_eq!(shown(), routes());
    let up = ["-t", &pid.to_string(), "-n", "ip", "link", "set", "lo", "up"];
    assert!(Command::new("nsenter").args(up).status().unwrap().success());
    eventually("lo has routes", || routes() > 0);
    assert_eq!(shown(), routes());
}

fn all_namespaces_are_found_once() {
    let helpers = [Helper::with_netns(0), Helper::with_netns(0)];
    let known = helpers.each_ref().map(|helper| inode(helper.pid()));
    let mut times = BTreeMap::new();
    for netns in Netns::all(&running()).unwrap() {
        *times.entry(netns.unwrap().inode()).or_insert(0) += 1;
    }
    for inode in known.into_iter().chain([inode(std::process::id())]) {
        assert_eq!(times.get(&inode), Some(&1), "{inode}");
    }
    assert_eq!(Netns::all(&running()).unwrap().next().unwrap().unwrap().to_string(), own().to_str().unwrap());
    for (target, fields, above) in SOCKETS {
        let mut found = pairs(target, fields, Scope::AllNetns);
        found.retain(|(netns, _)| known.contains(netns));
        let mut wanted: Vec<_> =
            known.iter().flat_map(|netns| PORTS.map(|port| (*netns, u64::from(port + above)))).collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{target}");
    }
}

/// Enters a new network namespace for as long as `make` takes. Returns its inode, and what `make` returns.
fn for_a_moment<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> (u64, T) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let inode = fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
        (inode, make())
    });
    thread.join().unwrap()
}

/// Each of these is the only thing that keeps its namespace.
fn what_keeps_a_namespace_leads_to_it() {
    let dir = dir();
    let (by_socket, socket) = for_a_moment(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    let (by_unix, unix) = for_a_moment(|| UnixDatagram::unbound().unwrap());
    let (by_file, file) = for_a_moment(|| File::open("/proc/thread-self/ns/net").unwrap());
    let none = None::<&str>;
    let point = dir.path().join("m n\\");
    File::create(&point).unwrap();
    let at = point.clone();
    let (by_mount, ()) = for_a_moment(move || {
        mount(Some("/proc/thread-self/ns/net"), &at, none, MsFlags::MS_BIND, none).unwrap();
    });
    // Threads that wait: one in its namespace, one that has a mount of another in its own mount namespace.
    let (tell, told) = mpsc::channel();
    let (alive, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let (inside, waits) = (tell.clone(), wait.clone());
    let in_it = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        inside.send(fs::metadata("/proc/thread-self/ns/net").unwrap().ino()).unwrap();
        let _ = waits.lock().unwrap().recv();
    });
    let by_thread = told.recv().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    File::create(&elsewhere).unwrap();
    let in_mounts = thread::spawn(move || {
        let home = File::open("/proc/thread-self/ns/net").unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        mount(Some("/proc/thread-self/ns/net"), &elsewhere, none, MsFlags::MS_BIND, none).unwrap();
        let inode = fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
        setns(home, CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(inode).unwrap();
        let _ = wait.lock().unwrap().recv();
    });
    let by_mount_elsewhere = told.recv().unwrap();
    let kept = [by_socket, by_unix, by_file, by_mount, by_thread, by_mount_elsewhere];
    assert_eq!(BTreeSet::from(kept).len(), kept.len());

    let mut times = BTreeMap::new();
    for netns in Netns::all(&running()).unwrap() {
        *times.entry(netns.unwrap().inode()).or_insert(0) += 1;
    }
    for inode in kept {
        assert_eq!(times.get(&inode), Some(&1), "{inode}: {kept:?}");
    }
    // The kernel has netlink sockets of its own in each.
    let printed = stdout(&mut kwalk(["netlink", "--netns", "all", "-f", "netns", "-o", "csv"]));
    let shown: BTreeSet<u64> = printed.lines().skip(1).map(|line| line.trim().parse().unwrap()).collect();
    for inode in kept {
        assert!(shown.contains(&inode), "{inode}: {kept:?}");
    }
    drop((socket, unix, file));
    umount2(&point, MntFlags::empty()).unwrap();
    drop(alive);
    in_it.join().unwrap();
    in_mounts.join().unwrap();
    eventually("the namespaces are gone", || {
        let found: BTreeSet<u64> =
            Netns::all(&running()).unwrap().filter_map(|netns| Some(netns.ok()?.inode())).collect();
        kept.iter().all(|inode| !found.contains(inode))
    });
}

/// In a mount namespace of this process's own.
fn without_proc_mounts_are_said_to_be_missing() {
    let helper = Helper::with_netns(0);
    let (by_socket, _socket) = for_a_moment(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    let known = [inode(helper.pid()), by_socket];
    let own = inode(std::process::id());
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    umount2("/proc", MntFlags::MNT_DETACH).unwrap();
    let output = kwalk(["netlink", "--netns", "all", "-f", "netns", "-o", "csv"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("kwalk: /proc/thread-self/mountinfo: No such file or directory"), "{said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let shown: BTreeSet<u64> = printed.lines().filter_map(|line| line.trim().parse().ok()).collect();
    for inode in known.into_iter().chain([own]) {
        assert!(shown.contains(&inode), "{inode} of {shown:?}");
    }
}

/// Objects that are alike but for their namespace look different.
fn rows_of_several_namespaces_say_which() {
    let helpers = [Helper::with_netns(0), Helper::with_netns(0)];
    let inodes = helpers.each_ref().map(|helper| inode(helper.pid()));
    let wanted = BTreeSet::from(inodes.map(|inode| inode.to_string()));
    for (target, condition) in [
        ("tcp", format!("sport = {}", PORTS[0])),
        ("udp", format!("sport = {}", PORTS[0] + 1)),
        ("netlink", "portid = 0 and protocol = 'ROUTE'".into()),
        ("ipv6_route", "metric >= 0".into()),
    ] {
        let condition = format!("({condition}) and netns in ({}, {})", inodes[0], inodes[1]);
        let args = [target, "-o", "csv", "-w", &condition];
        let printed = stdout(kwalk(args).args(["--netns", "all"]));
        let rows: Vec<_> = printed.lines().map(str::trim).collect();
        let Some((heading, rows)) = rows.split_first() else { panic!("{target}") };
        assert!(heading.ends_with(",netns"), "{heading}");
        if target == "ipv6_route" {
            // The loopback of these is down.
            assert_eq!(rows, [""; 0]);
            continue;
        }
        let shown = rows.iter().map(|row| row.rsplit(',').next().unwrap().to_owned());
        assert_eq!(shown.collect::<BTreeSet<_>>(), wanted, "{target}: {rows:?}");
        let path = format!("/proc/{}/ns/net", helpers[0].pid());
        let printed = stdout(kwalk(args).args(["--netns", &path]));
        assert!(!printed.lines().next().unwrap().contains("netns"), "{printed}");
    }
}

/// In a mount namespace of this process's own, where names in /run/netns are nobody else's.
fn one_that_has_but_a_name_is_found() {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    let helper = Helper::with_netns(0);
    let (pid, inode) = (helper.pid(), inode(helper.pid()));
    fs::create_dir("/run/netns").unwrap();
    for name in ["kept", "again", "left"] {
        File::create(Path::new("/run/netns").join(name)).unwrap();
    }
    let times =
        || Netns::all(&running()).unwrap().filter(|netns| netns.as_ref().unwrap().inode() == inode).count();
    assert_eq!(times(), 1);
    for name in ["kept", "again"] {
        let source = format!("/proc/{pid}/ns/net");
        mount(Some(source.as_str()), &Path::new("/run/netns").join(name), none, MsFlags::MS_BIND, none)
            .unwrap();
    }
    assert_eq!(times(), 1);
    drop(helper);
    assert_eq!(times(), 1);
    assert_eq!(Netns::open("/run/netns/kept".as_ref()).unwrap().inode(), inode);
    assert!(matches!(Netns::open("/run/netns/left".as_ref()), Err(Error::NotA { .. })));
}

fn processes_that_end_meanwhile_are_no_error() {
    let mut children = Vec::new();
    let start = Instant::now();
    let is_over = || start.elapsed().as_millis() > 1500;
    let mut errors = Vec::new();
    thread::scope(|scope| {
        // Threads that end in mount namespaces of their own.
        scope.spawn(|| {
            while !is_over() {
                let thread = thread::spawn(|| unshare(CloneFlags::CLONE_NEWNS).unwrap());
                thread.join().unwrap();
            }
        });
        while !is_over() {
            children.extend((0..20).map(|_| Command::new("/bin/true").spawn().unwrap()));
            errors.extend(Netns::all(&running()).unwrap().filter_map(Result::err));
            // Until here, some of them are dead and not buried.
            children.drain(..).for_each(|mut child| drop(child.wait()));
        }
    });
    assert!(errors.is_empty(), "{errors:?}");
}

fn nothing_is_left_behind() {
    let helper = Helper::with_netns(0);
    let (fds, here) = (numbers("/proc/self/fd"), own());
    for _ in 0..3 {
        assert_eq!(pairs("tcp", SOCKETS[0].1, Scope::Netns(&[of(&helper)])).len(), PORTS.len());
        assert!(pairs("tcp", SOCKETS[0].1, Scope::AllNetns).len() >= PORTS.len());
        // In the middle of it.
        drop(opened("tcp", ["skc_num"], Scope::AllNetns));
    }
    assert_eq!(numbers("/proc/self/fd"), fds);
    assert_eq!(own(), here);
    // The kernel tells of the end of a thread before it has gone from /proc.
    eventually("the threads have gone", || numbers("/proc/self/task").len() == 1);
}

fn what_is_no_namespace_is_refused() {
    let dir = dir();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let paths = [Path::new("/dev/null"), "/proc/self/ns/pid".as_ref(), "/proc/self/ns".as_ref(), &fifo];
    for path in paths {
        let error = Netns::open(path).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: it is not a network namespace", path.display()));
        if path != fifo {
            let error = NetnsFd::try_from(OwnedFd::from(File::open(path).unwrap())).unwrap_err();
            assert_eq!(error.errno(), libc::EINVAL, "{}", path.display());
        }
    }
    let gone = Netns::open(&dir.path().join("gone")).unwrap_err();
    assert!(matches!(&gone, Error::Open { source, .. } if source.raw_os_error() == Some(libc::ENOENT)));
    for pid in [0, i32::MAX as u32, u32::MAX] {
        let error = Netns::of_process(pid).unwrap_err();
        assert!(matches!(error, Error::Process { number, reason: ProcessError::NoProcess } if number == pid));
    }
    let own = File::open("/proc/self/ns/net").unwrap();
    NetnsFd::try_from(OwnedFd::from(own)).unwrap();
}

fn link(target: &str) -> Link {
    let kernel = running();
    let plan = Select::new(target).plan(&kernel).unwrap();
    Loaded::load(&plan.program(&kernel).unwrap()).unwrap().attach(&Scope::All).unwrap()
}

fn other_targets_have_no_namespaces() {
    let error = opened("task", ["pid"], Scope::AllNetns).unwrap_err();
    assert!(
        matches!(error, Error::Scope { target, takes: kwalk::progs::Parameters::Task } if target == "task")
    );
    let netns = Netns::all(&running()).unwrap().next().unwrap().unwrap();
    let error = link("bpf_map").iter_in(&netns).unwrap_err();
    assert!(matches!(error, Error::Scope { target, .. } if target == "bpf_map"));
}

fn the_command_walks_namespaces() {
    let helpers = [Helper::with_netns(0), Helper::with_netns(0)];
    let inodes = helpers.each_ref().map(|helper| inode(helper.pid()));
    let ports = |netns: &str, more: &[&str]| {
        let args = ["tcp", "--netns", netns, "-f", "skc_num", "--sort", "skc_num", "-o", "csv"];
        let printed = stdout(kwalk(args).args(more));
        printed.lines().skip(1).map(|line| line.parse().unwrap()).collect::<Vec<u16>>()
    };
    for helper in &helpers {
        let pid = helper.pid();
        for netns in [pid.to_string(), format!("/proc/{pid}/ns/net")] {
            assert_eq!(ports(&netns, &[]), PORTS, "{netns}");
            assert_eq!(stdout(&mut kwalk(["udp", "--netns", &netns, "--count"])), "3\n", "{netns}");
        }
    }
    let both = format!("skc_net.net.ns.inum in ({}, {})", inodes[0], inodes[1]);
    assert_eq!(ports("all", &["-w", &both]), PORTS.map(|port| [port; 2]).concat());
    assert_eq!(ports("all", &["-w", &both, "--limit", "4"]).len(), 4);
    assert_eq!(stdout(&mut kwalk(["tcp", "--netns", "all", "--count", "-w", &both])), "6\n");
    assert_eq!(ports("/proc/self/ns/net", &["-w", &both]), [0; 0]);
    let plan = stdout(&mut kwalk(["tcp", "--netns", "all", "--explain"]));
    assert!(plan.contains("network namespace: all"), "{plan}");
}

fn the_command_says_what_is_wrong() {
    let wrong = |target: &str, netns: &str, status, message: &str, hint: &str| {
        refused(&mut kwalk([target, "--netns", netns]), status, message, hint);
    };
    wrong("task", "all", 2, "target task: it can't be walked with these parameters", "[--pid N | --tid N]");
    wrong("tcp", "/dev/null", 1, "/dev/null: it is not a network namespace", "");
    wrong("tcp", "/no/file", 1, "/no/file: No such file or directory (os error 2)", "");
    wrong("tcp", "", 1, ": No such file or directory (os error 2)", "");
    wrong("tcp", "2147483647", 1, "process 2147483647: no process with this id", "");
    // Without the capability, not even into one's own.
    let mut command = Command::new("setpriv");
    let caps = "-all,+bpf,+perfmon";
    command.args([
        format!("--inh-caps={caps}"),
        format!("--ambient-caps={caps}"),
        format!("--bounding-set={caps}"),
    ]);
    command.args(["--reuid=65534", "--clear-groups", env!("CARGO_BIN_EXE_kwalk")]);
    command.args(["tcp", "--netns", "/proc/self/ns/net", "-o", "json"]);
    refused(&mut command, 1, "setns: Operation not permitted (EPERM)", "CAP_SYS_ADMIN missing");
}

fn what_goes_wrong_there_is_told_here() {
    let caller = gettid();
    let netns = Netns::all(&running()).unwrap().next().unwrap().unwrap();
    let prog = idle_program("kw_idle", None);
    let refused = netns.fd().within(|| {
        assert_ne!(gettid(), caller);
        bpf(LinkCreate::iter(&prog, IterLinkInfo::None))
    });
    assert_eq!(refused.unwrap_err().call(), LinkCreate::NAME);
    // One that can't be walked, for want of a descriptor, does not keep the others from it.
    let helper = Helper::with_netns(0);
    let three = [(); 3].map(|()| of(&helper));
    let mut rows = opened("tcp", ["skc_num"], Scope::Netns(&three)).unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // All below are in use.
    setrlimit(Resource::RLIMIT_NOFILE, 4, hard).unwrap();
    let mut count = 0;
    let error = loop {
        match rows.next_row() {
            Ok(row) => count += usize::from(row.is_some()),
            Err(error) => break error,
        }
    };
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert!(matches!(&error, Error::Sys(refused) if refused.errno() == libc::EMFILE), "{error}");
    assert_eq!(count, PORTS.len());
    assert_eq!(all(rows, |_| ()).unwrap().len(), PORTS.len());
}
