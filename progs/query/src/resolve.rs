//! What the names in a question stand for, on one kernel: columns, fields, derived roots.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use kwalk_asm::Helper;
use kwalk_btf::{Class, Hop, Kind as BtfKind, Reason as PathReason, TypeId};
use kwalk_progs::Span;
use kwalk_progs::{Available, Kernel, Target, Version};

use crate::columns::{NamedColumn, Source};
use crate::derived::{By, Derived, Found};
use crate::elements::Elements;
use crate::error::{Error, Kind, Reason};
use crate::ir::{Number, Text, TextKind, Tree, Value};
use crate::place::{Base, Place};
use crate::targets::view;
use crate::view::View;

/// The functions of the kernel's without which some columns can't be.
pub(crate) const FUNCTIONS: [&str; 5] = [
    "bpf_copy_from_user_task",
    "bpf_map_sum_elem_count",
    "bpf_rcu_read_lock",
    "bpf_rdonly_cast",
    "bpf_sock_from_file",
];

/// Resolves names for one target, and collects what the program has to find for them.
pub(crate) struct Names<'a> {
    pub(crate) kernel: Kernel<'a>,
    target: Available,
    /// Where the context has its object.
    object_at: u32,
    /// What has been looked up: most names stand in a column and a condition.
    known: BTreeMap<String, Place>,
    pub(crate) view: &'static View,
    elements: Option<Elements<'a>>,
    /// Which of [`FUNCTIONS`] the kernel has, once somebody has asked.
    functions: OnceCell<[Option<TypeId>; FUNCTIONS.len()]>,
    /// The derived roots that the program finds, in their order.
    pub(crate) derived: Vec<Found>,
    /// The number of the fragment whose names are looked up.
    pub(crate) fragment: u32,
    /// Whether the program has to be one that may sleep.
    pub(crate) sleeps: bool,
    /// Whether the program has the names of files put together by a helper.
    pub(crate) paths: bool,
    /// Whether a pointer is loaded through the object.
    pub(crate) follows: bool,
}

impl<'a> Names<'a> {
    /// For a target whose context is the struct `context`.
    pub(crate) fn new(
        kernel: &Kernel<'a>,
        target: &Target,
        context: TypeId,
        elements: Option<Elements<'a>>,
    ) -> Result<Names<'a>, kwalk_btf::Error> {
        let object_at = kernel.btf.path(context, &target.object)?.field.offset;
        let (view, known) = (view(&target.name), BTreeMap::new());
        let target = Available { target: target.clone(), context };
        Ok(Names {
            kernel: *kernel,
            target,
            object_at,
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

    /// The target's column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<&'static NamedColumn> {
        self.view.columns.iter().find(|column| column.name == name)
    }

    /// Where the column or field is that the user calls `name`.
    pub(crate) fn place(&mut self, name: &str, span: Option<&Span>) -> Result<Place, Error> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let own = [name];
        let paths = match self.column(name).map(|column| &column.source) {
            Some(Source::Paths(paths)) => paths,
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
        let (base, path) = found.map_err(|error| Error::new(why(error), span.cloned()))?;
        // To the verifier, what a pointer to pointers points to is a number.
        let is_lost = |hop: &Hop| matches!(self.kernel.btf.class(hop.pointee), Ok(Class::Ptr { .. }));
        if path.hops.iter().any(is_lost) {
            return Err(Error::new(
                Reason::Unsupported("a path through a pointer to pointers"),
                span.cloned(),
            ));
        }
        let pointer = matches!(path.field.class, Class::Ptr { .. });
        self.follows |= base == Base::Object && (pointer || !path.hops.is_empty());
        let place = Place { path: spelled.into(), ..Place::new(base, &path, name) };
        self.known.insert(name.into(), place.clone());
        Ok(place)
    }

    /// The same from the context on. The verifier follows these loads, so that helpers take what they lead to.
    pub(crate) fn argument(&self, name: &str, span: Option<&Span>) -> Result<Place, Error> {
        let path = self.target.path(self.kernel.btf, name);
        let path = path.map_err(|error| Error::new(self.unknown(name, error), span.cloned()))?;
        Ok(Place::new(Base::Context, &path, name))
    }

    /// The name of the type that is there, or that a pointer there points to.
    pub(crate) fn type_name(&self, place: &Place) -> &'a str {
        let id = match place.field.class {
            Class::Ptr { pointee } => pointee,
            _ => place.field.ty,
        };
        self.kernel.btf.get(id).map_or("", |ty| ty.name())
    }

