//! The layout section, by which records of unknown kinds are skipped (`struct btf_layout`, since Linux 7.1).

use kwalk_btf::{Btf, Error, Kind, TypeId};

use crate::builder::{Builder, header};

/// The entries of as many kinds as there are: what follows once and what follows for each, in bytes.
fn layouts(kinds: usize, known: &[(u8, u8, u8)]) -> Vec<u8> {
    let mut bytes = vec![0; kinds * 4];
    for &(kind, once, each) in known {
        bytes[usize::from(kind) * 4..][..2].copy_from_slice(&[once, each]);
    }
    bytes
}

/// Puts a layout section behind the types, as libbpf does, or behind the strings.
fn with_layout(b: &mut Builder, layout: &[u8], last: bool) -> Vec<u8> {
    let bytes = b.bytes();
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let (types_len, strings_len, layout_len) = (word(12), word(20), layout.len() as u32);
    let (types, strings) = bytes[24..].split_at(types_len as usize);
    let (strings_at, layout_at) =
        if last { (types_len, types_len + strings_len) } else { (types_len + layout_len, types_len) };
    let more = [layout_at, layout_len].map(u32::to_ne_bytes).concat();
    let header = header(32, [0, types_len, strings_at, strings_len], &more);
    let [first, second] = if last { [strings, layout] } else { [layout, strings] };
    [&header, types, first, second].concat()
}

/// An INT, two records of unknown kinds, and a TYPEDEF of the INT.
fn unknown_kinds() -> Builder {
    let mut b = Builder::default();
    let int = b.int("int", 4, 0);
    let name = b.name("param");
    b.raw(name, 1 << 31 | 20 << 24 | 2, 4, &[7, 8, 9]);
    b.raw(0, 127 << 24 | 3, 0, &[0; 9]);
    b.refer(Kind::Typedef, "int_t", int);
    b
}

#[test]
fn records_of_unknown_kinds_are_skipped() {
    let layout = layouts(128, &[(20, 4, 4), (127, 0, 12)]);
    for last in [false, true] {
        let bytes = with_layout(&mut unknown_kinds(), &layout, last);
        for order in [false, true] {
            let btf = Btf::new(&bytes).unwrap();
            if order {
                assert_eq!(btf.find(Kind::Typedef, "int_t"), Ok(TypeId(4)));
            }
            assert_eq!(btf.resolve(TypeId(4)).unwrap().0, TypeId(1));
            assert_eq!(btf.type_count(), Ok(4));
            // They can't be read, nor be found by their names.
            let at = 32 + 16;
            assert_eq!(btf.get(TypeId(2)).unwrap_err(), Error::UnknownKind { offset: at, kind: 20 });
            assert_eq!(btf.get(TypeId(3)).unwrap_err(), Error::UnknownKind { offset: at + 24, kind: 127 });
            assert_eq!(btf.with_prefix(Kind::Typedef, ""), Ok(vec![(TypeId(4), "int_t")]));
            for &kind in Kind::ALL {
                assert!(matches!(btf.find(kind, "param"), Err(Error::NotFound { .. })), "{kind}");
            }
        }
    }
}

#[test]
fn a_base_s_layout_is_its_split_btf_s_too() {
    let mut b = Builder::default();
    b.int("int", 4, 0);
    let base = with_layout(&mut b, &layouts(21, &[(20, 4, 4)]), false);
    let base = Btf::new(&base).unwrap();
    let mut b = Builder::default();
    b.raw(1, 20 << 24 | 2, 4, &[7, 8, 9]);
    b.raw(1, (Kind::Typedef as u32) << 24, 1, &[]);
    let bytes = b.bytes();
    let split = Btf::new_split(&bytes, &base).unwrap();
    assert_eq!(split.find(Kind::Typedef, "int"), Ok(TypeId(3)));
    assert_eq!(split.get(TypeId(2)).unwrap_err(), Error::UnknownKind { offset: 24, kind: 20 });
}

