//! Split BTF: its ids and string offsets continue those of a base.

use kwalk_btf::{Btf, Endian, Error, Kind, TypeId, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::ask::ask_split;
use crate::builder::{Builder, every_kind, header};
use crate::cut::cut;
use crate::spec::Spec;
use crate::write::{ORDERS, spec};

/// A base of some of these types, the split BTF of the others, and all in one.
fn three(specs: &[Spec], of_base: usize, order: Endian) -> [Vec<u8>; 3] {
    let mut w = Writer::new();
    let mut base = None;
    for (nth, spec) in specs.iter().enumerate() {
        if nth == of_base {
            base = Some(w.finish_in(order));
        }
        spec.write(&mut w).unwrap();
    }
    let whole = w.finish_in(order);
    let base = base.unwrap_or_else(|| whole.clone());
    let split = cut(&base, &whole);
    [base, split, whole]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_together_are_as_if_never_cut(specs in vec(spec(), 0..60), at in any::<prop::sample::Index>()) {
        let of_base = at.index(specs.len() + 1);
        for order in ORDERS {
            let [base, split, whole] = three(&specs, of_base, order);
            let [base, whole] = [&base, &whole].map(|bytes| Btf::new(bytes).unwrap());
            let split = Btf::new_split(&split, &base).unwrap();
            prop_assert_eq!(base.type_count(), Ok(of_base as u32));
            prop_assert_eq!(split.type_count(), Ok(specs.len() as u32));
            for id in (0..=specs.len() as u32 + 1).map(TypeId) {
                prop_assert_eq!(Spec::read(&split, id), Spec::read(&whole, id));
                prop_assert_eq!(split.string(id.0).ok(), whole.string(id.0).ok());
                prop_assert_eq!(split.size_of(id), whole.size_of(id));
                prop_assert_eq!(split.declaration(id, "x"), whole.declaration(id, "x"));
            }
            for &kind in Kind::ALL {
                let all = whole.with_prefix(kind, "").unwrap();
                let (of_base, own): (Vec<_>, Vec<_>) = all.iter().partition(|(id, _)| id.0 as usize <= of_base);
                prop_assert_eq!(&base.with_prefix(kind, "").unwrap(), &of_base);
                prop_assert_eq!(&split.with_prefix(kind, "").unwrap(), &own);
                for (_, name) in all {
                    let first = own.iter().find(|(_, own)| *own == name).map(|(id, _)| *id);
                    prop_assert_eq!(split.find(kind, name).ok(), first);
                }
            }
        }
    }

    #[test]
    fn damage_to_either_is_survived(
        specs in vec(spec(), 0..40),
        at in any::<prop::sample::Index>(),
        changes in vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 0..8),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let [mut base, mut split, _] = three(&specs, at.index(specs.len() + 1), Endian::NATIVE);
        for (of_base, place, value) in changes {
            let bytes = if of_base { &mut base } else { &mut split };
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        split.truncate(end.map_or(split.len(), |end| end.index(split.len())));
        ask_split(&base, &split, "left");
    }
}

#[test]
fn a_path_leads_from_one_into_the_other() {
    let mut b = every_kind();
    let base = b.bytes();
    let pair = TypeId(Kind::Struct as u32);
    let outer = b.structure("outer", 20, &[("pair", pair, 64), ("own", TypeId(b.next().0 + 1), 0)]);
    b.ptr(pair);
    let split = cut(&base, &b.bytes());
    let base = Btf::new(&base).unwrap();
    let split = Btf::new_split(&split, &base).unwrap();
    assert_eq!(split.find(Kind::Struct, "outer"), Ok(outer));
    assert!(matches!(split.find(Kind::Struct, "pair"), Err(Error::NotFound { .. })));
    assert_eq!(split.path(outer, "pair.right").unwrap().field.offset, 12);
    let path = split.path(outer, "own.right").unwrap();
    assert_eq!((path.hops.len(), path.hops[0].pointee, path.field.offset), (1, pair, 4));
    assert_eq!(split.spelling(TypeId(outer.0 + 1)), Ok("struct pair *".into()));

    // A third on top of both.
    let third =
        [header(24, [0, 12, 12, 6], &[]), own(&split, Kind::Typedef, outer), b"third\0".to_vec()].concat();
    let third = Btf::new_split(&third, &split).unwrap();
    let id = TypeId(split.type_count().unwrap() + 1);
    assert_eq!(third.find(Kind::Typedef, "third"), Ok(id));
    assert_eq!(third.path(id, "own.right"), Ok(path));
}

/// A record on top of `base`, named by the first of its own strings.
fn own(base: &Btf<'_>, kind: Kind, to: TypeId) -> Vec<u8> {
    let end = (0..).find(|&offset| base.string(offset).is_err()).unwrap();
    [end, (kind as u32) << 24, to.0].map(u32::to_ne_bytes).concat()
}

#[test]
fn what_lies_beyond_both_is_refused() {
    let mut b = every_kind();
    let base_bytes = b.bytes();
    let base = Btf::new(&base_bytes).unwrap();
    let strings = (0..).find(|&offset| base.string(offset).is_err()).unwrap();
    b.raw(strings + 4, (Kind::Fwd as u32) << 24, 0, &[]);
    b.ptr(TypeId(23));
    b.raw(strings - 1, (Kind::Fwd as u32) << 24, 0, &[]);
    b.name("own");
    let bytes = cut(&base_bytes, &b.bytes());
    let split = Btf::new_split(&bytes, &base).unwrap();
    assert_eq!(split.string(strings), Ok("own"));
    // 36 bytes of types and 4 of strings follow the header.
    assert_eq!(split.get(TypeId(20)).unwrap_err(), Error::Name { offset: 24 + 36 + 4 });
    assert_eq!(split.resolve(TypeId(21)).unwrap().1.refers_to(), Some(TypeId(23)));
    assert_eq!(split.get(TypeId(22)).unwrap().name(), "", "the base's last byte");
    assert_eq!(split.get(TypeId(23)).unwrap_err(), Error::NoSuchType { id: TypeId(23), count: 22 });
    assert_eq!(split.get(TypeId(0)).unwrap_err(), Error::Void);
    assert_eq!(base.get(TypeId(20)).unwrap_err(), Error::NoSuchType { id: TypeId(20), count: 19 });

    // The offset of what is wrong is one in the bytes that it is in.
    let cut_short = &bytes[..24 + 36 - 4];
    let short = [&header(24, [0, 32, 32, 0], &[]), &cut_short[24..]].concat();
    let short = Btf::new_split(&short, &base).unwrap();
    assert_eq!(short.get(TypeId(22)).unwrap_err(), Error::Record { offset: 24 + 24 });
    assert_eq!(short.find(Kind::Func, "absent"), Err(Error::Record { offset: 24 + 24 }));
    let mut bad = Builder::default();
    bad.raw(0, 0, 0, &[]);
    let bad = bad.bytes();
    let bad = Btf::new(&bad).unwrap();
    assert_eq!(Btf::new_split(&bytes, &bad).unwrap_err(), Error::UnknownKind { offset: 24, kind: 0 });
}

#[test]
fn a_header_fits_its_base_or_is_refused() {
    let base = every_kind().bytes();
    let base = Btf::new(&base).unwrap();
    let split = |strings: &[u8]| [&header(24, [0, 0, 0, strings.len() as u32], &[]), strings].concat();
    for strings in [&b""[..], b"\0", b"own\0"] {
        assert_eq!(Btf::new_split(&split(strings), &base).unwrap().type_count(), Ok(19));
    }
    let other = if Endian::NATIVE == Endian::Little { Endian::Big } else { Endian::Little };
    for bytes in [split(b"own"), Writer::new().finish_in(other)] {
        assert!(matches!(Btf::new_split(&bytes, &base), Err(Error::Header { .. })), "{bytes:?}");
    }
    assert!(matches!(Btf::new_split(b"ELF", &base), Err(Error::NotBtf)));
}
