//! Expressions for conditions and columns, as an embedder writes them in Rust. The parser of SQL builds the same.
//!
//! ```
//! use kwalk_query::field;
//!
//! let condition = field("comm").like("ssh%").and(field("real_cred.uid.val").ne(0));
//! assert_eq!(condition.to_string(), "(comm LIKE 'ssh%' AND real_cred.uid.val <> 0)");
//!
//! let busy = (field("utime") + field("stime")).gt(1_000_000_000_u64);
//! let some = field("policy").is_in([1, 2]).or(field("prio").between(100, 119)).not();
//! assert_eq!(busy.and(some).to_string(), "((utime + stime) > 1000000000 AND NOT (policy IN (1, 2) OR prio BETWEEN 100 AND 119))");
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Add, BitAnd, BitOr, BitXor, ControlFlow, Div, Mul, Neg, Rem, Shl, Shr, Sub};

use kwalk_progs::Span;

use crate::function::Function;

/// An expression: fields, numbers and texts, and operations on them.
///
/// It is a tree that can be built, inspected and taken apart: [`Expr::node`] gives the root, [`Expr::visit`] goes
/// through all nodes, and `into()` makes an expression of a [`Node`]. `Display` writes SQL, which
/// [`sql::expression`](crate::sql) parses to the same tree.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(crate) node: Node,
    pub(crate) span: Option<Span>,
}

/// The root of an expression.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Node {
    /// A named column, a field path, or the name of an enum's value.
    Name(String),
    /// A number from −2⁶³ to 2⁶⁴−1. Other numbers are refused when the selection is planned.
    Int(i128),
    /// A text. It may have bytes that are not UTF-8.
    Text(Vec<u8>),
    /// `-x`
    Neg(Box<Expr>),
    /// An operation on two numbers.
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// A comparison of two values.
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// `AND` of two conditions or more.
    And(Vec<Expr>),
    /// `OR` of two conditions or more.
    Or(Vec<Expr>),
    /// `NOT`.
    Not(Box<Expr>),
    /// `IS NULL`, of a value or of a condition.
    IsNull(Box<Expr>),
    /// `IS TRUE` or `IS FALSE`, of a condition.
    Is(bool, Box<Expr>),
    /// `IN`: a value, and the list in which it is looked up.
    In(Box<Expr>, Vec<Expr>),
    /// `BETWEEN`: a value, and the least and the greatest value that match.
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `LIKE`: a text and a pattern.
    Like(Box<Expr>, Box<Expr>),
    /// A call of a function with its arguments.
    Call(Function, Vec<Expr>),
    /// `CASE WHEN condition THEN value … ELSE value END`: the value of the first condition that is true. If none is,
    /// the value after ELSE, or NULL.
    Case {
        /// The conditions with their values.
        arms: Vec<(Expr, Expr)>,
        /// The value after ELSE.
        otherwise: Option<Box<Expr>>,
    },
}

