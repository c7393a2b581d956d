//! Of `unix`, `netlink`, `ipv6_route`, and of the sockets in maps.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::Command;

use kwalk::Scope;
use kwalk::sys::{
    BtfLoad, ElemFlags, MapBtf, MapCreate, MapFd, MapFlags, MapType, MapUpdateElem, ObjName, bpf,
};
use nix::sys::socket::sockopt::RcvBuf;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname, setsockopt, socket,
};

use super::cell::{Cell, found, one, walked};
use super::net::{elsewhere, netns, set_loopback, settled};
use super::tcp::{OWNER, owned};
use crate::support::Need::{Bpf, Root, Target, Tool};
use crate::support::objects::function_btf;
use crate::support::{Need, Test, dir, eventually, kernel_version, many_files, running, test, unique};

const UNIX: Need = Target(&kwalk::progs::targets::unix::TARGET);

pub fn tests() -> Vec<Test> {
    vec![
        test("unix_is_what_proc_says", &[Bpf, Root, UNIX], || elsewhere(unix_is_what_proc_says)),
        test("netlink_is_what_proc_says", &[Bpf, Root], || elsewhere(netlink_is_what_proc_says)),
        test("ipv6_route_of_the_loopback", &[Bpf, Root], || elsewhere(routes_of_the_loopback)),
        test("ipv6_route_is_what_proc_says", &[Bpf, Root, Tool("ip")], || {
            elsewhere(routes_are_what_proc_says)
        }),
        test("sockets_in_maps", &[Bpf, Root], sockets_in_maps),
        test("sockets_of_a_sockhash_are_shown_once", &[Bpf, Root], sockets_of_a_sockhash),
    ]
}

/// The inode of a file of this process.
fn inode(fd: RawFd) -> i128 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(format!("/proc/self/fd/{fd}")).unwrap().ino().into()
}

