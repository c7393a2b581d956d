//! Tasks: threads, as `ps -eL` and `/proc/PID/task` show them.

use crate::columns::{Numbers, Show::{BootTime, Bits64, Bytes, Hex, Names, Nanoseconds, Plain}, columns};
use crate::derived::{By, Derived};
use crate::expr::{Expr, case, cmdline, field, page_size, stack};
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
        kthread, more, Plain, "kthread.full_name",
            "full name of a kernel thread, which comm cuts to 15 bytes" since (6, 2);
        work, more, Plain, "worker.desc",
            "what a kernel worker does or did last, as in /proc/PID/comm" since (6, 2);
        state, default, Names(STATES), {
            (field("task.__state") | field("task.exit_state")) & STATE_MASK;
            (field("task.state") | field("task.exit_state")) & STATE_MASK
        }, "state, as the letter that ps shows";
        uid, default, Plain, "real_cred.uid.val", "real user id, in the initial user namespace";
        gid, more, Plain, "real_cred.gid.val", "real group id, in the initial user namespace";
        euid, more, Plain, "real_cred.euid.val", "effective user id, in the initial user namespace";
        egid, more, Plain, "real_cred.egid.val", "effective group id, in the initial user namespace";
        cap_effective, more, Bits64, { capabilities("cap_effective", "val"); capabilities("cap_effective", "cap") },
            "capabilities that count in checks (CapEff of /proc/PID/status)";
        cap_permitted, more, Bits64, { capabilities("cap_permitted", "val"); capabilities("cap_permitted", "cap") },
            "capabilities that it may make effective (CapPrm)";
        cap_inheritable, more, Bits64, {
            capabilities("cap_inheritable", "val");
            capabilities("cap_inheritable", "cap")
        }, "capabilities that it may keep across execve(2) (CapInh)";
        cap_bset, more, Bits64, { capabilities("cap_bset", "val"); capabilities("cap_bset", "cap") },
            "capabilities that it can gain by execve(2) (CapBnd)";
        cap_ambient, more, Bits64, { capabilities("cap_ambient", "val"); capabilities("cap_ambient", "cap") },
            "capabilities that unprivileged programs keep (CapAmb)";
        prio, more, Plain, "prio", "scheduling priority: lower runs first, below 100 is real-time";
        nice, more, Plain, { field("task.static_prio") - 120 },
            "nice value, from -20, the most favourable, to 19";
        policy, more, Names(POLICIES), "policy", "scheduling policy, without its SCHED_";
        flags, more, Hex, "flags", "PF_... flags (include/linux/sched.h)";
        start, more, BootTime, ["start_boottime" | "real_start_time"], "when it was started";
        // Of a process there is no total: that of the threads that have ended is in its signal struct, that of the others
        // is with each of them.
        utime, more, Nanoseconds, { scaled_utime(); field("task.utime") },
            "CPU time of this thread alone in user mode; sum it for a process";
        stime, more, Nanoseconds, { scaled_stime(); field("task.stime") },
            "CPU time of this thread alone in the kernel; sum it for a process";
        threads, more, Plain, "signal.nr_threads" in "threads", "threads of its process";
        // Each CPU adds to the shared counters in batches, and may have subtracted from them what another has yet to add.
        // Before Linux 6.2, the threads did.
        rss, more, Bytes, {
            (shared_count(0) + shared_count(1) + shared_count(3)) * page_size();
            (atomic_count(0) + atomic_count(1) + atomic_count(3)) * page_size()
        }, "resident memory of its process, without what CPUs have yet to add";
        rss_exact, more, Bytes, {
            ((whole_count(0) + whole_count(1) + whole_count(3)) * page_size()).positive()
        }, "resident memory of its process, summed over the CPUs; slower" since (6, 2);
        vsize, more, Bytes, { field("task.mm.total_vm") * page_size() },
            "size of its process's address space";
        exit, more, Plain, {
            case([(ended().and((wait_status() & 0x7f).eq(0)), wait_status() >> 8 & 0xff)])
        }, "exit code of its process; NULL if it lives or a signal killed it";
        signal, more, Names(SIGNALS), {
            case([(ended().and((wait_status() & 0x7f).ne(0)), wait_status() & 0x7f)])
        }, "signal that killed its process; NULL if it lives or has exited";
        exe, more, Plain, { field("task.mm.exe_file").d_path() },
            "path of the file that its process executes";
        cmdline, more, Plain, { cmdline() },
            "arguments of its process, or the title that it has set";
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
        // Of other tasks, the pointer is NULL or an io_uring worker's.
        Derived::new("kthread", "worker_private", By::CastIfAny("flags", PF_KTHREAD)),
        Derived::new("worker", "kthread.data", By::CastIfAny("flags", PF_WQ_WORKER)),
    ],
    // RCU keeps alive what the helper needs of it.
    files: &["task.mm.exe_file"],
    ..View::NONE
};

