//! Filter pushdown: tells a query engine which of its conditions the kernel tests.

use alloc::vec::Vec;

use kwalk_progs::{Available, Kernel, find};

use crate::error::Error;
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
    /// Of a condition that is an AND itself, the terms that the kernel can test are added.
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
        let mut verdicts = Vec::new();
        for condition in conditions {
            let (mut taken, mut left) = (0, 0);
            for term in condition.conjuncts() {
                // Each has a planner of its own: what a refused condition has looked up must not get into the program.
                let mut planner = Planner::new(Names::new(kernel, &target, context, options.elements)?);
                match planner.condition(&term) {
                    Ok(planned) if planned.is_exact() => {
                        self = self.filter(term);
                        taken += 1;
                    }
                    _ => left += 1,
                }
            }
            verdicts.push(match (taken, left) {
                (_, 0) => Verdict::Exact,
                (0, _) => Verdict::Unsupported,
                _ => Verdict::Inexact,
            });
        }
        Ok((self, verdicts))
    }
}