#[test]
fn what_no_layout_gives_the_length_of_ends_the_types() {
    let at = 32 + 16;
    let unknown = Error::UnknownKind { offset: at, kind: 20 };
    for layout in [
        vec![],
        layouts(20, &[]),
        // libbpf refuses what is not in words.
        layouts(128, &[(20, 6, 4), (127, 0, 12)]),
        layouts(128, &[(20, 4, 2), (127, 0, 12)]),
    ] {
        let bytes = with_layout(&mut unknown_kinds(), &layout, false);
        let btf = Btf::new(&bytes).unwrap();
        assert_eq!(btf.find(Kind::Int, "int"), Ok(TypeId(1)));
        assert_eq!(btf.get(TypeId(2)).unwrap_err(), unknown);
        assert_eq!(btf.type_count(), Err(unknown.clone()));
        assert_eq!(btf.find(Kind::Typedef, "int_t"), Err(unknown.clone()));
    }
    // A length beyond the section.
    let bytes = with_layout(&mut unknown_kinds(), &layouts(128, &[(20, 4, 4), (127, 0, 252)]), false);
    assert_eq!(Btf::new(&bytes).unwrap().type_count(), Err(Error::Record { offset: at + 24 }));
    // Known kinds are as long as they are known to be.
    let mut b = Builder::default();
    b.int("int", 4, 0);
    b.raw(0, (Kind::Struct as u32) << 24 | 2, 0, &[]);
    let bytes = with_layout(&mut b, &layouts(20, &[(1, 40, 0), (4, 0, 0)]), false);
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.find(Kind::Int, "int"), Ok(TypeId(1)));
    assert_eq!(btf.type_count(), Err(Error::Record { offset: at }));
}

#[test]
fn a_header_says_where_the_layout_is_or_is_refused() {
    let long = |offset: u32, len: u32| {
        let more = [offset, len].map(u32::to_ne_bytes).concat();
        [&header(32, [0, 0, 0, 1], &more)[..], &[0; 8]].concat()
    };
    for (offset, len) in [(0, 0), (4, 4), (0, 8), (8, 0)] {
        assert_eq!(Btf::new(&long(offset, len)).unwrap().type_count(), Ok(0), "{offset} {len}");
    }
    for (offset, len) in [(0, 3), (4, 8), (9, 0), (u32::MAX, u32::MAX)] {
        assert!(matches!(Btf::new(&long(offset, len)), Err(Error::Header { .. })), "{offset} {len}");
    }
    let cut = &long(0, 0)[..31];
    assert!(matches!(Btf::new(cut), Err(Error::Header { .. })));
    // Too short for both fields: there is no such section.
    let short = [&header(28, [0, 0, 0, 1], &[9; 4])[..], &[0]].concat();
    assert_eq!(Btf::new(&short).unwrap().type_count(), Ok(0));
}

/// Each costs a look into the layout, and no more.
#[test]
fn many_unknown_kinds_are_skipped_among_known_ones() {
    let mut b = Builder::default();
    for number in 0..20_000 {
        let vlen = number % 5;
        b.raw(0, 20 << 24 | vlen, 0, &[0; 4][..vlen as usize]);
        if number % 3 == 0 {
            b.int("", 4, 0);
        }
    }
    let last = b.int("last", 4, 0);
    let bytes = with_layout(&mut b, &layouts(21, &[(20, 0, 4)]), false);
    let btf = || Btf::new(&bytes).unwrap();
    assert_eq!(btf().find(Kind::Int, "last"), Ok(last));
    assert_eq!(btf().type_count(), Ok(last.0));
    assert_eq!(btf().get(last).unwrap().name(), "last");
    let known = btf();
    for id in (1..=last.0).rev().step_by(7) {
        let is_known = known.get(TypeId(id)).map(|ty| ty.kind()).ok();
        assert!(matches!(is_known, None | Some(Kind::Int)), "{id}");
    }
}

/// Bits 16 to 23 of the second word count too, since Linux 7.2; they are zero before.
#[test]
fn a_struct_has_more_members_than_16_bits_count() {
    let mut b = Builder::default();
    let int = b.int("int", 4, 0);
    let name = b.name("m");
    let members = 0x1_0001;
    let many =
        b.raw(name, (Kind::Struct as u32) << 24 | members, 4, &[name, int.0, 0].repeat(members as usize));
    let after = b.refer(Kind::Typedef, "after", int);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.members(many).unwrap().len(), members as usize);
    assert_eq!(btf.find(Kind::Typedef, "after"), Ok(after));
}
