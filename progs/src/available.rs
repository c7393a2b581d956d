//! Finds the targets that a kernel's BTF offers.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use kwalk_btf::{Btf, Class, Kind, Path, Reason, TypeId, near};

use crate::error::Error;
use crate::target::{End, Parameters, Target};
use crate::targets;

/// The prefix of every target's context struct (`include/linux/bpf.h`, `DEFINE_BPF_ITER_FUNC`).
const CONTEXT: &str = "bpf_iter__";
/// The prefix of every target's attach function.
const FUNC: &str = "bpf_iter_";

/// A target of the running kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// The target's properties.
    pub target: Target,
    /// The STRUCT `bpf_iter__<name>`: the type of the program's context.
    pub context: TypeId,
}

/// Lists the targets that a kernel's BTF offers, sorted by name.
///
/// A name counts if there are both the FUNC `bpf_iter_<name>`, to which a program attaches, and the STRUCT
/// `bpf_iter__<name>`, its context: many functions begin with `bpf_iter_` and are no targets, and some of the structs
/// only mark arguments for the verifier.
///
/// # Errors
///
/// Those of [`Btf::with_prefix`] if the BTF is damaged.
pub fn available(btf: &Btf<'_>) -> Result<Vec<Available>, kwalk_btf::Error> {
    let functions = btf.with_prefix(Kind::Func, FUNC)?;
    let mut found: Vec<_> = btf
        .with_prefix(Kind::Struct, CONTEXT)?
        .into_iter()
        .filter_map(|(context, name)| Some((context, name.strip_prefix(CONTEXT)?)))
        .filter(|(_, name)| functions.iter().any(|(_, f)| f.strip_prefix(FUNC) == Some(name)))
        .map(|(context, name)| Available { target: described(btf, name, context), context })
        .collect();
    found.sort_by(|left, right| left.target.name.cmp(&right.target.name));
    Ok(found)
}

/// Finds the target with this name.
///
/// # Errors
///
/// [`Error::NoTarget`] with similar names, or those of [`available`].
pub fn find(btf: &Btf<'_>, name: &str) -> Result<Available, Error> {
    find_with(btf, name, [])
}

/// Finds the target with this name, and in the same pass over the types others that are looked up next: the BTF caches them.
///
/// # Errors
///
/// As those of [`find`].
pub fn find_with<'n>(
    btf: &Btf<'_>,
    name: &str,
    others: impl IntoIterator<Item = (Kind, &'n str)>,
) -> Result<Available, Error> {
    if let Some(target) = targets::by_name(name) {
        let (func, context) = btf_names(name);
        // Almost every walk looks up the kfunc.
        let mut wanted =
            vec![(Kind::Func, &*func), (Kind::Struct, &*context), (Kind::Func, "bpf_rdonly_cast")];
        for other in others {
            wanted.push(other);
        }
        if let [Some(_), Some(context), ..] = *btf.find_all(&wanted)? {
            return Ok(Available { target: target.clone(), context });
        }
    }
    let mut all = available(btf)?;
    match all.iter().position(|target| target.target.name == name) {
        Some(nth) => Ok(all.swap_remove(nth)),
        None => Err(Error::NoTarget {
            name: name.into(),
            since: targets::by_name(name).and_then(|target| target.since),
            near: near(name, all.iter().map(|target| &*target.target.name)),
        }),
    }
}

/// The properties of a target. If it is newer than this crate, the object is the first argument of the context that
/// points to a struct, or else the first argument; its pointers count as untrusted, and its walks have no parameters.
fn described(btf: &Btf<'_>, name: &str, context: TypeId) -> Target {
    if let Some(known) = targets::by_name(name) {
        return known.clone();
    }
    let arguments = btf.named_members(context).unwrap_or_default();
    let own = || arguments.iter().map(|argument| argument.name).filter(|name| *name != "meta");
    let object = own().find(|name| has_fields(btf, context, name)).or_else(|| own().next()).unwrap_or("meta");
    Target {
        name: Cow::Owned(name.into()),
        since: None,
        object: Cow::Owned(object.into()),
        end: End::Null,
        trusted: false,
        shared: false,
        loses: false,
        locks_memory: false,
        parameters: Parameters::None,
    }
}

/// Whether an argument of the context points to a struct with known members.
fn has_fields(btf: &Btf<'_>, context: TypeId, argument: &str) -> bool {
    let pointee = btf.path(context, argument).ok().and_then(|path| match path.field.class {
        Class::Ptr { pointee } => Some(pointee),
        _ => None,
    });
    pointee.is_some_and(|pointee| btf.members(pointee).is_ok())
}

impl Available {
    /// Resolves a field path, starting from the context. The path begins with a context argument
    /// (`task.real_parent.tgid`) or else with a field of the target's object (`real_parent.tgid`).
    ///
    /// # Errors
    ///
    /// Those of [`Btf::path`], with `path` as it was given.
    pub fn path(&self, btf: &Btf<'_>, path: &str) -> Result<Path, kwalk_btf::Error> {
        let first = path.split(['.', '[']).next().unwrap_or_default();
        let object = &*self.target.object;
        let arguments = if first == object { Vec::new() } else { btf.named_members(self.context)? };
        if first == object || arguments.iter().any(|argument| argument.name == first) {
            return btf.path(self.context, path);
        }
        let found = btf.path(self.context, &format!("{object}.{path}"));
        if found.is_err() && !has_fields(btf, self.context, object) {
            return btf.path(self.context, path);
        }
        found.map_err(|error| match error {
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
}

/// The names in BTF of a target's attach function, a FUNC, and of its context, a STRUCT. [`find`] looks up both: who
/// needs more names can look up all of them in one pass with [`Btf::find_many`], which caches its results.
pub fn btf_names(target: &str) -> (String, String) {
    (format!("{FUNC}{target}"), format!("{CONTEXT}{target}"))
}
