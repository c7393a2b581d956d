//! What is wrong with what a user asked for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use kwalk_progs::Span;
use kwalk_progs::Version;

use crate::expr::Expr;
use crate::function::FunctionInfo;

/// Why a selection can't be done, and the part of the user's text that it is about.
///
/// `Display` says what and why and, where the selection was parsed, shows the text with carets under that part.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What is wrong.
    pub reason: Box<Reason>,
    /// With which part of the text; none for an expression that was not parsed.
    pub span: Option<Span>,
}

/// What is wrong with a selection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The text is no SQL expression, or goes on behind one.
    Syntax(Syntax),
    /// SQL that no program in the kernel is made of.
    Unsupported(&'static str),
    /// It is nested too deeply, or has too many parts.
    TooComplex,
    /// Nothing has this name: no column of the target, no field, no argument of its context.
    Name {
        /// The name.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// No function has this name.
    Function {
        /// The name.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// A path leads to no field.
    Field(kwalk_btf::Error),
    /// Something is of another kind than its place needs.
    Kind {
        /// What it is called: a name, or a part of the text.
        what: String,
        /// What it is.
        is: Kind,
        /// What is needed there.
        needs: &'static str,
    },
    /// A number that the other side of a comparison can never have.
    Range {
        /// The number.
        value: i128,
        /// What it is compared with.
        what: String,
        /// The least number that it can be.
        min: i128,
        /// The greatest.
        max: i128,
    },
    /// A text that is longer than what it is compared with can be, or than is compared at all.
    TextLength {
        /// How long it is, in bytes.
        len: usize,
        /// How long it can be.
        max: usize,
    },
    /// A text with a NUL, which ends every text of the kernel.
    TextNul,
    /// A `%` in the middle of a pattern.
    Percent,
    /// NULL in a comparison, which is then never true.
    Null,
    /// A pointer compared with 0, which is NULL, and so never equal to anything.
    NullPointer {
        /// The pointer.
        what: String,
    },
    /// A shift by a number of bits that a number of 64 has not.
    Shift(i128),
    /// A list of values with nothing in it.
    EmptyList,
    /// A selection of no columns, or of more than [`COLUMNS_MAX`](crate::COLUMNS_MAX).
    Columns(usize),
    /// Two columns of one name.
    SameName(String),
    /// Rows that are larger than the kernel passes on.
    RowSize(usize),
    /// What this kernel can't do, but later ones can.
    Since {
        /// What it is.
        what: &'static str,
        /// The first kernel that can.
        since: Version,
    },
    /// What takes a call of one of the kernel's functions, which a kernel without a JIT refuses.
    NoJit {
        /// What it is.
        what: &'static str,
    },
    /// A text that says nothing of what it is compared with.
    Literal {
        /// The text.
        text: String,
        /// What is needed: "an IP address".
        needs: &'static str,
        /// What is like it.
        near: Vec<String>,
    },
    /// A function that is called with other arguments than it takes.
    Arguments(&'static FunctionInfo),
    /// A target that has no columns of its own, of which some must be named.
    NoDefaults(String),
    /// A program can't be written for this kernel: it lacks the target, or its BTF is damaged.
    Program(kwalk_progs::Error),
}

/// What is wrong with the grammar of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Syntax {
    /// This word or sign can't stand where it stands.
    Unexpected(String),
    /// Something else is needed here: "the end", "a name".
    Expected(&'static str),
    /// The text ends, and its expression does not.
    End,
    /// A quote is opened and not closed.
    OpenQuote,
    /// No words or signs can be made of what begins here.
    Unreadable,
    /// A number that has no digits, or more than fit 64 bits.
    Number(String),
}

/// What something is that is of the wrong kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, a `bool` or an enum.
    Number,
    /// An array of characters or a pointer to one, or a text that the user wrote.
    Text,
    /// A pointer to something else.
    Pointer,
    /// True, false or unknown.
    Condition,
    /// A struct or union as a whole.
    Struct,
    /// An array.
    Array,
    /// A floating-point number.
    Float,
    /// An IP address.
    Ip,
    /// The addresses of a stack.
    Stack,
    /// The bytes of a key or a value.
    Bytes,
    /// Something that does not depend on what is walked.
    Constant,
}

impl Error {
    pub(crate) fn new(reason: Reason, span: Option<Span>) -> Error {
        Error { reason: reason.into(), span }
    }

    /// Of an expression that is of another kind than its place needs.
    pub(crate) fn kind(expr: &Expr, is: Kind, needs: &'static str) -> Error {
        let what = match &expr.span {
            Some(span) => span.excerpt().into(),
            None => expr.to_string(),
        };
        Error::new(Reason::Kind { what, is, needs }, expr.span.clone())
    }

    /// Of something that takes a constant on one side, of which this is the second side that is none.
    pub(crate) fn second(what: &'static str, second: &Expr) -> Error {
        Error::new(Reason::Unsupported(what), second.span.clone())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::Pointer => "a pointer",
            Kind::Condition => "a condition",
            Kind::Struct => "a struct",
            Kind::Array => "an array",
            Kind::Float => "a floating-point number",
            Kind::Ip => "an IP address",
            Kind::Stack => "a stack",
            Kind::Bytes => "a row of bytes",
            Kind::Constant => "a constant",
        })
    }
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Syntax::Unexpected(text) => write!(f, "`{text}` is not expected here"),
            Syntax::Expected(what) => write!(f, "{what} is expected here"),
            Syntax::End => f.write_str("the expression ends here, where more is expected"),
            Syntax::OpenQuote => f.write_str("the quote that begins here is not closed"),
            Syntax::Unreadable => f.write_str("this can't be read as SQL"),
            Syntax::Number(text) => write!(f, "{text} is no number of at most 64 bits"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Syntax(syntax) => syntax.fmt(f),
            Reason::Unsupported(what) => write!(f, "{what} can't be done in the kernel"),
            Reason::TooComplex => f.write_str("it has too many parts for a program in the kernel"),
            Reason::Name { name, .. } => write!(f, "{name}: there is no such column or field"),
            Reason::Function { name, .. } => write!(f, "{name}: there is no such function"),
            Reason::Field(error) => error.fmt(f),
            Reason::Kind { what, is, needs } => write!(f, "{what} is {is}, where {needs} is needed"),
            Reason::Range { value, what, min, max } => {
                write!(f, "{value} does not fit {what}, which is from {min} to {max}")
            }
            Reason::TextLength { len, max } => {
                write!(f, "this text has {len} bytes, and what it is compared with has at most {max}")
            }
            Reason::TextNul => f.write_str("this text has a NUL byte, which no text of the kernel has"),
            Reason::Percent => f.write_str("% can stand at either end of a pattern only"),
            Reason::Null => f.write_str("a comparison with NULL is never true"),
            Reason::NullPointer { what } => {
                write!(f, "{what} is a pointer: as 0 it is NULL, and no comparison with NULL is ever true")
            }
            Reason::Shift(by) => write!(f, "numbers have 64 bits, and can't be shifted by {by}"),
            Reason::EmptyList => f.write_str("this list is empty"),
            Reason::Columns(0) => f.write_str("no columns are selected"),
            Reason::Columns(count) => {
                write!(f, "{count} columns are selected; {} are possible", crate::limits::COLUMNS_MAX)
            }
            Reason::SameName(name) => write!(f, "two columns are called {name}"),
            Reason::RowSize(bytes) => {
                write!(f, "a row has up to {bytes} bytes, and the kernel passes on less than 32768")
            }
            Reason::Since { what, since: (major, minor) } => {
                write!(f, "this kernel does not have {what}; Linux {major}.{minor} is the first that may")
            }
            Reason::NoJit { what } => {
                write!(
                    f,
                    "{what} takes a call of a kernel function, which kernels do only where their JIT is on"
                )
            }
            Reason::Literal { text, needs, .. } => write!(f, "'{text}' is not {needs}"),
            Reason::Arguments(function) => {
                write!(f, "it is called as {}({})", function.name, function.arguments.join(", "))
            }
            Reason::Program(error) => error.fmt(f),
            Reason::NoDefaults(target) => write!(f, "target {target}: it has no columns of its own"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        match &self.span {
            Some(span) => write!(f, "\n{span}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

impl From<kwalk_progs::Error> for Error {
    fn from(error: kwalk_progs::Error) -> Error {
        Error::new(Reason::Program(error), None)
    }
}

impl From<kwalk_btf::Error> for Error {
    fn from(error: kwalk_btf::Error) -> Error {
        kwalk_progs::Error::from(error).into()
    }
}
