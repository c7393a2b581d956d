//! Limits of a question, and how the stack of a program is divided.

/// Bytes of a program's stack for conditions and rows (`MAX_BPF_STACK` is 512); derived roots have the rest.
pub(crate) const STACK: usize = 512 - 8 * DERIVED_MAX;
/// The number of derived roots for which there is always room. With more, a program may be too complex.
pub(crate) const DERIVED_MAX: usize = 4;
/// The number of registers for computations in a program that saves nothing, and so keeps the context in R1.
pub(crate) const FREE_UNSAVED: usize = 5;

/// The maximal depth of an expression.
pub(crate) const DEPTH_MAX: usize = 200;
/// The maximal number of terms of an expression; each item of a list counts.
pub(crate) const TERMS_MAX: usize = 20_000;
/// The maximal number of columns in a selection.
pub const COLUMNS_MAX: usize = 500;

/// The maximal size of a row, in bytes: less than the kernel's buffer for the output of one object.
pub(crate) const ROW_MAX: usize = 32 << 10;
/// The maximal number of instructions (`BPF_COMPLEXITY_LIMIT_INSNS`). With more, the verifier gives an error without a
/// log.
pub(crate) const SLOTS_MAX: usize = 1_000_000;
/// The maximal number of maps of a program (`MAX_USED_MAPS`).
pub(crate) const MAPS_MAX: usize = 64;

/// The maximal size of a text that is read from behind a pointer, its NUL included, in bytes. A longer text is cut.
pub const TEXT_MAX: usize = 256;
/// The maximal length of a pattern, in bytes: the stack must hold it beside a text.
pub(crate) const PATTERN_MAX: usize = STACK - TEXT_MAX - 16;
/// The maximal size of a text that user space fills in, in bytes: more than the kernel lets a process start with
/// (6 MiB), but a process can let its arguments end anywhere.
pub const FILLED_MAX: usize = 16 << 20;
/// The maximal size of a path or of arguments, its NUL included, in bytes (`PATH_MAX`).
pub(crate) const LONG_MAX: usize = 4096;
/// What stands for the first names of a path that is cut, and for the last arguments.
pub(crate) const CUT: &str = "…";
/// The maximal size of arguments, or of a path that is assembled from names, such as that of a cgroup, its NUL included, in bytes: one as
/// long as /proc shows, and what says that a longer one is cut.
pub(crate) const NODE_MAX: usize = LONG_MAX + CUT.len();
/// The maximal size of a stack's addresses, in bytes (`PERF_MAX_STACK_DEPTH` addresses).
pub(crate) const STACK_MAX: usize = 127 * 8;
/// The maximal size of a Unix socket's name (`sun_path`), its NUL included, in bytes.
pub(crate) const UNIX_MAX: usize = 109;

/// The number of items from which on a list is looked up in a hash map instead of compared one by one: a look-up takes
/// about as long as this many comparisons.
pub(crate) const SET_MIN: usize = 24;
