//! Where field paths lead, and what is said of those that lead nowhere.

use kwalk_btf::{Bits, Btf, Class, Error, Field, Hop, Kind, Path, Reason, TypeId};

use crate::builder::{BOOL, Builder, CHAR, SIGNED, VOID, bits};

/// A small kernel: tasks that have parents, names, files, and one of every class of field.
struct World {
    bytes: Vec<u8>,
    task: TypeId,
    file: TypeId,
    inner: TypeId,
    pid: TypeId,
    task_ptr: TypeId,
}

fn world() -> World {
    let mut b = Builder::default();
    let int = b.int("int", 4, SIGNED);
    let uint = b.int("unsigned int", 4, 0);
    let char = b.int("char", 1, SIGNED);
    let boolean = b.int("_Bool", 1, BOOL);
    let byte = b.int("unsigned char", 1, 0);
    let pid = b.refer(Kind::Typedef, "pid_t", int);
    let comm = b.array(char, 16);
    let opaque = b.add(Kind::Fwd, "secret", 0, 0, &[]);
    let opaque_ptr = b.ptr(opaque);
    let constant = b.refer(Kind::Const, "", VOID);
    let void_ptr = b.ptr(constant);
    let file = b.structure("file", 16, &[("f_pos", uint, 32)]);
    let file_ptr = b.ptr(file);
    let file_ptr_ptr = b.ptr(file_ptr);
    let files = b.array(file_ptr, 4);
    let pair = b.structure("pair", 8, &[("a", int, 0), ("b", int, 32)]);
    let pairs = b.array(pair, 3);
    let flexible = b.array(pair, 0);
    let (deep, deeper) = (b.union("", 4, &[("deep", int, 0), ("deep_too", uint, 0)]), b.next());
    b.structure("", 8, &[("", deep, 32), ("shallow", int, 0)]);
    let color = b.add(Kind::Enum, "color", 1 << 31, 4, &[]);
    let double = b.add(Kind::Float, "double", 0, 8, &[]);
    let task = b.next();
    let task_ptr = TypeId(task.0 + 1);
    let tagged = TypeId(task.0 + 2);
    let inner = pair;
    b.flagged(
        "task_struct",
        400,
        &[
            ("pid", pid, 0),
            ("", deeper, 64),
            ("comm", comm, 128),
            ("parent", tagged, 256),
            ("flag", uint, bits(320, 1)),
            ("wide", uint, bits(321, 31)),
            ("", uint, bits(352, 3)),
            ("across", uint, bits(358, 4)),
            ("files", files, 384),
            ("pairs", pairs, 640),
            ("secret", opaque_ptr, 832),
            ("private", void_ptr, 896),
            ("ok", boolean, 960),
            ("letter", char, 968),
            ("small", byte, 976),
            ("color", color, 992),
            ("ratio", double, 1024),
            ("pair", pair, 1088),
            ("table", file_ptr_ptr, 1152),
            ("straddling", uint, bits(1275, 10)),
            ("crooked", comm, 1281),
            ("rest", flexible, 1600),
        ],
    );
    assert_eq!(b.ptr(task), task_ptr);
    b.refer(Kind::TypeTag, "rcu", task_ptr);
    World { bytes: b.bytes(), task, file, inner, pid, task_ptr }
}

impl World {
    fn path(&self, path: &str) -> Result<Path, Error> {
        Btf::new(&self.bytes).unwrap().path(self.task, path)
    }

    /// Offset, size, class and bits of a field without hops.
    fn plain(&self, path: &str) -> (u32, u32, Class, Option<Bits>) {
        let Path { hops, field } = self.path(path).unwrap();
        assert_eq!(hops, [], "{path}");
        (field.offset, field.size, field.class, field.bits)
    }

