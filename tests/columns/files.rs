//! Of `task_file` and `task_vma`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::epoll::{Epoll, EpollCreateFlags};
use nix::sys::eventfd::EventFd;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::{Pid, mkfifo, pipe};

use super::cell::{Cell, found, one};
use super::child::Child;
use crate::support::Need::{Bpf, Jit, Kernel, Root, Target, That, Tool};
use crate::support::helper::{Helper, fds, numbers};
use crate::support::objects::{idle_program, small_map};
use crate::support::pins::attach;
use crate::support::{Need, Test, dir, eventually, kernel_version, many_files, test, unique};
use kwalk::sys::{pidfd_open, pidfd_open_thread};

const PROC: &[Need] = &[Bpf, Root];
const VMA: Need = Target(&kwalk::progs::targets::task_vma::TARGET);

const OVERLAY: &[Need] = &[Bpf, Root, VMA, That("overlayfs", has_overlayfs)];

fn has_overlayfs() -> bool {
    fs::read_to_string("/proc/filesystems").is_ok_and(|types| types.contains("\toverlay\n"))
}

pub fn tests() -> Vec<Test> {
    vec![
        test("task_file_kinds", PROC, kinds),
        test("task_file_sockets_have_ends", &[Bpf, Root, Kernel(5, 11)], sockets_have_ends),
        test("task_file_long_names", PROC, long_names),
        test(
            "task_file_anonymous_files_stand_for_something",
            &[Bpf, Root, Kernel(6, 2), Jit],
            anonymous_files,
        ),
        test("task_file_flags_have_cloexec", PROC, cloexec),
        test("task_file_of_many_once", PROC, many_once),
        test("task_file_names_in_conditions", PROC, names_in_conditions),
        test("task_vma_is_maps", &[Bpf, Root, VMA], vma_is_maps),
        test("task_vma_on_overlayfs_is_maps", OVERLAY, vma_on_overlayfs_is_maps),
        test("task_vma_of_all_kinds", &[Bpf, Root, VMA, Tool("python3")], vma_of_all_kinds),
    ]
}

/// Paths are what the kernel's helper makes of them from here on; before, they are the names of directory entries.
pub(super) fn has_whole_paths() -> bool {
    kernel_version() >= (6, 6)
}

/// The row of one of this process's files is what /proc and `stat` say of it.
#[track_caller]
fn is_as_proc_says(fd: i32, kind: &str) -> Vec<Cell> {
    const COLUMNS: &str = "fd, kind, path, flags, mode, pos, size, inode, dev, tgid, comm, uid";
    let pid = std::process::id();
    let row = one("task_file", COLUMNS, &format!("tgid = {pid} and fd = {fd}"));
    let of_proc = PathBuf::from(format!("/proc/self/fd/{fd}"));
    let (link, meta) = (fs::read_link(&of_proc).unwrap(), fs::metadata(&of_proc).unwrap());
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    let info: BTreeMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key, value.trim()))
        .collect();
    assert_eq!(row[1], kind, "{fd}: {link:?}");
    // Without the helper, those that no file system has have names without what /proc makes of them.
    if has_whole_paths() {
        assert_eq!(row[2], *link.as_os_str().as_bytes(), "{link:?}");
    }
    assert_eq!(row[3], i128::from_str_radix(info["flags"], 8).unwrap(), "{link:?}");
    assert_eq!(row[4], i128::from(meta.mode() & 0o7777), "{link:?}");
    assert_eq!(row[5], info["pos"].parse::<i128>().unwrap(), "{link:?}");
    if !meta.file_type().is_fifo() {
        assert_eq!(row[6], i128::from(meta.size()), "{link:?}");
    }
    assert_eq!(row[7], i128::from(meta.ino()), "{link:?}");
    if let Some(ino) = info.get("ino") {
        assert_eq!(row[7], ino.parse::<i128>().unwrap());
    }
    let dev = format!("{}:{}", nix::sys::stat::major(meta.dev()), nix::sys::stat::minor(meta.dev()));
    assert_eq!(row[8], dev, "{link:?}");
    assert_eq!(row[8], i128::from(meta.dev()), "{link:?}");
    assert_eq!((row[9].number(), row[11].number()), (pid.into(), 0));
    row
}

