//! Open files: the file descriptors of each task, as `/proc/PID/fd` shows them.

use kwalk_asm::Helper;

use crate::columns::{Numbers, Show::{Bytes, Device, Hex, Names, Octal, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{Expr, case, field};
use crate::targets::shared::{
    FAMILIES, READER, READER_PID, READER_TGID, STATES, of_ip, port, reader, socket, state,
};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        tgid, default, Plain, ("tgid", field("reader_tgid.nr")),
            "process id (thread group id), in the pid namespace of who asks";
        pid, default, Plain, ("pid", field("reader_pid.nr")),
            "thread id there: of the first thread, unless another was asked for";
        comm, default, Plain, "comm", "name of the thread, at most 15 bytes";
        uid, more, Plain, "real_cred.uid.val", "real user id, in the initial user namespace";
        fd, default, Plain, "fd", "number of the file descriptor";
        kind, default, Names(KINDS), { field("file.f_inode.i_mode") & 0xf000 },
            "type of the file, by its mode; anon if that has none";
        path, default, Plain, { field("file").d_path() }, "path of the open file";
        flags, default, Octal, { flags() },
            "access mode and flags (O_...), with O_CLOEXEC, as in /proc/PID/fdinfo";
        mode, more, Octal, { field("file.f_inode.i_mode") & 0o7777 },
            "permission, set-id and sticky bits of the file's mode";
        pos, default, Plain, "file.f_pos" in "bytes", "offset in the file";
        size, more, Bytes, "file.f_inode.i_size", "size of the file";
        inode, default, Plain, "file.f_inode.i_ino", "inode number of the file";
        dev, default, Device, { field("file.f_inode.i_sb.s_dev").st_dev() },
            "device of its file system, major:minor, or st_dev as a number";
        // The derived root `socket` comes from `bpf_sock_from_file`.
        family, more, Names(FAMILIES), "socket.sk.__sk_common.skc_family",
            "address family of a socket" since (5, 11);
        protocol, more, Names(PROTOCOLS), {
            of_ip(field("socket.sk.sk_protocol"), "socket.sk.__sk_common")
        }, "protocol of an IP socket" since (5, 11);
        src, more, Plain, { socket("socket.sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") },
            "local address of an IP socket" since (5, 11);
        sport, more, Plain, { port(field("socket.sk.__sk_common.skc_num"), "socket.sk") },
            "local port of an IP socket" since (5, 11);
        dst, more, Plain, { socket("socket.sk.__sk_common", "skc_daddr", "skc_v6_daddr") },
            "remote address of an IP socket" since (5, 11);
        dport, more, Plain, { port(field("socket.sk.__sk_common.skc_dport").ntohs(), "socket.sk") }, "remote port of an IP socket" since (5, 11);
        state, more, Names(STATES), { state("socket.sk.__sk_common") },
            "state of a socket, by the names that TCP has for it" since (5, 11);
        // The derived root comes from `bpf_skc_to_unix_sock`.
        unix_path, more, Plain, { field("unix_sock.addr").unix_name() },
            "name that a Unix socket is bound to; in an abstract one, @ is a NUL" since (5, 16);
        netns, more, Plain, "socket.sk.__sk_common.skc_net.net.ns.inum",
            "inode number of a socket's network namespace" since (5, 11);
        // What these files have in `private_data` depends on their kind: the name of their one directory entry.
        pidfd, more, Plain, {
            pidfd("pidfs_pid", "pidfs_number", field("pidfs_pid.ino").ne(0).and(is_of(PID_FS_MAGIC)));
            pidfd("pidfd_pid", "pidfd_number", is_anon("[pidfd]"))
        }, "of a pidfd: the id of its process or thread, while that is there" since (6, 2);
        eventfd, more, Plain, { case([(is_anon("[eventfd]"), field("eventfd_ctx.count"))]) },
            "of an eventfd: its counter" since (6, 2);
        signals, more, Hex, {
            case([(is_anon("[signalfd]"), field("signalfd_ctx.sigmask.sig[0]") ^ u64::MAX)])
        }, "of a signalfd: signals 1 to 64 that it receives, the lowest bit first" since (6, 2);
        bpf_map, more, Plain, { case([(is_anon("bpf-map"), field("bpf_map.id"))]) },
            "of a BPF map's descriptor: the id of the map" since (6, 2);
        bpf_prog, more, Plain, { case([(is_anon("bpf-prog"), field("bpf_prog.aux.id"))]) },
            "of a BPF program's descriptor: the id of the program" since (6, 2);
        bpf_link, more, Plain, { case([(is_anon("bpf_link"), field("bpf_link.id"))]) },
            "of a BPF link's descriptor: the id of the link" since (6, 2);
    },
    derived: &[
        READER,
        READER_PID,
        READER_TGID,
        Derived::new("socket", "file", By::Helper(Helper::SockFromFile)),
        Derived::new("unix_sock", "socket.sk", By::Helper(Helper::SkcToUnixSock)),
        Derived::new("eventfd_ctx", "file.private_data", By::Cast),
        Derived::new("signalfd_ctx", "file.private_data", By::Cast),
        Derived::new("bpf_map", "file.private_data", By::Cast),
        Derived::new("bpf_prog", "file.private_data", By::Cast),
        Derived::new("bpf_link", "file.private_data", By::Cast),
        // Since Linux 6.9, pidfds are files of a file system of their own.
        Derived { ty: "pid", ..Derived::new("pidfs_pid", "file.f_inode.i_private", By::Cast) },
        Derived { ty: "pid", ..Derived::new("pidfd_pid", "file.private_data", By::Cast) },
        reader("pidfs_number", "pidfs_pid.numbers[0]"),
        reader("pidfd_number", "pidfd_pid.numbers[0]"),
        reader("reader_own", "reader.thread_pid.numbers[0]"),
    ],
    // The walk holds a reference to the first. RCU keeps alive what the helper needs of the second.
    files: &["file", "task.mm.exe_file"],
    looked_up: Some(&[]),
    ..View::NONE
};

