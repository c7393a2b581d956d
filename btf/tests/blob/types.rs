//! Finding types, and reading them back.

use kwalk_btf::{
    Array, Btf, Component, Enumerator, Error, Kind, Linkage, Member, NAME_MAX, Param, SectionVar, TypeId,
    near,
};

use crate::builder::{Builder, SIGNED, VOID, bits, every_kind, header};

#[test]
fn every_kind_is_walked_and_read() {
    let bytes = every_kind().bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.type_count(), Ok(19));
    for (&kind, number) in Kind::ALL.iter().zip(1..) {
        assert_eq!(kind as u8, number);
        assert_eq!(Kind::from_number(number), Some(kind));
        let ty = btf.get(TypeId(number.into())).unwrap();
        assert_eq!((ty.kind(), ty.id), (kind, TypeId(number.into())));
        if !ty.name().is_empty() {
            assert_eq!(btf.find(kind, ty.name()), Ok(ty.id));
        }
    }
    assert_eq!((Kind::from_number(0), Kind::from_number(20)), (None, None));

    let of = |kind: Kind| btf.get(TypeId(kind as u32)).unwrap();
    let sizes = Kind::ALL.iter().filter_map(|&kind| Some((kind, of(kind).size()?)));
    use Kind::*;
    assert!(sizes.eq([
        (Int, 4),
        (Ptr, 8),
        (Struct, 12),
        (Union, 8),
        (Enum, 4),
        (Datasec, 4),
        (Float, 8),
        (Enum64, 8)
    ]));
    let int = of(Int).int().unwrap();
    assert!(int.signed && !int.bool && !int.char);
    assert_eq!((int.offset, int.bits), (0, 32));
    assert_eq!(of(Kind::Array).array().map(|array| (array.element, array.len)), Some((TypeId(1), 7)));
    assert_eq!(of(Func).refers_to(), Some(TypeId(13)));
    assert_eq!(of(Var).refers_to(), Some(TypeId(1)));
    assert_eq!((of(Struct).int(), of(Struct).array(), of(Struct).refers_to()), (None, None, None));
    assert_eq!(btf.size_of(TypeId(Kind::Array as u32)), Ok(28));
    assert_eq!((of(Func).linkage(), of(Var).linkage()), (Some(Linkage::Extern), Some(Linkage::Global)));
    assert_eq!((of(Fwd).fwd(), of(Struct).fwd()), (Some(kwalk_btf::Fwd::Struct), None));
    assert_eq!(of(DeclTag).component(), Some(Component::Part(1)));
    assert_eq!((of(TypeTag).component(), of(TypeTag).linkage()), (None, None));
    for stripped in [Typedef, Volatile, Const, TypeTag] {
        assert_eq!(btf.resolve(TypeId(stripped as u32)).unwrap().0, TypeId(1), "{stripped}");
    }
    assert_eq!(btf.resolve(TypeId(Restrict as u32)).unwrap().0, TypeId(2));
    assert_eq!(btf.resolve(TypeId(DeclTag as u32)).unwrap().0, TypeId(4));
}

#[test]
fn members_come_in_both_forms() {
    let bytes = every_kind().bytes();
    let btf = Btf::new(&bytes).unwrap();
    let members = |id| btf.members(TypeId(id)).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let member = |name, type_id, bit_offset, bitfield_width| Member {
        name,
        type_id: TypeId(type_id),
        bit_offset,
        bitfield_width,
    };
    assert_eq!(members(4), [member("left", 1, 0, 0), member("right", 1, 32, 0), member("flag", 1, 67, 3)]);
    assert_eq!(members(5), [member("number", 1, 0, 0), member("pointer", 2, 0, 0)]);
    assert_eq!(btf.members(TypeId(4)).unwrap().len(), 3);
    let error = btf.members(TypeId(12)).unwrap_err();
    assert_eq!(error, Error::WrongKind { id: TypeId(12), kind: Kind::Func, wanted: "STRUCT or UNION" });

    // Without the flag, the upper bits belong to the offset.
    let mut b = Builder::default();
    let int = b.int("int", 4, SIGNED);
    let far = b.structure("far", 8, &[("x", int, bits(0, 1))]);
    let bytes = b.bytes();
    let far = Btf::new(&bytes).unwrap().members(far).unwrap().next();
    assert_eq!(far, Some(Ok(member("x", 1, 1 << 24, 0))));
}

