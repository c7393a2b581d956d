//! Whatever the bytes, every question ends, and none panics.

use std::time::{Duration, Instant};

use kwalk_btf::{Btf, Endian, Kind, TypeId, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::ask::ask_everything;
use crate::builder::{Builder, every_kind, header};
use crate::write::spec;

/// Records at random: mostly known kinds, few that follow each, ids and names that often hit.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![8 => 0u32..24, 1 => any::<u32>()];
    let info = (0u32..24, prop_oneof![8 => 0u32..4, 1 => any::<u32>()], any::<bool>())
        .prop_map(|(kind, vlen, flag)| u32::from(flag) << 31 | kind << 24 | vlen);
    let record = (word.clone(), info, word.clone(), vec(word, 0..8));
    vec(record, 0..40).prop_map(|records| {
        let mut b = Builder::default();
        for name in ["left", "x", "y", "either", "pair"] {
            b.name(name);
        }
        for (name, info, ty, trail) in records {
            b.raw(name, info, ty, &trail);
        }
        b.bytes()
    })
}

/// Names, dots, brackets and digits, in any order.
fn paths() -> impl Strategy<Value = String> {
    "([a-z_.\\[\\]0-9]|left|right|pair|x|\\[0\\]|\\PC){0,12}"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_survived(bytes in vec(any::<u8>(), 0..256), path in paths()) {
        ask_everything(&bytes, &path);
        let len = bytes.len() as u32;
        let strings = [header(24, [0, len, len, 1], &bytes), vec![0]].concat();
        ask_everything(&strings, &path);
    }

    #[test]
    fn random_records_are_survived(bytes in records(), path in paths()) {
        ask_everything(&bytes, &path);
    }

    #[test]
    fn changed_bytes_are_survived(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        path in paths(),
    ) {
        let mut bytes = every_kind().bytes();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        ask_everything(&bytes, &path);
    }

    #[test]
    fn changes_to_what_was_written_are_survived(
        specs in vec(spec(), 0..40),
        big in any::<bool>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        path in paths(),
    ) {
        let mut w = Writer::new();
        for name in ["left", "x", "y", "either", "pair"] {
            w.string(name).unwrap();
        }
        for spec in &specs {
            spec.write(&mut w).unwrap();
        }
        let mut bytes = w.finish_in(if big { Endian::Big } else { Endian::Little });
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        ask_everything(&bytes, &path);
    }

    #[test]
    fn overlapping_sections_are_survived(
        sections in [0u32..80, 0u32..200, 0u32..80, 0u32..200],
        path in paths(),
    ) {
        let bytes = every_kind().bytes();
        let [type_off, type_len, str_off, str_len] = sections;
        // So that the strings end as they must, wherever they are.
        let mut body = bytes[24..].to_vec();
        for at in [str_off, str_off + str_len.max(1) - 1] {
            if let Some(byte) = body.get_mut(at as usize) {
                *byte = 0;
            }
        }
        ask_everything(&[&header(24, [type_off, type_len, str_off, str_len.max(1)], &[])[..], &body].concat(), &path);
    }

    #[test]
    fn any_path_is_survived(path in any::<String>()) {
        ask_everything(&every_kind().bytes(), &path);
    }
}

#[test]
fn cut_short_anywhere_is_survived() {
    let bytes = every_kind().bytes();
    for len in 0..bytes.len() {
        ask_everything(&bytes[..len], "left");
    }
    // The same with a header that tells the truth about what is left.
    let types = u32::from_ne_bytes(bytes[12..16].try_into().unwrap());
    for len in 0..types {
        let start = &bytes[24..24 + len as usize];
        ask_everything(&[&header(24, [0, len, len, 1], &[])[..], start, &[0]].concat(), "left");
    }
}

/// Answers within a time that only linear work can keep, with much to spare for a busy machine.
fn within_seconds(work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_thousand_ways_into_one_struct_are_walked_once() {
    let mut b = Builder::default();
    let inner = b.next();
    let typedefs = 5000;
    // Anonymous members without end: of the struct itself, and of typedefs of it.
    let members: Vec<_> = (0..=typedefs).map(|n| ("", TypeId(inner.0 + n), n)).collect();
    b.structure("inner", 8, &members);
    for _ in 0..typedefs {
        b.refer(Kind::Typedef, "t", inner);
    }
    let bytes = b.bytes();
    within_seconds(|| {
        let btf = Btf::new(&bytes).unwrap();
        assert!(btf.path(inner, "absent").is_err());
    });
}

#[test]
fn names_without_end_are_not_searched_again_and_again() {
    let mut b = Builder::default();
    let at = b.name(&"x".repeat(1 << 20));
    let records = 20_000;
    for n in 0..records {
        b.raw(at + n, (Kind::Fwd as u32) << 24, 0, &[]);
    }
    let bytes = b.bytes();
    within_seconds(|| {
        let btf = Btf::new(&bytes).unwrap();
        for id in 1..=records {
            assert!(btf.get(TypeId(id)).is_err());
        }
        assert!(btf.with_prefix(Kind::Fwd, "xx").is_err());
        assert!(btf.find(Kind::Fwd, &"x".repeat(1000)).is_err());
    });
}
