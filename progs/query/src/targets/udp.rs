//! UDP sockets of one network namespace.

use kwalk_asm::Helper;

use crate::columns::{Numbers, Show::{Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{Expr, case, field};
use crate::targets::shared::{FAMILIES, socket};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        family, default, Names(FAMILIES), "udp_sk.inet.sk.__sk_common.skc_family", "address family";
        src, default, Plain, { socket("udp_sk.inet.sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") },
            "local address; if link-local, with the index of its device";
        sport, default, Plain, "udp_sk.inet.sk.__sk_common.skc_num", "local port";
        dst, default, Plain, { socket("udp_sk.inet.sk.__sk_common", "skc_daddr", "skc_v6_daddr") },
            "remote address; if link-local, with the index of its device";
        dport, default, Plain, { field("udp_sk.inet.sk.__sk_common.skc_dport").ntohs() }, "remote port";
        state, default, Names(STATES), "udp_sk.inet.sk.__sk_common.skc_state",
            "ESTABLISHED if it is connected, else UNCONN";
        uid, default, Plain, "uid", "user id of the owner";
        // The memory of what was read is given back later, several datagrams at once.
        rx, more, Plain, {
            field("udp_sk.inet.sk.sk_backlog.rmem_alloc.counter") - field("udp_sk.forward_deficit")
        } in "bytes", "memory of datagrams not yet read, overhead included";
        tx, more, Plain, { field("udp_sk.inet.sk.sk_wmem_alloc.refs.counter") - 1 } in "bytes",
            "memory of datagrams not yet sent, overhead included";
        drops, more, Plain, { drops_of_nodes(); drops() & 0xffff_ffff_u32 } in "datagrams",
            "datagrams that were received for it and dropped";
        ifindex, more, Plain, "udp_sk.inet.sk.__sk_common.skc_bound_dev_if",
            "index of the interface that it is bound to; 0 for none";
        inode, default, Plain, ["socket_alloc.vfs_inode.i_ino" | "udp_sk.inet.sk.sk_socket.file.f_inode.i_ino"],
            "inode number of the socket, as in /proc/PID/fd";
        netns, more, Plain, "udp_sk.inet.sk.__sk_common.skc_net.net.ns.inum",
            "inode number of its network namespace";
    },
    derived: &[
        Derived::new("udp6_sock", "udp_sk", By::Helper(Helper::SkcToUdp6Sock)),
        Derived::new("socket_alloc", "udp_sk.inet.sk.sk_socket", By::Cast),
    ],
    ..View::NONE
};

/// The values of `TCP_…` (`include/net/tcp_states.h`) that a UDP socket can have, by the names that `ss` has for them.
const STATES: Numbers = &[(1, "ESTABLISHED"), (1, "ESTAB"), (7, "UNCONN"), (7, "CLOSE")];

/// Since Linux 6.18, drops are counted per NUMA node, and `sk_drops` stays 0; unless there are no such counters.
fn drops_of_nodes() -> Expr {
    let of = |name: &str| field(format!("udp_sk.inet.sk.sk_drop_counters{name}"));
    let sum = of(".drops0.counter") + of(".drops1.counter");
    case([(of("").is_not_null(), sum)]).or_else(drops()) & 0xffff_ffff_u32
}

/// An `int` that the kernel shows as unsigned.
fn drops() -> Expr {
    field("udp_sk.inet.sk.sk_drops.counter")
}
