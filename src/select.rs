//! Selections: any fields of a target, for the objects that a condition picks, as rows of typed values.
//!
//! ```no_run
//! use kwalk::select::{Select, Value, Walk, field};
//! use kwalk::{KernelBtf, Scope, btf::Btf, kernel};
//!
//! # fn main() -> Result<(), kwalk::Error> {
//! let types = KernelBtf::open()?;
//! let btf = Btf::new(types.bytes())?;
//! let select = Select::new("task")
//!     .fields(["tgid", "comm", "real_parent.comm"])
//!     .filter(field("comm").like("ssh%").and(field("real_cred.uid.val").ne(0)));
//! let mut prepared = Walk::plan(&select, &kernel(&btf), Scope::All)?.prepare()?;
//! let mut rows = prepared.rows()?;
//! while let Some(row) = rows.next_row()? {
//!     if let (Value::Int(tgid), Value::Text(comm)) = (row.get(0), row.get(1)) {
//!         println!("{tgid} {}", comm.escape_ascii());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The meaning of expressions is described in [`kwalk_query`].
//!
//! The arguments of processes are not read by the program, which would have to wait for the memory of each process, but
//! from /proc, for the rows that the program writes. A row has them as [`Value::Texts`]. They are NULL for a process that
//! has ended since, for kernel threads and for zombies. Conditions on them are tested here, after all others
//! ([`Completion`]).

mod arguments;
mod cgroups;
mod completed;
mod elements;
mod evaluate;
mod facts;
mod namespaces;
mod output;
mod partitions;
mod prepared;
mod repeats;
mod rows;
mod sorted;
mod walks;

pub use kwalk_query::*;

pub use elements::MapElements;
pub(crate) use facts::gather;
pub use prepared::{Prepared, Walk};
pub use rows::Rows;
pub use sorted::Sorted;
