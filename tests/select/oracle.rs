//! Conditions made at random, and what they mean, worked out without any of the code under test: three values as SQL has
//! them, numbers of 64 bits as kwalk documents them.

use std::collections::BTreeMap;

use kwalk::select::{Expr, case, field};
use proptest::prelude::*;
use proptest::sample::select;

/// A field of a task that does not change while the task sleeps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Whether it has 64 bits and no sign.
    Number(bool),
    Text,
    Pointer,
    /// A text that user space fills in.
    Filled,
}

/// Those that conditions are made of. NULL for some tasks: what lies behind `mm`, `mm` itself, `last_siginfo`.
pub(crate) const FIELDS: &[(&str, Kind)] = &[
    ("tgid", Kind::Number(false)),
    ("pid", Kind::Number(false)),
    ("real_parent.tgid", Kind::Number(false)),
    ("group_leader.pid", Kind::Number(false)),
    ("exit_signal", Kind::Number(false)),
    ("exit_code", Kind::Number(false)),
    ("prio", Kind::Number(false)),
    ("static_prio", Kind::Number(false)),
    ("policy", Kind::Number(false)),
    ("personality", Kind::Number(false)),
    ("cred.uid.val", Kind::Number(false)),
    ("signal.oom_score_adj", Kind::Number(false)),
    ("signal.nr_threads", Kind::Number(false)),
    ("signal.is_child_subreaper", Kind::Number(false)),
    ("sched_reset_on_fork", Kind::Number(false)),
    ("no_cgroup_migration", Kind::Number(false)),
    ("mm.map_count", Kind::Number(false)),
    ("start_time", Kind::Number(true)),
    ("mm.task_size", Kind::Number(true)),
    ("mm.start_stack", Kind::Number(true)),
    ("mm.start_data", Kind::Number(true)),
    ("signal.rlim[7].rlim_max", Kind::Number(true)),
    ("mm.saved_auxv[1]", Kind::Number(true)),
    ("comm", Kind::Text),
    ("real_parent.comm", Kind::Text),
    ("nsproxy.uts_ns.name.sysname", Kind::Text),
    ("mm.exe_file.f_path.dentry.d_name.name", Kind::Text),
    // These are not the kernel's: what is asked of them is tested in user space, with what the kernel finds of the rest.
    ("cmdline", Kind::Filled),
    ("cmdline[2]", Kind::Filled),
    ("mm", Kind::Pointer),
    ("last_siginfo", Kind::Pointer),
    ("real_parent", Kind::Pointer),
    ("mm.exe_file", Kind::Pointer),
];

/// What a task's fields are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Number(i128),
    Text(Vec<u8>),
    Pointer,
}

pub(crate) type Task = BTreeMap<&'static str, Value>;

