//! Resolves the names in a question for one kernel: columns, fields, derived roots.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use kwalk_asm::Helper;
use kwalk_btf::{Class, Field, Hop, Kind as BtfKind, Reason as PathReason, TypeId};
use kwalk_progs::Span;
use kwalk_progs::{Available, Kernel, Target, Version};

use crate::columns::{NamedColumn, Source};
use crate::completion::Fill;
use crate::derived::{By, Derived, Found};
use crate::elements::{Elements, first, is_bytes, whole};
use crate::error::{Error, Kind, Reason};
use crate::expr::{Expr, Node};
use crate::function::{self, Function, FunctionInfo};
use crate::ir::{Number, Text, TextKind, Value};
use crate::place::{Base, Place};
use crate::targets::view;
use crate::view::{FUNCTIONS, View};

/// The first kernel with `bpf_rdonly_cast`.
const CAST_SINCE: Version = (6, 2);

/// Where a path leads: from where it starts, how it goes on, and how many pointers it follows before a per-CPU pointer, if
/// it crosses one.
type Reached = (Base, kwalk_btf::Path, Option<usize>);

/// Resolves names for one target, and collects what the program must look up for them.
pub(crate) struct Names<'a> {
    pub(crate) kernel: Kernel<'a>,
    pub(crate) target: Available,
    /// The offset of the object in the context.
    object_at: u32,
    /// The type of the object, if it is known.
    pub(crate) object: Option<TypeId>,
    /// The names that were resolved: most occur in a column and in the condition.
    known: BTreeMap<String, Place>,
    pub(crate) view: &'static View,
    pub(crate) elements: Option<Elements<'a>>,
    /// The ids of [`FUNCTIONS`] in the kernel, looked up on first use.
    functions: OnceCell<[Option<TypeId>; FUNCTIONS.len()]>,
    /// The derived roots that the program looks up, in this order.
    pub(crate) derived: Vec<Found>,
    /// The number of the current fragment.
    pub(crate) fragment: u32,
    /// Whether the program must be sleepable.
    pub(crate) sleeps: bool,
    /// Whether the program calls `bpf_d_path`.
    pub(crate) paths: bool,
    /// Whether a pointer is loaded through the object.
    pub(crate) follows: bool,
}