fn kinds() {
    let dir = dir();
    let hostile = OsStr::from_bytes(b"h\n\x1b]0;x\x07 \xff\\'\"");
    let path = dir.path().join(hostile);
    let mut file = OpenOptions::new().read(true).append(true).create_new(true).open(&path).unwrap();
    file.write_all(&[7; 12345]).unwrap();
    let deleted = dir.path().join("deleted");
    let mut gone = File::create(&deleted).unwrap();
    gone.write_all(b"0123456789").unwrap();
    gone.seek(SeekFrom::Start(1 << 40)).unwrap();
    fs::remove_file(&deleted).unwrap();
    let fifo = dir.path().join("fifo");
    mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o4640)).unwrap();
    let both = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let (out, into) = pipe().unwrap();
    let open = |path: &Path| OwnedFd::from(File::open(path).unwrap());
    let by_path = OpenOptions::new().read(true).custom_flags(nix::libc::O_PATH).open(&path).unwrap();
    let memfd = memfd_create(c"mem\n fd", MFdFlags::MFD_CLOEXEC).unwrap();
    let null = OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open("/dev/null").unwrap();
    let event = EventFd::from_value(3).unwrap();
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let (unix, _other) = UnixStream::pair().unwrap();
    let of: Vec<(&str, i32)> = vec![
        ("file", file.as_raw_fd()),
        ("file", gone.as_raw_fd()),
        ("file", by_path.as_raw_fd()),
        ("file", memfd.as_raw_fd()),
        ("fifo", both.as_raw_fd()),
        ("fifo", out.as_raw_fd()),
        ("fifo", into.as_raw_fd()),
        ("chr", null.as_raw_fd()),
        ("socket", unix.as_raw_fd()),
    ];
    for (kind, fd) in of {
        let row = is_as_proc_says(fd, kind);
        if fd == gone.as_raw_fd() {
            assert_eq!(row[5], 1 << 40);
        }
    }
    let folder = open(dir.path());
    is_as_proc_says(folder.as_raw_fd(), "dir");
    // Their inode is one for all of their kind, and of no kind.
    is_as_proc_says(event.as_raw_fd(), "anon");
    is_as_proc_says(epoll.0.as_raw_fd(), "anon");
    let of_proc = File::open("/proc/self/status").unwrap();
    is_as_proc_says(of_proc.as_raw_fd(), "file");
    if let Ok(block) = fs::read_dir("/sys/block") {
        let names = block.filter_map(|entry| Some(Path::new("/dev").join(entry.ok()?.file_name())));
        let blk =
            names.filter(|path| fs::metadata(path).is_ok_and(|meta| meta.file_type().is_block_device()));
        for path in blk.take(1) {
            if let Ok(file) = File::open(path) {
                is_as_proc_says(file.as_raw_fd(), "blk");
            }
        }
    }
}

