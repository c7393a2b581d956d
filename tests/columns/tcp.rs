//! Of `tcp`, in a network namespace of a test's own: connections that are open, half open, and closed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;

use kwalk::sys::{ElemFlags, MapCreate, MapType, MapUpdateElem, bpf};
use nix::sys::socket::sockopt::{KeepAlive, Mark, RcvBuf};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, connect, getsockname, getsockopt, listen,
    setsockopt, socket,
};
use nix::unistd::{Uid, setfsuid};
use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

use super::cell::{Cell, found, one};
use super::net::{ENDS, Line, both, elsewhere, end, in_order, netns, settled};
use crate::support::Need::{Bpf, Jit, Kernel, Root, Tool};
use crate::support::helper::Started;
use crate::support::{Need, Test, eventually, test};

const NET: &[Need] = &[Bpf, Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("tcp_is_what_proc_says", NET, || elsewhere(tcp_is_what_proc_says)),
        test("tcp_is_what_getsockopt_says", NET, || elsewhere(tcp_is_what_getsockopt_says)),
        test("tcp_marks_of_all_structs", NET, || elsewhere(marks_of_all_structs)),
        test("tcp_of_a_listener_in_a_sockmap", &[Bpf, Root, Jit, Kernel(6, 2)], || elsewhere(of_a_sockmap)),
        test("tcp_of_a_listener_that_was_connected", &[Bpf, Root, Tool("python3")], || {
            elsewhere(of_a_listener_that_was_connected)
        }),
        test("tcp_is_what_ss_says", &[Bpf, Root, Tool("ss")], || elsewhere(tcp_is_what_ss_says)),
    ]
}

sockopt_impl!(
    /// For so many seconds, a connection stays half open until something comes.
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    i32
);

/// The beginning of `struct tcp_info` (`include/uapi/linux/tcp.h`), which all kernels have.
type Info = [u8; 168];

sockopt_impl!(TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, Info);

/// Who owns some of the sockets.
pub const OWNER: u32 = 12345;

/// Makes sockets that belong to [`OWNER`].
pub fn owned<T>(make: impl FnOnce() -> T) -> T {
    let before = setfsuid(Uid::from_raw(OWNER));
    let made = make();
    setfsuid(before);
    made
}

/// Sockets in all states that last.
#[derive(Default)]
pub struct Sockets {
    listeners: Vec<TcpListener>,
    streams: Vec<TcpStream>,
    fds: Vec<OwnedFd>,
}

pub fn sockets() -> Sockets {
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
        client.shutdown(Shutdown::Write).unwrap();
        all.streams.extend([client, server]);
        // The same, but nobody has the one in FIN_WAIT2 any more: the kernel keeps no whole socket for it.
        let (client, server) = pair();
        drop(client);
        all.streams.push(server);
        // ESTABLISHED, with the timer of keepalive probes.
        let (client, server) = pair();
        setsockopt(&client, KeepAlive, &true).unwrap();
        all.streams.extend([client, server]);
        // TIME_WAIT: closed here, and then there.
        let (client, mut server) = pair();
        drop(client);
        let _ = server.read(&mut [0]);
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
        // Half open, as the listener waits for more than an answer.
        let deferring = owned(|| TcpListener::bind((host, 0)).unwrap());
        setsockopt(&deferring, DeferAccept, &60).unwrap();
        all.streams.push(TcpStream::connect(deferring.local_addr().unwrap()).unwrap());
        all.listeners.push(deferring);
    }
    // ESTABLISHED, with more to send than the other end has room for: it is asked for room from time to time.
    let narrow = TcpListener::bind("127.0.0.1:0").unwrap();
    setsockopt(&narrow, RcvBuf, &1).unwrap();
    let mut client = TcpStream::connect(narrow.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    while client.write(&[1; 1000]).is_ok() {}
    all.streams.extend([client, narrow.accept().unwrap().0]);
    all.listeners.push(narrow);
    // Version 4 by way of version 6.
    let dual = TcpListener::bind("[::]:0").unwrap();
    let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST, dual.local_addr().unwrap().port()));
    let client = TcpStream::connect(mapped).unwrap();
    all.streams.extend([client, dual.accept().unwrap().0]);
    all.listeners.push(dual);
    all
}

/// What /proc/net/tcp calls a timer.
fn code(timer: &Cell) -> i128 {
    const CODES: [(&str, i128); 7] = [
        ("none", 0),
        ("retransmit", 1),
        ("loss_probe", 1),
        ("reorder", 1),
        ("keepalive", 2),
        ("time_wait", 3),
        ("probe", 4),
    ];
    CODES.iter().find(|(name, _)| timer == *name).unwrap_or_else(|| panic!("{timer:?}")).1
}

