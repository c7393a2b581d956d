//! IPv6 routes of one network namespace.

use crate::columns::{Numbers, Show::{Hex, Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{Expr, address, case, field};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        dst, default, Plain, { field("rt.fib6_dst.addr").ip() }, "destination network";
        plen, default, Plain, "rt.fib6_dst.plen" in "bits", "length of the destination's prefix";
        src, default, Plain, { field("rt.fib6_src.addr").ip() }, "source network; :: with length 0 is any";
        splen, default, Plain, "rt.fib6_src.plen" in "bits", "length of the source's prefix";
        gateway, default, Plain, {
            gateway("fib6_nh.nh_common");
            gateway("fib6_nh_of_its_own.nh_common")
        }, "gateway of the next hop, if it has one";
        device, default, Plain, [
            "fib6_nh.nh_common.nhc_dev.name" | "fib6_nh_of_its_own.nh_common.nhc_dev.name"
        ], "name of the next hop's interface";
        nexthop, more, Plain, "rt.nh.id", "id of the next hop object that it refers to, if to one";
        hops, more, Plain, { field("nh_group.num_nh") } in "next hops",
            "members of its group of next hop objects, each of which is a row" since (6, 2);
        metric, default, Plain, "rt.fib6_metric", "metric: of routes to one network, the lowest wins";
        refs, more, Plain, "rt.fib6_ref.refs.counter" in "references",
            "references to the route within the kernel";
        // RTF_GATEWAY is 2. The next hop's family is 0, AF_INET (2) or AF_INET6 (10): bit 1 of it is the flag.
        flags, default, Hex, {
            field("rt.fib6_flags") | field("fib6_nh.nh_common.nhc_gw_family") & 2;
            field("rt.fib6_flags") | field("fib6_nh_of_its_own.nh_common.nhc_gw_family") & 2
        }, "RTF_... flags (include/uapi/linux/ipv6_route.h)";
        ifindex, more, Plain, [
            "fib6_nh.nh_common.nhc_dev.ifindex" | "fib6_nh_of_its_own.nh_common.nhc_dev.ifindex"
        ], "index of the next hop's interface";
        type, default, Names(TYPES), {
            of_next_hop("rt.nh.nh_info.reject_nh", Some("nh_entry.nh.nh_info.reject_nh"));
            of_next_hop("rt.nh.nh_info.reject_nh", None)
        }, "type, without its RTN_; blackhole if the next hop object is one";
        protocol, more, Names(PROTOCOLS), "rt.fib6_protocol", "who added it, without its RTPROT_";
        table, default, Names(TABLES), "rt.fib6_table.tb6_id",
            "its routing table: its id, or the name of one that every namespace has";
        // That of its device, of which each route has one; the loopback device, if it leads nowhere.
        netns, more, Plain, {
            case([(field("rt.nh").is_not_null(), field("rt.nh.net.ns.inum"))])
                .or_else(field("fib6_nh_of_its_own.nh_common.nhc_dev.nd_net.net.ns.inum"))
        }, "inode number of its network namespace";
    },
    derived: &[
        Derived::new("nh_group", "rt.nh.nh_grp", By::CastIfAny("rt.nh.is_group", -1)),
        Derived { ty: "nh_grp_entry", ..Derived::new("nh_entry", "", By::RowElement("nh_group.nh_entries[0]")) },
        Derived::new("fib6_nh", "nh_entry.nh.nh_info.fib6_nh", NEXT_HOP),
        // Before Linux 6.2, verifiers can follow only the route's own next hop.
        Derived { ty: "fib6_nh", ..Derived::new("fib6_nh_of_its_own", "", By::Choice(OWN)) },
    ],
    // An empty table has an entry in the place of a default route, which belongs to no table.
    is_object: Some(|| field("rt.fib6_table").is_not_null()),
    // A route to a group of next hops has a row for each, as the routes of other multipaths are one each.
    rows: Some("nh_group.num_nh"),
    looked_up: Some(&["nh_group", "fib6_nh", "nh_grp_entry"]),
    ..View::NONE
};

/// The next hop of a route: its own, or that of a shared next-hop object, or of an object in a group.
const OWN: &[(&str, &str)] = &[("rt.nh", "rt.fib6_nh[0]")];
const NEXT_HOP: By = By::Choice(&[("rt.nh", "rt.fib6_nh[0]"), ("rt.nh.is_group", "rt.nh.nh_info.fib6_nh")]);

/// The type of a route. What a next hop object says comes before what the route says, as in `rt6_fill_node`
/// (`net/ipv6/route.c`); of the members of a union, `nh_info` is that of an object that is no group.
fn of_next_hop(rejects: &str, member_rejects: Option<&str>) -> Expr {
    const RTN_BLACKHOLE: i32 = 6;
    let own = field("rt.nh.is_group").eq(0).and(field(rejects).ne(0));
    let member = member_rejects.map(|rejects| (field(rejects).ne(0), RTN_BLACKHOLE));
    case([(own, RTN_BLACKHOLE)].into_iter().chain(member)).or_else(field("rt.fib6_type"))
}

/// The gateway of a `struct fib_nh_common`; NULL if it has none.
fn gateway(common: &str) -> Expr {
    let of = |name: &str| field(format!("{common}.{name}"));
    address(of("nhc_gw_family"), of("nhc_gw.ipv4"), of("nhc_gw.ipv6"))
}

/// `RTPROT_…` (`include/uapi/linux/rtnetlink.h`)
const PROTOCOLS: Numbers = &[
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (17, "mrouted"),
    (18, "keepalived"),
    (42, "babel"),
    (84, "openr"),
    (99, "ovn"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// `RT_TABLE_…` (`include/uapi/linux/rtnetlink.h`)
const TABLES: Numbers = &[(253, "default"), (254, "main"), (255, "local")];

/// `RTN_…` (`include/uapi/linux/rtnetlink.h`)
const TYPES: Numbers = &[
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
