//! Errors in a selection.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use kwalk_progs::Span;
use kwalk_progs::Version;

use crate::expr::Expr;
use crate::function::FunctionInfo;

/// Why a selection can't be planned, and the part of the user's text at fault.
///
/// `Display` gives the reason. If the selection was parsed, it also shows the text with carets below that part.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The reason.
    pub reason: Box<Reason>,
    /// The part of the text at fault; `None` for an expression that was not parsed.
    pub span: Option<Span>,
}

/// Why a selection can't be planned.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The text is no SQL expression, or has something after one.
    Syntax(Syntax),
    /// The text is SQL, but no program in the kernel can do that.
    Unsupported(&'static str),
    /// The expression is nested too deeply, or has too many parts.
    TooComplex,
    /// A name is neither a column of the target nor a field nor an argument of its context.
    Name {
        /// The name.
        name: String,
        /// Similar names.
        near: Vec<String>,
    },
    /// There is no function with this name.
    Function {
        /// The name.
        name: String,
        /// Similar names.
        near: Vec<String>,
    },
    /// A path leads to no field.
    Field(kwalk_btf::Error),
    /// An expression has another kind than its context requires.
    Kind {
        /// The expression: a name, or a part of the text.
        what: String,
        /// The kind that it has.
        is: Kind,
        /// The kind that is required.
        needs: &'static str,
    },
    /// A number is outside the range of what it is compared with.
    Range {
        /// The number.
        value: i128,
        /// What it is compared with.
        what: String,
        /// The smallest number in the range.
        min: i128,
        /// The greatest number in the range.
        max: i128,
    },
    /// A text is longer than what it is compared with can be, or than programs can compare.
    TextLength {
        /// Its length, in bytes.
        len: usize,
        /// The greatest possible length, in bytes.
        max: usize,
    },
    /// A pattern that begins with `%` is longer than programs can search for.
    PatternLength {
        /// Its length without its `%`, in bytes.
        len: usize,
        /// The greatest possible length, in bytes.
        max: usize,
    },
    /// A text has a NUL byte, which no text of the kernel has.
    TextNul,
    /// A pattern has a `%` between other characters.
    Percent,
    /// A comparison with NULL, which is never true.
    Null,
    /// A pointer is compared with 0. Such a pointer is NULL, and never equal to anything.
    NullPointer {
        /// The pointer.
        what: String,
    },
    /// A path leads through a per-CPU pointer to something else than a number right behind it: each CPU has its own, and
    /// only numbers can be summed.
    PerCpu {
        /// The path.
        what: String,
    },
    /// A path names a CPU of which a per-CPU map has no value.
    NoCpu {
        /// The path.
        what: String,
        /// The number of values that an element has: one for each possible CPU.
        cpus: u32,
    },
    /// A shift by a number of bits that is not in 0..64.
    Shift(i128),
    /// A list of values is empty.
    EmptyList,
    /// The number of columns is 0, or more than [`COLUMNS_MAX`](crate::COLUMNS_MAX).
    Columns(usize),
    /// Two columns have the same name.
    SameName(String),
    /// Rows are larger than the kernel's buffer for the output of one object, in bytes.
    RowSize(usize),
    /// This kernel is too old for something.
    Since {
        /// What it is.
        what: &'static str,
        /// The first kernel that can.
        since: Version,
    },
    /// Something needs a kfunc, which a kernel without a JIT refuses.
    NoJit {
        /// What it is.
        what: &'static str,
    },
    /// A text can't be converted to what it is compared with.
    Literal {
        /// The text.
        text: String,
        /// What the text should be: "an IP address".
        needs: &'static str,
        /// Similar texts that could be converted; all, if none is similar and there are few.
        near: Vec<String>,
    },
    /// A function is called with the wrong arguments.
    Arguments(&'static FunctionInfo),
    /// The target has no default columns: the selection must name some.
    NoDefaults(String),
    /// No program can be written for this kernel: it lacks the target, or its BTF is damaged.
    Program(kwalk_progs::Error),
}

/// An error in the grammar of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Syntax {
    /// A word or sign at which the expression can't go on.
    Unexpected(String),
    /// Something else is required: "the end", "a name".
    Expected(&'static str),
    /// The text ends within an expression.
    End,
    /// A quote has no closing quote.
    OpenQuote,
    /// A character that begins no word or sign.
    Unreadable,
    /// A number without digits, with more than 64 bits, or with a unit.
    Number(String),
}

/// The kind of an expression that is not the required one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, a `bool` or an enum.
    Number,
    /// An array of characters or a pointer to one, or a literal text.
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
    /// The bytes of a map's key or value.
    Bytes,
    /// A list of texts.
    Texts,
    /// The values of all CPUs.
    List,
    /// An expression without a field.
    Constant,
}

impl Error {
    pub(crate) fn new(reason: Reason, span: Option<Span>) -> Error {
        Error { reason: reason.into(), span }
    }

    /// The error for an expression of the wrong kind.
    pub(crate) fn kind(expr: &Expr, is: Kind, needs: &'static str) -> Error {
        let what = match &expr.span {
            Some(span) => span.excerpt().into(),
            None => expr.to_string(),
        };
        Error::new(Reason::Kind { what, is, needs }, expr.span.clone())
    }

    /// The error for an operation that requires a constant on one side, and has none.
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
            Kind::Bytes => "a sequence of bytes",
            Kind::Texts => "a list of texts",
            Kind::List => "a list of all CPUs' values",
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

impl Reason {
    /// Whether the kernel lacks something that others have.
    pub(crate) fn is_lack(&self) -> bool {
        matches!(self, Reason::Since { .. } | Reason::NoJit { .. })
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
            Reason::PatternLength { len, max } => {
                write!(f, "this pattern has {len} bytes, and one that begins with % can have at most {max}")
            }
            Reason::TextNul => f.write_str("this text has a NUL byte, which no text of the kernel has"),
            Reason::Percent => f.write_str("% is allowed only at the start and the end of a pattern"),
            Reason::Null => f.write_str("a comparison with NULL is never true"),
            Reason::NullPointer { what } => {
                write!(f, "{what} is a pointer: as 0 it is NULL, and no comparison with NULL is ever true")
            }
            Reason::NoCpu { what, cpus } => {
                write!(f, "{what}: there is no such CPU: an element has {cpus} values, from value[0] on")
            }
            Reason::PerCpu { what } => {
                write!(f, "{what} is behind a per-CPU pointer: each CPU has its own, and they have no sum")
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
                    "{what} requires a call of a kernel function, which this kernel refuses without a JIT"
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
