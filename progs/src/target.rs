//! The table of iterator targets: what kinds of object a kernel can walk, and how they differ.
//!
//! One row each, and nothing per target anywhere else. Which targets a *running* kernel has is asked of its BTF
//! ([`available`]).

use std::sync::{Mutex, PoisonError};

use kwalk_btf::{Btf, Class, Kind, Path, Reason, TypeId, near};

use crate::Error;

/// What every target's context struct is called, before the target's own name (`include/linux/bpf.h`,
/// `DEFINE_BPF_ITER_FUNC`).
const CONTEXT: &str = "bpf_iter__";
/// What every target's attach function is called, before the target's own name.
const FUNC: &str = "bpf_iter_";

/// A kernel version as `(major, minor)`.
pub type Version = (u16, u16);

/// A kind of object that the kernel can walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The kernel's name, as in `bpf_iter_<name>`.
    pub name: &'static str,
    /// The first kernel that has it, if that is known.
    pub since: Option<Version>,
    /// The context argument that tells an object from the end of the walk.
    pub object: &'static str,
    /// How the program learns that the walk has ended.
    pub end: End,
    /// Whether the verifier trusts the arguments that point to kernel objects once they are known not to be NULL;
    /// only then may they go to most kfuncs.
    pub trusted: bool,
    /// Whether threads that share with their process what is walked are passed over, unless a link asks for one of them
    /// (`kernel/bpf/task_iter.c`, `skip_if_dup_files`).
    pub shared: bool,
    /// Whether walks lose objects where a read ends, without an error: the rest of a hash bucket of `unix`, since Linux 5.18
    /// (`net/unix/af_unix.c`, `bpf_iter_unix_batch` begins with the next one whatever has been shown; seen on 6.18).
    pub loses: bool,
    /// What a walk of this target can be told.
    pub parameters: Parameters,
}

/// The call that follows the last object (`kernel/bpf/bpf_iter.c`, `bpf_seq_read`; measured on 6.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The object is NULL.
    Null,
    /// The object is the last one again, not NULL: only the index in the `seq_file`, one past the object's number, tells.
    Stale,
    /// There is no such call.
    None,
}

/// What can be told about a walk: to its link (`union bpf_iter_link_info`), or by where its iterator is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// Nothing.
    None,
    /// One process or one thread, if wanted; since Linux 6.1.
    Task,
    /// Whose elements to walk: a map is needed.
    Map,
    /// Where to begin and in which order to go: an order is needed.
    Cgroup,
    /// Whose network: that of the network namespace in which the iterator is opened (`bpf_iter_init_seq_net`). The link is
    /// told nothing.
    Net,
}

impl Parameters {
    /// The options of the command line that give them.
    pub fn options(self) -> &'static str {
        match self {
            Parameters::None => "",
            Parameters::Task => "[--pid N | --tid N]",
            Parameters::Map => "--map WHAT",
            Parameters::Cgroup => "[--cgroup PATH] --order self|pre|post|up|children",
            Parameters::Net => "[--netns PATH|PID|all]",
        }
    }
}

macro_rules! targets {
    ($($name:literal $major:literal . $minor:literal $object:literal $end:ident $trust:ident $share:ident $lose:ident $parameters:ident;)*) => {
        &[$(Target {
            name: $name,
            since: Some(($major, $minor)),
            object: $object,
            end: End::$end,
            trusted: targets!(@$trust),
            shared: targets!(@$share),
            loses: targets!(@$lose),
            parameters: Parameters::$parameters,
        }),*]
    };
    (@trusted) => { true };
    (@untrusted) => { false };
    (@shared) => { true };
    (@own) => { false };
    (@loses) => { true };
    (@keeps) => { false };
}

