//! Open files: the file descriptors of each task, as `/proc/PID/fd` shows them.

use kwalk_asm::Helper;

use crate::columns::{Numbers, Show::{Bytes, Device, Names, Octal, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::field;
use crate::targets::shared::{FAMILIES, READER, READER_PID, READER_TGID, TCP_STATES, of_ip, socket};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        tgid, default, Plain, ("tgid", field("reader_tgid.nr")),
            "process id (thread group id), in the pid namespace of who asks";
        pid, default, Plain, ("pid", field("reader_pid.nr")),
            "thread id, in the pid namespace of who asks";
        comm, default, Plain, "comm", "name of the thread, at most 15 bytes";
        uid, more, Plain, "real_cred.uid.val", "real user id, in the initial user namespace";
        fd, default, Plain, "fd", "number of the file descriptor";
        kind, default, Names(KINDS), { field("file.f_inode.i_mode") & 0xf000 },
            "type of the file, by its mode; anon if that has none";
        path, default, Plain, { field("file").d_path() }, "path of the open file";
        flags, default, Octal, "file.f_flags", "access mode and status flags (O_...), as in open(2)";
        mode, more, Octal, { field("file.f_inode.i_mode") & 0o7777 },
            "permission, set-id and sticky bits of the file's mode";
        pos, default, Plain, "file.f_pos" in "bytes", "offset in the file";
        size, more, Bytes, "file.f_inode.i_size", "size of the file";
        inode, default, Plain, "file.f_inode.i_ino", "inode number of the file";
        dev, default, Device, "file.f_inode.i_sb.s_dev", "device number of its file system, major:minor";
        // The derived root `socket` comes from `bpf_sock_from_file`.
        family, more, Names(FAMILIES), "socket.sk.__sk_common.skc_family",
            "address family of a socket" since (5, 11);
        protocol, more, Names(PROTOCOLS), {
            of_ip(field("socket.sk.sk_protocol"), "socket.sk.__sk_common")
        }, "protocol of an IP socket" since (5, 11);
        src, more, Plain, { socket("socket.sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") },
            "local address of an IP socket" since (5, 11);
        sport, more, Plain, { of_ip(field("socket.sk.__sk_common.skc_num"), "socket.sk.__sk_common") },
            "local port of an IP socket" since (5, 11);
        dst, more, Plain, { socket("socket.sk.__sk_common", "skc_daddr", "skc_v6_daddr") },
            "remote address of an IP socket" since (5, 11);
        dport, more, Plain, {
            of_ip(field("socket.sk.__sk_common.skc_dport").ntohs(), "socket.sk.__sk_common")
        }, "remote port of an IP socket" since (5, 11);
        state, more, Names(TCP_STATES), "socket.sk.__sk_common.skc_state",
            "state of a socket, by the names that TCP has for it" since (5, 11);
        netns, more, Plain, "socket.sk.__sk_common.skc_net.net.ns.inum",
            "inode number of a socket's network namespace" since (5, 11);
    },
    derived: &[READER, READER_PID, READER_TGID, Derived::new("socket", "file", By::Helper(Helper::SockFromFile))],
    // The walk holds a reference to the first. RCU keeps alive what the helper needs of the second.
    files: &["file", "task.mm.exe_file"],
    ..View::NONE
};

/// `S_IF…` (`include/uapi/linux/stat.h`)
const KINDS: Numbers = &[
    (0x0000, "anon"),
    (0x1000, "fifo"),
    (0x2000, "chr"),
    (0x4000, "dir"),
    (0x6000, "blk"),
    (0x8000, "file"),
    (0xa000, "link"),
    (0xc000, "socket"),
];

/// `IPPROTO_…` (`include/uapi/linux/in.h`)
const PROTOCOLS: Numbers = &[
    (0, "ip"),
    (1, "icmp"),
    (6, "tcp"),
    (17, "udp"),
    (58, "icmpv6"),
    (132, "sctp"),
    (136, "udplite"),
    (262, "mptcp"),
];
