//! Of `udp`, and what `tcp` has in common with it, in a network namespace of a test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use kwalk::Scope;
use kwalk::select::Value;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::sockopt::RcvBuf;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockType, bind, recv, sendto, setsockopt, socket,
};

use super::cell::{Cell, found};
use super::tcp::sockets;
use crate::support::Need::{Bpf, Root};
use crate::support::rows::opened;
use crate::support::{Need, Test, eventually, kwalk, many_files, stdout, test};

const NET: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("udp_is_what_proc_says", NET, || elsewhere(udp_is_what_proc_says)),
        test("tcp_of_many_once", NET, || elsewhere(many_once)),
        test("tcp_networks_in_conditions", NET, || elsewhere(networks_in_conditions)),
        test("netlink_of_many_once_whatever_goes", NET, || elsewhere(netlink_whatever_goes)),
        test("ipv6_route_of_many_once_whatever_goes", NET, || elsewhere(routes_whatever_goes)),
        test("link_local_addresses_have_a_device", NET, || elsewhere(link_local_addresses_have_a_device)),
    ]
}

/// Runs a test in a network namespace of its own, where the loopback is up: on a thread, which takes the namespace along.
pub fn elsewhere(run: fn()) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        loopback_up();
        run();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Tells the kernel something by rtnetlink(7): a message of this type.
fn rtnetlink(message: u16, body: &[u8]) {
    // NLM_F_REQUEST, NLM_F_ACK and NLM_F_CREATE
    const FLAGS: u16 = 1 | 4 | 0x400;
    // struct nlmsghdr: length, type, flags, sequence, port.
    let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
    bytes.extend([message, FLAGS].map(u16::to_ne_bytes).concat());
    bytes.extend([0; 8]);
    bytes.extend(body);
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), None).unwrap();
    sendto(socket.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty()).unwrap();
    let mut answer = [0; 256];
    let answered = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
    assert_eq!(answer[..answered].get(16..20), Some(&[0; 4][..]), "message {message}: {answer:?}");
}

/// Takes interface 1, which the loopback is in every network namespace, up or down.
pub fn set_loopback(up: bool) {
    const NEWLINK: u16 = 16;
    // struct ifinfomsg: family, index, flags, which flags to change.
    rtnetlink(NEWLINK, &[0u32, 1, up.into(), 1].map(u32::to_ne_bytes).concat());
}

fn loopback_up() {
    set_loopback(true);
    // Addresses of version 6 take a moment until they can be used.
    eventually("the loopback has its address", || UdpSocket::bind("[::1]:0").is_ok());
}

/// A socket as /proc/net has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub src: SocketAddr,
    pub dst: SocketAddr,
    pub state: i128,
    pub tx: i128,
    pub rx: i128,
    pub timer: i128,
    pub retransmits: i128,
    pub uid: i128,
    pub inode: i128,
    /// What follows: of UDP, the drops at the end.
    more: Vec<String>,
}

impl Line {
    /// Of UDP: how many datagrams were dropped.
    fn drops(&self) -> i128 {
        self.more.last().unwrap().parse().unwrap()
    }
}

/// The lines of a file in /proc/net, of the namespace of this thread.
fn lines(name: &str) -> Vec<Line> {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap();
    let hex = |word: &str| i128::from_str_radix(word, 16).unwrap();
    // The bytes of an address are those of numbers of 32 bits, as this machine has them.
    let end = |word: &str| {
        let (address, port) = word.split_once(':').unwrap();
        let bytes: Vec<u8> = (0..address.len() / 8)
            .flat_map(|nth| u32::from_str_radix(&address[8 * nth..8 * nth + 8], 16).unwrap().to_ne_bytes())
            .collect();
        let address: IpAddr = match <[u8; 4]>::try_from(bytes.clone()) {
            Ok(v4) => Ipv4Addr::from(v4).into(),
            Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).into(),
        };
        SocketAddr::new(address, hex(port) as u16)
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (tx, rx) = words[4].split_once(':').unwrap();
        Line {
            src: end(words[1]),
            dst: end(words[2]),
            state: hex(words[3]),
            tx: hex(tx),
            rx: hex(rx),
            timer: hex(words[5].split_once(':').unwrap().0),
            retransmits: hex(words[6]),
            uid: words[7].parse().unwrap(),
            inode: words[9].parse().unwrap(),
            more: words[10..].iter().map(|word| (*word).to_owned()).collect(),
        }
    };
    let mut lines: Vec<_> = text.lines().skip(1).map(line).collect();
    lines.sort();
    lines
}