    /// Whether the kernel has a function, one of [`FUNCTIONS`]: the first question looks them all up.
    pub(crate) fn has(&self, function: &str) -> bool {
        let find = || self.kernel.btf.find_many(FUNCTIONS.map(|name| (BtfKind::Func, name)));
        let found = self.functions.get_or_init(|| find().unwrap_or_default());
        debug_assert!(FUNCTIONS.contains(&function), "{function}");
        FUNCTIONS.iter().zip(found).any(|(name, found)| *name == function && found.is_some())
    }

    /// Where a struct has a field, or the first of these that it has.
    fn offset<const N: usize>(
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

    /// A path, and the register that it begins from.
    fn path(&mut self, path: &str) -> Result<(Base, kwalk_btf::Path), kwalk_btf::Error> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let derived = self.view.derived.iter().find(|derived| derived.name == first);
        if let Some(derived) = derived.filter(|_| !rest.is_empty()) {
            let nth = self.derive(derived)?;
            let ty = self.derived.get(nth).ok_or(kwalk_btf::Error::Void)?.ty;
            return Ok((Base::Derived(nth), self.kernel.btf.path(ty, rest)?));
        }
        if let Some(found) = self.element(path) {
            return found;
        }
        let mut found = self.target.path(self.kernel.btf, path)?;
        // The object is in a register already.
        let base = match found.hops.first() {
            Some(hop) if hop.offset == self.object_at => {
                found.hops.remove(0);
                Base::Object
            }
            _ => Base::Context,
        };
        Ok((base, found))
    }

    /// A path into a key or a value whose type is known.
    fn element(&self, path: &str) -> Option<Result<(Base, kwalk_btf::Path), kwalk_btf::Error>> {
        let elements = self.elements?;
        let argument =
            self.target.path(self.kernel.btf, path.split_once('.').map_or(path, |(first, _)| first)).ok()?;
        let hop = argument.field.offset;
        Some(elements.path(path)?.map(|mut path| match hop == self.object_at {
            true => (Base::Object, path),
            false => {
                path.hops.push(Hop { offset: hop, pointee: TypeId(0) });
                (Base::Context, path)
            }
        }))
    }

    /// The key or the value as bytes, if `name` is one of them and its type is neither a number nor a text.
    pub(crate) fn bytes(&mut self, name: &str) -> Option<Text> {
        let size = self.elements?.size(name)?;
        let place = self.argument(name, None).ok()?;
        if let Some(Ok(path)) = self.elements?.path(name) {
            if !matches!(path.field.class, Class::Struct | Class::Array { .. } | Class::Float) {
                return None;
            }
        }
        Some(Text { place, kind: TextKind::Bytes { size } })
    }

    /// The columns of keys and values, where nobody says what to show.
    pub(crate) fn elements(&self) -> Vec<String> {
        let Some(elements) = self.elements else { return Vec::new() };
        let here = ["key", "value"].into_iter().filter(|name| self.argument(name, None).is_ok());
        here.flat_map(|name| elements.columns(name)).collect()
    }

    /// Adds a derived root to those that the program finds, unless it is one of them; gives its number.
    fn derive(&mut self, derived: &'static Derived) -> Result<usize, kwalk_btf::Error> {
        if let Some(nth) = self.derived.iter().position(|known| known.derived.name == derived.name) {
            return Ok(nth);
        }
        let ty = self.kernel.btf.find(BtfKind::Struct, derived.ty)?;
        let from = match derived.by {
            // Helpers want pointers that the verifier knows.
            By::Helper(_) => Some(Place::new(
                Base::Context,
                &self.target.path(self.kernel.btf, derived.from)?,
                derived.from,
            )),
            By::Choice(_) | By::Element(_) if derived.from.is_empty() => None,
            By::Cast | By::Choice(_) | By::Element(_) => Some(self.source_place(derived.from)?),
        };
        let mut choices = Vec::new();
        let pairs = match &derived.by {
            By::Choice(all) => *all,
            By::Element(one) => core::slice::from_ref(one),
            By::Helper(_) | By::Cast => &[],
        };
        for (first, second) in pairs {
            choices.push((self.source_place(first)?, self.source_place(second)?));
        }
        self.derived.push(Found { derived, fragment: self.fragment, ty, from, choices });
        Ok(self.derived.len() - 1)
    }