fn tcp_is_what_proc_says() {
    let sockets = sockets();
    const COLUMNS: &str =
        "rx, tx, inode, backlog, timer, retransmits, congestion, netns, cwnd, rtt, mark, ifindex";
    // What the kernel still has to say to the other end takes a moment, and what is sent again changes.
    let told = |lines: &[Line]| {
        let count = |state| lines.iter().filter(|line| line.state == state).count();
        (count(5), count(8), count(6), count(3)) == (6, 6, 3, 3)
            // An answer to a connection that is half open was waited for.
            && lines.iter().any(|line| line.state == 3 && line.retransmits > 0)
            && lines.iter().any(|line| line.timer == 4)
    };
    eventually("all are in their states", || told(&both(["tcp", "tcp6"])));
    let (lines, rows) =
        settled(|| both(["tcp", "tcp6"]), || in_order(found("tcp", &format!("{ENDS}, {COLUMNS}"), "")));
    assert_eq!(rows.len(), lines.len(), "{rows:#?}\n{lines:#?}");
    assert!(rows.len() > 30);
    let states: BTreeSet<_> = lines.iter().map(|line| line.state).collect();
    for state in [1, 2, 3, 5, 6, 8, 10] {
        assert!(states.contains(&state), "{state}: {states:?}");
    }
    let timers: BTreeSet<_> = lines.iter().map(|line| line.timer).collect();
    assert_eq!(timers, BTreeSet::from([0, 1, 2, 3, 4]));
    for (row, line) in rows.iter().zip(&lines) {
        assert_eq!((end(&row[0], &row[1]), end(&row[2], &row[3])), (line.src, line.dst));
        assert_eq!(row[4], if line.src.is_ipv4() { "inet" } else { "inet6" });
        assert_eq!(row[5], line.state, "{line:?}");
        assert!(matches!(row[5], Cell::Name(..)), "{row:?}");
        let (rx, tx, inode, backlog) = (&row[7], &row[8], &row[9], &row[10]);
        assert_eq!(row[14], netns());
        assert_eq!(code(&row[11]), line.timer, "{line:?} {row:?}");
        assert!(row[17] == 0 && row[18] == 0, "{row:?}");
        // Half open, in TIME_WAIT, and in FIN_WAIT2 without an owner: no whole sockets, or none any more.
        if matches!((line.state, line.inode), (3 | 6, _) | (5, 0)) {
            assert!(*rx == () && *tx == () && *inode == () && *backlog == () && row[13] == (), "{row:?}");
            assert!(row[15] == () && row[16] == (), "{row:?}");
            match line.state {
                3 => assert!(row[6] == i128::from(OWNER) && row[6] == line.uid, "{line:?} {row:?}"),
                _ => assert_eq!(row[6], ()),
            }
            match line.state {
                3 => assert_eq!(row[12], line.retransmits, "{line:?}"),
                _ => assert_eq!(row[12], ()),
            }
            continue;
        }
        match line.state {
            10 => assert!(*backlog == line.rx && *rx == 0 && *tx == 0, "{line:?} {row:?}"),
            _ => assert!(*rx == line.rx && *tx == line.tx && *backlog == (), "{line:?} {row:?}"),
        }
        // Without a file, it has no inode, and no owner.
        match line.inode {
            0 => assert!((*inode == () || *inode == 0) && row[6] == (), "{row:?}"),
            of_proc => assert!(*inode == of_proc && row[6] == line.uid, "{line:?} {row:?}"),
        }
        assert_eq!(row[12], line.retransmits, "{line:?}");
        let congestion = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap();
        assert_eq!(row[13], congestion.trim_end());
        assert!(row[15].number() > 0, "{row:?}");
        // Who has had no answer knows no time.
        assert_eq!(row[16] != (), matches!(line.state, 1 | 4 | 5 | 8 | 9 | 11), "{line:?} {row:?}");
    }
    assert_eq!(rows.iter().filter(|row| row[5] == "LISTEN" && row[6] == i128::from(OWNER)).count(), 3);
    let unread: Vec<_> = rows.iter().filter(|row| row[7] == 1234).collect();
    assert_eq!(unread.len(), 3);
    for state in ["LISTEN", "CLOSE_WAIT", "SYN_SENT", "TIME_WAIT", "SYN_RECV", "FIN_WAIT2"] {
        let of = in_order(found("tcp", ENDS, &format!("state = '{state}'")));
        let wanted: Vec<_> = rows.iter().filter(|row| row[5] == state).map(|row| row[..7].to_vec()).collect();
        assert_eq!(of, wanted, "{state}");
    }
    assert_eq!(found("tcp", "src", "uid is null and state in ('TIME_WAIT', 'FIN_WAIT2')").len(), 6);
    drop(sockets);
}