pub fn both(names: [&str; 2]) -> Vec<Line> {
    let mut all = names.map(lines).concat();
    all.sort();
    all
}

/// Rows that begin with src, sport, dst, dport, in the order of those.
pub fn in_order(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    rows.sort_by_key(|row| (end(&row[0], &row[1]), end(&row[2], &row[3])));
    rows
}

pub fn end(ip: &Cell, port: &Cell) -> SocketAddr {
    match ip {
        Cell::Ip(ip) => SocketAddr::new(*ip, port.number() as u16),
        other => panic!("{other:?} is no address"),
    }
}

/// This thread's network namespace.
pub fn netns() -> i128 {
    let link = fs::read_link("/proc/thread-self/ns/net").unwrap().into_os_string().into_string().unwrap();
    link.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

pub const ENDS: &str = "src, sport, dst, dport, family, state, uid";

/// What a look at /proc and a walk give, once the look is the same before and after the walk.
#[track_caller]
pub fn settled<T: PartialEq, U>(look: impl Fn() -> T, walk: impl Fn() -> U) -> (T, U) {
    for _ in 0..200 {
        let (before, walked) = (look(), walk());
        if look() == before {
            return (before, walked);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never the same before and after a walk");
}

fn udp_is_what_proc_says() {
    let mut all = Vec::new();
    for host in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
        let bound = UdpSocket::bind((host, 0)).unwrap();
        if !host.ends_with('0') && host != "::" {
            let sender = UdpSocket::bind((host, 0)).unwrap();
            sender.connect(bound.local_addr().unwrap()).unwrap();
            for len in [10, 500] {
                sender.send(&vec![1; len]).unwrap();
            }
            // The memory of the first ones is not given back yet when they are read.
            let read = UdpSocket::bind((host, 0)).unwrap();
            for _ in 0..8 {
                sender.send_to(&[1; 100], read.local_addr().unwrap()).unwrap();
            }
            for _ in 0..3 {
                read.recv(&mut [0; 100]).unwrap();
            }
            all.push(read);
            all.push(sender);
        }
        all.push(bound);
    }
    // One that has no room for what it is sent.
    let full = UdpSocket::bind("127.0.0.1:0").unwrap();
    setsockopt(&full, RcvBuf, &0).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        sender.send_to(&[1; 1000], full.local_addr().unwrap()).unwrap();
    }
    const COLUMNS: &str = "rx, tx, drops, inode, netns, ifindex";
    let walk = || in_order(found("udp", &format!("{ENDS}, {COLUMNS}"), ""));
    let (lines, rows) = settled(|| both(["udp", "udp6"]), walk);
    assert_eq!((rows.len(), lines.len()), (10, 10));
    for (row, line) in rows.iter().zip(&lines) {
        assert_eq!((end(&row[0], &row[1]), end(&row[2], &row[3])), (line.src, line.dst));
        assert_eq!(row[4], if line.src.is_ipv4() { "inet" } else { "inet6" });
        let state = if line.dst.port() > 0 { "ESTABLISHED" } else { "UNCONN" };
        assert!(row[5] == line.state && row[5] == state && row[6] == line.uid, "{line:?}");
        assert!(row[7] == line.rx && row[8] == line.tx, "{line:?} {row:?}");
        assert_eq!(row[9], line.drops(), "{line:?} {row:?}");
        assert!(row[10] == line.inode && row[11] == netns() && row[12] == 0, "{line:?} {row:?}");
    }
    // Unread bytes are counted with what the kernel keeps beside them.
    // The first of those that `full` was sent fits, on some kernels.
    let unread = rows.iter().filter(|row| row[7].number() > 510 && row[9].number() == 0);
    assert_eq!(unread.count(), 4);
    let not_all = found("udp", "sport", "inet.sk.sk_backlog.rmem_alloc.counter > rx and rx > 0");
    assert_eq!(not_all.len(), 2, "{not_all:?}");
    assert_eq!(found("udp", "sport", "state = 'ESTABLISHED'").len(), 2);
    assert_eq!(found("udp", "sport", "state = 'UNCONN'").len(), 8);
    assert!(lines.iter().any(|line| line.drops() > 10), "{lines:?}");
}

fn many_once() {
    many_files();
    let sockets: Vec<_> = (0..1500).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let listeners: Vec<_> = (0..1500).map(|_| TcpListener::bind("[::1]:0").unwrap()).collect();
    let columns = format!("{ENDS}, netns");
    for (target, wanted) in [
        ("udp", sockets.iter().map(|socket| socket.local_addr().unwrap()).collect::<BTreeSet<_>>()),
        ("tcp", listeners.iter().map(|socket| socket.local_addr().unwrap()).collect()),
    ] {
        let rows = found(target, &columns, "");
        assert_eq!(rows.len(), 1500, "{target}");
        assert_eq!(rows.iter().map(|row| end(&row[0], &row[1])).collect::<BTreeSet<_>>(), wanted);
    }
}

/// Before a walk reads on, some of what it has shown goes, and others come. What was there from the beginning to the end
/// is shown once.
#[track_caller]
fn once_whatever_goes<const N: usize, K: Ord + Clone + std::fmt::Debug>(
    (target, columns): (&str, [&str; N]),
    key: impl Fn(Value<'_>) -> Option<K>,
    known: &BTreeSet<K>,
    turn: impl FnOnce(&[K]),
) {
    let mut rows = opened(target, columns, Scope::All).unwrap();
    let mut shown = Vec::new();
    let mut next = |shown: &mut Vec<K>| {
        let row = rows.next_row().unwrap();
        shown.extend(row.as_ref().and_then(|row| key(row.get(0))).filter(|key| known.contains(key)));
        row.is_some()
    };
    while shown.len() < 250 {
        assert!(next(&mut shown), "{target}: {}", shown.len());
    }
    let gone = shown[..200].to_vec();
    turn(&gone);
    while next(&mut shown) {}
    shown.retain(|key| !gone.contains(key));
    shown.sort();
    let kept: Vec<_> = known.iter().filter(|key| !gone.contains(key)).cloned().collect();
    assert_eq!(shown, kept, "{target}");
}

fn netlink_whatever_goes() {
    use std::os::unix::fs::MetadataExt;
    many_files();
    let open = |_| {
        let made = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), None).unwrap();
        bind(made.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
        (File::from(made.try_clone().unwrap()).metadata().unwrap().ino(), made)
    };
    let mut sockets: BTreeMap<u64, OwnedFd> = (0..3000).map(open).collect();
    let known = sockets.keys().copied().collect();
    const COLUMNS: [&str; 6] = ["inode", "netns", "portid", "protocol", "rx", "refs"];
    let mut others = Vec::new();
    once_whatever_goes(
        ("netlink", COLUMNS),
        |inode| match inode {
            Value::Int(inode) => inode.try_into().ok(),
            Value::Uint(inode) => Some(inode),
            _ => None,
        },
        &known,
        |gone| {
            gone.iter().for_each(|inode| drop(sockets.remove(inode)));
            others.extend((0..100).map(open));
        },
    );
}

fn routes_whatever_goes() {
    const NEWROUTE: u16 = 24;
    const DELROUTE: u16 = 25;
    const NETS: u16 = 2000;
    // struct rtmsg: family, lengths of destination and source, type of service, table, protocol, scope, type, flags; then
    // the attributes RTA_DST and RTA_OIF.
    let tell = |message, dst: Ipv6Addr| {
        let mut body = vec![AddressFamily::Inet6 as u8, 64, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
        body.extend([20u16, 1].map(u16::to_ne_bytes).concat());
        body.extend(dst.octets());
        body.extend([8u16, 4].map(u16::to_ne_bytes).concat());
        body.extend(1u32.to_ne_bytes());
        rtnetlink(message, &body);
    };
    let nth = |first, nth| Ipv6Addr::new(0x2001, first, 0, nth, 0, 0, 0, 0);
    let known: BTreeSet<_> = (0..NETS).map(|net| nth(0xdb8, net)).collect();
    known.iter().for_each(|dst| tell(NEWROUTE, *dst));
    const COLUMNS: [&str; 6] = ["dst", "gateway", "device", "table", "metric", "refs"];
    once_whatever_goes(
        ("ipv6_route", COLUMNS),
        |dst| match dst {
            Value::Ip(IpAddr::V6(dst)) => Some(dst),
            _ => None,
        },
        &known,
        |gone| {
            gone.iter().for_each(|dst| tell(DELROUTE, *dst));
            (0..100).for_each(|net| tell(NEWROUTE, nth(0xda8, net)));
        },
    );
}

/// Whether an address is one of a network. One of version 6 that stands for one of version 4 is in networks of both.
fn within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let ip = if network.is_ipv4() { ip.to_canonical() } else { ip };
    let top = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    ip.is_ipv4() == network.is_ipv4() && top(ip) & mask == top(network) & mask
}

fn networks_in_conditions() {
    // Those that wait for something don't wait for ever: a connection that waits for data is established then, but nobody's.
    const LAST: &str = "state in ('ESTABLISHED', 'LISTEN') and uid is not null";
    let _sockets = sockets();
    let walk = |condition: &str| in_order(found("tcp", ENDS, &format!("{LAST} and ({condition})")));
    let all = walk("1");
    assert!(all.len() > 15, "{all:?}");
    let check = |condition: &str, with_not: bool, is: &dyn Fn(IpAddr, IpAddr) -> bool| {
        let of = |row: &&Vec<Cell>| is(end(&row[0], &row[1]).ip(), end(&row[2], &row[3]).ip());
        let (shown, hidden): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|row| of(&row));
        assert_eq!(walk(condition), shown, "{condition}");
        if with_not {
            assert_eq!(walk(&format!("not ({condition})")), hidden, "not ({condition})");
        }
        !shown.is_empty() && !hidden.is_empty()
    };
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    check("src = '127.0.0.1'", true, &|src, _| src.to_canonical() == ip("127.0.0.1"));
    check("'::1' = dst", true, &|_, dst| dst == ip("::1"));
    check("src <> '127.9.8.7'", true, &|src, _| src != ip("127.9.8.7"));
    check("src in ('::1', '127.9.8.7')", true, &|src, _| src == ip("::1") || src == ip("127.9.8.7"));
    check("dst = '0.0.0.0' or dst = '::'", true, &|_, dst| dst.is_unspecified());
    check("src = '::ffff:127.0.0.1'", true, &|src, _| src == ip("::ffff:127.0.0.1"));
    check("cidr(src, '127.0.0.0/8') and not cidr(dst, '127.9.0.0/16')", true, &|src, dst| {
        within(src, ip("127.0.0.0"), 8) && !within(dst, ip("127.9.0.0"), 16)
    });
    let many = (0..2000).map(|nth| format!("'10.0.{}.{}', ", nth / 200, nth % 200)).collect::<String>();
    check(&format!("src in ({many}'127.0.0.1')"), true, &|src, _| src.to_canonical() == ip("127.0.0.1"));
    let mut both_ways = 0;
    for bits in 0..=128 {
        let networks = ["127.9.8.7", "127.0.0.0", "126.0.0.0", "::1", "::", "fe80::1", "::ffff:127.0.0.1"];
        for network in networks.map(ip) {
            let most = if network.is_ipv4() { 32 } else { 128 };
            // All lengths, and of more networks those beside the bounds of the kernel's words.
            let all_lengths = network == ip("::1") || network == ip("127.9.8.7");
            if bits <= most && (all_lengths || bits > 0 && matches!(bits % 32, 0 | 1 | 31)) {
                let of = format!("cidr(src, '{network}/{bits}')");
                // The other way round takes as long: of some.
                let with_not = bits % 16 == 1 || bits == most;
                both_ways += usize::from(check(&of, with_not, &|src, _| within(src, network, bits)));
            }
        }
    }
    assert!(both_ways > 150, "{both_ways}");
    assert_eq!(found("tcp", "src", "src is null or dst is null"), [] as [Vec<Cell>; 0]);
    let mapped = walk("src = '::ffff:127.0.0.1'");
    assert_eq!(mapped.len(), 1);
    assert_eq!(walk("cidr(src, '::ffff:0:0/96') and cidr(src, '127.0.0.0/8') and src = '127.0.0.1'"), mapped);
}

