//! Output formats: rows as bytes, for a person or another program. Nothing here calls the kernel.

pub mod csv;
mod escape;
mod format;
pub mod json;
mod number;
pub mod raw;
pub mod table;

pub use escape::{Escape, escape_line};
pub use format::{Format, Symbols};
