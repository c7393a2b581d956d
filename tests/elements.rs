//! The elements of a map are shown as what they are: by the map's own types, or as bytes.

use kwalk::btf::{Array, Enumerator, Int, Linkage, Member, SectionVar, Writer};
use kwalk::select::{Column, Kind, MapElements, PlanOptions, Reason, Select, Value, Walk, field};
use kwalk::sys::{BtfFd, BtfLoad, ElemFlags, MapBtf, MapCreate, MapFd, MapType, MapUpdateElem, ObjName, bpf};
use kwalk::{Error, Scope};

use crate::columns::child::Cpus;
use crate::support::Need::{Bpf, Kernel};
use crate::support::objects::MapWriter;
use crate::support::{Test, kernel_version, kwalk, running, stdout, test, unique};

pub fn tests() -> Vec<Test> {
    vec![
        test("keys_and_values_have_their_types", &[Bpf], keys_and_values_have_their_types),
        test("variables_have_their_types", &[Bpf], variables_have_their_types),
        test("arrays_and_parts_have_their_types", &[Bpf], arrays_and_parts_have_their_types),
        test("conditions_test_keys_and_values", &[Bpf], conditions_test_keys_and_values),
        test("what_has_no_types_is_bytes", &[Bpf], what_has_no_types_is_bytes),
        test("large_values_are_whole", &[Bpf], large_values_are_whole),
        test("each_cpu_has_its_value", &[Bpf, Kernel(5, 14)], each_cpu_has_its_value),
        test("wide_numbers_and_bitfields", &[Bpf, Kernel(5, 14)], wide_numbers_and_bitfields),
        test("many_members", &[Bpf], many_members),
        test("each_cpu_has_its_bytes", &[Bpf, Kernel(5, 14)], each_cpu_has_its_bytes),
    ]
}

/// A struct of a key: two numbers.
const KEY: usize = 8;
/// A struct of a value: `{ struct { s64 count; u32 mode:enum; } stats; char name[12]; }`.
const VALUE: usize = 24;

/// The types of both, with the ids of the key and the value.
fn types() -> (BtfFd, u32, u32) {
    let mut w = Writer::new();
    let number = |bits, signed| Int { signed, ..Int::new(bits) };
    let u32 = w.int("u32", 4, number(32, false)).unwrap();
    let s64 = w.int("s64", 8, number(64, true)).unwrap();
    let char = w.int("char", 1, number(8, false)).unwrap();
    let name = w.array(Array { element: char, index: u32, len: 12 }).unwrap();
    let modes = [Enumerator { name: "IDLE", value: 0 }, Enumerator { name: "BUSY", value: 7 }];
    let mode = w.enum_("mode", 4, false, &modes).unwrap();
    let member = |name, type_id, byte: u32| Member { name, type_id, bit_offset: byte * 8, bitfield_width: 0 };
    let key = w.struct_("pair", 8, &[member("left", u32, 0), member("right", u32, 4)]).unwrap();
    let stats = w.struct_("stats", 16, &[member("count", s64, 0), member("mode", mode, 8)]).unwrap();
    let value =
        w.struct_("value", VALUE as u32, &[member("stats", stats, 0), member("name", name, 12)]).unwrap();
    (bpf(BtfLoad { btf: &w.finish(), log: None }).unwrap(), key.0, value.0)
}

fn key(left: u32, right: u32) -> Vec<u8> {
    [left, right].map(u32::to_ne_bytes).concat()
}

fn value(count: i64, mode: u32, name: &str) -> Vec<u8> {
    let mut bytes = [&count.to_ne_bytes()[..], &mode.to_ne_bytes(), name.as_bytes()].concat();
    bytes.resize(VALUE, 0);
    bytes
}

fn fill(map: &MapFd, elements: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) {
    for (key, value) in elements {
        bpf(MapUpdateElem { map, key: &key, value: &value, flags: ElemFlags::empty() }).unwrap();
    }
}

/// A hash of such, with 3 elements.
fn typed() -> MapFd {
    let (btf, key_type_id, value_type_id) = types();
    let map = bpf(MapCreate {
        name: ObjName::new(&unique("kwe")),
        btf: Some(MapBtf { btf: &btf, key_type_id, value_type_id }),
        ..MapCreate::new(MapType::HASH, KEY as u32, VALUE as u32, 10)
    })
    .unwrap();
    fill(
        &map,
        [
            (key(1, 2), value(-5, 0, "first")),
            (key(3, 4), value(i64::MAX, 7, "a\nb")),
            (key(u32::MAX, 0), value(0, 9, "")),
        ],
    );
    map
}