fn sockets_have_ends() {
    const COLUMNS: &str = "family, protocol, src, sport, dst, dport, state, kind, inode, unix_path, netns";
    let dir = dir();
    let of = |fd: &dyn AsRawFd| {
        let row =
            one("task_file", COLUMNS, &format!("tgid = {} and fd = {}", std::process::id(), fd.as_raw_fd()));
        let link = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
        if row[7] == "socket" {
            assert_eq!(format!("socket:[{}]", row[8].number()), link.to_str().unwrap());
            assert_eq!(row[10], super::net::netns());
        }
        row
    };
    for (host, family) in [("127.0.0.1", "inet"), ("::1", "inet6")] {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = i128::from(listener.local_addr().unwrap().port());
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let other = i128::from(client.local_addr().unwrap().port());
        let any = if family == "inet" { "0.0.0.0" } else { "::" };
        for (row, state, ends) in [
            (of(&listener), "LISTEN", (host, port, any, 0)),
            (of(&client), "ESTABLISHED", (host, other, host, port)),
            (of(&server), "ESTABLISHED", (host, port, host, other)),
        ] {
            assert_eq!(row[0], family);
            assert_eq!(row[1], "tcp");
            assert!(row[2] == ends.0 && row[3] == ends.1 && row[4] == ends.2 && row[5] == ends.3, "{row:?}");
            assert_eq!(row[9], ());
            assert_eq!(row[6], state);
        }
        let udp = UdpSocket::bind((host, 0)).unwrap();
        let row = of(&udp);
        assert!(row[0] == family && row[1] == "udp" && row[2] == host && row[4] == any && row[6] == "UNCONN");
        assert_eq!(row[3], i128::from(udp.local_addr().unwrap().port()));
        udp.connect((host, 9)).unwrap();
        let row = of(&udp);
        assert!(row[4] == host && row[5] == 9 && row[6] == "ESTABLISHED", "{row:?}");
    }
    // What has no address says so, and is neither in a network nor out of it.
    let listener = UnixListener::bind(dir.path().join("s")).unwrap();
    let datagram = UnixDatagram::unbound().unwrap();
    // The protocol of this one is 4, but no IP in IP.
    let netlink =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), SockProtocol::NetlinkSockDiag)
            .unwrap();
    let file = File::open("/dev/null").unwrap();
    for (fd, family) in
        [(&listener as &dyn AsRawFd, "unix"), (&datagram, "unix"), (&netlink, "netlink"), (&file, "")]
    {
        let row = of(fd);
        match family {
            "" => assert!(row[0] == () && row[6] == ()),
            family => assert_eq!(row[0], family),
        }
        assert!(row[1..6].iter().all(|cell| *cell == ()), "{row:?}");
        let own = format!("tgid = {} and fd = {}", std::process::id(), fd.as_raw_fd());
        for unknown in
            ["src = '0.0.0.0'", "cidr(src, '0.0.0.0/0')", "cidr(dst, '::/0')", "src in ('::', '1.2.3.4')"]
        {
            assert_eq!(found("task_file", "fd", &format!("{own} and {unknown}")), [] as [Vec<Cell>; 0]);
            assert_eq!(found("task_file", "fd", &format!("{own} and not ({unknown})")), [] as [Vec<Cell>; 0]);
        }
        assert_eq!(found("task_file", "fd", &format!("{own} and src is null")).len(), 1);
        match family {
            "" => assert_eq!(row[6], ()),
            _ if fd.as_raw_fd() == listener.as_raw_fd() => assert_eq!(row[6], "LISTEN"),
            _ => assert_eq!(row[6], "UNCONN"),
        }
    }
    // What a Unix socket is bound to; of an accepted connection, what its listener is.
    let path = dir.path().join("s");
    let client = UnixStream::connect(&path).unwrap();
    let (server, _) = listener.accept().unwrap();
    let name = unique("kwabs");
    let hidden = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    assert!(
        of(&listener)[9] == *path.as_os_str().as_bytes() && of(&server)[9] == *path.as_os_str().as_bytes()
    );
    assert_eq!(of(&hidden)[9], format!("@{name}"));
    assert!([&client as &dyn AsRawFd, &datagram, &netlink, &file].iter().all(|fd| of(*fd)[9] == ()));
    if kernel_version() >= (5, 16) {
        let named =
            found("task_file", "fd", &format!("unix_path = '@{name}' and tgid = {}", std::process::id()));
        assert_eq!(named, [[Cell::Number(hidden.as_raw_fd().into())]]);
    }
    // One that has no ports, but a protocol in their place.
    let raw = socket(AddressFamily::Inet, SockType::Raw, SockFlag::empty(), SockProtocol::Tcp).unwrap();
    let row = of(&raw);
    assert!(
        row[0] == "inet" && row[1] == "tcp" && row[2] == "0.0.0.0" && row[3] == () && row[5] == (),
        "{row:?}"
    );
    assert_eq!(row[6], "UNCONN");
}

