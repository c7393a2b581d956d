//! Which of a target's objects a walk visits.

use std::os::fd::BorrowedFd;

use kwalk_progs::text::Only;
use kwalk_progs::{Kernel, Parameters, Target};

use crate::error::{Error, ProcessError};
use crate::facts::has_initial_pids;
use crate::netns::Netns;
use crate::process::{exists, leads};
use crate::sys::{CgroupOrder, CgroupStart, IterLinkInfo, MapFd};

/// Which of a target's objects a walk visits. A target accepts the kinds that its [`Target::parameters`] name.
#[derive(Debug, Clone, Copy, Default)]
pub enum Scope<'a> {
    /// All objects; for sockets and routes, those of the calling thread's network namespace.
    #[default]
    All,
    /// `task`, `task_file`, `task_vma`: the threads of one process, by its pid in the caller's pid namespace. Links
    /// filter by it since Linux 6.1.
    Pid(u32),
    /// `task`, `task_file`, `task_vma`: one thread, by its tid in the caller's pid namespace. Links filter by it since
    /// Linux 6.1; by one that does not lead its process, since 6.12.
    Tid(u32),
    /// `task`, `task_file`, `task_vma`: the threads of one process, by a pidfd. Since Linux 6.1.
    PidFd(BorrowedFd<'a>),
    /// `bpf_map_elem`, `sockmap`, `bpf_sk_storage_map`: the elements of this map. These targets require one.
    Map(&'a MapFd),
    /// `cgroup`: which cgroups, and in which order. This target requires it. Since Linux 6.1.
    Cgroup {
        /// The order of the walk.
        order: CgroupOrder,
        /// The cgroup that the order refers to.
        start: CgroupStart<'a>,
    },
    /// `tcp`, `udp`, `unix`, `netlink`, `ipv6_route`: the objects of these network namespaces, one namespace after the
    /// other. Needs `CAP_SYS_ADMIN`.
    Netns(&'a [Netns]),
    /// The same for all network namespaces ([`Netns::all`]).
    AllNetns,
}

/// A [`Scope`], split between the link and the program.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// The scope for the link.
    pub link: Scope<'a>,
    /// The process or thread that the program must test, because the link does not filter by it.
    pub test: Option<Only>,
}

impl<'a> Scope<'a> {
    /// Splits the scope into what links filter on this kernel and what the program must test itself: on kernels whose
    /// links accept no process, or walk one wrongly ([`Kernel::filters_any_thread`]).
    ///
    /// A program sees only the numbers of the first pid namespace. For a caller in another one, the scope stays with
    /// the link, which then refuses it.
    ///
    /// # Errors
    ///
    /// Those of [`Scope::check`]; [`Error::Btf`] if the BTF is damaged.
    pub fn resolve(self, target: &Target, kernel: &Kernel<'_>) -> Result<Resolved<'a>, Error> {
        self.check(target)?;
        // Before 6.12, walks of what threads share continue after the end with the process's other threads.
        let is_sound = !target.shared || kernel.filters_any_thread();
        let link_filters = || Ok::<_, Error>(is_sound && kernel.links_take_tasks()?);
        let test = match self {
            Scope::Pid(pid) if !link_filters()? => Some(Only::Process(pid)),
            // The walk shows shared objects once, with the leader: it never visits this thread.
            Scope::Tid(tid) if target.shared && !leads(tid) => None,
            Scope::Tid(tid) if is_misread(tid, kernel.filters_any_thread()) || !link_filters()? => {
                Some(Only::Thread(tid))
            }
            _ => None,
        };
        let test = test.filter(|_| has_initial_pids());
        let link = if test.is_some() { Scope::All } else { self };
        Ok(Resolved { link, test })
    }

    /// Checks what the kernel does not: it ignores parameters that a target does not have, and gives an empty walk for
    /// a process that does not exist. [`Loaded::attach`](crate::Loaded::attach) calls this.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] if the scope is not for `target`, [`Error::Process`] if no process or thread has its number.
    pub fn check(&self, target: &Target) -> Result<(), Error> {
        let takes = match self {
            Scope::All => !matches!(target.parameters, Parameters::Map | Parameters::Cgroup),
            Scope::Pid(_) | Scope::Tid(_) | Scope::PidFd(_) => target.parameters == Parameters::Task,
            Scope::Map(_) => target.parameters == Parameters::Map,
            Scope::Cgroup { .. } => target.parameters == Parameters::Cgroup,
            Scope::Netns(_) | Scope::AllNetns => target.parameters == Parameters::Net,
        };
        if !takes {
            return Err(Error::Scope { target: target.name.clone().into(), takes: target.parameters });
        }
        match *self {
            Scope::Pid(pid) if !leads(pid) => {
                let reason = if exists(pid) { ProcessError::Thread } else { ProcessError::NoProcess };
                Err(Error::Process { number: pid, reason })
            }
            Scope::Tid(tid) if !exists(tid) => {
                Err(Error::Process { number: tid, reason: ProcessError::NoThread })
            }
            _ => Ok(()),
        }
    }

    /// The link's parameters. A network namespace is none of them: it is that of the thread that starts the walk.
    pub(crate) fn link_info(&self) -> IterLinkInfo<'a> {
        match *self {
            Scope::All | Scope::Netns(_) | Scope::AllNetns => IterLinkInfo::None,
            Scope::Pid(pid) => IterLinkInfo::Pid(pid),
            Scope::Tid(tid) => IterLinkInfo::Tid(tid),
            Scope::PidFd(fd) => IterLinkInfo::PidFd(fd),
            Scope::Map(map) => IterLinkInfo::Map(map),
            Scope::Cgroup { order, start } => IterLinkInfo::Cgroup { order, start },
        }
    }
}

/// Whether links on this kernel take the number of this thread for that of a process, and give an empty walk.
pub(crate) fn is_misread(tid: u32, filters_any_thread: bool) -> bool {
    !filters_any_thread && !leads(tid)
}