/// `kwalk fields` lists what the columns are below, and opens each.
#[track_caller]
fn opens(map: &MapFd, columns: &[&str]) {
    let map = format!("id:{}", map.info().unwrap().id);
    let fields = |name: Option<&str>| {
        let args = ["fields", "bpf_map_elem", "--map", &map, "--depth", "4"];
        stdout(kwalk(args).args(name))
    };
    let below = |text: &str| text.split_once("\nvalue ").unwrap().1.split_once('\n').unwrap().1.to_owned();
    let (all, value) = (fields(None), fields(Some("value")));
    assert_eq!(below(&value), below(all.split_once("ELEMENT ").unwrap().1));
    for column in columns {
        let opened = fields(Some(column));
        let row: Vec<&str> = opened.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row[0], *column, "{opened}");
        // What is listed is a part of it, at the same place: of arrays, the first element.
        let name = column.rsplit(['.', '[']).next().unwrap().trim_end_matches(']');
        if name.parse::<u32>().is_err() && !column.starts_with("value[1]") {
            let is = |line: &str| line.split_whitespace().take(3).eq([name, row[1], row[2]]);
            assert!(value.lines().any(is), "{column}: {row:?} {value}");
        }
    }
}

fn open(map: &MapFd, select: &Select) -> Result<Vec<Vec<String>>, Error> {
    let kernel = running();
    let elements = MapElements::of(map)?;
    let types = elements.btf()?;
    let elements = Some(elements.elements(types.as_ref()));
    let options = PlanOptions { elements, ..PlanOptions::default() };
    let mut rows = Walk::plan_with(select, &kernel, Scope::Map(map), &options)?.prepare()?.into_rows()?;
    let mut all = vec![rows.schema().columns().iter().map(|column| column.name.clone()).collect()];
    let mut found = Vec::new();
    while let Some(row) = rows.next_row()? {
        found.push(row.values().map(|value| shown(&value)).collect());
    }
    found.sort();
    all.extend(found);
    Ok(all)
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Text(text) => text.escape_ascii().to_string(),
        Value::Enum { name: Some(name), .. } => (*name).into(),
        Value::Enum { value, name: None } => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::List(list) => {
            format!("[{}]", list.values().map(|value| shown(&value)).collect::<Vec<_>>().join(","))
        }
        other => format!("{other:?}"),
    }
}

fn elements() -> Select {
    Select::new("bpf_map_elem")
}

fn keys_and_values_have_their_types() {
    let map = typed();
    let id = map.info().unwrap().id.to_string();
    let wanted = [
        ["map", "key.left", "key.right", "value.stats.count", "value.stats.mode", "value.name"],
        [&id, "1", "2", "-5", "IDLE", "first"],
        [&id, "3", "4", "9223372036854775807", "BUSY", "a\\nb"],
        [&id, "4294967295", "0", "0", "9", ""],
    ];
    assert_eq!(open(&map, &elements()).unwrap(), wanted);
    let sum = Column::from(field("key.left") + field("key.right")).named("sum");
    let shown = open(&map, &elements().fields([sum, "key".into(), "value".into()])).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(shown[1], ["3".into(), hex(&key(1, 2)), hex(&value(-5, 0, "first"))]);
}

/// Since when BTF has floating-point numbers.
fn has_floats() -> bool {
    kernel_version() >= (5, 13)
}

