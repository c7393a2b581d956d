//! What the verifier says of a program that it rejects, and where in the program that is.

use std::fmt;
use std::io;
use std::panic::Location;

use kwalk_asm::{HelperId, Insn};
use kwalk_progs::{Fragment, Program};

use crate::sys::ENOTSUPP;

/// The verifier's verdict on a program: its own reason, the place in the program, and the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The program.
    pub program: &'static str,
    /// The error number of `BPF_PROG_LOAD`: `EACCES` and `EINVAL` mostly, `E2BIG` for a program that takes too long to
    /// verify.
    pub errno: i32,
    /// The verifier's own words; if they are of more than one line, joined by `; `. Empty if there are none.
    pub reason: String,
    /// The instruction it stopped at, where the log tells.
    pub at: Option<Place>,
    /// Of a selection, what that instruction was emitted for; or, if the selection is too large, what it looked at most.
    pub fragment: Option<Fragment>,
    /// All that it said (`log_level` 1).
    pub log: String,
}

/// An instruction, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of its 8-byte slot, as the verifier counts.
    pub slot: usize,
    /// The instruction in the verifier's words; empty if it has looked at none yet.
    pub insn: String,
    /// The helper function that it calls, if it calls one.
    pub helper: Option<HelperId>,
    /// The line of Rust that emitted it.
    pub line: &'static Location<'static>,
}

impl Rejection {
    /// `log` is what the verifier said of the program; only if it `ends`, its end is the verdict.
    pub(crate) fn new(program: &Program, errno: i32, log: String, ends: bool) -> Rejection {
        let code = &program.code;
        let (last, reason) = if ends { verdict(&log) } else { (None, String::new()) };
        let at = last.and_then(|(slot, insn)| {
            let helper = match code.insn_at(slot)? {
                Insn::CallHelper { helper } => Some(helper),
                _ => None,
            };
            Some(Place { slot, insn: insn.into(), helper, line: code.line_of(slot)? })
        });
        let mut rejection = Rejection { program: program.name, errno, reason, at, fragment: None, log };
        rejection.fragment = match (rejection.is_too_large(), &rejection.at) {
            (true, _) => most(program, &rejection.log).cloned(),
            (false, at) => at.as_ref().and_then(|at| program.fragment_of(at.slot)).cloned(),
        };
        rejection
    }

    /// Whether the program is too large, or its ways through it are too many, and not wrong.
    pub fn is_too_large(&self) -> bool {
        self.errno == libc::E2BIG
            || ["too large", "too complex"].iter().any(|words| self.reason.contains(words))
    }

    /// What the reason means, where its words are known.
    pub fn fault(&self) -> Option<Fault> {
        let says = |words: &[&str]| words.iter().any(|words| self.reason.contains(words));
        if let Some(Place { helper: Some(helper), .. }) = self.at {
            // "unknown func bpf_x#1", "invalid func unknown#1", "program of this type cannot use helper bpf_x#1".
            if says(&["unknown func", "invalid func", "cannot use helper"]) {
                return Some(Fault::Helper(helper));
            }
        }
        let fault = FAULTS.iter().find(|(words, _)| says(words)).map(|(_, fault)| *fault);
        // Before 6.4, what takes too long is the end of a log that is too long to be kept.
        fault.or((self.errno == libc::E2BIG).then_some(Fault::TooLarge))
    }
}

/// What the verifier finds fault with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A pointer that may be NULL is used unchecked.
    MaybeNull,
    /// What is used as an address is only a number to the verifier.
    NoAddress,
    /// A register is read that is not written on every path.
    UnwrittenRegister,
    /// Bytes of the stack are read that are not written on every path.
    UnwrittenStack,
    /// The program writes to memory that it may only read.
    ReadOnly,
    /// An argument of the context is loaded in part, or from between two.
    Context,
    /// The program returns a number that its type does not allow.
    ReturnValue,
    /// Memory behind the end of a struct is read.
    BeyondStruct,
    /// A function of the kernel that not all programs may call.
    KernelFunction,
    /// A call of one of the kernel's functions, which a kernel without a JIT refuses (error number 524).
    NoJit,
    /// A helper function that this kernel does not have, or not for this type of program.
    Helper(HelperId),
    /// A function takes only pointers that the verifier trusts, and this was reached through another.
    Untrusted,
    /// Something is acquired and, on some path, not released.
    Unreleased,
    /// A loop may have no end.
    Endless,
    /// There is a loop where none is allowed.
    Loop,
    /// The program has more instructions, or more paths through them, than the verifier follows.
    TooLarge,
    /// The program has more branches than the verifier remembers.
    TooComplex,
}