fn unix_is_what_proc_says() {
    let dir = dir();
    let path = dir.path().join("a b\n\x1b[0m");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let (server, _) = listener.accept().unwrap();
    // Nobody has accepted these.
    let waiting: Vec<_> = (0..3).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let name = unique("kwabs");
    let of = |name: &[u8]| UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    let (hidden, full) = (of(name.as_bytes()), owned(|| of(&[b'f'; 107])));
    let hostile = of(&[name.as_bytes(), b"\0\xff\n\0"].concat());
    let (one_end, other_end) = UnixDatagram::pair().unwrap();
    let long = dir.path().join("l".repeat(107 - dir.path().as_os_str().len() - 1));
    let bound = UnixDatagram::bind(&long).unwrap();
    let packets = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).unwrap();
    let all: Vec<RawFd> = vec![
        listener.as_raw_fd(),
        client.as_raw_fd(),
        server.as_raw_fd(),
        hidden.as_raw_fd(),
        full.as_raw_fd(),
        hostile.as_raw_fd(),
        one_end.as_raw_fd(),
        other_end.as_raw_fd(),
        bound.as_raw_fd(),
        packets.as_raw_fd(),
    ];
    let look = || fs::read("/proc/thread-self/net/unix").unwrap();
    let columns = "type, state, uid, refs, backlog, inode, path, netns, peer, backlog_max";
    let (text, rows) = settled(look, || found("unix", columns, ""));
    // Those that nobody has accepted have no inode, and no owner.
    let nobodys: Vec<_> = rows.iter().filter(|row| row[5] == ()).collect();
    assert_eq!(nobodys.len(), waiting.len());
    assert!(nobodys.iter().all(|row| row[1] == "ESTABLISHED" && row[2] == ()), "{nobodys:?}");
    // A line: address, references, protocol, flags, type, state, inode, and perhaps the path, which may have line feeds.
    let line = |inode: i128| {
        let part = format!(" {inode}");
        let at = text.windows(part.len()).position(|bytes| bytes == part.as_bytes()).unwrap();
        let before = text[..at].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        let words = String::from_utf8(text[before..at].to_vec()).unwrap();
        let behind = at + part.len();
        let path = if text[behind] == b' ' { &text[behind + 1..] } else { &[][..] };
        (words.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), path)
    };
    let rows: BTreeMap<i128, Vec<Cell>> = rows
        .into_iter()
        .filter(|row| row[5] != Cell::Null && !row[5].is_absent())
        .map(|row| (row[5].number(), row))
        .collect();
    let netns = one("unix", "netns", &format!("inode = {}", inode(hidden.as_raw_fd()))).remove(0);
    for fd in all {
        let number = inode(fd);
        let row = &rows[&number];
        let (words, path) = line(number);
        let hex = |nth: usize| i128::from_str_radix(&words[nth], 16).unwrap();
        assert_eq!(row[0], hex(4), "{words:?}");
        let types = [(1, "STREAM"), (2, "DGRAM"), (5, "SEQPACKET")];
        assert_eq!(row[0], types.iter().find(|(number, _)| *number == hex(4)).unwrap().1);
        // What is connected is in state 3 of a socket, what is not in 1, and what listens says so in the flags.
        let state = match (hex(5), hex(3)) {
            (1, 0x10000) => "LISTEN",
            (3, _) => "ESTABLISHED",
            _ => "UNCONN",
        };
        assert_eq!(row[1], state, "{words:?}");
        assert_eq!(row[2], if fd == full.as_raw_fd() { i128::from(OWNER) } else { 0 });
        // While it is shown, it is held once more.
        assert_eq!(row[3], hex(1) + 1, "{words:?} {row:?}");
        assert_eq!(row[7], netns);
        match &row[6] {
            Cell::Null => assert!(path.is_empty() || words.len() == 7 || !path.starts_with(b"/"), "{row:?}"),
            shown => assert!(path.starts_with(shown.text()) && path[shown.text().len()] == b'\n', "{row:?}"),
        }
    }
    let row = |fd: RawFd| &rows[&inode(fd)];
    use std::os::unix::ffi::OsStrExt;
    assert_eq!(row(listener.as_raw_fd())[6], *path.as_os_str().as_bytes());
    assert_eq!(row(bound.as_raw_fd())[6], *long.as_os_str().as_bytes());
    assert_eq!(row(hidden.as_raw_fd())[6], format!("@{name}"));
    assert_eq!(row(full.as_raw_fd())[6], format!("@{}", "f".repeat(107)));
    assert_eq!(row(hostile.as_raw_fd())[6], [b"@", name.as_bytes(), b"@\xff\n@"].concat()[..]);
    assert_eq!(row(one_end.as_raw_fd())[6], Cell::Null);
    assert_eq!(row(packets.as_raw_fd())[8], Cell::Null);
    assert_eq!(row(listener.as_raw_fd())[4], waiting.len() as i128);
    assert_eq!(row(client.as_raw_fd())[8], inode(server.as_raw_fd()));
    assert_eq!(row(one_end.as_raw_fd())[8], inode(other_end.as_raw_fd()));
    let named = found("unix", "inode", &format!("path = '@{name}'"));
    assert_eq!(named, [[Cell::Number(inode(hidden.as_raw_fd()))]]);
    assert_eq!(found("unix", "inode", &format!("path like '%{name}%'")).len(), 2);
}

