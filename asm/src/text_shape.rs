//! From text to meanings, the short way: a line that is as it would be printed, of an instruction that has a
//! [`Shape`]. Whatever else it is, the parser finds out.

use crate::scan::{DIGITS, in_word};
use crate::shape::{Shape, Skeleton};

/// The slot that the first line says, and the length of that line.
#[inline(always)]
pub(crate) fn read(text: &[u8]) -> Option<(u64, usize)> {
    let byte = |at: usize| text.get(at).copied().unwrap_or(b'\n');
    let mut skeleton = Skeleton::EMPTY;
    let (mut regs, mut regs_len) = ([0; 2], 0);
    let (mut numbers, mut numbers_len) = ([0; 2], 0);
    let mut at = 0;
    loop {
        let mut here = byte(at);
        let mut class = CLASSES[usize::from(here)];
        while class as u8 == Class::Plain as u8 {
            skeleton.push(here);
            at += 1;
            here = byte(at);
            class = CLASSES[usize::from(here)];
        }
        at += 1;
        let mark = match class {
            Class::End => break,
            Class::Other => return None,
            Class::Register if byte(at).is_ascii_digit() => {
                let (number, len) = register(byte(at), byte(at + 1));
                *regs.get_mut(regs_len)? = number;
                (regs_len, at) = (regs_len + 1, at + len);
                if in_word(byte(at)) {
                    return None;
                }
                if here == b'w' { Skeleton::W } else { Skeleton::R }
            }
            // As in `u32`.
            Class::Digit if text.get(at.wrapping_sub(2)).is_some_and(|&before| in_word(before)) => here,
            Class::Digit | Class::Sign => {
                let (start, mark) = match (class, byte(at), byte(at + 1)) {
                    (Class::Digit, ..) => (at - 1, Skeleton::NUMBER),
                    (_, b'0'..=b'9', _) => (at, Skeleton::NUMBER),
                    (_, b' ', b'0'..=b'9') => (at + 1, Skeleton::SPACED),
                    _ => (0, here),
                };
                if mark != here {
                    let (magnitude, end) = number(text, start)?;
                    *numbers.get_mut(numbers_len)? = if here == b'-' { -magnitude } else { magnitude };
                    (numbers_len, at) = (numbers_len + 1, end);
                }
                mark
            }
            Class::Register | Class::Plain => here,
        };
        skeleton.push(mark);
    }
    let slot = Shape::by_skeleton(skeleton)?.filled(regs, numbers)?;
    Some((slot, at - 1))
}

/// The number of the register with these digits, of which the second may be none, and how many they are.
#[inline(always)]
fn register(first: u8, second: u8) -> (u8, usize) {
    if (first, second) == (b'1', b'0') { (10, 2) } else { (first - b'0', 1) }
}

/// The number that begins there, and where it ends.
#[inline(always)]
fn number(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let byte = |at: usize| text.get(at).copied().unwrap_or(b'\n');
    let hex = byte(start) == b'0' && byte(start + 1) == b'x';
    let (radix, first) = if hex { (16, start + 2) } else { (10, start) };
    let mut value = 0i64;
    let mut at = first;
    loop {
        let digit = i64::from(DIGITS[usize::from(byte(at))]);
        if digit >= radix {
            break;
        }
        value = value.wrapping_mul(radix).wrapping_add(digit);
        at += 1;
    }
    // So many digits are less than 64 bits in either base; more than one without `0x` begin with no 0.
    let right = (1..16).contains(&(at - first))
        && !in_word(byte(at))
        && (hex || at == start + 1 || byte(start) != b'0');
    right.then_some((value, at))
}

/// What a byte of a line may be.
#[derive(Clone, Copy)]
enum Class {
    Plain,
    /// The first letter of registers.
    Register,
    Digit,
    Sign,
    End,
    /// Never in a line that is printed.
    Other,
}

static CLASSES: [Class; 256] = {
    let mut all = [Class::Other; 256];
    let mut byte = 0u8;
    while byte < 128 {
        all[byte as usize] = match byte {
            b'\n' => Class::End,
            b'r' | b'w' => Class::Register,
            b'0'..=b'9' => Class::Digit,
            b'+' | b'-' => Class::Sign,
            b' '..=b'~' => Class::Plain,
            _ => Class::Other,
        };
        byte += 1;
    }
    all
};