#[derive(Debug, Clone)]
pub(crate) enum Num {
    Field(&'static str, bool),
    Literal(i128),
    Neg(Box<Num>),
    Binary(char, Box<Num>, Box<Num>),
    Case(Vec<(Cond, Num)>, Option<Box<Num>>),
    NullIf(Box<Num>, Box<Num>),
}

#[derive(Debug, Clone)]
pub(crate) enum Cond {
    Compare(&'static str, Num, Num),
    Bare(Num),
    In(Num, Vec<Num>),
    Between(Num, Num, Num),
    Like(&'static str, String),
    Equal(&'static str, String),
    InTexts(&'static str, Vec<String>),
    IsNull(Num),
    FieldIsNull(&'static str),
    IsUnknown(Box<Cond>),
    Is(bool, Box<Cond>),
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
}

fn literal(value: i128) -> Expr {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => value.into(),
        (_, Ok(value)) => value.into(),
        _ => panic!("{value}"),
    }
}

impl Num {
    pub(crate) fn expr(&self) -> Expr {
        match self {
            Num::Field(name, _) => field(*name),
            Num::Literal(value) => literal(*value),
            Num::Neg(of) => -of.expr(),
            Num::Binary(op, left, right) => {
                let (l, r) = (left.expr(), right.expr());
                match op {
                    '+' => l + r,
                    '-' => l - r,
                    '*' => l * r,
                    '/' => l / r,
                    '%' => l % r,
                    '&' => l & r,
                    '|' => l | r,
                    '^' => l ^ r,
                    '<' => l << r,
                    _ => l >> r,
                }
            }
            Num::Case(arms, otherwise) => {
                let case = case(arms.iter().map(|(condition, number)| (condition.expr(), number.expr())));
                otherwise.as_ref().map_or(case.clone(), |number| case.or_else(number.expr()))
            }
            Num::NullIf(left, right) => left.expr().null_if(right.expr()),
        }
    }

    /// Its value, of a literal with any number of signs: that is a literal too.
    fn literal(&self) -> Option<i128> {
        match self {
            Num::Literal(value) => Some(*value),
            Num::Neg(of) => Some(-of.literal()?),
            _ => None,
        }
    }

    /// Whether it has no sign.
    fn unsigned(&self) -> bool {
        match self {
            Num::Field(_, unsigned) => *unsigned,
            Num::Literal(value) => *value >= 1 << 63,
            Num::Neg(of) => self.literal().map_or_else(|| of.unsigned(), |value| value >= 1 << 63),
            Num::Binary('<' | '>', left, _) => left.unsigned(),
            Num::Binary(_, left, right) => left.unsigned() || right.unsigned(),
            Num::Case(arms, otherwise) => {
                arms.iter().map(|(_, number)| number).chain(otherwise.as_deref()).any(Num::unsigned)
            }
            Num::NullIf(left, _) => left.unsigned(),
        }
    }

    fn eval(&self, task: &Task) -> Option<i128> {
        let unsigned = self.unsigned();
        let wrap = |value: i128| {
            let low = value.rem_euclid(1 << 64);
            if !unsigned && low >= 1 << 63 { low - (1 << 64) } else { low }
        };
        Some(match self {
            Num::Field(name, _) => match &task[name] {
                Value::Number(value) => *value,
                _ => return None,
            },
            Num::Literal(value) => *value,
            Num::Neg(of) => wrap(-of.eval(task)?),
            Num::Binary(op, left, right) => {
                let (left, right) = (left.eval(task)?, right.eval(task)?);
                let by = right.rem_euclid(64);
                let (l, r) = (wrap(left), wrap(right));
                wrap(match op {
                    '+' => l + r,
                    '-' => l - r,
                    '*' => l.wrapping_mul(r),
                    '/' | '%' if r == 0 => return None,
                    '/' => l / r,
                    '%' => l % r,
                    '&' => l & r,
                    '|' => l | r,
                    '^' => l ^ r,
                    '<' => l.wrapping_mul(1 << by),
                    _ => l.div_euclid(1 << by),
                })
            }
            Num::Case(arms, otherwise) => {
                let first = arms.iter().find(|(condition, _)| condition.eval(task) == Some(true));
                wrap(first.map(|(_, number)| number).or(otherwise.as_deref())?.eval(task)?)
            }
            Num::NullIf(left, right) => {
                let left = left.eval(task)?;
                return (compare("=", Some(left), right.eval(task)) != Some(true)).then_some(left);
            }
        })
    }
}

/// What matches what, by trying all.
fn like(text: &[u8], pattern: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'%', rest @ ..] => (0..=text.len()).any(|at| like(&text[at..], rest)),
        [b'_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        [byte, rest @ ..] => text.first() == Some(byte) && like(&text[1..], rest),
    }
}

fn not(of: Option<bool>) -> Option<bool> {
    of.map(|value| !value)
}

/// The least of them: false, unknown, true.
fn all(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let values: Vec<_> = values.collect();
    if values.contains(&Some(false)) {
        Some(false)
    } else if values.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn any(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    not(all(values.map(not)))
}

fn compare(op: &str, left: Option<i128>, right: Option<i128>) -> Option<bool> {
    let ordering = left?.cmp(&right?);
    Some(match op {
        "=" => ordering.is_eq(),
        "<>" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        "<=" => ordering.is_le(),
        ">" => ordering.is_gt(),
        _ => ordering.is_ge(),
    })
}

impl Cond {
    pub(crate) fn expr(&self) -> Expr {
        let exprs = |conditions: &[Cond]| conditions.iter().map(Cond::expr).collect::<Vec<_>>();
        match self {
            Cond::Compare(op, left, right) => {
                let (l, r) = (left.expr(), right.expr());
                match *op {
                    "=" => l.eq(r),
                    "<>" => l.ne(r),
                    "<" => l.lt(r),
                    "<=" => l.le(r),
                    ">" => l.gt(r),
                    _ => l.ge(r),
                }
            }
            Cond::Bare(number) => number.expr(),
            Cond::In(number, list) => number.expr().is_in(list.iter().map(Num::expr)),
            Cond::Between(number, low, high) => number.expr().between(low.expr(), high.expr()),
            Cond::Like(name, pattern) => field(*name).like(pattern.as_str()),
            Cond::Equal(name, text) => field(*name).eq(text.as_str()),
            Cond::InTexts(name, list) => field(*name).is_in(list.iter().map(String::as_str)),
            Cond::IsNull(number) => number.expr().is_null(),
            Cond::FieldIsNull(name) => field(*name).is_null(),
            Cond::IsUnknown(of) => of.expr().is_null(),
            Cond::Is(truth, of) => {
                if *truth {
                    of.expr().is_true()
                } else {
                    of.expr().is_false()
                }
            }
            Cond::And(of) => exprs(of).into_iter().reduce(Expr::and).unwrap(),
            Cond::Or(of) => exprs(of).into_iter().reduce(Expr::or).unwrap(),
            Cond::Not(of) => of.expr().not(),
        }
    }

    /// Calls `each` for the name of each text that is looked at.
    pub(crate) fn texts(&self, each: &mut impl FnMut(&'static str)) {
        match self {
            Cond::Like(name, _) | Cond::Equal(name, _) | Cond::InTexts(name, _) => each(name),
            Cond::IsUnknown(of) | Cond::Is(_, of) | Cond::Not(of) => of.texts(each),
            Cond::And(of) | Cond::Or(of) => of.iter().for_each(|one| one.texts(each)),
            _ => {}
        }
    }

    pub(crate) fn eval(&self, task: &Task) -> Option<bool> {
        let text = |name, is: &dyn Fn(&[u8]) -> bool| match &task[name] {
            Value::Text(text) => Some(is(text)),
            _ => None,
        };
        match self {
            Cond::Compare(op, left, right) => compare(op, left.eval(task), right.eval(task)),
            Cond::Bare(number) => compare("<>", number.eval(task), Some(0)),
            Cond::In(number, list) => {
                any(list.iter().map(|item| compare("=", number.eval(task), item.eval(task))))
            }
            Cond::Between(number, low, high) => all([(">=", low), ("<=", high)]
                .into_iter()
                .map(|(op, bound)| compare(op, number.eval(task), bound.eval(task)))),
            Cond::Like(name, pattern) => text(name, &|text| like(text, pattern.as_bytes())),
            Cond::Equal(name, wanted) => text(name, &|text| text == wanted.as_bytes()),
            Cond::InTexts(name, list) => {
                text(name, &|text| list.iter().any(|wanted| text == wanted.as_bytes()))
            }
            Cond::IsNull(number) => Some(number.eval(task).is_none()),
            Cond::FieldIsNull(name) => Some(task[name] == Value::Null),
            Cond::IsUnknown(of) => Some(of.eval(task).is_none()),
            Cond::Is(truth, of) => Some(of.eval(task) == Some(*truth)),
            Cond::And(of) => all(of.iter().map(|one| one.eval(task))),
            Cond::Or(of) => any(of.iter().map(|one| one.eval(task))),
            Cond::Not(of) => not(of.eval(task)),
        }
    }
}

fn names(is: fn(&Kind) -> bool) -> Vec<&'static str> {
    FIELDS.iter().filter(|(_, kind)| is(kind)).map(|(name, _)| *name).collect()
}

/// Numbers that lie where something changes, and those that tasks have.
fn literals(known: &[i128]) -> impl Strategy<Value = i128> + use<> {
    let edges = [0i128, 1, 2, 3, 7, 31, 32, 63, 64, 120, 255, 256, 65535, 1 << 31, 1 << 32, 1 << 62, 1 << 63];
    let near = edges.iter().flat_map(|edge| [*edge, edge - 1, -edge, -edge - 1, (1 << 64) - 1 - edge]);
    let fits = |value: &i128| (-(1 << 63)..1 << 64).contains(value);
    let own = known.iter().flat_map(|value| [*value, value + 1, value - 1]);
    select(near.chain(own).filter(fits).collect::<Vec<_>>())
}

pub(crate) fn numbers(known: &[i128], texts: &[String]) -> BoxedStrategy<Num> {
    let fields: Vec<_> = FIELDS
        .iter()
        .filter_map(|(name, kind)| match kind {
            Kind::Number(unsigned) => Some(Num::Field(name, *unsigned)),
            _ => None,
        })
        .collect();
    let leaf = prop_oneof![3 => select(fields.clone()), 2 => literals(known).prop_map(Num::Literal)];
    let by = prop_oneof![(0..64i128).prop_map(Num::Literal), select(fields)];
    let operator = select(OPERATORS.to_vec());
    // Computations are the kernel's.
    let text = text_conditions(texts, names(|kind| matches!(kind, Kind::Text)));
    let nullable = select(names(|kind| matches!(kind, Kind::Text | Kind::Pointer)));
    leaf.prop_recursive(4, 24, 2, move |inner| {
        let boxed = |number: Num| Box::new(number);
        let tested = prop_oneof![
            3 => (operator.clone(), inner.clone(), inner.clone()).prop_map(|(op, l, r)| Cond::Compare(op, l, r)),
            2 => text.clone(),
            1 => nullable.clone().prop_map(Cond::FieldIsNull),
            1 => inner.clone().prop_map(Cond::IsNull),
        ];
        let arms = prop::collection::vec((tested, inner.clone()), 1..3);
        let binary = |op: char, l, r| Num::Binary(op, Box::new(l), Box::new(r));
        let operators = select("+-*/%&|^/%".chars().collect::<Vec<_>>());
        prop_oneof![
            6 => (operators, inner.clone(), inner.clone()).prop_map(move |(op, l, r)| binary(op, l, r)),
            2 => (select(vec!['<', '>']), inner.clone(), by.clone()).prop_map(move |(op, l, r)| binary(op, l, r)),
            2 => (arms, prop::option::of(inner.clone()))
                .prop_map(move |(arms, otherwise)| Num::Case(arms, otherwise.map(boxed))),
            1 => (inner.clone(), inner.clone()).prop_map(move |(l, r)| Num::NullIf(boxed(l), boxed(r))),
            1 => inner.prop_map(|of| Num::Neg(Box::new(of))),
        ]
    })
    .boxed()
}

const OPERATORS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// Conditions about texts like those that are known.
fn text_conditions(texts: &[String], names: Vec<&'static str>) -> BoxedStrategy<Cond> {
    let text = select(names);
    // A piece of a text, some of its bytes any, open at either end, or at none. Where it is open, the piece is anywhere.
    let piece = (select(texts.to_vec()), 0..70_000usize, 0..16usize, prop::bits::u8::masked(0x25));
    let pattern =
        (piece, prop::bool::ANY, prop::bool::ANY).prop_map(|((text, from, len, any), start, end)| {
            let from = match (start, end) {
                (true, true) => from % (text.len() + 1),
                (true, false) => text.len().saturating_sub(from % 100),
                (false, _) => 0,
            };
            let piece = text.bytes().skip(from).take(if end { len } else { 100 });
            let piece: String = piece
                .enumerate()
                .map(|(nth, byte)| if nth < 8 && any >> nth & 1 == 1 { '_' } else { char::from(byte) })
                .collect();
            format!("{}{piece}{}", if start { "%" } else { "" }, if end { "%" } else { "" })
        });
    // As many as are looked up in a map, and fewer.
    let known = select(texts.to_vec());
    let list = (prop::collection::vec(known.clone(), 1..3), prop_oneof![Just(0), Just(40usize)]);
    let list = list.prop_map(|(mut list, more)| {
        list.extend((0..more).map(|nth| format!("not_{nth}")));
        list
    });
    prop_oneof![
        3 => (text.clone(), pattern).prop_map(|(name, pattern)| Cond::Like(name, pattern)),
        1 => (text.clone(), known).prop_map(|(name, text)| Cond::Equal(name, text)),
        1 => (text, list).prop_map(|(name, list)| Cond::InTexts(name, list)),
    ]
    .boxed()
}

/// Conditions about numbers and texts like those that are `known`.
pub(crate) fn conditions(known: &[i128], texts: &[String]) -> BoxedStrategy<Cond> {
    let number = numbers(known, texts);
    let operator = select(OPERATORS.to_vec());
    let nullable = select(names(|kind| !matches!(kind, Kind::Number(_))));
    let long = (number.clone(), prop::collection::vec(literals(known), 30..40))
        .prop_map(|(of, list)| Cond::In(of, list.into_iter().map(Num::Literal).collect()));
    let text = || text_conditions(texts, names(|kind| matches!(kind, Kind::Text)));
    let filled = || text_conditions(texts, names(|kind| matches!(kind, Kind::Filled)));
    let arms = prop::collection::vec((filled(), number.clone()), 1..3);
    let case = (operator.clone(), arms, prop::option::of(number.clone()), number.clone()).prop_map(
        |(op, arms, otherwise, right)| Cond::Compare(op, Num::Case(arms, otherwise.map(Box::new)), right),
    );
    let leaf = prop_oneof![
        6 => (operator, number.clone(), number.clone()).prop_map(|(op, l, r)| Cond::Compare(op, l, r)),
        1 => number.clone().prop_map(Cond::Bare),
        2 => (number.clone(), prop::collection::vec(number.clone(), 1..5)).prop_map(|(n, l)| Cond::In(n, l)),
        2 => (number.clone(), number.clone(), number.clone()).prop_map(|(n, l, h)| Cond::Between(n, l, h)),
        1 => long,
        4 => text(),
        3 => filled(),
        1 => case,
        1 => number.prop_map(Cond::IsNull),
        2 => nullable.prop_map(Cond::FieldIsNull),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            3 => several.clone().prop_map(Cond::And),
            3 => several.prop_map(Cond::Or),
            3 => inner.clone().prop_map(|of| Cond::Not(Box::new(of))),
            1 => inner.clone().prop_map(|of| Cond::IsUnknown(Box::new(of))),
            1 => (prop::bool::ANY, inner).prop_map(|(truth, of)| Cond::Is(truth, Box::new(of))),
        ]
    })
    .boxed()
}
