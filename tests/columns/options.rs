//! Of sockets: what their owners have set, and what they have been sent, in a network namespace of a test's own.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use nix::sys::socket::sockopt::{BindToDevice, Mark, RcvBuf, ReusePort};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrStorage,
    UnixAddr, bind, getsockname, listen, sendto, setsockopt, socket,
};
use nix::unistd::{Uid, setfsuid};

use super::cell::{one, tells};
use super::net::elsewhere;
use crate::support::Need::{Bpf, Root, Target};
use crate::support::{Need, Test, kwalk, stdout, test, unique};

const NET: &[Need] = &[Bpf, Root];
const UNIX: Need = Target(&kwalk::progs::targets::unix::TARGET);

pub fn tests() -> Vec<Test> {
    vec![
        test("tcp_and_udp_are_somebody_s", NET, || elsewhere(tcp_and_udp)),
        test("unix_is_somebody_s", &[Bpf, Root, UNIX], || elsewhere(unix)),
        test("sockets_of_one_address_look_different", NET, || elsewhere(of_one_address)),
        test("unix_connections_that_wait_look_different", &[Bpf, Root, UNIX], || elsewhere(unix_waiting)),
        test("netlink_messages_are_kept_and_dropped", NET, || elsewhere(netlink)),
    ]
}

/// A socket that this user has made: only this thread becomes the user for a moment.
fn of<S>(user: u32, make: impl FnOnce() -> S) -> S {
    setfsuid(Uid::from_raw(user));
    let made = make();
    setfsuid(Uid::from_raw(0));
    made
}

fn user() -> u32 {
    1_500_000_000 + std::process::id()
}

fn tcp_and_udp() {
    // Interface 1 is the loopback in every network namespace.
    const LOOPBACK: u32 = 1;
    let device = OsString::from("lo");
    let udp = of(user(), || UdpSocket::bind("127.0.0.1:0").unwrap());
    setsockopt(&udp, BindToDevice, &device).unwrap();
    let row = one("udp", "uid, ifindex", &format!("sport = {}", udp.local_addr().unwrap().port()));
    tells("udp.uid", &row[0], user());
    tells("udp.ifindex", &row[1], LOOPBACK);

    let tcp = of(user(), || TcpListener::bind("127.0.0.1:0").unwrap());
    setsockopt(&tcp, BindToDevice, &device).unwrap();
    setsockopt(&tcp, Mark, &0x1234).unwrap();
    listen(&tcp, Backlog::new(77).unwrap()).unwrap();
    let columns = "uid, ifindex, mark, backlog_max";
    let row = one("tcp", columns, &format!("sport = {}", tcp.local_addr().unwrap().port()));
    tells("tcp.uid", &row[0], user());
    tells("tcp.ifindex", &row[1], LOOPBACK);
    tells("tcp.mark", &row[2], 0x1234_u32);
    tells("tcp.backlog_max", &row[3], 77_u32);
}

fn unix() {
    let name = unique("kwop");
    let listener = of(user(), || {
        let made = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
        bind(made.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes()).unwrap()).unwrap();
        made
    });
    listen(&listener, Backlog::new(9).unwrap()).unwrap();
    let row = one("unix", "uid, backlog_max", &format!("path = '@{name}'"));
    tells("unix.uid", &row[0], user());
    tells("unix.backlog_max", &row[1], 9_u32);
}

/// A socket of a group whose messages nobody reads.
fn netlink() {
    let open = || {
        let protocol = Some(SockProtocol::NetlinkUserSock);
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_NONBLOCK, protocol).unwrap()
    };
    let (full, sender) = (open(), open());
    bind(full.as_raw_fd(), &NetlinkAddr::new(0, 1)).unwrap();
    setsockopt(&full, RcvBuf, &2048).unwrap();
    // struct nlmsghdr: length, type, flags, sequence, port.
    let message = [&1016_u32.to_ne_bytes()[..], &[0; 1012]].concat();
    for _ in 0..20 {
        // The kernel is told, too, and has no use for it.
        let _ = sendto(sender.as_raw_fd(), &message, &NetlinkAddr::new(0, 1), MsgFlags::empty());
    }
    let own: NetlinkAddr = getsockname(full.as_raw_fd()).unwrap();
    let text = fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.into_iter().find(|words| words[1] == "2" && words[2] == own.pid().to_string()).unwrap();
    let number = |nth: usize| line[nth].parse::<i128>().unwrap();
    let condition = format!("protocol = 'USERSOCK' and portid = {}", own.pid());
    let row = one("netlink", "rx, drops, groups, netns", &condition);
    tells("netlink.rx", &row[0], number(4));
    tells("netlink.drops", &row[1], number(8));
    if !row[2].is_absent() {
        tells("netlink.groups", &row[2], 1_u32);
    }
    tells("netlink.netns", &row[3], fs::metadata("/proc/thread-self/ns/net").unwrap().ino());
}

/// The default columns of all sockets, each of which differs from the others.
#[track_caller]
fn different(target: &str, count: usize) {
    let shown = stdout(&mut kwalk([target, "-o", "csv"]));
    let rows: BTreeSet<_> = shown.lines().skip(1).collect();
    assert_eq!((rows.len(), shown.lines().count()), (count, count + 1), "{shown}");
}

/// Those that share a port, and those that have it on a device each.
fn of_one_address() {
    for (target, ty) in [("tcp", SockType::Stream), ("udp", SockType::Datagram)] {
        let made = |device: Option<&str>, to: &SockaddrStorage| {
            let made = socket(AddressFamily::Inet, ty, SockFlag::empty(), None).unwrap();
            setsockopt(&made, ReusePort, &true).unwrap();
            if let Some(device) = device {
                setsockopt(&made, BindToDevice, &OsString::from(device)).unwrap();
            }
            bind(made.as_raw_fd(), to).unwrap();
            if target == "tcp" {
                listen(&made, Backlog::new(1).unwrap()).unwrap();
            }
            made
        };
        // A free port, which nobody else takes in this namespace.
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = getsockname(free.as_raw_fd()).unwrap();
        drop(free);
        let _sockets = [None, None, Some("lo"), Some("lo")].map(|device| made(device, &to));
        different(target, 4);
    }
}

/// Connections that nobody has accepted have no inode, and the name of their listener.
fn unix_waiting() {
    let name = SocketAddr::from_abstract_name(unique("kwwait")).unwrap();
    let _listener = UnixListener::bind_addr(&name).unwrap();
    let clients = [(); 3].map(|()| UnixStream::connect_addr(&name).unwrap());
    different("unix", 1 + 2 * clients.len());
    for client in &clients {
        let inode = fs::metadata(format!("/proc/self/fd/{}", client.as_raw_fd())).unwrap().ino();
        let row = one("unix", "inode, state", &format!("peer = {inode}"));
        assert!((row[0] == () || row[0].is_absent()) && row[1] == "ESTABLISHED", "{row:?}");
    }
}
