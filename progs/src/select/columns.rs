//! The named columns of each target: what people call things, and where they lie.
//!
//! A row: the name, whether it is shown where nobody says what to show, how it is shown, and the path of the field. Where
//! kernels differ there are several paths, the first that this one has counts.

/// A column that a target has by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedColumn {
    /// Its name.
    pub name: &'static str,
    /// Whether it is shown where nobody says what to show.
    pub default: bool,
    /// How it is shown.
    pub show: Show,
    /// Paths to it from the target's object, or with the context argument's name first.
    pub paths: &'static [&'static str],
}

/// How a value is to be shown, where its type alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// As its type says.
    Plain,
    /// In hexadecimal.
    Hex,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// An IPv4 address, in the order of its bytes in memory.
    Ipv4,
    /// A number that lies in memory with its highest byte first, whatever the machine; it is turned before anything
    /// is done with it.
    BigEndian,
}

macro_rules! columns {
    ($($target:literal: $($name:ident $default:ident $show:ident $($path:literal)|+;)*)*) => {
        &[$(($target, &[$(NamedColumn {
            name: stringify!($name),
            default: columns!(@$default),
            show: Show::$show,
            paths: &[$($path),+],
        }),*])),*]
    };
    (@default) => { true };
    (@more) => { false };
}

/// All of them, by target.
pub const COLUMNS: &[(&str, &[NamedColumn])] = columns! {
    // name     shown    how         where
    "task":
        tgid    default Plain        "tgid";
        pid     default Plain        "pid";
        ppid    default Plain        "real_parent.tgid";
        comm    default Plain        "comm";
        state   default Hex          "__state" | "state";
        uid     default Plain        "cred.uid.val";
        gid     more    Plain        "cred.gid.val";
        prio    more    Plain        "prio";
        policy  more    Plain        "policy";
        flags   more    Hex          "flags";
        start   more    Nanoseconds  "start_time";
        utime   more    Nanoseconds  "utime";
        stime   more    Nanoseconds  "stime";
        threads more    Plain        "signal.nr_threads";
        exit    more    Plain        "exit_code";
    "task_file":
        tgid    default Plain        "tgid";
        pid     default Plain        "pid";
        comm    default Plain        "comm";
        fd      default Plain        "fd";
        flags   default Hex          "file.f_flags";
        mode    more    Hex          "file.f_mode";
        pos     default Plain        "file.f_pos";
        inode   default Plain        "file.f_inode.i_ino";
        dev     default Hex          "file.f_inode.i_sb.s_dev";
        name    more    Plain        "file.f_path.dentry.d_name.name";
        f_op    more    Hex          "file.f_op";
    "task_vma":
        tgid    default Plain        "tgid";
        pid     more    Plain        "pid";
        comm    default Plain        "comm";
        start   default Hex          "vma.vm_start";
        end     default Hex          "vma.vm_end";
        flags   default Hex          "vma.vm_flags";
        pgoff   default Hex          "vma.vm_pgoff";
        inode   default Plain        "vma.vm_file.f_inode.i_ino";
        name    default Plain        "vma.vm_file.f_path.dentry.d_name.name";
    "bpf_map":
        id      default Plain        "id";
        type    default Plain        "map_type";
        name    default Plain        "name";
        key     default Bytes        "key_size";
        value   default Bytes        "value_size";
        max     default Plain        "max_entries";
        flags   default Hex          "map_flags";
    "bpf_prog":
        id      default Plain        "aux.id";
        type    default Plain        "type";
        name    default Plain        "aux.name";
        attach  default Plain        "expected_attach_type";
        insns   default Plain        "len";
        jited   default Bytes        "jited_len";
        loaded  default Nanoseconds  "aux.load_time";
    "tcp":
        family  default Plain        "skc_family";
        src     default Ipv4         "skc_rcv_saddr";
        sport   default Plain        "skc_num";
        dst     default Ipv4         "skc_daddr";
        dport   default BigEndian    "skc_dport";
        state   default Plain        "skc_state";
        uid     default Plain        "uid";
    "udp":
        family  default Plain        "inet.sk.__sk_common.skc_family";
        src     default Ipv4         "inet.sk.__sk_common.skc_rcv_saddr";
        sport   default Plain        "inet.sk.__sk_common.skc_num";
        dst     default Ipv4         "inet.sk.__sk_common.skc_daddr";
        dport   default BigEndian    "inet.sk.__sk_common.skc_dport";
        state   default Plain        "inet.sk.__sk_common.skc_state";
        uid     default Plain        "uid";
};

/// Those of one target.
pub fn of(target: &str) -> &'static [NamedColumn] {
    COLUMNS.iter().find(|(name, _)| *name == target).map_or(&[], |(_, columns)| columns)
}
