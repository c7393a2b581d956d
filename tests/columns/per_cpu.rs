//! What is behind per-CPU pointers is summed over the CPUs, or refused; never read as through a plain pointer.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use kwalk::progs::Kernel;
use kwalk::progs::targets::kmem_cache;
use kwalk::select::{Reason, Select, Value, Walk, sql};
use kwalk::{Netns, Scope};

use super::cell::{found, walked};
use super::child::Cpus;
use crate::support::Need::{self, Bpf, Root, Target};
use crate::support::helper::Helper;
use crate::support::{Test, running, stdout, test};

const NEXT_HOPS: &[Need] =
    &[Bpf, Root, Need::Kernel(6, 9), Need::Jit, Need::Tool("ip"), Need::Tool("nsenter")];

pub fn tests() -> Vec<Test> {
    vec![
        test("tcp_statistics_are_those_of_snmp", &[Bpf, Root, Need::Kernel(5, 19)], tcp_statistics),
        test("next_hops_count_their_packets", NEXT_HOPS, next_hops),
        test("sums_over_many_cpus_load", &[Bpf, Root, Need::Kernel(5, 19)], many_cpus),
        test("what_has_no_sum_is_refused", &[Bpf, Need::Kernel(5, 19), Target(&kmem_cache::TARGET)], no_sum),
    ]
}

/// Connections that each CPU has opened and accepted, in the network namespace of a socket.
fn tcp_statistics() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let cpus = Cpus::all();
    let _open: Vec<_> = (0..4 * cpus.count())
        .map(|nth| {
            cpus.on(nth);
            (TcpStream::connect(("127.0.0.1", port)).unwrap(), listener.accept().unwrap())
        })
        .collect();
    let said = || {
        let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, numbers) = (lines.next().unwrap(), lines.next().unwrap());
        ["ActiveOpens", "PassiveOpens", "CurrEstab"].map(|wanted| {
            let nth = names.split(' ').position(|name| name == wanted).unwrap();
            numbers.split(' ').nth(nth).unwrap().parse::<i128>().unwrap()
        })
    };
    // Their numbers in the kernel (include/uapi/linux/snmp.h, TCP_MIB_...).
    let columns =
        [5, 6, 9].map(|nth| format!("skc_net.net.mib.tcp_statistics.mibs[{nth}] as c{nth}")).join(", ");
    let condition = format!("sport = {port} and state = LISTEN");
    // Other tests open connections and close them.
    let before = said();
    let rows = found("tcp", &columns, &condition);
    let after = said();
    assert_eq!(rows.len(), 1);
    for nth in 0..2 {
        assert!((before[nth]..=after[nth]).contains(&rows[0][nth].number()), "{before:?} {rows:?} {after:?}");
        assert!(before[nth] >= 4 * cpus.count() as i128);
    }
    if before == after {
        assert_eq!(rows[0][2], before[2]);
    }
}

/// The packets that each member of a group of next hops has sent, counted by each CPU, of which BTF has no tag.
fn next_hops() {
    let helper = Helper::with_netns(0);
    let pid = helper.pid().to_string();
    let inside = |program: &str, args: &str| {
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid, "-n", program]).args(args.split(' '));
        stdout(&mut command)
    };
    for args in [
        "link set lo up",
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "link set v1 up",
        "-6 addr add 2001:db8::1/64 dev v0 nodad",
        "nexthop add id 5 via 2001:db8::e dev v0",
        "nexthop add id 6 via 2001:db8::f dev v0",
        "nexthop add id 7 group 5/6",
        "-6 route add 2001:db8:1::/48 nhid 7",
    ] {
        inside("ip", args);
    }
    // Each is an address that the kernel looks a route up for.
    const LOOKUPS: i128 = 100;
    for nth in 1..=LOOKUPS {
        inside("ip", &format!("-6 route get 2001:db8:1::{nth:x}"));
    }
    let netns = Netns::of_process(helper.pid()).unwrap();
    let of = |nth: u32| format!("rt.nh.nh_grp.nh_entries[{nth}].stats.packets.v.a.a.counter as c{nth}");
    let columns = [of(0), of(1), "nh_entry.stats.packets.v.a.a.counter as own".into()].join(", ");
    let rows = walked("ipv6_route", &columns, "nexthop = 7", Scope::Netns(std::slice::from_ref(&netns)));
    assert_eq!(rows.len(), 2);
    for (nth, row) in rows.iter().enumerate() {
        assert_eq!(row[0].number() + row[1].number(), LOOKUPS, "{rows:?}");
        assert_eq!(row[2], row[nth], "{rows:?}");
    }
}

/// Programs for machines with many CPUs load, and a CPU that there is not makes a sum unknown, not too small.
fn many_cpus() {
    let mut kernel = running();
    let entries = |kernel: &Kernel<'_>| {
        let select = Select::new("bpf_prog").fields(["run_count", "run_time", "id"]);
        let mut rows =
            Walk::plan(&select, kernel, Scope::All).unwrap().prepare().unwrap().into_rows().unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            found.push(row.get(0) == Value::Null);
        }
        found
    };
    let all = entries(&kernel);
    assert!(!all.is_empty() && all.iter().all(|is_null| !is_null));
    for cpus in [64, 300, 1024] {
        kernel.possible_cpus = Some(cpus);
        if running().possible_cpus < kernel.possible_cpus {
            assert!(entries(&kernel).iter().all(|is_null| *is_null), "{cpus}");
        }
    }
}

fn no_sum() {
    let kernel = running();
    let refused = |target: &str, column: &str, condition: &str| {
        let select = Select::new(target).fields(sql::columns(column).unwrap());
        let select = select.filter(sql::expression(condition).unwrap());
        *select.plan(&kernel).unwrap_err().reason
    };
    // A pointer that each CPU has, a number behind it, and a text.
    for column in
        ["s.cpu_slab.slab", "s.cpu_slab.slab.next", "s.cpu_slab.slab.slab_cache.name", "s.cpu_slab.lock"]
    {
        let of_column = refused("kmem_cache", column, "1 = 1");
        let of_condition = refused("kmem_cache", "name", &format!("{column} is null"));
        for reason in [of_column, of_condition] {
            // Of other kernels, the struct has other members.
            let is_known = kernel.btf.find(kwalk::btf::Kind::Struct, "kmem_cache_cpu").is_ok();
            let is_refused = matches!(&reason, Reason::PerCpu { what } if what == column);
            assert!(is_refused || !is_known || matches!(reason, Reason::Name { .. }), "{column}: {reason:?}");
        }
    }
    // The pointer itself is one.
    let select = Select::new("bpf_map").fields(sql::columns("stats").unwrap_or_default());
    assert!(select.plan(&kernel).is_err());
    assert!(Select::new("bpf_prog").fields(["stats"]).plan(&kernel).is_ok());
    // So many CPUs are summed as the kernel is said to have: if it can't be said, there is no sum.
    let mut unknown = kernel;
    unknown.possible_cpus = None;
    let error = Select::new("bpf_prog").fields(["run_count"]).plan(&unknown).unwrap_err();
    assert!(error.to_string().contains("CPUs"), "{error}");
}
