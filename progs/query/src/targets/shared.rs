//! Expressions that the columns of several targets share.

use crate::columns::Numbers;
use crate::derived::{By, Derived};
use crate::expr::{Expr, address, case, field};

/// The process that reads the rows, and the numbers that a task, its process and that one's parent have in the reader's
/// pid namespace: `numbers` of a `struct pid` begins with those in the namespaces above.
pub(crate) const READER: Derived = Derived { ty: "task_struct", ..Derived::new("reader", "", By::Reader) };
pub(crate) const READER_PID: Derived = reader("reader_pid", "task.thread_pid.numbers[0]");
pub(crate) const READER_TGID: Derived = reader("reader_tgid", "task.signal.pids[1].numbers[0]");
pub(crate) const READER_PPID: Derived = reader("reader_ppid", "task.real_parent.signal.pids[1].numbers[0]");

/// The number in the reader's pid namespace, among those of a `struct pid`.
pub(crate) const fn reader(name: &'static str, numbers: &'static str) -> Derived {
    Derived { ty: "upid", ..Derived::new(name, "", By::Element(("reader.thread_pid.level", numbers))) }
}

/// The number of the parent's process in the reader's pid namespace; 0 if it is in none, as in /proc/PID/status.
pub(crate) fn reader_ppid() -> Expr {
    let is_below = field("task.real_parent.signal.pids[1].level").ge(field("reader.thread_pid.level"));
    let is_same = field("reader_ppid.ns.ns.inum").eq(field("reader_pid.ns.ns.inum"));
    case([(is_below.and(is_same), field("reader_ppid.nr"))]).or_else(0)
}

/// One of a socket's addresses: the IPv4 or the IPv6 field of a `struct sock_common`, as its family says. A socket with a
/// link-local address is bound to its device.
pub(crate) fn socket(common: &str, v4: &str, v6: &str) -> Expr {
    let of = |name: &str| field(format!("{common}.{name}"));
    address(of("skc_family"), of(v4), of(v6)).zone(of("skc_bound_dev_if"))
}

/// A port, in network order if it is the remote one, of a `struct sock` that is an IP socket; NULL for others. Raw
/// sockets have no ports: there the field has the protocol.
pub(crate) fn port(port: Expr, sock: &str) -> Expr {
    const SOCK_RAW: i32 = 3;
    let is_ip = is_ip(&format!("{sock}.__sk_common"));
    case([(is_ip.and(field(format!("{sock}.sk_type")).ne(SOCK_RAW)), port)])
}

/// A number that only IP sockets have; NULL for others.
pub(crate) fn of_ip(number: Expr, common: &str) -> Expr {
    case([(is_ip(common), number)])
}

fn is_ip(common: &str) -> Expr {
    const AF_INET: i32 = 2;
    const AF_INET6: i32 = 10;
    field(format!("{common}.skc_family")).is_in([AF_INET, AF_INET6])
}

/// The state of a socket of any family. Some families have states of their own in this field: they get NULL.
pub(crate) fn state(common: &str) -> Expr {
    // Unix, inet, inet6, netlink, packet, vsock and xdp: those that `ss` shows the states of.
    const LIKE_TCP: [i32; 7] = [1, 2, 10, 16, 17, 40, 44];
    case([(field(format!("{common}.skc_family")).is_in(LIKE_TCP), field(format!("{common}.skc_state")))])
}

/// A number that only listening sockets have. In others the field has an old value: they get NULL.
pub(crate) fn of_listener(number: Expr, state: &str) -> Expr {
    case([(field(state).eq(TCP_LISTEN), number)])
}

/// `AF_…` (`include/linux/socket.h`)
pub(crate) const FAMILIES: Numbers =
    &[(1, "unix"), (2, "inet"), (10, "inet6"), (16, "netlink"), (17, "packet"), (40, "vsock"), (44, "xdp")];

pub(crate) const TCP_LISTEN: i32 = 10;

/// `TCP_…` (`include/net/tcp_states.h`), which are states of other sockets, too. As `ss` does, what is neither connected
/// nor listens is shown as UNCONN; its other names are understood.
pub(crate) const STATES: Numbers = &[
    (1, "ESTABLISHED"),
    (1, "ESTAB"),
    (2, "SYN_SENT"),
    (3, "SYN_RECV"),
    (4, "FIN_WAIT1"),
    (5, "FIN_WAIT2"),
    (6, "TIME_WAIT"),
    (7, "UNCONN"),
    (7, "CLOSE"),
    (8, "CLOSE_WAIT"),
    (9, "LAST_ACK"),
    (10, "LISTEN"),
    (11, "CLOSING"),
    (2, "SYN-SENT"),
    (3, "SYN-RECV"),
    (4, "FIN-WAIT-1"),
    (5, "FIN-WAIT-2"),
    (6, "TIME-WAIT"),
    (8, "CLOSE-WAIT"),
    (9, "LAST-ACK"),
];