/// Every target of the kernels up to 7.2.
pub const TARGETS: &[Target] = targets! {
    // name              since  object       end   arguments threads reads parameters
    "bpf_link"           5 . 19 "link"       Null  untrusted own     keeps None;
    "bpf_map"            5 . 8  "map"        Null  trusted   own     keeps None;
    "bpf_map_elem"       5 . 9  "key"        Null  untrusted own     keeps Map;
    "bpf_prog"           5 . 9  "prog"       Null  untrusted own     keeps None;
    "bpf_sk_storage_map" 5 . 9  "sk"         Null  untrusted own     keeps Map;
    "cgroup"             6 . 1  "cgroup"     Null  trusted   own     keeps Cgroup;
    "dmabuf"             6 . 16 "dmabuf"     None  untrusted own     keeps None;
    "ipv6_route"         5 . 8  "rt"         Null  untrusted own     keeps Net;
    "kmem_cache"         6 . 13 "s"          Null  trusted   own     keeps None;
    "ksym"               6 . 0  "ksym"       Stale untrusted own     keeps None;
    "netlink"            5 . 8  "sk"         Null  untrusted own     keeps Net;
    "sockmap"            5 . 10 "key"        Null  untrusted own     keeps Map;
    "task"               5 . 8  "task"       Null  trusted   own     keeps Task;
    "task_file"          5 . 8  "task"       Null  untrusted shared  keeps Task;
    "task_vma"           5 . 12 "task"       Null  untrusted shared  keeps Task;
    "tcp"                5 . 9  "sk_common"  Null  trusted   own     keeps Net;
    "udp"                5 . 9  "udp_sk"     Null  trusted   own     keeps Net;
    "unix"               5 . 15 "unix_sk"    Null  untrusted own     loses Net;
};

impl Target {
    /// The row of the table with this name, for a name that the compiler knows: any other does not compile, if this is
    /// asked for in a constant.
    ///
    /// ```
    /// use kwalk_progs::Target;
    /// const TASK: &Target = Target::named("task");
    /// assert_eq!(TASK.object, "task");
    /// ```
    ///
    /// # Panics
    ///
    /// Where the table has no such row.
    pub const fn named(name: &str) -> &'static Target {
        let mut nth = 0;
        while nth < TARGETS.len() {
            if equal(TARGETS[nth].name.as_bytes(), name.as_bytes()) {
                return &TARGETS[nth];
            }
            nth += 1;
        }
        panic!("no such target")
    }

    /// The row of the table with this name.
    pub fn by_name(name: &str) -> Option<&'static Target> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// `a == b`, which constants can't say.
const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut nth = 0;
    while nth < a.len() && nth < b.len() && a[nth] == b[nth] {
        nth += 1;
    }
    nth == a.len() && nth == b.len()
}

/// A target of the running kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Available<'a> {
    /// The kernel's name for it.
    pub name: &'a str,
    /// The STRUCT `bpf_iter__<name>`: the program's context.
    pub context: TypeId,
    /// Its row of the table; none for a target that is newer than this crate.
    pub known: Option<&'static Target>,
}

/// The targets that a kernel's BTF offers, in the order of their names.
///
/// A name counts if there are both the FUNC `bpf_iter_<name>`, to which a program attaches, and the STRUCT
/// `bpf_iter__<name>`, which it is handed: many functions begin with `bpf_iter_` and are no targets, and some
/// structs only mark arguments for the verifier.
///
/// # Errors
///
/// What [`Btf::with_prefix`] reports of a BTF that is damaged.
pub fn available<'a>(btf: &Btf<'a>) -> Result<Vec<Available<'a>>, kwalk_btf::Error> {
    let functions = btf.with_prefix(Kind::Func, FUNC)?;
    let mut targets: Vec<_> = btf
        .with_prefix(Kind::Struct, CONTEXT)?
        .into_iter()
        .filter_map(|(context, name)| Some((context, name.strip_prefix(CONTEXT)?)))
        .filter(|(_, name)| functions.iter().any(|(_, f)| f.strip_prefix(FUNC) == Some(name)))
        .map(|(context, name)| Available { name, context, known: Target::by_name(name) })
        .collect();
    targets.sort_by_key(|target| target.name);
    Ok(targets)
}

