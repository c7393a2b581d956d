//! Of `bpf_map`, `bpf_prog`, `bpf_link` and `bpf_map_elem`.

use std::os::fd::AsRawFd;
use std::process::Command;

use kwalk::Scope;
use kwalk::sys::{
    BtfLoad, ElemFlags, MapBtf, MapCreate, MapFlags, MapFreeze, MapType, MapUpdateElem, ObjName, bpf,
};
use serde_json::Value;

use super::cell::{Cell, found, one, walked};
use super::child::Cpus;
use super::task::since_boot;
use crate::support::Need::{Bpf, Kernel, Root, Target, Tool};
use crate::support::objects::{MapWriter, function_btf, idle_program, small_map};
use crate::support::pins::attach;
use crate::support::{Need, Test, many_files, test, test_alone, unique};

const BPFTOOL: &[Need] = &[Bpf, Root, Tool("bpftool")];
const LINK: Need = Target(&kwalk::progs::targets::bpf_link::TARGET);

pub fn tests() -> Vec<Test> {
    vec![
        test("bpf_map_is_what_bpftool_says", BPFTOOL, maps),
        test("bpf_map_entries_are_those_that_were_made", &[Bpf, Root, Kernel(5, 14)], entries),
        test("bpf_prog_is_what_bpftool_says", BPFTOOL, progs),
        test_alone("bpf_prog_runs_are_counted", &[Bpf, Root, Need::File(STATS)], runs),
        test("bpf_link_is_what_bpftool_says", &[Bpf, Root, Tool("bpftool"), LINK], links),
        test("bpf_maps_of_many_once", &[Bpf, Root], many_once),
        test("bpf_map_elem_says_whose", &[Bpf, Root], elements),
    ]
}

/// What bpftool says of an object.
#[track_caller]
fn bpftool(kind: &str, id: u32) -> Value {
    let output = Command::new("bpftool").args(["-j", kind, "show", "id", &id.to_string()]).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["id"], id, "{said}");
    said
}

/// A number that bpftool says, 0 where it says nothing.
fn number(said: &Value, key: &str) -> i128 {
    match &said[key] {
        Value::String(text) => i128::from_str_radix(text.trim_start_matches("0x"), 16).unwrap(),
        said => said.as_i64().unwrap_or_default().into(),
    }
}

/// The name of an enum's value, as bpftool writes it.
fn short(cell: &Cell, prefix: &str) -> String {
    match cell {
        Cell::Name(_, name) => name.strip_prefix(prefix).unwrap().to_lowercase(),
        other => panic!("{other:?}"),
    }
}

fn maps() {
    let btf = bpf(BtfLoad { btf: &function_btf("f", ""), log: None }).unwrap();
    let types = Some(MapBtf { btf: &btf, key_type_id: 1, value_type_id: 1 });
    let name = unique("kwma");
    let of = |map_type, key, value, max| MapCreate {
        name: ObjName::new(&name),
        ..MapCreate::new(map_type, key, value, max)
    };
    let all = [
        of(MapType::HASH, 4, 4, 7),
        MapCreate { flags: MapFlags::NO_PREALLOC, ..of(MapType::HASH, 16, 100, 3) },
        MapCreate { btf: types, ..of(MapType::ARRAY, 4, 4, 1) },
        of(MapType::PERCPU_ARRAY, 4, 8, 2),
        MapCreate { flags: MapFlags::NO_PREALLOC, ..of(MapType::LPM_TRIE, 8, 1, 100_000) },
    ]
    .map(|create| bpf(create).unwrap());
    bpf(MapFreeze { map: &all[0] }).unwrap();
    let rows = found(
        "bpf_map",
        "id, type, name, key, value, max, flags, frozen, refs, btf",
        &format!("name = '{name}'"),
    );
    assert_eq!(rows.len(), all.len());
    for map in &all {
        let info = map.info().unwrap();
        let row = rows.iter().find(|row| row[0] == i128::from(info.id)).unwrap();
        let said = bpftool("map", info.id);
        assert_eq!(short(&row[1], "BPF_MAP_TYPE_"), said["type"].as_str().unwrap());
        assert!(row[2] == name && said["name"] == name);
        assert!(row[3] == number(&said, "bytes_key") && row[4] == number(&said, "bytes_value"));
        assert!(row[5] == number(&said, "max_entries") && row[6] == number(&said, "flags"));
        assert!(row[7] == number(&said, "frozen") && row[8] == 1, "{row:?}");
        match number(&said, "btf_id") {
            0 => assert_eq!(row[9], Cell::Null),
            id => assert_eq!(row[9], id),
        }
    }
    let frozen = found("bpf_map", "id", &format!("frozen and name = '{name}'"));
    assert_eq!(frozen, [[Cell::Number(all[0].info().unwrap().id.into())]]);
}

