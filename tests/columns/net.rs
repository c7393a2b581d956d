//! Of `tcp` and `udp`, in a network namespace of a test's own.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::sockopt::RcvBuf;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, NetlinkAddr, SockFlag, SockType, SockaddrStorage, connect, getsockname,
    listen, recv, sendto, setsockopt, socket,
};

use super::cell::{Cell, found};
use crate::support::Need::{Bpf, Root};
use crate::support::{Need, Test, eventually, many_files, test};

const NET: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("tcp_is_what_proc_says", NET, || elsewhere(tcp_is_what_proc_says)),
        test("udp_is_what_proc_says", NET, || elsewhere(udp_is_what_proc_says)),
        test("tcp_of_many_once", NET, || elsewhere(many_once)),
        test("tcp_networks_in_conditions", NET, || elsewhere(networks_in_conditions)),
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

/// Brings up interface 1, which the loopback is in every network namespace.
fn loopback_up() {
    const NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 1 | 4;
    // struct nlmsghdr: length, type, flags, sequence, port; struct ifinfomsg: family, index, flags, which flags to change.
    let mut message = Vec::new();
    message.extend(32u32.to_ne_bytes());
    message.extend([NEWLINK, REQUEST_AND_ACK].map(u16::to_ne_bytes).concat());
    message.extend([0u32, 0, 0, 1, 1, 1].map(u32::to_ne_bytes).concat());
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), None).unwrap();
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty()).unwrap();
    let mut answer = [0; 128];
    let answered = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
    assert_eq!(answer[..answered].get(16..20), Some(&[0; 4][..]), "the loopback comes up");
    // Addresses of version 6 take a moment until they can be used.
    eventually("the loopback has its address", || UdpSocket::bind("[::1]:0").is_ok());
}

/// A socket as /proc/net has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    src: SocketAddr,
    dst: SocketAddr,
    state: i128,
    tx: i128,
    rx: i128,
    timer: i128,
    retransmits: i128,
    uid: i128,
    inode: i128,
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

fn both(names: [&str; 2]) -> Vec<Line> {
    let mut all = names.map(lines).concat();
    all.sort();
    all
}

/// Rows that begin with src, sport, dst, dport, in the order of those.
fn in_order(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    rows.sort_by_key(|row| (end(&row[0], &row[1]), end(&row[2], &row[3])));
    rows
}

fn end(ip: &Cell, port: &Cell) -> SocketAddr {
    match ip {
        Cell::Ip(ip) => SocketAddr::new(*ip, port.number() as u16),
        other => panic!("{other:?} is no address"),
    }
}

/// This thread's network namespace.
fn netns() -> i128 {
    let link = fs::read_link("/proc/thread-self/ns/net").unwrap().into_os_string().into_string().unwrap();
    link.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

const ENDS: &str = "src, sport, dst, dport, family, state, uid";

/// Sockets in all states that last.
#[derive(Default)]
struct Sockets {
    listeners: Vec<TcpListener>,
    streams: Vec<TcpStream>,
    fds: Vec<OwnedFd>,
}

fn sockets() -> Sockets {
    let mut all = Sockets::default();
    for host in ["127.0.0.1", "::1", "127.9.8.7"] {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let pair = || {
            let client = TcpStream::connect(address).unwrap();
            (client, listener.accept().unwrap().0)
        };
        // ESTABLISHED, with bytes that nobody has read.
        let (mut client, server) = pair();
        client.write_all(&[1; 1234]).unwrap();
        all.streams.extend([client, server]);
        // FIN_WAIT2 and CLOSE_WAIT.
        let (client, server) = pair();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        all.streams.extend([client, server]);
        // TIME_WAIT: closed here, and then there.
        let (client, mut server) = pair();
        drop(client);
        let _ = std::io::Read::read(&mut server, &mut [0]);
        drop(server);
        all.listeners.push(listener);
        // LISTEN with connections that nobody has accepted, and, as there is no room for it, SYN_SENT.
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let full = TcpListener::bind((host, 0)).unwrap();
        listen(&full, Backlog::new(1).unwrap()).unwrap();
        let to: SockaddrStorage = getsockname(full.as_raw_fd()).unwrap();
        all.streams.extend([(); 2].map(|()| TcpStream::connect(full.local_addr().unwrap()).unwrap()));
        let client = socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK, None).unwrap();
        assert!(connect(client.as_raw_fd(), &to).is_err());
        all.fds.push(client);
        all.listeners.push(full);
    }
    // Version 4 by way of version 6.
    let dual = TcpListener::bind("[::]:0").unwrap();
    let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST, dual.local_addr().unwrap().port()));
    let client = TcpStream::connect(mapped).unwrap();
    all.streams.extend([client, dual.accept().unwrap().0]);
    all.listeners.push(dual);
    all
}

