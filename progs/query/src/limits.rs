//! How much of what a question can have, and a program of its stack.

/// What of a program's stack (`MAX_BPF_STACK`) is for conditions and rows: the rest holds the derived roots.
pub(crate) const STACK: usize = 512 - 8 * DERIVED_MAX;
/// As many derived roots a program has at most.
pub(crate) const DERIVED_MAX: usize = 4;
/// How many registers numbers can be computed in, in a program that saves nothing: the context is in R1.
pub(crate) const FREE_UNSAVED: usize = 5;

/// How deep an expression may be.
pub(crate) const DEPTH_MAX: usize = 200;
/// How many terms it may have, a list's included.
pub(crate) const TERMS_MAX: usize = 20_000;
/// As many columns as can be selected.
pub const COLUMNS_MAX: usize = 500;

/// What the kernel passes on of one object: less than the buffer that it collects in.
pub(crate) const ROW_MAX: usize = 32 << 10;
/// As many instructions a kernel looks at (`BPF_COMPLEXITY_LIMIT_INSNS`): of more the verifier says nothing.
pub(crate) const SLOTS_MAX: usize = 1_000_000;
/// As many maps a program can have (`MAX_USED_MAPS`).
pub(crate) const MAPS_MAX: usize = 64;

/// The longest text that is read from behind a pointer, its NUL included; more of it is cut off.
pub const TEXT_MAX: usize = 256;
/// The longest pattern: beside a text, in whole words, it has to fit what is free of a program's stack.
pub(crate) const PATTERN_MAX: usize = STACK - TEXT_MAX - 16;
/// The longest path, or list of arguments, with its NUL (`PATH_MAX`).
pub(crate) const LONG_MAX: usize = 4096;
/// A stack of as many addresses as the kernel gives (`PERF_MAX_STACK_DEPTH`).
pub(crate) const STACK_MAX: usize = 127 * 8;
/// The longest name of a Unix socket (`sun_path`), with a NUL.
pub(crate) const UNIX_MAX: usize = 109;

/// From so many texts or numbers on, a list is looked up in a hash map, not compared one by one: a look-up takes about as
/// long as that many comparisons.
pub(crate) const SET_MIN: usize = 24;
