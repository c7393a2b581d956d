//! Types as C writes them, and the members of structs as paths name them.

use std::time::{Duration, Instant};

use kwalk_btf::{Btf, Error, Kind, Member, TypeId};

use crate::builder::{Builder, SIGNED, VOID, bits, every_kind};

#[test]
fn every_kind_is_spelled() {
    let bytes = every_kind().bytes();
    let btf = Btf::new(&bytes).unwrap();
    let spelled = |id| btf.spelling(TypeId(id)).unwrap();
    let expected = [
        "void",
        "int",
        "int *",
        "int[7]",
        "struct pair",
        "union either",
        "enum color",
        "struct opaque",
        "int_t",
        "volatile int",
        "const int_t",
        "int * restrict",
        "int (int argument, ...)",
        "int (int argument, ...)",
        "int",
    ];
    for (id, expected) in (0..).zip(expected) {
        assert_eq!(spelled(id), expected, "{id}");
    }
    let wanted = "a type that C can write";
    assert_eq!(
        btf.spelling(TypeId(15)),
        Err(Error::WrongKind { id: TypeId(15), kind: Kind::Datasec, wanted })
    );
    assert_eq!([16, 17, 18, 19].map(spelled), ["double", "struct pair", "int __user", "enum wide"]);
}

/// A declarator is read from its name outwards.
#[test]
fn declarations_nest_as_in_c() {
    let mut b = Builder::default();
    let char = b.int("char", 1, SIGNED);
    let constant = b.refer(Kind::Const, "", char);
    let text = b.ptr(constant);
    let texts = b.array(text, 4);
    let to_texts = b.ptr(texts);
    let row = b.array(char, 3);
    let rows = b.array(row, 2);
    let to_rows = b.ptr(rows);
    let fixed_pointer = b.refer(Kind::Const, "", text);
    let fixed_text = b.array(constant, 8);
    let twice = b.refer(Kind::Const, "", fixed_text);
    let volatile = b.refer(Kind::Volatile, "", constant);
    let nothing = b.add(Kind::FuncProto, "", 0, VOID.0, &[]);
    let action = b.ptr(nothing);
    let fixed_action = b.refer(Kind::Const, "", action);
    let actions = b.array(action, 2);
    let takes = b.name("takes");
    let chooser = b.add(Kind::FuncProto, "", 1, action.0, &[takes, action.0]);
    let choose = b.ptr(chooser);
    let anonymous = b.structure("", 1, &[("c", char, 0)]);
    let to_anonymous = b.ptr(anonymous);
    let union = b.add(Kind::Fwd, "hidden", 1 << 31, 0, &[]);
    let user = b.refer(Kind::TypeTag, "user", char);
    let to_user = b.ptr(user);
    let rcu = b.refer(Kind::TypeTag, "rcu", text);
    let to_rcu = b.ptr(rcu);
    let attribute = b.add(Kind::TypeTag, "aligned(8)", 1 << 31, char.0, &[]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    for (id, abstractly, declared) in [
        (text, "const char *", "const char *x"),
        (texts, "const char *[4]", "const char *x[4]"),
        (to_texts, "const char *(*)[4]", "const char *(*x)[4]"),
        (rows, "char[2][3]", "char x[2][3]"),
        (to_rows, "char (*)[2][3]", "char (*x)[2][3]"),
        (fixed_pointer, "const char * const", "const char * const x"),
        (twice, "const char[8]", "const char x[8]"),
        (volatile, "const volatile char", "const volatile char x"),
        (action, "void (*)(void)", "void (*x)(void)"),
        (fixed_action, "void (* const)(void)", "void (* const x)(void)"),
        (actions, "void (*[2])(void)", "void (*x[2])(void)"),
        (choose, "void (*(*)(void (*takes)(void)))(void)", "void (*(*x)(void (*takes)(void)))(void)"),
        (to_anonymous, "struct {...} *", "struct {...} *x"),
        (union, "union hidden", "union hidden x"),
        (to_user, "char __user *", "char __user *x"),
        (to_rcu, "const char * __rcu *", "const char * __rcu *x"),
        (attribute, "char __attribute__((aligned(8)))", "char __attribute__((aligned(8))) x"),
    ] {
        assert_eq!(btf.spelling(id).unwrap(), abstractly);
        assert_eq!(btf.declaration(id, "x").unwrap(), declared);
    }
}

/// A prototype whose parameters are of its own type, many times over, would take forever.
#[test]
fn a_loop_ends() {
    let mut b = Builder::default();
    let proto = b.next();
    let param = [0, proto.0 + 1];
    b.add(Kind::FuncProto, "", 1000, VOID.0, &[param; 1000].concat());
    b.ptr(proto);
    let itself = b.next();
    b.refer(Kind::Const, "", itself);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let start = Instant::now();
    for id in [proto, TypeId(proto.0 + 1), itself] {
        assert!(matches!(btf.spelling(id), Err(Error::Loop { .. })), "{id}");
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn members_of_anonymous_members_are_listed_in_their_places() {
    let mut b = Builder::default();
    let int = b.int("int", 4, SIGNED);
    let inner = b.union("", 4, &[("deep", int, 0), ("deep_too", int, 0)]);
    let typedef = b.refer(Kind::Const, "", inner);
    let middle = b.flagged("", 8, &[("", typedef, bits(32, 0)), ("flag", int, bits(3, 2))]);
    let outer = b.flagged(
        "outer",
        20,
        &[
            ("first", int, bits(0, 0)),
            ("", int, bits(32, 30)),
            ("", middle, bits(64, 0)),
            ("last", int, bits(128, 0)),
        ],
    );
    let typedef = b.refer(Kind::Typedef, "outer_t", outer);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let member = |name, bit_offset, bitfield_width| Member { name, type_id: int, bit_offset, bitfield_width };
    let expected = [
        member("first", 0, 0),
        member("deep", 96, 0),
        member("deep_too", 96, 0),
        member("flag", 67, 2),
        member("last", 128, 0),
    ];
    for id in [outer, typedef] {
        assert_eq!(btf.named_members(id).unwrap(), expected);
    }
    assert!(matches!(btf.named_members(int), Err(Error::WrongKind { .. })));
}

/// Without the kind flag, an INT of its own has a bitfield's place and width.
#[test]
fn bitfields_of_the_old_form_have_widths() {
    let mut b = Builder::default();
    let whole = b.int("int", 4, SIGNED);
    let three = b.add(Kind::Int, "unsigned int", 0, 4, &[5 << 16 | 3]);
    let outer = b.structure("outer", 8, &[("whole", whole, 0), ("three", three, 32), ("astray", whole, 33)]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let places: Vec<_> = btf
        .named_members(outer)
        .unwrap()
        .iter()
        .map(|member| (member.name, member.bit_offset, member.bitfield_width))
        .collect();
    assert_eq!(places, [("whole", 0, 0), ("three", 37, 3), ("astray", 33, 32)]);
}

#[test]
fn a_struct_within_itself_is_listed_once() {
    let mut b = Builder::default();
    let int = b.int("int", 4, SIGNED);
    let outer = b.next();
    b.structure("", 8, &[("a", int, 0), ("", outer, 32), ("b", int, 32), ("", outer, 0)]);
    let far = b.structure("", 8, &[("", outer, u32::MAX), ("c", int, 0)]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let names: Vec<_> = btf.named_members(outer).unwrap().iter().map(|member| member.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(btf.named_members(far), Err(Error::TooLarge { id: far }));
}
