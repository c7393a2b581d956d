//! The verifier's rejection of a program: its reason, and the instruction that caused it.

use std::fmt;
use std::io;
use std::panic::Location;

use kwalk_asm::{HelperId, Insn};
use kwalk_progs::{Fragment, Program};

use crate::sys::ENOTSUPP;

/// The verifier's rejection of a program: its reason, the instruction, and the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The program.
    pub program: &'static str,
    /// The error number of `BPF_PROG_LOAD`: `EACCES` and `EINVAL` mostly, `E2BIG` for a program that takes too long to
    /// verify.
    pub errno: i32,
    /// The reason in the log, its lines joined by `; `. Empty if the log has none.
    pub reason: String,
    /// The instruction at which the verifier stopped, if the log has it.
    pub at: Option<RejectedInsn>,
    /// For a selection, the fragment of its text that the instruction was emitted for; if the selection is too large,
    /// the fragment whose instructions are most frequent in the log.
    pub fragment: Option<Fragment>,
    /// The whole log (`log_level` 1).
    pub log: String,
}

/// The instruction at which the verifier stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedInsn {
    /// The number of its first 8-byte slot, as in the log.
    pub slot: usize,
    /// The instruction as the log prints it; empty if the log does not.
    pub insn: String,
    /// The helper function that it calls, if it calls one.
    pub helper: Option<HelperId>,
    /// The line of Rust that emitted it.
    pub line: &'static Location<'static>,
}

impl Rejection {
    /// From the log of a program; the log has a reason only if its end is complete (`ends`).
    pub(crate) fn new(program: &Program, errno: i32, log: String, ends: bool) -> Rejection {
        let code = &program.code;
        let (last, reason) = if ends { verdict(&log) } else { (None, String::new()) };
        let at = last.and_then(|(slot, insn)| {
            let helper = match code.insn_at(slot)? {
                Insn::CallHelper { helper } => Some(helper),
                _ => None,
            };
            Some(RejectedInsn { slot, insn: insn.into(), helper, line: code.line_of(slot)? })
        });
        let mut rejection = Rejection { program: program.name, errno, reason, at, fragment: None, log };
        rejection.fragment = match (rejection.is_too_large(), &rejection.at) {
            (true, _) => most_frequent(program, &rejection.log).cloned(),
            (false, at) => at.as_ref().and_then(|at| program.fragment_of(at.slot)).cloned(),
        };
        rejection
    }

    /// Whether the program has too many instructions, or too many paths, for the verifier.
    pub fn is_too_large(&self) -> bool {
        self.unsaid().is_some()
            || ["too large", "too complex"].iter().any(|words| self.reason.contains(words))
    }

    /// The kind of fault, if the reason is a known one.
    pub fn fault(&self) -> Option<Fault> {
        let says = |words: &[&str]| words.iter().any(|words| self.reason.contains(words));
        if let Some(RejectedInsn { helper: Some(helper), .. }) = self.at {
            // "unknown func bpf_x#1", "invalid func unknown#1", "program of this type cannot use helper bpf_x#1".
            if says(&["unknown func", "invalid func", "cannot use helper"]) {
                return Some(Fault::Helper(helper));
            }
        }
        let fault = FAULTS.iter().find(|(words, _)| says(words)).map(|(_, fault)| *fault);
        fault.or(self.unsaid())
    }

    /// The kind of fault by its error number alone. Before 6.4, the reason of these two can be missing: it is at the end of a
    /// log that is too long for any buffer.
    fn unsaid(&self) -> Option<Fault> {
        match self.errno {
            libc::E2BIG => Some(Fault::TooLarge),
            // Else the verifier's word for faults of its own, of which it says something.
            libc::EFAULT if self.reason.is_empty() => Some(Fault::TooComplex),
            _ => None,
        }
    }
}

