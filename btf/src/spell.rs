//! Types as C writes them: `struct file *[64]`, `void (*)(struct callback_head *)`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Btf, Error, Kind, Type, TypeId};

/// The maximal number of types in one spelling. The kernel's functions with the most parameters take fewer than 60; a
/// damaged BTF could go on forever.
const STEPS: u32 = 256;

impl<'a> Btf<'a> {
    /// The type as C writes it, like bpftool: `const char *`, `struct list_head[4]`, `int (*)(void *)`.
    ///
    /// An anonymous type is `struct {...}` or the like. A tag is a word, as in the kernel's sources: `char __user *`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] for a section, [`Error::Loop`] for a type that passes through more than 256 others, and
    /// those of [`get`](Btf::get) for each.
    pub fn spelling(&self, id: TypeId) -> Result<String, Error> {
        self.declaration(id, "")
    }

    /// The declaration of something of this type: `char comm[16]`, for the type `char[16]` and the name `comm`.
    ///
    /// # Errors
    ///
    /// Those of [`spelling`](Btf::spelling).
    pub fn declaration(&self, id: TypeId, name: &str) -> Result<String, Error> {
        self.declare(id, String::from(name), &mut { STEPS })
    }

    /// Goes from the outermost type to the one with which the declaration begins. `declarator` is the text so far:
    /// `(*name)(int)`.
    fn declare(&self, id: TypeId, mut declarator: String, steps: &mut u32) -> Result<String, Error> {
        let mut words = Words::default();
        let mut next = id;
        loop {
            *steps = steps.checked_sub(1).ok_or(Error::Loop { id })?;
            let ty = match self.get(next) {
                Ok(ty) => ty,
                Err(Error::Void) => return Ok(words.before("void", &declarator)),
                Err(error) => return Err(error),
            };
            let wanted = "a type that C can write";
            match ty.kind() {
                Kind::Ptr => declarator = core::mem::take(&mut words).behind_asterisk(&declarator),
                Kind::Const => words.qualify("const"),
                Kind::Volatile => words.qualify("volatile"),
                Kind::Restrict => words.qualify("restrict"),
                Kind::TypeTag => words.tag(&ty),
                Kind::Array => {
                    let len = ty.array().map_or(0, |array| array.len);
                    declarator = format!("{}[{len}]", grouped(declarator));
                }
                Kind::FuncProto => {
                    // C has no constant functions.
                    words = Words::default();
                    let params = self.parameters(&ty, steps)?;
                    declarator = format!("{}({params})", grouped(declarator));
                }
                Kind::Func | Kind::Var | Kind::DeclTag => {}
                Kind::Datasec => return Err(Error::WrongKind { id: ty.id, kind: Kind::Datasec, wanted }),
                Kind::Int
                | Kind::Float
                | Kind::Typedef
                | Kind::Struct
                | Kind::Union
                | Kind::Fwd
                | Kind::Enum
                | Kind::Enum64 => return Ok(words.before(&name(&ty), &declarator)),
            }
            let element = ty.array().map(|array| array.element);
            next = element.or(ty.refers_to()).unwrap_or(TypeId(0));
        }
    }

    fn parameters(&self, proto: &Type<'a>, steps: &mut u32) -> Result<String, Error> {
        let params = self.params(proto.id)?;
        if params.len() == 0 {
            return Ok("void".into());
        }
        let variadic = params.is_variadic();
        let mut written = Vec::new();
        for param in params {
            let param = param?;
            written.push(self.declare(param.type_id, param.name.into(), steps)?);
        }
        if variadic {
            written.push("...".into());
        }
        Ok(written.join(", "))
    }
}

/// In parentheses if it is a pointer, which binds less tightly than the `[…]` or `(…)` that follows.
fn grouped(declarator: String) -> String {
    if declarator.starts_with('*') { format!("({declarator})") } else { declarator }
}

/// The name of a type that refers to no other.
fn name<'a>(ty: &Type<'a>) -> Cow<'a, str> {
    let keyword = match ty.kind() {
        Kind::Struct => "struct ",
        Kind::Union => "union ",
        Kind::Enum | Kind::Enum64 => "enum ",
        Kind::Fwd if ty.kind_flag() => "union ",
        Kind::Fwd => "struct ",
        _ => "",
    };
    match (keyword, ty.name()) {
        ("", name) => Cow::Borrowed(name),
        (keyword, "") => Cow::Owned(format!("{keyword}{{...}}")),
        (keyword, name) => Cow::Owned(format!("{keyword}{name}")),
    }
}

/// Qualifiers and tags whose type is not known yet.
#[derive(Default)]
struct Words {
    qualifiers: Vec<&'static str>,
    tags: Vec<String>,
}

impl Words {
    /// Adds a word that is nearer to the type. Compilers qualify both an array and its elements: one is enough.
    fn qualify(&mut self, word: &'static str) {
        if !self.qualifiers.contains(&word) {
            self.qualifiers.insert(0, word);
        }
    }

    fn tag(&mut self, tag: &Type<'_>) {
        // The kernel's macros have the tags' names with underscores; other attributes have the kind flag.
        let name = tag.name();
        let word = if tag.kind_flag() { format!("__attribute__(({name}))") } else { format!("__{name}") };
        self.tags.insert(0, word);
    }

    /// The whole declaration, whose type is `base`.
    fn before(self, base: &str, declarator: &str) -> String {
        let mut text = String::new();
        for qualifier in self.qualifiers {
            text += qualifier;
            text.push(' ');
        }
        text += base;
        for tag in self.tags {
            text.push(' ');
            text += &tag;
        }
        spaced(text, declarator)
    }

    /// A pointer to the declaration so far, qualified by these words.
    fn behind_asterisk(self, declarator: &str) -> String {
        let mut text = String::from("*");
        for word in self.qualifiers.iter().copied().chain(self.tags.iter().map(String::as_str)) {
            text.push(' ');
            text += word;
        }
        if text.len() == 1 { text + declarator } else { spaced(text, declarator) }
    }
}

/// Joins both, with a space if C requires one.
fn spaced(mut text: String, declarator: &str) -> String {
    if !declarator.is_empty() && !declarator.starts_with('[') {
        text.push(' ');
    }
    text + declarator
}