fn entries() {
    let name = unique("kwmn");
    let of = |map_type, flags| {
        let create = MapCreate { name: ObjName::new(&name), flags, ..MapCreate::new(map_type, 4, 8, 1000) };
        bpf(create).unwrap()
    };
    let no_prealloc = MapFlags::NO_PREALLOC;
    let none = MapFlags::empty();
    let all = [
        (of(MapType::HASH, none), 7),
        (of(MapType::HASH, no_prealloc), 300),
        (of(MapType::PERCPU_HASH, none), 41),
        (of(MapType::LRU_HASH, none), 5),
        (of(MapType::LRU_PERCPU_HASH, none), 64),
        (of(MapType::HASH, none), 0),
    ];
    // Each CPU makes some, and another takes some of them away again.
    let cpus = Cpus::all();
    for (map, wanted) in &all {
        let writer = MapWriter::new(map, 4, 8);
        for key in 0..2 * *wanted as u32 {
            cpus.on(key as usize);
            writer.write(&key.to_ne_bytes(), &[1; 8]);
        }
        for key in 0..*wanted as u32 {
            cpus.on(key as usize + 1);
            writer.delete(&key.to_ne_bytes());
        }
    }
    let rows = found("bpf_map", "id, entries", &format!("name = '{name}'"));
    assert_eq!(rows.len(), all.len());
    for (map, wanted) in &all {
        let id = map.info().unwrap();
        let row = rows.iter().find(|row| row[0] == i128::from(id.id)).unwrap();
        assert_eq!(row[1], *wanted, "{:?}", id.map_type);
    }
    let array = small_map(&unique("kwmo"));
    assert!(one("bpf_map", "entries", &format!("id = {}", array.info().unwrap().id))[0] == ());
    if !rows[0][1].is_absent() {
        let ids = found("bpf_map", "id", &format!("name = '{name}' and entries between 41 and 64"));
        assert_eq!(ids, [&all[2].0, &all[4].0].map(|map| [Cell::Number(map.info().unwrap().id.into())]));
        let least = |condition| found("bpf_map", "id", &format!("name = '{name}' and {condition}")).len();
        assert_eq!(least("entries + 1 > elem_count[0] and entries = elem_count[0]"), all.len());
        // Not what a plain read of the pointer gives.
        assert_eq!(least("entries = 0"), 1);
    }
}

/// Whether the kernel counts the runs of programs.
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

fn runs() {
    let before = std::fs::read_to_string(STATS).unwrap();
    std::fs::write(STATS, "1").unwrap();
    let link = attach("maps", &unique("kwru"));
    let prog = link.info().unwrap().prog_id;
    let cpus = Cpus::all();
    for nth in 0..5 {
        cpus.on(nth);
        let mut iter = link.iter().unwrap();
        while !iter.next_chunk().unwrap().is_empty() {}
    }
    let row = one("bpf_prog", "run_count, run_time", &format!("id = {prog}"));
    std::fs::write(STATS, before).unwrap();
    let fd = kwalk::sys::open_id::<kwalk::sys::ProgFd>(prog).unwrap();
    let said = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let said = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        line.trim().parse::<i128>().unwrap()
    };
    assert!(said("run_cnt") >= 5 && said("run_time_ns") > 0);
    assert_eq!(row[0], said("run_cnt"));
    assert_eq!(row[1], said("run_time_ns"));
}

