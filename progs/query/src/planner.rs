//! Lowers expressions to the IR: checks types, folds constants, orders the terms of AND and OR.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::ControlFlow;

use kwalk_btf::Class;
use kwalk_progs::{Fragment, Role};

use crate::columns::{NamedColumn, Show, Source};
use crate::completion::Fill;
use crate::error::{Error, Kind, Reason};
use crate::expr::{Arithmetic, Compare, Expr, Node};
use crate::function::{FUNCTIONS, Function};
use crate::ir::{self, Number};
use crate::ir::{Condition, Text, Unary};
use crate::ir::{IpPlace, Value};
use crate::limits::{DEPTH_MAX, TERMS_MAX};
use crate::meaning::Meaning;
use crate::pattern::Pattern;
use crate::place::Place;
use crate::resolve::Names;

/// Lowers expressions to conditions and values.
pub(crate) struct Planner<'a> {
    pub(crate) names: Names<'a>,
    /// The fragments of the question for which the program will have instructions.
    pub(crate) fragments: Vec<Fragment>,
    /// Whether conditions become fragments of their own.
    marks: bool,
    /// The column whose expression is being planned: in that, its own name is the field that it hides.
    column: Option<&'static str>,
    /// What a number with a leading 0 is: octal, or bits in hexadecimal, if the fragment has a column that is shown so.
    pub(crate) zeros: Show,
    terms: usize,
    depth: usize,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(names: Names<'a>) -> Planner<'a> {
        Planner {
            names,
            fragments: Vec::new(),
            marks: true,
            column: None,
            zeros: Show::Plain,
            terms: 0,
            depth: 0,
        }
    }

    /// The value of an expression by itself. An earlier error does not affect it.
    pub(crate) fn alone(&mut self, expr: &Expr) -> Result<Value, Error> {
        (self.terms, self.depth) = (0, 0);
        self.value(expr, None)
    }

    /// Counts an expression; [`Planner::leave`] follows when it has been lowered.
    pub(crate) fn enter(&mut self, expr: &Expr) -> Result<(), Error> {
        self.terms += 1;
        self.depth += 1;
        if self.terms > TERMS_MAX || self.depth > DEPTH_MAX {
            return Err(Error::new(Reason::TooComplex, expr.span.clone()));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Starts a fragment for an expression, and returns its number.
    pub(crate) fn fragment(&mut self, role: Role, expr: &Expr) -> u32 {
        let fragment = self.fragments.len() as u32;
        let mut text = Beginning { text: String::new(), room: 80 };
        let whole = match expr.span() {
            Some(span) => text.write_str(span.excerpt()),
            None => write!(text, "{expr}"),
        };
        if whole.is_err() {
            text.text.push('…');
        }
        self.fragments.push(Fragment { role, text: text.text, span: expr.span().cloned() });
        self.names.fragment = fragment;
        let shown = |name: &str| self.names.column(name).map_or(Show::Plain, |column| column.show);
        let found = expr.visit(&mut |part| match &part.node {
            Node::Name(name) => match shown(name) {
                show @ (Show::Octal | Show::Bits64) => ControlFlow::Break(show),
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        });
        self.zeros = found.break_value().unwrap_or_default();
        fragment
    }

    /// Lowers an expression to a condition.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Result<Condition, Error> {
        self.enter(expr)?;
        // AND, OR, NOT and IS are not fragments: their operands are.
        let fragment = match &expr.node {
            Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Is(..) => None,
            _ if !self.marks => None,
            _ => Some(self.fragment(Role::Condition, expr)),
        };
        let condition = self.condition_at(expr)?;
        self.leave();
        Ok(match (condition, fragment) {
            (condition @ Condition::Known(_), _) | (condition, None) => condition,
            (condition, Some(fragment)) => Condition::Marked(fragment, Box::new(condition)),
        })
    }

    fn condition_at(&mut self, expr: &Expr) -> Result<Condition, Error> {
        let fail = |reason| Error::new(reason, expr.span.clone());
        match &expr.node {
            Node::And(all) | Node::Or(all) if all.is_empty() => Err(fail(Reason::EmptyList)),
            Node::And(all) => Ok(Condition::And(self.all(all, true)?)),
            Node::Or(any) => Ok(Condition::Or(self.all(any, false)?)),
            Node::Not(of) => Ok(Condition::Not(Box::new(self.condition(of)?))),
            Node::Is(truth, of) => Ok(Condition::Is(*truth, Box::new(self.condition(of)?))),
            Node::IsNull(of) if is_condition(of) => {
                // Unknown is neither true nor false.
                let of = self.condition(of)?;
                if !of.may_be_unknown() {
                    return Ok(Condition::Known(Some(false)));
                }
                let is_not = |truth, of| Condition::Not(Box::new(Condition::Is(truth, Box::new(of))));
                Ok(Condition::And(vec![is_not(true, of.clone()), is_not(false, of)]))
            }
            Node::IsNull(of) => Ok(match self.value(of, None)? {
                Value::Literal(_) => Condition::Known(Some(false)),
                Value::Ip(ip) => self.ip_is_null(&ip),
                Value::Text(text) | Value::Stack(text) | Value::Bytes(text) | Value::List(text, ..) => {
                    Condition::text_is_null(text)
                }
                Value::Pointer(place) => Condition::PointerIsNull(place),
                Value::Float(place) => Condition::is_null(self.names.unsigned(place)),
                Value::Number(number) => Condition::is_null(number),
                Value::Filled(_) => return Err(filled(of)),
            }),
            Node::Compare(op, left, right) => self.compare(*op, left, right),
            Node::In(_, list) if list.is_empty() => Err(fail(Reason::EmptyList)),
            Node::In(of, list) => {
                let any = list.iter().map(|item| self.compare(Compare::Eq, of, item));
                Ok(Condition::any_equal(any.collect::<Result<_, _>>()?))
            }
            Node::Between(of, low, high) => {
                let both = vec![self.compare(Compare::Ge, of, low)?, self.compare(Compare::Le, of, high)?];
                Ok(Condition::merged(both, true))
            }
            Node::Like(of, pattern) => {
                let text = match self.value(of, None)? {
                    Value::Text(text) => text,
                    Value::Filled(_) => return Err(filled(of)),
                    other => return Err(Error::kind(of, other.kind(), "a text")),
                };
                let Node::Text(bytes) = &pattern.node else {
                    return Err(Error::kind(pattern, self.kind(pattern), "a text in quotes"));
                };
                let fail = |why| Error::new(why, pattern.span.clone());
                let pattern = Pattern::like(bytes).map_err(fail)?;
                self.fits_text(&text, pattern.bytes.len()).map_err(fail)?;
                let max = text.pattern_max(pattern.open_start);
                let pattern = pattern.of_at_most(max).map_err(fail)?;
                Ok(match pattern.is_any() {
                    true => Condition::unless_null(Condition::text_is_null(text), true),
                    false => Condition::Like(text, pattern),
                })
            }
            Node::Call(Function::Cidr, arguments) => match arguments.as_slice() {
                [address, network] => self.cidr(address, network),
                _ => Err(arguments_of(Function::Cidr, expr)),
            },
            // An expression that is no condition counts as true if it is not 0.
            _ => match self.value(expr, None)? {
                Value::Number(number) => Ok(Condition::compared(Compare::Ne, number, Number::constant(0))),
                other => Err(Error::kind(expr, other.kind(), "a condition")),
            },
        }
    }

    /// Lowers the terms of AND or OR, and flattens nested ones of the same kind.
    fn all(&mut self, all: &[Expr], and: bool) -> Result<Vec<Condition>, Error> {
        let mut terms = Vec::with_capacity(all.len());
        for one in all {
            match (self.condition(one)?, and) {
                (Condition::And(inner), true) | (Condition::Or(inner), false) => terms.extend(inner),
                (condition, _) => terms.push(condition),
            }
        }
        Ok(Condition::ordered(terms))
    }

    fn compare(&mut self, op: Compare, left: &Expr, right: &Expr) -> Result<Condition, Error> {
        let (with_left, with_right) = (self.meaning(left), self.meaning(right));
        let l = self.value(left, Some(&with_right))?;
        let r = self.value(right, Some(&with_left))?;
        match (l, r) {
            (Value::Filled(_), _) => Err(filled(left)),
            (_, Value::Filled(_)) => Err(filled(right)),
            (Value::Number(number), Value::Literal(text)) if with_left.show == Show::BootTime => {
                self.date(op, &number, &text, right)
            }
            (Value::Literal(text), Value::Number(number)) if with_right.show == Show::BootTime => {
                self.date(op.mirrored(), &number, &text, left)
            }
            (Value::Number(number), Value::Literal(text)) => {
                any_of(op, number, with_left.numbers(&text, right)?)
            }
            (Value::Literal(text), Value::Number(number)) => {
                any_of(op.mirrored(), number, with_right.numbers(&text, left)?)
            }
            (Value::Ip(ip), Value::Literal(text)) => self.ip(op, &ip, &text, right),
            (Value::Literal(text), Value::Ip(ip)) => self.ip(op.mirrored(), &ip, &text, left),
            (Value::Ip(_), Value::Ip(_)) => Err(Error::second("a comparison of two addresses", right)),
            (Value::Ip(_), other) => Err(Error::kind(right, other.kind(), "an IP address in quotes")),
            (other, Value::Ip(_)) => Err(Error::kind(left, other.kind(), "an IP address in quotes")),
            (value @ (Value::Stack(_) | Value::Bytes(_) | Value::List(..) | Value::Float(_)), _) => {
                Err(Error::kind(left, value.kind(), "a number, a text or a pointer"))
            }
            (_, value @ (Value::Stack(_) | Value::Bytes(_) | Value::List(..) | Value::Float(_))) => {
                Err(Error::kind(right, value.kind(), "a number, a text or a pointer"))
            }
            (Value::Number(l), Value::Number(r)) => {
                self.fits(left, &l, right, &r)?;
                self.fits(right, &r, left, &l)?;
                Ok(Condition::compared(op, l, r))
            }
            (Value::Pointer(place), Value::Number(number)) => self.pointer(op, place, number, right),
            (Value::Number(number), Value::Pointer(place)) => {
                self.pointer(op.mirrored(), place, number, left)
            }
            (Value::Text(text), Value::Literal(bytes)) => self.text(op, text, &bytes, right),
            (Value::Literal(bytes), Value::Text(text)) => self.text(op.mirrored(), text, &bytes, left),
            (Value::Text(_), Value::Text(_)) => Err(Error::second("a comparison of two texts", right)),
            (Value::Literal(_), Value::Literal(_)) => Err(Error::kind(right, Kind::Constant, "a field")),
            (Value::Pointer(_), Value::Pointer(_)) => {
                Err(Error::second("a comparison of two pointers", right))
            }
            (Value::Number(_) | Value::Pointer(_), other) => {
                Err(Error::kind(right, other.kind(), "a number"))
            }
            (Value::Text(_) | Value::Literal(_), other) => Err(Error::kind(right, other.kind(), "a text")),
        }
    }

    /// Refuses a comparison of a field with a number outside the field's range.
    fn fits(&self, literal: &Expr, value: &Number, field: &Expr, of: &Number) -> Result<(), Error> {
        if let (Some(value), ir::Node::Field(place)) = (value.value(), &of.node) {
            if !(of.min..=of.max).contains(&value) {
                let (what, min, max) = (place.name.clone(), of.min, of.max);
                let span = literal.span.clone().or_else(|| field.span.clone());
                return Err(Error::new(Reason::Range { value, what, min, max }, span));
            }
        }
        Ok(())
    }

    fn pointer(&self, op: Compare, place: Place, number: Number, literal: &Expr) -> Result<Condition, Error> {
        let value = number.value().ok_or_else(|| Error::kind(literal, Kind::Number, "a constant"))?;
        let span = || literal.span.clone();
        if value == 0 {
            return Err(Error::new(Reason::NullPointer { what: place.name }, span()));
        }
        let name = place.name.clone();
        let pointer = Number::field(place, false, 64);
        if value < 0 {
            let reason = Reason::Range { value, what: name, min: pointer.min, max: pointer.max };
            return Err(Error::new(reason, span()));
        }
        Ok(Condition::Test { number: pointer, tests: vec![(op, value)], all: true })
    }

    fn text(&self, op: Compare, text: Text, bytes: &[u8], literal: &Expr) -> Result<Condition, Error> {
        let fail = |reason| Error::new(reason, literal.span.clone());
        self.fits_text(&text, bytes.len()).map_err(fail)?;
        let pattern = Pattern::exact(bytes, text.pattern_max(false)).map_err(fail)?;
        let equal = Condition::Like(text, pattern);
        match op {
            Compare::Eq => Ok(equal),
            Compare::Ne => Ok(Condition::Not(Box::new(equal))),
            _ => Err(fail(Reason::Unsupported("the order of texts"))),
        }
    }

    /// The names and the unit of an expression's numbers.
    fn meaning(&mut self, expr: &Expr) -> Meaning {
        let Node::Name(name) = &expr.node else { return Meaning::default() };
        let show = self.names.column(name).map_or(Show::Plain, |column| column.show);
        let names = match show {
            Show::Names(names) => names.iter().map(|(value, name)| (*value, (*name).to_owned())).collect(),
            _ => match self.names.column(name).map(|column| &column.source) {
                // An expression can have the value of a field, or NULL.
                Some(Source::Exprs(_)) => match self.value(expr, None) {
                    Ok(Value::Number(number)) => {
                        number.only_field().map_or(Vec::new(), |place| self.names.enumerators(place))
                    }
                    _ => Vec::new(),
                },
                _ => self.names.place(name, None).map_or(Vec::new(), |place| self.names.enumerators(&place)),
            },
        };
        Meaning { names, show }
    }

    pub(crate) fn kind(&mut self, expr: &Expr) -> Kind {
        if is_condition(expr) {
            return Kind::Condition;
        }
        self.value(expr, None).map_or(Kind::Constant, |value| value.kind())
    }

    /// Lowers an expression to a value. In a comparison, a name may also be that of a value of the other side, whose
    /// names are in `with`.
    pub(crate) fn value(&mut self, expr: &Expr, with: Option<&Meaning>) -> Result<Value, Error> {
        self.enter(expr)?;
        let value = match &expr.node {
            Node::Name(name) => self.named(name, expr, with)?,
            Node::Int(value) if *value < i64::MIN.into() || *value > u64::MAX.into() => {
                let (min, max) = (i64::MIN.into(), u64::MAX.into());
                let what = "a number of 64 bits".into();
                return Err(Error::new(Reason::Range { value: *value, what, min, max }, expr.span.clone()));
            }
            Node::Int(value) => Value::Number(Number::constant(self.with_zero(expr)?.unwrap_or(*value))),
            Node::Text(bytes) => Value::Literal(bytes.clone()),
            Node::Neg(of) => {
                let of = self.number(of)?;
                Value::Number(Number::binary(Arithmetic::Sub, Number::constant(0), of))
            }
            Node::Arithmetic(op, left, right) => {
                let (l, r) = (self.number(left)?, self.number(right)?);
                let shift = matches!(op, Arithmetic::Shl | Arithmetic::Shr);
                if let Some(by) = r.value().filter(|by| shift && !(0..64).contains(by)) {
                    return Err(Error::new(Reason::Shift(by), right.span.clone()));
                }
                Value::Number(Number::binary(*op, l, r))
            }
            Node::Case { arms, otherwise } => Value::Number(self.case(arms, otherwise.as_deref())?),
            Node::Call(function, arguments) if !function.is_condition() => {
                self.call(*function, arguments, expr)?
            }
            _ => return Err(Error::kind(expr, Kind::Condition, "a number, a text or a pointer")),
        };
        self.leave();
        Ok(value)
    }

    /// Lowers a condition that is not a fragment of its own, since the whole value that it is a part of is one.
    pub(crate) fn unmarked_condition(&mut self, expr: &Expr) -> Result<Condition, Error> {
        let marks = core::mem::take(&mut self.marks);
        let condition = self.condition(expr);
        self.marks = marks;
        condition
    }

    fn case(&mut self, arms: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<Number, Error> {
        let mut planned = Vec::with_capacity(arms.len());
        for (condition, value) in arms {
            planned.push((self.unmarked_condition(condition)?, self.number(value)?));
        }
        let otherwise = otherwise.map_or(Ok(Number::null()), |value| self.number(value))?;
        Ok(Number::case(planned, otherwise))
    }

    fn call(&mut self, function: Function, arguments: &[Expr], expr: &Expr) -> Result<Value, Error> {
        let place = |planner: &mut Self, of: &Expr| match &of.node {
            Node::Name(name) => planner.names.place(name, of.span.as_ref()),
            _ => Err(Error::kind(of, planner.kind(of), "a field")),
        };
        if let Some((argument, what)) = function.context()
            && self.names.argument(argument, None).is_err()
        {
            return Err(Error::new(Reason::Unsupported(what), expr.span.clone()));
        }
        match (function, arguments) {
            (Function::Ntohs | Function::Ntohl, [of]) => {
                let place = place(self, of)?;
                let size = if function == Function::Ntohs { 2 } else { 4 };
                match self.names.value(place.clone(), of.span.as_ref())? {
                    Value::Number(_) if place.field.size == size && place.field.bits.is_none() => {
                        Ok(Value::Number(self.names.unsigned(place.part(0, size).big_endian())))
                    }
                    other if size == 2 => Err(Error::kind(of, other.kind(), "a number of two bytes")),
                    other => Err(Error::kind(of, other.kind(), "a number of four bytes")),
                }
            }
            (Function::Ip, [of]) => {
                let place = place(self, of)?;
                match (place.field.size, place.field.class) {
                    (4, Class::Int { .. } | Class::Struct | Class::Array { .. }) => {
                        Ok(ip(None, Some(place.part(0, 4)), None))
                    }
                    (16, _) => Ok(ip(None, None, Some(place))),
                    _ => {
                        let kind = self.names.value(place, None).map_or(Kind::Struct, |value| value.kind());
                        Err(Error::kind(of, kind, "4 or 16 bytes"))
                    }
                }
            }
            (Function::Address, [family, v4, v6]) => {
                let family = place(self, family)?;
                let (v4, v6) = (place(self, v4).ok(), place(self, v6).ok());
                Ok(ip(Some(family), v4, v6))
            }
            (Function::Zone, [of, device]) => match self.value(of, None)? {
                Value::Ip(ip) if ip.family.is_some() => {
                    let device = place(self, device)?;
                    match (self.names.value(device.clone(), expr.span.as_ref())?, device.field.size) {
                        (Value::Number(_), 4) => {
                            Ok(Value::Ip(IpPlace { device: Some(device), ..*ip }.into()))
                        }
                        (other, _) => Err(Error::kind(expr, other.kind(), "a number of four bytes")),
                    }
                }
                other => Err(Error::kind(of, other.kind(), "address(…)")),
            },
            (Function::DPath | Function::CgroupPath | Function::UnixName | Function::ProgName, [of]) => {
                let Node::Name(name) = &of.node else {
                    return Err(Error::kind(of, self.kind(of), "a field"));
                };
                let (names, span) = (&mut self.names, of.span.as_ref());
                let text = match function {
                    Function::DPath => names.file(name, span),
                    Function::CgroupPath => names.cgroup(name, span),
                    Function::ProgName => names.prog_name(name, span),
                    _ => names.unix_name(name, span),
                };
                text.map(Value::Text)
            }
            (Function::NullIf, [left, right]) => {
                let number = self.number(left)?;
                let equal = self.compare(Compare::Eq, left, right)?;
                Ok(Value::Number(Number::case(vec![(equal, Number::null())], number)))
            }
            (Function::Positive | Function::StDev, [of]) => {
                let op = if function == Function::Positive { Unary::Positive } else { Unary::Device };
                Ok(Value::Number(Number::unary(op, self.number(of)?)))
            }
            (Function::Copied, [of]) => match self.number(of)? {
                Number { node: ir::Node::Field(place), unsigned, min, max } => {
                    Ok(Value::Number(Number { node: ir::Node::Copied(place), unsigned, min, max }))
                }
                _ => Err(Error::kind(of, Kind::Number, "a field")),
            },
            (Function::Bit, [word, number]) => self.bit(word, number),
            (Function::PageSize, []) => {
                Ok(Value::Number(Number::constant(self.names.kernel.page_size.into())))
            }
            (Function::Cmdline, []) => Ok(Value::Filled(Fill::Arguments)),
            (Function::VmaName, []) => self.names.vma_name(expr.span.as_ref()).map(Value::Text),
            (Function::Argv, []) => self.names.argv(expr.span.as_ref()).map(Value::Text),
            (Function::Stack, []) => self.names.stack(expr.span.as_ref()).map(Value::Stack),
            _ => Err(arguments_of(function, expr)),
        }
    }

    /// A bit of a bitmap behind a pointer.
    fn bit(&mut self, word: &Expr, number: &Expr) -> Result<Value, Error> {
        let field = |found: Number| match found.node {
            ir::Node::Field(place) if place.field.bits.is_none() && !place.swap => Some(*place),
            _ => None,
        };
        let index = field(self.number(number)?).filter(|place| place.field.size <= 4);
        let index = index.ok_or_else(|| Error::kind(number, Kind::Number, "a field of at most 32 bits"))?;
        let first = field(self.number(word)?).filter(|place| place.field.size == 8);
        let behind = first.and_then(|place| place.behind());
        let (pointer, word) =
            behind.ok_or_else(|| Error::kind(word, Kind::Number, "a field of 64 bits behind a pointer"))?;
        let node = ir::Node::Bit(Box::new(ir::Bit { pointer, word, number: index }));
        Ok(Value::Number(Number { node, unsigned: false, min: 0, max: 1 }))
    }

    fn named(&mut self, name: &str, expr: &Expr, with: Option<&Meaning>) -> Result<Value, Error> {
        let span = expr.span.as_ref();
        if let Some(fill @ Fill::Argument(_)) = self.names.filled(expr) {
            return Ok(Value::Filled(fill));
        }
        let column = self.names.column(name).filter(|column| self.column != Some(column.name));
        let exprs = match column.map(|column| &column.source) {
            Some(Source::Exprs(exprs)) => Some(*exprs),
            Some(Source::Pid(_, expr)) if !self.names.kernel.has_initial_pids => {
                Some(core::slice::from_ref(expr))
            }
            _ => None,
        };
        if let (Some(NamedColumn { name: column, .. }), Some(exprs)) = (column, exprs) {
            // If all of them fail, the last error says what is missing.
            let mut found = Err(Error::new(Reason::Unsupported("this column"), None));
            let (depth, outer) = (self.depth, self.column.replace(column));
            for one in exprs {
                self.depth = depth;
                found = self.value(&one(), None);
                if found.is_ok() {
                    break;
                }
            }
            self.column = outer;
            let since = self.names.since(name);
            let column = self.names.column(name).map_or("", |column| column.name);
            return found.map_err(|error| match (since, *error.reason) {
                (_, reason @ Reason::NoJit { .. }) => Error::new(reason, span.cloned()),
                (Some(reason), _) => Error::new(reason, span.cloned()),
                (None, Reason::Since { since, .. }) => {
                    Error::new(Reason::Since { what: column, since }, span.cloned())
                }
                (None, reason) => Error::new(reason, span.cloned()),
            });
        }
        if let Some(list) = self.names.each_cpu(name, span) {
            return list;
        }
        if let Some(bytes) = self.names.bytes(name) {
            return Ok(Value::Bytes(bytes));
        }
        let error = match self.names.named(name, span) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let values = with.map_or(&[][..], |with| &with.names);
        let meant = with.map_or(Vec::new(), |with| with.meant(name));
        match (meant.first(), *error.reason) {
            (Some(value), _) => Ok(Value::Number(Number::constant(*value))),
            (None, Reason::Name { name, mut near }) => {
                near.extend(kwalk_btf::near(&name, values.iter().map(|(_, known)| known.as_str())));
                Err(Error::new(Reason::Name { name, near }, error.span))
            }
            (None, reason) => Err(Error::new(reason, error.span)),
        }
    }

    pub(crate) fn number(&mut self, expr: &Expr) -> Result<Number, Error> {
        match self.value(expr, None)? {
            Value::Number(number) => Ok(number),
            other => Err(Error::kind(expr, other.kind(), "a number")),
        }
    }
}

/// Refuses to compute with what a program does not have.
pub(crate) fn filled(expr: &Expr) -> Error {
    Error::new(Reason::Unsupported("a computation with what is read from /proc"), expr.span.clone())
}

fn ip(family: Option<Place>, v4: Option<Place>, v6: Option<Place>) -> Value {
    Value::Ip(Box::new(IpPlace { family, v4, v6, device: None }))
}

/// Compares a number with all numbers that a name stands for.
fn any_of(op: Compare, number: Number, values: Vec<i128>) -> Result<Condition, Error> {
    let each = |value: i128| Condition::compared(op, number.clone(), Number::constant(value));
    match op {
        Compare::Eq | Compare::Ne => {
            Ok(Condition::merged(values.into_iter().map(each).collect(), op == Compare::Ne))
        }
        // For `<` and the like, the first number counts.
        _ => Ok(values.first().map_or(Condition::Known(None), |value| each(*value))),
    }
}

fn arguments_of(function: Function, expr: &Expr) -> Error {
    let known = FUNCTIONS.iter().find(|known| known.function == function);
    let reason = known.map_or(Reason::Unsupported("this function"), Reason::Arguments);
    Error::new(reason, expr.span.clone())
}

/// Whether an expression is a condition, not a value.
pub(crate) fn is_condition(expr: &Expr) -> bool {
    match &expr.node {
        Node::Name(_)
        | Node::Int(_)
        | Node::Text(_)
        | Node::Neg(_)
        | Node::Arithmetic(..)
        | Node::Case { .. } => false,
        Node::Call(function, _) => function.is_condition(),
        _ => true,
    }
}

/// Collects the first `room` characters: an expression may be a list of thousands.
struct Beginning {
    text: String,
    room: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if c.is_control() { ' ' } else { c });
        }
        Ok(())
    }
}
