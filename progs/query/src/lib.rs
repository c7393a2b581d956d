//! Selections from kernel objects: any fields of a target, for the objects that a condition picks, by a program for
//! exactly that.
//!
//! A [`Select`] describes what is wanted. [`Select::plan`] resolves it in the types of a kernel, and gives the program,
//! the [`Schema`] of the rows that the program writes, and a filter for its link, if there is one.
//!
//! ```
//! use kwalk_query::{Pushed, Select, field};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
//! let btf = kwalk_btf::Btf::new(&bytes)?;
//! let kernel = kwalk_progs::Kernel::described(&btf);
//! let plan = Select::new("task")
//!     .fields(["pid", "comm", "real_parent.comm"])
//!     .filter(field("tgid").eq(1).and(field("comm").like("s%")))
//!     .plan(&kernel)?;
//! assert_eq!(plan.schema().map(|schema| schema.columns().len()), Some(3));
//! // The link filters by the process, so that the kernel visits no other.
//! assert_eq!(plan.pushed, Some(Pushed::Tgid(1)));
//! let program = plan.program(&kernel)?;
//! assert_eq!(program.target().name, "task");
//! # Ok(())
//! # }
//! ```
//!
//! # What expressions mean
//!
//! A name is a column of the target ([`named_columns`]), a field of its object (`comm`, `real_parent.tgid`,
//! `se.load.weight`), or of another argument of its context (`file.f_flags` of `task_file`). A path through a NULL
//! pointer is NULL, and so are a pointer of 0, `x / 0` and `x % 0`. So is a path through a pointer into a process's memory
//! (`__user`), on x86-64, arm64 and riscv64 since Linux 6.2. As in SQL, a condition is true, false or unknown, and an
//! object is shown if it is true.
//!
//! Numbers have 64 bits. Unsigned are fields of an unsigned type of 64 bits, and literals of 2⁶³ or more; all others
//! are signed. The result of an operation is unsigned if one side is (for a shift, the left side). It wraps on
//! overflow, and division rounds towards zero. Comparisons compare the numbers, whatever their signs and widths.
//!
//! An object can change while a program looks at it. A number that a condition requires and a column shows is read once,
//! as far as there are registers (two at most), and so is a text that several columns show. A text that a condition tests
//! is read again to show it.
//!
//! Texts are compared byte by byte, up to their NUL. `_` in a pattern matches any one byte. Of a text behind a pointer,
//! programs look at the first 255 bytes; paths have up to 4,095 bytes. What can't be decided because a text has more is
//! counted ([`Plan::undecided`]).
//!
//! The arguments of a process, [`cmdline`], are a list of texts of any length. In conditions they are compared as one
//! text, joined by single spaces; `cmdline[0]` is the first one alone. The program does not have them: it tests all else,
//! and user space does what [`Completion`] says.

#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[macro_use]
extern crate alloc;

mod address;
mod cgroups;
mod columns;
mod comparison;
mod completion;
mod condition;
mod date;
mod derived;
mod elements;
mod emit;
mod error;
mod explain;
mod expr;
mod filters;
mod function;
mod ir;
mod layout;
mod limits;
mod literal;
mod meaning;
mod nth;
mod number;
mod order;
mod partition;
mod pattern;
mod per_cpu;
mod place;
mod plan;
mod planned;
mod planner;
mod projection;
mod pushed;
mod record;
mod registers;
mod resolve;
mod resolved;
mod reuse;
mod select;
#[cfg(feature = "sql")]
pub mod sql;
mod stored;
mod targets;
mod tested;
mod texts;
mod undecided;
mod unparse;
mod value;
mod view;

pub use cgroups::cgroup_ids;
pub use columns::{NamedColumn, Numbers, Show, Source, device};
pub use completion::{Choice, Completion, Fill, Operand, Test};
pub use date::DateTime;
pub use elements::{ElementTypes, Elements, PerCpuValues};
pub use error::{Error, Kind, Reason, Syntax};
pub use expr::{Arithmetic, Compare, Expr, Node, argv, case, cmdline, field, page_size, stack, vma_name};
pub use filters::Verdict;
pub use function::{FUNCTIONS, Function, FunctionInfo};
pub use kwalk_progs::{Fragment, Role, Span};
pub use limits::{COLUMNS_MAX, FILLED_MAX, TEXT_MAX};
pub use nth::NthRow;
pub use order::{Key, Order};
pub use partition::Partition;
pub use plan::{Plan, PlanOptions, Sink};
pub use pushed::Pushed;
pub use record::{ColumnInfo, NotARow, Row, Schema, fill};
pub use resolved::{ResolvedName, ResolvedTarget, Root, resolved_columns, resolved_name, resolved_target};
pub use select::{Column, Select};
pub use stored::NotASchema;
pub use targets::{find, named_columns};
pub use undecided::{Bound, Undecided};
pub use value::{List, Stack, Texts, Type, Value};