/// Descriptors of one file of which an exec closes some, in each word of the bitmap that says so.
fn cloexec() {
    let dir = dir();
    let file = File::create(dir.path().join("file")).unwrap();
    let copies: Vec<File> = (0..200).map(|_| file.try_clone().unwrap()).collect();
    for copy in copies.iter().enumerate().filter_map(|(nth, copy)| (nth % 3 != 0).then_some(copy)) {
        fcntl(copy, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    }
    let of_file = format!("tgid = {} and inode = {}", std::process::id(), file.metadata().unwrap().ino());
    let rows = found("task_file", "fd, flags", &of_file);
    let flags = |fd: i32| rows.iter().find(|row| row[0] == i128::from(fd)).unwrap()[1].number();
    let cloexec = i128::from(nix::libc::O_CLOEXEC);
    for (nth, copy) in copies.iter().enumerate() {
        let fd = copy.as_raw_fd();
        assert_eq!(flags(fd), i128::from_str_radix(&fdinfo(fd, "flags").unwrap(), 8).unwrap(), "{fd}");
        assert_eq!(flags(fd) & cloexec != 0, nth % 3 == 0);
    }
    // Every third copy, and the file itself.
    assert_eq!(found("task_file", "fd", &format!("{of_file} and flags & 0o2000000 <> 0")).len(), 67 + 1);
}

/// What /proc says of a descriptor of this process.
fn fdinfo(fd: i32, key: &str) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    let value = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

fn anonymous_files() {
    let event = EventFd::from_value(4711).unwrap();
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGUSR1);
    mask.add(Signal::SIGWINCH);
    let signals = SignalFd::new(&mask).unwrap();
    let child = Child::new(["look"]);
    let of_child = pidfd_open(child.pid()).unwrap();
    let dead = Child::new(["look"]);
    let of_dead = pidfd_open(dead.pid()).unwrap();
    drop(dead);
    // A thread that leads no process, where pidfds can be of such.
    let thread = Helper::with_threads("kwan", 1);
    let tid = thread.tids().into_iter().find(|tid| *tid != thread.pid()).unwrap();
    let of_thread = pidfd_open_thread(tid);
    let link = attach("maps", &unique("kwan"));
    let prog = idle_program("kwan", None);
    let map = small_map("kwan");
    // A file of the same name is none of these.
    let dir = dir();
    let other = File::create(dir.path().join("[eventfd]")).unwrap();
    const COLUMNS: [&str; 6] = ["eventfd", "signals", "pidfd", "bpf_map", "bpf_prog", "bpf_link"];
    let number = |fd: i32, key: &str, radix| {
        let text = fdinfo(fd, key).unwrap_or_else(|| panic!("{key}"));
        i128::from_str_radix(&text, radix).unwrap()
    };
    let [event_fd, signal_fd] = [event.as_raw_fd(), signals.as_raw_fd()];
    let [map_fd, prog_fd, link_fd] = [map.as_raw_fd(), prog.as_raw_fd(), link.fd().as_raw_fd()];
    assert_eq!(number(of_dead.as_raw_fd(), "Pid", 10), -1);
    let of_thread = of_thread.as_ref().map(AsRawFd::as_raw_fd);
    assert!(of_thread.is_ok() || kernel_version() < (6, 9));
    let pidfd = |fd| (fd, Some("pidfd"), number(fd, "Pid", 10));
    for (fd, column, value) in of_thread.into_iter().map(pidfd).chain([
        // The kernel shows the counter in hexadecimal.
        (event_fd, Some("eventfd"), number(event_fd, "eventfd-count", 16)),
        (signal_fd, Some("signals"), number(signal_fd, "sigmask", 16)),
        (of_child.as_raw_fd(), Some("pidfd"), number(of_child.as_raw_fd(), "Pid", 10)),
        (map_fd, Some("bpf_map"), number(map_fd, "map_id", 10)),
        (prog_fd, Some("bpf_prog"), number(prog_fd, "prog_id", 10)),
        (link_fd, Some("bpf_link"), number(link_fd, "link_id", 10)),
        (of_dead.as_raw_fd(), None, 0),
        (other.as_raw_fd(), None, 0),
    ]) {
        let own = format!("tgid = {} and fd = {fd}", std::process::id());
        let row = one("task_file", &COLUMNS.join(", "), &own);
        for (cell, name) in row.iter().zip(COLUMNS) {
            match column == Some(name) {
                true => assert!(*cell == value && value != 0, "{name}: {row:?}, {value}"),
                false => assert_eq!(*cell, Cell::Null, "{name} of {column:?}: {row:?}"),
            }
        }
        if let Some(column) = column {
            assert_eq!(found("task_file", "fd", &format!("{own} and {column} = {value}")).len(), 1);
        }
    }
    assert_eq!(number(of_child.as_raw_fd(), "Pid", 10), child.pid().into());
}