#[test]
fn enums_are_signed_or_not_and_wide_or_not() {
    let bytes = every_kind().bytes();
    let btf = Btf::new(&bytes).unwrap();
    let all = |kind| btf.enumerators(TypeId(kind as u32)).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let pair = |name, value| Enumerator { name, value };
    assert_eq!(all(Kind::Enum), [pair("RED", 1), pair("BLUE", -1)]);
    assert_eq!(all(Kind::Enum64), [pair("LOW", 1), pair("HIGH", 1 << 63)]);
    assert!(matches!(btf.enumerators(TypeId(1)), Err(Error::WrongKind { kind: Kind::Int, .. })));
}

#[test]
fn parameters_belong_to_functions_and_variables_to_sections() {
    let bytes = every_kind().bytes();
    let btf = Btf::new(&bytes).unwrap();
    let int = TypeId(1);
    for of in [Kind::Func, Kind::FuncProto] {
        let params = btf.params(TypeId(of as u32)).unwrap();
        assert!(params.is_variadic());
        assert_eq!(params.len(), 1);
        assert!(params.eq([Ok(Param { name: "argument", type_id: int })]), "{of}");
    }
    let vars = btf.section_vars(TypeId(Kind::Datasec as u32)).unwrap();
    assert!(vars.eq([SectionVar { type_id: TypeId(Kind::Var as u32), offset: 0, size: 4 }]));
    for kind in [Kind::Int, Kind::Var] {
        let id = TypeId(kind as u32);
        assert_eq!(btf.params(id).unwrap_err(), Error::WrongKind { id, kind, wanted: "FUNC or FUNC_PROTO" });
        assert_eq!(btf.section_vars(id).unwrap_err(), Error::WrongKind { id, kind, wanted: "DATASEC" });
    }

    let mut b = Builder::default();
    let own = b.next();
    // A function whose prototype is a function, and a nameless parameter that is not the end.
    b.add(Kind::Func, "f", 9, own.0, &[]);
    let int = b.int("int", 4, SIGNED);
    let proto = b.add(Kind::FuncProto, "", 2, 0, &[0, 0, 0, int.0]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert!(matches!(btf.params(own), Err(Error::WrongKind { kind: Kind::Func, .. })));
    assert_eq!(btf.get(own).unwrap().linkage(), None, "9 is no linkage");
    let params = btf.params(proto).unwrap();
    assert_eq!((params.is_variadic(), params.len()), (false, 2));
}

#[test]
fn a_name_is_found_with_its_kind_only() {
    let bytes = every_kind().bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.find(Kind::Union, "either"), Ok(TypeId(5)));
    assert_eq!(btf.find(Kind::Func, "either"), Ok(TypeId(12)));
    let error = btf.find(Kind::Struct, "either").unwrap_err();
    assert_eq!(error, Error::NotFound { kind: Kind::Struct, name: "either".into() });
    assert_eq!(
        error.to_string(),
        "BTF has no STRUCT named `either`; this kernel is older, or built without it"
    );
    for not_whole in ["eithe", "ither", "either2", "either\0", "either\0argument", ""] {
        assert!(matches!(btf.find(Kind::Func, not_whole), Err(Error::NotFound { .. })), "{not_whole:?}");
    }
    assert!(btf.find(Kind::Ptr, "").is_err(), "what is anonymous has no name to be found by");
    let found = btf.find_many([(Kind::Func, "either"), (Kind::Func, "neither"), (Kind::Int, "int")]);
    assert_eq!(found, Ok([Some(TypeId(12)), None, Some(TypeId(1))]));
    assert_eq!(btf.find_many([]), Ok([]));
    assert_eq!(btf.near(Kind::Func, "eiter"), Ok(vec!["either".into()]));
    assert_eq!(btf.near(Kind::Struct, "eiter"), Ok(vec![]));
}

