//! Per-CPU pointers. Each CPU has an object of its own, at another offset from the pointer; the pointer itself leads to
//! memory that is somebody else's, or to none. So a path through one is never read as through a plain pointer: a number
//! right behind it is summed over the CPUs ([`Node::Sum`](crate::ir::Node::Sum)), and all else is refused.
//!
//! Compilers that write the type tag `percpu` to BTF tell which pointers these are. GCC before version 16 writes none, and
//! most kernels are built with it: for those there is a table.

use kwalk_btf::{Btf, Class, Field, TypeId};
use kwalk_progs::Span;

use crate::error::{Error, Reason};
use crate::ir::{Number, Sum, Text, TextKind, Value};
use crate::place::Place;
use crate::resolve::Names;

/// The structs whose fields are per-CPU pointers (`__percpu` in the kernel's sources), with the names of these fields: those
/// that paths from the targets can lead to, those of modules included.
const FIELDS: &[(&str, &[&str])] = &[
    ("alloc_tag", &["counters"]),
    ("array_buffer", &["data"]),
    ("blk_stat_callback", &["cpu_stat"]),
    ("blk_trace", &["msg_data", "sequence"]),
    ("blkcg", &["lhead"]),
    ("blkcg_gq", &["iostat_cpu"]),
    ("block_device", &["bd_stats"]),
    ("bpf_array", &["pptrs"]),
    ("bpf_cgroup_storage", &["percpu_buf"]),
    ("bpf_common_lru", &["local_list"]),
    ("bpf_cpu_map_entry", &["bulkq"]),
    ("bpf_htab", &["extra_elems", "map_locked"]),
    ("bpf_lru", &["percpu_lru"]),
    ("bpf_map", &["elem_count"]),
    ("bpf_mem_alloc", &["cache", "caches"]),
    ("bpf_prog", &["active", "stats"]),
    ("bpf_prog_aux", &["priv_stack_ptr", "stats"]),
    ("cgroup", &["rstat_base_cpu", "rstat_cpu"]),
    ("cgroup_subsys_state", &["rstat_cpu"]),
    ("cpuacct", &["cpuusage"]),
    ("dma_chan", &["local"]),
    ("dst_cache", &["cache"]),
    ("fib6_nh", &["rt6i_pcpu"]),
    ("fib_nh_common", &["nhc_pcpu_rth_output"]),
    ("gen_cookie", &["local"]),
    ("gendisk", &["dkstats"]),
    ("gro_cells", &["cells"]),
    ("hd_struct", &["dkstats"]),
    ("ioc", &["pcpu_stat"]),
    ("ioc_gq", &["pcpu_stat"]),
    ("iommu_dma_cookie", &["percpu_fq"]),
    ("iova_domain", &["fq"]),
    ("iova_rcache", &["cpu_rcaches"]),
    ("ip_vs_stats", &["cpustats"]),
    ("ipv6_devstat", &["ipv6"]),
    ("ipvl_dev", &["pcpu_stats"]),
    ("irq_desc", &["kstat_irqs"]),
    ("kioctx", &["cpu"]),
    ("kmem_cache", &["cpu_sheaves", "cpu_slab"]),
    ("macvlan_dev", &["pcpu_stats"]),
    ("mem_cgroup", &["events_percpu", "vmstats_local", "vmstats_percpu"]),
    ("mem_cgroup_per_node", &["lruvec_stat_cpu", "lruvec_stats_percpu"]),
    ("memcg_vmstats_percpu", &["parent_pcpu"]),
    ("mini_Qdisc", &["cpu_bstats", "cpu_qstats"]),
    ("mm_mm_cid", &["pcpu"]),
    ("mm_struct", &["futex_ref", "pcpu_cid"]),
    ("module", &["percpu"]),
    ("mount", &["mnt_pcp"]),
    ("mpls_dev", &["stats"]),
    ("neigh_table", &["stats"]),
    ("net_bridge", &["mcast_stats"]),
    ("net_bridge_port", &["mcast_stats"]),
    ("net_bridge_vlan", &["stats"]),
    ("net_device", &["core_stats", "dstats", "lstats", "pcpu_refcnt", "tstats", "xdp_bulkq"]),
    ("net_rate_estimator", &["cpu_bstats"]),
    ("netns_core", &["prot_inuse", "sock_inuse"]),
    ("netns_ct", &["pcpu_lists", "stat"]),
    ("netns_ft", &["stat"]),
    ("netns_ipv4", &["icmp_sk", "tcp_sk"]),
    ("netns_ipv6", &["icmp_sk"]),
    (
        "netns_mib",
        &[
            "icmp_statistics",
            "icmpv6_statistics",
            "ip_statistics",
            "ipv6_statistics",
            "mptcp_statistics",
            "net_statistics",
            "tcp_statistics",
            "tls_statistics",
            "udp_statistics",
            "udp_stats_in6",
            "udplite_statistics",
            "udplite_stats_in6",
            "xfrm_statistics",
        ],
    ),
    ("netns_sctp", &["sctp_statistics"]),
    ("netns_smc", &["smc_stats"]),
    ("netns_xfrm", &["state_cache_input"]),
    ("nft_base_chain", &["stats"]),
    ("nft_counter_percpu_priv", &["counter"]),
    ("nft_trans_chain", &["stats"]),
    ("nh_grp_entry", &["stats"]),
    ("packet_ring_buffer", &["pending_refcnt"]),
    ("page_pool", &["recycle_stats"]),
    ("pcpu_freelist", &["freelist"]),
    ("perf_ibs", &["pcpu"]),
    ("percpu_counter", &["counters"]),
    ("percpu_rw_semaphore", &["read_count"]),
    ("pglist_data", &["per_cpu_nodestats"]),
    ("pmu", &["cpu_pmu_context", "pmu_cpu_context", "pmu_disable_count"]),
    ("proto", &["orphan_count", "per_cpu_fw_alloc"]),
    ("psi_group", &["pcpu"]),
    ("Qdisc", &["cpu_bstats", "cpu_qstats"]),
    ("rchan", &["buf"]),
    ("rcu_tasks", &["rtpcpu"]),
    ("request_queue", &["queue_ctx"]),
    ("sbitmap", &["alloc_hint"]),
    ("scx_dispatch_q", &["pcpu"]),
    ("scx_sched", &["event_stats_cpu", "pcpu"]),
    ("sd_data", &["sd", "sds", "sg", "sgc"]),
    ("seg6_local_lwt", &["pcpu_counters"]),
    ("srcu_struct", &["sda"]),
    ("swap_info_struct", &["percpu_cluster"]),
    ("synproxy_net", &["stats"]),
    ("tc_action", &["cpu_bstats", "cpu_bstats_hw", "cpu_qstats"]),
    ("trace_array", &["last_func_repeats"]),
    ("trace_event_call", &["perf_events"]),
    ("trace_uprobe", &["nhits"]),
    ("vlan_dev_priv", &["vlan_pcpu_stats"]),
    ("vxlan_vni_node", &["stats"]),
    ("workqueue_struct", &["cpu_pwq", "cpu_pwqs"]),
    ("xstats", &["xs_stats"]),
    ("zone", &["pageset", "per_cpu_pageset", "per_cpu_zonestats"]),
    ("zswap_pool", &["acomp_ctx"]),
];

