//! Splits a condition between the program and user space, and lowers what user space tests.
//!
//! A program can't test what it does not have: terms of the condition with a column that user space fills in are tested
//! there, after the others. Of such a term, the largest parts without one are tested by the program all the same, which
//! writes what it finds to hidden columns.

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::ops::ControlFlow;

use kwalk_progs::Role;

use crate::columns::Show;
use crate::completion::{Choice, Fill, Operand, Test};
use crate::error::{Error, Reason};
use crate::expr::{Compare, Expr, Node, field};
use crate::ir::{self, Condition, Number, Value};
use crate::planned::Planned;
use crate::planner::{Planner, filled, is_condition};
use crate::resolve::Names;

/// Splits a condition into what the program can test and the terms that only user space can test.
pub(crate) fn split(names: &Names<'_>, condition: &Expr) -> (Option<Expr>, Vec<Expr>) {
    if !is_filled(names, condition) {
        return (Some(condition.clone()), Vec::new());
    }
    let (tested, rest): (Vec<_>, Vec<_>) =
        condition.clone().conjuncts().into_iter().partition(|term| is_filled(names, term));
    ((!rest.is_empty()).then(|| Node::And(rest).into()), tested)
}

/// Whether a value that user space fills in is anywhere in the expression.
pub(crate) fn is_filled(names: &Names<'_>, expr: &Expr) -> bool {
    let visited = expr.visit(&mut |expr| match names.filled(expr) {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    visited.is_break()
}

/// Lowers conditions that user space tests, and collects the columns that they need.
pub(crate) struct Tested<'p, 'a> {
    pub(crate) planner: &'p mut Planner<'a>,
    pub(crate) columns: &'p mut Vec<Planned>,
    /// Whether the program finds the same as from whole texts ([`Condition::is_exact`]).
    pub(crate) is_exact: bool,
}

impl<'p, 'a> Tested<'p, 'a> {
    pub(crate) fn new(planner: &'p mut Planner<'a>, columns: &'p mut Vec<Planned>) -> Tested<'p, 'a> {
        Tested { planner, columns, is_exact: true }
    }

    /// Lowers terms that are joined by AND. Also returns them as SQL.
    pub(crate) fn terms(&mut self, terms: &[Expr]) -> Result<(Option<Test>, String), Error> {
        let mut tests = terms.iter().map(|term| self.test(term)).collect::<Result<Vec<_>, _>>()?;
        let test = if tests.len() > 1 { Some(Test::And(tests)) } else { tests.pop() };
        let sql: Vec<_> = terms
            .iter()
            .map(|term| match &term.node {
                Node::Or(_) if terms.len() == 1 => without_parentheses(term),
                _ => term.to_string(),
            })
            .collect();
        Ok((test, sql.join(" AND ")))
    }

    /// Plans the numbers among the columns that user space computes.
    pub(crate) fn numbers(&mut self) -> Result<Vec<Choice>, Error> {
        let mut numbers = Vec::new();
        for at in 0..self.columns.len() {
            let Some(column) = self.columns.get(at) else { break };
            if !matches!(column.value, Value::Filled(Fill::Number { .. })) {
                continue;
            }
            let expr = column.expr.clone();
            let (choice, unsigned) = self.choice(&expr)?;
            if let Some(column) = self.columns.get_mut(at) {
                column.value = Value::Filled(Fill::Number { nth: numbers.len(), unsigned });
            }
            numbers.push(choice);
        }
        Ok(numbers)
    }

    /// A CASE whose conditions user space tests, and whose numbers the program computes. Also returns whether they are
    /// unsigned.
    fn choice(&mut self, case: &Expr) -> Result<(Choice, bool), Error> {
        let Node::Case { arms, otherwise } = &case.node else { return Err(filled(case)) };
        let unsigned = self.is_unsigned(case)?;
        let column = |tested: &mut Self, value: &Expr| {
            let fragment = tested.planner.fragment(Role::Column, value);
            let number = tested.planner.number(&with_sign(value.clone(), unsigned))?;
            Ok::<_, Error>(tested.hidden(value, Value::Number(number), fragment))
        };
        let mut choices = Vec::with_capacity(arms.len());
        for (condition, value) in arms {
            choices.push((self.test(condition)?, column(self, value)?));
        }
        let otherwise = otherwise.as_deref().map(|value| column(self, value)).transpose()?;
        Ok((Choice { arms: choices, otherwise }, unsigned))
    }

    fn test(&mut self, expr: &Expr) -> Result<Test, Error> {
        if !is_filled(&self.planner.names, expr) {
            return self.found(expr);
        }
        self.planner.enter(expr)?;
        let test = match &expr.node {
            Node::And(all) => Test::And(self.all(all, Node::And)?),
            Node::Or(any) => Test::Or(self.all(any, Node::Or)?),
            Node::Not(of) => Test::Not(Box::new(self.test(of)?)),
            Node::Is(truth, of) => Test::Is(*truth, Box::new(self.test(of)?)),
            Node::IsNull(of) if is_condition(of) => Test::IsUnknown(Box::new(self.test(of)?)),
            Node::IsNull(of) if self.planner.names.filled(of).is_some() => Test::IsNull(self.column(of)?),
            Node::IsNull(of) if is_case(of) => self.case(of, &|value| value.is_null())?,
            Node::Compare(op, left, right) if is_case(left) => {
                self.case(left, &|value| Node::Compare(*op, Box::new(value), right.clone()).into())?
            }
            Node::Compare(op, left, right) if is_case(right) => {
                self.case(right, &|value| Node::Compare(*op, left.clone(), Box::new(value)).into())?
            }
            Node::Compare(op, left, right) => self.compare(*op, left, right)?,
            Node::In(of, list) if is_case(of) => self.case(of, &|value| value.is_in(list.iter().cloned()))?,
            Node::Between(of, low, high) if is_case(of) => {
                self.case(of, &|value| value.between((**low).clone(), (**high).clone()))?
            }
            Node::Case { .. } => self.case(expr, &|value| value)?,
            Node::In(of, list) if !list.is_empty() => {
                let any = list.iter().map(|item| self.compare(Compare::Eq, of, item));
                Test::Or(any.collect::<Result<_, _>>()?)
            }
            Node::Between(of, low, high) => {
                let both = [self.compare(Compare::Ge, of, low)?, self.compare(Compare::Le, of, high)?];
                Test::And(both.into())
            }
            Node::Like(of, pattern) => match &pattern.node {
                Node::Text(bytes) if bytes.contains(&0) => {
                    return Err(Error::new(Reason::TextNul, pattern.span.clone()));
                }
                Node::Text(bytes) => Test::Like(self.text(of)?, bytes.clone()),
                _ => return Err(Error::kind(pattern, self.planner.kind(pattern), "a text in quotes")),
            },
            Node::In(..) => return Err(Error::new(Reason::EmptyList, expr.span.clone())),
            _ => return Err(filled(expr)),
        };
        self.planner.leave();
        Ok(test)
    }

    /// The terms of AND or OR. Those that the program can test become one.
    fn all(&mut self, all: &[Expr], join: fn(Vec<Expr>) -> Node) -> Result<Vec<Test>, Error> {
        let names = &self.planner.names;
        let (tested, rest): (Vec<_>, Vec<_>) = all.iter().partition(|term| is_filled(names, term));
        let mut tests = Vec::with_capacity(tested.len() + 1);
        if !rest.is_empty() {
            tests.push(self.found(&join(rest.into_iter().cloned().collect()).into())?);
        }
        for term in tested {
            tests.push(self.test(term)?);
        }
        Ok(tests)
    }

    /// A part that the program tests.
    fn found(&mut self, expr: &Expr) -> Result<Test, Error> {
        let fragment = self.planner.fragment(Role::Condition, expr);
        let condition = self.planner.unmarked_condition(expr)?;
        self.is_exact &= condition.is_exact();
        let (one, zero) = (Number::constant(1), Number::constant(0));
        let otherwise = match condition.may_be_unknown() {
            true => Number::case(vec![(Condition::Not(Box::new(condition.clone())), zero)], Number::null()),
            false => zero,
        };
        let number = Number::case(vec![(condition, one)], otherwise);
        if number.node == ir::Node::Null || number.value().is_some() {
            return Ok(Test::Known(number.value().map(|value| value != 0)));
        }
        Ok(Test::Column(self.hidden(expr, Value::Number(number), fragment)))
    }

    /// A condition on a CASE, which `of` makes of a number: that of the CASE's numbers, whichever it is.
    fn case(&mut self, case: &Expr, of: &dyn Fn(Expr) -> Expr) -> Result<Test, Error> {
        let Node::Case { arms, otherwise } = &case.node else { return Err(filled(case)) };
        let is_unsigned = self.is_unsigned(case)?;
        let value = |tested: &mut Self, value: &Expr| {
            let same = |value| with_sign(value, is_unsigned);
            match &value.node {
                Node::Case { .. } if is_filled(&tested.planner.names, value) => {
                    tested.case(value, &|inner| of(same(inner)))
                }
                _ => tested.test(&of(same(value.clone()))),
            }
        };
        let mut tests = Vec::with_capacity(arms.len());
        for (condition, number) in arms {
            tests.push((self.test(condition)?, value(self, number)?));
        }
        let otherwise = match otherwise {
            Some(number) => value(self, number)?,
            // A number that is NULL.
            None => self.test(&of(Expr::from(0) / 0))?,
        };
        Ok(Test::Case(tests, Box::new(otherwise)))
    }

    /// Whether a number is unsigned.
    fn is_unsigned(&mut self, expr: &Expr) -> Result<bool, Error> {
        let Node::Case { arms, otherwise } = &expr.node else {
            return Ok(self.planner.number(expr)?.unsigned);
        };
        let mut any = false;
        for number in arms.iter().map(|(_, number)| number).chain(otherwise.as_deref()) {
            any |= self.is_unsigned(number)?;
        }
        Ok(any)
    }

    fn compare(&mut self, op: Compare, left: &Expr, right: &Expr) -> Result<Test, Error> {
        Ok(Test::Compare(op, self.text(left)?, self.text(right)?))
    }

    /// A text, or what is filled in.
    fn text(&mut self, expr: &Expr) -> Result<Operand, Error> {
        match &expr.node {
            Node::Text(bytes) if bytes.contains(&0) => Err(Error::new(Reason::TextNul, expr.span.clone())),
            Node::Text(bytes) => Ok(Operand::Literal(bytes.clone())),
            _ => self.column(expr).map(Operand::Column),
        }
    }

    /// The column with a text, or with what is filled in.
    fn column(&mut self, expr: &Expr) -> Result<usize, Error> {
        if let Some(fill) = self.planner.names.filled(expr) {
            let is = |column: &Planned| matches!(column.value, Value::Filled(known) if known == fill);
            if let Some(known) = self.columns.iter().position(is) {
                return Ok(known);
            }
        }
        let fragment = self.planner.fragment(Role::Condition, expr);
        match self.planner.value(expr, None)? {
            value @ Value::Filled(_) => Ok(self.hidden(expr, value, fragment)),
            Value::Text(text) if text.is_whole() => Ok(self.hidden(expr, Value::Text(text), fragment)),
            Value::Text(_) => Err(Error::new(
                Reason::Unsupported("a comparison with a text that may be cut"),
                expr.span.clone(),
            )),
            other => Err(Error::kind(expr, other.kind(), "a text")),
        }
    }

    fn hidden(&mut self, expr: &Expr, value: Value, fragment: u32) -> usize {
        let planned =
            Planned { name: expr.to_string(), expr: expr.clone(), show: Show::Plain, value, fragment };
        self.columns.push(planned);
        self.columns.len() - 1
    }
}

fn without_parentheses(term: &Expr) -> String {
    let sql = term.to_string();
    sql.strip_prefix('(').and_then(|sql| sql.strip_suffix(')')).unwrap_or(&sql).into()
}

/// A number of a CASE, whose numbers are all signed or all unsigned.
fn with_sign(value: Expr, unsigned: bool) -> Expr {
    // The bits stay the same.
    const TOP: u64 = 1 << 63;
    if unsigned { (value ^ TOP) ^ TOP } else { value }
}

fn is_case(expr: &Expr) -> bool {
    matches!(expr.node, Node::Case { .. })
}

/// The columns that tell whose the values are that user space fills in, if it fills any in.
pub(crate) fn process(
    columns: &mut Vec<Planned>,
    planner: &mut Planner<'_>,
) -> Result<Option<[usize; 3]>, Error> {
    if !columns.iter().any(|column| matches!(column.value, Value::Filled(_))) {
        return Ok(None);
    }
    let mut tested = Tested::new(planner, columns);
    let mut add = |expr: Expr| {
        let fragment = tested.planner.fragment(Role::Column, &expr);
        let value = tested.planner.value(&expr, None)?;
        Ok::<_, Error>(tested.hidden(&expr, value, fragment))
    };
    // The named columns, which are numbers of the pid namespace that /proc shows.
    let numbers = [add(field("tgid"))?, add(field("pid"))?];
    let start = add(field("task.group_leader.start_boottime"))?;
    Ok(Some([numbers[0], numbers[1], start]))
}

/// What is filled in for the columns: each value once.
pub(crate) fn fills(columns: &[Planned]) -> Vec<Fill> {
    let mut fills = Vec::new();
    for column in columns {
        if let Value::Filled(fill) = column.value {
            if !fills.contains(&fill) {
                fills.push(fill);
            }
        }
    }
    fills.sort_by_key(|fill| matches!(fill, Fill::Number { .. }));
    fills
}