#[test]
fn a_name_may_begin_within_another() {
    let mut b = Builder::default();
    let long = b.name("bpf_iter__task");
    let whole = b.raw(long, (Kind::Fwd as u32) << 24, 0, &[]);
    let tail = b.raw(long + 10, (Kind::Fwd as u32) << 24, 0, &[]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.find(Kind::Fwd, "task"), Ok(tail));
    assert_eq!(btf.find(Kind::Fwd, "bpf_iter__task"), Ok(whole));
    assert_eq!(btf.with_prefix(Kind::Fwd, "ta"), Ok(vec![(tail, "task")]));
    assert_eq!(btf.with_prefix(Kind::Fwd, "task\0"), Ok(vec![]));
    assert_eq!(btf.with_prefix(Kind::Fwd, ""), Ok(vec![(whole, "bpf_iter__task"), (tail, "task")]));
}

#[test]
fn of_several_types_with_one_name_the_first_is_found() {
    let mut b = Builder::default();
    let first = b.structure("twin", 4, &[]);
    b.structure("twin", 8, &[]);
    let bytes = b.bytes();
    assert_eq!(Btf::new(&bytes).unwrap().find(Kind::Struct, "twin"), Ok(first));
}

#[test]
fn what_was_found_is_found_again() {
    let mut b = Builder::default();
    let ids: Vec<(String, TypeId)> = (0..200)
        .map(|number| {
            let name = format!("t{number}");
            let id = b.refer(Kind::Typedef, &name, VOID);
            (name, id)
        })
        .collect();
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    // More than are remembered.
    for _ in 0..2 {
        for (name, id) in ids.iter().chain(&ids[..3]).chain(ids.iter().rev()) {
            assert_eq!(btf.find(Kind::Typedef, name), Ok(*id));
            assert!(btf.find(Kind::Struct, name).is_err());
            assert!(btf.find(Kind::Typedef, &name[..1]).is_err());
            let many = [(Kind::Typedef, name.as_str()), (Kind::Typedef, "t7"), (Kind::Typedef, "t")];
            assert_eq!(btf.find_many(many), Ok([Some(*id), Some(ids[7].1), None]));
        }
    }
    assert_eq!(btf.clone().find(Kind::Typedef, "t9"), Ok(ids[9].1));
}

#[test]
fn ids_are_looked_up_in_any_order() {
    let mut b = Builder::default();
    for number in 0..1000 {
        let name = format!("t{number}");
        if number % 3 == 0 {
            b.int(&name, 4, 0)
        } else {
            b.refer(Kind::Typedef, &name, VOID)
        };
    }
    let bytes = b.bytes();
    let fresh = || Btf::new(&bytes).unwrap();
    let btf = fresh();
    for id in (1..=1000).rev().chain(1..=1000).chain([64, 65, 128, 129, 1000]) {
        let name = format!("t{}", id - 1);
        assert_eq!(btf.get(TypeId(id)).unwrap().name(), name);
        assert_eq!(fresh().get(TypeId(id)).unwrap().name(), name);
        assert_eq!(btf.clone().get(TypeId(id)).unwrap().id, TypeId(id));
    }
    for btf in [fresh(), btf] {
        assert_eq!(btf.get(TypeId(0)).unwrap_err(), Error::Void);
        for beyond in [1001, 5000, u32::MAX] {
            let error = btf.get(TypeId(beyond)).unwrap_err();
            assert_eq!(error, Error::NoSuchType { id: TypeId(beyond), count: 1000 });
        }
    }
}