impl Names<'_> {
    /// The number of pointers that a path from the context or its object follows before a per-CPU pointer, if it crosses
    /// one.
    pub(crate) fn crosses_per_cpu(&self, path: &str, found: &kwalk_btf::Path) -> Option<usize> {
        let btf = self.kernel.btf;
        crossed(btf, self.object, path, &found.hops, |path| self.target.path(btf, path).ok())
    }

    /// The same for a path from an object of this type.
    pub(crate) fn crosses_per_cpu_from(
        &self,
        ty: TypeId,
        path: &str,
        found: &kwalk_btf::Path,
    ) -> Option<usize> {
        let btf = self.kernel.btf;
        crossed(btf, Some(ty), path, &found.hops, |path| btf.path(ty, path).ok())
    }

    /// The sum over the CPUs of a number behind the per-CPU pointer that a path comes to after `at` others.
    pub(crate) fn sum(&self, place: &Place, at: usize, span: Option<&Span>) -> Result<Number, Error> {
        let fail = |reason| Err(Error::new(reason, span.cloned()));
        let (Some(&[offset]), Class::Int { .. }, 1 | 2 | 4 | 8) =
            (place.hops.get(at..), place.field.class, place.field.size)
        else {
            return fail(Reason::PerCpu { what: place.name.clone() });
        };
        // Linux 6.1 got the field, but does not count.
        if place.path.ends_with("elem_count[0]") && !self.has("bpf_map_sum_elem_count") {
            return fail(Reason::Since { what: "elem_count", since: (6, 6) });
        }
        if !self.has("bpf_map_lookup_percpu_elem") {
            return fail(Reason::Since { what: "sums over CPUs", since: (5, 19) });
        }
        let Some(cpus) = self.kernel.possible_cpus else {
            return fail(Reason::Unsupported("a sum over CPUs whose numbers have gaps or are not known"));
        };
        let class = Class::Ptr { pointee: TypeId(0) };
        let pointer = Field { offset, size: 8, class, bits: None, ..place.field };
        let before = place.hops.get(..at).unwrap_or_default().to_vec();
        let pointer = Place { hops: before, field: pointer, per_cpu: None, ..place.clone() };
        let pptrs = self.offset("bpf_array", ["pptrs"], span)?;
        Ok(Number::sum(Sum { pointer, value: place.clone(), cpus, pptrs }))
    }

    /// What each CPU has of a per-CPU map's value, if `name` is that value or a member of it.
    pub(crate) fn each_cpu(&mut self, name: &str, span: Option<&Span>) -> Option<Result<Value, Error>> {
        if let Some(cpus) = self.elements?.lacks(name) {
            let what = name.into();
            return Some(Err(Error::new(Reason::NoCpu { what, cpus }, span.cloned())));
        }
        let each = self.elements?.each(name)?;
        let size = self.elements?.value_size;
        let place = self.argument("value", None).ok()?;
        Some(match each {
            Ok((_, Some(Field { bits: Some(_), .. }))) => {
                Err(Error::new(Reason::Unsupported("a list of bitfields"), span.cloned()))
            }
            Ok((values, field)) => {
                let text = Text {
                    place: Place { path: name.into(), ..place },
                    kind: TextKind::Bytes { at: 0, size },
                };
                Ok(Value::List(text, values, field))
            }
            Err(error) => Err(Error::new(self.unknown(name, error), span.cloned())),
        })
    }
}