/// A map with a program's variables: an array of one element, whose type is a section.
fn variables_have_their_types() {
    let mut w = Writer::new();
    let number = |bits, signed| Int { signed, ..Int::new(bits) };
    let u64 = w.int("u64", 8, number(64, false)).unwrap();
    let s32 = w.int("s32", 4, number(32, true)).unwrap();
    let u8 = w.int("u8", 1, number(8, false)).unwrap();
    let double = if has_floats() { w.float("double", 8).unwrap() } else { u64 };
    let list = w.array(Array { element: s32, index: s32, len: 3 }).unwrap();
    let mac = w.array(Array { element: u8, index: s32, len: 6 }).unwrap();
    let member = |name, type_id, byte: u32| Member { name, type_id, bit_offset: byte * 8, bitfield_width: 0 };
    let pair = w.struct_("pair", 16, &[member("left", s32, 0), member("right", list, 4)]).unwrap();
    let all = [
        ("count", u64, 0, 8),
        ("count.in_function", s32, 8, 4),
        ("list", list, 12, 12),
        ("ratio", double, 24, 8),
        ("pair", pair, 32, 16),
        ("mac", mac, 48, 6),
    ];
    let variables = all.map(|(name, ty, offset, size)| {
        let type_id = w.var(name, ty, Linkage::Global).unwrap();
        SectionVar { type_id, offset, size }
    });
    let section = w.datasec(".bss", 56, &variables).unwrap();
    let btf = bpf(BtfLoad { btf: &w.finish(), log: None }).unwrap();
    let map = bpf(MapCreate {
        btf: Some(MapBtf { btf: &btf, key_type_id: 0, value_type_id: section.0 }),
        ..MapCreate::new(MapType::ARRAY, 4, 56, 1)
    })
    .unwrap();
    let numbers = [-2_i32, 3, -4, 5].map(i32::to_ne_bytes).concat();
    let ratio = if has_floats() { 0.75_f64.to_ne_bytes() } else { 75_u64.to_ne_bytes() };
    let pair = [7_i32, -8, 9, -10].map(i32::to_ne_bytes).concat();
    let value =
        [&u64::MAX.to_ne_bytes()[..], &numbers, &ratio, &pair, b"\x01\x02\x03\xfd\xfe\xff\0\0"].concat();
    fill(&map, [(0_u32.to_ne_bytes().to_vec(), value)]);
    let id = map.info().unwrap().id.to_string();
    let ratio = if has_floats() { "0.75" } else { "75" };
    let wanted = [
        [
            "map",
            "key",
            "value.count",
            "value.count.in_function",
            "value.list[0]",
            "value.list[1]",
            "value.list[2]",
        ],
        [&id, "00000000", "18446744073709551615", "-2", "3", "-4", "5"],
    ];
    let rest = [
        [
            "value.ratio",
            "value.pair.left",
            "value.pair.right[0]",
            "value.pair.right[1]",
            "value.pair.right[2]",
            "value.mac",
        ],
        [ratio, "7", "-8", "9", "-10", "010203fdfeff"],
    ];
    let wanted = [0, 1].map(|row| [&wanted[row][..], &rest[row]].concat());
    assert_eq!(open(&map, &elements()).unwrap(), wanted);
    opens(&map, &rest[0]);
    let is =
        |condition| open(&map, &elements().fields(["value.list[1]"]).filter(condition)).unwrap().len() == 2;
    assert!(is(field("value.count").eq(u64::MAX)) && !is(field("value.count.in_function").eq(2)));
    assert!(is(field("value.pair.right[2]").eq(-10)) && is(field("value.mac[5]").eq(255)));
    assert!(is(field("value.ratio").is_not_null()) && is(field("value").is_not_null()));
    let reason = |name: &str| match open(&map, &elements().fields([name])).unwrap_err() {
        Error::Select(error) => *error.reason,
        other => panic!("{other}"),
    };
    let unknown = reason("value.cuont");
    assert!(
        matches!(&unknown, Reason::Name { near, .. } if near.contains(&"value.count".into())),
        "{unknown:?}"
    );
    assert!(matches!(reason("value.list[3]"), Reason::Field(_)));
    if has_floats() {
        let error = open(&map, &elements().filter(field("value.ratio").gt(0))).unwrap_err();
        assert!(error.to_string().contains("value.ratio is a floating-point number"), "{error}");
    }
}