/// The row of a socket of this process.
fn of_socket(socket: &impl AsFd, columns: &str) -> Vec<Cell> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd())).unwrap().ino();
    one("tcp", columns, &format!("inode = {inode}"))
}

fn tcp_is_what_getsockopt_says() {
    let info = |socket: &dyn AsFd| {
        let info = getsockopt(&socket.as_fd(), TcpInfo).unwrap();
        let u32_at = |at: usize| i128::from(u32::from_ne_bytes(info[at..at + 4].try_into().unwrap()));
        let u64_at = |at: usize| i128::from(u64::from_ne_bytes(info[at..at + 8].try_into().unwrap()));
        // tcpi_retransmits, _rtt, _snd_cwnd, _total_retrans, _min_rtt, _delivery_rate, _bytes_acked
        [info[2].into(), u32_at(68), u32_at(80), u32_at(100), u32_at(148), u64_at(160), u64_at(120)]
    };
    const COLUMNS: &str = "retransmits, rtt, cwnd, total_retrans, min_rtt, delivery_rate, bytes_acked";
    let mut greatest = [0; 7];
    let mut agree = |socket: &dyn AsFd| {
        let (info, row) = settled(|| info(socket), || of_socket(&socket.as_fd(), COLUMNS));
        let measured = |time: i128| {
            if time == 0 || time == u32::MAX.into() { Cell::Null } else { Cell::Number(1000 * time) }
        };
        assert!(row[0] == info[0] && row[1] == measured(info[1]) && row[2] == info[2], "{info:?} {row:?}");
        assert!(row[3] == info[3] && row[4] == measured(info[4]) && row[6] == info[6], "{info:?} {row:?}");
        assert!(row[5] == info[5] || row[5] == () && info[5] == 0, "{info:?} {row:?}");
        greatest.iter_mut().zip(info).for_each(|(greatest, one)| *greatest = one.max(*greatest));
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pairs: Vec<_> = (0..3)
        .map(|_| {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let mut bytes = vec![1; 100_000];
            client.write_all(&bytes).unwrap();
            server.read_exact(&mut bytes).unwrap();
            server.write_all(&bytes[..5]).unwrap();
            client.read_exact(&mut bytes[..5]).unwrap();
            (client, server)
        })
        .collect();
    for (client, server) in &pairs {
        agree(client);
        agree(server);
    }
    // There is no room for this one, which asks again after a second.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&full, Backlog::new(1).unwrap()).unwrap();
    let to: SockaddrStorage = getsockname(full.as_raw_fd()).unwrap();
    let _waiting = [(); 2].map(|()| TcpStream::connect(full.local_addr().unwrap()).unwrap());
    let client = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None).unwrap();
    assert!(connect(client.as_raw_fd(), &to).is_err());
    agree(&client);
    eventually("it asks again", || info(&client)[3] > 0);
    agree(&client);
    assert!(greatest.iter().all(|value| *value > 0), "{greatest:?}");
    assert!(greatest[6] >= 100_000, "{greatest:?}");
    // Of a listener, the fields have no meaning.
    let row = of_socket(&listener, COLUMNS);
    assert!([1, 3, 4, 5, 6].iter().all(|nth| row[*nth] == ()), "{row:?}");
    assert_eq!(found("tcp", "sport", "bytes_acked >= '97K'").len(), pairs.len());
}

/// Each struct has the mark in a field of its own.
fn marks_of_all_structs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    setsockopt(&listener, Mark, &0x77).unwrap();
    setsockopt(&listener, DeferAccept, &60).unwrap();
    let waits = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(plain.local_addr().unwrap()).unwrap();
    setsockopt(&client, Mark, &0x88).unwrap();
    let (mut server, _) = plain.accept().unwrap();
    assert_eq!(of_socket(&client, "mark, state")[0], 0x88);
    drop(client);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    drop(server);
    eventually("the client is in TIME_WAIT", || !found("tcp", "mark", "state = 'TIME_WAIT'").is_empty());
    let marks = |state: &str| found("tcp", "mark", &format!("state = '{state}' and mark <> 0"));
    assert_eq!(marks("LISTEN"), [[Cell::Number(0x77)]]);
    assert_eq!(marks("SYN_RECV"), [[Cell::Number(0x77)]]);
    assert_eq!(marks("TIME_WAIT"), [[Cell::Number(0x88)]]);
    drop(waits);
}

