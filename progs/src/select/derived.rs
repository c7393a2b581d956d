//! What a context argument leads to by more than loads: a socket as what its protocol makes of it, the socket behind a
//! file. Names begin with these as they do with the context's own arguments; where there is none, all behind it is NULL.

use kwalk_asm::Helper;

/// An argument that a program finds for itself.
#[derive(Debug)]
pub(crate) struct Derived {
    /// What names begin with.
    pub(crate) name: &'static str,
    /// The struct that it points to.
    pub(crate) ty: &'static str,
    /// The pointer that it is found from.
    pub(crate) from: &'static str,
    pub(crate) by: By,
}

/// How it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A helper says whether it is one.
    Helper(Helper),
    /// It is one (`bpf_rdonly_cast`, since Linux 6.2).
    Cast,
}

macro_rules! derived {
    ($($target:literal { $($name:literal $from:literal $by:expr;)* })*) => {
        &[$(($target, &[$(Derived { name: $name, ty: $name, from: $from, by: $by }),*])),*]
    };
}

const ALL: &[(&str, &[Derived])] = derived! {
    "task_file" {
        "socket"            "file"                                       By::Helper(Helper::SockFromFile);
    }
    "tcp" {
        "tcp_sock"          "sk_common"                                  By::Helper(Helper::SkcToTcpSock);
        "tcp6_sock"         "sk_common"                                  By::Helper(Helper::SkcToTcp6Sock);
        "tcp_timewait_sock" "sk_common"                                  By::Helper(Helper::SkcToTcpTimewaitSock);
        "tcp_request_sock"  "sk_common"                                  By::Helper(Helper::SkcToTcpRequestSock);
        "socket_alloc"      "tcp_sock.inet_conn.icsk_inet.sk.sk_socket"  By::Cast;
    }
    "udp" {
        "udp6_sock"         "udp_sk"                                     By::Helper(Helper::SkcToUdp6Sock);
        "socket_alloc"      "udp_sk.inet.sk.sk_socket"                   By::Cast;
    }
    "unix" {
        "socket_alloc"      "unix_sk.sk.sk_socket"                       By::Cast;
    }
    "netlink" {
        "socket_alloc"      "sk.sk.sk_socket"                            By::Cast;
    }
};

/// Those of one target.
pub(crate) fn of(target: &str) -> &'static [Derived] {
    ALL.iter().find(|(name, _)| *name == target).map_or(&[], |(_, derived)| derived)
}