fn long_names() {
    let top = dir();
    // Component by component, for longer paths than one call takes.
    let mut path = top.path().to_owned();
    for nth in 0..15 {
        path.push(format!("{nth:0254}"));
        if path.as_os_str().len() > 4000 {
            path.pop();
            break;
        }
        fs::create_dir(&path).unwrap();
    }
    let mut files = Vec::new();
    for len in [1, 100, 200, 254, 255] {
        let file = path.join("x".repeat(len));
        if file.as_os_str().len() < 4096 {
            files.push((File::create(&file).unwrap(), file));
        }
    }
    let longest = files.iter().map(|(_, path)| path.as_os_str().len()).max().unwrap();
    assert!(longest > 3800, "{longest}");
    for (file, path) in &files {
        let row =
            one("task_file", "path", &format!("tgid = {} and fd = {}", std::process::id(), file.as_raw_fd()));
        if has_whole_paths() {
            assert_eq!(row[0], *path.as_os_str().as_bytes());
        }
        // The same among others that are short, and with other texts.
        let rows = found("task_file", "comm, path, fd", &format!("tgid = {}", std::process::id()));
        let row = rows.iter().find(|row| row[2] == i128::from(file.as_raw_fd())).unwrap();
        if has_whole_paths() {
            assert_eq!(row[1], *path.as_os_str().as_bytes());
        }
    }
}

fn many_once() {
    many_files();
    let helper = Helper::with_files(unique("kwcm"), 3000);
    let rows =
        found("task_file", "fd, tgid, comm, kind, path, dev, inode", &format!("tgid = {}", helper.pid()));
    assert_eq!(rows.iter().map(|row| row[0].number() as u32).collect::<Vec<_>>(), fds(helper.pid()));
    let null = fs::metadata("/dev/null").unwrap();
    // Beside its standard streams, it has what this process has inherited.
    let nulls: Vec<_> = rows.iter().filter(|row| row[3] == "chr").collect();
    assert!(nulls.len() >= 3000, "{}", nulls.len());
    for row in nulls {
        assert_eq!(row[2], unique("kwcm"));
        assert!(row[4] == "/dev/null" || !has_whole_paths());
        assert_eq!(row[6], i128::from(null.ino()));
    }
}

fn names_in_conditions() {
    let dir = dir();
    let helper = Helper::with_kinds(unique("kwck"), dir.path());
    let columns = "fd, kind, dev, flags, path, state, size";
    let all = found("task_file", columns, &format!("tgid = {}", helper.pid()));
    let null = all.iter().find(|row| row[0] == i128::from(helper.fd("null"))).unwrap();
    let Cell::Name(_, dev) = &null[2] else { panic!("{null:?}") };
    let is_in = |row: &[Cell], names: &[&str]| names.iter().any(|name| row[1] == *name);
    type Is<'a> = Box<dyn Fn(&[Cell]) -> bool + 'a>;
    let cases: Vec<(String, Is)> = vec![
        ("kind in ('fifo', 'socket')".into(), Box::new(|row| is_in(row, &["fifo", "socket"]))),
        ("kind = 'CHR'".into(), Box::new(|row| is_in(row, &["chr"]))),
        ("not (kind in ('fifo', 'socket'))".into(), Box::new(|row| !is_in(row, &["fifo", "socket"]))),
        (format!("dev = '{dev}'"), Box::new(|row| row[2] == *dev)),
        (format!("dev <> '{dev}'"), Box::new(|row| row[2] != *dev)),
        ("kind = 4096 or kind = 'dir'".into(), Box::new(|row| is_in(row, &["fifo", "dir"]))),
        ("state = 'LISTEN'".into(), Box::new(|row| row[5] == "LISTEN")),
        ("not (state = 'LISTEN')".into(), Box::new(|row| row[5] != "LISTEN" && row[5] != Cell::Null)),
        ("path like '/dev/%'".into(), Box::new(|row| row[4].text().starts_with(b"/dev/"))),
        ("path like '%]'".into(), Box::new(|row| row[4].text().ends_with(b"]"))),
        ("not (path like '%o%')".into(), Box::new(|row| !row[4].text().contains(&b'o'))),
        ("path = '/dev/null'".into(), Box::new(|row| row[4] == "/dev/null")),
    ];
    assert!(all.len() >= 10);
    let has_state = !null[5].is_absent();
    for (condition, is) in
        cases.into_iter().filter(|(condition, _)| has_state || !condition.contains("state"))
    {
        let wanted: Vec<_> = all.iter().filter(|row| is(row)).cloned().collect();
        let rows = found("task_file", columns, &format!("tgid = {} and ({condition})", helper.pid()));
        assert_eq!(rows, wanted, "{condition}");
    }
}