/// `ANON_INODE_FS_MAGIC`, `PID_FS_MAGIC` (`include/uapi/linux/magic.h`)
const ANON_INODE_FS_MAGIC: u32 = 0x0904_1934;
const PID_FS_MAGIC: u32 = 0x5049_4446;

/// The flags of an open file. That it is closed when the process executes another program is known of its descriptor.
fn flags() -> Expr {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let closes = field("files.fdt.close_on_exec[0]").bit(field("fd")).eq(1);
    case([(closes, field("file.f_flags") | O_CLOEXEC)]).or_else(field("file.f_flags"))
}

/// Whether a file is of this type of file system.
fn is_of(magic: u32) -> Expr {
    field("file.f_inode.i_sb.s_magic").eq(magic)
}

/// Whether a file is an anonymous inode of this kind.
fn is_anon(kind: &str) -> Expr {
    is_of(ANON_INODE_FS_MAGIC).and(field("file.f_path.dentry.d_name.name").eq(kind))
}

/// The number of a pidfd's process or thread in the reader's pid namespace; NULL if it is not in there, or has ended.
fn pidfd(pid: &str, number: &str, is_pidfd: Expr) -> Expr {
    // PIDTYPE_PID: a pidfd can be a thread's, since Linux 6.9.
    let is_there = field(format!("{pid}.tasks[0].first")).is_not_null();
    let is_below = field(format!("{pid}.level")).ge(field("reader.thread_pid.level"));
    let is_same = field(format!("{number}.ns.ns.inum")).eq(field("reader_own.ns.ns.inum"));
    case([(is_pidfd.and(is_there).and(is_below).and(is_same), field(format!("{number}.nr")))])
}

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