/// Why the verifier rejects a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A pointer that may be NULL is used unchecked.
    MaybeNull,
    /// A number is used as an address.
    NoAddress,
    /// A register is read that was not written on every path.
    UnwrittenRegister,
    /// Bytes of the stack are read that were not written on every path.
    UnwrittenStack,
    /// The program writes to memory that it may only read.
    ReadOnly,
    /// The context is read with an offset or size that is not that of an argument.
    Context,
    /// The program returns a number that its type does not allow.
    ReturnValue,
    /// Memory past the end of a struct is read.
    BeyondStruct,
    /// The program calls a kfunc that programs of its type may not call.
    KernelFunction,
    /// The program calls a kfunc on a kernel without a JIT, which refuses that (error number 524).
    NoJit,
    /// The program calls a helper that this kernel does not have, or not for this program type.
    Helper(HelperId),
    /// A kfunc takes only trusted pointers, and the argument is not one.
    Untrusted,
    /// A reference is acquired and, on some path, not released.
    Unreleased,
    /// The verifier does not see that a loop ends.
    Endless,
    /// The program has a loop, which this kernel does not allow.
    Loop,
    /// The program has more instructions, or more paths, than the verifier checks.
    TooLarge,
    /// The program has more pending branches than the verifier stores.
    TooComplex,
}

/// `program maps, src/x.rs:12:7, instruction 3, r0 = *(u64 *)(r7 +0): the verifier rejects it: …`; a selection has the
/// fragment of its text instead of the line of Rust.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fragment) = self.fragment.as_ref().filter(|_| self.is_too_large()) {
            write!(f, "selection: it is too large for the kernel's verifier, most of all {fragment}")?;
            return marked(f, fragment);
        }
        write!(f, "program {}", self.program)?;
        if let Some(RejectedInsn { slot, insn, line, .. }) = &self.at {
            match &self.fragment {
                Some(fragment) => write!(f, ", in {fragment}")?,
                None => write!(f, ", {line}")?,
            }
            write!(f, ", instruction {slot}")?;
            if !insn.is_empty() {
                write!(f, ", `{insn}`")?;
            }
        }
        let reason = if self.reason.is_empty() { "it does not say why" } else { &self.reason };
        write!(f, ": the verifier rejects it: {reason} ({})", Errno(self.errno))?;
        self.fragment.as_ref().map_or(Ok(()), |fragment| marked(f, fragment))
    }
}

/// The user's text with carets below the fragment, if the text is known.
fn marked(f: &mut fmt::Formatter<'_>, fragment: &Fragment) -> fmt::Result {
    match fragment.marked() {
        marked if marked.is_empty() => Ok(()),
        marked => write!(f, "\n{marked}"),
    }
}

/// The message of an error number; also for `ENOTSUPP`, which no libc knows.
struct Errno(i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ENOTSUPP => f.write_str("Operation not supported (ENOTSUPP)"),
            errno => io::Error::from_raw_os_error(errno).fmt(f),
        }
    }
}

/// The last instruction of a log, its slot and its text, and the reason that follows it.
fn verdict(log: &str) -> (Option<(usize, &str)>, String) {
    // Since 7.3, paragraphs follow that explain the reason.
    let log = log.split("\nVerification failed: ").next().unwrap_or(log);
    let lines: Vec<_> = log.lines().collect();
    let last = lines.iter().rposition(|line| instruction(line).is_some());
    let insn = last.and_then(|last| instruction(lines.get(last)?));
    let after = lines.get(last.map_or(0, |last| last + 1)..).unwrap_or_default();
    let reason: Vec<_> = after.iter().copied().filter(|line| !is_noise(line)).collect();
    let reason = reason.join("; ");
    // Faults that the verifier finds before it follows the instructions name one: `unreachable insn 3`.
    let named = reason.split("insn ").nth(1).and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((digits.parse().ok()?, ""))
    });
    (insn.or(named), reason)
}

/// The fragment of a selection whose instructions are most frequent in a log.
fn most_frequent<'p>(program: &'p Program, log: &str) -> Option<&'p Fragment> {
    let mut counts = vec![0_usize; program.fragments.len()];
    for (slot, _) in log.lines().filter_map(instruction) {
        let mark = program.code.mark_of(slot);
        mark.and_then(|mark| counts.get_mut(mark as usize)).into_iter().for_each(|count| *count += 1);
    }
    let (fragment, count) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    program.fragments.get(fragment).filter(|_| *count > 0)
}

