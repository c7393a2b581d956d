//! The named columns of each target: what people call things, and where they are.
//!
//! A row: the name, whether it is shown where nobody says what to show, how it is shown, and what it is: the path of a
//! field, several of them where kernels differ, or an expression. Of several, the first that this kernel has counts.

use core::fmt;

use kwalk_progs::Version;

use crate::expr::{Expr, address, case, cmdline, field, page_size, stack};
use crate::names::*;

/// A column that a target has by name.
#[derive(Debug, Clone, Copy)]
pub struct NamedColumn {
    /// Its name.
    pub name: &'static str,
    /// Whether it is shown where nobody says what to show.
    pub default: bool,
    /// How it is shown.
    pub show: Show,
    /// What it is.
    pub source: Source,
    /// The first kernel that has it, where the target is older than that.
    pub since: Option<Version>,
}

/// What a named column is.
#[derive(Clone, Copy)]
pub enum Source {
    /// Paths to a field from the target's object, or with the context argument's name first; kernels have one of them.
    Paths(&'static [&'static str]),
    /// Expressions, of which kernels can do one.
    Exprs(&'static [fn() -> Expr]),
}

/// As the user would write it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Paths(paths) => f.write_str(paths.first().unwrap_or(&"")),
            Source::Exprs(exprs) => exprs.first().map_or(Ok(()), |expr| expr().fmt(f)),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a value is to be shown, where its type alone does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Show {
    /// As its type says.
    #[default]
    Plain,
    /// In hexadecimal.
    Hex,
    /// In octal.
    Octal,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// A device: its major number above 20 bits of the minor one.
    Device,
    /// A character.
    Char,
    /// Numbers with names.
    Names(&'static [(i128, &'static str)]),
}

impl Show {
    /// The number that a user means by a text: a duration (`1.5s`, `10m`, `2d`), a size (`4096`, `64K`, `1.5GiB`),
    /// a device (`8:1`).
    ///
    /// ```
    /// use kwalk_query::Show;
    /// assert_eq!(Show::Nanoseconds.parse("1.5s"), Some(1_500_000_000));
    /// assert_eq!(Show::Bytes.parse("64K"), Some(65_536));
    /// assert_eq!(Show::Device.parse("8:1"), Some(8 << 20 | 1));
    /// assert_eq!(Show::Plain.parse("1"), None);
    /// ```
    pub fn parse(&self, text: &str) -> Option<i128> {
        match self {
            // A name may be that of several.
            Show::Names(_) => None,
            Show::Nanoseconds => scaled(text, DURATIONS),
            Show::Bytes => scaled(text, SIZES),
            Show::Device => {
                let (major, minor) = text.split_once(':')?;
                let (major, minor) = (major.parse::<u16>().ok()?, minor.parse::<u32>().ok()?);
                (major < 1 << 12 && minor < 1 << 20).then(|| i128::from(major) << 20 | i128::from(minor))
            }
            Show::Char => match text.as_bytes() {
                [one] => Some((*one).into()),
                _ => None,
            },
            Show::Plain | Show::Hex | Show::Octal => None,
        }
    }

    /// What such a text has to be.
    pub(crate) fn needs(&self) -> &'static str {
        match self {
            Show::Names(_) => "one of its names",
            Show::Nanoseconds => "a duration, such as '1.5s', '10m' or '2d'",
            Show::Bytes => "a size, such as '64K' or '1.5G'",
            Show::Device => "a device, such as '8:1'",
            Show::Char => "one character",
            Show::Plain | Show::Hex | Show::Octal => "a number",
        }
    }
}

const DURATIONS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZES: &[(&str, i128)] = &[
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KB", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
    ("T", 1 << 40),
    ("TB", 1 << 40),
    ("TiB", 1 << 40),
];

