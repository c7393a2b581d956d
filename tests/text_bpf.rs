//! What the text programs print of maps and programs is what bpftool says, and what the test itself made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use kwalk::Loaded;
use kwalk::sys::{
    ElemFlags, MapCreate, MapDeleteElem, MapFd, MapFlags, MapType, MapUpdateElem, ObjName, bpf,
};
use kwalk::text::{self, Options};

use crate::support::Need::{Bpf, Kernel, Root, Tool};
use crate::support::objects::{idle_program, text_program};
use crate::support::{Test, cat, counts_elements, kernel_version, stdout, test, unique};

pub fn tests() -> Vec<Test> {
    vec![
        test("maps_shows_every_map_with_its_entries", &[Bpf], maps_shows_every_map_with_its_entries),
        test("maps_agrees_with_bpftool", &[Bpf, Root, Tool("bpftool")], maps_agrees_with_bpftool),
        test("progs_shows_names_and_what_they_attach_to", &[Bpf], progs_shows_names_and_what_they_attach_to),
        test("progs_prefers_the_function_name", &[Bpf, Kernel(6, 1)], progs_prefers_the_function_name),
        test("progs_agrees_with_bpftool", &[Bpf, Root, Tool("bpftool")], progs_agrees_with_bpftool),
    ]
}

// maps

fn maps_header() -> &'static str {
    if counts_elements() {
        "  id name             max_entries  cur_entries"
    } else {
        "  id name             max_entries"
    }
}

fn map_row(id: u32, name: &str, max_entries: u32, entries: u64) -> String {
    if counts_elements() {
        format!("{id:>4} {name:<16}  {max_entries:>10}   {entries:>10}")
    } else {
        format!("{id:>4} {name:<16}{max_entries:>6}")
    }
}

/// The rows of `cat maps` by id; each id but once.
#[track_caller]
fn rows<'t>(text: &'t str, header: &str) -> BTreeMap<u32, &'t str> {
    let mut lines = text.strip_suffix('\n').expect("the last line ends").split('\n');
    assert_eq!(lines.next(), Some(header));
    let mut rows = BTreeMap::new();
    for line in lines {
        let id = line.split_whitespace().next().and_then(|id| id.parse().ok());
        let id = id.unwrap_or_else(|| panic!("{line:?} begins with no id"));
        assert_eq!(rows.insert(id, line), None, "{id} comes twice");
    }
    rows
}

