//! The sockets in a sockmap or sockhash.

use crate::columns::{Show::{Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::field;
use crate::targets::shared::{FAMILIES, STATES, port, socket, state};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        map, default, Plain, "map.id", "id of the map";
        name, more, Plain, "map.name", "name of the map";
        family, default, Names(FAMILIES), "sk.__sk_common.skc_family", "address family of the socket";
        src, default, Plain, { socket("sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") },
            "local address of an IP socket";
        sport, default, Plain, { port(field("sk.__sk_common.skc_num"), "sk") },
            "local port of an IP socket";
        dst, default, Plain, { socket("sk.__sk_common", "skc_daddr", "skc_v6_daddr") },
            "remote address of an IP socket";
        dport, default, Plain, { port(field("sk.__sk_common.skc_dport").ntohs(), "sk") },
            "remote port of an IP socket";
        state, more, Names(STATES), { state("sk.__sk_common") },
            "state of the socket, by the names that TCP has for it";
        inode, default, Plain, ["socket_alloc.vfs_inode.i_ino" | "sk.sk_socket.file.f_inode.i_ino"],
            "inode number of the socket, as in /proc/PID/fd";
        netns, more, Plain, "sk.__sk_common.skc_net.net.ns.inum", "inode number of its network namespace";
    },
    derived: &[Derived::new("socket_alloc", "sk.sk_socket", By::Cast)],
    // A sockmap is an array: where it has no socket, there is an empty place.
    is_object: Some(|| field("sk").is_not_null()),
    ..View::NONE
};