/// A number, perhaps with a fraction, and its unit.
fn scaled(text: &str, units: &[(&str, i128)]) -> Option<i128> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit = unit.trim_start();
    let (_, scale) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let digits = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let below = i128::from(digits(fraction)?) * scale / 10_i128.pow(fraction.len() as u32);
    i128::from(digits(whole)?).checked_mul(*scale)?.checked_add(below)
}

macro_rules! columns {
    ($($target:literal { $($name:ident, $default:ident, $show:expr, $source:tt $(since $major:literal . $minor:literal)?;)* })*) => {
        &[$(($target, &[$(NamedColumn {
            name: stringify!($name),
            default: columns!(@$default),
            show: $show,
            source: columns!(@source $source),
            since: columns!(@since $($major . $minor)?),
        }),*])),*]
    };
    (@since) => { None };
    (@since $major:literal . $minor:literal) => { Some(($major, $minor)) };
    (@default) => { true };
    (@more) => { false };
    (@source [$($path:literal)|+]) => { Source::Paths(&[$($path),+]) };
    (@source {$($expr:expr);+}) => { Source::Exprs(&[$(|| $expr),+]) };
    (@source $path:literal) => { Source::Paths(&[$path]) };
}

use Show::{Bytes, Char, Device, Hex, Names, Nanoseconds, Octal, Plain};