/// `program maps, src/x.rs:12:7, instruction 3, r0 = *(u64 *)(r7 +0): the verifier rejects it: …`; of a selection, its part
/// in the place of the line of Rust.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fragment) = self.fragment.as_ref().filter(|_| self.is_too_large()) {
            write!(f, "selection: it is too large for the kernel's verifier, most of all {fragment}")?;
            return marked(f, fragment);
        }
        write!(f, "program {}", self.program)?;
        if let Some(Place { slot, insn, line, .. }) = &self.at {
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

/// The user's text with carets below the part, where there is one.
fn marked(f: &mut fmt::Formatter<'_>, fragment: &Fragment) -> fmt::Result {
    match fragment.marked() {
        marked if marked.is_empty() => Ok(()),
        marked => write!(f, "\n{marked}"),
    }
}

/// An error number, with words for the one that no libc knows.
struct Errno(i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ENOTSUPP => f.write_str("Operation not supported (ENOTSUPP)"),
            errno => io::Error::from_raw_os_error(errno).fmt(f),
        }
    }
}

/// The instruction that a log ends at, its slot and its text, and what the log says of it.
fn verdict(log: &str) -> (Option<(usize, &str)>, String) {
    // Since 7.3, paragraphs follow that explain the reason.
    let log = log.split("\nVerification failed: ").next().unwrap_or(log);
    let lines: Vec<_> = log.lines().collect();
    let last = lines.iter().rposition(|line| instruction(line).is_some());
    let insn = last.and_then(|last| instruction(lines.get(last)?));
    let behind = lines.get(last.map_or(0, |last| last + 1)..).unwrap_or_default();
    let reason: Vec<_> = behind.iter().copied().filter(|line| !is_noise(line)).collect();
    let reason = reason.join("; ");
    // Some faults are found before instructions are followed, and name theirs: `unreachable insn 3`.
    let named = reason.split("insn ").nth(1).and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((digits.parse().ok()?, ""))
    });
    (insn.or(named), reason)
}

/// The part of a selection whose instructions a log shows most often.
fn most<'p>(program: &'p Program, log: &str) -> Option<&'p Fragment> {
    let mut counts = vec![0_usize; program.fragments.len()];
    for (slot, _) in log.lines().filter_map(instruction) {
        let part = program.code.mark_of(slot).and_then(|part| counts.get_mut(part as usize));
        part.into_iter().for_each(|count| *count += 1);
    }
    let (part, count) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    program.fragments.get(part).filter(|_| *count > 0)
}

/// The slot and the text of `12: (b7) r1 = 5   ; R1=5`.
fn instruction(line: &str) -> Option<(usize, &str)> {
    let (slot, rest) = line.split_once(": (")?;
    let (opcode, rest) = rest.split_once(") ")?;
    u8::from_str_radix(opcode, 16).ok()?;
    let insn = rest.split(';').next().unwrap_or(rest);
    Some((slot.parse().ok()?, insn.trim_end()))
}

/// Whether a line of the log says nothing about a fault: registers' states, source lines, statistics.
fn is_noise(line: &str) -> bool {
    let state =
        line.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
            || line.strip_prefix("from ").is_some_and(|rest| rest.contains(" to "));
    let begins = [
        "; ",
        "processed ",
        "func#",
        "verification time",
        "stack depth",
        "mark_precise",
        "arg#",
        "Live regs",
    ];
    line.trim().is_empty() || state || begins.iter().any(|begin| line.starts_with(begin))
}

/// The words of a reason that tell its fault; the first that match count.
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