/// The lines of /proc/PID/maps: start, end, permissions, offset, device, inode, path.
type Mapping = (i128, i128, String, i128, String, i128, Vec<u8>);

fn maps(pid: u32) -> Vec<Mapping> {
    let text = fs::read(format!("/proc/{pid}/maps")).unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let hex = |word: &str| i128::from_str_radix(word, 16).unwrap();
    lines
        .map(|line| {
            let mut words = line.splitn(6, |byte| *byte == b' ');
            let mut word = || String::from_utf8(words.next().unwrap().to_vec()).unwrap();
            let (range, perms, offset, dev, inode) = (word(), word(), word(), word(), word());
            let (start, end) = range.split_once('-').unwrap();
            let (major, minor) = dev.split_once(':').unwrap();
            let dev = format!("{}:{}", hex(major), hex(minor));
            let path = words.next().unwrap_or_default().trim_ascii_start().to_vec();
            (hex(start), hex(end), perms, hex(&offset), dev, inode.parse().unwrap(), path)
        })
        .collect()
}

/// A line feed is the one byte of a path that maps writes in another way.
fn escaped(path: &[u8]) -> Vec<u8> {
    path.iter().flat_map(|byte| if *byte == b'\n' { b"\\012".to_vec() } else { vec![*byte] }).collect()
}

#[track_caller]
fn agrees_with_maps(pid: u32) {
    let columns = "start, end, perms, offset, dev, inode, path, size, tgid, pid";
    let rows = found("task_vma", columns, &format!("tgid = {pid}"));
    let maps = maps(pid);
    // The vsyscall page is no mapping of the process's own.
    let maps: Vec<_> = maps.iter().filter(|line| line.6 != b"[vsyscall]").collect();
    assert_eq!(rows.len(), maps.len(), "{rows:?}");
    for (row, (start, end, perms, offset, dev, inode, path)) in rows.iter().zip(maps) {
        assert!(row[0] == *start && row[1] == *end && row[7] == end - start && row[2] == *perms, "{row:?}");
        assert!(row[8] == i128::from(pid) && row[9] == i128::from(pid));
        if *inode == 0 {
            assert!(row[3] == () && row[4] == () && row[5] == (), "{row:?}: {dev}");
            match path.is_empty() {
                true => assert_eq!(row[6], (), "{row:?}"),
                false => assert_eq!(row[6], path[..], "{row:?}"),
            }
        } else {
            assert!(
                row[3] == *offset && row[4] == *dev && row[5] == *inode,
                "{row:?}: {offset:x} {dev} {inode}"
            );
            if has_whole_paths() {
                assert_eq!(escaped(row[6].text()), *path);
            }
        }
    }
    let of = |condition: &str| {
        let rows = found("task_vma", "start", &format!("tgid = {pid} and ({condition})"));
        rows.iter().map(|row| row[0].number()).collect::<Vec<_>>()
    };
    let start = |is: &dyn Fn(&[Cell]) -> bool| {
        rows.iter().filter(|row| is(row)).map(|row| row[0].number()).collect::<Vec<_>>()
    };
    assert_eq!(of("perms = 'r-xp'"), start(&|row| row[2] == "r-xp"));
    assert_eq!(of("not (perms in ('r-xp', 'rw-p'))"), start(&|row| row[2] != "r-xp" && row[2] != "rw-p"));
    assert_eq!(of("path is null"), start(&|row| row[6] == Cell::Null));
    assert_eq!(of("size > '100K'"), start(&|row| row[7].number() > 100 << 10));
    assert_eq!(of("not (offset = 0)"), start(&|row| row[3] != Cell::Null && row[3] != 0));
}

