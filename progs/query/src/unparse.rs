//! Displays expressions as SQL.

use core::fmt;

use crate::expr::{Arithmetic, Compare, Expr, Node};

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arithmetic::Add => "+",
            Arithmetic::Sub => "-",
            Arithmetic::Mul => "*",
            Arithmetic::Div => "/",
            Arithmetic::Rem => "%",
            Arithmetic::And => "&",
            Arithmetic::Or => "|",
            Arithmetic::Xor => "^",
            Arithmetic::Shl => "<<",
            Arithmetic::Shr => ">>",
        })
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compare::Eq => "=",
            Compare::Ne => "<>",
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Gt => ">",
            Compare::Ge => ">=",
        })
    }
}

/// SQL's reserved words. A name that is one of them is quoted.
const RESERVED: &[&str] = &[
    "all",
    "any",
    "between",
    "case",
    "current_catalog",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "end",
    "exists",
    "false",
    "interval",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "select",
    "session_user",
    "some",
    "struct",
    "trim",
    "true",
    "user",
    "with",
];

/// Displays the expression as SQL, which the parser reads as the same expression.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Name(path) => name(f, path),
            Node::Int(value) => value.fmt(f),
            Node::Text(bytes) => text(f, bytes),
            Node::Neg(of) => write!(f, "-{}", Operand(of)),
            Node::Arithmetic(op, left, right) => write!(f, "({} {op} {})", Operand(left), Operand(right)),
            Node::Compare(op, left, right) => write!(f, "{} {op} {}", Operand(left), Operand(right)),
            Node::And(all) => joined(f, all, " AND "),
            Node::Or(any) => joined(f, any, " OR "),
            Node::Not(of) => write!(f, "NOT {}", Operand(of)),
            Node::IsNull(of) => write!(f, "{} IS NULL", Operand(of)),
            Node::Is(truth, of) => write!(f, "{} IS {}", Operand(of), if *truth { "TRUE" } else { "FALSE" }),
            Node::In(of, items) => {
                write!(f, "{} IN (", Operand(of))?;
                list(f, items, ", ")?;
                f.write_str(")")
            }
            Node::Between(of, low, high) => {
                write!(f, "{} BETWEEN {} AND {}", Operand(of), Operand(low), Operand(high))
            }
            Node::Like(of, pattern) => write!(f, "{} LIKE {}", Operand(of), Operand(pattern)),
            Node::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                list(f, arguments, ", ")?;
                f.write_str(")")
            }
            Node::Case { arms, otherwise } => {
                f.write_str("CASE")?;
                for (condition, value) in arms {
                    write!(f, " WHEN {condition} THEN {value}")?;
                }
                match otherwise {
                    Some(value) => write!(f, " ELSE {value} END"),
                    None => f.write_str(" END"),
                }
            }
        }
    }
}

/// An operand, in parentheses unless it is a name, a literal, a call, or has parentheses of its own.
struct Operand<'e>(&'e Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.node {
            Node::Name(_)
            | Node::Int(_)
            | Node::Text(_)
            | Node::Arithmetic(..)
            | Node::And(_)
            | Node::Or(_)
            | Node::Call(..)
            | Node::Case { .. } => self.0.fmt(f),
            _ => write!(f, "({})", self.0),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, terms: &[Expr], between: &str) -> fmt::Result {
    f.write_str("(")?;
    for (nth, term) in terms.iter().enumerate() {
        f.write_str(if nth == 0 { "" } else { between })?;
        match &term.node {
            // NOT binds tighter than AND and OR, and all else binds tighter than NOT.
            Node::And(_) | Node::Or(_) => write!(f, "{}", Operand(term))?,
            _ => write!(f, "{term}")?,
        }
    }
    f.write_str(")")
}

fn list(f: &mut fmt::Formatter<'_>, items: &[Expr], between: &str) -> fmt::Result {
    for (nth, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if nth == 0 { "" } else { between })?;
    }
    Ok(())
}

/// Writes a path. Names that SQL would read as something else are quoted.
fn name(f: &mut fmt::Formatter<'_>, path: &str) -> fmt::Result {
    for (nth, segment) in path.split('.').enumerate() {
        f.write_str(if nth == 0 { "" } else { "." })?;
        let (name, index) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        let mut chars = name.chars();
        let is_plain = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        match is_plain && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
            true => f.write_str(name)?,
            false => write!(f, "\"{}\"", name.replace('"', "\"\""))?,
        }
        f.write_str(index)?;
    }
    Ok(())
}

/// Writes a quoted text; in hexadecimal if it is not UTF-8.
pub(crate) fn text(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    match core::str::from_utf8(bytes) {
        Ok(text) => write!(f, "'{}'", text.replace('\'', "''")),
        Err(_) => {
            f.write_str("X'")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("'")
        }
    }
}
