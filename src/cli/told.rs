//! What a walk is told by options: of which process, map, cgroup or network namespace.

use std::ffi::OsString;
use std::fmt;
use std::iter::once;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};

use super::message::Failure;
use crate::progs::Target;
use crate::progs::target::Parameters as Takes;
use crate::sys::{CgroupOrder, CgroupStart, MapFd};
use crate::{Error, MapName, Netns, Parameters, open_cgroup};

/// The orders of a walk of cgroups, by name.
const ORDERS: [(&str, CgroupOrder); 5] = [
    ("self", CgroupOrder::SELF_ONLY),
    ("pre", CgroupOrder::DESCENDANTS_PRE),
    ("post", CgroupOrder::DESCENDANTS_POST),
    ("up", CgroupOrder::ANCESTORS_UP),
    ("children", CgroupOrder::CHILDREN),
];

/// What a walk is told.
#[derive(Args)]
pub(super) struct Told {
    /// task, task_file, task_vma: only this process
    #[arg(long, value_name = "N", conflicts_with = "tid", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// task, task_file, task_vma: only this thread
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    tid: Option<u32>,
    /// bpf_map_elem, sockmap, bpf_sk_storage_map: what this map holds; id:N, name:NAME or the path where it is pinned
    #[arg(long, value_name = "WHAT", value_parser = OsStringValueParser::new().try_map(MapName::new))]
    map: Option<MapName>,
    /// cgroup: where to begin, by the path of its directory [default: the root]
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,
    /// cgroup: only itself (self), with all below it, each before (pre) or after (post) its own, with all above it (up), or its children, since Linux 7.0 (children)
    #[arg(long, hide_possible_values = true, value_parser = PossibleValuesParser::new(ORDERS.map(|(name, _)| name)).map(|name| order(&name)))]
    order: Option<CgroupOrder>,
    /// tcp, udp, unix, netlink, ipv6_route: of this network namespace, by its path or the id of a process in it, or of all [default: kwalk's own]
    #[arg(long, value_name = "PATH|PID|all", value_parser = OsStringValueParser::new().map(Namespaces::new))]
    netns: Option<Namespaces>,
}

fn order(name: &str) -> CgroupOrder {
    ORDERS.iter().find(|(known, _)| *known == name).map_or(CgroupOrder(0), |(_, order)| *order)
}

/// What an order is called.
pub(super) fn order_name(order: CgroupOrder) -> String {
    let known = ORDERS.iter().find(|(_, known)| *known == order);
    known.map_or_else(|| order.0.to_string(), |(name, _)| (*name).into())
}

/// Which network namespaces to walk.
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
            // `parse` takes a sign.
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map_or_else(|_| Namespaces::Path((&text).into()), Namespaces::Process)
            }
            _ => Namespaces::Path(text.into()),
        }
    }

    fn open(&self) -> Result<Opened, Failure> {
        Ok(match self {
            Namespaces::All => Box::new(Netns::all()),
            Namespaces::Process(pid) => Box::new(once(Ok(Netns::of_process(*pid)?))),
            Namespaces::Path(path) => {
                Box::new(once(Ok(Netns::open(path).map_err(|error| named(path, error))?)))
            }
        })
    }
}

/// `ip netns` has names for what are files below /run/netns.
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

/// Network namespaces to walk, one after the other.
pub(super) type Opened = Box<dyn Iterator<Item = Result<Netns, Error>> + Send>;

/// What the options name, open for as long as links are told of it.
pub(super) struct Held {
    pub(super) map: Option<MapFd>,
    cgroup: Option<OwnedFd>,
}

impl Told {
    /// Refuses options that the target does not take, and the lack of one that it needs.
    pub(super) fn check(&self, target: &'static Target) -> Result<(), Error> {
        let given = [
            (self.pid.is_some() || self.tid.is_some(), Takes::Task),
            (self.map.is_some(), Takes::Map),
            (self.cgroup.is_some() || self.order.is_some(), Takes::Cgroup),
            (self.netns.is_some(), Takes::Net),
        ];
        let foreign = given.iter().any(|(given, kind)| *given && target.parameters != *kind);
        let lacks = match target.parameters {
            Takes::Map => self.map.is_none(),
            Takes::Cgroup => self.order.is_none(),
            Takes::None | Takes::Task | Takes::Net => false,
        };
        if foreign || lacks { Err(Error::Parameters { target }) } else { Ok(()) }
    }

    /// Opens the map or cgroup.
    pub(super) fn open(&self) -> Result<Held, Error> {
        Ok(Held {
            map: self.map.as_ref().map(MapName::open).transpose()?,
            cgroup: self.cgroup.as_deref().map(open_cgroup).transpose()?,
        })
    }

    /// What a link is told.
    pub(super) fn parameters<'a>(&self, held: &'a Held) -> Parameters<'a> {
        let start = held.cgroup.as_ref().map_or(CgroupStart::Root, |cgroup| CgroupStart::Fd(cgroup.as_fd()));
        match (self.pid, self.tid, &held.map, self.order) {
            (Some(pid), ..) => Parameters::Pid(pid),
            (_, Some(tid), ..) => Parameters::Tid(tid),
            (_, _, Some(map), _) => Parameters::Map(map),
            (.., Some(order)) => Parameters::Cgroup { order, start },
            _ => Parameters::None,
        }
    }

    /// Opens the network namespaces, if other than this process's own are asked for.
    pub(super) fn namespaces(&self) -> Result<Option<Opened>, Failure> {
        self.netns.as_ref().map(Namespaces::open).transpose()
    }

    /// What a walk that is told this walks, for people.
    pub(super) fn explain(&self, told: &Parameters<'_>) -> String {
        match (told, &self.netns) {
            (Parameters::Pid(pid), _) => format!("pid = {pid}"),
            (Parameters::Tid(tid), _) => format!("tid = {tid}"),
            (Parameters::Map(_), _) => {
                format!("map = {}", self.map.as_ref().map(MapName::to_string).unwrap_or_default())
            }
            (Parameters::Cgroup { order, .. }, _) => {
                let start = self.cgroup.as_deref().unwrap_or("the root".as_ref());
                format!("order = {}, cgroup = {}", order_name(*order), start.display())
            }
            (_, Some(netns)) => format!("nothing: it walks all objects; network namespace: {netns}"),
            _ => "nothing: it walks all objects".into(),
        }
    }
}
