//! Tasks: threads, as `ps -eL` and `/proc/PID/task` show them.

use crate::columns::{Numbers, Show::{Bytes, Hex, Names, Nanoseconds, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{Expr, cmdline, field, page_size, stack};
use crate::targets::shared::{READER, READER_PID, READER_PPID, READER_TGID, reader_ppid};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        tgid, default, Plain, ("tgid", field("reader_tgid.nr")),
            "process id (thread group id), in the pid namespace of who asks";
        pid, default, Plain, ("pid", field("reader_pid.nr")),
            "thread id, in the pid namespace of who asks";
        ppid, default, Plain, ("real_parent.tgid", reader_ppid()),
            "process id of the parent there; 0 if the parent is elsewhere";
        comm, default, Plain, "comm", "name of the thread, at most 15 bytes";
        state, default, Names(STATES), {
            (field("task.__state") | field("task.exit_state")) & STATE_MASK;
            (field("task.state") | field("task.exit_state")) & STATE_MASK
        }, "state, as the letter that ps shows";
        uid, default, Plain, "real_cred.uid.val", "real user id, in the initial user namespace";
        gid, more, Plain, "real_cred.gid.val", "real group id, in the initial user namespace";
        euid, more, Plain, "real_cred.euid.val", "effective user id, in the initial user namespace";
        egid, more, Plain, "real_cred.egid.val", "effective group id, in the initial user namespace";
        prio, more, Plain, "prio", "scheduling priority: lower runs first, below 100 is real-time";
        nice, more, Plain, { field("task.static_prio") - 120 },
            "nice value, from -20, the most favourable, to 19";
        policy, more, Names(POLICIES), "policy", "scheduling policy, without its SCHED_";
        flags, more, Hex, "flags", "PF_... flags (include/linux/sched.h)";
        start, more, Nanoseconds, ["start_boottime" | "real_start_time"],
            "when it was started, as time since boot, suspension included";
        utime, more, Nanoseconds, "utime", "CPU time that this thread has spent in user mode";
        stime, more, Nanoseconds, "stime", "CPU time that this thread has spent in the kernel";
        threads, more, Plain, "signal.nr_threads" in "threads", "threads of its process";
        // Before, it is in an array that verifiers can't follow.
        rss, more, Bytes, {
            (field("task.mm.rss_stat[0].count")
                + field("task.mm.rss_stat[1].count")
                + field("task.mm.rss_stat[3].count"))
                * page_size()
        }, "resident memory of its process, not exact: CPUs add to it in batches" since (6, 2);
        vsize, more, Bytes, { field("task.mm.total_vm") * page_size() },
            "size of its process's address space";
        exit, more, Plain, "exit_code", "exit status, in the form that waitpid(2) reports";
        exe, more, Plain, { field("task.mm.exe_file").d_path() },
            "path of the file that its process executes";
        // `bpf_copy_from_user_task`
        cmdline, more, Plain, { cmdline() }, "arguments of its process, read from its memory" since (5, 18);
        stack, more, Plain, { stack() }, "kernel addresses on its stack, the innermost first";
        cgroup, more, Plain, { field("task.cgroups.dfl_cgrp").cgroup_path() },
            "path of its cgroup v2, as /proc/PID/cgroup shows it";
        cgroup_cpu, more, Plain, { of_controller("cpu") },
            "path of the cgroup whose cpu controller it is under, v1 or v2";
        cgroup_cpuset, more, Plain, { of_controller("cpuset") },
            "path of the cgroup whose cpuset controller it is under, v1 or v2";
        cgroup_io, more, Plain, { of_controller("io") },
            "path of the cgroup whose io (blkio) controller it is under";
        cgroup_memory, more, Plain, { of_controller("memory") },
            "path of the cgroup whose memory controller it is under";
        cgroup_pids, more, Plain, { of_controller("pids") },
            "path of the cgroup whose pids controller it is under";
        cgroupns, more, Plain, "nsproxy.cgroup_ns.ns.inum", "inode number of its cgroup namespace";
        ipcns, more, Plain, "nsproxy.ipc_ns.ns.inum", "inode number of its IPC namespace";
        mntns, more, Plain, "nsproxy.mnt_ns.ns.inum", "inode number of its mount namespace";
        netns, more, Plain, "nsproxy.net_ns.ns.inum", "inode number of its network namespace";
        pidns, more, Plain, "upid.ns.ns.inum", "inode number of its own pid namespace" since (6, 2);
        nspid, more, Plain, "upid.nr", "thread id in its own pid namespace" since (6, 2);
        userns, more, Plain, "real_cred.user_ns.ns.inum", "inode number of its user namespace";
        utsns, more, Plain, "nsproxy.uts_ns.ns.inum", "inode number of its UTS namespace";
    },
    derived: &[
        READER,
        READER_PID,
        READER_TGID,
        READER_PPID,
        // The task's number in its own pid namespace: `numbers` begins with those in the namespaces above.
        Derived::new("upid", "", By::Element(("thread_pid.level", "thread_pid.numbers[0]"))),
    ],
    // RCU keeps alive what the helper needs of it.
    files: &["task.mm.exe_file"],
    ..View::NONE
};

/// The path of a task's cgroup in the hierarchy that a controller is in: one of cgroup v1, or that of v2.
fn of_controller(name: &str) -> Expr {
    field(format!("task.cgroups.subsys[{name}_cgrp_id].cgroup")).cgroup_path()
}

/// The bits of a task's state from which `ps` makes its letter (`TASK_REPORT` in `include/linux/sched.h`), and
/// `TASK_NOLOAD`, `TASK_RTLOCK_WAIT` and `TASK_FROZEN`.
const STATE_MASK: i64 = 0x947f;

/// The letters of `ps` (`fs/proc/array.c`).
const STATES: Numbers = &[
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
const POLICIES: Numbers =
    &[(0, "OTHER"), (1, "FIFO"), (2, "RR"), (3, "BATCH"), (5, "IDLE"), (6, "DEADLINE"), (7, "EXT")];