/// In a sockmap, a listener gets functions of another protocol, and its connections have them from the beginning.
fn of_a_sockmap() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let map = bpf(MapCreate::new(MapType::SOCKMAP, 4, 8, 1)).unwrap();
    let value = (listener.as_raw_fd() as u64).to_ne_bytes();
    bpf(MapUpdateElem { map: &map, key: &[0; 4], value: &value, flags: ElemFlags::empty() }).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener.accept().unwrap());
    setsockopt(&listener, Mark, &0x77).unwrap();
    setsockopt(&listener, DeferAccept, &60).unwrap();
    let waits = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let look = || both(["tcp", "tcp6"]);
    eventually("one is closed, and one still half open", || {
        let is = |state| look().iter().any(|line| line.state == state && line.inode == 0);
        is(5) && look().iter().any(|line| line.state == 3 && line.retransmits > 0)
    });
    const COLUMNS: &str = "state, timer, retransmits, mark";
    let (lines, rows) =
        settled(look, || in_order(found("tcp", &format!("src, sport, dst, dport, {COLUMNS}"), "")));
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        assert!(row[4] == line.state && code(&row[5]) == line.timer, "{line:?} {row:?}");
        if line.state == 3 {
            assert!(row[6] == line.retransmits && row[7] == 0x77, "{line:?} {row:?}");
        }
    }
    drop((client, waits));
}

/// What is left of a connection that the socket had before says nothing of the listener.
fn of_a_listener_that_was_connected() {
    const SCRIPT: &str = "
import ctypes, socket
to = socket.create_server(('127.0.0.1', 0))
own = socket.create_connection(to.getsockname())
other = to.accept()[0]
own.send(bytes(5000))
other.recv(5000)
other.send(bytes(300))
# AF_UNSPEC
assert ctypes.CDLL(None).connect(own.fileno(), bytes(16), 16) == 0
own.bind(('127.0.0.1', 0))
own.listen(3)
print(own.getsockname()[1], flush=True)
input()
";
    let helper = Started::new(Command::new("python3").args(["-c", SCRIPT]));
    let columns =
        "state, rx, tx, backlog, backlog_max, total_retrans, min_rtt, rtt, delivery_rate, bytes_acked";
    let row = one("tcp", columns, &format!("sport = {}", helper.words.trim()));
    assert!(row[0] == "LISTEN" && row[1] == 0 && row[2] == 0 && row[3] == 0 && row[4] == 3, "{row:?}");
    assert!(row[5..].iter().all(|cell| *cell == ()), "{row:?}");
}

fn tcp_is_what_ss_says() {
    let _sockets = sockets();
    let ss = |filter: &str| -> Vec<String> {
        let output = Command::new("ss").arg("-Htan").args(filter.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut states: Vec<String> = text
            .lines()
            .map(|line| match line.split_whitespace().next().unwrap() {
                "ESTAB" => "ESTABLISHED".into(),
                "FIN-WAIT-1" => "FIN_WAIT1".into(),
                "FIN-WAIT-2" => "FIN_WAIT2".into(),
                state => state.replace('-', "_"),
            })
            .collect();
        states.sort();
        states
    };
    let of = |condition: &str| {
        let rows = found("tcp", "state", condition).into_iter();
        let mut states: Vec<String> = rows
            .map(|row| match &row[0] {
                Cell::Name(_, name) => name.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        states.sort();
        states
    };
    eventually("some are half open, some closed", || {
        let all = ss("");
        ["SYN_RECV", "TIME_WAIT"].iter().all(|state| all.iter().filter(|one| one == state).count() == 3)
            && all.iter().filter(|one| *one == "FIN_WAIT2").count() == 6
    });
    // A state as ss shows it is understood.
    let output = Command::new("ss").arg("-Htan").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown: BTreeSet<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(shown.contains("FIN-WAIT-2") && shown.contains("SYN-RECV"), "{shown:?}");
    for state in shown {
        assert!(!of(&format!("state = '{state}'")).is_empty(), "{state}");
    }
    for (filter, condition) in [
        ("", "1"),
        ("state established", "state = 'ESTAB'"),
        ("state listening", "state = 'LISTEN'"),
        ("state syn-recv", "state = 'SYN_RECV'"),
        ("state fin-wait-2", "state = 'FIN_WAIT2'"),
        ("state time-wait", "state = 'TIME_WAIT'"),
        ("state close-wait", "state = 'CLOSE_WAIT'"),
        ("dst 127.0.0.1", "dst = '127.0.0.1'"),
        ("src 127.0.0.0/8", "cidr(src, '127.0.0.0/8')"),
        ("src 127.9.0.0/16", "cidr(src, '127.9.0.0/16')"),
        ("not dst 127.0.0.0/8", "not cidr(dst, '127.0.0.0/8')"),
        ("src [::1]", "src = '::1'"),
    ] {
        // Only the line for one state has no column of the state.
        let (of_ss, rows) = settled(|| ss(filter), || of(condition));
        match filter.starts_with("state") {
            true => assert_eq!(of_ss.len(), rows.len(), "{filter}"),
            false => assert_eq!(of_ss, rows, "{filter}"),
        }
        assert!(!rows.is_empty(), "{filter}");
    }
}
