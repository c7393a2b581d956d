//! Encoding and decoding undo each other, whatever the operands and whatever the bytes.

mod any;

use any::insn;
use kwalk_asm::{DecodeError, DecodeReason, Decoded, Endian, Field, Insn, Reg, TargetError, Wide};
use proptest::prelude::*;
use proptest::sample::select;

fn endian() -> impl Strategy<Value = Endian> {
    select(&[Endian::Little, Endian::Big])
}

/// 16 bytes that are often nearly an instruction: any opcode, and fields of which each may be zero.
fn nearly() -> impl Strategy<Value = [u8; 16]> {
    let field = || prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    (any::<u8>(), proptest::array::uniform15(field())).prop_map(|(opcode, fields)| {
        let mut bytes = [0; 16];
        bytes[0] = opcode;
        bytes[1..].copy_from_slice(&fields);
        bytes
    })
}

fn encoded(insn: Insn, endian: Endian) -> Vec<u8> {
    let mut bytes = Vec::new();
    insn.encode(endian, &mut bytes);
    bytes
}

/// What decodes, encodes to the same bytes; what doesn't, says where in the bytes that is.
fn check(bytes: &[u8], endian: Endian) -> Result<(), TestCaseError> {
    match Insn::decode(bytes, endian) {
        Ok((insn, len)) => {
            prop_assert_eq!(len, insn.slots() * 8);
            prop_assert_eq!(&encoded(insn, endian)[..], &bytes[..len]);
        }
        Err(DecodeError { offset, .. }) => prop_assert!(offset == 0 || offset == 8),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_encoded_decodes_to_itself(insn in insn(), endian in endian()) {
        let bytes = encoded(insn, endian);
        prop_assert_eq!(bytes.len(), insn.slots() * 8);
        prop_assert_eq!(Insn::decode(&bytes, endian), Ok((insn, bytes.len())));
    }

    #[test]
    fn what_is_decoded_encodes_to_itself(bytes in nearly(), endian in endian()) {
        check(&bytes, endian)?;
    }

    #[test]
    fn decoding_is_total(bytes in prop::collection::vec(any::<u8>(), 0..40), endian in endian()) {
        check(&bytes, endian)?;
        if let Ok(insns) = Insn::decode_all(&bytes, endian) {
            let again: Vec<u8> = insns.into_iter().flat_map(|insn| encoded(insn, endian)).collect();
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn anything_decodes_to_what_encodes_to_it(slots in prop::collection::vec(nearly(), 0..4), endian in endian()) {
        let bytes = slots.concat();
        let all = Decoded::all(&bytes, endian).unwrap();
        let mut again = Vec::new();
        all.iter().for_each(|decoded| decoded.encode(endian, &mut again));
        prop_assert_eq!(again.len(), all.iter().map(|decoded| 8 * decoded.slots()).sum::<usize>());
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn what_comes_after_an_instruction_does_not_matter(
        first in insn(), rest in prop::collection::vec(any::<u8>(), 0..24), endian in endian(),
    ) {
        let mut bytes = encoded(first, endian);
        let len = bytes.len();
        bytes.extend(rest);
        prop_assert_eq!(Insn::decode(&bytes, endian), Ok((first, len)));
    }

    #[test]
    fn a_cut_instruction_is_truncated(insn in insn(), endian in endian(), cut in 1usize..16) {
        let bytes = encoded(insn, endian);
        let kept = bytes.len().saturating_sub(cut);
        let error = DecodeError { offset: kept / 8 * 8, reason: DecodeReason::Truncated };
        prop_assert_eq!(Insn::decode(&bytes[..kept], endian), Err(error));
    }
}

/// Of all 256 opcodes, exactly those of the instructions that exist decode.
#[test]
fn opcodes_that_no_instruction_has_are_refused() {
    let mut known = vec![0x05, 0x06, 0x0d, 0xe5, 0x18, 0x85, 0x95, 0x84, 0x87, 0xc3, 0xdb];
    // Byte swaps, and atomics of 8 and 16 bits, to which the immediate 0 says nothing.
    let with_imm = [0xd4, 0xdc, 0xd7, 0xcb, 0xd3];
    for size in [0x00, 0x08, 0x10, 0x18] {
        known.extend([0x61, 0x62, 0x63].map(|class| class | size));
    }
    for size in [0x00, 0x08, 0x10] {
        known.extend([0x20, 0x40, 0x81].map(|class| class | size));
    }
    for code in [0x0u8, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x9, 0xa, 0xb, 0xc] {
        known.extend([0x04, 0x07, 0x0c, 0x0f].map(|class| class | code << 4));
    }
    for code in [0x1u8, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd] {
        known.extend([0x05, 0x06, 0x0d, 0x0e].map(|class| class | code << 4));
    }
    for opcode in 0..=255 {
        let mut bytes = [0; 16];
        bytes[0] = opcode;
        let decoded = Insn::decode(&bytes, Endian::Little);
        if known.contains(&opcode) {
            assert!(decoded.is_ok(), "{opcode:#04x}: {decoded:?}");
        } else if with_imm.contains(&opcode) {
            let reason = DecodeReason::UnknownImm { opcode, imm: 0 };
            assert_eq!(decoded, Err(DecodeError { offset: 0, reason }));
        } else {
            let reason = DecodeReason::UnknownOpcode(opcode);
            assert_eq!(decoded, Err(DecodeError { offset: 0, reason }));
        }
    }
}

#[test]
fn what_must_be_zero_is_refused_if_it_is_not() {
    use DecodeReason::{Reserved, Truncated, UnknownImm, UnknownOpcode, UnknownPseudo, UnknownRegister};
    use Field::{Dst, Imm, Offset, Opcode, Src};
    // The opcode, the registers (source in the high nibble), the offset, the immediate; what is wrong.
    #[rustfmt::skip]
    let cases: &[([u8; 8], DecodeReason)] = &[
        ([0x07, 0x21, 0, 0, 8, 0, 0, 0], Reserved(Src)),      // r1 += 8
        ([0x07, 0x01, 1, 0, 8, 0, 0, 0], Reserved(Offset)),
        ([0x37, 0x01, 2, 0, 8, 0, 0, 0], Reserved(Offset)),   // 1 would be signed division
        ([0xbf, 0x21, 9, 0, 0, 0, 0, 0], Reserved(Offset)),   // 8 would be a sign-extending move
        ([0xbf, 0x21, 8, 0, 1, 0, 0, 0], Reserved(Imm)),      // r1 = (s8)r2
        ([0xbc, 0x21, 32, 0, 0, 0, 0, 0], Reserved(Offset)),  // of 32 bits, 32 have no sign to extend
        ([0xbc, 0x21, 1, 0, 0, 0, 0, 0], Reserved(Offset)),   // a cast between address spaces has 64 bits
        ([0xbf, 0x21, 0xff, 0xff, 0, 0, 0, 0], Reserved(Offset)), // the address of a per-CPU variable, inside the kernel
        ([0xb7, 0x01, 8, 0, 9, 0, 0, 0], Reserved(Offset)),   // r1 = 9
        ([0x0f, 0x21, 0, 0, 1, 0, 0, 0], Reserved(Imm)),      // r1 += r2
        ([0x0f, 0xb1, 0, 0, 0, 0, 0, 0], UnknownRegister(11)),
        ([0x0f, 0x2f, 0, 0, 0, 0, 0, 0], UnknownRegister(15)),
        ([0x87, 0x21, 0, 0, 0, 0, 0, 0], Reserved(Src)),      // r1 = -r1
        ([0x87, 0x01, 0, 1, 0, 0, 0, 0], Reserved(Offset)),
        ([0x87, 0x01, 0, 0, 0, 0, 0, 1], Reserved(Imm)),
        ([0x8f, 0x01, 0, 0, 0, 0, 0, 0], UnknownOpcode(0x8f)),
        ([0xd7, 0x01, 0, 0, 8, 0, 0, 0], UnknownImm { opcode: 0xd7, imm: 8 }), // r1 = bswap16 r1
        ([0xd7, 0x01, 0, 0, 0, 1, 0, 0], UnknownImm { opcode: 0xd7, imm: 256 }),
        ([0xd4, 0x21, 0, 0, 16, 0, 0, 0], Reserved(Src)),     // r1 = le16 r1
        ([0xdc, 0x01, 1, 0, 64, 0, 0, 0], Reserved(Offset)),  // r1 = be64 r1
        ([0xdf, 0x01, 0, 0, 16, 0, 0, 0], UnknownOpcode(0xdf)), // a swap has no source
        ([0x79, 0x21, 0, 0, 1, 0, 0, 0], Reserved(Imm)),      // r1 = *(u64 *)(r2 + 0)
        ([0x79, 0xc1, 0, 0, 0, 0, 0, 0], UnknownRegister(12)),
        ([0x91, 0x21, 0, 0, 1, 0, 0, 0], Reserved(Imm)),      // r1 = *(s8 *)(r2 + 0)
        ([0x99, 0x21, 0, 0, 0, 0, 0, 0], UnknownOpcode(0x99)), // 64 bits have no sign to extend
        ([0xdb, 0x21, 0, 0, 2, 0, 0, 0], UnknownImm { opcode: 0xdb, imm: 2 }), // lock *(u64 *)(r1 + 0) += r2
        ([0xdb, 0x21, 0, 0, 0xe0, 0, 0, 0], UnknownImm { opcode: 0xdb, imm: 0xe0 }), // an exchange always fetches
        ([0xd3, 0x21, 0, 0, 1, 0, 0, 0], UnknownImm { opcode: 0xd3, imm: 1 }), // arithmetic on 8 bits
        ([0xdb, 0x21, 0, 0, 1, 1, 0, 0], UnknownImm { opcode: 0xdb, imm: 0x101 }), // a load-acquire has no variations
        ([0xdb, 0xb1, 0, 0, 0, 0, 0, 0], UnknownRegister(11)),
        ([0x20, 0x01, 0, 0, 9, 0, 0, 0], Reserved(Dst)),      // r0 = *(u32 *)skb[9]
        ([0x20, 0x10, 0, 0, 9, 0, 0, 0], Reserved(Src)),
        ([0x20, 0x00, 1, 0, 9, 0, 0, 0], Reserved(Offset)),
        ([0x40, 0x11, 0, 0, 9, 0, 0, 0], Reserved(Dst)),      // r0 = *(u32 *)skb[r1 + 9]
        ([0x40, 0xf0, 0, 0, 9, 0, 0, 0], UnknownRegister(15)),
        ([0x38, 0x00, 0, 0, 9, 0, 0, 0], UnknownOpcode(0x38)), // no packet load has 64 bits
        ([0x7b, 0x21, 0, 0, 1, 0, 0, 0], Reserved(Imm)),      // *(u64 *)(r1 + 0) = r2
        ([0x7a, 0x21, 0, 0, 1, 0, 0, 0], Reserved(Src)),      // *(u64 *)(r1 + 0) = 1
        ([0x05, 0x01, 1, 0, 0, 0, 0, 0], Reserved(Dst)),      // goto +1
        ([0x05, 0x10, 1, 0, 0, 0, 0, 0], Reserved(Src)),
        ([0x05, 0x00, 1, 0, 9, 0, 0, 0], Reserved(Imm)),
        ([0x06, 0x00, 1, 0, 9, 0, 0, 0], Reserved(Offset)),   // gotol +9
        ([0x06, 0x10, 0, 0, 9, 0, 0, 0], Reserved(Src)),
        ([0x06, 0x01, 0, 0, 9, 0, 0, 0], Reserved(Dst)),
        ([0x0e, 0x00, 0, 0, 9, 0, 0, 0], UnknownOpcode(0x0e)),
        ([0x0d, 0x11, 0, 0, 0, 0, 0, 0], Reserved(Src)),      // gotox r1
        ([0x0d, 0x01, 1, 0, 0, 0, 0, 0], Reserved(Offset)),
        ([0x0d, 0x01, 0, 0, 1, 0, 0, 0], Reserved(Imm)),
        ([0x0d, 0x0b, 0, 0, 0, 0, 0, 0], UnknownRegister(11)),
        ([0xe5, 0x10, 1, 0, 0, 0, 0, 0], Reserved(Src)),      // may_goto +1
        ([0xe5, 0x01, 1, 0, 0, 0, 0, 0], Reserved(Dst)),
        ([0xe5, 0x00, 1, 0, 1, 0, 0, 0], Reserved(Imm)),
        ([0x85, 0x10, 1, 0, 9, 0, 0, 0], Reserved(Offset)),   // call +9
        ([0x85, 0x11, 0, 0, 9, 0, 0, 0], Reserved(Dst)),
        ([0x15, 0x21, 1, 0, 0, 0, 0, 0], Reserved(Src)),      // if r1 == 0 goto +1
        ([0x1d, 0x21, 1, 0, 9, 0, 0, 0], Reserved(Imm)),      // if r1 == r2 goto +1
        ([0x85, 0x01, 0, 0, 9, 0, 0, 0], Reserved(Dst)),      // call 9
        ([0x85, 0x00, 1, 0, 9, 0, 0, 0], Reserved(Offset)),
        ([0x85, 0x21, 0, 0, 9, 0, 0, 0], Reserved(Dst)),      // a call of a kernel function
        ([0x85, 0x30, 0, 0, 9, 0, 0, 0], UnknownPseudo { opcode: 0x85, src: 3 }),
        ([0x95, 0x01, 0, 0, 0, 0, 0, 0], Reserved(Dst)),      // exit
        ([0x95, 0x10, 0, 0, 0, 0, 0, 0], Reserved(Src)),
        ([0x95, 0x00, 1, 0, 0, 0, 0, 0], Reserved(Offset)),
        ([0x95, 0x00, 0, 0, 1, 0, 0, 0], Reserved(Imm)),
    ];
    for &(bytes, reason) in cases {
        assert_eq!(
            Insn::decode(&bytes, Endian::Little),
            Err(DecodeError { offset: 0, reason }),
            "{bytes:x?}"
        );
    }

    // The two halves of a wide load.
    #[rustfmt::skip]
    let wide: &[([u8; 8], [u8; 8], usize, DecodeReason)] = &[
        ([0x18, 0x01, 1, 0, 9, 0, 0, 0], [0; 8],                   0, Reserved(Offset)),
        ([0x18, 0x71, 0, 0, 9, 0, 0, 0], [0; 8],                   0, UnknownPseudo { opcode: 0x18, src: 7 }),
        ([0x18, 0x0b, 0, 0, 9, 0, 0, 0], [0; 8],                   0, UnknownRegister(11)),
        ([0x18, 0x01, 0, 0, 9, 0, 0, 0], [1, 0, 0, 0, 9, 0, 0, 0], 8, Reserved(Opcode)),
        ([0x18, 0x01, 0, 0, 9, 0, 0, 0], [0, 1, 0, 0, 9, 0, 0, 0], 8, Reserved(Dst)),
        ([0x18, 0x01, 0, 0, 9, 0, 0, 0], [0, 16, 0, 0, 9, 0, 0, 0], 8, Reserved(Src)),
        ([0x18, 0x01, 0, 0, 9, 0, 0, 0], [0, 0, 1, 0, 9, 0, 0, 0], 8, Reserved(Offset)),
        ([0x18, 0x11, 0, 0, 9, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0, 0], 8, Reserved(Imm)), // a map has no second immediate
        ([0x18, 0x51, 0, 0, 9, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0, 0], 8, Reserved(Imm)), // nor by its index
        ([0x18, 0x41, 0, 0, 9, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0, 0], 8, Reserved(Imm)), // nor a function
    ];
    for &(first, second, offset, reason) in wide {
        let bytes = [first, second].concat();
        assert_eq!(Insn::decode(&bytes, Endian::Little), Err(DecodeError { offset, reason }), "{bytes:x?}");
    }
    let half = Insn::decode(&wide[3].0, Endian::Little);
    assert_eq!(half, Err(DecodeError { offset: 8, reason: Truncated }));
}

#[test]
fn the_offset_of_an_error_is_that_in_the_whole() {
    let mut bytes = Vec::new();
    Insn::Exit.encode(Endian::Little, &mut bytes);
    Insn::LoadWide { dst: Reg::R1, value: Wide::Imm(1) }.encode(Endian::Little, &mut bytes);
    let cut = Insn::decode_all(&bytes[..20], Endian::Little);
    assert_eq!(cut, Err(DecodeError { offset: 16, reason: DecodeReason::Truncated }));
    bytes.extend([0xff; 8]);
    let error = Insn::decode_all(&bytes, Endian::Little).unwrap_err();
    assert_eq!(error.to_string(), "no instruction at byte 24: unknown opcode 0xff");
}

fn program(insns: &[Insn]) -> Vec<u8> {
    insns.iter().flat_map(|&insn| encoded(insn, Endian::Little)).collect()
}

#[test]
fn what_leads_nowhere_is_refused_in_a_program() {
    let wide = Insn::LoadWide { dst: Reg::R1, value: Wide::Imm(1) };
    let nowhere = |offset, target| Err(DecodeError { offset, reason: DecodeReason::Target(target) });
    let leading: [fn(i16) -> Insn; 6] = [
        |offset| Insn::Jump { offset },
        |offset| Insn::JumpLong { offset: offset.into() },
        |offset| Insn::MayGoto { offset },
        |offset| Insn::JumpIf { condition: Reg::R1.eq(0), offset },
        |offset| Insn::CallLocal { offset: offset.into() },
        |offset| Insn::LoadWide { dst: Reg::R2, value: Wide::Func { offset: offset.into() } },
    ];
    for leading in leading {
        // Slot 0: exit; 1: the instruction, of as many slots as it has; then a wide load and an exit.
        let n = leading(0).slots();
        let code = |offset| vec![Insn::Exit, leading(offset), wide, Insn::Exit];
        for target in [0, 1, 1 + n, 3 + n] {
            let good = code(target as i16 - 2);
            assert_eq!(Insn::decode_program(&program(&good), Endian::Little), Ok(good));
        }
        let check = |target: i64, error| {
            let bytes = program(&code(target as i16 - 2));
            assert_eq!(Insn::decode_program(&bytes, Endian::Little), nowhere(8, error));
            assert!(Insn::decode_all(&bytes, Endian::Little).is_ok());
        };
        for target in [-1, 4 + n as i64] {
            check(target, TargetError::Outside { target });
        }
        let target = 2 + n as i64;
        check(target, TargetError::WithinWide { target });
    }
    let far = program(&[Insn::JumpLong { offset: i32::MIN }]);
    let target = 1 + i64::from(i32::MIN);
    assert_eq!(Insn::decode_program(&far, Endian::Little), nowhere(0, TargetError::Outside { target }));
}

#[test]
fn what_is_no_instruction_keeps_its_bytes() {
    let wide = Insn::LoadWide { dst: Reg::R1, value: Wide::Imm(1) };
    // A load with exception handling, as a kernel has it inside; half a wide load; a wide load; the half of one at the end.
    let probe = [0x39, 0x21, 0, 0, 0, 0, 0, 0];
    let (half, other_half) = ([0x18, 0x41, 0, 0, 9, 0, 0, 0], [0, 0, 0, 0, 7, 0, 0, 0]);
    let bytes = [&probe[..], &half, &other_half, &program(&[wide, Insn::Exit]), &half].concat();
    let all = Decoded::all(&bytes, Endian::Little).unwrap();
    assert_eq!(
        all,
        [
            Decoded::Raw(probe),
            Decoded::Raw(half),
            Decoded::Raw(other_half),
            wide.into(),
            Insn::Exit.into(),
            Decoded::Raw(half)
        ]
    );
    let truncated = DecodeError { offset: 56, reason: DecodeReason::Truncated };
    let longer = [&bytes[..], &[0; 7]].concat();
    assert_eq!(Decoded::all(&longer, Endian::Little), Err(truncated));
}
