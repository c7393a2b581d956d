//! A question on its way to the kernel: planned for it, then loaded and attached.

use std::iter::once;

use kwalk_progs::{Kernel, Program, Target, find};
use kwalk_query::{Expr, Plan, PlanOptions, Pushed, Select, Sink, cgroup_ids, field};

use crate::error::Error;
use crate::facts::is_in_first_pid_namespace;
use crate::iter::Iter;
use crate::link::Link;
use crate::load::Loaded;
use crate::netns::Netns;
use crate::scope::Scope;
use crate::sys::{ElemFlags, MapLookupElem, MapUpdateElem, bpf};

/// A question about the objects of a scope, planned for a kernel.
#[derive(Debug)]
pub struct Walk<'a> {
    /// What the program does.
    pub plan: Plan,
    /// What the link filters, where the whole scope or the condition lets it.
    pub link: Scope<'a>,
    kernel: Kernel<'a>,
    /// Whether what the link filters comes from the condition: then a process that is not there is no error.
    is_pushed: bool,
}

impl<'a> Walk<'a> {
    /// Plans rows.
    ///
    /// # Errors
    ///
    /// [`Error::Select`] with what is wrong with the question, [`Error::Program`] where the kernel has no such target,
    /// those of [`Scope::check`].
    pub fn plan(select: &Select, kernel: &Kernel<'a>, scope: Scope<'a>) -> Result<Walk<'a>, Error> {
        Walk::plan_with(select, kernel, scope, &PlanOptions::default())
    }

    /// Plans a count, which the kernel does without any output.
    ///
    /// # Errors
    ///
    /// As [`Walk::plan`].
    pub fn plan_count(select: &Select, kernel: &Kernel<'a>, scope: Scope<'a>) -> Result<Walk<'a>, Error> {
        Walk::plan_with(select, kernel, scope, &PlanOptions { count: true, ..PlanOptions::default() })
    }

    /// Plans with options.
    ///
    /// # Errors
    ///
    /// As [`Walk::plan`].
    pub fn plan_with(
        select: &Select,
        kernel: &Kernel<'a>,
        scope: Scope<'a>,
        options: &PlanOptions<'_>,
    ) -> Result<Walk<'a>, Error> {
        let target = find(kernel.btf, select.target())?.target;
        let link = scope.resolve(&target, kernel)?.link;
        // Links of some kernels take no process, or get it wrong: the program tests it on all.
        let plan = match condition_of(&scope, &target) {
            Some(condition) => select.clone().filter(condition).plan_with(kernel, options)?,
            None => select.plan_with(kernel, options)?,
        };
        let is_pushed = matches!(scope, Scope::All);
        let link = if is_pushed { pushed(&plan, kernel)? } else { link };
        Ok(Walk { plan, link, kernel: *kernel, is_pushed })
    }

    /// Writes and loads the program, and attaches it. Nothing of that outlives the value.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::program`], [`Loaded::load`] and [`Loaded::attach`].
    pub fn prepare(self) -> Result<Prepared<'a>, Error> {
        let loaded = Loaded::load(&self.plan.program(&self.kernel)?)?;
        let link = match loaded.attach(&self.link) {
            Err(Error::Process { .. } | Error::NoParameters { .. }) if self.is_pushed => {
                loaded.attach(&Scope::All)?
            }
            link => link?,
        };
        let cgroup_ids = match self.link {
            Scope::Cgroup { .. } => Some(cgroup_ids(&self.kernel)?),
            _ => None,
        };
        Ok(Prepared { plan: self.plan, scope: self.link, cgroup_ids, loaded, link })
    }
}