/// The target of this name.
///
/// # Errors
///
/// [`Error::NoTarget`] with near misses, or what [`available`] reports.
pub fn find<'a>(btf: &Btf<'a>, name: &str) -> Result<Available<'a>, Error> {
    let targets = available(btf)?;
    targets.iter().find(|target| target.name == name).copied().ok_or_else(|| Error::NoTarget {
        name: name.into(),
        since: Target::by_name(name).and_then(|target| target.since),
        near: near(name, targets.iter().map(|target| target.name)),
    })
}

impl<'a> Available<'a> {
    /// Its row of the table; for a target that is newer than this crate one made up from its context: its object is the
    /// first argument that points to a struct, or else the first, the end call has none, nothing is trusted. Such rows are
    /// kept for as long as the process lives, one for each name.
    pub fn row(&self, btf: &Btf<'a>) -> &'static Target {
        static NEWER: Mutex<Vec<&Target>> = Mutex::new(Vec::new());
        if let Some(known) = self.known {
            return known;
        }
        let mut newer = NEWER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = newer.iter().find(|row| row.name == self.name) {
            return row;
        }
        let arguments = btf.named_members(self.context).unwrap_or_default();
        let own = || arguments.iter().map(|argument| argument.name).filter(|name| *name != "meta");
        let object = own().find(|name| self.has_fields(btf, name)).or_else(|| own().next()).unwrap_or("meta");
        let kept = |name: &str| -> &'static str { String::from(name).leak() };
        let row: &'static Target = Box::leak(Box::new(Target {
            name: kept(self.name),
            since: None,
            object: kept(object),
            end: End::Null,
            trusted: false,
            shared: false,
            loses: false,
            parameters: Parameters::None,
        }));
        newer.push(row);
        row
    }

    /// Finds out how to load a field, starting from the context. The path begins with one of the context's arguments
    /// (`task.real_parent.tgid`) or else with a field of the target's object (`real_parent.tgid`).
    ///
    /// # Errors
    ///
    /// Those of [`Btf::path`]; what they say of the path is said of `path` as it is given.
    pub fn path(&self, btf: &Btf<'a>, path: &str) -> Result<Path, kwalk_btf::Error> {
        let arguments = btf.named_members(self.context)?;
        let first = path.split(['.', '[']).next().unwrap_or_default();
        let object = self.known.map(|target| target.object).filter(|object| {
            arguments.iter().all(|argument| argument.name != first) && self.has_fields(btf, object)
        });
        let Some(object) = object else { return btf.path(self.context, path) };
        btf.path(self.context, &format!("{object}.{path}")).map_err(|error| match error {
            kwalk_btf::Error::Path { at, segment, type_name, mut reason, .. } => {
                let at = at.saturating_sub(object.len() + 1);
                if let (0, Reason::NoSuchMember { near: names }) = (at, &mut reason) {
                    let all = arguments.iter().map(|argument| argument.name);
                    *names = near(first, all.chain(names.iter().map(String::as_str)));
                }
                kwalk_btf::Error::Path { path: path.into(), at, segment, type_name, reason }
            }
            error => error,
        })
    }

    /// Whether an argument points to a struct whose members are known.
    fn has_fields(&self, btf: &Btf<'a>, argument: &str) -> bool {
        let pointee = btf.path(self.context, argument).ok().and_then(|path| match path.field.class {
            Class::Ptr { pointee } => Some(pointee),
            _ => None,
        });
        pointee.is_some_and(|pointee| btf.members(pointee).is_ok())
    }
}

/// The names in BTF of a target's attach function and of its context struct.
pub(crate) fn btf_names(target: &str) -> (String, String) {
    (format!("{FUNC}{target}"), format!("{CONTEXT}{target}"))
}
