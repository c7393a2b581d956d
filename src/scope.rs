//! What part of a target's objects a walk goes through.

use std::os::fd::BorrowedFd;

use kwalk_progs::text::Only;
use kwalk_progs::{Kernel, Parameters, Target};

use crate::error::{Error, ProcessError};
use crate::netns::Netns;
use crate::process::{exists, leads};
use crate::sys::{CgroupOrder, CgroupStart, IterLinkInfo, MapFd};

/// What part of a target's objects a walk goes through. Each kind belongs to some targets ([`Target::parameters`]), and is
/// refused for others.
#[derive(Debug, Clone, Copy, Default)]
pub enum Scope<'a> {
    /// All objects; of sockets and routes, those of the calling thread's network namespace.
    #[default]
    All,
    /// `task`, `task_file`, `task_vma`: the threads of one process, by its number here. Links filter by it since Linux 6.1.
    Pid(u32),
    /// `task`, `task_file`, `task_vma`: one thread, by its number here. Links filter by it since Linux 6.1; by one that leads
    /// no process, since 6.12.
    Tid(u32),
    /// `task`, `task_file`, `task_vma`: the threads of one process, by a pidfd. Since Linux 6.1.
    PidFd(BorrowedFd<'a>),
    /// `bpf_map_elem`, `sockmap`, `bpf_sk_storage_map`: the elements of this map. They need one.
    Map(&'a MapFd),
    /// `cgroup`: which cgroups, and in which order. It needs one. Since Linux 6.1.
    Cgroup {
        /// In which order.
        order: CgroupOrder,
        /// Around which.
        start: CgroupStart<'a>,
    },
    /// `tcp`, `udp`, `unix`, `netlink`, `ipv6_route`: what these network namespaces have, one after the other. Takes
    /// `CAP_SYS_ADMIN`.
    Netns(&'a [Netns]),
    /// The same of all network namespaces ([`Netns::all`]).
    AllNetns,
}

/// A [`Scope`] as a kernel can do it.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// What the link filters.
    pub link: Scope<'a>,
    /// What the program must test, since the link does not.
    pub test: Option<Only>,
}

impl<'a> Scope<'a> {
    /// Splits the scope into what links filter on this kernel and what the program must test itself: where links take no
    /// process, or where their walks of one are wrong ([`Kernel::filters_any_thread`]).
    ///
    /// A program sees the numbers of the first pid namespace alone. What it can't test, from another namespace, is left to
    /// the link, which then refuses it.
    ///
    /// # Errors
    ///
    /// Those of [`Scope::check`]; [`Error::Btf`] where the BTF is damaged.
    pub fn resolve(self, target: &Target, kernel: &Kernel<'_>) -> Result<Resolved<'a>, Error> {
        self.check(target)?;
        // Of what threads share, walks of one process have been seen to go on with its threads after their end.
        let is_sound = !target.shared || kernel.filters_any_thread();
        let link_filters = || Ok::<_, Error>(is_sound && kernel.links_take_tasks()?);
        let test = match self {
            Scope::Pid(pid) if !link_filters()? => Some(Only::Process(pid)),
            // A walk that passes over this thread has nothing to test.
            Scope::Tid(tid) if target.shared && !leads(tid) => None,
            Scope::Tid(tid) if is_misread(tid, kernel.filters_any_thread()) || !link_filters()? => {
                Some(Only::Thread(tid))
            }
            _ => None,
        };
        let test = test.filter(|_| kernel.first_pid_namespace);
        let link = if test.is_some() { Scope::All } else { self };
        Ok(Resolved { link, test })
    }

    /// Refuses some of what makes no sense, since the kernel does not: targets without parameters ignore them, and a walk
    /// of a process that does not exist is empty. To attach a program does this, too.
    ///
    /// # Errors
    ///
    /// [`Error::Scope`] where it is not for `target`, [`Error::Process`] where it names nobody.
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

    /// The link's parameters. A network namespace is none: what counts is where the iterator is opened.
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

/// Whether links take the number of this thread for that of a process, and walk nothing.
pub(crate) fn is_misread(tid: u32, filters_any_thread: bool) -> bool {
    !filters_any_thread && !leads(tid)
}
