//! What is written reads back the same, and what can't be written says why.

use kwalk_btf::{
    Array, Btf, Component, Endian, Enumerator, Fwd, Int, LineInfo, Linkage, Member, NAME_MAX, SectionVar,
    TypeId, WriteError, Writer,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::spec::Spec;

pub(crate) const ORDERS: [Endian; 2] = [Endian::Little, Endian::Big];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 6 => "[a-z_]{1,3}", 1 => "[^\\x00]{1,20}"]
}

fn id() -> impl Strategy<Value = TypeId> {
    prop_oneof![4 => 0u32..40, 1 => any::<u32>()].prop_map(TypeId)
}

fn int() -> impl Strategy<Value = Int> {
    any::<(bool, bool, bool, u8, u8)>().prop_map(|(signed, char, bool, offset, bits)| Int {
        signed,
        char,
        bool,
        offset,
        bits,
    })
}

fn members() -> impl Strategy<Value = Vec<(String, TypeId, u32, u8)>> {
    prop_oneof![
        vec((name(), id(), any::<u32>(), Just(0)), 0..5),
        vec((name(), id(), 0u32..1 << 24, any::<u8>()), 0..5),
    ]
}

fn enumeration(bits: u32) -> impl Strategy<Value = (String, u32, bool, Vec<(String, i128)>)> {
    let values = move |signed| {
        let low: i128 = if signed { -(1 << (bits - 1)) } else { 0 };
        let value = (0..1i128 << bits).prop_map(move |value| value + low);
        vec((name(), prop_oneof![value, Just(low), Just(low + (1 << bits) - 1)]), 0..5)
    };
    (name(), any::<u32>(), any::<bool>())
        .prop_flat_map(move |(name, size, signed)| (Just(name), Just(size), Just(signed), values(signed)))
}

fn linkage() -> impl Strategy<Value = Linkage> {
    prop_oneof![Just(Linkage::Static), Just(Linkage::Global), Just(Linkage::Extern)]
}

fn component() -> impl Strategy<Value = Component> {
    prop_oneof![Just(Component::Whole), (0..u32::MAX).prop_map(Component::Part)]
}

/// Parameters that don't end in what means that more follow.
fn params() -> impl Strategy<Value = Vec<(String, TypeId)>> {
    vec((name(), id()), 0..5)
        .prop_filter("that is more", |params| params.last().is_none_or(|(_, id)| *id != TypeId::VOID))
}