/// One of the sets of capabilities: since Linux 6.3 one number, before two of 32 bits.
fn capabilities(set: &str, member: &str) -> Expr {
    let set = format!("task.real_cred.{set}.{member}");
    match member {
        "cap" => field(format!("{set}[0]")) | field(format!("{set}[1]")) << 32,
        _ => field(set),
    }
}

/// The flags of kernel threads, and of those that work for workqueues (`include/linux/sched.h`).
const PF_KTHREAD: i32 = 0x0020_0000;
const PF_WQ_WORKER: i32 = 0x0000_0020;

/// CPU time as /proc/PID/stat has it (`kernel/sched/cputime.c`, `cputime_adjust`). The scheduler knows to the nanosecond for
/// how long a thread ran; where in it, it was seen at ticks, so that only the ratio of these two counts. A kernel that
/// measures both (`CONFIG_VIRT_CPU_ACCOUNTING_NATIVE`) has no `prev_cputime.utime`, and is left as it is.
fn scaled_stime() -> Expr {
    let [ran, user, system] = cpu_times();
    scaled("stime", [Expr::from(0), ran.clone()]).or_else(part(system.clone(), ran, user + system))
}

/// The rest of it, in user mode.
fn scaled_utime() -> Expr {
    let [ran, user, system] = cpu_times();
    let rest = ran.clone() - part(system.clone(), ran.clone(), user + system);
    scaled("utime", [ran, Expr::from(0)]).or_else(rest)
}

/// For how long a thread ran, and how much of it ticks have seen in user mode and in the kernel.
fn cpu_times() -> [Expr; 3] {
    ["se.sum_exec_runtime", "utime", "stime"].map(|name| field(format!("task.{name}")))
}

/// The cases that need no ratio: it has not run since /proc was read last, or ticks have not seen it in the kernel, or not
/// in user mode.
fn scaled(time: &str, [no_stime, no_utime]: [Expr; 2]) -> Expr {
    let before = |time: &str| field(format!("task.prev_cputime.{time}"));
    let [ran, user, system] = cpu_times();
    case([
        ((before("utime") + before("stime")).ge(ran), before(time)),
        (system.eq(0), no_stime),
        (user.eq(0), no_utime),
    ])
}

/// `part * whole / of`, of times in nanoseconds, in units that neither overflow nor lose more than 65 µs, or a millionth.
fn part(part: Expr, whole: Expr, of: Expr) -> Expr {
    let in_units = |bits: i32| {
        ((part.clone() >> bits) * (whole.clone() >> bits) / ((of.clone() >> bits) | 1)) << bits
    };
    // 2⁴⁸ ns are 3 days.
    case([((of.clone() | whole.clone()).lt(1_u64 << 48), in_units(16))]).or_else(in_units(26))
}

/// Whether it has ended (EXIT_ZOMBIE or EXIT_DEAD), and its process with it: the first thread of a process may end long
/// before the others.
fn ended() -> Expr {
    field("task.exit_state").ne(0).and(field("task.signal.live.counter").eq(0))
}

/// The status that waitpid(2) gives of it: that of the whole process if all its threads ended at once
/// (`kernel/exit.c`, `wait_task_zombie`).
fn wait_status() -> Expr {
    const SIGNAL_GROUP_EXIT: i32 = 4;
    case([((field("task.signal.flags") & SIGNAL_GROUP_EXIT).ne(0), field("task.signal.group_exit_code"))])
        .or_else(field("task.exit_code"))
}

/// One of the counters of a process's pages (`MM_FILEPAGES`, `MM_ANONPAGES`, `MM_SWAPENTS`, `MM_SHMEMPAGES`), as the CPUs
/// share it; never negative, as in /proc/PID/statm.
fn shared_count(counter: usize) -> Expr {
    field(format!("task.mm.rss_stat[{counter}].count")).positive()
}

/// The same before Linux 6.2, in an array that verifiers refuse to load from.
fn atomic_count(counter: usize) -> Expr {
    field(format!("task.mm.rss_stat.count[{counter}].counter")).copied().positive()
}

/// The counter with what each CPU has yet to add to it.
fn whole_count(counter: usize) -> Expr {
    let counter = format!("task.mm.rss_stat[{counter}]");
    field(format!("{counter}.count")) + field(format!("{counter}.counters[0]"))
}

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

/// `SIG…`, as all processors have them that run iterators but MIPS, PA-RISC and SPARC (`include/uapi/asm-generic/signal.h`).
const SIGNALS: Numbers = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];

/// `SCHED_…` (`include/uapi/linux/sched.h`)
const POLICIES: Numbers =
    &[(0, "OTHER"), (1, "FIFO"), (2, "RR"), (3, "BATCH"), (5, "IDLE"), (6, "DEADLINE"), (7, "EXT")];