    fn reason(&self, path: &str) -> (usize, String, String, Reason) {
        match self.path(path) {
            Err(Error::Path { path: whole, at, segment, type_name, reason }) => {
                assert_eq!(whole, path);
                assert_eq!(path.get(at..at + segment.len()), Some(segment.as_str()));
                (at, segment, type_name, reason)
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn fields_have_offset_size_and_class() {
    let w = world();
    let int = Class::Int { signed: true };
    let plain = [
        ("pid", 0, 4, int),
        ("comm", 16, 16, Class::Text),
        ("comm[3]", 19, 1, Class::Char),
        ("ok", 120, 1, Class::Bool),
        ("letter", 121, 1, Class::Char),
        ("small", 122, 1, Class::Int { signed: false }),
        ("color", 124, 4, Class::Enum { signed: true }),
        ("ratio", 128, 8, Class::Float),
        ("pair", 136, 8, Class::Struct),
        ("pair.b", 140, 4, int),
        ("pairs", 80, 24, Class::Array { element: w.inner, len: 3 }),
        ("pairs[2].b", 100, 4, int),
        ("parent", 32, 8, Class::Ptr { pointee: w.task }),
        ("private", 112, 8, Class::Ptr { pointee: VOID }),
        ("rest", 200, 0, Class::Array { element: w.inner, len: 0 }),
    ];
    for (path, offset, size, class) in plain {
        assert_eq!(w.plain(path), (offset, size, class, None), "{path}");
    }
    assert_eq!(w.path("pid").unwrap().field.ty, w.pid, "the type is the one written");
    assert_eq!(w.plain("rest[9].a").0, 272, "a flexible array takes any index");
}

#[test]
fn anonymous_members_are_looked_through() {
    let w = world();
    assert_eq!(w.plain("shallow").0, 8);
    assert_eq!(w.plain("deep"), (12, 4, Class::Int { signed: true }, None));
    assert_eq!(w.plain("deep_too"), (12, 4, Class::Int { signed: false }, None));
}

#[test]
fn pointers_are_hops() {
    let w = world();
    let hop = |offset, pointee| Hop { offset, pointee, per_cpu: false };
    let path = w.path("parent.parent.files[1].f_pos").unwrap();
    assert_eq!(path.hops, [hop(32, w.task), hop(32, w.task), hop(56, w.file)]);
    let class = Class::Int { signed: false };
    assert_eq!(path.field, Field { offset: 4, ty: TypeId(2), size: 4, class, bits: None });
    assert_eq!(w.path("parent.deep").unwrap().field.offset, 12, "offsets begin anew behind a pointer");

    let path = Btf::new(&w.bytes).unwrap().path(w.task_ptr, "parent.pid").unwrap();
    assert_eq!(path.hops, [hop(0, w.task), hop(32, w.task)]);
}

#[test]
fn an_index_crosses_a_pointer() {
    let w = world();
    let hop = |offset, pointee| Hop { offset, pointee, per_cpu: false };
    let file_ptr = match w.plain("table").2 {
        Class::Ptr { pointee } => pointee,
        other => panic!("{other:?}"),
    };
    let path = w.path("parent.table[3]").unwrap();
    assert_eq!(path.hops, [hop(32, w.task), hop(144, file_ptr)]);
    assert_eq!((path.field.offset, path.field.class), (24, Class::Ptr { pointee: w.file }));
    let f_pos = Class::Int { signed: false };
    for (path, at, last) in [("table[3].f_pos", 24, 4), ("table[2][5].f_pos", 16, 5 * 16 + 4)] {
        let found = w.path(path).unwrap();
        assert_eq!(found.hops, [hop(144, file_ptr), hop(at, w.file)], "{path}");
        assert_eq!((found.field.offset, found.field.size, found.field.class), (last, 4, f_pos), "{path}");
    }
    // As C has it, the first of what a pointer points to is what it points to.
    assert_eq!(w.path("parent[0].pid"), w.path("parent.pid"));
    assert_eq!(w.path("parent[2].pid").unwrap().field.offset, 2 * 400);
    let beyond = w.path("parent[4294967295].pid");
    assert!(matches!(beyond, Err(Error::TooLarge { .. })), "{beyond:?}");
}

#[test]
fn bitfields_with_the_flag_lie_in_the_smallest_unit() {
    let w = world();
    let class = Class::Int { signed: false };
    assert_eq!(w.plain("flag"), (40, 1, class, Some(Bits { offset: 0, width: 1 })));
    assert_eq!(w.plain("wide"), (40, 4, class, Some(Bits { offset: 1, width: 31 })));
    assert_eq!(w.plain("across"), (44, 2, class, Some(Bits { offset: 6, width: 4 })));
    let across = w.path("parent.across").unwrap();
    assert_eq!((across.hops.len(), across.field.offset), (1, 44));
}

#[test]
fn bitfields_without_the_flag_are_integers_narrower_than_their_bytes() {
    let mut b = Builder::default();
    let three = b.add(Kind::Int, "unsigned int", 0, 4, &[3]);
    let shifted = b.add(Kind::Int, "unsigned int", 0, 4, &[5 << 16 | 9]);
    let whole = b.int("int", 4, SIGNED);
    let s = b.structure(
        "s",
        16,
        &[("three", three, 37), ("shifted", shifted, 64), ("odd", whole, 69), ("even", whole, 0)],
    );
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let field = |path| btf.path(s, path).map(|path| (path.field.offset, path.field.size, path.field.bits));
    assert_eq!(field("three"), Ok((4, 1, Some(Bits { offset: 5, width: 3 }))));
    assert_eq!(field("shifted"), Ok((8, 2, Some(Bits { offset: 5, width: 9 }))));
    assert_eq!(field("even"), Ok((0, 4, None)));
    let odd = field("odd");
    assert!(matches!(odd, Ok((8, 8, Some(Bits { offset: 5, width: 32 })))), "{odd:?}");
}

#[test]
fn char_is_known_by_its_name_or_its_encoding() {
    let mut b = Builder::default();
    let unsigned = b.int("char", 1, 0);
    let encoded = b.int("octet", 1, CHAR);
    let signed = b.int("signed char", 1, SIGNED);
    let text_t = b.refer(Kind::Typedef, "text_t", unsigned);
    let text = b.array(text_t, 8);
    let s =
        b.structure("s", 12, &[("u", unsigned, 0), ("e", encoded, 8), ("s", signed, 16), ("t", text, 32)]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let class = |path| btf.path(s, path).unwrap().field.class;
    assert_eq!([class("u"), class("e"), class("t")], [Class::Char, Class::Char, Class::Text]);
    assert_eq!(class("s"), Class::Int { signed: true });
}

#[test]
fn classes_tell_what_pointers_and_arrays_hold() {
    let mut b = Builder::default();
    let char = b.int("char", 1, SIGNED);
    let boolean = b.int("_Bool", 1, BOOL);
    let constant = b.refer(Kind::Const, "", char);
    let text = b.ptr(constant);
    let texts = b.array(text, 3);
    let flags = b.array(boolean, 5);
    let row = b.array(char, 4);
    let rows = b.array(row, 6);
    let cube = b.array(rows, 2);
    let wide = b.add(Kind::Enum64, "wide", 1 << 31, 8, &[]);
    let fwd = b.add(Kind::Fwd, "opaque", 0, 0, &[]);
    let members = [("texts", texts, 0), ("flags", flags, 192), ("cube", cube, 256), ("wide", wide, 640)];
    let s = b.structure("s", 96, &members);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let field = |path| btf.path(s, path).map(|path| (path.field.offset, path.field.size, path.field.class));
    assert_eq!(field("texts[2]"), Ok((16, 8, Class::Ptr { pointee: char })));
    assert_eq!(btf.class(char), Ok(Class::Char));
    assert_eq!(field("flags"), Ok((24, 5, Class::Array { element: boolean, len: 5 })));
    assert_eq!((btf.class(boolean), field("flags[4]")), (Ok(Class::Bool), Ok((28, 1, Class::Bool))));
    assert_eq!(field("cube"), Ok((32, 48, Class::Array { element: rows, len: 2 })));
    assert_eq!(field("cube[1]"), Ok((56, 24, Class::Array { element: row, len: 6 })));
    assert_eq!(field("cube[1][2]"), Ok((64, 4, Class::Text)));
    assert_eq!(field("cube[1][2][3]"), Ok((67, 1, Class::Char)));
    assert_eq!(btf.class(rows), Ok(Class::Array { element: row, len: 6 }));
    assert_eq!(field("wide"), Ok((80, 8, Class::Enum { signed: true })));
    assert_eq!(btf.class(VOID), Err(Error::Void));
    assert!(matches!(btf.class(fwd), Err(Error::WrongKind { kind: Kind::Fwd, .. })));
}

#[test]
fn bitfields_may_be_enums_or_booleans() {
    let mut b = Builder::default();
    let boolean = b.int("_Bool", 1, BOOL);
    let color = b.add(Kind::Enum, "color", 1 << 31, 4, &[]);
    let typedef = b.refer(Kind::Typedef, "color_t", color);
    let pair = b.structure("pair", 8, &[]);
    let members = [("on", boolean, bits(7, 1)), ("color", typedef, bits(8, 3)), ("pair", pair, bits(16, 5))];
    let s = b.flagged("s", 8, &members);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    let field = |path| btf.path(s, path).map(|path| (path.field.offset, path.field.class, path.field.bits));
    assert_eq!(field("on"), Ok((0, Class::Bool, Some(Bits { offset: 7, width: 1 }))));
    assert_eq!(field("color"), Ok((1, Class::Enum { signed: true }, Some(Bits { offset: 0, width: 3 }))));
    assert!(matches!(field("pair"), Err(Error::Path { reason: Reason::Unaligned, .. })));
}

#[test]
fn a_wrong_segment_is_named_with_its_reason() {
    let w = world();
    let none = || Reason::NoSuchMember { near: vec![] };
    let near = |name: &str| Reason::NoSuchMember { near: vec![name.into()] };
    let cases = [
        ("parnet.pid", 0, "struct task_struct", near("parent")),
        ("parent.qqqqq", 7, "struct task_struct", none()),
        ("parent.shalow", 7, "struct task_struct", near("shallow")),
        ("pid.x", 4, "pid_t", Reason::NotAStruct),
        ("flag.x", 5, "unsigned int", Reason::NotAStruct),
        ("files.f_pos", 6, "struct file *[4]", Reason::NotAStruct),
        ("private.x", 8, "const void", Reason::NotAStruct),
        ("table.f_pos", 6, "struct file *", Reason::NotAStruct),
        ("secret.x", 7, "struct secret", Reason::ForwardDeclared),
        ("pid[0]", 3, "pid_t", Reason::NotAnArray),
        ("private[0]", 7, "const void *", Reason::NotAnArray),
        ("secret[0]", 6, "struct secret *", Reason::ForwardDeclared),
        ("table[1][0].f_poss", 12, "struct file", near("f_pos")),
        ("parent.comm[16]", 11, "char[16]", Reason::IndexOutOfRange { index: 16, len: 16 }),
        ("straddling", 0, "unsigned int", Reason::Unaligned),
        ("crooked", 0, "char[16]", Reason::Unaligned),
        ("[0]", 0, "struct task_struct", Reason::NotAnArray),
    ];
    for (path, at, type_name, reason) in cases {
        let (found_at, _, found_type, found) = w.reason(path);
        assert_eq!((found_at, found_type.as_str(), found), (at, type_name, reason), "{path}");
    }
}

#[test]
fn a_path_from_an_array_begins_with_an_index() {
    let w = world();
    let btf = Btf::new(&w.bytes).unwrap();
    let pairs = btf.path(w.task, "pairs").unwrap().field.ty;
    let found = btf.path(pairs, "[2].b").unwrap();
    assert_eq!((found.hops.len(), found.field.offset, found.field.size), (0, 20, 4));
    assert!(btf.path(pairs, "[3]").is_err() && btf.path(pairs, "b").is_err());
}

#[test]
fn what_is_no_path_is_a_syntax_error() {
    let w = world();
    let cases = [
        ("", 0, ""),
        (".", 0, ""),
        ("pid.", 4, ""),
        ("parent..pid", 7, ""),
        ("parent->pid", 0, "parent->pid"),
        (" pid", 0, " pid"),
        ("comm[]", 4, "[]"),
        ("comm[", 4, "["),
        ("comm[+1]", 4, "[+1]"),
        ("comm[-1]", 4, "[-1]"),
        ("comm[0x1]", 4, "[0x1]"),
        ("comm[4294967296]", 4, "[4294967296]"),
        ("pairs[1]b", 8, "b"),
        ("pairs[1][", 8, "["),
        ("größe", 0, "größe"),
    ];
    for (path, at, segment) in cases {
        let (found_at, found, _, reason) = w.reason(path);
        assert_eq!((found_at, found.as_str(), reason), (at, segment, Reason::Syntax), "{path}");
    }
}

#[test]
fn errors_say_what_failed_and_what_to_do() {
    let w = world();
    let say = |path: &str| w.path(path).unwrap_err().to_string();
    assert_eq!(
        say("parent.parnt.pid"),
        "path `parent.parnt.pid`, byte 7: `struct task_struct` has no member `parnt`; did you mean `parent`?"
    );
    assert_eq!(
        say("comm[99]"),
        "path `comm[99]`, byte 4: index 99 is out of range for `char[16]`; the array has 16 elements"
    );
    assert_eq!(say("pid."), "path `pid.`, byte 4: a name is missing; write a path like `a.b[3].c`");
    assert_eq!(
        say("pid.x"),
        "path `pid.x`, byte 4: `x` is asked of `pid_t`, which has no members; end the path before it"
    );
    assert!(say("deep_to").ends_with("did you mean `deep_too`, or `deep`?"), "{}", say("deep_to"));
}

#[test]
fn types_that_contain_themselves_end_a_path() {
    let mut b = Builder::default();
    let me = b.next();
    b.structure("me", 8, &[("", me, 8), ("", me, 16), ("x", me, 0)]);
    let ring = b.next();
    b.structure("ring", 8, &[("", TypeId(ring.0 + 1), 0), ("", TypeId(ring.0 + 1), 0)]);
    b.union("", 8, &[("", ring, 0), ("", ring, 0), ("y", TypeId(ring.0 + 2), 0)]);
    b.refer(Kind::Typedef, "loop", TypeId(ring.0 + 2));
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.path(me, "x.x.x").unwrap().field.class, Class::Struct);
    assert!(matches!(btf.path(me, "z"), Err(Error::Path { reason: Reason::NoSuchMember { .. }, .. })));
    for path in ["y", "y.z", "y[0]"] {
        assert!(matches!(btf.path(ring, path), Err(Error::Path { reason: Reason::Loop, .. })), "{path}");
    }
}

#[test]
fn offsets_beyond_four_gigabytes_are_refused() {
    let mut b = Builder::default();
    let int = b.int("int", 4, SIGNED);
    let page = b.structure("page", 4096, &[("x", int, 0)]);
    let pages = b.array(page, 0);
    let s = b.structure("s", 4, &[("pages", pages, 0)]);
    let bytes = b.bytes();
    let btf = Btf::new(&bytes).unwrap();
    assert_eq!(btf.path(s, "pages[1000].x").unwrap().field.offset, 4_096_000);
    for path in ["pages[1048576].x", "pages[4294967295]", "pages[4294967295].x"] {
        assert!(matches!(btf.path(s, path), Err(Error::TooLarge { .. })), "{path}");
    }
}

#[test]
fn per_cpu_pointers_are_told_by_their_tag() {
    let mut w = kwalk_btf::Writer::new();
    let int = w.int("int", 4, kwalk_btf::Int::new(32)).unwrap();
    let stats = w.struct_("stats", 4, &[member("hits", int, 0)]).unwrap();
    let constant = w.const_(stats).unwrap();
    let tagged = w.type_tag("percpu", constant).unwrap();
    let other = w.type_tag("rcu", stats).unwrap();
    let (per_cpu, plain) = (w.ptr(tagged).unwrap(), w.ptr(other).unwrap());
    let outer = w.struct_("outer", 16, &[member("each", per_cpu, 0), member("one", plain, 8)]).unwrap();
    let bytes = w.finish();
    let btf = Btf::new(&bytes).unwrap();
    for (path, wanted) in [("each.hits", true), ("each[0].hits", true), ("one.hits", false)] {
        let hops = btf.path(outer, path).unwrap().hops;
        assert_eq!(hops.iter().map(|hop| hop.per_cpu).collect::<Vec<_>>(), [wanted], "{path}");
    }
}

fn member(name: &str, type_id: TypeId, byte: u32) -> kwalk_btf::Member<'_> {
    kwalk_btf::Member { name, type_id, bit_offset: byte * 8, bitfield_width: 0 }
}
