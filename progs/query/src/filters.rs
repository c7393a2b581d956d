//! Filter pushdown: tells a query engine which of its conditions the kernel tests.

use alloc::vec::Vec;

use kwalk_progs::{Available, Kernel, find};

use crate::error::{Error, Reason};
use crate::expr::Expr;
use crate::plan::PlanOptions;
use crate::planner::Planner;
use crate::resolve::Names;
use crate::select::Select;

/// The verdict on a condition that an engine wants to push down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The kernel shows exactly the objects for which the condition is true.
    Exact,
    /// The kernel shows all objects for which it is true, but also others: the engine must test it again.
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
        // Of each condition, how many of its terms are taken, and how many are left.
        let (mut counts, mut exact) = (Vec::new(), Vec::new());
        for (nth, condition) in conditions.into_iter().enumerate() {
            let (mut taken, mut left) = (0_usize, 0_usize);
            for term in condition.conjuncts() {
                // Each has a planner of its own: what a refused condition has looked up must not get into the program.
                let mut planner = Planner::new(Names::new(kernel, &target, context, options.elements)?);
                match planner.condition(&term) {
                    Ok(planned) if planned.is_exact() => {
                        exact.push((nth, term));
                        taken += 1;
                    }
                    _ => left += 1,
                }
            }
            counts.push((taken, left));
        }
        let all = exact.iter().fold(self.clone(), |select, (_, term)| select.filter(term.clone()));
        if !all.is_too_complex(kernel, options) {
            self = all;
        } else {
            for (nth, term) in exact {
                let with = self.clone().filter(term);
                if !with.is_too_complex(kernel, options) {
                    self = with;
                } else if let Some((taken, left)) = counts.get_mut(nth) {
                    (*taken, *left) = (taken.saturating_sub(1), *left + 1);
                }
            }
        }
        let verdict = |(taken, left)| match (taken, left) {
            (_, 0) => Verdict::Exact,
            (0, _) => Verdict::Unsupported,
            _ => Verdict::Inexact,
        };
        Ok((self, counts.into_iter().map(verdict).collect()))
    }

    /// Whether no program can be made of the condition, for want of registers, stack, instructions or maps.
    fn is_too_complex(&self, kernel: &Kernel<'_>, options: &PlanOptions<'_>) -> bool {
        let plan = self.plan_with(kernel, &PlanOptions { count: true, ..*options });
        let program = plan.and_then(|plan| plan.program(kernel));
        program.is_err_and(|error| *error.reason == Reason::TooComplex)
    }
}