fn netlink_is_what_proc_says() {
    let open = |protocol| socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), protocol).unwrap();
    let route = open(None);
    bind(route.as_raw_fd(), &NetlinkAddr::new(0, 0x11)).unwrap();
    let uevent = open(Some(SockProtocol::NetlinkKObjectUEvent));
    bind(uevent.as_raw_fd(), &NetlinkAddr::new(0, 1)).unwrap();
    let generic = open(Some(SockProtocol::NetlinkGeneric));
    bind(generic.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
    // One that has no room for what it is told of the loopback.
    let full = open(None);
    setsockopt(&full, RcvBuf, &0).unwrap();
    bind(full.as_raw_fd(), &NetlinkAddr::new(0, 1)).unwrap();
    (0..10).for_each(|nth| set_loopback(nth % 2 == 1));
    let look = || fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let columns = "protocol, portid, groups, rx, tx, drops, refs, inode, dump";
    let (text, rows) = settled(look, || found("netlink", columns, ""));
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), lines.len());
    assert!(rows.len() > 3);
    for (row, line) in rows.iter().zip(&lines) {
        let number = |nth: usize| line[nth].parse::<i128>().unwrap();
        assert!(row[0] == number(1) && row[1] == number(2), "{row:?} {line:?}");
        assert!(matches!(row[0], Cell::Name(..)), "{row:?}");
        let groups = i128::from_str_radix(line[3], 16).unwrap();
        assert!(row[2] == groups || groups == 0 && row[2] == (), "{row:?} {line:?}");
        assert!(row[3] == number(4) && row[4] == number(5) && row[5] == number(8), "{row:?} {line:?}");
        assert!(row[6] == number(7) || row[6] == number(7) + 1, "{row:?} {line:?}");
        assert!(row[7] == number(9) || row[7].is_absent() || row[7] == Cell::Null, "{row:?} {line:?}");
        assert_eq!(row[8], number(6));
    }
    assert!(rows.iter().any(|row| row[3].number() > 0), "{rows:?}");
    assert!(rows.iter().any(|row| row[5].number() > 1), "{rows:?}");
    for (fd, protocol, groups) in
        [(&route, "ROUTE", 0x11), (&uevent, "KOBJECT_UEVENT", 1), (&generic, "GENERIC", 0)]
    {
        let own: NetlinkAddr = getsockname(fd.as_raw_fd()).unwrap();
        let row = one("netlink", columns, &format!("protocol = '{protocol}' and portid = {}", own.pid()));
        assert!(row[2] == groups || row[2] == () && groups == 0, "{row:?}");
        assert_eq!(row[7], inode(fd.as_raw_fd()));
    }
}

/// The lines of /proc/net/ipv6_route: destination and length, source and length, gateway, metric, references, flags, device.
type Route = (Ipv6Addr, i128, Ipv6Addr, i128, Ipv6Addr, i128, i128, i128, String);

fn routes() -> Vec<Route> {
    let text = fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap();
    let ip = |word: &str| Ipv6Addr::from(u128::from_str_radix(word, 16).unwrap());
    let hex = |word: &str| i128::from_str_radix(word, 16).unwrap();
    // What stands in empty tables is no route: it is unreachable, and of the greatest metric.
    let is_route = |line: &&str| !line.contains(" ffffffff ") || !line.contains(" 00200200 ");
    text.lines()
        .filter(is_route)
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [dst, plen, src, splen, gateway, metric, refs, _, flags, device] = words[..] else {
                panic!("{line}")
            };
            (
                ip(dst),
                hex(plen),
                ip(src),
                hex(splen),
                ip(gateway),
                hex(metric),
                hex(refs),
                hex(flags),
                device.into(),
            )
        })
        .collect()
}

#[track_caller]
fn agree_with_routes() -> Vec<Vec<Cell>> {
    const COLUMNS: &str =
        "dst, plen, src, splen, gateway, metric, refs, flags, device, type, table, protocol, ifindex";
    let (lines, rows) = settled(routes, || found("ipv6_route", COLUMNS, ""));
    assert_eq!(rows.len(), lines.len(), "{rows:#?}");
    for (row, line) in rows.iter().zip(&lines) {
        assert!(row[0] == line.0.to_string() && row[1] == line.1, "{row:?} {line:?}");
        assert!(row[2] == line.2.to_string() && row[3] == line.3, "{row:?} {line:?}");
        assert!(row[4] == line.4.to_string() || line.4.is_unspecified() && row[4] == (), "{row:?} {line:?}");
        assert_eq!(row[5], line.5);
        assert!(row[6].number() - line.6 <= 1 && row[7] == line.7, "{row:?} {line:?}");
        assert!(row[8] == line.8 || row[8] == Cell::Null && line.8 == "lo", "{row:?} {line:?}");
    }
    rows
}

fn routes_of_the_loopback() {
    let rows = agree_with_routes();
    let own = rows.iter().find(|row| row[0] == "::1" && row[1] == 128 && row[9] == "local").unwrap();
    assert!(own[8] == "lo" && own[12] == 1, "{own:?}");
    assert_eq!(
        found("ipv6_route", "dst", "dst = '::1' and cidr(dst, '::/64')").len(),
        rows.iter().filter(|row| row[0] == "::1").count()
    );
}