fn vma_is_maps() {
    let dir = dir();
    let exe = dir.path().join(OsStr::from_bytes(b"m \n\x1b[0m\xff\\ (deleted)"));
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    // The first thread has descriptors of its own (CLONE_FILES): to the kernel's walk, the other is another process.
    let child = Child::of(&exe, ["thread=x", "unshare=1024", "memory=5000000"]);
    child.signal(Signal::SIGSTOP);
    eventually("the child is stopped", || child.stat(3) == "T");
    agrees_with_maps(child.pid());
    // The other thread has them, too, where it is asked for; older kernels can't, which is said.
    if kernel_version() >= (6, 12) {
        let tids = numbers(&format!("/proc/{}/task", child.pid()));
        let other = tids.into_iter().find(|tid| *tid != child.pid()).unwrap();
        let starts = |condition: String| found("task_vma", "start", &condition);
        assert_eq!(starts(format!("pid = {other}")), starts(format!("tgid = {}", child.pid())));
    }
    fs::remove_file(&exe).unwrap();
    agrees_with_maps(child.pid());
}

/// A mapping's own file is then one in a layer, and the user has never heard of it.
fn vma_on_overlayfs_is_maps() {
    let none = None::<&str>;
    let top = dir();
    // Below other mounts, of which each has its part of the path.
    mount(Some("t"), top.path(), Some("tmpfs"), MsFlags::empty(), none).unwrap();
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "a/merged"].map(|name| top.path().join(name));
    for dir in [&lower, &upper, &work, &merged] {
        fs::create_dir_all(dir).unwrap();
    }
    let inner = top.path().join("a");
    fs::write(lower.join("before"), "so that inodes differ").unwrap();
    fs::copy(std::env::current_exe().unwrap(), lower.join("exe")).unwrap();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    mount(Some("o"), &merged, Some("overlay"), MsFlags::empty(), Some(options.as_str())).unwrap();
    let exe = merged.join("exe");
    let child = Child::of(&exe, ["memory=5000000"]);
    child.signal(Signal::SIGSTOP);
    eventually("the child is stopped", || child.stat(3) == "T");
    agrees_with_maps(child.pid());
    let own = format!("tgid = {} and path = '{}'", child.pid(), exe.display());
    let rows = found("task_vma", "path", &own);
    let shown = maps(child.pid()).iter().filter(|line| line.6 == exe.as_os_str().as_bytes()).count();
    assert!(rows.len() > 1 && rows.len() == shown, "{rows:?}");
    assert_eq!(found("task_vma", "path", &own.replace("path = '", "path = '/x")), [] as [Vec<Cell>; 0]);
    fs::remove_file(&exe).unwrap();
    agrees_with_maps(child.pid());
    drop(child);
    umount2(&merged, MntFlags::MNT_DETACH).unwrap();
    assert!(inner.is_dir());
    umount2(top.path(), MntFlags::MNT_DETACH).unwrap();
}

fn vma_of_all_kinds() {
    const MAPS: &str = "
import mmap, os, signal, sys
kept = []
def add(fd, size, flags, prot, offset=0):
    kept.append(mmap.mmap(fd, size, flags=flags, prot=prot, offset=offset))
R, W, X = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC
shared, private, anonymous = mmap.MAP_SHARED, mmap.MAP_PRIVATE, mmap.MAP_ANONYMOUS
add(-1, 1 << 20, shared | anonymous, R | W)
add(-1, 1 << 20, private | anonymous, R)
add(-1, 3 << 12, private | anonymous, X)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 20)
add(fd, 1 << 14, shared, R | W, 1 << 16)
add(fd, 1 << 14, private, R, 1 << 13)
add(fd, 1 << 14, shared, R, 0)
os.unlink(sys.argv[1])
fd = os.memfd_create('mem fd')
os.ftruncate(fd, 1 << 20)
add(fd, 1 << 20, shared, R | W)
print('x', flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
";
    let dir = dir();
    let name = dir.path().join("n\n ame");
    let mut child = Command::new("python3")
        .args(["-c", MAPS])
        .arg(&name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    eventually("the child is stopped", || super::child::stat(pid, 3) == "T");
    let said: Vec<_> = maps(pid).into_iter().map(|line| line.6).collect();
    for part in [&b"/dev/zero (deleted)"[..], b"/memfd:mem fd (deleted)", b"ame (deleted)"] {
        assert!(said.iter().any(|path| path.ends_with(part)), "{}", part.escape_ascii());
    }
    agrees_with_maps(pid);
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
}