fn tcp_is_what_proc_says() {
    let sockets = sockets();
    const COLUMNS: &str =
        "rx, tx, inode, backlog, timer, retransmits, congestion, netns, cwnd, rtt, mark, ifindex";
    // What the kernel still has to say to the other end takes a moment, and what is sent again changes.
    let told = |lines: &[Line]| {
        let count = |state| lines.iter().filter(|line| line.state == state).count();
        (count(5), count(8), count(6)) == (3, 3, 3)
    };
    eventually("all are in their states", || told(&both(["tcp", "tcp6"])));
    let (lines, rows) =
        settled(|| both(["tcp", "tcp6"]), || in_order(found("tcp", &format!("{ENDS}, {COLUMNS}"), "")));
    assert_eq!(rows.len(), lines.len(), "{rows:#?}\n{lines:#?}");
    assert!(rows.len() > 30);
    let states: BTreeSet<_> = lines.iter().map(|line| line.state).collect();
    for state in [1, 2, 5, 6, 8, 10] {
        assert!(states.contains(&state), "{state}: {states:?}");
    }
    for (row, line) in rows.iter().zip(&lines) {
        assert_eq!((end(&row[0], &row[1]), end(&row[2], &row[3])), (line.src, line.dst));
        assert_eq!(row[4], if line.src.is_ipv4() { "inet" } else { "inet6" });
        assert_eq!(row[5], line.state, "{line:?}");
        assert!(matches!(row[5], Cell::Name(..)), "{row:?}");
        let (rx, tx, inode, backlog, timer) = (&row[7], &row[8], &row[9], &row[10], &row[11]);
        assert_eq!(row[14], netns());
        match line.state {
            // These are no whole sockets any more.
            6 => {
                assert!(*rx == () && *tx == () && *inode == () && *backlog == () && row[13] == (), "{row:?}");
                continue;
            }
            10 => assert!(*backlog == line.rx && *rx == 0 && *tx == 0, "{line:?} {row:?}"),
            _ => assert!(*rx == line.rx && *tx == line.tx && *backlog == (), "{line:?} {row:?}"),
        }
        // Without a file, it has no inode.
        match line.inode {
            0 => assert!(*inode == () || *inode == 0, "{row:?}"),
            of_proc => assert_eq!(*inode, of_proc),
        }
        assert_eq!(row[6], line.uid);
        assert_eq!(row[12], line.retransmits, "{line:?}");
        assert_eq!(
            line.timer == 1,
            *timer != "none" && *timer != "delayed_ack" && *timer != "probe",
            "{line:?} {row:?}"
        );
        let congestion = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap();
        assert_eq!(row[13], congestion.trim_end());
        assert!(row[15].number() > 0 && row[17] == 0 && row[18] == 0, "{row:?}");
        // Who has had no answer knows no time.
        assert_eq!(row[16].number() > 0, matches!(line.state, 1 | 4 | 5 | 8 | 9 | 11), "{line:?} {row:?}");
    }
    let unread: Vec<_> = rows.iter().filter(|row| row[7] == 1234).collect();
    assert_eq!(unread.len(), 3);
    for state in ["LISTEN", "CLOSE_WAIT", "SYN_SENT", "TIME_WAIT"] {
        let of = in_order(found("tcp", ENDS, &format!("state = '{state}'")));
        let wanted: Vec<_> = rows.iter().filter(|row| row[5] == state).map(|row| row[..7].to_vec()).collect();
        assert_eq!(of, wanted, "{state}");
    }
    drop(sockets);
}

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
    assert_eq!((rows.len(), lines.len()), (8, 8));
    for (row, line) in rows.iter().zip(&lines) {
        assert_eq!((end(&row[0], &row[1]), end(&row[2], &row[3])), (line.src, line.dst));
        assert_eq!(row[4], if line.src.is_ipv4() { "inet" } else { "inet6" });
        assert!(row[5] == line.state && row[6] == line.uid, "{line:?}");
        assert!(row[7] == line.rx && row[8] == line.tx, "{line:?} {row:?}");
        assert_eq!(row[9], line.drops(), "{line:?} {row:?}");
        assert!(row[10] == line.inode && row[11] == netns() && row[12] == 0, "{line:?} {row:?}");
    }
    // Unread bytes are counted with what the kernel keeps beside them.
    // The first of those that `full` was sent fits, on some kernels.
    let unread = rows.iter().filter(|row| row[7].number() > 510 && row[9].number() == 0);
    assert_eq!(unread.count(), 2);
    assert_eq!(found("udp", "sport", "state = 'ESTABLISHED'").len(), 2);
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

/// Whether an address is one of a network.
fn within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let top = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    ip.is_ipv4() == network.is_ipv4() && top(ip) & mask == top(network) & mask
}

fn networks_in_conditions() {
    // Those that wait for something don't wait for ever.
    const LAST: &str = "state in ('ESTABLISHED', 'LISTEN')";
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
    check("src = '127.0.0.1'", true, &|src, _| src == ip("127.0.0.1"));
    check("'::1' = dst", true, &|_, dst| dst == ip("::1"));
    check("src <> '127.9.8.7'", true, &|src, _| src != ip("127.9.8.7"));
    check("src in ('::1', '127.9.8.7')", true, &|src, _| src == ip("::1") || src == ip("127.9.8.7"));
    check("dst = '0.0.0.0' or dst = '::'", true, &|_, dst| dst.is_unspecified());
    check("src = '::ffff:127.0.0.1'", true, &|src, _| src == ip("::ffff:127.0.0.1"));
    check("cidr(src, '127.0.0.0/8') and not cidr(dst, '127.9.0.0/16')", true, &|src, dst| {
        within(src, ip("127.0.0.0"), 8) && !within(dst, ip("127.9.0.0"), 16)
    });
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
}