impl<'a> Names<'a> {
    /// Resolves names for a target with the context struct `context`.
    pub(crate) fn new(
        kernel: &Kernel<'a>,
        target: &Target,
        context: TypeId,
        elements: Option<Elements<'a>>,
    ) -> Result<Names<'a>, kwalk_btf::Error> {
        let object = kernel.btf.path(context, &target.object)?.field;
        let object_at = object.offset;
        let object = match object.class {
            Class::Ptr { pointee } => Some(pointee),
            _ => None,
        };
        let (view, known) = (view(&target.name), BTreeMap::new());
        let target = Available { target: target.clone(), context };
        Ok(Names {
            kernel: *kernel,
            target,
            object_at,
            object,
            known,
            view,
            elements,
            functions: OnceCell::new(),
            derived: Vec::new(),
            fragment: 0,
            sleeps: false,
            paths: false,
            follows: false,
        })
    }

    /// The target's column with this name.
    pub(crate) fn column(&self, name: &str) -> Option<&'static NamedColumn> {
        self.view.columns.iter().find(|column| column.name == name)
    }

    /// What user space fills in for an expression: for `cmdline()`, the column of that, or an element of the column.
    pub(crate) fn filled(&self, expr: &Expr) -> Option<Fill> {
        let is_call = |expr: &Expr| matches!(expr.node, Node::Call(Function::Cmdline, _));
        let Node::Name(name) = &expr.node else { return is_call(expr).then_some(Fill::Arguments) };
        let (column, index) = name.split_once('[').map_or((name.as_str(), None), |(a, b)| (a, Some(b)));
        let Source::Exprs([whole, ..]) = self.column(column)?.source else { return None };
        let fill = match index {
            Some(index) => Fill::Argument(index.strip_suffix(']')?.parse().ok()?),
            None => Fill::Arguments,
        };
        is_call(&whole()).then_some(fill)
    }

    /// Resolves a column or field name. What is behind a per-CPU pointer is at no one place, and refused.
    pub(crate) fn place(&mut self, name: &str, span: Option<&Span>) -> Result<Place, Error> {
        let place = self.found(name, span)?;
        match place.per_cpu {
            Some(_) => Err(Error::new(Reason::PerCpu { what: name.into() }, span.cloned())),
            None => Ok(place),
        }
    }

    /// The value of a column or field with this name.
    pub(crate) fn named(&mut self, name: &str, span: Option<&Span>) -> Result<Value, Error> {
        let place = self.found(name, span)?;
        match place.per_cpu {
            Some(at) => self.sum(&place, at, span).map(Value::Number),
            None => self.value(place, span),
        }
    }

    /// Resolves a column or field name; what is behind a per-CPU pointer, too.
    pub(crate) fn found(&mut self, name: &str, span: Option<&Span>) -> Result<Place, Error> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let own = [name];
        let paths = match self.column(name).map(|column| &column.source) {
            Some(Source::Paths(paths)) => paths,
            Some(Source::Pid(path, _)) => core::slice::from_ref(path),
            _ => &own[..],
        };
        let (mut found, mut spelled) = (Err(kwalk_btf::Error::Void), name);
        let mut newer = None;
        for path in paths {
            if let Some(reason) = self.newer(path) {
                newer = Some(reason);
                continue;
            }
            (found, spelled) = (self.path(path), path);
            if found.is_ok() {
                break;
            }
        }
        let why = |error| newer.or_else(|| self.since(name)).unwrap_or_else(|| self.unknown(name, error));
        let (base, path, per_cpu) = found.map_err(|error| Error::new(why(error), span.cloned()))?;
        // The verifier treats what is behind a pointer to pointers as a number.
        let is_lost = |hop: &Hop| matches!(self.kernel.btf.class(hop.pointee), Ok(Class::Ptr { .. }));
        if path.hops.iter().any(is_lost) {
            return Err(Error::new(
                Reason::Unsupported("a path through a pointer to pointers"),
                span.cloned(),
            ));
        }
        let pointer = matches!(path.field.class, Class::Ptr { .. });
        self.follows |= base == Base::Object && (pointer || !path.hops.is_empty());
        let place = Place { path: spelled.into(), per_cpu, ..Place::new(base, &path, name) };
        self.known.insert(name.into(), place.clone());
        Ok(place)
    }

    /// Resolves a path from the context on. The verifier knows the type of what is loaded there, so helpers accept it.
    pub(crate) fn argument(&self, name: &str, span: Option<&Span>) -> Result<Place, Error> {
        let path = self.target.path(self.kernel.btf, name);
        let path = path.map_err(|error| Error::new(self.unknown(name, error), span.cloned()))?;
        match self.crosses_per_cpu(name, &path) {
            Some(_) => Err(Error::new(Reason::PerCpu { what: name.into() }, span.cloned())),
            None => Ok(Place::new(Base::Context, &path, name)),
        }
    }

    /// The name of the field's type, or of the type that it points to.
    pub(crate) fn type_name(&self, place: &Place) -> &'a str {
        let id = match place.field.class {
            Class::Ptr { pointee } => pointee,
            _ => place.field.ty,
        };
        self.kernel.btf.get(id).map_or("", |ty| ty.name())
    }

    /// Whether the kernel has a function, one of [`FUNCTIONS`].
    pub(crate) fn has(&self, function: &str) -> bool {
        let find = || self.kernel.btf.find_many(FUNCTIONS.map(|name| (BtfKind::Func, name)));
        let found = self.functions.get_or_init(|| find().unwrap_or_default());
        debug_assert!(FUNCTIONS.contains(&function), "{function}");
        FUNCTIONS.iter().zip(found).any(|(name, found)| *name == function && found.is_some())
    }

    /// The offset of a struct's field: of the first of `fields` that it has.
    pub(crate) fn offset<const N: usize>(
        &self,
        structure: &str,
        fields: [&str; N],
        span: Option<&Span>,
    ) -> Result<u32, Error> {
        let find = |field| {
            Ok(self.kernel.btf.path(self.kernel.btf.find(BtfKind::Struct, structure)?, field)?.field.offset)
        };
        let mut found = Err(kwalk_btf::Error::Void);
        for field in fields {
            found = found.or_else(|_| find(field));
        }
        found.map_err(|error| Error::new(Reason::Field(error), span.cloned()))
    }

    /// Resolves a path, and tells from which register it starts, and how many pointers it follows before a per-CPU
    /// pointer, if it crosses one.
    fn path(&mut self, path: &str) -> Result<Reached, kwalk_btf::Error> {
        let btf = self.kernel.btf;
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        if let Some(derived) = self.root(path) {
            let nth = self.derive(derived)?;
            let ty = self.derived.get(nth).ok_or(kwalk_btf::Error::Void)?.ty;
            let found = if path == first { whole(btf, ty) } else { btf.path(ty, rest) }?;
            let per_cpu = self.crosses_per_cpu_from(ty, rest, &found);
            return Ok((Base::Derived(nth), found, per_cpu));
        }
        if let Some(found) = self.element(path) {
            return found.map(|(base, found)| (base, found, None));
        }
        let path = &*self.numbered(path);
        let mut found = self.target.path(btf, path)?;
        let per_cpu = self.crosses_per_cpu(path, &found);
        // The object is in a register already.
        Ok(match found.hops.first() {
            Some(hop) if hop.offset == self.object_at => {
                found.hops.remove(0);
                (Base::Object, found, per_cpu.and_then(|at| at.checked_sub(1)))
            }
            _ => (Base::Context, found, per_cpu),
        })
    }

    /// The derived root that a path begins with.
    fn root(&self, path: &str) -> Option<&'static Derived> {
        let first = path.split_once('.').map_or(path, |(first, _)| first);
        self.view.derived.iter().find(|derived| derived.name == first)
    }

    /// Replaces the name of a controller of cgroups in brackets, as in `subsys[memory_cgrp_id]`, by its number, which depends
    /// on what the kernel was built with.
    pub(crate) fn numbered<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let number = || {
            let (before, rest) = path.split_once('[')?;
            let (name, after) = rest.split_once(']')?;
            name.ends_with("_cgrp_id").then_some(())?;
            let all =
                self.kernel.btf.enumerators(self.kernel.btf.find(BtfKind::Enum, "cgroup_subsys_id").ok()?);
            let found = all.ok()?.flatten().find(|one| one.name == name)?;
            Some(format!("{before}[{}]{after}", found.value))
        };
        number().map_or(Cow::Borrowed(path), Cow::Owned)
    }

    /// Resolves a path into a map's key or value whose type is known.
    fn element(&self, path: &str) -> Option<Result<(Base, kwalk_btf::Path), kwalk_btf::Error>> {
        let elements = self.elements?;
        let argument = self.target.path(self.kernel.btf, first(path).0).ok()?;
        let hop = argument.field.offset;
        Some(elements.path(path)?.map(|mut path| match hop == self.object_at {
            true => (Base::Object, path),
            false => {
                path.hops.push(Hop { offset: hop, pointee: TypeId(0), per_cpu: false });
                (Base::Context, path)
            }
        }))
    }

    /// A map's key or value, or a struct, an array or a number of more than 8 bytes in it, as bytes; `None` if `name` is none
    /// of these.
    pub(crate) fn bytes(&mut self, name: &str) -> Option<Text> {
        let (argument, below) = first(name);
        let (whole, found) = (self.elements?.size(argument)?, self.elements?.path(name));
        let place = self.argument(argument, None).ok()?;
        let (at, size) = match (found, below) {
            (Some(Ok(path)), _) if !is_bytes(&path.field) => return None,
            (_, "") => (0, whole),
            (Some(Ok(path)), _) if path.field.size > 0 => (path.field.offset, path.field.size),
            _ => return None,
        };
        Some(Text { place, kind: TextKind::Bytes { at, size } })
    }

    /// Whether a field is in a map's key or value, whose type is the map's own.
    pub(crate) fn is_in_element(&self, place: &Place) -> bool {
        self.elements.is_some_and(|elements| elements.btf(&place.path).is_some())
    }

    /// The default columns of keys and values.
    pub(crate) fn elements(&self) -> Vec<String> {
        let Some(elements) = self.elements else { return Vec::new() };
        let here = ["key", "value"].into_iter().filter(|name| self.argument(name, None).is_ok());
        here.flat_map(|name| elements.columns(name)).collect()
    }

    /// Adds a derived root to those that the program looks up, and returns its number.
    fn derive(&mut self, derived: &'static Derived) -> Result<usize, kwalk_btf::Error> {
        if let Some(nth) = self.derived.iter().position(|known| known.derived.name == derived.name) {
            return Ok(nth);
        }
        let ty = self.kernel.btf.find(BtfKind::Struct, derived.ty)?;
        let from = match derived.by {
            By::Helper(_) if self.root(derived.from).is_some() => Some(self.source_place(derived.from)?),
            // A helper requires a pointer whose type the verifier knows.
            By::Helper(_) | By::CastIf(..) => Some(Place::new(
                Base::Context,
                &self.target.path(self.kernel.btf, derived.from)?,
                derived.from,
            )),
            By::Reader | By::RowElement(_) => None,
            By::Choice(_) | By::Element(_) if derived.from.is_empty() => None,
            By::Cast | By::CastIfAny(..) | By::Choice(_) | By::Element(_) => {
                Some(self.source_place(derived.from)?)
            }
        };
        let guard = match derived.by {
            By::CastIf(field, ..)
                if self.lacks_kfunc("bpf_rdonly_cast", derived.name, CAST_SINCE).is_none() =>
            {
                Some(self.source_place(field)?)
            }
            By::CastIfAny(bits, _) => Some(self.source_place(bits)?),
            _ => None,
        };
        let mut choices = Vec::new();
        let pairs = match &derived.by {
            By::Choice(all) => *all,
            By::Element(one) => core::slice::from_ref(one),
            By::Helper(_)
            | By::Reader
            | By::Cast
            | By::CastIf(..)
            | By::CastIfAny(..)
            | By::RowElement(_) => &[],
        };
        for (first, second) in pairs {
            choices.push((self.source_place(first)?, self.source_place(second)?));
        }
        let array = match derived.by {
            By::RowElement(path) => Some(self.source_place(path)?),
            _ => None,
        };
        self.derived.push(Found { derived, fragment: self.fragment, ty, from, guard, choices, array });
        Ok(self.derived.len() - 1)
    }

    /// Resolves a path that a derived root depends on.
    fn source_place(&mut self, path: &str) -> Result<Place, kwalk_btf::Error> {
        let (base, found, _) = self.path(path)?;
        self.follows |= base == Base::Object;
        Ok(Place::new(base, &found, path))
    }

    /// Why `what` can't be done: it needs a kfunc, which the kernel lacks (it came with version `since`) or refuses for
    /// want of a JIT. `None` if it can.
    pub(crate) fn lacks_kfunc(&self, function: &str, what: &'static str, since: Version) -> Option<Reason> {
        match self.has(function) {
            false => Some(Reason::Since { what, since }),
            true if !self.kernel.has_jit => Some(Reason::NoJit { what }),
            true => None,
        }
    }

    /// The reason for an unknown name that is a column of newer kernels.
    pub(crate) fn since(&self, name: &str) -> Option<Reason> {
        let column = self.column(name)?;
        Some(Reason::Since { what: column.name, since: column.since? })
    }
    /// Why this kernel can't have the derived root that the path starts with; `None` if it can, or the path starts with
    /// none.
    fn newer(&self, path: &str) -> Option<Reason> {
        let derived = self.root(path)?;
        match derived.by {
            By::Helper(helper @ Helper::SkcToUnixSock) if !self.has("bpf_skc_to_unix_sock") => {
                Some(Reason::Since { what: derived.name, since: helper.since() })
            }
            By::Helper(helper @ Helper::SockFromFile) if !self.has("bpf_sock_from_file") => {
                Some(Reason::Since { what: derived.name, since: helper.since() })
            }
            By::Helper(_) | By::Reader | By::CastIf(..) => None,
            By::Cast | By::CastIfAny(..) | By::Element(_) | By::RowElement(_) => {
                self.lacks_kfunc("bpf_rdonly_cast", derived.name, CAST_SINCE)
            }
            By::Choice(_) => self.newer(derived.from),
        }
    }

    /// The first kernel that can have a derived root; `None` if each can that has the target.
    pub(crate) fn root_since(&self, derived: &Derived) -> Option<Version> {
        match derived.by {
            By::Helper(helper) | By::CastIf(.., helper) => Some(helper.since()),
            By::Reader => Some(Helper::GetCurrentTaskBtf.since()),
            By::Cast | By::CastIfAny(..) | By::Element(_) | By::RowElement(_) => Some(CAST_SINCE),
            By::Choice(_) => self.root_since(self.root(derived.from)?),
        }
    }

    /// The reason for an unknown name.
    pub(crate) fn unknown(&self, name: &str, error: kwalk_btf::Error) -> Reason {
        if error == kwalk_btf::Error::Void && self.elements.is_some_and(|all| all.btf(name).is_some()) {
            return Reason::Unsupported("a path through a pointer that a map has stored");
        }
        let kwalk_btf::Error::Path { path, at, segment, reason: PathReason::NoSuchMember { near }, .. } =
            &error
        else {
            return Reason::Field(error);
        };
        let columns = self.view.columns.iter().map(|column| column.name);
        let roots = self.view.derived.iter().map(|derived| derived.name);
        let mut all = kwalk_btf::near(name, columns.chain(roots).filter(|known| *known != name));
        // A function that is written without its parentheses.
        let is_function = |known: &&FunctionInfo| {
            let has = |(argument, _)| self.target.path(self.kernel.btf, argument).is_ok();
            known.name == name && known.function.context().is_some_and(has)
        };
        all.extend(function::FUNCTIONS.iter().find(is_function).map(|_| format!("{name}()")));
        // Similar names for the first segment that failed. What comes before the path is the root that it begins with.
        let at = name.strip_suffix(path.as_str()).map_or(0, |before| before.len() + at);
        let (before, rest) = name.split_at_checked(at).unwrap_or(("", name));
        let after = rest.strip_prefix(segment.as_str()).unwrap_or_default();
        for near in near.iter().map(|near| format!("{before}{near}{after}")) {
            if !all.contains(&near) && self.leads(&near) {
                all.push(near);
            }
        }
        Reason::Name { name: name.into(), near: all }
    }

    /// Whether a path leads to a field.
    fn leads(&self, path: &str) -> bool {
        let btf = self.kernel.btf;
        let below = path.split_once('.').map(|(_, below)| below);
        match (self.root(path), below, self.element(path)) {
            (Some(root), Some(below), _) => {
                btf.find(BtfKind::Struct, root.ty).and_then(|ty| btf.path(ty, below)).is_ok()
            }
            (Some(_), None, _) => true,
            (None, _, Some(found)) => found.is_ok(),
            (None, _, None) => self.target.path(btf, path).is_ok(),
        }
    }

    /// The value of a field.
    pub(crate) fn value(&self, place: Place, span: Option<&Span>) -> Result<Value, Error> {
        let field = place.field;
        let bits = field.bits.map_or(field.size * 8, |bits| bits.width.into());
        let wrong = |is| {
            let what = place.name.clone();
            Err(Error::new(Reason::Kind { what, is, needs: "a number, a text or a pointer" }, span.cloned()))
        };
        let number = |place: Place, signed| match (bits, field.size) {
            (1..=64, 1 | 2 | 4 | 8) => Ok(Value::Number(Number::field(place, signed, bits))),
            _ => Err(Error::new(Reason::Unsupported("a number of this width"), span.cloned())),
        };
        match field.class {
            Class::Int { signed } | Class::Enum { signed } => number(place, signed),
            Class::Bool | Class::Char => number(place, false),
            Class::Text if field.size == 0 => {
                Err(Error::new(Reason::Unsupported("a text of unknown size"), span.cloned()))
            }
            Class::Text => Ok(Value::Text(Text { place, kind: TextKind::Array })),
            // A pointer stored in a map is not followed.
            Class::Ptr { .. } if self.is_in_element(&place) => Ok(Value::Pointer(place)),
            Class::Ptr { pointee } if self.is_char(pointee) => {
                Ok(Value::Text(Text { place, kind: TextKind::Pointer }))
            }
            Class::Ptr { .. } => Ok(Value::Pointer(place)),
            Class::Struct => wrong(Kind::Struct),
            Class::Array { .. } => wrong(Kind::Array),
            Class::Float if matches!(field.size, 4 | 8) => Ok(Value::Float(place)),
            Class::Float => wrong(Kind::Float),
        }
    }

    /// A field as an unsigned number.
    pub(crate) fn unsigned(&self, place: Place) -> Number {
        let bits = place.field.size * 8;
        Number::field(place, false, bits.min(64))
    }

    pub(crate) fn needs(&self, place: Place, needs: &'static str, span: Option<&Span>) -> Error {
        let what = place.name.clone();
        match self.value(place, span) {
            Ok(value) => Error::new(Reason::Kind { what, is: value.kind(), needs }, span.cloned()),
            Err(error) => error,
        }
    }

    fn is_char(&self, id: TypeId) -> bool {
        self.kernel.btf.get(id).is_ok_and(|ty| {
            // The names of files are arrays of `unsigned char`.
            let char = ["char", "unsigned char"].contains(&ty.name());
            ty.kind() == BtfKind::Int && ty.size() == Some(1) && char
        })
    }

    /// The names and values of an enum field.
    pub(crate) fn enumerators(&self, place: &Place) -> Vec<(i128, String)> {
        self.enumerators_of(&place.path, &place.field)
    }

    /// The names and values of an enum field at a path.
    pub(crate) fn enumerators_of(&self, path: &str, field: &Field) -> Vec<(i128, String)> {
        if !matches!(field.class, Class::Enum { .. }) {
            return Vec::new();
        }
        let btf = self.elements.and_then(|elements| elements.btf(path)).unwrap_or(self.kernel.btf);
        let all = btf.enumerators(field.ty).into_iter().flatten().flatten();
        all.map(|one| (one.value, one.name.to_owned())).collect()
    }
}
