//! Any fields of any kind of kernel object, those that a condition picks: a program for exactly that.
//!
//! A [`Select`] says what is wanted. [`Select::plan`] looks it up in the types of a kernel and gives the program, the
//! [`Schema`] of the rows that it writes, and what its link can be told so that less is walked.
//!
//! ```
//! use kwalk_query::{Pushed, Select, field};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else { return Ok(()) };
//! let btf = kwalk_btf::Btf::new(&bytes)?;
//! let plan = Select::new("task")
//!     .fields(["pid", "comm", "real_parent.comm"])
//!     .filter(field("tgid").eq(1).and(field("comm").like("s%")))
//!     .plan(&btf)?;
//! assert_eq!(plan.schema.columns().len(), 3);
//! // The kernel need not look at other processes.
//! assert_eq!(plan.pushed, Some(Pushed::Tgid(1)));
//! # Ok(())
//! # }
//! ```
//!
//! # What expressions mean
//!
//! Names are the target's columns ([`columns`]), fields of its object (`comm`, `real_parent.tgid`, `se.load.weight`), or
//! of another argument of its context (`file.f_flags` of `task_file`). A path through a pointer that is NULL is NULL, and
//! so is a pointer of 0, `x / 0` and `x % 0`; conditions are true, false or unknown, as in SQL, and an object is shown
//! where its condition is true.
//!
//! Numbers have 64 bits. They are unsigned if they come from unsigned fields of that width, or are literals beyond 2⁶³;
//! all others have a sign. The result of an operation is unsigned if either side is (of a shift: the left side), and wraps
//! where it does not fit; division rounds towards zero. Comparisons compare the numbers, whatever their signs and widths.
//!
//! Texts are compared byte by byte, up to their NUL; of what lies behind a pointer the first 255 bytes count. `_` in a
//! pattern is any one byte. Paths and arguments have up to 4,095 bytes, and count as a whole; but if what `LIKE '%…%'` looks
//! for does not begin among the first 2,000, it is unknown whether it is there.

#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate alloc;

mod address;
mod cgroups;
pub mod columns;
mod condition;
mod derived;
mod elements;
mod emit;
mod error;
mod explain;
mod expr;
mod function;
mod layout;
mod meaning;
mod names;
mod number;
mod order;
mod pattern;
mod place;
mod plan;
mod planner;
mod record;
mod registers;
mod resolve;
mod select;
#[cfg(feature = "sql")]
pub mod sql;
mod stored;
mod window;

pub use cgroups::cgroup_ids;
pub use columns::{NamedColumn, Show, Source};
pub use elements::{ElementTypes, Elements};
pub use error::{Error, Kind, Reason, Syntax};
pub use expr::{Expr, cmdline, field, page_size, stack};
pub use function::{FUNCTIONS, FunctionInfo};
pub use kwalk_progs::{Fragment, Role, Span};
pub use order::{Key, Order};
pub use pattern::TEXT_MAX;
pub use plan::{Plan, PlanOptions, Pushed, Sink};
pub use record::{ColumnInfo, NotARow, Row, Schema, Stack, Type, Value};
pub use select::{COLUMNS_MAX, Column, Select};
pub use stored::NotASchema;
pub use window::Window;