#[test]
fn what_only_looks_like_a_record_misleads_nobody() {
    // Their offsets look like the second word of a FUNC, so that each is a row of records for whoever begins within.
    let members = [[1, 1, (Kind::Func as u32) << 24]; 2_000].concat();
    let mut b = Builder::default();
    b.int("int", 4, 0);
    let mut ids = Vec::new();
    for nth in 0..20 {
        ids.push((format!("big_{nth}"), b.add(Kind::Struct, &format!("big_{nth}"), 2_000, 4, &members)));
        ids.push((format!("small_{nth}"), b.add(Kind::Struct, &format!("small_{nth}"), 0, 4, &[])));
    }
    let bytes = b.bytes();
    for (name, id) in &ids {
        let btf = Btf::new(&bytes).unwrap();
        assert_eq!(btf.find(Kind::Struct, name), Ok(*id));
        assert_eq!(Btf::new(&bytes).unwrap().get(*id).unwrap().name(), name);
        assert_eq!(
            btf.find_many([(Kind::Struct, name), (Kind::Int, "int")]),
            Ok([Some(*id), Some(TypeId(1))])
        );
    }
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.type_count(), Ok(41));
    assert!(matches!(btf.find(Kind::Func, "int"), Err(Error::NotFound { .. })));
}

#[test]
fn a_header_keeps_its_promises_or_is_refused() {
    let strings = [0];
    let good = [&header(24, [0, 0, 0, 1], &[])[..], &strings].concat();
    assert_eq!(Btf::new(&good).unwrap().type_count(), Ok(0));
    let no_layout_and_more = [0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9];
    let longer = [&header(36, [0, 0, 0, 1], &no_layout_and_more)[..], &strings].concat();
    assert_eq!(Btf::new(&longer).unwrap().type_count(), Ok(0));

    let mut version = good.clone();
    version[2] = 2;
    assert_eq!(Btf::new(&version).unwrap_err(), Error::Version(2));
    for no_btf in [&b""[..], &[0x9f], b"\x7fELF and so on"] {
        assert_eq!(Btf::new(no_btf).unwrap_err(), Error::NotBtf);
    }
    let bad = [
        header(24, [0, 0, 0, 1], &[]),
        header(24, [0, 4, 0, 1], &[0]),
        header(24, [u32::MAX, u32::MAX, 0, 1], &[0]),
        header(24, [0, 0, u32::MAX, u32::MAX], &[0]),
        header(24, [0, 0, 0, 0], &[0]),
        header(24, [0, 0, 0, 2], &[0, b'a']),
        header(24, [0, 0, 0, 2], &[b'a', 0]),
        header(23, [0, 0, 0, 1], &[0]),
        header(u32::MAX, [0, 0, 0, 1], &[0]),
    ];
    for bytes in bad.iter().map(Vec::as_slice).chain([&good[..23], &good[..2]]) {
        assert!(matches!(Btf::new(bytes), Err(Error::Header { .. })), "{bytes:?}");
    }
}

#[test]
fn a_damaged_record_is_named_by_its_offset() {
    let build = |info: u32| {
        let mut b = Builder::default();
        b.int("int", 4, 0);
        b.raw(0, info, 0, &[]);
        b.bytes()
    };
    // The first record takes 16 bytes behind the header's 24.
    for (info, error) in [
        ((Kind::Struct as u32) << 24 | 0xffff, Error::Record { offset: 40 }),
        ((Kind::Int as u32) << 24, Error::Record { offset: 40 }),
        (20 << 24, Error::UnknownKind { offset: 40, kind: 20 }),
        (0, Error::UnknownKind { offset: 40, kind: 0 }),
        (u32::MAX, Error::UnknownKind { offset: 40, kind: 127 }),
    ] {
        let bytes = build(info);
        let btf = Btf::new(&bytes).unwrap();
        assert_eq!(btf.get(TypeId(1)).unwrap().name(), "int", "what lies before the damage is read");
        assert_eq!(btf.find(Kind::Int, "int"), Ok(TypeId(1)));
        assert_eq!(btf.get(TypeId(2)).unwrap_err(), error);
        assert_eq!(btf.get(TypeId(9)).unwrap_err(), error);
        assert_eq!(btf.type_count(), Err(error.clone()));
        assert_eq!(btf.find(Kind::Func, "f"), Err(error));
    }
    let mut b = Builder::default();
    b.int("int", 4, 0);
    b.words(&[0]);
    let bytes = b.bytes();
    assert_eq!(Btf::new(&bytes).unwrap().type_count(), Err(Error::Record { offset: 40 }));
}