/// An operation on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, rounded towards zero; NULL if the divisor is 0.
    Div,
    /// `%`, with the sign of the left side; NULL if the divisor is 0.
    Rem,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`, by the lowest 6 bits of the right side.
    Shl,
    /// `>>`, which keeps the sign of a signed number.
    Shr,
}

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Compare {
    /// The comparison with its sides exchanged.
    pub(crate) fn mirrored(self) -> Compare {
        match self {
            Compare::Eq | Compare::Ne => self,
            Compare::Lt => Compare::Gt,
            Compare::Le => Compare::Ge,
            Compare::Gt => Compare::Lt,
            Compare::Ge => Compare::Le,
        }
    }

    /// Whether the comparison is true of two values that are ordered like this.
    pub fn holds(self, ordering: core::cmp::Ordering) -> bool {
        match self {
            Compare::Eq => ordering.is_eq(),
            Compare::Ne => ordering.is_ne(),
            Compare::Lt => ordering.is_lt(),
            Compare::Le => ordering.is_le(),
            Compare::Gt => ordering.is_gt(),
            Compare::Ge => ordering.is_ge(),
        }
    }
}

/// The named column or field `path`: `comm`, `real_parent.tgid`, `file.f_flags`. In a comparison with a field of an
/// enum type, also the name of one of its values: `BPF_MAP_TYPE_HASH`.
pub fn field(path: impl Into<String>) -> Expr {
    Node::Name(path.into()).into()
}

/// `stack()`: the kernel stack of the task, the innermost function first. For the targets task, task_file and task_vma.
pub fn stack() -> Expr {
    Node::Call(Function::Stack, Vec::new()).into()
}

/// `cmdline()`: the arguments of the process, a list of texts that user space reads from /proc
/// ([`Plan::completion`](crate::Plan::completion)). In conditions, they are one text, joined by spaces, without empty
/// ones at the end. For the targets task, task_file and task_vma.
pub fn cmdline() -> Expr {
    Node::Call(Function::Cmdline, Vec::new()).into()
}

/// `argv()`: the arguments of the process, joined by spaces; of more than 4,097 bytes, the first 4,095 and `…`.
/// For the targets task and task_file, since Linux 5.18.
///
/// The program copies them from the process's memory, and waits for that memory: a process can map a file over its
/// arguments whose server does not answer, and so hang the reader for ever, where no signal ends it. The program checks
/// before that the memory is no file's (with a JIT), and gives NULL if it is; but a hostile process can change that
/// between the check and the copy. [`cmdline`] has no such hazard.
pub fn argv() -> Expr {
    Node::Call(Function::Argv, Vec::new()).into()
}

/// `vma_name()`: the name of a memory mapping, as `/proc/PID/maps` shows it: the path of its file, or else a name such as
/// `[heap]`; NULL if it has none. For the target task_vma.
pub fn vma_name() -> Expr {
    Node::Call(Function::VmaName, Vec::new()).into()
}

/// An address whose family is in a field: the IPv4 or the IPv6 address, or NULL for other families.
pub(crate) fn address(family: Expr, v4: Expr, v6: Expr) -> Expr {
    Node::Call(Function::Address, vec![family, v4, v6]).into()
}

/// `page_size()`: the size of a page, in bytes. The kernel counts memory in pages.
pub fn page_size() -> Expr {
    Node::Call(Function::PageSize, Vec::new()).into()
}

/// Builds an expression. The negation of a literal becomes a negative literal, and AND or OR of one term becomes the
/// term, as the parser of SQL does it.
impl From<Node> for Expr {
    fn from(node: Node) -> Expr {
        let node = match node {
            Node::Neg(of) => match of.node {
                Node::Int(value) => Node::Int(value.wrapping_neg()),
                _ => Node::Neg(of),
            },
            Node::And(mut terms) | Node::Or(mut terms) if terms.len() == 1 => match terms.pop() {
                Some(one) => return one,
                None => Node::And(terms),
            },
            node => node,
        };
        Expr { node, span: None }
    }
}

/// `CASE`: the value of the first condition that is true, else NULL; see [`Expr::or_else`].
///
/// ```
/// use kwalk_query::{case, field};
///
/// let backlog = case([(field("state").eq("LISTEN"), field("ack_backlog"))]);
/// assert_eq!(backlog.to_string(), "CASE WHEN state = 'LISTEN' THEN ack_backlog END");
/// assert_eq!(backlog.or_else(0).to_string(), "CASE WHEN state = 'LISTEN' THEN ack_backlog ELSE 0 END");
/// ```
pub fn case<C: Into<Expr>, V: Into<Expr>>(arms: impl IntoIterator<Item = (C, V)>) -> Expr {
    let arms = arms.into_iter().map(|(condition, value)| (condition.into(), value.into()));
    Node::Case { arms: arms.collect(), otherwise: None }.into()
}

/// Ignores spans: expressions are equal if they mean the same.
impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.node == other.node
    }
}

macro_rules! comparisons {
    ($($name:ident $op:ident $symbol:literal;)*) => {$(
        #[doc = concat!("`", $symbol, "`; unknown if either side is NULL.")]
        pub fn $name(self, other: impl Into<Expr>) -> Expr {
            Node::Compare(Compare::$op, Box::new(self), Box::new(other.into())).into()
        }
    )*};
}

impl Expr {
    comparisons! {
        eq Eq "=";
        ne Ne "<>";
        lt Lt "<";
        le Le "<=";
        gt Gt ">";
        ge Ge ">=";
    }

    /// `AND`: false if one side is false, else unknown if one is unknown.
    pub fn and(self, other: impl Into<Expr>) -> Expr {
        let mut all = match self.node {
            Node::And(all) if self.span.is_none() => all,
            node => vec![Expr { node, span: self.span }],
        };
        all.push(other.into());
        Node::And(all).into()
    }

    /// `OR`: true if one side is true, else unknown if one is unknown.
    pub fn or(self, other: impl Into<Expr>) -> Expr {
        let mut any = match self.node {
            Node::Or(any) if self.span.is_none() => any,
            node => vec![Expr { node, span: self.span }],
        };
        any.push(other.into());
        Node::Or(any).into()
    }

    /// `NOT`: unknown if the condition is unknown.
    #[allow(clippy::should_implement_trait, reason = "it reads like the others")]
    pub fn not(self) -> Expr {
        Node::Not(Box::new(self)).into()
    }

    /// `IS NULL`: true for a NULL pointer, a field behind one, and the result of a computation with either or with the
    /// divisor 0. Never unknown.
    pub fn is_null(self) -> Expr {
        Node::IsNull(Box::new(self)).into()
    }

