//! What a target has beside what its programs must know: named columns, derived roots, files.

use crate::columns::NamedColumn;
use crate::derived::Derived;
use crate::expr::Expr;

/// Kernel functions whose absence makes some columns impossible.
pub(crate) const FUNCTIONS: [&str; 10] = [
    "bpf_copy_from_user_task",
    "bpf_iter_num_destroy",
    "bpf_iter_num_new",
    "bpf_iter_num_next",
    "bpf_map_lookup_percpu_elem",
    "bpf_map_sum_elem_count",
    "bpf_rcu_read_lock",
    "bpf_rdonly_cast",
    "bpf_skc_to_unix_sock",
    "bpf_sock_from_file",
];

/// The columns of a target, and what paths and functions find in its context.
pub(crate) struct View {
    /// The named columns, in the order in which they are listed and shown.
    pub(crate) columns: &'static [NamedColumn],
    /// The derived roots.
    pub(crate) derived: &'static [Derived],
    /// The files that stay alive while a program runs. Only these may be passed to `bpf_d_path`: the helper trusts its
    /// argument, and could make the kernel oops with a file that is being freed.
    pub(crate) files: &'static [&'static str],
    /// The structs that the default columns look up by name, if they look up functions too: all of them are found in one
    /// pass over the types.
    pub(crate) looked_up: Option<&'static [&'static str]>,
    /// If a walk shows more than the objects: the condition that is true for these.
    pub(crate) is_object: Option<fn() -> Expr>,
    /// If an object can have several rows: the number of them, one if it is NULL.
    pub(crate) rows: Option<&'static str>,
}

impl View {
    /// The view of a target that is newer than this crate.
    pub(crate) const NONE: View =
        View { columns: &[], derived: &[], files: &[], looked_up: None, is_object: None, rows: None };
}
