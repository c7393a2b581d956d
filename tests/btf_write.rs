//! The kernel as witness of the BTF writer: it takes what is written, gives it back, and cites the lines of a program that
//! comes with it; and it refuses what the writer's documentation says it does.

#[path = "../btf/tests/blob/spec.rs"]
mod spec;

use kwalk::btf::{
    Array, Btf, Component, FuncInfo, Fwd, Int, LineInfo, Linkage, Member, SectionVar, TypeId, WriteError,
    Writer,
};
use kwalk::sys::{BtfFd, BtfLoad, Error, Log, LogLevel, ProgBtf, ProgLoad, ProgType, bpf};
use spec::Spec;

use crate::support::{Need, Test, kernel_version, test};

pub fn tests() -> Vec<Test> {
    const NEEDS: &[Need] = &[Need::Bpf];
    vec![
        test("every_kind_is_taken_and_given_back", NEEDS, every_kind_is_taken_and_given_back),
        test("what_is_said_to_be_refused_is", NEEDS, what_is_said_to_be_refused_is),
        test("the_other_byte_order_is_refused", NEEDS, the_other_byte_order_is_refused),
        test("a_rejection_cites_the_lines_written", NEEDS, a_rejection_cites_the_lines_written),
    ]
}

/// Loads types; if the kernel refuses them, what it says.
fn load(btf: &[u8]) -> Result<BtfFd, (Error, String)> {
    let mut buf = vec![0; 64 << 10];
    let log = Some(Log { level: LogLevel::BRIEF, buf: &mut buf });
    bpf(BtfLoad { btf, log }).map_err(|error| (error, Log::text(&buf)))
}

const INT: Int = Int { signed: true, ..Int::new(32) };

/// Types of every kind, and of every form of each, that a kernel takes, with the release since which it does. They refer
/// to each other by their place in the list, from 1, and those of new releases come last.
fn every_kind() -> Vec<((u16, u16), Spec)> {
    let s = |name: &str| name.to_string();
    let int = TypeId(1);
    let member = |name: &str, id: u32, offset, width| (s(name), TypeId(id), offset, width);
    let var = |id, offset| SectionVar { type_id: TypeId(id), offset, size: 4 };
    let list = vec![
        member("next", 9, 0, 0),
        member("", 10, 64, 0),
        member("old", 5, 96, 0),
        member("array", 7, 128, 0),
    ];
    let flags = vec![
        member("one", 1, 0, 1),
        member("", 1, 1, 3),
        member("many", 11, 4, 28),
        member("whole", 1, 32, 0),
    ];
    vec![
        ((4, 18), Spec::Int(s("int"), 4, INT)),
        ((4, 18), Spec::Int(s("char"), 1, Int { char: true, ..Int::new(8) })),
        ((4, 18), Spec::Int(s("_Bool"), 1, Int { bool: true, ..Int::new(8) })),
        ((4, 18), Spec::Int(s("unsigned __int128"), 16, Int::new(128))),
        ((4, 18), Spec::Int(s("int"), 4, Int { offset: 2, ..Int::new(3) })),
        ((4, 18), Spec::Ptr(TypeId::VOID)),
        ((4, 18), Spec::Array(Array { element: int, index: int, len: 7 })),
        ((4, 18), Spec::Struct(s("list"), 48, list)),
        ((4, 18), Spec::Ptr(TypeId(8))),
        ((4, 18), Spec::Union(s(""), 4, vec![member("number", 1, 0, 0), member("bit", 3, 0, 0)])),
        ((4, 18), Spec::Enum(s("color"), 4, false, vec![(s("RED"), 0), (s("BLUE"), u32::MAX.into())])),
        ((4, 18), Spec::Fwd(s("opaque"), Fwd::Struct)),
        ((4, 18), Spec::Typedef(s("number_t"), TypeId(14))),
        ((4, 18), Spec::Volatile(TypeId(15))),
        ((4, 18), Spec::Const(int)),
        ((4, 18), Spec::Restrict(TypeId(6))),
        ((4, 20), Spec::Fwd(s("either"), Fwd::Union)),
        ((4, 20), Spec::FuncProto(int, vec![(s("ctx"), TypeId(6)), (s("n"), TypeId(13))], false)),
        ((4, 20), Spec::FuncProto(TypeId::VOID, vec![(s(""), TypeId(16))], true)),
        ((4, 20), Spec::Func(s("walk"), TypeId(18), Linkage::Static)),
        ((5, 0), Spec::Struct(s("flags"), 8, flags)),
        ((5, 2), Spec::Var(s("counter"), int, Linkage::Static)),
        ((5, 2), Spec::Var(s("total"), int, Linkage::Global)),
        ((5, 2), Spec::Datasec(s(".data"), 16, vec![var(22, 0), var(23, 12)])),
        ((5, 6), Spec::Func(s("run"), TypeId(18), Linkage::Global)),
        ((5, 13), Spec::Float(s("long double"), 16)),
        ((5, 16), Spec::DeclTag(s("whole"), TypeId(8), Component::Whole, false)),
        ((5, 16), Spec::DeclTag(s("member"), TypeId(8), Component::Part(3), false)),
        ((5, 16), Spec::DeclTag(s("parameter"), TypeId(20), Component::Part(1), false)),
        ((5, 17), Spec::TypeTag(s("user"), int, false)),
        ((5, 17), Spec::Ptr(TypeId(30))),
        ((6, 0), Spec::Enum(s("sign"), 4, true, vec![(s("MINUS"), -1), (s("PLUS"), 1)])),
        ((6, 0), Spec::Enum64(s("wide"), 8, false, vec![(s("FAR"), u64::MAX.into())])),
        (
            (6, 0),
            Spec::Enum64(s(""), 8, true, vec![(s("LOW"), i64::MIN.into()), (s("HIGH"), i64::MAX.into())]),
        ),
        ((6, 1), Spec::Typedef("x".repeat(512), int)),
        ((6, 5), Spec::Func(s("walk.part.0"), TypeId(18), Linkage::Static)),
        ((6, 15), Spec::DeclTag(s("aligned(8)"), TypeId(8), Component::Whole, true)),
        ((6, 15), Spec::TypeTag(s("address_space(1)"), int, true)),
        ((6, 15), Spec::Ptr(TypeId(38))),
    ]
}