/// A type of any kind that any name, number and id may stand in.
pub(crate) fn spec() -> impl Strategy<Value = Spec> {
    let section_var = (id(), any::<u32>(), any::<u32>()).prop_map(|(type_id, offset, size)| SectionVar {
        type_id,
        offset,
        size,
    });
    let array = (id(), id(), any::<u32>()).prop_map(|(element, index, len)| Array { element, index, len });
    let composite = || (name(), any::<u32>(), members());
    let refers = prop_oneof![
        id().prop_map(Spec::Ptr),
        (name(), id()).prop_map(|(name, to)| Spec::Typedef(name, to)),
        id().prop_map(Spec::Volatile),
        id().prop_map(Spec::Const),
        id().prop_map(Spec::Restrict),
        (name(), id(), any::<bool>()).prop_map(|(name, to, attribute)| Spec::TypeTag(name, to, attribute)),
    ];
    prop_oneof![
        refers,
        (name(), any::<u32>(), int()).prop_map(|(name, size, int)| Spec::Int(name, size, int)),
        array.prop_map(Spec::Array),
        composite().prop_map(|(name, size, members)| Spec::Struct(name, size, members)),
        composite().prop_map(|(name, size, members)| Spec::Union(name, size, members)),
        enumeration(32).prop_map(|(name, size, signed, of)| Spec::Enum(name, size, signed, of)),
        enumeration(64).prop_map(|(name, size, signed, of)| Spec::Enum64(name, size, signed, of)),
        (name(), prop_oneof![Just(Fwd::Struct), Just(Fwd::Union)]).prop_map(|(name, of)| Spec::Fwd(name, of)),
        (name(), id(), linkage()).prop_map(|(name, proto, linkage)| Spec::Func(name, proto, linkage)),
        (id(), params(), any::<bool>()).prop_map(|(ret, params, more)| Spec::FuncProto(ret, params, more)),
        (name(), id(), linkage()).prop_map(|(name, ty, linkage)| Spec::Var(name, ty, linkage)),
        (name(), any::<u32>(), vec(section_var, 0..5))
            .prop_map(|(name, size, vars)| Spec::Datasec(name, size, vars)),
        (name(), any::<u32>()).prop_map(|(name, size)| Spec::Float(name, size)),
        (name(), id(), component(), any::<bool>())
            .prop_map(|(name, on, component, attribute)| Spec::DeclTag(name, on, component, attribute)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_the_same(specs in vec(spec(), 0..100)) {
        let mut w = Writer::new();
        for (spec, id) in specs.iter().zip(1..) {
            prop_assert_eq!(w.next_id(), TypeId(id));
            prop_assert_eq!(spec.write(&mut w), Ok(TypeId(id)));
        }
        for order in ORDERS {
            let bytes = w.finish_in(order);
            let btf = Btf::new(&bytes).unwrap();
            prop_assert_eq!(btf.endian(), order);
            prop_assert_eq!(btf.type_count(), Ok(specs.len() as u32));
            let read: Vec<Spec> = (1..=specs.len() as u32).map(|id| Spec::read(&btf, TypeId(id)).unwrap()).collect();
            prop_assert_eq!(&read, &specs);
            let named = |id: u32| btf.get(TypeId(id)).map(|ty| (ty.kind(), ty.name())).unwrap();
            for id in 1..=specs.len() as u32 {
                let first = (1..=id).find(|&other| named(other) == named(id)).map(TypeId).unwrap();
                let (kind, name) = named(id);
                prop_assert!(name.is_empty() || btf.find(kind, name) == Ok(first));
            }
        }
        prop_assert_eq!(w.finish(), w.finish_in(Endian::NATIVE));
    }

    #[test]
    fn a_text_is_written_once(texts in vec("[^\\x00]{0,2000}", 0..30)) {
        let mut w = Writer::new();
        let offsets: Vec<u32> = texts.iter().map(|text| w.string(text).unwrap()).collect();
        for (text, &offset) in texts.iter().zip(&offsets) {
            prop_assert_eq!(w.string(text), Ok(offset));
        }
        let bytes = w.finish();
        let distinct: std::collections::BTreeSet<_> = texts.iter().filter(|text| !text.is_empty()).collect();
        prop_assert_eq!(bytes.len(), 24 + 1 + distinct.iter().map(|text| text.len() + 1).sum::<usize>());
        let btf = Btf::new(&bytes).unwrap();
        for (text, offset) in texts.iter().zip(offsets) {
            if text.len() <= NAME_MAX {
                prop_assert_eq!(btf.string(offset), Ok(text.as_str()));
            }
        }
    }
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let mut w = Writer::new();
    let int = w.int("int", 4, Int { signed: true, ..Int::new(32) }).unwrap();
    let member = |name, bit_offset, bitfield_width| Member { name, type_id: int, bit_offset, bitfield_width };
    w.struct_("int", 8, &[member("a", 0, 0), member("", 35, 3)]).unwrap();
    w.union_("u", 4, &[member("a", 0, 0)]).unwrap();
    w.decl_tag("a", int, Component::Whole).unwrap();
    let words: [u32; 20] = [
        1,
        1 << 24,
        4,
        1 << 24 | 32, // int
        1,
        1 << 31 | 4 << 24 | 2,
        8,
        5,
        1,
        0,
        0,
        1,
        3 << 24 | 35, // struct int
        7,
        5 << 24 | 1,
        4,
        5,
        1,
        0, // union u
        5,
    ];
    let more = [17 << 24, 1, u32::MAX];
    let types = words.iter().chain(&more).flat_map(|word| word.to_be_bytes());
    let header = [24u32, 0, 92, 92, 9].into_iter().flat_map(u32::to_be_bytes);
    let all: Vec<u8> =
        [0xeb, 0x9f, 1, 0].into_iter().chain(header).chain(types).chain(*b"\0int\0a\0u\0").collect();
    assert_eq!(w.finish_in(Endian::Big), all);
}

#[test]
fn a_type_may_refer_to_a_later_one() {
    let mut w = Writer::new();
    let ptr = w.ptr(TypeId(w.next_id().0 + 1)).unwrap();
    let next = Member { name: "next", type_id: ptr, bit_offset: 0, bitfield_width: 0 };
    let node = w.struct_("node", 8, &[next]).unwrap();
    let bytes = w.finish();
    let path = Btf::new(&bytes).unwrap().path(node, "next.next.next").unwrap();
    assert_eq!(path.hops.iter().map(|hop| hop.pointee).collect::<Vec<_>>(), [node, node]);
}

#[test]
fn a_line_is_known_by_its_texts() {
    let mut w = Writer::new();
    let line = LineInfo { insn_off: 7, file: "walk.rs", line_text: "    a.exit();", line: 42, column: 9 };
    let first = w.line(line).unwrap();
    let second = w.line(LineInfo { insn_off: 9, column: 5000, ..line }).unwrap();
    assert_eq!((first.insn_off, first.line_col), (7, 42 << 10 | 9));
    assert_eq!((second.file_name_off, second.line_off), (first.file_name_off, first.line_off));
    assert_eq!(second.line_col, 42 << 10 | 1023);
    let bytes = w.finish();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.string(first.file_name_off), Ok("walk.rs"));
    assert_eq!(btf.string(first.line_off), Ok("    a.exit();"));
    let error = w.line(LineInfo { line: 1 << 22, ..line }).unwrap_err();
    assert_eq!(error, WriteError::TooLarge { what: "the number of a line", value: 1 << 22, bits: 22 });
    assert_eq!(
        error.to_string(),
        "the number of a line is 4194304, which does not fit the 22 bits that BTF has for it"
    );
}

#[test]
fn what_does_not_fit_is_refused_and_changes_no_type() {
    let mut w = Writer::new();
    let int = w.int("int", 4, Int::new(32)).unwrap();
    let member = Member { name: "m", type_id: int, bit_offset: 0, bitfield_width: 0 };
    let value = |value| [Enumerator { name: "V", value }];
    let far = Member { bit_offset: 1 << 24, ..member };
    let nul = WriteError::Nul { text: "a\0b".into() };
    let too_large = |what, value, bits| Err(WriteError::TooLarge { what, value, bits });
    let too_many = |what, count, most| Err(WriteError::TooMany { what, count, most });

    assert_eq!(w.ptr(int), Ok(TypeId(2)));
    assert_eq!(w.typedef("a\0b", int), Err(nul.clone()));
    assert_eq!(w.struct_("s", 4, &[member, Member { name: "a\0b", ..member }]), Err(nul.clone()));
    assert_eq!(w.enum_("e", 4, false, &[Enumerator { name: "a\0b", value: 0 }]), Err(nul.clone()));
    assert_eq!(w.func_proto(int, &[("a\0b", int)]), Err(nul.clone()));
    assert_eq!(nul.to_string(), r#""a\0b" has a zero byte, at which BTF would end it; leave that out"#);

    assert_eq!(w.struct_("far", u32::MAX, &[far]), Ok(TypeId(3)));
    let bit = Member { bitfield_width: 1, ..member };
    assert_eq!(w.struct_("s", 4, &[bit, far]), too_large("the offset in bits of a member", 1 << 24, 24));
    let what = "the value of an enumerator";
    for (signed, bad) in [(false, -1), (false, 1 << 32), (true, 1 << 31), (true, -(1 << 31) - 1)] {
        assert_eq!(w.enum_("e", 4, signed, &value(bad)), too_large(what, bad, 32));
        assert!(w.enum64("e", 8, signed, &value(bad)).is_ok() != (bad < 0 && !signed));
    }
    for (signed, bad) in [(false, 1 << 64), (true, 1 << 63), (true, i128::MIN), (false, i128::MAX)] {
        assert_eq!(w.enum64("e", 8, signed, &value(bad)), too_large(what, bad, 64));
    }

    let count = w.next_id();
    let long = "x".repeat(NAME_MAX + 1);
    assert_eq!(w.float(&long, 8), too_many("bytes in a name", NAME_MAX + 1, NAME_MAX));
    assert!(w.string(&long).is_ok(), "a line may be long");
    assert_eq!(w.struct_("s", 4, &vec![member; 65536]), too_many("members", 65536, 65535));
    assert_eq!(w.func_proto(int, &vec![("", int); 65536]), too_many("parameters", 65536, 65535));
    assert_eq!(w.enum_("e", 4, false, &value(0).repeat(65536)), too_many("enumerators", 65536, 65535));
    let var = SectionVar { type_id: int, offset: 0, size: 4 };
    assert_eq!(w.datasec("d", 4, &vec![var; 65536]), too_many("variables", 65536, 65535));
    assert_eq!(
        w.float(&long, 8).unwrap_err().to_string(),
        "1024 bytes in a name are too many for BTF, which takes 1023"
    );
    assert_eq!(w.next_id(), count);

    let mut full = Writer::new();
    let huge = "x".repeat((16 << 20) - 2);
    assert_eq!(full.string(&huge), Ok(1));
    assert_eq!(full.string("y"), too_many("bytes of strings", (16 << 20) + 2, 16 << 20).map(|_: TypeId| 0));
    let most = 0x000f_ffff;
    for _ in 0..most {
        full.ptr(TypeId::VOID).unwrap();
    }
    assert_eq!(full.ptr(TypeId::VOID), too_many("types", most + 1, most));
    let mut wide = Writer::new();
    let members = vec![member; 65535];
    let refused = std::iter::repeat_with(|| wide.struct_("", 4, &members)).find_map(Result::err).unwrap();
    assert!(matches!(refused, WriteError::TooMany { what: "bytes of types", .. }), "{refused}");
    assert_eq!(Btf::new(&wide.finish()).unwrap().type_count(), Ok(21));
}
