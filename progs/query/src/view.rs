//! What is known of a target beside what its programs need to know: a file of `targets` for each.

use crate::columns::NamedColumn;
use crate::derived::Derived;

/// A target's columns, and what paths and functions find in its context.
pub(crate) struct View {
    /// Its named columns, in the order in which they are listed and shown.
    pub(crate) columns: &'static [NamedColumn],
    /// What its context arguments lead to by more than loads.
    pub(crate) derived: &'static [Derived],
    /// The files that stay while a program runs. The helper `bpf_d_path` trusts what it is given: it may have a path of
    /// these; of any other file, which may be gone while it looks, the kernel would oops.
    pub(crate) files: &'static [&'static str],
}

impl View {
    /// That of a target of which only the running kernel's types are known.
    pub(crate) const NONE: View = View { columns: &[], derived: &[], files: &[] };
}