fn routes_are_what_proc_says() {
    let ip = |args: &str| {
        let done = Command::new("ip").args(args.split(' ')).output().unwrap();
        assert!(done.status.success(), "ip {args}: {}", String::from_utf8_lossy(&done.stderr));
    };
    // The device that a machine may not have.
    if !Command::new("ip").args(["link", "add", "d0", "type", "dummy"]).output().unwrap().status.success() {
        ip("link add d0 type veth peer name d1");
        ip("link set d1 up");
    }
    ip("link set d0 up");
    ip("-6 addr add 2001:db8::1/64 dev d0 nodad");
    ip("-6 route add 2001:db8:1::/48 via 2001:db8::9 dev d0 metric 77");
    ip("-6 route add blackhole 2001:db8:2::/48");
    ip("-6 route add unreachable 2001:db8:3::/48");
    ip("-6 route add default via 2001:db8::a dev d0 table 100 proto static");
    ip("-6 route add 2001:db8:4::/48 nexthop via 2001:db8::b dev d0 nexthop via 2001:db8::c dev d0");
    // The kernel adds that of the link-local address when it has brought the device up.
    eventually("d0 has its link-local route", || {
        routes().iter().any(|line| line.0.is_unicast_link_local() && line.8 == "d0")
    });
    let rows = agree_with_routes();
    let of = |dst: &str| rows.iter().find(|row| row[0] == dst).unwrap();
    let via = of("2001:db8:1::");
    assert!(via[4] == "2001:db8::9" && via[5] == 77 && via[8] == "d0" && via[9] == "unicast", "{via:?}");
    assert!(via[10] == 254 && via[11] == 3, "{via:?}");
    assert!(of("2001:db8:2::")[9] == "blackhole" && of("2001:db8:3::")[9] == "unreachable");
    let other = one("ipv6_route", "dst, table, protocol, gateway", "table = 100");
    assert!(other[0] == "::" && other[2] == 4 && other[3] == "2001:db8::a", "{other:?}");
    // By an object of its own that has the next hop.
    if Command::new("ip")
        .args(["nexthop", "add", "id", "5", "via", "2001:db8::e", "dev", "d0"])
        .output()
        .unwrap()
        .status
        .success()
    {
        ip("-6 route add 2001:db8:5::/48 nhid 5");
        agree_with_routes();
        ip("nexthop add id 6 via 2001:db8::f dev d0");
        ip("nexthop add id 7 group 6/5");
        ip("-6 route add 2001:db8:6::/48 nhid 7");
        // Of a group, /proc has the first hop.
        let rows = found("ipv6_route", "dst, gateway, device, nexthop", "nexthop is not null");
        let has_all = !rows[0][1].is_absent() && kernel_version() >= (6, 2) && running().has_jit;
        assert_eq!(rows.len(), if has_all { 3 } else { 2 });
        assert!(!has_all || rows[2][1] == "2001:db8::e" && rows[2][3] == 7, "{rows:?}");
        assert!(rows[0][1] == "2001:db8::e" && rows[0][2] == "d0" && rows[0][3] == 5, "{rows:?}");
        assert!(rows[1][1] == "2001:db8::f" && rows[1][3] == 7, "{rows:?}");
    }
}

