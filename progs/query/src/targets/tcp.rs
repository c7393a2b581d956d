//! TCP sockets, those in TIME_WAIT and half-open ones included, of one network namespace.
//!
//! What the walk shows as a `struct sock_common` is one of three structs: a socket, the smaller one that stays behind in
//! TIME_WAIT (and, of a closed socket, in FIN_WAIT2), or that of a connection that is half open. The derived roots tell
//! which: of the three, an object has one, and what is behind the others is NULL.

use kwalk_asm::Helper;

use crate::columns::{Numbers, Show::{Bytes, Hex, Names, Nanoseconds, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{Expr, case, field};
use crate::targets::shared::{FAMILIES, STATES, TCP_LISTEN, of_listener, socket};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        family, default, Names(FAMILIES), "sk_common.skc_family", "address family";
        src, default, Plain, { socket("sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") },
            "local address; if link-local, with the index of its device";
        sport, default, Plain, "sk_common.skc_num", "local port";
        dst, default, Plain, { socket("sk_common", "skc_daddr", "skc_v6_daddr") },
            "remote address; if link-local, with the index of its device";
        dport, default, Plain, { field("sk_common.skc_dport").ntohs() }, "remote port";
        state, default, Names(STATES), { state() }, "state of the connection";
        uid, default, Plain, {
            case([(sock("sk_socket").is_not_null().or(field(STATE).eq(TCP_NEW_SYN_RECV)), field("uid"))])
        }, "user id of who has it open, or of the listener while half open";
        rx, more, Plain, {
            (field("tcp_sock.rcv_nxt") - field("tcp_sock.copied_seq")) & 0xffff_ffff_u32
        } in "bytes", "bytes received in order and not yet read; a FIN counts as one";
        // A listener that was connected before has old numbers.
        tx, more, Plain, {
            case([(field(STATE).eq(TCP_LISTEN), Expr::from(0))])
                .or_else((field("tcp_sock.write_seq") - field("tcp_sock.snd_una")) & 0xffff_ffff_u32)
        } in "bytes", "bytes written and not yet acknowledged; SYN and FIN count as one each";
        backlog, more, Plain, { of_listener(sock("sk_ack_backlog"), STATE) } in "connections",
            "of a listener: connections that wait for accept(2)";
        backlog_max, more, Plain, { of_listener(sock("sk_max_ack_backlog"), STATE) } in "connections",
            "of a listener: limit of those that wait, set by listen(2)";
        // Since Linux 6.19 or so, `sk_timer` is the timer of what is sent.
        timer, more, Names(TIMERS), {
            timer(field("tcp_sock.inet_conn.icsk_keepalive_timer.entry.pprev"));
            timer(sock("sk_timer.entry.pprev"))
        }, "pending timer: that of segments sent, else keepalive or time_wait";
        retransmits, more, Plain, {
            case([(field(STATE).eq(TCP_NEW_SYN_RECV), field("tcp_request_sock.req.req.num_timeout"))])
                .or_else(field("tcp_sock.inet_conn.icsk_retransmits"))
        } in "timeouts", "retransmission timeouts since the peer last acknowledged";
        total_retrans, more, Plain, { of_connection(field("tcp_sock.total_retrans")) } in "segments",
            "segments that were sent again, in all";
        congestion, more, Plain, "tcp_sock.inet_conn.icsk_ca_ops.name", "congestion control algorithm";
        rtt, more, Nanoseconds, { sampled(field("tcp_sock.srtt_us") >> 3, field("tcp_sock.srtt_us").ne(0)) },
            "smoothed round-trip time, once it was measured";
        min_rtt, more, Nanoseconds, {
            sampled(field(MIN_RTT), field(MIN_RTT).ne(u32::MAX).and(field(STATE).ne(TCP_LISTEN)))
        }, "least round-trip time of the last minutes, once it was measured";
        // `tcp_compute_delivery_rate`
        delivery_rate, more, Plain, {
            of_connection(
                field("tcp_sock.rate_delivered") * field("tcp_sock.mss_cache") * 1_000_000
                    / field("tcp_sock.rate_interval_us"),
            )
        } in "bytes/s", "latest measured rate at which bytes reached the peer";
        bytes_acked, more, Bytes, { of_connection(field("tcp_sock.bytes_acked")) },
            "bytes that the peer has acknowledged, in all";
        cwnd, more, Plain, "tcp_sock.snd_cwnd" in "segments", "congestion window of the sender";
        mark, more, Hex, {
            case([
                (field(STATE).eq(TCP_TIME_WAIT), field("tcp_timewait_sock.tw_sk.tw_mark")),
                (field(STATE).eq(TCP_NEW_SYN_RECV), field("tcp_request_sock.req.ir_mark")),
            ])
            .or_else(sock("sk_mark"))
        }, "mark of its packets (SO_MARK)";
        ifindex, more, Plain, "sk_common.skc_bound_dev_if",
            "index of the interface that it is bound to; 0 for none";
        inode, default, Plain, [
            "socket_alloc.vfs_inode.i_ino" | "tcp_sock.inet_conn.icsk_inet.sk.sk_socket.file.f_inode.i_ino"
        ], "inode number of the socket, as in /proc/PID/fd";
        netns, more, Plain, "sk_common.skc_net.net.ns.inum", "inode number of its network namespace";
    },
    derived: &[
        Derived::new("tcp_sock", "sk_common", By::Helper(Helper::SkcToTcpSock)),
        Derived::new("tcp6_sock", "sk_common", By::Helper(Helper::SkcToTcp6Sock)),
        Derived::new(
            "tcp_timewait_sock",
            "sk_common",
            By::CastIf(STATE, TCP_TIME_WAIT, Helper::SkcToTcpTimewaitSock),
        ),
        Derived::new(
            "tcp_request_sock",
            "sk_common",
            By::CastIf(STATE, TCP_NEW_SYN_RECV, Helper::SkcToTcpRequestSock),
        ),
        Derived::new("socket_alloc", "tcp_sock.inet_conn.icsk_inet.sk.sk_socket", By::Cast),
    ],
    looked_up: Some(&["tcp_timewait_sock", "tcp_sock"]),
    ..View::NONE
};