/// The number of the pointers that a path follows before it comes to a per-CPU pointer, if it crosses one. `resolve`
/// resolves the beginnings of the path; `root` is the type of the object in which the first name is a field.
pub(crate) fn crossed(
    btf: &Btf<'_>,
    root: Option<TypeId>,
    path: &str,
    hops: &[kwalk_btf::Hop],
    resolve: impl Fn(&str) -> Option<kwalk_btf::Path>,
) -> Option<usize> {
    let by_tag = hops.iter().position(|hop| hop.per_cpu);
    let by_name = ends(path).find_map(|end| {
        let pointer = path.get(..end)?;
        let (before, name) =
            pointer.rsplit_once('.').map_or((None, pointer), |(before, name)| (Some(before), name));
        let name = name.split('[').next()?;
        // Most names are in no row of the table: their structs are not looked up.
        if !FIELDS.iter().any(|(_, fields)| fields.contains(&name)) {
            return None;
        }
        let structure = match before {
            Some(before) => holder(btf, resolve(before)?.field),
            None => root,
        };
        let structure = btf.resolve(structure?).ok()?.1.name();
        let known = FIELDS.iter().any(|(known, fields)| *known == structure && fields.contains(&name));
        let to = resolve(pointer).filter(|_| known)?;
        let Class::Ptr { pointee } = to.field.class else { return None };
        // A `percpu_counter` is itself shared by the CPUs: what points to one is a plain pointer (`proto.orphan_count` was).
        let is_counter = btf.get(pointee).is_ok_and(|ty| ty.name() == "percpu_counter");
        (!is_counter && to.hops.len() < hops.len()).then_some(to.hops.len())
    });
    by_tag.into_iter().chain(by_name).min()
}

/// The positions in a path at which a name or an index ends.
fn ends(path: &str) -> impl Iterator<Item = usize> {
    let is_end = |at: &usize| *at > 0 && matches!(path.as_bytes().get(*at), Some(b'.' | b'[') | None);
    (0..=path.len()).filter(is_end)
}

/// The struct of which a field is a member's holder: itself, or what it points to.
fn holder(btf: &Btf<'_>, field: kwalk_btf::Field) -> Option<TypeId> {
    match field.class {
        Class::Struct => Some(btf.resolve(field.ty).ok()?.0),
        Class::Ptr { pointee } => Some(pointee),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    extern crate std;

    use kwalk_btf::Kind;

    /// The table is right for this kernel: what it names are pointers, and most of it is there.
    #[test]
    fn fields_are_pointers() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
        let btf = Btf::new(&bytes).unwrap();
        let (mut all, mut there) = (0, 0);
        for (structure, fields) in FIELDS {
            let Ok(ty) = btf.find(Kind::Struct, structure) else { continue };
            for field in *fields {
                all += 1;
                let Ok(path) = btf.path(ty, field) else { continue };
                let class = match path.field.class {
                    Class::Array { element, .. } => btf.class(element).unwrap(),
                    class => class,
                };
                assert!(matches!(class, Class::Ptr { .. }), "{structure}.{field}");
                there += 1;
            }
        }
        assert!(there > 20 && 2 * there > all, "{there} of {all}");
    }

    #[test]
    fn names_and_indices_end() {
        assert_eq!(ends("a.bc[1].d").collect::<alloc::vec::Vec<_>>(), [1, 4, 7, 9]);
        assert_eq!(ends("a").collect::<alloc::vec::Vec<_>>(), [1]);
    }
}