/// Where a value is itself an array, and where a part of it has no type of a column.
fn arrays_and_parts_have_their_types() {
    let mut w = Writer::new();
    let u16 = w.int("u16", 2, Int::new(16)).unwrap();
    let float =
        if has_floats() { w.float("float", 4).unwrap() } else { w.int("u32", 4, Int::new(32)).unwrap() };
    let long = w.array(Array { element: u16, index: u16, len: 20 }).unwrap();
    let member = |name, type_id, byte: u32| Member { name, type_id, bit_offset: byte * 8, bitfield_width: 0 };
    let inner = w.struct_("inner", 44, &[member("part", float, 0), member("long", long, 4)]).unwrap();
    let two = w.array(Array { element: inner, index: u16, len: 2 }).unwrap();
    let u32 = w.int("key", 4, Int::new(32)).unwrap();
    let btf = bpf(BtfLoad { btf: &w.finish(), log: None }).unwrap();
    let map = bpf(MapCreate {
        btf: Some(MapBtf { btf: &btf, key_type_id: u32.0, value_type_id: two.0 }),
        ..MapCreate::new(MapType::HASH, 4, 88, 3)
    })
    .unwrap();
    let part = |number: f32, from: u16| {
        let number = if has_floats() { number.to_ne_bytes() } else { (number as u32).to_ne_bytes() };
        [number.to_vec(), (from..from + 20).flat_map(u16::to_ne_bytes).collect()].concat()
    };
    fill(&map, [(5_u32.to_ne_bytes().to_vec(), [part(-1.5, 1), part(2e20, 256)].concat())]);
    let columns = ["map", "key", "value[0].part", "value[0].long", "value[1].part", "value[1].long"];
    let shown = open(&map, &elements()).unwrap();
    assert_eq!(shown[0], columns);
    opens(&map, &columns[2..]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        (&*shown[1][1], &*shown[1][3], &*shown[1][5]),
        ("5", &*hex(&part(0., 1)[4..]), &*hex(&part(0., 256)[4..]))
    );
    if has_floats() {
        assert_eq!([&*shown[1][2], &*shown[1][4]], ["-1.5", &*format!("{:?}", f64::from(2e20_f32))]);
    }
    let shown = open(&map, &elements().fields(["value[1].long[19]", "value[1]", "value[0].long"])).unwrap();
    assert_eq!(shown[1], ["275", &*hex(&part(2e20, 256)), &*hex(&part(0., 1)[4..])]);
    let one = open(&map, &elements().fields(["key"]).filter(field("value[1].long[0]").eq(256))).unwrap();
    assert_eq!(one.len(), 2);
}

fn conditions_test_keys_and_values() {
    let map = typed();
    let left =
        |condition| open(&map, &elements().fields(["key.left"]).filter(condition)).unwrap()[1..].concat();
    assert_eq!(left(field("value.stats.mode").eq(field("BUSY"))), ["3"]);
    assert_eq!(left(field("value.stats.mode").eq("IDLE")), ["1"]);
    assert_eq!(left(field("value.stats.count").lt(0)), ["1"]);
    assert_eq!(left(field("value.name").like("a%")), ["3"]);
    assert_eq!(left(field("value.name").eq("")), ["4294967295"]);
    assert_eq!(left(field("value").is_not_null().and(field("key.right").ge(2))), ["1", "3"]);
    let unknown = open(&map, &elements().fields(["value.stats.cuont"])).unwrap_err();
    let Error::Select(unknown) = unknown else { panic!("{unknown}") };
    let is_near = |reason: &Reason| matches!(reason, Reason::Name { near, .. } if near.contains(&"value.stats.count".into()));
    assert!(is_near(&unknown.reason), "{unknown:?}");
}

fn what_has_no_types_is_bytes() {
    let map = bpf(MapCreate::new(MapType::ARRAY, 4, 6, 3)).unwrap();
    fill(&map, [(1_u32.to_ne_bytes().to_vec(), b"\0\x01\x7f\x80\xff.".to_vec())]);
    let id = map.info().unwrap().id.to_string();
    let wanted = [
        ["map", "key", "value"],
        [&id, "00000000", "000000000000"],
        [&id, "01000000", "00017f80ff2e"],
        [&id, "02000000", "000000000000"],
    ];
    if cfg!(target_endian = "little") {
        assert_eq!(open(&map, &elements()).unwrap(), wanted);
    }
}

fn large_values_are_whole() {
    // More than a program's stack, and all together more than the kernel's buffer.
    let map = bpf(MapCreate::new(MapType::HASH, 4, 10_000, 50)).unwrap();
    let value = |nth: u32| (0..10_000).map(|at| (at as u32 * 7 + nth) as u8).collect::<Vec<_>>();
    fill(&map, (0..50).map(|nth: u32| (nth.to_ne_bytes().to_vec(), value(nth))));
    let shown = open(&map, &elements().fields(["key", "value"])).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut wanted: Vec<_> = (0..50).map(|nth: u32| [hex(&nth.to_ne_bytes()), hex(&value(nth))]).collect();
    wanted.sort();
    assert_eq!(shown[1..], wanted);
    let too_large = bpf(MapCreate::new(MapType::ARRAY, 4, 40_000, 1)).unwrap();
    let error = open(&too_large, &elements()).unwrap_err();
    assert!(error.to_string().contains("bytes, and the kernel passes on less"), "{error}");
}

