//! What goes to a person: knows nothing of the kernel.

mod escape;

pub use escape::{Escape, escape_line};
