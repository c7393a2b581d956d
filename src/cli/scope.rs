//! The options that restrict a walk: to a process, a map, a cgroup or network namespaces.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use clap::Args;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};

use crate::message::Failure;
use crate::usage;
use kwalk::progs::{Parameters, Target};
use kwalk::sys::{CgroupOrder, CgroupStart, MapFd};
use kwalk::{Error, MapName, Netns, Scope, open_cgroup};

/// The orders of cgroup walks, by name.
const ORDERS: [(&str, CgroupOrder); 5] = [
    ("self", CgroupOrder::SELF_ONLY),
    ("pre", CgroupOrder::DESCENDANTS_PRE),
    ("post", CgroupOrder::DESCENDANTS_POST),
    ("up", CgroupOrder::ANCESTORS_UP),
    ("children", CgroupOrder::CHILDREN),
];

/// The part of a target's objects to walk.
#[derive(Args)]
pub(crate) struct ScopeArgs {
    /// task, task_file, task_vma: only this process, by its number in kwalk's pid namespace
    #[arg(long, value_name = "N", conflicts_with = "tid", allow_negative_numbers = true, value_parser = usage::process)]
    pid: Option<u32>,
    /// task, task_file, task_vma: only this thread, by its number in kwalk's pid namespace
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = usage::process)]
    tid: Option<u32>,
    /// bpf_map_elem, sockmap, bpf_sk_storage_map: the map whose elements to walk; id:N, name:NAME or the path where it
    /// is pinned
    #[arg(long, value_name = "WHAT", value_parser = OsStringValueParser::new().try_map(MapName::new))]
    map: Option<MapName>,
    /// cgroup: where to begin, by the path of its directory [default: the root]
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,
    /// cgroup: only itself (self), with its descendants, each before (pre) or after (post) its children, with its
    /// ancestors (up), or only its children, since Linux 7.0 (children)
    /// [default: pre]
    #[arg(long, hide_possible_values = true, value_parser = PossibleValuesParser::new(ORDERS.map(|(name, _)| name)).map(|name| order(&name)))]
    order: Option<CgroupOrder>,
    /// tcp, udp, unix, netlink, ipv6_route: of this network namespace, by its path or the id of a process in it, or of
    /// all that a process, thread, descriptor or mount keeps [default: kwalk's own]
    #[arg(long, value_name = "PATH|PID|all", value_parser = OsStringValueParser::new().map(Namespaces::new))]
    netns: Option<Namespaces>,
}

fn order(name: &str) -> CgroupOrder {
    ORDERS.iter().find(|(known, _)| *known == name).map_or(CgroupOrder(0), |(_, order)| *order)
}

/// The name of an order.
pub(crate) fn order_name(order: CgroupOrder) -> String {
    let known = ORDERS.iter().find(|(_, known)| *known == order);
    known.map_or_else(|| order.0.to_string(), |(name, _)| (*name).into())
}

/// The network namespaces to walk.
#[derive(Debug, Clone)]
enum Namespaces {
    All,
    Process(u32),
    Path(PathBuf),
}

impl Namespaces {
    fn new(text: OsString) -> Namespaces {
        match text.to_str() {
            Some("all") => Namespaces::All,
            // `parse` accepts a sign.
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map_or_else(|_| Namespaces::Path((&text).into()), Namespaces::Process)
            }
            _ => Namespaces::Path(text.into()),
        }
    }
}

/// Adds a hint if the path is a name of `ip netns`, which stands for a file in /run/netns.
fn named(path: &Path, error: Error) -> Failure {
    let file = Path::new("/run/netns").join(path);
    match path.components().count() < 2 && !path.exists() && file.is_file() {
        true => Failure::usage_hint(error.to_string(), format!("did you mean --netns {}?", file.display())),
        false => error.into(),
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Namespaces::All => f.write_str("all"),
            Namespaces::Process(pid) => write!(f, "that of process {pid}"),
            Namespaces::Path(path) => path.display().fmt(f),
        }
    }
}

/// The objects that the options name. They stay open for the lifetime of the walk's scope.
pub(crate) struct Opened {
    pub(crate) map: Option<MapFd>,
    cgroup: Option<OwnedFd>,
    netns: Option<Netns>,
}

impl ScopeArgs {
    /// Refuses options that the target does not accept, and the absence of one that it requires.
    pub(crate) fn check(&self, target: &Target) -> Result<(), Error> {
        let given = [
            (self.pid.is_some() || self.tid.is_some(), Parameters::Task),
            (self.map.is_some(), Parameters::Map),
            (self.cgroup.is_some() || self.order.is_some(), Parameters::Cgroup),
            (self.netns.is_some(), Parameters::Net),
        ];
        let foreign = given.iter().any(|(given, kind)| *given && target.parameters != *kind);
        let lacks = target.parameters == Parameters::Map && self.map.is_none();
        match foreign || lacks {
            true => Err(Error::Scope { target: target.name.clone().into(), takes: target.parameters }),
            false => Ok(()),
        }
    }

    /// Opens the objects that the options name.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let netns = match &self.netns {
            Some(Namespaces::Process(pid)) => Some(Netns::of_process(*pid)?),
            Some(Namespaces::Path(path)) => Some(Netns::open(path).map_err(|error| named(path, error))?),
            Some(Namespaces::All) | None => None,
        };
        Ok(Opened {
            map: self.map.as_ref().map(MapName::open).transpose()?,
            cgroup: self.cgroup.as_deref().map(open_cgroup).transpose()?,
            netns,
        })
    }

    /// The scope of this target that the options describe.
    pub(crate) fn scope<'a>(&self, opened: &'a Opened, target: &Target) -> Scope<'a> {
        let order = self.order.unwrap_or(CgroupOrder::DESCENDANTS_PRE);
        let cgroup = opened.cgroup.as_ref();
        let start = cgroup.map_or(CgroupStart::Root, |cgroup| CgroupStart::Fd(cgroup.as_fd()));
        match *self {
            ScopeArgs { pid: Some(pid), .. } => Scope::Pid(pid),
            ScopeArgs { tid: Some(tid), .. } => Scope::Tid(tid),
            _ if target.parameters == Parameters::Cgroup => Scope::Cgroup { order, start },
            ScopeArgs { netns: Some(Namespaces::All), .. } => Scope::AllNetns,
            _ => match opened {
                Opened { map: Some(map), .. } => Scope::Map(map),
                Opened { netns: Some(netns), .. } => Scope::Netns(from_ref(netns)),
                _ => Scope::All,
            },
        }
    }

    /// Describes the link's parameters for `--explain`.
    pub(crate) fn explain(&self, link: &Scope<'_>) -> String {
        match (link, &self.netns) {
            (Scope::Pid(pid), _) => format!("pid = {pid}"),
            (Scope::Tid(tid), _) => format!("tid = {tid}"),
            (Scope::Map(_), _) => {
                format!("map = {}", self.map.as_ref().map(MapName::to_string).unwrap_or_default())
            }
            (Scope::Cgroup { order, .. }, _) => {
                let start = self.cgroup.as_deref().unwrap_or("the root".as_ref());
                format!("order = {}, cgroup = {}", order_name(*order), start.display())
            }
            (_, Some(netns)) => format!("nothing: it walks all objects; network namespace: {netns}"),
            _ => "nothing: it walks all objects".into(),
        }
    }
}