fn each_cpu_has_its_value() {
    let (btf, key_type_id, value_type_id) = types();
    let map = bpf(MapCreate {
        btf: Some(MapBtf { btf: &btf, key_type_id, value_type_id }),
        ..MapCreate::new(MapType::PERCPU_HASH, KEY as u32, VALUE as u32, 10)
    })
    .unwrap();
    let writer = MapWriter::new(&map, KEY, VALUE);
    let cpus = Cpus::all();
    // Each CPU writes its own value of the same element.
    for nth in 0..cpus.count() {
        cpus.on(nth);
        writer.write(&key(1, 2), &value(-5 - nth as i64, [0, 7][nth % 2], &format!("cpu {nth}")));
    }
    let id = map.info().unwrap().id.to_string();
    let count = running().possible_cpus.unwrap() as usize;
    let list = |of: &dyn Fn(usize) -> String, none: &str| {
        let on = |cpu| cpus.nth_of(cpu).map_or(none.to_owned(), of);
        format!("[{}]", (0..count).map(on).collect::<Vec<_>>().join(","))
    };
    let counts = list(&|nth| (-5 - nth as i64).to_string(), "0");
    let modes = list(&|nth| ["IDLE", "BUSY"][nth % 2].into(), "IDLE");
    let names = list(&|nth| format!("cpu {nth}"), "");
    let wanted = [
        ["map", "key.left", "key.right", "value.stats.count", "value.stats.mode", "value.name"],
        [&id, "1", "2", &counts, &modes, &names],
    ];
    assert_eq!(open(&map, &elements()).unwrap(), wanted);
    // A struct is its bytes, without what is between one CPU's and the next.
    let bytes = |nth: usize| value(-5 - nth as i64, [0, 7][nth % 2], &format!("cpu {nth}"));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let whole = list(&|nth| hex(&bytes(nth)), &hex(&[0; VALUE]));
    assert_eq!(open(&map, &elements().fields(["value"])).unwrap(), [["value"], [&*whole]]);
    // One CPU's, which conditions test.
    let last = cpus.number(cpus.count() - 1);
    let name = format!("value[{last}].stats.count");
    let count_of = |condition| open(&map, &elements().fields([name.as_str()]).filter(condition)).unwrap();
    let wanted = (-4 - cpus.count() as i64).to_string();
    assert_eq!(count_of(field(&name).lt(-4)), [[&*name], [&*wanted]]);
    assert_eq!(count_of(field(&name).gt(-4)).len(), 1);
    assert_eq!(count_of(field(format!("value[{last}].name")).like("cpu %")).len(), 2);
    let refused = open(&map, &elements().filter(field("value.stats.count").lt(0))).unwrap_err();
    let Error::Select(refused) = refused else { panic!("{refused}") };
    assert!(matches!(&*refused.reason, Reason::Kind { is: Kind::List, .. }), "{refused}");
    assert!(open(&map, &elements().fields([format!("value[{count}].name").as_str()])).is_err());
}

/// Members that are no numbers of programs: one of 16 bytes, and bitfields of which each CPU has its own. And a name that
/// is a word of SQL.
fn wide_numbers_and_bitfields() {
    let mut w = Writer::new();
    let u32 = w.int("u32", 4, Int::new(32)).unwrap();
    let wide = w.int("__int128", 16, Int { signed: true, ..Int::new(128) }).unwrap();
    let member =
        |name, type_id, bit_offset, bitfield_width| Member { name, type_id, bit_offset, bitfield_width };
    let members = [
        member("wide", wide, 0, 0),
        member("low", u32, 128, 3),
        member("rest", u32, 131, 29),
        member("end", u32, 160, 0),
    ];
    let value = w.struct_("value", 32, &members).unwrap();
    let btf = bpf(BtfLoad { btf: &w.finish(), log: None }).unwrap();
    let map = |ty| {
        let map = MapCreate {
            btf: Some(MapBtf { btf: &btf, key_type_id: u32.0, value_type_id: value.0 }),
            ..MapCreate::new(ty, 4, 32, 3)
        };
        bpf(map).unwrap()
    };
    let little = cfg!(target_endian = "little");
    let bits: u32 = if little { 5 | 1234 << 3 } else { 5 << 29 | 1234 };
    let wide = (i128::MIN + 7).to_ne_bytes();
    let value = [&wide[..], &bits.to_ne_bytes(), &77_u32.to_ne_bytes(), &[0; 8]].concat();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();

    let one = map(MapType::HASH);
    fill(&one, [(3_u32.to_ne_bytes().to_vec(), value.clone())]);
    let id = one.info().unwrap().id.to_string();
    let wanted = [
        ["map", "key", "value.wide", "value.low", "value.rest", "value.end"],
        [&id, "3", &hex(&wide), "5", "1234", "77"],
    ];
    assert_eq!(open(&one, &elements()).unwrap(), wanted);
    // As the command names them.
    let csv = stdout(&mut kwalk(["bpf_map_elem", "--map", &format!("id:{id}"), "-o", "csv"]));
    assert_eq!(csv, wanted.map(|row| row.join(",") + "\n").concat());

    let each = map(MapType::PERCPU_HASH);
    let writer = MapWriter::new(&each, 4, 32);
    let cpus = Cpus::all();
    (0..cpus.count()).for_each(|nth| {
        cpus.on(nth);
        writer.write(&3_u32.to_ne_bytes(), &value);
    });
    let shown = open(&each, &elements()).unwrap();
    let first = cpus.number(0);
    let of = |name: &str| shown[0].iter().position(|column| column == name).map(|nth| &*shown[1][nth]);
    assert!(of("value.wide").unwrap().contains(&hex(&wide)), "{shown:?}");
    if first < 8 {
        assert_eq!(of(&format!("value[{first}].low")), Some("5"), "{shown:?}");
        assert_eq!(of(&format!("value[{first}].rest")), Some("1234"), "{shown:?}");
    }
    // A CPU that there is not, and what a pointer in a map leads to, are named.
    let count = running().possible_cpus.unwrap();
    let error = open(&each, &elements().fields([format!("value[{count}].end").as_str()])).unwrap_err();
    assert!(error.to_string().contains(&format!("{count} values, from value[0] on")), "{error}");
}