    /// `IS NOT NULL`.
    pub fn is_not_null(self) -> Expr {
        self.is_null().not()
    }

    /// `IS TRUE`: false, not unknown, if the condition is unknown.
    pub fn is_true(self) -> Expr {
        Node::Is(true, Box::new(self)).into()
    }

    /// `IS FALSE`.
    pub fn is_false(self) -> Expr {
        Node::Is(false, Box::new(self)).into()
    }

    /// `IN (…)`: equal to an item of the list.
    pub fn is_in<T: Into<Expr>>(self, list: impl IntoIterator<Item = T>) -> Expr {
        Node::In(Box::new(self), list.into_iter().map(Into::into).collect()).into()
    }

    /// `BETWEEN … AND …`, with both bounds included.
    pub fn between(self, low: impl Into<Expr>, high: impl Into<Expr>) -> Expr {
        Node::Between(Box::new(self), Box::new(low.into()), Box::new(high.into())).into()
    }

    /// `LIKE`: `%` at the start or end matches any bytes, `_` any one byte. The case of letters matters.
    pub fn like(self, pattern: impl Into<String>) -> Expr {
        Node::Like(Box::new(self), Box::new(pattern.into().into())).into()
    }

    /// `ntohs`: a 16-bit network-order field as a number.
    pub fn ntohs(self) -> Expr {
        Node::Call(Function::Ntohs, vec![self]).into()
    }

    /// `ntohl`: a 32-bit network-order field as a number.
    pub fn ntohl(self) -> Expr {
        Node::Call(Function::Ntohl, vec![self]).into()
    }

    /// `ip`: a field of 4 or 16 bytes as an IP address, such as a `__be32` or a `struct in6_addr`.
    pub fn ip(self) -> Expr {
        Node::Call(Function::Ip, vec![self]).into()
    }

    /// `zone`: an IPv4 or IPv6 address as `address` gives it, and the field with the index of its network device. A
    /// link-local address is shown with it (`fe80::1%2`), if it is not 0, and compared with both.
    pub fn zone(self, device: impl Into<Expr>) -> Expr {
        Node::Call(Function::Zone, vec![self, device.into()]).into()
    }

    /// `cidr`: whether an address is in a network, such as `10.0.0.0/8` or `fe80::/10`.
    pub fn cidr(self, network: impl Into<String>) -> Expr {
        Node::Call(Function::Cidr, vec![self, network.into().into()]).into()
    }

    /// `d_path`: the path of a file, as seen by the process that reads the walk (like `readlink /proc/PID/fd/N`). The
    /// field is a `struct path` or a pointer to a `struct file`. On kernels before about Linux 6.6 it is the path
    /// within the file system, without its mount point; files of the kernel's own and deleted files have no more than
    /// that.
    pub fn d_path(self) -> Expr {
        Node::Call(Function::DPath, vec![self]).into()
    }

    /// `cgroup_path`: the path of a cgroup, as `/proc/PID/cgroup` has it: from the root of its hierarchy or, in a cgroup
    /// namespace, from the root of that; with ` (deleted)` behind the path of one that was removed. A path that is too long
    /// begins with `…`. The field is a pointer to a `struct cgroup`.
    pub fn cgroup_path(self) -> Expr {
        Node::Call(Function::CgroupPath, vec![self]).into()
    }

    /// `unix_name`: the name of a Unix socket: its path, or its abstract name with `@` for each NUL, as in
    /// `/proc/net/unix`. The field is a pointer to a `struct unix_address`.
    pub fn unix_name(self) -> Expr {
        Node::Call(Function::UnixName, vec![self]).into()
    }

    /// `prog_name`: the whole name of a BPF program, of which the kernel itself keeps 15 bytes: the rest is in the BTF that
    /// the program was loaded with, if it has one. The field is a pointer to a `struct bpf_prog_aux`.
    pub fn prog_name(self) -> Expr {
        Node::Call(Function::ProgName, vec![self]).into()
    }

    /// `NULLIF`: NULL if the two are equal, else the first.
    pub fn null_if(self, other: impl Into<Expr>) -> Expr {
        Node::Call(Function::NullIf, vec![self, other.into()]).into()
    }

    /// `ELSE`: the value of a [`case`] if none of its conditions is true. Any other expression is returned unchanged.
    #[must_use]
    pub fn or_else(self, value: impl Into<Expr>) -> Expr {
        match self.node {
            Node::Case { arms, .. } => Node::Case { arms, otherwise: Some(Box::new(value.into())) }.into(),
            node => Expr { node, span: self.span },
        }
    }

    /// `positive`: a number, or 0 if it is negative. Some of the kernel's counters are, for a while.
    pub fn positive(self) -> Expr {
        Node::Call(Function::Positive, vec![self]).into()
    }

