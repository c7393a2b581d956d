//! Netlink sockets of one network namespace.

use crate::columns::{Numbers, Show::{Hex, Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::field;
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        protocol, default, Names(PROTOCOLS), "sk.sk.sk_protocol", "netlink family, without its NETLINK_";
        portid, default, Plain, "sk.portid", "port id, its address in the family; 0 of the kernel's own";
        groups, default, Hex, "groups.bits[0]",
            "multicast groups 1 to 64 that it is in, the lowest bit first" since (6, 2);
        rx, default, Plain, "sk.sk.sk_backlog.rmem_alloc.counter" in "bytes",
            "memory of messages not yet read, overhead included";
        tx, more, Plain, { field("sk.sk.sk_wmem_alloc.refs.counter") - 1 } in "bytes",
            "memory of what it sends: Wmem in /proc/net/netlink";
        drops, default, Plain, "sk.sk.sk_drops.counter" in "messages",
            "messages that were dropped before it could receive them";
        refs, more, Plain, "sk.sk.__sk_common.skc_refcnt.refs.counter" in "references",
            "references to the socket within the kernel";
        dump, more, Plain, "sk.cb_running", "whether a dump is being sent to it";
        // Sockets of the kernel itself have no file.
        inode, default, Plain, ["socket_alloc.vfs_inode.i_ino" | "sk.sk.sk_socket.file.f_inode.i_ino"],
            "inode number of the socket, as in /proc/PID/fd";
        netns, more, Plain, "sk.sk.__sk_common.skc_net.net.ns.inum", "inode number of its network namespace";
    },
    derived: &[
        // Cast to `struct cpumask`, which is an array of `unsigned long` as well.
        Derived { ty: "cpumask", ..Derived::new("groups", "sk.groups", By::Cast) },
        Derived::new("socket_alloc", "sk.sk.sk_socket", By::Cast),
    ],
    looked_up: Some(&["cpumask", "socket_alloc"]),
    ..View::NONE
};

/// `NETLINK_…` (`include/uapi/linux/netlink.h`)
const PROTOCOLS: Numbers = &[
    (0, "ROUTE"),
    (2, "USERSOCK"),
    (4, "SOCK_DIAG"),
    (5, "NFLOG"),
    (6, "XFRM"),
    (7, "SELINUX"),
    (8, "ISCSI"),
    (9, "AUDIT"),
    (10, "FIB_LOOKUP"),
    (11, "CONNECTOR"),
    (12, "NETFILTER"),
    (14, "DNRTMSG"),
    (15, "KOBJECT_UEVENT"),
    (16, "GENERIC"),
    (18, "SCSITRANSPORT"),
    (19, "ECRYPTFS"),
    (20, "RDMA"),
    (21, "CRYPTO"),
    (22, "SMC"),
];