fn every_kind_is_taken_and_given_back() {
    let mut w = Writer::new();
    let known = every_kind().into_iter().filter(|&(since, _)| since <= kernel_version());
    let specs: Vec<Spec> = known.map(|(_, spec)| spec).collect();
    for (spec, id) in specs.iter().zip(1..) {
        assert_eq!(spec.write(&mut w), Ok(TypeId(id)));
    }
    let bytes = w.finish();
    let loaded = load(&bytes).unwrap_or_else(|(error, log)| panic!("{error}\n{log}"));
    let data = loaded.data().unwrap();
    assert_eq!(data, bytes);
    let btf = Btf::new(&data).unwrap();
    let read: Vec<Spec> =
        (1..=btf.type_count().unwrap()).map(|id| Spec::read(&btf, TypeId(id)).unwrap()).collect();
    assert_eq!(read, specs);
}

/// One more type than an `int`, which is type 1, that the writer takes and the kernel doesn't.
type Bad = (&'static str, fn(&mut Writer) -> Result<TypeId, WriteError>);

const BAD: &[Bad] = &[
    ("a type that isn't there", |w| w.ptr(TypeId(9))),
    ("a typedef of itself", |w| w.typedef("me", w.next_id())),
    ("a typedef without name", |w| w.typedef("", TypeId(1))),
    ("a number at the beginning", |w| w.typedef("1st", TypeId(1))),
    ("a blank", |w| w.fwd("a b", Fwd::Struct)),
    ("513 bytes", |w| w.typedef(&"x".repeat(513), TypeId(1))),
    ("a member with a blank", |w| w.struct_("s", 4, &[Member { name: "a b", ..MEMBER }])),
    ("a function without name", |w| {
        let proto = w.func_proto(TypeId(1), &[])?;
        w.func("", proto, Linkage::Static)
    }),
    ("a function with a parameter without name", |w| {
        let proto = w.func_proto(TypeId(1), &[("", TypeId(1))])?;
        w.func("f", proto, Linkage::Static)
    }),
    ("a function of a function", |w| w.func("f", w.next_id(), Linkage::Static)),
    ("an extern function", |w| {
        let proto = w.func_proto(TypeId(1), &[])?;
        w.func("f", proto, Linkage::Extern)
    }),
    ("an extern variable", |w| w.var("v", TypeId(1), Linkage::Extern)),
    ("members out of order", |w| w.struct_("s", 8, &[Member { bit_offset: 32, ..MEMBER }, MEMBER])),
    ("a member beyond the end", |w| w.struct_("s", 4, &[Member { bit_offset: 8, ..MEMBER }])),
    ("a member at an offset in a union", |w| w.union_("u", 8, &[Member { bit_offset: 32, ..MEMBER }])),
    ("a member of no type", |w| w.struct_("s", 4, &[Member { type_id: TypeId::VOID, ..MEMBER }])),
    ("an array of nothing", |w| w.array(Array { element: TypeId::VOID, index: TypeId(1), len: 1 })),
    ("an array with a pointer as index", |w| {
        let ptr = w.ptr(TypeId::VOID)?;
        w.array(Array { element: TypeId(1), index: ptr, len: 1 })
    }),
    ("an integer of two encodings", |w| w.int("i", 1, Int { char: true, signed: true, ..Int::new(8) })),
    ("an integer of more bits than bytes", |w| w.int("i", 1, Int::new(9))),
    ("a number of 3 bytes", |w| w.float("f", 3)),
    ("a section with a type as variable", |w| {
        w.datasec(".data", 4, &[SectionVar { type_id: TypeId(1), offset: 0, size: 4 }])
    }),
    ("a tag on a member that isn't there", |w| {
        let s = w.struct_("s", 4, &[MEMBER])?;
        w.decl_tag("tag", s, Component::Part(1))
    }),
    ("a tag on an integer", |w| w.decl_tag("tag", TypeId(1), Component::Whole)),
];

const MEMBER: Member = Member { name: "m", type_id: TypeId(1), bit_offset: 0, bitfield_width: 0 };

fn what_is_said_to_be_refused_is() {
    let (error, _) = load(&Writer::new().finish()).unwrap_err();
    assert_eq!(error.errno(), libc::EINVAL, "no type at all");
    for (what, add) in BAD {
        let mut w = Writer::new();
        w.int("int", 4, INT).unwrap();
        load(&w.finish()).unwrap_or_else(|(error, log)| panic!("{error}\n{log}"));
        add(&mut w).unwrap();
        let Err((error, log)) = load(&w.finish()) else { panic!("{what} is taken") };
        // For the most part EINVAL; of a loop EEXIST, of what is known but not served ENOTSUPP.
        assert!(error.errno() != libc::EPERM && !log.is_empty(), "{what}: {error}\n{log}");
    }
}

fn the_other_byte_order_is_refused() {
    use kwalk::btf::Endian;
    let mut w = Writer::new();
    w.int("int", 4, INT).unwrap();
    for order in [Endian::Little, Endian::Big] {
        assert_eq!(load(&w.finish_in(order)).is_ok(), order == Endian::NATIVE, "{order:?}");
    }
}

fn a_rejection_cites_the_lines_written() {
    let mut w = Writer::new();
    let int = w.int("int", 4, INT).unwrap();
    let ctx = w.ptr(TypeId::VOID).unwrap();
    let proto = w.func_proto(int, &[("ctx", ctx)]).unwrap();
    let functions = ["main", "sub"].map(|name| w.func(name, proto, Linkage::Static).unwrap());
    let mut line = |insn_off, line_text, line| {
        w.line(LineInfo { insn_off, file: "walk.rs", line_text, line, column: 9 }).unwrap()
    };
    let lines =
        [line(0, "    walk.sub();", 41), line(1, "    walk.end();", 42), line(2, "    oops();", 1 << 21)];
    // main: call sub, exit; sub: exit, without a result.
    let call = [0x85, if cfg!(target_endian = "big") { 0x01 } else { 0x10 }, 0, 0];
    let exit = [0x95, 0, 0, 0, 0, 0, 0, 0];
    let code = [&call[..], &1i32.to_ne_bytes(), &exit, &exit].concat();

    let btf = load(&w.finish()).unwrap_or_else(|(error, log)| panic!("{error}\n{log}"));
    let starts = [0, 2];
    let func_info = [0, 1].map(|n| FuncInfo { insn_off: starts[n], type_id: functions[n] });
    let mut buf = vec![0; 64 << 10];
    let load = ProgLoad {
        btf: Some(ProgBtf { btf: &btf, func_info: &func_info, line_info: &lines }),
        log: Some(Log { level: LogLevel::BRIEF, buf: &mut buf }),
        ..ProgLoad::new(ProgType::SOCKET_FILTER, &code, c"GPL")
    };
    assert_eq!(bpf(load).unwrap_err().errno(), libc::EACCES);
    let log = Log::text(&buf);
    assert!(log.contains("; walk.sub();") && log.contains("; oops();"), "{log}");
    // Since 6.9 with file and line.
    assert!(kernel_version() < (6, 9) || log.contains("; oops(); @ walk.rs:2097152"), "{log}");
}
