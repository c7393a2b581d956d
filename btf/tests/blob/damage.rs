//! Whatever the bytes, every question ends, and none panics.

use std::time::{Duration, Instant};

use kwalk_btf::{Btf, Kind, TypeId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::builder::{Builder, every_kind, header};

/// Asks everything there is to ask; the answers don't matter, nor do the errors.
fn ask_everything(bytes: &[u8], path: &str) {
    let Ok(btf) = Btf::new(bytes) else { return };
    for &kind in Kind::ALL {
        let _ = btf.find(kind, "either");
        let _ = btf.with_prefix(kind, "");
    }
    let _ = btf.find_many([(Kind::Struct, "pair"), (Kind::Func, "absent")]);
    let count = btf.type_count().unwrap_or(64).min(256);
    for id in (0..=count + 1).chain([u32::MAX]).map(TypeId) {
        if let Ok(ty) = btf.get(id) {
            let _ = (ty.kind(), ty.name(), ty.size(), ty.refers_to(), ty.int(), ty.array(), ty.kind_flag());
        }
        let _ = btf.resolve(id);
        let _ = btf.size_of(id);
        let _ = btf.members(id).map(|members| members.count());
        let _ = btf.enumerators(id).map(|enumerators| enumerators.count());
        let _ = btf.named_members(id);
        let _ = btf.declaration(id, "name");
        for path in [path, "left", "pair.left", "x[1].y", "absent"] {
            if let Err(error) = btf.path(id, path) {
                let _ = error.to_string();
            }
        }
    }
}

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
