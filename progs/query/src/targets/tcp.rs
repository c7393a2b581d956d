//! TCP sockets, those in TIME_WAIT and half-open ones included, of one network namespace.

use kwalk_asm::Helper;

use crate::columns::{Numbers, Show::{Hex, Names, Nanoseconds, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::field;
use crate::targets::shared::{FAMILIES, TCP_STATES, of_listener, socket};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        family, default, Names(FAMILIES), "sk_common.skc_family", "address family";
        src, default, Plain, { socket("sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") }, "local address";
        sport, default, Plain, "sk_common.skc_num", "local port";
        dst, default, Plain, { socket("sk_common", "skc_daddr", "skc_v6_daddr") }, "remote address";
        dport, default, Plain, { field("sk_common.skc_dport").ntohs() }, "remote port";
        state, default, Names(TCP_STATES), "sk_common.skc_state", "state of the connection";
        uid, default, Plain, "uid", "user id of the owner; 0 in TIME_WAIT";
        rx, more, Plain, {
            (field("tcp_sock.rcv_nxt") - field("tcp_sock.copied_seq")) & 0xffff_ffff_u32
        } in "bytes", "bytes received in order and not yet read by the process";
        tx, more, Plain, {
            (field("tcp_sock.write_seq") - field("tcp_sock.snd_una")) & 0xffff_ffff_u32
        } in "bytes", "bytes written and not yet acknowledged by the peer";
        backlog, more, Plain, {
            of_listener(field("tcp_sock.inet_conn.icsk_inet.sk.sk_ack_backlog"), "sk_common.skc_state")
        } in "connections", "of a listener: connections that wait for accept(2)";
        backlog_max, more, Plain, {
            of_listener(field("tcp_sock.inet_conn.icsk_inet.sk.sk_max_ack_backlog"), "sk_common.skc_state")
        } in "connections", "of a listener: limit of those that wait, set by listen(2)";
        timer, more, Names(TIMERS), "tcp_sock.inet_conn.icsk_pending",
            "pending timer of what is sent; keepalive is another";
        retransmits, more, Plain, "tcp_sock.inet_conn.icsk_retransmits" in "timeouts",
            "unrecovered retransmission timeouts";
        congestion, more, Plain, "tcp_sock.inet_conn.icsk_ca_ops.name", "congestion control algorithm";
        rtt, more, Nanoseconds, { (field("tcp_sock.srtt_us") >> 3) * 1000 }, "smoothed round-trip time";
        cwnd, more, Plain, "tcp_sock.snd_cwnd" in "segments", "congestion window of the sender";
        mark, more, Hex, "tcp_sock.inet_conn.icsk_inet.sk.sk_mark", "mark of its packets (SO_MARK)";
        ifindex, more, Plain, "sk_common.skc_bound_dev_if",
            "index of the interface that it is bound to; 0 for none";
        inode, more, Plain, [
            "socket_alloc.vfs_inode.i_ino" | "tcp_sock.inet_conn.icsk_inet.sk.sk_socket.file.f_inode.i_ino"
        ], "inode number of the socket, as in /proc/PID/fd";
        netns, more, Plain, "sk_common.skc_net.net.ns.inum", "inode number of its network namespace";
    },
    derived: &[
        Derived::new("tcp_sock", "sk_common", By::Helper(Helper::SkcToTcpSock)),
        Derived::new("tcp6_sock", "sk_common", By::Helper(Helper::SkcToTcp6Sock)),
        Derived::new("tcp_timewait_sock", "sk_common", By::Helper(Helper::SkcToTcpTimewaitSock)),
        Derived::new("tcp_request_sock", "sk_common", By::Helper(Helper::SkcToTcpRequestSock)),
        Derived::new("socket_alloc", "tcp_sock.inet_conn.icsk_inet.sk.sk_socket", By::Cast),
    ],
    ..View::NONE
};

/// `ICSK_TIME_…` (`include/net/inet_connection_sock.h`)
const TIMERS: Numbers =
    &[(0, "none"), (1, "retransmit"), (2, "delayed_ack"), (3, "probe"), (5, "loss_probe"), (6, "reorder")];