fn map(map_type: MapType, name: &str, flags: MapFlags, (key, value, entries): (u32, u32, u32)) -> MapFd {
    let create =
        MapCreate { name: ObjName::new(name), flags, ..MapCreate::new(map_type, key, value, entries) };
    bpf(create).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn insert(map: &MapFd, keys: std::ops::Range<u32>) {
    let value = vec![0; map.value_size()];
    for key in keys {
        let update = MapUpdateElem { map, key: &key.to_ne_bytes(), value: &value, flags: ElemFlags::NOEXIST };
        bpf(update).expect("an element");
    }
}

fn maps_shows_every_map_with_its_entries() {
    let prefix = unique("m");
    let mut expected = Vec::new();
    let mut add = |map: &MapFd, name: &str, max_entries, entries| {
        expected.push((map.info().unwrap().id, name.to_owned(), max_entries, entries));
    };

    let mut maps = Vec::new();
    let sizes = [(1, 0), (1, 1), (7, 3), (1000, 999), (4096, 1), (100_000, 321)];
    for (nth, (max_entries, entries)) in (0..).zip(sizes) {
        for (letter, map_type, flags) in [
            ("h", MapType::HASH, MapFlags::empty()),
            ("n", MapType::HASH, MapFlags::NO_PREALLOC),
            ("a", MapType::ARRAY, MapFlags::empty()),
        ] {
            let name = format!("{prefix}{letter}{nth}");
            let map = map(map_type, &name, flags, (4, 8, max_entries));
            let is_array = map_type == MapType::ARRAY;
            if !is_array {
                insert(&map, 0..entries);
            }
            // An array has no count: its elements are always all there.
            add(&map, &name, max_entries, if is_array { 0 } else { entries });
            maps.push(map);
        }
    }
    // Far fewer elements than room, or the kernel would begin to forget them.
    let name = format!("{prefix}_lru");
    let lru = map(MapType::LRU_HASH, &name, MapFlags::empty(), (4, 100, 10_000));
    insert(&lru, 0..50);
    add(&lru, &name, 10_000, 50);
    // What was removed does not count, wherever it was removed.
    let name = format!("{prefix}_del");
    let deleted = map(MapType::HASH, &name, MapFlags::empty(), (4, 4, 64));
    insert(&deleted, 0..40);
    for key in 10..40u32 {
        bpf(MapDeleteElem { map: &deleted, key: &key.to_ne_bytes() }).unwrap();
    }
    insert(&deleted, 100..105);
    add(&deleted, &name, 64, 15);
    // Before 5.11 all that it may come to is charged beforehand.
    let most = if kernel_version() < (5, 11) { 1_000_000 } else { 2_000_000_000 };
    for (name, map_type, flags, sizes) in [
        ("x", MapType::PERCPU_ARRAY, MapFlags::empty(), (4, 8, 3)),
        ("", MapType::PERCPU_HASH, MapFlags::empty(), (16, 8, 12)),
        ("fifteen_letters", MapType::LRU_PERCPU_HASH, MapFlags::empty(), (4, 8, 512)),
        ("all_ten_columns", MapType::LPM_TRIE, MapFlags::NO_PREALLOC, (8, 1, most)),
    ] {
        let map = map(map_type, name, flags, sizes);
        add(&map, name, sizes.2, 0);
        maps.push(map);
    }

    let text = cat(["maps"]);
    let rows = rows(&text, maps_header());
    assert!(expected.len() >= 20);
    for (id, name, max_entries, entries) in expected {
        assert_eq!(rows.get(&id), Some(&&*map_row(id, &name, max_entries, u64::from(entries))), "{name}");
    }
    assert!(rows.keys().is_sorted() && text.lines().skip(1).map(|row| row[..4].trim()).all(|id| id != "0"));
}

/// What `bpftool KIND show` says: each object's id and its lines.
fn bpftool(kind: &str) -> BTreeMap<u32, String> {
    let text = stdout(Command::new("bpftool").args([kind, "show"]));
    let mut objects: BTreeMap<u32, String> = BTreeMap::new();
    for line in text.lines() {
        if !line.starts_with(char::is_whitespace) {
            let id = line.split(':').next().and_then(|id| id.parse().ok());
            objects.insert(id.unwrap_or_else(|| panic!("{line:?} begins with no id")), String::new());
        }
        let mut last = objects.last_entry().expect("an object's first line is not indented");
        writeln!(last.get_mut(), "{line}").unwrap();
    }
    objects
}

/// The word that follows `key` in what bpftool says.
fn word<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == key)?;
    words.next()
}

/// Walks between two looks by bpftool, and gives the rows of the objects that were there all the time. Rows of objects
/// in neither look can only be of such as have come after the first.
#[track_caller]
fn between<'t>(
    walked: &'t (BTreeMap<u32, String>, String, BTreeMap<u32, String>),
    header: &str,
) -> Vec<(u32, &'t str, &'t str)> {
    let (before, text, after) = walked;
    let rows = rows(text, header);
    let last = before.last_key_value().map_or(0, |(id, _)| *id);
    for id in rows.keys().filter(|id| !before.contains_key(id) && !after.contains_key(id)) {
        assert!(*id > last, "{id}: bpftool does not know it");
    }
    let lasting = before.iter().filter(|(id, _)| after.contains_key(id));
    let lasting = lasting.map(|(id, said)| {
        (*id, rows.get(id).copied().unwrap_or_else(|| panic!("{id} is not shown: {said}")), said.as_str())
    });
    lasting.collect()
}

