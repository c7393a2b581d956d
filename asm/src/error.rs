//! What can be wrong with a program that is being assembled.

use core::fmt;
use core::panic::Location;

use crate::op::Size;
use crate::reg::Reg;

/// An error of [`Assembler::finish`](crate::Assembler::finish), and the line of Rust it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsmError {
    /// The line that made the call at fault.
    pub line: &'static Location<'static>,
    /// What is wrong with it.
    pub kind: AsmErrorKind,
}

/// What can be wrong with a call of the assembler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AsmErrorKind {
    /// The label made here was never bound.
    LabelNeverBound,
    /// The label bound here already had a place.
    LabelBoundTwice {
        /// The line that gave it the first.
        first: &'static Location<'static>,
    },
    /// The label used here was made by another assembler.
    ForeignLabel,
    /// The jump made here leads to a label that no instruction follows.
    NothingAfterLabel,
    /// The jump made here leads further than 16 bits can say, beyond -32768 to 32767, the target kernel
    /// has no `gotol`, and there are too many such jumps to different places to carry each further.
    JumpTooFar {
        /// How far, in 8-byte slots from the one after the jump.
        distance: i64,
    },
    /// The jump, call or function's address emitted here, with its offset given, leads to no
    /// instruction; found only where a program needed jumps of more than 16 bits.
    NothingThere {
        /// The offset.
        offset: i32,
    },
    /// The atomic instruction made here works on 1 or 2 bytes, and there are such for 4 and 8 only.
    NoSuchAtomic {
        /// How many bytes.
        size: Size,
    },
    /// The address used here has an offset that the instruction can't say: beyond -32768 to 32767 in a
    /// load or a store, beyond 32 bits, signed, in an addition.
    OffsetTooLarge {
        /// The register it is added to.
        base: Reg,
        /// The offset, in bytes.
        offset: i64,
        /// How many bits the instruction has for it: 16 or 32.
        bits: usize,
    },
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.kind)
    }
}

impl fmt::Display for AsmErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LabelNeverBound => {
                f.write_str("this label has no place; bind it before the program is finished")
            }
            Self::LabelBoundTwice { first } => {
                write!(f, "this label already has a place, given at {first}; make a label for each place")
            }
            Self::ForeignLabel => f.write_str(
                "this label belongs to another assembler; use one made by the assembler it is used with",
            ),
            Self::NothingAfterLabel => {
                f.write_str("this jump leads past the last instruction; emit one after binding its label")
            }
            Self::JumpTooFar { distance } => write!(
                f,
                "this jump leads {distance} instructions away, too many like it cross the same place, \
                 and the target has no gotol; let jumps share their labels"
            ),
            Self::NothingThere { offset } => {
                write!(f, "offset {offset} leads to no instruction; use a label")
            }
            Self::NoSuchAtomic { size } => {
                write!(f, "no atomic instruction works on {}; use u32 or u64", size.name())
            }
            Self::OffsetTooLarge { base, offset, bits } => write!(
                f,
                "offset {offset} from {base} doesn't fit {bits} bits; add part of it to a register first"
            ),
        }
    }
}

impl core::error::Error for AsmError {}
