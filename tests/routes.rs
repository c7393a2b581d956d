//! IPv6 routes are those that `ip` shows, each hop in a row.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use crate::support::Need::{Bpf, Jit, Kernel, Root, Tool};
use crate::support::helper::Helper;
use crate::support::{Need, Test, kwalk, stdout, test};

/// `bpf_rdonly_cast` came with 6.2.
const NEEDS: &[Need] = &[Bpf, Root, Kernel(6, 2), Jit, Tool("ip"), Tool("nsenter")];

pub fn tests() -> Vec<Test> {
    vec![test("routes_are_those_of_ip", NEEDS, routes_are_those_of_ip)]
}

/// Next hop objects, groups of them and blackholes, in tables of which each has its own.
fn routes_are_those_of_ip() {
    let helper = Helper::with_netns(0);
    let pid = helper.pid().to_string();
    let ip = |args: &str| {
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid, "-n", "ip"]).args(args.split(' '));
        let output = command.output().unwrap();
        assert!(output.status.success(), "ip {args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for args in [
        "link set lo up",
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "link set v1 up",
        "link add v2 type veth peer name v3",
        "link set v2 up",
        "link set v3 up",
        "-6 addr add 2001:db8::1/64 dev v0 nodad",
        "-6 addr add 2001:db8:ff::1/64 dev v2 nodad",
        "nexthop add id 6 via 2001:db8::f dev v0",
        "nexthop add id 5 via 2001:db8:ff::e dev v2",
        "-6 nexthop add id 4 dev v2",
        "nexthop add id 7 group 5/6,3",
        "-6 nexthop add id 8 blackhole",
        "nexthop add id 9 group 8",
        "-6 route add default nhid 7",
        "-6 route add 2001:db8:1::/48 nhid 6",
        "-6 route add 2001:db8:2::/48 nhid 8",
        "-6 route add 2001:db8:4::/48 nhid 9 metric 77",
        "-6 route add 2001:db8:5::/48 nhid 4 table 1234",
        "-6 route add unreachable 2001:db8:3::/48",
        "-6 route add blackhole 2001:db8:3::/48 table 100",
        "-6 route add prohibit default metric 4294967295 table 100",
        "-6 route add 2001:db8:7::/48 via 2001:db8::a table 255 proto bgp",
        "-6 route add 2001:db8:7::/48 via 2001:db8::a proto 77",
        "-6 route add 2001:db8:6::/48 nexthop via 2001:db8::a dev v0 nexthop via 2001:db8:ff::b dev v2",
    ] {
        if args.starts_with("nexthop add id 7") {
            ip("nexthop add id 3 via 2001:db8::d dev v0");
        }
        ip(args);
    }
    // Of one network alone, for what comes from another one: not all kernels are built for it.
    for (network, metric) in [("2001:db8:aa::/64", "1024"), ("2001:db8:bb::/56", "1024"), ("::/0", "9")] {
        let args = format!("-6 route add 2001:db8:8::/48 from {network} via 2001:db8::a metric {metric}");
        let _ =
            Command::new("nsenter").args(["-t", &pid, "-n", "ip"]).args(args.split(' ')).output().unwrap();
    }
    // Each hop of a route in a line: the type, the network, and words with what follows them.
    let shown = ip("-6 -o -N route show table all").replace('\\', " ");
    let mut wanted = Vec::new();
    for line in shown.lines() {
        const TYPES: [(&str, &str); 6] = [
            ("2", "local"),
            ("4", "anycast"),
            ("5", "multicast"),
            ("6", "blackhole"),
            ("7", "unreachable"),
            ("8", "prohibit"),
        ];
        let mut words: Vec<_> = line.split_whitespace().collect();
        let ty = TYPES.iter().find(|(number, _)| words[0] == *number).map(|(_, name)| *name);
        if ty.is_some() {
            words.remove(0);
        }
        let ty = ty.unwrap_or("unicast");
        let (dst, plen) = match words[0] {
            "default" => ("::", "0"),
            dst => dst.split_once('/').unwrap_or((dst, "128")),
        };
        let of = |words: &[&str], name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).map(|word| (*word).to_owned())
        };
        let from = of(&words, "from");
        let (src, splen) = match &from {
            Some(from) => from.split_once('/').unwrap_or((from, "128")),
            None => ("::", "0"),
        };
        let metric = of(&words, "metric").unwrap();
        // That of what boots, or of who is not known.
        let protocol = of(&words, "proto").unwrap_or("3".into());
        let table = of(&words, "table").unwrap_or("254".into());
        let mut hops: Vec<&[&str]> = words.split(|word| *word == "nexthop").collect();
        if hops.len() > 1 {
            hops.remove(0);
        }
        for hop in hops {
            let (gateway, device) = (of(hop, "via").unwrap_or_default(), of(hop, "dev").unwrap());
            let fields = [dst, plen, src, splen, ty, &table, &protocol, &metric, &gateway, &device];
            wanted.push(fields.join(","));
        }
    }
    const COLUMNS: &str =
        "dst,plen,src,splen,type,table + 0 as table,protocol + 0 as protocol,metric,gateway,device";
    let args = ["ipv6_route", "--netns", &pid, "-o", "csv", "-f"];
    let rows = |condition: &str| {
        let printed = stdout(kwalk(args).args([COLUMNS, "-w", condition]));
        let mut rows: Vec<_> = printed.lines().skip(1).map(|line| line.trim().to_owned()).collect();
        rows.sort();
        rows
    };
    wanted.sort();
    assert_eq!(rows("plen >= 0"), wanted, "{shown}");
    assert!(
        wanted.iter().filter(|row| row.starts_with("::,0,::,0,unicast,254,3,1024,2001:db8:")).count() == 2,
        "{wanted:?}"
    );
    // What a condition says is of each hop.
    assert_eq!(rows("gateway = '2001:db8::f' and plen = 0"), ["::,0,::,0,unicast,254,3,1024,2001:db8::f,v0"]);
    let netns = stdout(kwalk(args).args(["netns", "-w", "plen = 0"]));
    let own = std::fs::metadata(format!("/proc/{pid}/ns/net")).unwrap().ino().to_string();
    assert!(netns.lines().skip(1).all(|netns| netns == own) && netns.lines().count() > 2, "{netns}");
    let count = stdout(&mut kwalk(["ipv6_route", "--netns", &pid, "--count", "-w", "hops = 2"]));
    assert_eq!(count, "2\n");
    let ids =
        stdout(kwalk(args).args(["nexthop,hops,type", "-w", "nexthop is not null and type = 'blackhole'"]));
    let mut ids: Vec<_> = ids.lines().skip(1).map(str::trim).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["8,,blackhole", "9,1,blackhole"]);
    // Tables and protocols have names, where `ip` has numbers.
    let named = |condition: &str| {
        let shown = stdout(kwalk(args).args(["table,protocol", "-w", &format!("{condition} and plen = 48")]));
        let mut lines: Vec<_> = shown.lines().skip(1).map(str::to_owned).collect();
        lines.dedup();
        lines
    };
    assert_eq!(named("table = 'local' and protocol = 'bgp'"), ["local,bgp"]);
    assert_eq!(named("table = 254 and protocol = 77"), ["main,77"]);
    assert_eq!(named("table = 'main' and protocol = 'boot'"), ["main,boot"]);
    assert_eq!(named("table = 1234"), ["1234,boot"]);
    let routes = ip("-6 -o -N route show table 254 proto 2");
    let count =
        kwalk(["ipv6_route", "--netns", &pid, "--count", "-w", "table = 'main' and protocol = 'kernel'"]);
    assert_eq!(stdout(&mut { count }), format!("{}\n", routes.lines().count()));
    // No two routes look alike.
    let shown = stdout(&mut kwalk(["ipv6_route", "--netns", &pid, "-o", "csv"]));
    let distinct: BTreeSet<_> = shown.lines().skip(1).collect();
    assert_eq!(distinct.len(), wanted.len(), "{shown}");
}
