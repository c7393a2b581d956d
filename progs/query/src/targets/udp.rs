//! UDP sockets of one network namespace.

use kwalk_asm::Helper;

use crate::columns::{Show::{Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::field;
use crate::targets::shared::{FAMILIES, TCP_STATES, socket};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        family, default, Names(FAMILIES), "udp_sk.inet.sk.__sk_common.skc_family", "address family";
        src, default, Plain, { socket("udp_sk.inet.sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") },
            "local address";
        sport, default, Plain, "udp_sk.inet.sk.__sk_common.skc_num", "local port";
        dst, default, Plain, { socket("udp_sk.inet.sk.__sk_common", "skc_daddr", "skc_v6_daddr") },
            "remote address";
        dport, default, Plain, { field("udp_sk.inet.sk.__sk_common.skc_dport").ntohs() }, "remote port";
        state, default, Names(TCP_STATES), "udp_sk.inet.sk.__sk_common.skc_state",
            "ESTABLISHED if it is connected, else CLOSE";
        uid, default, Plain, "uid", "user id of the owner";
        rx, more, Plain, "udp_sk.inet.sk.sk_backlog.rmem_alloc.counter" in "bytes",
            "memory of datagrams not yet read, overhead included";
        tx, more, Plain, { field("udp_sk.inet.sk.sk_wmem_alloc.refs.counter") - 1 } in "bytes",
            "memory of datagrams not yet sent, overhead included";
        // Linux 6.18 counts them per NUMA node, and leaves `sk_drops` at 0.
        drops, more, Plain, {
            field("udp_sk.drop_counters.drops0.counter") + field("udp_sk.drop_counters.drops1.counter");
            field("udp_sk.inet.sk.sk_drops.counter")
        } in "datagrams", "datagrams that were received for it and dropped";
        ifindex, more, Plain, "udp_sk.inet.sk.__sk_common.skc_bound_dev_if",
            "index of the interface that it is bound to; 0 for none";
        inode, more, Plain, ["socket_alloc.vfs_inode.i_ino" | "udp_sk.inet.sk.sk_socket.file.f_inode.i_ino"],
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