#[test]
fn a_name_is_a_text_within_the_strings() {
    let mut b = Builder::default();
    let info = (Kind::Fwd as u32) << 24;
    let limit = b.name(&"x".repeat(NAME_MAX));
    let long = b.name(&"y".repeat(NAME_MAX + 1));
    b.raw(limit, info, 0, &[]);
    for bad in [long, u32::MAX, 1_000_000] {
        b.raw(bad, info, 0, &[]);
    }
    let mut bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.get(TypeId(1)).unwrap().name().len(), NAME_MAX);
    for id in [2, 3, 4] {
        assert!(matches!(btf.get(TypeId(id)), Err(Error::Name { .. })), "{id}");
    }
    let last = bytes.len() - 2;
    bytes[last] = 0xff;
    let btf = Btf::new(&bytes).unwrap();
    let strings_at = 24 + 4 * 12;
    assert_eq!(btf.get(TypeId(2)).unwrap_err(), Error::Name { offset: strings_at + long as usize });
}

#[test]
fn chains_end() {
    let mut b = Builder::default();
    let me = b.next();
    b.refer(Kind::Typedef, "me", me);
    let ping = b.next();
    b.refer(Kind::Const, "", TypeId(ping.0 + 1));
    b.refer(Kind::Volatile, "", ping);
    let nested = b.next();
    b.array(nested, 1);
    let nothing = b.refer(Kind::Const, "", VOID);
    let mut chain = b.int("int", 4, 0);
    let int = chain;
    for _ in 0..32 {
        chain = b.refer(Kind::Typedef, "link", chain);
    }
    let too_long = b.refer(Kind::Typedef, "link", chain);
    let huge = b.array(int, u32::MAX);
    let opaque = b.add(Kind::Fwd, "opaque", 0, 0, &[]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    for id in [me, ping, too_long] {
        assert_eq!(btf.resolve(id).unwrap_err(), Error::Loop { id });
    }
    assert_eq!(btf.size_of(nested), Err(Error::Loop { id: nested }));
    assert_eq!(btf.resolve(nothing).unwrap_err(), Error::Void);
    assert_eq!(btf.resolve(chain).unwrap().0, int);
    assert_eq!(btf.size_of(chain), Ok(4));
    assert_eq!(btf.size_of(huge), Err(Error::TooLarge { id: huge }));
    assert!(matches!(btf.size_of(opaque), Err(Error::WrongKind { kind: Kind::Fwd, .. })));
    let Array { len, index, .. } = btf.get(huge).unwrap().array().unwrap();
    assert_eq!((len, index), (u32::MAX, TypeId(1)));
}

#[test]
fn near_names_come_best_first_and_at_most_three() {
    let of = |name| near(name, ["tgid", "pid", "tid", "pids", "parent", "real_parent", "comm"].into_iter());
    assert_eq!(of("tgdi"), ["tgid", "tid"]);
    assert_eq!(of("xyz"), [""; 0]);
    assert_eq!(of("tgi"), ["tgid"]);
    assert_eq!(of("pid"), ["pid", "tid", "pids"]);
    assert_eq!(of("parnt"), ["parent"]);
    assert_eq!(of("real_paren"), ["real_parent"]);
    assert_eq!(of("command"), ["comm"]);
    assert_eq!(of("par"), ["parent", "real_parent"]);
    assert_eq!(of(""), [""; 0]);
    assert_eq!(of(&"x".repeat(1000)), [""; 0]);
    assert_eq!(near("naïv", ["naïve", "naive"].into_iter()), ["naïve"]);
}
