//! Unix sockets of one network namespace.

use crate::columns::{Numbers, Show::{Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{case, field};
use crate::targets::shared::of_listener;
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        type, default, Names(TYPES), "unix_sk.sk.sk_type", "type of the socket, without its SOCK_";
        state, default, Names(STATES), "unix_sk.sk.__sk_common.skc_state",
            "LISTEN, ESTABLISHED if it is connected, or else UNCONN";
        uid, default, Plain, { case([(field("unix_sk.sk.sk_socket").is_not_null(), field("uid"))]) },
            "user id of the owner; a connection that waits for accept(2) has none";
        refs, more, Plain, "unix_sk.sk.__sk_common.skc_refcnt.refs.counter" in "references",
            "references to the socket within the kernel";
        backlog, more, Plain, {
            of_listener(field("unix_sk.sk.sk_receive_queue.qlen"), "unix_sk.sk.__sk_common.skc_state")
        } in "connections", "of a listener: connections that wait for accept(2)";
        backlog_max, more, Plain, {
            of_listener(field("unix_sk.sk.sk_max_ack_backlog"), "unix_sk.sk.__sk_common.skc_state")
        } in "connections", "of a listener: limit of those that wait, set by listen(2)";
        inode, default, Plain, ["socket_alloc.vfs_inode.i_ino" | "unix_sk.sk.sk_socket.file.f_inode.i_ino"],
            "inode number of the socket, as in /proc/PID/fd";
        path, default, Plain, { field("unix_sk.addr").unix_name() },
            "name that it is bound to; in an abstract one, @ is a NUL";
        // Connections that nobody has accepted yet differ in nothing else.
        peer, default, Plain, "unix_sk.peer.sk_socket.file.f_inode.i_ino",
            "inode number of the socket that it is connected to";
        netns, more, Plain, "unix_sk.sk.__sk_common.skc_net.net.ns.inum",
            "inode number of its network namespace";
    },
    derived: &[Derived::new("socket_alloc", "unix_sk.sk.sk_socket", By::Cast)],
    looked_up: Some(&["socket_alloc", "unix_address", "sockaddr_un"]),
    ..View::NONE
};

/// The values of `TCP_…` (`include/net/tcp_states.h`) that a Unix socket can have, by the names that `ss` has for them.
const STATES: Numbers =
    &[(1, "ESTABLISHED"), (1, "ESTAB"), (7, "UNCONN"), (7, "CLOSE"), (10, "LISTEN")];

/// `SOCK_…` (`include/linux/net.h`)
const TYPES: Numbers =
    &[(1, "STREAM"), (2, "DGRAM"), (3, "RAW"), (4, "RDM"), (5, "SEQPACKET"), (10, "PACKET")];