fn maps_agrees_with_bpftool() {
    let name = unique("agree");
    let made: Vec<_> =
        (1..6).map(|nth| map(MapType::HASH, &name, MapFlags::empty(), (4, 4, 10 * nth))).collect();
    let walked = (bpftool("map"), cat(["maps"]), bpftool("map"));
    let rows = between(&walked, maps_header());
    for (id, row, said) in &rows {
        let name = word(said.lines().next().unwrap(), "name").unwrap_or_default();
        let max_entries: u32 = word(said, "max_entries").expect("bpftool says it").parse().unwrap();
        let whole = map_row(*id, name, max_entries, 0);
        let (known, entries) = row.split_at(if counts_elements() { row.len() - 10 } else { row.len() });
        assert_eq!(known, &whole[..known.len()], "{said}");
        assert!(
            !counts_elements()
                || entries.trim_start().parse::<u32>().is_ok_and(|entries| entries <= max_entries),
            "{row}"
        );
    }
    for map in made {
        let id = map.info().unwrap().id;
        assert!(rows.iter().any(|(known, ..)| *known == id), "bpftool does not show {id}");
    }
}

// progs

const PROGS_HEADER: &str = "  id name             attached";

fn prog_row(id: u32, name: &str, function: &str) -> String {
    format!("{id:>4} {name:<16} {function} ")
}

fn loaded(name: &str) -> Loaded {
    Loaded::load(&text_program(name, &Options::default())).unwrap()
}

fn progs_shows_names_and_what_they_attach_to() {
    let mut expected = Vec::new();
    let iterators: Vec<_> = text::PROGRAMS.iter().map(|program| loaded(program.name)).collect();
    for (loaded, program) in iterators.iter().zip(text::PROGRAMS) {
        let id = loaded.fd().info().unwrap().id;
        expected.push((id, prog_row(id, program.name, &format!("bpf_iter_{}", program.target.name))));
    }
    let names = ["", "q", "exactly_fifteen"];
    let others: Vec<_> = names.iter().map(|name| idle_program(name, None)).collect();
    for (other, name) in others.iter().zip(names) {
        let id = other.info().unwrap().id;
        expected.push((id, prog_row(id, name, "")));
    }
    let text = cat(["progs"]);
    let rows = rows(&text, PROGS_HEADER);
    for (id, row) in expected {
        assert_eq!(rows.get(&id), Some(&&*row));
    }
    assert!(rows.values().any(|row| row.ends_with(" progs            bpf_iter_bpf_prog ")), "not itself");
}

/// Which can have more than 127 bytes since 6.1.
fn progs_prefers_the_function_name() {
    let long = "a_function_whose_name_does_not_fit_into_the_fifteen_bytes_of_a_program_name";
    // As much as the kernel prints of texts in a row, but for two empty ones; and as long as a name may be.
    let (fits, longest) = ("x".repeat(505), "x".repeat(511));
    let made = [("a_function_whos", long), ("", "sixteen_letters_"), ("other", "f"), ("fits", &fits)]
        .map(|(name, function)| (idle_program(name, Some(function)), function));
    let too_long = idle_program("too_long", Some(&longest));
    let text = cat(["progs"]);
    let rows = rows(&text, PROGS_HEADER);
    for (prog, function) in made {
        let id = prog.info().unwrap().id;
        assert_eq!(rows.get(&id), Some(&&*prog_row(id, function, "")));
    }
    let id = too_long.info().unwrap().id;
    assert_eq!(rows.get(&id), Some(&&*prog_row(id, "too_long", "")));
}

fn progs_agrees_with_bpftool() {
    let function = "bpftool_shows_functions_too_where_the_name_is_cut";
    let made = [
        idle_program("bpftool_shows_f", Some(function)),
        idle_program("agree", None),
        idle_program("", None),
        idle_program("fifteen_letters", None),
    ];
    let loaded = loaded("task_file");
    let walked = (bpftool("prog"), cat(["progs"]), bpftool("prog"));
    let rows = between(&walked, PROGS_HEADER);
    for (id, row, said) in &rows {
        let name = word(said.lines().next().unwrap(), "name").unwrap_or_default();
        // bpftool looks for the function's name only where the program's name is as long as it can be.
        if word(said, "btf_id").is_none() || name.len() >= 15 {
            assert!(row.starts_with(&format!("{id:>4} {name:<16} ")), "{row:?}: {said}");
        }
    }
    for made in made.iter().chain([loaded.fd()]) {
        let id = made.info().unwrap().id;
        assert!(rows.iter().any(|(known, ..)| *known == id), "bpftool does not show {id}");
    }
    let (_, row, said) = rows.iter().find(|(id, ..)| *id == made[0].info().unwrap().id).unwrap();
    assert!(row.contains(function) && said.contains(function), "{row:?}: {said}");
}
