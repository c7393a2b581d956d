//! Filter pushdown: tells a query engine which of its conditions the kernel tests.

use alloc::vec::Vec;

use kwalk_progs::{Available, Kernel};

use crate::error::{Error, Reason};
use crate::expr::Expr;
use crate::plan::PlanOptions;
use crate::planner::Planner;
use crate::resolve::Names;
use crate::select::Select;
use crate::targets::find;
use crate::tested::{self, Tested};

/// The verdict on a condition that an engine wants to push down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The kernel shows exactly the objects for which the condition is true.
    Exact,
    /// The kernel shows all objects for which it is true, but also others: the engine must test it again. So it is with
    /// what user space fills in ([`Plan::completion`](crate::Plan::completion)), though the rows that the crate `kwalk`
    /// gives have been tested.
    Inexact,
    /// The kernel does not test the condition.
    Unsupported,
}

impl Select {
    /// Adds those of an engine's conditions that the kernel can test, and returns a verdict on each, in their order.
    /// The conditions are joined by AND.
    ///
    /// Of a condition that is an AND itself, the terms that the kernel can test are added. A term is left out, too, if the
    /// program would be too complex with it and the terms before it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
    /// use kwalk_query::{PlanOptions, Select, Verdict, field};
    ///
    /// let btf = kwalk_btf::Btf::new(&bytes)?;
    /// let kernel = kwalk_progs::Kernel::described(&btf);
    /// let asked = [
    ///     field("pid").gt(1),
    ///     field("comm").like("%a%b%"),
    ///     field("pid").lt(99).and(field("comm").eq(field("real_parent.comm"))),
    /// ];
    /// let (select, verdicts) = Select::new("task").push_filters(&kernel, &PlanOptions::default(), asked)?;
    /// assert_eq!(verdicts, [Verdict::Exact, Verdict::Unsupported, Verdict::Inexact]);
    /// assert_eq!(select.plan(&kernel)?.condition().as_deref(), Some("pid > 1 AND pid < 99"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reason::Program`](crate::Reason::Program) where this kernel has no such target, or its BTF is damaged.
    pub fn push_filters(
        mut self,
        kernel: &Kernel<'_>,
        options: &PlanOptions<'_>,
        conditions: impl IntoIterator<Item = Expr>,
    ) -> Result<(Select, Vec<Verdict>), Error> {
        let Available { target, context } = find(kernel.btf, self.target())?;
        // The terms of all conditions, each with the number of its condition and a verdict.
        let (mut terms, mut count) = (Vec::new(), 0);
        for (nth, condition) in conditions.into_iter().enumerate() {
            for term in condition.conjuncts() {
                // Each has a planner of its own: what a refused condition has looked up must not get into the program.
                let planner = Planner::new(Names::new(kernel, &target, context, options.elements)?);
                let verdict = of_term(planner, &term);
                terms.push((nth, term, verdict));
            }
            count = nth + 1;
        }
        let taken = |(_, _, verdict): &&mut (usize, Expr, Verdict)| *verdict != Verdict::Unsupported;
        let all = terms
            .iter_mut()
            .filter(taken)
            .fold(self.clone(), |select, (_, term, _)| select.filter(term.clone()));
        if !all.is_too_complex(kernel, options) {
            self = all;
        } else {
            for (_, term, verdict) in terms.iter_mut().filter(taken) {
                let with = self.clone().filter(term.clone());
                match with.is_too_complex(kernel, options) {
                    true => *verdict = Verdict::Unsupported,
                    false => self = with,
                }
            }
        }
        let of_condition = |nth| {
            let mut own = terms.iter().filter(|(of, ..)| *of == nth).map(|(_, _, verdict)| *verdict);
            let first = own.next().unwrap_or(Verdict::Exact);
            if own.all(|verdict| verdict == first) { first } else { Verdict::Inexact }
        };
        Ok((self, (0..count).map(of_condition).collect()))
    }

    /// Whether no program can be made of the condition, for want of registers, stack, instructions or maps.
    fn is_too_complex(&self, kernel: &Kernel<'_>, options: &PlanOptions<'_>) -> bool {
        let plan = self.plan_with(kernel, &PlanOptions { count: true, ..*options });
        let program = plan.and_then(|plan| plan.program(kernel));
        program.is_err_and(|error| *error.reason == Reason::TooComplex)
    }
}

/// The verdict on a condition that is no AND.
fn of_term(mut planner: Planner<'_>, term: &Expr) -> Verdict {
    let (_, tested) = tested::split(&planner.names, term);
    if tested.is_empty() {
        let exact = planner.condition(term).is_ok_and(|planned| planned.is_exact());
        return if exact { Verdict::Exact } else { Verdict::Unsupported };
    }
    let mut columns = Vec::new();
    let mut tests = Tested::new(&mut planner, &mut columns);
    let exact = tests.terms(&tested).is_ok() && tests.is_exact;
    if exact { Verdict::Inexact } else { Verdict::Unsupported }
}
