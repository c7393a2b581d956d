//! Numbers of the kernel that no enum of its types names.

pub(crate) type NamesOf = &'static [(i128, &'static str)];

/// What of a task's state its letter says (`include/linux/sched.h`, `TASK_REPORT`), `TASK_NOLOAD`, `TASK_RTLOCK_WAIT` and
/// `TASK_FROZEN`.
pub(crate) const TASK_STATE_MASK: i64 = 0x947f;
/// The letters of `ps` (`fs/proc/array.c`).
pub(crate) const TASK_STATES: NamesOf = &[
    (0x0, "R"),
    (0x1, "S"),
    (0x2, "D"),
    (0x4, "T"),
    (0x8, "t"),
    (0x10, "X"),
    (0x20, "Z"),
    (0x30, "Z"),
    (0x40, "P"),
    (0x402, "I"),
    (0x1000, "D"),
    (0x8000, "D"),
];

/// `SCHED_…` (`include/uapi/linux/sched.h`)
pub(crate) const POLICIES: NamesOf =
    &[(0, "OTHER"), (1, "FIFO"), (2, "RR"), (3, "BATCH"), (5, "IDLE"), (6, "DEADLINE"), (7, "EXT")];

/// `S_IF…` (`include/uapi/linux/stat.h`)
pub(crate) const FILE_KINDS: NamesOf = &[
    (0x0000, "anon"),
    (0x1000, "fifo"),
    (0x2000, "chr"),
    (0x4000, "dir"),
    (0x6000, "blk"),
    (0x8000, "file"),
    (0xa000, "link"),
    (0xc000, "socket"),
];

/// The first column of `/proc/PID/maps`.
pub(crate) const PERMISSIONS: NamesOf = &[
    (0x0, "---p"),
    (0x1, "r--p"),
    (0x2, "-w-p"),
    (0x3, "rw-p"),
    (0x4, "--xp"),
    (0x5, "r-xp"),
    (0x6, "-wxp"),
    (0x7, "rwxp"),
    (0x8, "---s"),
    (0x9, "r--s"),
    (0xa, "-w-s"),
    (0xb, "rw-s"),
    (0xc, "--xs"),
    (0xd, "r-xs"),
    (0xe, "-wxs"),
    (0xf, "rwxs"),
];

/// `AF_…` (`include/linux/socket.h`)
pub(crate) const FAMILIES: NamesOf =
    &[(1, "unix"), (2, "inet"), (10, "inet6"), (16, "netlink"), (17, "packet"), (40, "vsock"), (44, "xdp")];

/// `IPPROTO_…` (`include/uapi/linux/in.h`)
pub(crate) const PROTOCOLS: NamesOf = &[
    (0, "ip"),
    (1, "icmp"),
    (6, "tcp"),
    (17, "udp"),
    (58, "icmpv6"),
    (132, "sctp"),
    (136, "udplite"),
    (262, "mptcp"),
];

/// `TCP_…` (`include/net/tcp_states.h`)
pub(crate) const TCP_STATES: NamesOf = &[
    (1, "ESTABLISHED"),
    (2, "SYN_SENT"),
    (3, "SYN_RECV"),
    (4, "FIN_WAIT1"),
    (5, "FIN_WAIT2"),
    (6, "TIME_WAIT"),
    (7, "CLOSE"),
    (8, "CLOSE_WAIT"),
    (9, "LAST_ACK"),
    (10, "LISTEN"),
    (11, "CLOSING"),
    (12, "NEW_SYN_RECV"),
    (13, "BOUND_INACTIVE"),
];
pub(crate) const SOCKET_STATES: NamesOf = TCP_STATES;
/// Of the same numbers, those that a Unix socket has.
pub(crate) const UNIX_STATES: NamesOf = &[(1, "ESTABLISHED"), (7, "CLOSE"), (10, "LISTEN")];

/// `SOCK_…` (`include/linux/net.h`)
pub(crate) const SOCKET_TYPES: NamesOf =
    &[(1, "STREAM"), (2, "DGRAM"), (3, "RAW"), (4, "RDM"), (5, "SEQPACKET"), (10, "PACKET")];

/// `ICSK_TIME_…` (`include/net/inet_connection_sock.h`)
pub(crate) const TIMERS: NamesOf =
    &[(0, "none"), (1, "retransmit"), (2, "delayed_ack"), (3, "probe"), (5, "loss_probe"), (6, "reorder")];

/// `NETLINK_…` (`include/uapi/linux/netlink.h`)
pub(crate) const NETLINKS: NamesOf = &[
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

/// `RTN_…` (`include/uapi/linux/rtnetlink.h`)
pub(crate) const ROUTE_TYPES: NamesOf = &[
    (0, "unspec"),
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
    (9, "throw"),
    (10, "nat"),
    (11, "xresolve"),
];