/// The slot and the text of the instruction in a line like `12: (b7) r1 = 5   ; R1=5`.
fn instruction(line: &str) -> Option<(usize, &str)> {
    let (slot, rest) = line.split_once(": (")?;
    let (opcode, rest) = rest.split_once(") ")?;
    u8::from_str_radix(opcode, 16).ok()?;
    let insn = rest.split(';').next().unwrap_or(rest);
    Some((slot.parse().ok()?, insn.trim_end()))
}

/// Whether a line of the log is not about a fault: register states, source lines, statistics.
fn is_noise(line: &str) -> bool {
    let state =
        line.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
            || line.strip_prefix("from ").is_some_and(|rest| rest.contains(" to "));
    const BEGINNINGS: &str = "; |processed |func#|verification time|stack depth|mark_precise|arg#|Live regs";
    line.trim().is_empty() || state || BEGINNINGS.split('|').any(|beginning| line.starts_with(beginning))
}

/// The words by which a reason shows its fault; the first match counts.
const FAULTS: &[(&[&str], Fault)] = &[
    (&["JIT is required for calling kernel function"], Fault::NoJit),
    (&["or_null"], Fault::MaybeNull),
    // "inv" before 5.18
    (&["invalid mem access 'scalar'", "invalid mem access 'inv'"], Fault::NoAddress),
    (&["!read_ok"], Fault::UnwrittenRegister),
    (&["read from stack"], Fault::UnwrittenStack),
    (&["cannot write into", "only read is supported"], Fault::ReadOnly),
    (&["invalid bpf_context access"], Fault::Context),
    (&["At program exit the register R0"], Fault::ReturnValue),
    (&["access beyond struct"], Fault::BeyondStruct),
    (&["calling kernel function"], Fault::KernelFunction),
    (&["must be referenced or trusted"], Fault::Untrusted),
    (&["Unreleased reference"], Fault::Unreleased),
    (&["infinite loop"], Fault::Endless),
    (&["back-edge"], Fault::Loop),
    (&["too large"], Fault::TooLarge),
    (&["too complex"], Fault::TooComplex),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_ends_at_an_instruction() {
        let log = "func#0 @0\n0: R1=ctx() R10=fp0\n; src/a.rs:7 @ a.rs:7\n0: (79) r7 = *(u64 *)(r1 +8)   ; R7_w=x\n\
                   1: (61) r0 = *(u32 *)(r7 +0)\nR7 invalid mem access 'trusted_ptr_or_null_'\n\
                   processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0\n";
        let verdict = |log| {
            let (last, reason) = verdict(log);
            (last, Box::leak(reason.into_boxed_str()) as &str)
        };
        assert_eq!(
            verdict(log),
            (Some((1, "r0 = *(u32 *)(r7 +0)")), "R7 invalid mem access 'trusted_ptr_or_null_'")
        );
        assert_eq!(verdict("unreachable insn 3\nprocessed 0 insns\n"), (Some((3, "")), "unreachable insn 3"));
        assert_eq!(verdict("last insn is not an exit or jmp\n"), (None, "last insn is not an exit or jmp"));
        assert_eq!(
            verdict("7: (61) r0 = *(u32 *)(r1 +8)\na\nb\n"),
            (Some((7, "r0 = *(u32 *)(r1 +8)")), "a; b")
        );
        assert_eq!(verdict("99999999999999999999999: (61) x\ninsn 99999999999999999999999\n").0, None);
        assert_eq!(verdict(""), (None, ""));
        let explained = "0: (bf) r2 = r5\nR5 !read_ok\n\nVerification failed: Unreadable register\n\nReason:\n  R5 has never been \
                         initialized.\n\nprocessed 1 insns (limit 1000000)\n";
        assert_eq!(verdict(explained), (Some((0, "r2 = r5")), "R5 !read_ok"));
    }
}
