//! Any bytes, as a whole and as the two sections behind a header that tells the truth about them, in either byte order and
//! on top of themselves as split BTF: every question ends in an answer or an error, and the second time in the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/blob/ask.rs"]
mod ask;

fuzz_target!(|bytes: &[u8]| {
    ask::ask_everything(bytes, "left");
    // The first byte says where the types end and the strings begin.
    let Some((&cut, rest)) = bytes.split_first() else { return };
    let (types, strings) = rest.split_at((usize::from(cut) * 4).min(rest.len()));
    let strings = [&[0], strings, b"\0left\0pair\0either\0"].concat();
    let header = [24, 0, types.len(), types.len(), strings.len()].map(|len| len as u32);
    let little = [&[0x9f, 0xeb, 1, 0][..], &header.map(u32::to_le_bytes).concat(), types, &strings].concat();
    ask::ask_everything(&little, "x[1].pair");
    ask::ask_split(&little, &little, "x[1].pair");
    ask::ask_split(&little, bytes, "left");
    let swapped: Vec<u8> = types.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
    let big = [&[0xeb, 0x9f, 1, 0][..], &header.map(u32::to_be_bytes).concat(), &swapped, &strings].concat();
    ask::ask_everything(&big, "x[1].pair");
});