fn link_local_addresses_have_a_device() {
    const NEWADDR: u16 = 20;
    let address: Ipv6Addr = "fe80::1:2".parse().unwrap();
    // struct ifaddrmsg: family, length of the prefix, IFA_F_NODAD, scope, index; then the attribute IFA_LOCAL.
    let mut body = vec![AddressFamily::Inet6 as u8, 64, 2, 0];
    body.extend(1u32.to_ne_bytes());
    body.extend([20u16, 2].map(u16::to_ne_bytes).concat());
    body.extend(address.octets());
    rtnetlink(NEWADDR, &body);
    let any = SocketAddrV6::new(address, 0, 0, 1);
    // The kernel adds its route when it has added the address.
    let reached = UdpSocket::bind(any).unwrap();
    reached.set_nonblocking(true).unwrap();
    let sent = || UdpSocket::bind("[::]:0")?.send_to(&[1], reached.local_addr()?);
    eventually("the address is reached", || sent().is_ok() && reached.recv(&mut [0]).is_ok());
    let listener = TcpListener::bind(any).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(client.local_addr().unwrap()).unwrap();
    let other = TcpListener::bind("[::1]:0").unwrap();
    let shown = |end: SocketAddr| match end {
        SocketAddr::V6(end) => format!("{}%{}", end.ip(), end.scope_id()),
        SocketAddr::V4(end) => end.ip().to_string(),
    };
    let (own, peer) = (shown(client.local_addr().unwrap()), shown(client.peer_addr().unwrap()));
    assert_eq!((&*own, &*peer), ("fe80::1:2%1", "fe80::1:2%1"));
    for (target, port) in
        [("tcp", client.local_addr().unwrap().port()), ("udp", socket.local_addr().unwrap().port())]
    {
        let row = found(target, "src, dst, ifindex", &format!("sport = {port}")).remove(0);
        assert!(row[0] == own && row[1] == peer && row[2] == 1, "{row:?}");
    }
    let row =
        found("tcp", "src, ifindex", &format!("sport = {}", other.local_addr().unwrap().port())).remove(0);
    assert!(row[0] == "::1" && row[1] == 0, "{row:?}");
    // As they are shown, and without the device, they are found.
    let count = |condition: &str| found("tcp", "sport", condition).len();
    for (condition, rows) in [
        ("src = 'fe80::1:2%1'", 3),
        ("src = 'fe80::1:2'", 3),
        ("cidr(src, 'fe80::/10')", 3),
        ("dst = 'fe80::1:2%1'", 2),
        ("src = 'fe80::1:2%2'", 0),
        ("src = '::1%1'", 0),
        ("src <> 'fe80::1:2%1'", 1),
        ("src <> 'fe80::1:2%2'", 4),
        ("src in ('fe80::1:2%2', '::1')", 1),
    ] {
        assert_eq!(count(condition), rows, "{condition}");
    }
    let mut command = kwalk(["tcp", "-f", "src,dst", "-w", "dst = 'fe80::1:2%1'", "-o", "csv"]);
    let shown = stdout(&mut command);
    assert_eq!(shown.lines().skip(1).map(str::trim_end).collect::<Vec<_>>(), ["fe80::1:2%1,fe80::1:2%1"; 2]);
}
