//! Walks of a question: planned for a kernel, then loaded and attached.

use std::iter::once;

use kwalk_progs::{Kernel, Program, Target};
use kwalk_query::{
    Expr, NthRow, Plan, PlanOptions, Pushed, Select, Sink, Undecided, cgroup_ids, field, find,
};

use super::namespaces::Search;
use super::output::Output;
use super::repeats::Repeats;
use crate::error::Error;
use crate::iter::Iter;
use crate::link::Link;
use crate::load::Loaded;
use crate::netns::Netns;
use crate::process::leads;
use crate::scope::Scope;
use crate::sys::{ElemFlags, MapFd, MapLookupElem, MapUpdateElem, bpf};

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

    /// Plans a count, which the kernel does without any output, unless user space tests a part of the condition.
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
        // Rows of several namespaces say which.
        let has_several = matches!(scope, Scope::AllNetns | Scope::Netns([_, _, ..]));
        let options = &PlanOptions { netns: options.netns || has_several, ..*options };
        // On kernels whose links don't accept a process, or filter wrongly by one, the program tests it. It does so on
        // all kernels.
        let plan = match condition_of(&scope, &target, kernel) {
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
        let search = match self.link {
            Scope::AllNetns => Some(Search::new(&self.kernel)?),
            _ => None,
        };
        Ok(Prepared { plan: self.plan, scope: self.link, cgroup_ids, search, loaded, link })
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
    /// The programs that find all network namespaces.
    search: Option<Search>,
    pub(super) loaded: Loaded,
    pub(super) link: Link,
}

impl<'a> Prepared<'a> {
    /// The plan of the question.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Walks, and returns the number of objects that the program has counted, or of rows if user space tests a part of
    /// the condition; 0 if the plan is for rows.
    ///
    /// # Errors
    ///
    /// Those of [`Prepared::rows`], [`Rows::next_row`](super::Rows::next_row) and [`Iter::next_chunk`].
    pub fn count(&mut self) -> Result<u64, Error> {
        let map = match self.plan.sink {
            Sink::Count { map } => map,
            Sink::Rows { shown: 0, .. } => {
                let (mut rows, mut count) = (self.rows()?, 0);
                while rows.next_row()?.is_some() {
                    count += 1;
                }
                return Ok(count);
            }
            _ => return Ok(0),
        };
        let Some(map) = self.loaded.maps().get(map as usize) else { return Ok(0) };
        let mut value = [0; 8];
        bpf(MapUpdateElem { map, key: &[0; 4], value: &value, flags: ElemFlags::empty() })?;
        self.set_undecided(&[0; Undecided::SIZE])?;
        for walk in Repeats::new(&*self, self.namespaces()) {
            if let Output::Iter(mut walk) = walk? {
                while !walk.next_chunk()?.is_empty() {}
            }
        }
        bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
        Ok(u64::from_ne_bytes(value))
    }

    /// The number of objects that the last walk left out, or showed with a NULL, because a condition could not be decided:
    /// see [`Plan::undecided`]. With several rows of an object, each counts.
    ///
    /// # Errors
    ///
    /// [`Error::Sys`].
    pub fn undecided(&self) -> Result<u64, Error> {
        Ok(Undecided::count(&self.undecided_element()?))
    }

    /// The element of the map that counts what could not be decided; zeros if the program has no such map.
    pub(super) fn undecided_element(&self) -> Result<[u8; Undecided::SIZE], Error> {
        let mut value = [0; Undecided::SIZE];
        if let Some(map) = self.undecided_map() {
            bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
        }
        Ok(value)
    }

    /// Sets that element, before a walk or after one whose output was discarded.
    pub(super) fn set_undecided(&self, value: &[u8; Undecided::SIZE]) -> Result<(), Error> {
        if let Some(map) = self.undecided_map() {
            bpf(MapUpdateElem { map, key: &[0; 4], value, flags: ElemFlags::empty() })?;
        }
        Ok(())
    }

    fn undecided_map(&self) -> Option<&MapFd> {
        self.loaded.maps().get(self.plan.undecided.as_ref()?.map as usize)
    }

    /// Sets which row of each object the next walk shows.
    pub(super) fn set_row(&self, row: NthRow) -> Result<(), Error> {
        if let Some(map) = self.row_map() {
            bpf(MapUpdateElem { map, key: &[0; 4], value: &row.value(), flags: ElemFlags::empty() })?;
        }
        Ok(())
    }

    /// The row after this one, which the last walk has shown, if an object has more.
    pub(super) fn row_after(&self, row: NthRow) -> Result<Option<NthRow>, Error> {
        let mut value = [0; NthRow::SIZE];
        if let Some(map) = self.row_map() {
            bpf(MapLookupElem { map, key: &[0; 4], value: &mut value })?;
        }
        Ok(row.next(&value))
    }

    fn row_map(&self) -> Option<&MapFd> {
        self.loaded.maps().get(self.plan.row? as usize)
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
            Scope::Netns(list) => Box::new(list.iter().map(|netns| Ok(In::Listed(netns)))),
            _ => match &self.search {
                Some(search) => Box::new(search.namespaces().map(|netns| netns.map(In::Found))),
                None => Box::new(once(Ok(In::Own))),
            },
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
    let scope = match plan.pushed {
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
fn condition_of(scope: &Scope<'_>, target: &Target, kernel: &Kernel<'_>) -> Option<Expr> {
    // The fields have the numbers of the initial pid namespace. In another one, links filter, or refuse to.
    let own = |name: &str| kernel.has_initial_pids.then(|| field(format!("{}.{name}", target.object)));
    match *scope {
        Scope::Pid(pid) => Some(own("tgid")?.eq(pid)),
        Scope::Tid(tid) => Some(own("pid")?.eq(tid)),
        _ => None,
    }
}