/// Of more members than have columns, the last are in the bytes of the whole: two elements that differ look different.
fn many_members() {
    let mut w = Writer::new();
    let u32 = w.int("u32", 4, Int::new(32)).unwrap();
    let names: Vec<String> = (0..60).map(|nth| format!("m{nth}")).collect();
    let member =
        |(nth, name): (u32, _)| Member { name, type_id: u32, bit_offset: 32 * nth, bitfield_width: 0 };
    let members: Vec<_> = (0_u32..).zip(names.iter().map(String::as_str)).map(member).collect();
    let mut value = |name, count: u32| w.struct_(name, 4 * count, &members[..count as usize]).unwrap();
    let (many, few) = (value("many", 60), value("few", 40));
    let btf = bpf(BtfLoad { btf: &w.finish(), log: None }).unwrap();
    for (ty, count) in [(many, 60_u32), (few, 40)] {
        let map = bpf(MapCreate {
            btf: Some(MapBtf { btf: &btf, key_type_id: u32.0, value_type_id: ty.0 }),
            ..MapCreate::new(MapType::HASH, 4, 4 * count, 3)
        })
        .unwrap();
        let bytes = |last: u32| -> Vec<u8> {
            (0..count)
                .map(|nth| if nth == count - 1 { last } else { nth })
                .flat_map(u32::to_ne_bytes)
                .collect()
        };
        let element = |nth: u32| (nth.to_ne_bytes().to_vec(), bytes(1000 + nth));
        fill(&map, [element(1), element(2)]);
        let shown = open(&map, &elements()).unwrap();
        let hex = bytes(1001).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let wanted = if count == 60 { ["value", &hex] } else { ["value.m39", "1001"] };
        assert_eq!([shown[0].last().unwrap(), shown[1].last().unwrap()], wanted);
        assert_eq!((&*shown[0][2], &*shown[1][3], shown[0].len()), ("value.m0", "1", 42));
    }
}

fn each_cpu_has_its_bytes() {
    let map = bpf(MapCreate::new(MapType::PERCPU_ARRAY, 4, 6, 2)).unwrap();
    let writer = MapWriter::new(&map, 4, 6);
    Cpus::all().on(0);
    writer.write(&1_u32.to_ne_bytes(), b"\x01\x02\x03\x04\x05\x06");
    let shown = open(&map, &elements().fields(["key", "value"])).unwrap();
    let first = Cpus::all().number(0);
    let count = running().possible_cpus.unwrap() as usize;
    let of = |written: bool| {
        let on = |cpu| if written && cpu == first { "010203040506" } else { "000000000000" };
        format!("[{}]", (0..count).map(on).collect::<Vec<_>>().join(","))
    };
    let hex = |key: u32| key.to_ne_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut wanted = [[hex(0), of(false)], [hex(1), of(true)]];
    wanted.sort();
    assert_eq!(shown[1..], wanted);
}