/// All of them, by target.
pub static COLUMNS: &[(&str, &[NamedColumn])] = columns! {
    // name, shown, how, what
    "task" {
        tgid, default, Plain, "tgid";
        pid, default, Plain, "pid";
        ppid, default, Plain, "real_parent.tgid";
        comm, default, Plain, "comm";
        state, default, Names(TASK_STATES), {
            (field("task.__state") | field("task.exit_state")) & TASK_STATE_MASK;
            (field("task.state") | field("task.exit_state")) & TASK_STATE_MASK
        };
        uid, default, Plain, "real_cred.uid.val";
        gid, more, Plain, "real_cred.gid.val";
        euid, more, Plain, "real_cred.euid.val";
        egid, more, Plain, "real_cred.egid.val";
        prio, more, Plain, "prio";
        nice, more, Plain, { field("task.static_prio") - 120 };
        policy, more, Names(POLICIES), "policy";
        flags, more, Hex, "flags";
        start, more, Nanoseconds, ["start_boottime" | "real_start_time"];
        utime, more, Nanoseconds, "utime";
        stime, more, Nanoseconds, "stime";
        threads, more, Plain, "signal.nr_threads";
        // Before, it is in an array that verifiers don't look into.
        rss, more, Bytes, {
            (field("task.mm.rss_stat[0].count") + field("task.mm.rss_stat[1].count") + field("task.mm.rss_stat[3].count"))
                * page_size()
        } since 6 . 2;
        vsize, more, Bytes, { field("task.mm.total_vm") * page_size() };
        exit, more, Plain, "exit_code";
        exe, more, Plain, { field("task.mm.exe_file").d_path() };
        cmdline, more, Plain, { cmdline() };
        stack, more, Plain, { stack() };
        cgroup, more, Plain, { field("task.cgroups.dfl_cgrp").cgroup_path() };
        cgroupns, more, Plain, "nsproxy.cgroup_ns.ns.inum";
        ipcns, more, Plain, "nsproxy.ipc_ns.ns.inum";
        mntns, more, Plain, ["nsproxy.mnt_ns.ns.inum"];
        netns, more, Plain, "nsproxy.net_ns.ns.inum";
        pidns, more, Plain, "upid.ns.ns.inum";
        nspid, more, Plain, "upid.nr";
        userns, more, Plain, "real_cred.user_ns.ns.inum";
        utsns, more, Plain, "nsproxy.uts_ns.ns.inum";
    }
    "task_file" {
        tgid, default, Plain, "tgid";
        pid, default, Plain, "pid";
        comm, default, Plain, "comm";
        uid, more, Plain, "real_cred.uid.val";
        fd, default, Plain, "fd";
        kind, default, Names(FILE_KINDS), { field("file.f_inode.i_mode") & 0xf000 };
        path, default, Plain, { field("file").d_path() };
        flags, default, Octal, "file.f_flags";
        mode, more, Octal, { field("file.f_inode.i_mode") & 0o7777 };
        pos, default, Plain, "file.f_pos";
        size, more, Bytes, "file.f_inode.i_size";
        inode, default, Plain, "file.f_inode.i_ino";
        dev, default, Device, "file.f_inode.i_sb.s_dev";
        family, more, Names(FAMILIES), "socket.sk.__sk_common.skc_family";
        protocol, more, Names(PROTOCOLS), {
            of_ip(field("socket.sk.sk_protocol"), "socket.sk.__sk_common")
        };
        src, more, Plain, { socket("socket.sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") };
        sport, more, Plain, { of_ip(field("socket.sk.__sk_common.skc_num"), "socket.sk.__sk_common") };
        dst, more, Plain, { socket("socket.sk.__sk_common", "skc_daddr", "skc_v6_daddr") };
        dport, more, Plain, {
            of_ip(field("socket.sk.__sk_common.skc_dport").ntohs(), "socket.sk.__sk_common")
        };
        state, more, Names(SOCKET_STATES), "socket.sk.__sk_common.skc_state";
    }
    "task_vma" {
        tgid, default, Plain, "tgid";
        pid, more, Plain, "pid";
        comm, default, Plain, "comm";
        uid, more, Plain, "real_cred.uid.val";
        start, default, Hex, "vma.vm_start";
        end, default, Hex, "vma.vm_end";
        size, more, Bytes, { field("vma.vm_end") - field("vma.vm_start") };
        // Who may share it (VM_MAYSHARE) is what /proc/PID/maps shows.
        perms, default, Names(PERMISSIONS), { field("vma.vm_flags") & 7 | (field("vma.vm_flags") & 0x80) >> 4 };
        flags, more, Hex, "vma.vm_flags";
        // What is no file's has a number there, too.
        offset, default, Hex, { case([(field("vma.vm_file").is_not_null(), field("vma.vm_pgoff") * page_size())]) };
        dev, default, Device, "vma.vm_file.f_inode.i_sb.s_dev";
        inode, default, Plain, "vma.vm_file.f_inode.i_ino";
        path, default, Plain, { field("vma.vm_file").d_path() };
    }
    "tcp" {
        family, default, Names(FAMILIES), "sk_common.skc_family";
        src, default, Plain, { socket("sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") };
        sport, default, Plain, "sk_common.skc_num";
        dst, default, Plain, { socket("sk_common", "skc_daddr", "skc_v6_daddr") };
        dport, default, Plain, { field("sk_common.skc_dport").ntohs() };
        state, default, Names(TCP_STATES), "sk_common.skc_state";
        uid, default, Plain, "uid";
        rx, more, Plain, { (field("tcp_sock.rcv_nxt") - field("tcp_sock.copied_seq")) & 0xffff_ffff_u32 };
        tx, more, Plain, { (field("tcp_sock.write_seq") - field("tcp_sock.snd_una")) & 0xffff_ffff_u32 };
        backlog, more, Plain, {
            of_listener(field("tcp_sock.inet_conn.icsk_inet.sk.sk_ack_backlog"), "sk_common.skc_state")
        };
        backlog_max, more, Plain, {
            of_listener(field("tcp_sock.inet_conn.icsk_inet.sk.sk_max_ack_backlog"), "sk_common.skc_state")
        };
        timer, more, Names(TIMERS), "tcp_sock.inet_conn.icsk_pending";
        retransmits, more, Plain, "tcp_sock.inet_conn.icsk_retransmits";
        congestion, more, Plain, "tcp_sock.inet_conn.icsk_ca_ops.name";
        rtt, more, Nanoseconds, { (field("tcp_sock.srtt_us") >> 3) * 1000 };
        cwnd, more, Plain, "tcp_sock.snd_cwnd";
        mark, more, Hex, "tcp_sock.inet_conn.icsk_inet.sk.sk_mark";
        ifindex, more, Plain, "sk_common.skc_bound_dev_if";
        inode, more, Plain, [
            "socket_alloc.vfs_inode.i_ino" | "tcp_sock.inet_conn.icsk_inet.sk.sk_socket.file.f_inode.i_ino"
        ];
        netns, more, Plain, "sk_common.skc_net.net.ns.inum";
    }
    "udp" {
        family, default, Names(FAMILIES), "udp_sk.inet.sk.__sk_common.skc_family";
        src, default, Plain, { socket("udp_sk.inet.sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") };
        sport, default, Plain, "udp_sk.inet.sk.__sk_common.skc_num";
        dst, default, Plain, { socket("udp_sk.inet.sk.__sk_common", "skc_daddr", "skc_v6_daddr") };
        dport, default, Plain, { field("udp_sk.inet.sk.__sk_common.skc_dport").ntohs() };
        state, default, Names(TCP_STATES), "udp_sk.inet.sk.__sk_common.skc_state";
        uid, default, Plain, "uid";
        rx, more, Plain, "udp_sk.inet.sk.sk_backlog.rmem_alloc.counter";
        tx, more, Plain, { field("udp_sk.inet.sk.sk_wmem_alloc.refs.counter") - 1 };
        drops, more, Plain, "udp_sk.inet.sk.sk_drops.counter";
        ifindex, more, Plain, "udp_sk.inet.sk.__sk_common.skc_bound_dev_if";
        inode, more, Plain,
            ["socket_alloc.vfs_inode.i_ino" | "udp_sk.inet.sk.sk_socket.file.f_inode.i_ino"];
        netns, more, Plain, "udp_sk.inet.sk.__sk_common.skc_net.net.ns.inum";
    }
    "unix" {
        type, default, Names(SOCKET_TYPES), "unix_sk.sk.sk_type";
        state, default, Names(UNIX_STATES), "unix_sk.sk.__sk_common.skc_state";
        uid, default, Plain, "uid";
        refs, more, Plain, "unix_sk.sk.__sk_common.skc_refcnt.refs.counter";
        backlog, more, Plain, {
            of_listener(field("unix_sk.sk.sk_receive_queue.qlen"), "unix_sk.sk.__sk_common.skc_state")
        };
        backlog_max, more, Plain, {
            of_listener(field("unix_sk.sk.sk_max_ack_backlog"), "unix_sk.sk.__sk_common.skc_state")
        };
        inode, default, Plain, ["socket_alloc.vfs_inode.i_ino" | "unix_sk.sk.sk_socket.file.f_inode.i_ino"];
        path, default, Plain, { field("unix_sk.addr").unix_name() };
        peer, more, Plain, "unix_sk.peer.sk_socket.file.f_inode.i_ino";
        netns, more, Plain, "unix_sk.sk.__sk_common.skc_net.net.ns.inum";
    }
    "netlink" {
        protocol, default, Names(NETLINKS), "sk.sk.sk_protocol";
        portid, default, Plain, "sk.portid";
        groups, default, Hex, "groups.bits[0]";
        rx, default, Plain, "sk.sk.sk_backlog.rmem_alloc.counter";
        tx, more, Plain, { field("sk.sk.sk_wmem_alloc.refs.counter") - 1 };
        drops, default, Plain, "sk.sk.sk_drops.counter";
        refs, more, Plain, "sk.sk.__sk_common.skc_refcnt.refs.counter";
        dump, more, Plain, "sk.cb_running";
        // A socket of the kernel's own has no file.
        inode, default, Plain, ["socket_alloc.vfs_inode.i_ino" | "sk.sk.sk_socket.file.f_inode.i_ino"];
        netns, more, Plain, "sk.sk.__sk_common.skc_net.net.ns.inum";
    }
    "ipv6_route" {
        dst, default, Plain, { field("rt.fib6_dst.addr").ip() };
        plen, default, Plain, "rt.fib6_dst.plen";
        src, more, Plain, { field("rt.fib6_src.addr").ip() };
        splen, more, Plain, "rt.fib6_src.plen";
        gateway, default, Plain, {
            gateway("fib6_nh.nh_common");
            gateway("fib6_nh_of_its_own.nh_common")
        };
        device, default, Plain, ["fib6_nh.nh_common.nhc_dev.name" | "fib6_nh_of_its_own.nh_common.nhc_dev.name"];
        nexthop, more, Plain, "rt.nh.id";
        metric, default, Plain, "rt.fib6_metric";
        refs, more, Plain, "rt.fib6_ref.refs.counter";
        // RTF_GATEWAY is 2, and of the next hop's family, 0, AF_INET or AF_INET6, so is a bit.
        flags, default, Hex, {
            field("rt.fib6_flags") | field("fib6_nh.nh_common.nhc_gw_family") & 2;
            field("rt.fib6_flags") | field("fib6_nh_of_its_own.nh_common.nhc_gw_family") & 2
        };
        ifindex, more, Plain, ["fib6_nh.nh_common.nhc_dev.ifindex" | "fib6_nh_of_its_own.nh_common.nhc_dev.ifindex"];
        type, more, Names(ROUTE_TYPES), "rt.fib6_type";
        protocol, more, Plain, "rt.fib6_protocol";
        table, more, Plain, "rt.fib6_table.tb6_id";
    }
    "bpf_map" {
        id, default, Plain, "id";
        type, default, Plain, "map_type";
        name, default, Plain, "name";
        key, default, Bytes, "key_size";
        value, default, Bytes, "value_size";
        max, default, Plain, "max_entries";
        flags, default, Hex, "map_flags";
        refs, more, Plain, "usercnt.counter";
        frozen, more, Plain, "frozen";
        btf, more, Plain, "btf.id";
    }
    "bpf_prog" {
        id, default, Plain, "aux.id";
        type, default, Plain, "type";
        name, default, Plain, "aux.name";
        // Of most types of program it is 0, and that number has a name.
        attach, more, Plain, "expected_attach_type";
        function, default, Plain, "aux.attach_func_name";
        insns, default, Plain, "len";
        jited, default, Bytes, "jited_len";
        loaded, default, Nanoseconds, "aux.load_time";
        uid, default, Plain, "aux.user.uid.val";
        verified, more, Plain, "aux.verified_insns" since 5 . 16;
        maps, more, Plain, "aux.used_map_cnt";
        btf, more, Plain, "aux.btf.id";
        dst, more, Plain, "aux.dst_prog.aux.id";
        sleepable, more, Plain, ["sleepable" | "aux.sleepable"];
    }
    "bpf_link" {
        id, default, Plain, "id";
        type, default, Plain, "type";
        prog, default, Plain, "prog.aux.id";
        name, default, Plain, "prog.aux.name";
        attach, default, Plain, ["attach_type" | "prog.expected_attach_type"];
        function, default, Plain, "prog.aux.attach_func_name";
        loaded, more, Nanoseconds, "prog.aux.load_time";
        uid, default, Plain, "prog.aux.user.uid.val";
    }
    "bpf_map_elem" {
        map, default, Plain, "map.id";
        name, more, Plain, "map.name";
    }
    "bpf_sk_storage_map" {
        map, default, Plain, "map.id";
        name, more, Plain, "map.name";
        family, default, Names(FAMILIES), "sk.__sk_common.skc_family";
        src, default, Plain, { socket("sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") };
        sport, default, Plain, { of_ip(field("sk.__sk_common.skc_num"), "sk.__sk_common") };
        dst, default, Plain, { socket("sk.__sk_common", "skc_daddr", "skc_v6_daddr") };
        dport, default, Plain, { of_ip(field("sk.__sk_common.skc_dport").ntohs(), "sk.__sk_common") };
        state, more, Names(SOCKET_STATES), "sk.__sk_common.skc_state";
    }
    "sockmap" {
        map, default, Plain, "map.id";
        name, more, Plain, "map.name";
        family, default, Names(FAMILIES), "sk.__sk_common.skc_family";
        src, default, Plain, { socket("sk.__sk_common", "skc_rcv_saddr", "skc_v6_rcv_saddr") };
        sport, default, Plain, { of_ip(field("sk.__sk_common.skc_num"), "sk.__sk_common") };
        dst, default, Plain, { socket("sk.__sk_common", "skc_daddr", "skc_v6_daddr") };
        dport, default, Plain, { of_ip(field("sk.__sk_common.skc_dport").ntohs(), "sk.__sk_common") };
        state, more, Names(SOCKET_STATES), "sk.__sk_common.skc_state";
    }
    "cgroup" {
        id, default, Plain, "cgroup.kn.id";
        path, default, Plain, { field("cgroup").cgroup_path() };
        level, default, Plain, "cgroup.level";
        populated, default, Plain, {
            populated("cgroup.nr_populated_csets");
            populated("cgroup.self.nr_populated_csets")
        };
        descendants, default, Plain, "cgroup.nr_descendants";
        dying, more, Plain, "cgroup.nr_dying_descendants";
        // CGRP_FROZEN
        frozen, more, Plain, { (field("cgroup.flags") >> 3) & 1 };
    }
    "ksym" {
        address, default, Hex, "ksym.value";
        type, default, Char, "ksym.type";
        name, default, Plain, "ksym.name";
        module, default, Plain, "ksym.module_name";
    }
    "kmem_cache" {
        name, default, Plain, "s.name";
        size, default, Bytes, "s.size";
        object, default, Bytes, "s.object_size";
        align, default, Bytes, "s.align";
        flags, default, Hex, "s.flags";
        refs, more, Plain, "s.refcount";
        per_slab, more, Plain, { field("s.oo.x") & 0xffff };
    }
    "dmabuf" {
        inode, default, Plain, "dmabuf.file.f_inode.i_ino";
        size, default, Bytes, "dmabuf.size";
        exporter, default, Plain, "dmabuf.exp_name";
        name, default, Plain, "dmabuf.name";
    }
};

