//! The words of the text form that stand in no table of operations, for printer and parser alike.

pub(crate) const IF: &str = "if";
pub(crate) const GOTO: &str = "goto";
pub(crate) const GOTOL: &str = "gotol";
pub(crate) const GOTOX: &str = "gotox";
pub(crate) const MAY_GOTO: &str = "may_goto";
pub(crate) const CALL: &str = "call";
pub(crate) const EXIT: &str = "exit";
pub(crate) const LOCK: &str = "lock";
pub(crate) const LOAD_ACQUIRE: &str = "load_acquire";
pub(crate) const STORE_RELEASE: &str = "store_release";
pub(crate) const ADDR_SPACE_CAST: &str = "addr_space_cast";
pub(crate) const SKB: &str = "skb";

/// What follows a value of 64 bits.
pub(crate) const LL: &str = "ll";

/// What a distance is counted from, in the kernel's text.
pub(crate) const PC: &str = "pc";

/// What has a number in brackets after it: `map[fd:5]`.
pub(crate) const MAP: &str = "map";
pub(crate) const BTF: &str = "btf";
pub(crate) const KFUNC: &str = "kfunc";
pub(crate) const SUBPROG: &str = "subprog";

/// What the number is.
pub(crate) const FD: &str = "fd";
pub(crate) const ID: &str = "id";
pub(crate) const IDX: &str = "idx";

/// Bytes that are no instruction, and the width of theirs in digits.
pub(crate) const INSN: &str = ".insn";
pub(crate) const INSN_DIGITS: usize = 16;

/// LLVM's wide load with any pseudo source.
pub(crate) const LD_PSEUDO: &str = "ld_pseudo";

/// What the kernel calls a helper that it has no name for, and a function of the kernel.
pub(crate) const UNKNOWN: &str = "unknown";
pub(crate) const KERNEL_FUNCTION: &str = "kernel-function";