fn progs() {
    let (name, function) = (unique("kwpr"), unique("f"));
    let before = since_boot();
    let plain = idle_program(&name, None);
    let typed = idle_program(&name, Some(&function));
    let after = since_boot();
    let columns = "id, type, name, insns, jited, loaded, uid, maps, verified, function, btf, dst";
    let rows = found("bpf_prog", columns, &format!("name = '{name}'"));
    assert_eq!(rows.len(), 2);
    for (prog, typed) in [(&plain, false), (&typed, true)] {
        let info = prog.info().unwrap();
        let row = rows.iter().find(|row| row[0] == i128::from(info.id)).unwrap();
        let said = bpftool("prog", info.id);
        assert_eq!(short(&row[1], "BPF_PROG_TYPE_"), said["type"].as_str().unwrap());
        assert_eq!(row[2], name);
        assert_eq!(row[3].number() * 8, number(&said, "bytes_xlated"));
        assert!(row[4] == number(&said, "bytes_jited") && row[6] == number(&said, "uid"), "{row:?} {said}");
        assert_eq!(row[5], i128::from(info.load_time));
        assert!((before..=after).contains(&row[5].number()), "{row:?}");
        assert_eq!(row[7], said["map_ids"].as_array().map_or(0, Vec::len) as i128);
        assert!(row[8] == i128::from(info.verified_insns) && row[9] == () && row[11] == ());
        match typed {
            false => assert_eq!(row[10], Cell::Null),
            true => assert_eq!(row[10], number(&said, "btf_id")),
        }
    }
    // One that has no attach type: 0 is also the value of one.
    assert_eq!(one("bpf_prog", "attach", &format!("id = {}", plain.info().unwrap().id))[0], Cell::Null);
    assert_eq!(found("bpf_prog", "id", &format!("name = '{name}' and attach = 0")), [] as [Vec<Cell>; 0]);
    // Names of which the kernel keeps no more than 15 bytes.
    let long = format!("{}_has_a_name_that_goes_on_and_on", unique("kwprlong"));
    let kept = &long[..15];
    let whole = idle_program(kept, Some(&long));
    let info = whole.info().unwrap();
    assert_eq!(info.name.to_string(), kept);
    let said = bpftool("prog", info.id);
    assert_eq!(said["name"], long.as_str());
    assert_eq!(one("bpf_prog", "name", &format!("id = {}", info.id))[0], long.as_str());
    for (condition, count) in [
        (format!("name = '{long}'"), 1),
        (format!("name = '{kept}'"), 0),
        (format!("name like '{kept}%' and id = {}", info.id), 1),
        (format!("name like '%goes_on%' and id = {}", info.id), 1),
    ] {
        assert_eq!(found("bpf_prog", "id", &condition).len(), count, "{condition}");
    }
    // One that attaches to a function, and uses a map.
    let link = attach("maps", &unique("kwpa"));
    let info = link.info().unwrap();
    let row = one("bpf_prog", "function, attach, type, maps", &format!("id = {}", info.prog_id));
    assert!(
        row[0] == "bpf_iter_bpf_map" && row[1] == "BPF_TRACE_ITER" && row[2] == "BPF_PROG_TYPE_TRACING",
        "{row:?}"
    );
    let said = bpftool("prog", info.prog_id);
    assert_eq!(row[3], said["map_ids"].as_array().map_or(0, Vec::len) as i128);
    assert_eq!(
        found("bpf_prog", "id", &format!("name = '{name}' and loaded > 1 and loaded < {after}")).len(),
        2
    );
}

fn links() {
    let name = unique("kwli");
    let link = attach("progs", &name);
    let info = link.info().unwrap();
    let row =
        one("bpf_link", "id, type, prog, name, attach, function, uid, loaded", &format!("name = '{name}'"));
    let said = bpftool("link", info.id);
    assert_eq!(row[0], number(&said, "id"));
    assert_eq!(short(&row[1], "BPF_LINK_TYPE_"), said["type"].as_str().unwrap());
    assert!(row[2] == number(&said, "prog_id") && row[3] == name && row[4] == "BPF_TRACE_ITER");
    assert_eq!(row[5], format!("bpf_iter_{}", said["target_name"].as_str().unwrap()));
    let prog = bpftool("prog", info.prog_id);
    assert_eq!(row[6], number(&prog, "uid"));
    let loaded = one("bpf_prog", "loaded", &format!("id = {}", info.prog_id));
    assert_eq!(row[7], loaded[0]);
    let id = info.id;
    drop(link);
    assert_eq!(found("bpf_link", "id", &format!("id = {id}")), [] as [Vec<Cell>; 0]);
}

fn many_once() {
    let name = unique("kwmm");
    many_files();
    let maps: Vec<_> = (0..1500).map(|_| small_map(&name)).collect();
    let rows = found("bpf_map", "id, name, type, key, value, max, flags", &format!("name = '{name}'"));
    let ids: Vec<_> = maps.iter().map(|map| Cell::Number(map.info().unwrap().id.into())).collect();
    assert_eq!(rows.into_iter().map(|mut row| row.remove(0)).collect::<Vec<_>>(), ids);
}

fn elements() {
    let map =
        bpf(MapCreate { name: ObjName::new(&unique("kwme")), ..MapCreate::new(MapType::HASH, 4, 8, 5000) })
            .unwrap();
    for key in 0..3000_u32 {
        let value = u64::from(key).to_ne_bytes();
        bpf(MapUpdateElem { map: &map, key: &key.to_ne_bytes(), value: &value, flags: ElemFlags::empty() })
            .unwrap();
    }
    let rows = walked("bpf_map_elem", "map, name", "", Scope::Map(&map));
    let wanted = vec![Cell::Number(map.info().unwrap().id.into()), unique("kwme").as_str().into()];
    assert_eq!(rows, vec![wanted; 3000]);
}
