//! Kfuncs: functions of the kernel and of its modules that programs can call.

use kwalk_btf::TypeId;

use crate::version::Version;

/// A function that the program being written can call, from [`Builder::kfunc`](crate::Builder::kfunc).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callee(pub(crate) Owner);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The kernel itself. The id is that of the FUNC in its BTF.
    Kernel(TypeId),
    /// A module, which the loader finds. The number is the function's index in the program's list of such functions.
    Module(u32),
}

/// The first kernel that lets iterators call the function, if that is known.
///
/// Later kernels may remove kfuncs: to know whether the running kernel has one, look it up in its BTF.
pub fn since(name: &str) -> Option<Version> {
    SINCE.iter().find(|(_, names)| names.contains(&name)).map(|(version, _)| *version)
}

/// The kfuncs that were added in each version (`kernel/bpf/helpers.c`, `kernel/bpf/map_iter.c`, `net/core/filter.c`).
pub const SINCE: &[(Version, &[&str])] = &[
    (
        (6, 2),
        &[
            "bpf_cast_to_kern_ctx",
            "bpf_cgroup_acquire",
            "bpf_cgroup_ancestor",
            "bpf_cgroup_release",
            "bpf_rcu_read_lock",
            "bpf_rcu_read_unlock",
            "bpf_rdonly_cast",
            "bpf_task_acquire",
            "bpf_task_from_pid",
            "bpf_task_release",
        ],
    ),
    ((6, 4), &["bpf_cgroup_from_id", "bpf_iter_num_destroy", "bpf_iter_num_new", "bpf_iter_num_next"]),
    ((6, 5), &["bpf_sock_destroy", "bpf_task_under_cgroup"]),
    ((6, 6), &["bpf_map_sum_elem_count"]),
    (
        (6, 7),
        &[
            "bpf_iter_css_destroy",
            "bpf_iter_css_new",
            "bpf_iter_css_next",
            "bpf_iter_css_task_destroy",
            "bpf_iter_css_task_new",
            "bpf_iter_css_task_next",
            "bpf_iter_task_destroy",
            "bpf_iter_task_new",
            "bpf_iter_task_next",
            "bpf_iter_task_vma_destroy",
            "bpf_iter_task_vma_new",
            "bpf_iter_task_vma_next",
        ],
    ),
    ((6, 8), &["bpf_task_get_cgroup1"]),
    ((6, 10), &["bpf_preempt_disable", "bpf_preempt_enable"]),
    ((6, 13), &["bpf_get_kmem_cache", "bpf_task_from_vpid"]),
];