    /// The place that a derived root is found from.
    fn source_place(&mut self, path: &str) -> Result<Place, kwalk_btf::Error> {
        let (base, found) = self.path(path)?;
        self.follows |= base == Base::Object;
        Ok(Place::new(base, &found, path))
    }

    /// Why programs of this kernel can't call a function of the kernel's that is there since a version, without which there
    /// is no `what`; none if they can.
    pub(crate) fn lacks_kfunc(&self, function: &str, what: &'static str, since: Version) -> Option<Reason> {
        match self.has(function) {
            false => Some(Reason::Since { what, since }),
            true if !self.kernel.has_jit => Some(Reason::NoJit { what }),
            true => None,
        }
    }

    /// The reason for a column of the target that only newer kernels have.
    pub(crate) fn since(&self, name: &str) -> Option<Reason> {
        let column = self.column(name)?;
        Some(Reason::Since { what: column.name, since: column.since? })
    }

    /// Why this kernel can't find the derived root that the path begins with; none if it can, or there is no such root.
    fn newer(&self, path: &str) -> Option<Reason> {
        let first = path.split_once('.').map_or(path, |(first, _)| first);
        let derived = self.view.derived.iter().find(|derived| derived.name == first)?;
        match derived.by {
            By::Helper(Helper::SockFromFile) if !self.has("bpf_sock_from_file") => {
                Some(Reason::Since { what: derived.name, since: (5, 11) })
            }
            By::Helper(_) => None,
            By::Cast | By::Element(_) => self.lacks_kfunc("bpf_rdonly_cast", derived.name, (6, 2)),
            By::Choice(_) => self.newer(derived.from),
        }
    }

    /// The reason for a name that stands for nothing.
    fn unknown(&self, name: &str, error: kwalk_btf::Error) -> Reason {
        let kwalk_btf::Error::Path { reason: PathReason::NoSuchMember { near }, .. } = &error else {
            return Reason::Field(error);
        };
        let mut all = kwalk_btf::near(name, self.view.columns.iter().map(|column| column.name));
        // Names near to the last step that could be made.
        let before = name.rfind('.').map_or("", |at| name.get(..=at).unwrap_or_default());
        for near in near.iter().map(|near| format!("{before}{near}")) {
            if !all.contains(&near) {
                all.push(near);
            }
        }
        Reason::Name { name: name.into(), near: all }
    }