/// The address of a socket's end: of two fields of a `struct sock_common` the one that its family says.
fn socket(common: &str, v4: &str, v6: &str) -> Expr {
    let of = |name: &str| field(format!("{common}.{name}"));
    address(of("skc_family"), of(v4), of(v6))
}

/// A number that only sockets have whose addresses are of IP: others have NULL.
fn of_ip(number: Expr, common: &str) -> Expr {
    const AF_INET: i32 = 2;
    const AF_INET6: i32 = 10;
    case([(field(format!("{common}.skc_family")).is_in([AF_INET, AF_INET6]), number)])
}

/// The gateway of a `struct fib_nh_common`, which may have none.
fn gateway(common: &str) -> Expr {
    let of = |name: &str| field(format!("{common}.{name}"));
    address(of("nhc_gw_family"), of("nhc_gw.ipv4"), of("nhc_gw.ipv6"))
}

/// A number that only sockets have that listen: in others it is whatever it has been, and they have NULL.
fn of_listener(number: Expr, state: &str) -> Expr {
    const TCP_LISTEN: i32 = 10;
    case([(field(state).eq(TCP_LISTEN), number)])
}

/// How many sets of tasks a cgroup has, and how many below it have some.
fn populated(own: &str) -> Expr {
    field(own) + field("cgroup.nr_populated_domain_children") + field("cgroup.nr_populated_threaded_children")
}

/// Those of one target.
pub fn of(target: &str) -> &'static [NamedColumn] {
    COLUMNS.iter().find(|(name, _)| *name == target).map_or(&[], |(_, columns)| columns)
}