/// A question that is loaded and attached: it can be asked again and again without another load.
///
/// ```no_run
/// use kwalk::select::{Select, Walk, field};
/// use kwalk::{KernelBtf, Scope, btf::Btf, kernel};
///
/// # fn main() -> Result<(), kwalk::Error> {
/// let types = KernelBtf::open()?;
/// let btf = Btf::new(types.bytes())?;
/// let select = Select::new("task").filter(field("comm").eq("sshd"));
/// let mut walk = Walk::plan_count(&select, &kernel(&btf), Scope::All)?.prepare()?;
/// println!("{}, then {}", walk.count()?, walk.count()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(super) plan: Plan,
    pub(super) scope: Scope<'a>,
    /// The program for a walk of more cgroups than the kernel gives at once.
    pub(super) cgroup_ids: Option<Program>,
    pub(super) loaded: Loaded,
    pub(super) link: Link,
}

impl<'a> Prepared<'a> {
    /// The plan of the question.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Walks, and gives how many objects the program has counted; 0 where the plan is for rows.
    ///
    /// # Errors
    ///
    /// As [`Prepared::rows`] and [`Iter::next_chunk`].
    pub fn count(&mut self) -> Result<u64, Error> {
        let Sink::Count { map } = self.plan.sink else { return Ok(0) };
        let Some(map) = self.loaded.maps().get(map as usize) else { return Ok(0) };
        let mut value = [0; 8];
        bpf(MapUpdateElem { map, key: &[0; 4], value: &value, flags: ElemFlags::empty() })?;
        for netns in self.namespaces() {
            let mut walk = self.iter(&netns?)?;
            while !walk.next_chunk()?.is_empty() {}
        }
        bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
        Ok(u64::from_ne_bytes(value))
    }

    /// A walk in a network namespace.
    pub(super) fn iter(&self, netns: &In<'_>) -> Result<Iter, Error> {
        match netns {
            In::Own => self.link.iter(),
            In::Listed(netns) => self.link.iter_in(netns),
            In::Found(netns) => self.link.iter_in(netns),
        }
    }

    /// The network namespaces to walk in.
    pub(super) fn namespaces(&self) -> Namespaces<'a> {
        match self.scope {
            Scope::AllNetns => Box::new(Netns::all().map(|netns| netns.map(In::Found))),
            Scope::Netns(list) => Box::new(list.iter().map(|netns| Ok(In::Listed(netns)))),
            _ => Box::new(once(Ok(In::Own))),
        }
    }
}

/// Where a walk goes.
pub(super) enum In<'a> {
    /// Through the thread's own network namespace, or where there are none.
    Own,
    /// Through one of the scope's.
    Listed(&'a Netns),
    /// Through one that was found.
    Found(Netns),
}

/// Network namespaces to walk in, one after the other.
pub(super) type Namespaces<'a> = Box<dyn Iterator<Item = Result<In<'a>, Error>> + Send + 'a>;

/// What the link can filter, of what the condition is about.
fn pushed(plan: &Plan, kernel: &Kernel<'_>) -> Result<Scope<'static>, Error> {
    // The numbers in conditions are the kernel's own, those of scopes this process's.
    let scope = match plan.pushed.filter(|_| is_in_first_pid_namespace()) {
        None => return Ok(Scope::All),
        Some(Pushed::Tgid(tgid)) => Scope::Pid(tgid),
        Some(Pushed::Tid(tid)) => Scope::Tid(tid),
    };
    match scope.resolve(&plan.target, kernel) {
        Ok(resolved) => Ok(resolved.link),
        Err(Error::Process { .. }) => Ok(scope),
        Err(error) => Err(error),
    }
}

/// The condition that is true of what the scope has, if a program can tell.
fn condition_of(scope: &Scope<'_>, target: &Target) -> Option<Expr> {
    // The numbers in conditions are the kernel's own.
    let own = |name: &str| is_in_first_pid_namespace().then(|| field(format!("{}.{name}", target.object)));
    match *scope {
        Scope::Pid(pid) => Some(own("tgid")?.eq(pid)),
        Scope::Tid(tid) => Some(own("pid")?.eq(tid)),
        _ => None,
    }
}