const STATE: &str = "sk_common.skc_state";
const MIN_RTT: &str = "tcp_sock.rtt_min.s[0].v";

const TCP_SYN_RECV: i32 = 3;
const TCP_FIN_WAIT2: i32 = 5;
const TCP_TIME_WAIT: i32 = 6;
const TCP_NEW_SYN_RECV: i32 = 12;

/// A field of the socket's `struct sock`.
fn sock(name: &str) -> Expr {
    field(format!("tcp_sock.inet_conn.icsk_inet.sk.{name}"))
}

/// The state, by the names that people know: the kernel has another one for half-open connections, and two in one
/// struct that stays behind.
fn state() -> Expr {
    case([
        (field("tcp_timewait_sock.tw_sk.tw_substate").eq(TCP_FIN_WAIT2), TCP_FIN_WAIT2),
        (field(STATE).eq(TCP_NEW_SYN_RECV), TCP_SYN_RECV),
    ])
    .or_else(field(STATE))
}

/// A number of a connection. A listener has an old value in the field, if it has one: it gets NULL.
fn of_connection(number: Expr) -> Expr {
    case([(field(STATE).ne(TCP_LISTEN), number)])
}

/// A time in microseconds as nanoseconds; NULL unless it `is` measured.
fn sampled(microseconds: Expr, is: Expr) -> Expr {
    case([(is, microseconds * 1000)])
}

/// The pending timer. `keepalive` is a pointer that is NULL if the timer of keepalive probes is not pending.
fn timer(keepalive: Expr) -> Expr {
    let pending = || field("tcp_sock.inet_conn.icsk_pending");
    case([
        (field(STATE).eq(TCP_TIME_WAIT), TIME_WAIT),
        (field(STATE).eq(TCP_NEW_SYN_RECV), RETRANSMIT),
        (pending().eq(0).and(keepalive.is_not_null()), KEEPALIVE),
    ])
    .or_else(pending())
}

const RETRANSMIT: i32 = 1;
// Numbers that the kernel does not have.
const KEEPALIVE: i32 = 0x100;
const TIME_WAIT: i32 = 0x101;

/// `ICSK_TIME_…` (`include/net/inet_connection_sock.h`), and timers that are not among these.
const TIMERS: Numbers = &[
    (0, "none"),
    (RETRANSMIT as i128, "retransmit"),
    (2, "delayed_ack"),
    (3, "probe"),
    (5, "loss_probe"),
    (6, "reorder"),
    (KEEPALIVE as i128, "keepalive"),
    (TIME_WAIT as i128, "time_wait"),
];
