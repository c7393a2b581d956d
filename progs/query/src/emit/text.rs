//! Emits comparisons of texts with patterns.

use alloc::vec::Vec;

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, Condition as Jump, Helper, Label, u8_at, u16_at, u32_at, u64_at};

use super::Emit;
use super::condition::Fork;
use crate::error::Error;
use crate::ir::{Set, Text, TextKind};
use crate::limits::{NODE_MAX, TEXT_MAX};
use crate::pattern::Pattern;
use crate::place::Place;

/// The most positions of an assembled text.
const SEARCH_MAX: i32 = NODE_MAX as i32;
/// How many positions are searched where the verifier follows each: it can then follow two searches in one program. A
/// position takes two conditional jumps, of which it follows at most 8,192 (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`).
const SEARCHED: i32 = 2000;
/// An array of up to this many bytes is compared in place, word by word.
const WORDS_MAX: usize = 64;

impl Emit<'_, '_> {
    /// Emits `LIKE`. All registers are free.
    pub(crate) fn like(&mut self, text: &Text, pattern: &Pattern, fork: Fork) -> Result<(), Error> {
        let wanted = pattern.terminated();
        if pattern.open_start && text.kind.is_made() {
            self.long_address(text, fork.unknown)?;
            match pattern.open_end {
                true => self.search_long(text, &pattern.bytes, fork)?,
                false => {
                    self.has_end(text, 0, fork.unknown)?;
                    self.ends(&wanted, 0, fork);
                }
            }
            return Ok(());
        }
        if pattern.open_start {
            let room = self.copy(text, TEXT_MAX, fork.unknown)?;
            match (pattern.open_end, text.may_be_cut()) {
                (true, true) => {
                    let no = self.builder.asm.label();
                    self.search(&pattern.bytes, room, Fork { no, next: no, ..fork });
                    self.builder.asm.bind(no);
                    self.builder.asm.jump_if(R0.lt(TEXT_MAX as i32), fork.no);
                    self.undecided(fork.unknown)?;
                }
                (true, false) => self.search(&pattern.bytes, room, fork),
                (false, may_be_cut) => {
                    if may_be_cut {
                        let whole = self.builder.asm.label();
                        self.builder.asm.jump_if(R0.lt(TEXT_MAX as i32), whole);
                        self.undecided(fork.unknown)?;
                        self.builder.asm.bind(whole);
                    }
                    let start = self.room(room);
                    self.builder.asm.address(R3, start);
                    self.ends(&wanted, room, fork);
                }
            }
            return Ok(());
        }
        if text.kind.is_made() {
            // Where the text ends before the pattern, the NUL differs.
            self.long_address(text, fork.unknown)?;
            self.words(R3.into(), &wanted, fork);
            return Ok(());
        }
        let (place, room) = (&text.place, text.place.field.size as usize);
        // A text that fills its array has no NUL.
        let wanted = match text.kind {
            TextKind::Array => wanted.get(..room).unwrap_or(&wanted),
            _ => &wanted[..],
        };
        if is_read_in_place(text, pattern) {
            let base = self.follow(R3, place, fork.unknown);
            self.words(base + place.field.offset as i32, wanted, fork);
        } else {
            let room = self.copy(text, wanted.len() + 1, fork.unknown)?;
            let at = self.room(room);
            self.words(at, wanted, fork);
        }
        Ok(())
    }

