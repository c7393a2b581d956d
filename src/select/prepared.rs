//! Walks of a question: planned for a kernel, then loaded and attached.

use std::iter::once;

use kwalk_progs::{Kernel, Program, Target, find};
use kwalk_query::{Expr, Plan, PlanOptions, Pushed, Select, Sink, cgroup_ids, field};

use crate::error::Error;
use crate::facts::is_in_first_pid_namespace;
use crate::iter::Iter;
use crate::link::Link;
use crate::load::Loaded;
use crate::netns::Netns;
use crate::process::leads;
use crate::scope::Scope;
use crate::sys::{ElemFlags, MapLookupElem, MapUpdateElem, bpf};

/// A question, planned for a kernel and a scope.
#[derive(Debug)]
pub struct Walk<'a> {
    /// The plan, which describes the program.
    pub plan: Plan,
    /// The scope for the link: the whole scope, or a filter from the condition.
    pub link: Scope<'a>,
    kernel: Kernel<'a>,
    /// Whether the link's scope comes from the condition. In this case, a process that does not exist is no error.
    is_pushed: bool,
}

impl<'a> Walk<'a> {
    /// Plans rows.
    ///
    /// # Errors
    ///
    /// [`Error::Select`] with what is wrong with the question, [`Error::Program`] if the kernel has no such target,
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
        // On kernels whose links don't accept a process, or filter wrongly by one, the program tests it. It does so on
        // all kernels.
        let plan = match condition_of(&scope, &target) {
            Some(condition) => select.clone().filter(condition).plan_with(kernel, options)?,
            None => select.plan_with(kernel, options)?,
        };
        let narrowed = match (scope, plan.pushed) {
            (Scope::All, _) => Some(pushed(&plan, kernel)?),
            // Of what threads share, a walk of the process shows only its first thread's.
            (Scope::Pid(_), Some(Pushed::Tid(_))) if target.shared => {
                Some(pushed(&plan, kernel)?).filter(|narrowed| !matches!(narrowed, Scope::All))
            }
            _ => None,
        };
        let is_pushed = narrowed.is_some();
        Ok(Walk { plan, link: narrowed.unwrap_or(link), kernel: *kernel, is_pushed })
    }

    /// Writes, loads and attaches the program. Dropping the value unloads it.
    ///
    /// # Errors
    ///
    /// Those of [`Plan::program`], [`Loaded::load`] and [`Loaded::attach`].
    pub fn prepare(self) -> Result<Prepared<'a>, Error> {
        let loaded = Loaded::load(&self.plan.program(&self.kernel)?)?;
        // Without the link's filter, a walk of what threads share never visits a thread that does not lead its process.
        let needs_link = matches!(self.link, Scope::Tid(tid) if self.plan.target.shared && !leads(tid));
        let link = match loaded.attach(&self.link) {
            Err(Error::Process { .. }) if self.is_pushed => loaded.attach(&Scope::All)?,
            Err(Error::NoParameters { .. }) if self.is_pushed && !needs_link => loaded.attach(&Scope::All)?,
            link => link?,
        };
        let cgroup_ids = match self.link {
            Scope::Cgroup { .. } => Some(cgroup_ids(&self.kernel)?),
            _ => None,
        };
        Ok(Prepared { plan: self.plan, scope: self.link, cgroup_ids, loaded, link })
    }
}

/// A question that is loaded and attached, and can be asked repeatedly without loading again.
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
    /// The program for walks of more cgroups than the kernel shows in one.
    pub(super) cgroup_ids: Option<Program>,
    pub(super) loaded: Loaded,
    pub(super) link: Link,
}

impl<'a> Prepared<'a> {
    /// The plan of the question.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Walks, and returns the number of objects that the program has counted; 0 if the plan is for rows.
    ///
    /// # Errors
    ///
    /// Those of [`Prepared::rows`] and [`Iter::next_chunk`].
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

    /// Starts a walk in a network namespace.
    pub(super) fn iter(&self, netns: &In<'_>) -> Result<Iter, Error> {
        match netns {
            In::Own => self.link.iter(),
            In::Listed(netns) => self.link.iter_in(netns),
            In::Found(netns) => self.link.iter_in(netns),
        }
    }

    /// The network namespaces to walk.
    pub(super) fn namespaces(&self) -> Namespaces<'a> {
        match self.scope {
            Scope::AllNetns => Box::new(Netns::all().map(|netns| netns.map(In::Found))),
            Scope::Netns(list) => Box::new(list.iter().map(|netns| Ok(In::Listed(netns)))),
            _ => Box::new(once(Ok(In::Own))),
        }
    }
}

/// A network namespace to walk.
pub(super) enum In<'a> {
    /// The thread's own; also for targets without namespaces.
    Own,
    /// One that the scope lists.
    Listed(&'a Netns),
    /// One that was found in the system.
    Found(Netns),
}

/// Network namespaces to walk, one after the other.
pub(super) type Namespaces<'a> = Box<dyn Iterator<Item = Result<In<'a>, Error>> + Send + 'a>;

/// The scope for the link that the condition allows.
fn pushed(plan: &Plan, kernel: &Kernel<'_>) -> Result<Scope<'static>, Error> {
    // The numbers in conditions are those of the first pid namespace, and the numbers in scopes those of this process's
    // own.
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

/// The condition that a program tests for the scope, if it can.
fn condition_of(scope: &Scope<'_>, target: &Target) -> Option<Expr> {
    // The numbers in conditions are those of the first pid namespace.
    let own = |name: &str| is_in_first_pid_namespace().then(|| field(format!("{}.{name}", target.object)));
    match *scope {
        Scope::Pid(pid) => Some(own("tgid")?.eq(pid)),
        Scope::Tid(tid) => Some(own("pid")?.eq(tid)),
        _ => None,
    }
}