fn sockets_in_maps() {
    let listeners = ["127.0.0.1:0", "[::1]:0"].map(|to| TcpListener::bind(to).unwrap());
    let clients =
        listeners.each_ref().map(|listener| TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    // The types: a number for key and value.
    let types = function_btf("f", "");
    let btf = bpf(BtfLoad { btf: &types, log: None }).unwrap();
    let types = Some(MapBtf { btf: &btf, key_type_id: 1, value_type_id: 1 });
    let name = unique("kwsk");
    let storage = MapCreate {
        name: ObjName::new(&name),
        flags: MapFlags::NO_PREALLOC,
        btf: types,
        ..MapCreate::new(MapType::SK_STORAGE, 4, 4, 0)
    };
    let sockmap = MapCreate { name: ObjName::new(&name), ..MapCreate::new(MapType::SOCKMAP, 4, 8, 4) };
    let sockhash = MapCreate { name: ObjName::new(&name), ..MapCreate::new(MapType::SOCKHASH, 4, 8, 4) };
    let update = |map: &MapFd, key: &[u8], value: &[u8]| {
        bpf(MapUpdateElem { map, key, value, flags: ElemFlags::empty() }).unwrap();
    };
    // Since 7.0, or so, memory for a socket's storage takes an instruction that some emulated processors lack.
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap();
    let has_storage =
        kernel_version() < (7, 0) || !processor.contains("flags") || processor.contains(" cx16");
    for (target, create) in [("bpf_sk_storage_map", storage), ("sockmap", sockmap), ("sockmap", sockhash)] {
        if target == "bpf_sk_storage_map" && !has_storage {
            continue;
        }
        let map = bpf(create).unwrap();
        for (nth, client) in clients.iter().enumerate() {
            match target {
                "sockmap" => {
                    update(&map, &(nth as u32 + 1).to_ne_bytes(), &(client.as_raw_fd() as u64).to_ne_bytes())
                }
                _ => update(&map, &client.as_raw_fd().to_ne_bytes(), &7_u32.to_ne_bytes()),
            }
        }
        let columns = "map, name, family, src, sport, dst, dport, state, inode, netns";
        // Empty places are no sockets.
        let rows = walked(target, columns, "", Scope::Map(&map));
        let mut sports: Vec<_> = rows.iter().map(|row| row[4].number()).collect();
        let mut wanted = clients.each_ref().map(|client| i128::from(client.local_addr().unwrap().port()));
        sports.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(sports, wanted, "{target}");
        for client in &clients {
            let (own, other) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            let row = rows.iter().find(|row| row[4] == i128::from(own.port())).unwrap();
            assert_eq!(row[0], i128::from(map.info().unwrap().id));
            assert_eq!(row[1], name);
            assert_eq!(row[2], if own.is_ipv4() { "inet" } else { "inet6" });
            assert!(row[3] == own.ip().to_string() && row[5] == other.ip().to_string(), "{row:?}");
            assert!(row[6] == i128::from(other.port()) && row[7] == "ESTABLISHED", "{row:?}");
            assert!(row[8] == inode(client.as_raw_fd()) && row[9] == netns(), "{row:?}");
            let of = format!("src = '{}' and dport = {}", own.ip(), other.port());
            assert_eq!(walked(target, "sport", &of, Scope::Map(&map)), [[row[4].clone()]]);
        }
        if target == "bpf_sk_storage_map" {
            // This one has no ports, but a protocol in their place.
            let raw =
                socket(AddressFamily::Inet, SockType::Raw, SockFlag::empty(), SockProtocol::Udp).unwrap();
            update(&map, &raw.as_raw_fd().to_ne_bytes(), &7_u32.to_ne_bytes());
            let row =
                walked(target, "family, src, sport, dport", "state = 'UNCONN'", Scope::Map(&map)).remove(0);
            assert!(row[0] == "inet" && row[1] == "0.0.0.0" && row[2] == () && row[3] == (), "{row:?}");
        }
    }
}

/// Where the kernel reads on among the sockets of one hash bucket, it begins with the first again.
fn sockets_of_a_sockhash() {
    const COLUMNS: &str = "inode, map, name, family, src, sport, dst, dport, state, netns";
    many_files();
    let map = bpf(MapCreate::new(MapType::SOCKHASH, 4, 8, 2048)).unwrap();
    let sockets: Vec<_> = (0..2000).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for (nth, socket) in sockets.iter().enumerate() {
        let (key, value) = (&(nth as u32).to_ne_bytes(), &(socket.as_raw_fd() as u64).to_ne_bytes());
        bpf(MapUpdateElem { map: &map, key, value, flags: ElemFlags::empty() }).unwrap();
    }
    let rows = walked("sockmap", COLUMNS, "", Scope::Map(&map));
    let mut shown: Vec<_> = rows.iter().map(|row| row[0].number()).collect();
    let mut wanted: Vec<_> = sockets.iter().map(|socket| inode(socket.as_raw_fd())).collect();
    shown.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(shown, wanted);
}