    /// What the field there holds.
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
            // What programs keep in maps is not followed.
            Class::Ptr { .. }
                if self.elements.is_some_and(|elements| elements.btf(&place.path).is_some()) =>
            {
                Ok(Value::Pointer(place))
            }
            Class::Ptr { pointee } if self.is_char(pointee) => {
                Ok(Value::Text(Text { place, kind: TextKind::Pointer }))
            }
            Class::Ptr { .. } => Ok(Value::Pointer(place)),
            Class::Struct => wrong(Kind::Struct),
            Class::Array { .. } => wrong(Kind::Array),
            Class::Float => wrong(Kind::Float),
        }
    }

    /// A field as a number without a sign.
    pub(crate) fn unsigned(&self, place: Place) -> Number {
        let bits = place.field.size * 8;
        Number::field(place, false, bits.min(64))
    }

    /// The name of a file: of a `struct path`, or of a pointer to a `struct file`.
    pub(crate) fn file(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        let place = self.argument(name, span)?;
        let own = match (place.field.class, self.type_name(&place)) {
            (Class::Struct, "path") => name.to_owned(),
            (Class::Ptr { .. }, "file") => format!("{name}.f_path"),
            _ => return Err(self.needs(place, "a struct path, or a pointer to a struct file", span)),
        };
        let place = self.argument(&own, span)?;
        let stays = self.view.files.iter().any(|file| {
            let known = self.argument(&format!("{file}.f_path"), None);
            known.is_ok_and(|known| known.shares_base(&place) && known.field.offset == place.field.offset)
        });
        // Kernels before 6.5 don't look at what they are given; this function came soon after.
        if stays && self.has("bpf_map_sum_elem_count") {
            self.paths = true;
            return Ok(Text { place, kind: TextKind::Path });
        }
        let tree = Tree {
            name: self.offset("dentry", ["d_name.name"], span)?,
            parent: self.offset("dentry", ["d_parent"], span)?,
        };
        Ok(Text { place: self.place(&format!("{own}.dentry"), span)?, kind: TextKind::Node(tree) })
    }

    /// The path of a cgroup, of a pointer to one.
    pub(crate) fn cgroup(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        self.pointer(name, "cgroup", "a pointer to a struct cgroup", span)?;
        let tree = Tree {
            name: self.offset("kernfs_node", ["name"], span)?,
            parent: self.offset("kernfs_node", ["__parent", "parent"], span)?,
        };
        Ok(Text { place: self.place(&format!("{name}.kn"), span)?, kind: TextKind::Node(tree) })
    }

    /// The name of a Unix socket, of a pointer to its address.
    pub(crate) fn unix_name(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        let place = self.pointer(name, "unix_address", "a pointer to a struct unix_address", span)?;
        let len = self.offset("unix_address", ["len"], span)?;
        let start = self.offset("unix_address", ["name"], span)?;
        let before = self.offset("sockaddr_un", ["sun_path"], span)?;
        Ok(Text { place, kind: TextKind::UnixName { len, start, before } })
    }

    /// The place of a pointer to this struct.
    fn pointer(
        &mut self,
        name: &str,
        structure: &str,
        needs: &'static str,
        span: Option<&Span>,
    ) -> Result<Place, Error> {
        let place = self.place(name, span)?;
        match place.field.class {
            Class::Ptr { .. } if self.type_name(&place) == structure => Ok(place),
            _ => Err(self.needs(place, needs, span)),
        }
    }

    /// The arguments of the context's task.
    pub(crate) fn cmdline(&mut self, span: Option<&Span>) -> Result<Text, Error> {
        let task = self.argument("task", span)?.field.offset;
        // Reading the process's memory takes the lock that the walk holds: both would wait for ever.
        if self.target.target.locks_memory {
            return Err(Error::new(
                Reason::Unsupported("cmdline() of what is walked under a lock"),
                span.cloned(),
            ));
        }
        if !self.has("bpf_copy_from_user_task") {
            return Err(Error::new(Reason::Since { what: "cmdline()", since: (5, 18) }, span.cloned()));
        }
        let start = self.offset("mm_struct", ["arg_start"], span)?;
        let end = self.offset("mm_struct", ["arg_end"], span)?;
        self.sleeps = true;
        Ok(Text { place: self.place("task.mm", span)?, kind: TextKind::Cmdline { task, start, end } })
    }

    /// The stack of the context's task.
    pub(crate) fn stack(&mut self, span: Option<&Span>) -> Result<Text, Error> {
        Ok(Text { place: self.argument("task", span)?, kind: TextKind::Stack })
    }

    fn needs(&self, place: Place, needs: &'static str, span: Option<&Span>) -> Error {
        let what = place.name.clone();
        match self.value(place, span) {
            Ok(value) => Error::new(Reason::Kind { what, is: value.kind(), needs }, span.cloned()),
            Err(error) => error,
        }
    }

    fn is_char(&self, id: TypeId) -> bool {
        self.kernel.btf.get(id).is_ok_and(|ty| {
            // `unsigned char` is what the names of files are made of.
            let char = ["char", "unsigned char"].contains(&ty.name());
            ty.kind() == BtfKind::Int && ty.size() == Some(1) && char
        })
    }

    /// The names and values of an enum.
    pub(crate) fn enumerators(&self, place: &Place) -> Vec<(i128, String)> {
        if !matches!(place.field.class, Class::Enum { .. }) {
            return Vec::new();
        }
        let btf = self.elements.and_then(|elements| elements.btf(&place.path)).unwrap_or(self.kernel.btf);
        let all = btf.enumerators(place.field.ty).into_iter().flatten().flatten();
        all.map(|one| (one.value, one.name.to_owned())).collect()
    }
}
