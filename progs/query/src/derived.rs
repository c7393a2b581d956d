//! What a context argument leads to by more than loads: a socket as what its protocol makes of it, the socket behind a
//! file. Names begin with these as they do with the context's own arguments; where there is none, all behind it is NULL.

use alloc::vec::Vec;

use kwalk_asm::Helper;
use kwalk_btf::TypeId;

use crate::place::Place;

/// An argument that a program finds for itself.
#[derive(Debug)]
pub(crate) struct Derived {
    /// What names begin with.
    pub(crate) name: &'static str,
    /// The struct that it points to.
    pub(crate) ty: &'static str,
    /// The pointer that it is found from; nothing for none.
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
    /// It lies in one of several places: in the second of the first of these pairs whose first, a number or a pointer, is
    /// 0; or else in the one that it is found from, or nowhere.
    Choice(&'static [(&'static str, &'static str)]),
    /// It is the element of an array, the second place, that the number in the first place says: a cast as well.
    Element((&'static str, &'static str)),
}

/// One that a program needs.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) derived: &'static Derived,
    /// The number of the fragment that was the first to need it.
    pub(crate) fragment: u32,
    pub(crate) ty: TypeId,
    pub(crate) from: Option<Place>,
    pub(crate) choices: Vec<(Place, Place)>,
}

macro_rules! derived {
    ($($target:literal { $($name:literal $($ty:ident)? $from:literal $by:expr;)* })*) => {
        &[$(($target, &[$(Derived { name: $name, ty: derived!(@$name $($ty)?), from: $from, by: $by }),*])),*]
    };
    (@$name:literal) => { $name };
    (@$name:literal $ty:ident) => { stringify!($ty) };
}

const ALL: &[(&str, &[Derived])] = derived! {
    "task" {
        // What the task's own pid namespace knows it by: those above it come before.
        "upid"              ""     By::Element(("thread_pid.level", "thread_pid.numbers[0]"));
    }
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
        // An array of long words, which is what a set of processors is, too.
        "groups"            cpumask "sk.groups"                          By::Cast;
        "socket_alloc"      "sk.sk.sk_socket"                            By::Cast;
    }
    "ipv6_route" {
        "nh_group"          "rt.nh.nh_grp"                               By::Cast;
        "fib6_nh"           "nh_group.nh_entries[0].nh.nh_info.fib6_nh"  NEXT_HOP;
        // Before Linux 6.2, that is all that verifiers can follow.
        "fib6_nh_of_its_own" fib6_nh ""                                  By::Choice(OWN);
    }
};

/// The first next hop of a route: its own, or the one of an object that routes share, or of such a group's first object.
const OWN: &[(&str, &str)] = &[("rt.nh", "rt.fib6_nh[0]")];
const NEXT_HOP: By = By::Choice(&[("rt.nh", "rt.fib6_nh[0]"), ("rt.nh.is_group", "rt.nh.nh_info.fib6_nh")]);

/// Those of one target.
pub(crate) fn of(target: &str) -> &'static [Derived] {
    ALL.iter().find(|(name, _)| *name == target).map_or(&[], |(_, derived)| derived)
}
