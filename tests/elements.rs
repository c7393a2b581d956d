//! The elements of a map are shown as what they are: by the map's own types, or as bytes.

use kwalk::btf::{Array, Enumerator, Int, Member, Writer};
use kwalk::select::{Column, Kind, MapElements, PlanOptions, Reason, Select, Value, Walk, field};
use kwalk::sys::{BtfFd, BtfLoad, ElemFlags, MapBtf, MapCreate, MapFd, MapType, MapUpdateElem, ObjName, bpf};
use kwalk::{Error, Scope};

use crate::columns::child::Cpus;
use crate::support::Need::{Bpf, Kernel};
use crate::support::objects::MapWriter;
use crate::support::{Test, running, test, unique};

pub fn tests() -> Vec<Test> {
    vec![
        test("keys_and_values_have_their_types", &[Bpf], keys_and_values_have_their_types),
        test("conditions_test_keys_and_values", &[Bpf], conditions_test_keys_and_values),
        test("what_has_no_types_is_bytes", &[Bpf], what_has_no_types_is_bytes),
        test("large_values_are_whole", &[Bpf], large_values_are_whole),
        test("each_cpu_has_its_value", &[Bpf, Kernel(5, 14)], each_cpu_has_its_value),
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
