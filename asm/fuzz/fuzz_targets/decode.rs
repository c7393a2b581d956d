//! Any bytes, in either order: they are instructions, and encode as the same bytes again, or an error within them.

#![no_main]

use kwalk_asm::{DecodeError, Decoded, Endian, Insn, Listing, disassemble};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for endian in [Endian::Little, Endian::Big] {
        one(bytes, endian);
        all(bytes, endian);
    }
});

fn one(bytes: &[u8], endian: Endian) {
    match Insn::decode(bytes, endian) {
        Err(error) => within(bytes, error),
        Ok((insn, len)) => {
            assert_eq!(len, insn.slots() * 8);
            for order in [Endian::Little, Endian::Big] {
                let mut again = Vec::new();
                insn.encode(order, &mut again);
                assert_eq!(Insn::decode(&again, order), Ok((insn, len)));
                assert!(order != endian || again == bytes[..len]);
            }
        }
    }
}

fn all(bytes: &[u8], endian: Endian) {
    let strict = Insn::decode_all(bytes, endian);
    let tolerant = Decoded::all(bytes, endian);
    assert_eq!(tolerant.is_ok(), bytes.len() % 8 == 0);
    match &strict {
        Err(error) => within(bytes, *error),
        Ok(insns) => {
            let mut again = Vec::new();
            Insn::encode_all(insns, endian, &mut again);
            assert_eq!(again, bytes);
            assert!(tolerant.as_ref().is_ok_and(|all| {
                all.iter().eq(&Vec::from_iter(insns.iter().map(|&insn| Decoded::from(insn))))
            }));
        }
    }
    if let Ok(all) = tolerant {
        assert_eq!(disassemble(bytes, endian), Ok(Listing::new(&all).to_string()));
        let mut again = Vec::new();
        all.iter().for_each(|one| one.encode(endian, &mut again));
        assert_eq!(again, bytes);
        assert!(strict.is_ok() || all.iter().any(|one| matches!(one, Decoded::Raw(_))));
    }
}

fn within(bytes: &[u8], error: DecodeError) {
    assert!(error.offset <= bytes.len() && error.offset % 8 == 0, "{error}");
}