    /// `copied`: a field that a helper copies, because some verifiers refuse to load it.
    pub(crate) fn copied(self) -> Expr {
        Node::Call(Function::Copied, vec![self]).into()
    }

    /// `bit`: the bit of this number in a bitmap, of which this is the first word.
    pub(crate) fn bit(self, number: Expr) -> Expr {
        Node::Call(Function::Bit, vec![self, number]).into()
    }

    /// `st_dev`: a device number of the kernel's own encoding as stat(2) gives it.
    pub fn st_dev(self) -> Expr {
        Node::Call(Function::StDev, vec![self]).into()
    }

    /// The root of the tree.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The root of the tree, by value.
    pub fn into_node(self) -> Node {
        self.node
    }

    /// The direct operands, in the order of the SQL text.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Name(_) | Node::Int(_) | Node::Text(_) => Vec::new(),
            Node::Neg(of) | Node::Not(of) | Node::IsNull(of) | Node::Is(_, of) => vec![of],
            Node::Arithmetic(_, left, right) | Node::Compare(_, left, right) | Node::Like(left, right) => {
                vec![left, right]
            }
            Node::And(all) | Node::Or(all) | Node::Call(_, all) => all.iter().collect(),
            Node::In(of, list) => [&**of].into_iter().chain(list).collect(),
            Node::Between(of, low, high) => vec![of, low, high],
            Node::Case { arms, otherwise } => {
                let arms = arms.iter().flat_map(|(condition, value)| [condition, value]);
                arms.chain(otherwise.as_deref()).collect()
            }
        }
    }

    /// Calls `visitor` with the expression and each of its descendants, parents first, until `visitor` breaks.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use kwalk_query::{Node, field};
    ///
    /// let mut names = Vec::new();
    /// let _ = (field("utime") + field("stime")).gt(1).visit(&mut |expr| {
    ///     if let Node::Name(name) = expr.node() {
    ///         names.push(name.clone());
    ///     }
    ///     ControlFlow::<()>::Continue(())
    /// });
    /// assert_eq!(names, ["utime", "stime"]);
    /// ```
    pub fn visit<B>(&self, visitor: &mut impl FnMut(&Expr) -> ControlFlow<B>) -> ControlFlow<B> {
        // A stack of nodes instead of recursion: an expression can be thousands of nodes deep.
        let mut rest = vec![self];
        while let Some(expr) = rest.pop() {
            visitor(expr)?;
            rest.extend(expr.children().into_iter().rev());
        }
        ControlFlow::Continue(())
    }

    /// Splits the expression into conditions that are joined by AND, also nested ones. Any other expression is returned
    /// alone.
    ///
    /// ```
    /// use kwalk_query::field;
    ///
    /// let all = field("a").eq(1).and(field("b").eq(2).and(field("c").eq(3)));
    /// assert_eq!(all.conjuncts().len(), 3);
    /// assert_eq!(field("a").eq(1).or(field("b").eq(2)).conjuncts().len(), 1);
    /// ```
    pub fn conjuncts(self) -> Vec<Expr> {
        match self.node {
            Node::And(all) => all.into_iter().flat_map(Expr::conjuncts).collect(),
            node => vec![Expr { node, span: self.span }],
        }
    }

    /// The part of the user's text, if the expression was parsed.
    pub fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $op:ident;)*) => {$(
        impl<T: Into<Expr>> $trait<T> for Expr {
            type Output = Expr;

            fn $method(self, other: T) -> Expr {
                Node::Arithmetic(Arithmetic::$op, Box::new(self), Box::new(other.into())).into()
            }
        }
    )*};
}

operators! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
    Rem rem Rem;
    BitAnd bitand And;
    BitOr bitor Or;
    BitXor bitxor Xor;
    Shl shl Shl;
    Shr shr Shr;
}

impl Neg for Expr {
    type Output = Expr;

    fn neg(self) -> Expr {
        let span = self.span.clone();
        match Node::Neg(Box::new(self)).into() {
            Expr { node: node @ Node::Int(_), .. } => Expr { node, span },
            other => other,
        }
    }
}

macro_rules! numbers {
    ($($int:ty)*) => {$(
        impl From<$int> for Expr {
            fn from(value: $int) -> Expr {
                Node::Int(value.into()).into()
            }
        }
    )*};
}

numbers!(bool u8 u16 u32 u64 i8 i16 i32 i64);

/// A literal text; for a field, see [`field`].
impl From<&str> for Expr {
    fn from(text: &str) -> Expr {
        Node::Text(text.into()).into()
    }
}

/// A literal text; for a field, see [`field`].
impl From<String> for Expr {
    fn from(text: String) -> Expr {
        Node::Text(text.into()).into()
    }
}

/// A literal text. It may have bytes that are not UTF-8.
impl From<&[u8]> for Expr {
    fn from(text: &[u8]) -> Expr {
        Node::Text(text.into()).into()
    }
}