    /// Goes to `yes` if a text is in a set. The key is the text followed by zeros; what follows the NUL in the kernel's
    /// memory does not count.
    pub(super) fn text_in_set(&mut self, text: &Text, set: &Set, fork: Fork) -> Result<(), Error> {
        // One byte more than the array: the helper adds a NUL.
        let len = match text.kind {
            TextKind::Array => set.key_size.min(text.place.field.size as usize + 1),
            _ => set.key_size,
        };
        let key = self.room(set.key_size);
        self.text_address(R3, text, fork.unknown)?;
        let asm = &mut self.builder.asm;
        for word in (0..set.key_size as i32).step_by(8) {
            asm.store(u64_at(key + word), 0);
        }
        asm.address(R1, key);
        asm.mov(R2, len as i32);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.slt(0), fork.unknown);
        self.look_up(key, set, fork);
        Ok(())
    }

    /// Copies a text to the free part of the stack: at most `most` bytes, NUL included. Returns the size of the copy's
    /// room in bytes. The bytes after the NUL are undefined. R0 is the number of bytes copied.
    fn copy(&mut self, text: &Text, most: usize, unknown: Label) -> Result<usize, Error> {
        // One byte more than the text can have: the helper adds a NUL.
        let len = match text.kind {
            TextKind::Array => most.min(text.place.field.size as usize + 1),
            _ => most,
        };
        let len = len.min(TEXT_MAX + 1);
        let room = len.next_multiple_of(8);
        self.text_address(R3, text, unknown)?;
        let at = self.room(room);
        self.clear_last(at, len);
        let asm = &mut self.builder.asm;
        asm.address(R1, at);
        asm.mov(R2, len as i32);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.slt(0), unknown);
        Ok(room)
    }

    /// Clears the last word of a buffer of `len` bytes, since whole words are compared.
    fn clear_last(&mut self, at: Address, len: usize) {
        if len % 8 != 0 {
            self.builder.asm.store(u64_at(at + (len & !7) as i32), 0);
        }
    }

    /// Leaves a text's address in `reg`, or goes to `null` if a pointer on the way, or the text's own, is NULL.
    pub(crate) fn text_address(&mut self, reg: Reg, text: &Text, null: Label) -> Result<(), Error> {
        match text.kind {
            TextKind::Array => {
                let base = self.follow(reg, &text.place, null);
                self.builder.asm.address(reg, base + text.place.field.offset as i32);
            }
            TextKind::Pointer => self.field(reg, &text.place, null),
            _ => self.long_address(text, null)?,
        }
        Ok(())
    }

    /// Goes to `yes` if the bytes at an address are the wanted ones. They are compared up to four at a time, as an
    /// immediate has 32 bits.
    fn words(&mut self, at: Address, wanted: &[Option<u8>], fork: Fork) {
        let mut jumps: Vec<(Step, Jump)> = Vec::new();
        for (chunk, from) in wanted.chunks(4).zip((0..).step_by(4)) {
            let at = at + from;
            let (word, mask) = masked(chunk);
            let value = i32::from_ne_bytes(word);
            match chunk.iter().rposition(Option::is_some).map(|last| (last, mask)) {
                None => {}
                Some((0, _)) => jumps.push((Step::Load(u8_at(at)), R2.eq(i32::from(word[0])))),
                Some((1, _)) if chunk.first() != Some(&None) => {
                    let half = u16::from_ne_bytes([word[0], word[1]]);
                    jumps.push((Step::Load(u16_at(at)), R2.eq(i32::from(half))));
                }
                Some((_, -1)) => jumps.push((Step::Load(u32_at(at)), R2.eq(value).w32())),
                Some(_) => jumps.push((Step::Masked(u32_at(at), mask), R2.eq(value).w32())),
            }
            // `_` stands for any byte but the NUL.
            for (byte, nth) in chunk.iter().zip(0..) {
                if byte.is_none() {
                    jumps.push((Step::Load(u8_at(at + nth)), R2.ne(0)));
                }
            }
        }
        let Some(((last_step, last), rest)) = jumps.split_last() else {
            return self.go(fork.yes, fork.next);
        };
        for (step, jump) in rest {
            self.step(*step);
            let on = self.builder.asm.label();
            self.branch(*jump, Fork { yes: on, next: on, ..fork });
            self.builder.asm.bind(on);
        }
        self.step(*last_step);
        self.branch(*last, fork);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Load(memory) => self.builder.asm.load(R2, memory),
            Step::Masked(memory, mask) => {
                self.builder.asm.load(R2, memory);
                self.builder.asm.and32(R2, mask);
            }
        }
    }

    /// Goes to `yes` if the text of R0 bytes at R3, NUL included, ends with these bytes. The end is copied to the free
    /// part of the stack, where its offset is constant.
    fn ends(&mut self, wanted: &[Option<u8>], used: usize, fork: Fork) {
        let len = wanted.len();
        let at = self.room(used + len.next_multiple_of(8));
        self.builder.asm.jump_if(R0.slt(len as i32), fork.no);
        self.clear_last(at, len);
        let asm = &mut self.builder.asm;
        asm.sub(R0, len as i32);
        asm.add(R3, R0);
        asm.address(R1, at);
        asm.mov(R2, len as i32);
        asm.call(Helper::ProbeReadKernel);
        self.words(at, wanted, fork);
    }

    /// Goes to `yes` if the text at the start of the free part of the stack contains these bytes: a loop over its
    /// bytes, up to the NUL.
    fn search(&mut self, wanted: &[Option<u8>], room: usize, fork: Fork) {
        let (each, next) = (self.builder.asm.label(), self.builder.asm.label());
        let at = self.room(room);
        let asm = &mut self.builder.asm;
        asm.address(R2, at);
        asm.mov(R3, 0);
        asm.bind(each);
        asm.load(R1, u8_at(R2));
        asm.jump_if(R1.eq(0), fork.no);
        for (byte, nth) in wanted.iter().zip(0..) {
            if nth > 0 {
                asm.load(R1, u8_at(R2 + nth));
            }
            match byte {
                Some(byte) => asm.jump_if(R1.ne(i32::from(*byte)), next),
                None if nth > 0 => asm.jump_if(R1.eq(0), fork.no),
                None => {}
            }
        }
        // A pattern of `_` alone matches at the first position, or nowhere.
        if wanted.iter().all(Option::is_none) {
            asm.bind(next);
            return self.go(fork.yes, fork.next);
        }
        asm.jump(fork.yes);
        asm.bind(next);
        asm.add(R2, 1);
        asm.add(R3, 1);
        asm.jump_if(R3.lt((room.saturating_sub(wanted.len())) as i32), each);
        self.go(fork.no, fork.next);
    }

    /// Goes to `yes` if the assembled text of R0 bytes at R3 contains these bytes. Where the verifier follows every
    /// round, only the first positions of a longer text are searched; if none of them matches, nothing is decided, nor if
    /// the text lacks its end.
    fn search_long(&mut self, text: &Text, wanted: &[Option<u8>], fork: Fork) -> Result<(), Error> {
        let labels = [(); 4].map(|()| self.builder.asm.label());
        let [each, over, found, none] = labels;
        let slots = self.room(24);
        let (start, positions, counter) = (slots, slots + 8, slots + 16);
        let asm = &mut self.builder.asm;
        asm.sub(R0, wanted.len() as i32);
        asm.jump_if(R0.sle(0), fork.no);
        asm.store(u64_at(start), R3);
        asm.store(u64_at(positions), R0);
        let rounds = self.begin_rounds(counter, SEARCH_MAX, SEARCHED)?;
        self.builder.asm.bind(each);
        self.next_round(&rounds, over)?;
        let asm = &mut self.builder.asm;
        asm.load(R2, u64_at(positions));
        asm.jump_if(R1.ge(R2), none);
        asm.jump_if(R1.ge(SEARCH_MAX), none);
        asm.load(R3, u64_at(start));
        asm.add(R3, R1);
        asm.mov(R4, 0);
        for (chunk, from) in wanted.chunks(4).zip((0..).step_by(4)) {
            let (word, mask) = masked(chunk);
            if chunk.len() == 4 && mask != 0 {
                asm.load(R1, u32_at(R3 + from));
                if mask != -1 {
                    asm.and32(R1, mask);
                }
                asm.xor32(R1, i32::from_ne_bytes(word));
                asm.or(R4, R1);
            }
            for (byte, at) in chunk.iter().zip(from..).filter(|_| chunk.len() < 4) {
                if let Some(byte) = byte {
                    asm.load(R1, u8_at(R3 + at));
                    asm.xor32(R1, i32::from(*byte));
                    asm.or(R4, R1);
                }
            }
        }
        asm.jump_if(R4.eq(0), found);
        asm.jump(each);
        asm.bind(found);
        self.end_rounds(&rounds)?;
        self.builder.asm.jump(fork.yes);
        self.builder.asm.bind(none);
        self.end_rounds(&rounds)?;
        if text.is_cut_at_end() {
            self.builder.asm.load(R0, u64_at(positions));
            self.has_end(text, wanted.len(), fork.unknown)?;
        }
        self.builder.asm.jump(fork.no);
        self.builder.asm.bind(over);
        self.end_rounds(&rounds)?;
        self.undecided(fork.unknown)
    }
}

/// Up to four bytes as a word, with zeros for `_`, and the mask of the other bytes.
fn masked(chunk: &[Option<u8>]) -> ([u8; 4], i32) {
    let (mut word, mut mask) = ([0; 4], [0; 4]);
    for ((byte, word), mask) in chunk.iter().zip(&mut word).zip(&mut mask) {
        if let Some(byte) = byte {
            (*word, *mask) = (*byte, 0xff);
        }
    }
    (word, i32::from_ne_bytes(mask))
}

#[derive(Clone, Copy)]
enum Step {
    Load(kwalk_asm::Memory),
    Masked(kwalk_asm::Memory, i32),
}

/// Whether a text is compared in place, without a call that copies it.
pub(crate) fn is_read_in_place(text: &Text, pattern: &Pattern) -> bool {
    let room = text.place.field.size as usize;
    !pattern.open_start
        && text.kind == TextKind::Array
        && room <= WORDS_MAX
        && room % 4 == 0
        && is_near(&text.place)
}

/// Whether the field is aligned for loads of words, and its offset fits a load.
fn is_near(place: &Place) -> bool {
    let end = u64::from(place.field.offset) + u64::from(place.field.size);
    end < i16::MAX as u64 && place.field.offset % 4 == 0
}
