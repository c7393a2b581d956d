//! A walk of a map's elements shows each once; and a map is found by its id, its name or its pin, or it is said why not.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

use kwalk::asm::{Helper, Reg::*};
use kwalk::progs::{Builder, SEQ, targets};
use kwalk::sys::{ElemFlags, MapCreate, MapFd, MapType, MapUpdateElem, ObjName, bpf};
use kwalk::{Error, Loaded, MapError, MapName, Scope};

use crate::support::objects::{idle_program, pin_object, small_map};
use crate::support::rows::{all, number, opened};
use crate::support::{Bpffs, Need, Test, kwalk, refused, running, stdout, test, unique};

const BPF: &[Need] = &[Need::Bpf];
const ROOT: &[Need] = &[Need::Bpf, Need::Root];

pub fn tests() -> Vec<Test> {
    vec![
        test("each_element_is_shown_once", BPF, each_element_is_shown_once),
        test("each_key_is_shown_once", BPF, each_key_is_shown_once),
        test("a_map_s_sockets_are_walked", BPF, a_map_s_sockets_are_walked),
        test("maps_of_other_types_are_refused", BPF, maps_of_other_types_are_refused),
        test("other_targets_take_no_map", BPF, other_targets_take_no_map),
        test("a_map_has_an_id_a_name_and_a_pin", ROOT, a_map_has_an_id_a_name_and_a_pin),
        test("a_map_that_is_none_is_refused", ROOT, a_map_that_is_none_is_refused),
        test("the_command_walks_maps", ROOT, the_command_walks_maps),
        test("a_name_of_several_maps_names_their_ids", ROOT, a_name_of_several_maps_names_their_ids),
    ]
}

const COUNT: u32 = 100_000;

/// A map with room for [`COUNT`] elements.
fn map(map_type: MapType) -> MapFd {
    let map = bpf(MapCreate::new(map_type, 4, 8, COUNT)).unwrap();
    if map_type == MapType::HASH {
        fill(&map);
    }
    map
}

fn fill(map: &MapFd) {
    for nth in 0..COUNT {
        let (key, value) = (&nth.to_ne_bytes(), &u64::from(nth).to_ne_bytes());
        bpf(MapUpdateElem { map, key, value, flags: ElemFlags::empty() }).unwrap();
    }
}

fn each_element_is_shown_once() {
    for map_type in [MapType::HASH, MapType::ARRAY, MapType::PERCPU_ARRAY] {
        let map = map(map_type);
        let rows = opened("bpf_map_elem", ["map.id"], Scope::Map(&map));
        let ids = all(rows.unwrap(), |row| number(&row[0])).unwrap();
        assert_eq!(ids.len(), COUNT as usize, "{map_type:?}");
        let own = u64::from(map.info().unwrap().id);
        assert!(ids.iter().all(|id| *id == own), "{map_type:?}");
    }
}

/// A program that writes keys, since they are no fields.
fn each_key_is_shown_once() {
    let kernel = running();
    let mut walk = Builder::new(&kernel, &targets::bpf_map_elem::TARGET).unwrap();
    let done = walk.asm.label();
    walk.object(R7, done).unwrap();
    walk.asm.mov(R1, SEQ);
    walk.asm.mov(R2, R7);
    walk.asm.mov(R3, 4);
    walk.asm.call(Helper::SeqWrite);
    let program = walk.finish("keys", done).unwrap();
    for map_type in [MapType::HASH, MapType::ARRAY, MapType::PERCPU_ARRAY] {
        let map = map(map_type);
        let link = Loaded::load(&program).unwrap().attach(&Scope::Map(&map)).unwrap();
        let mut iter = link.iter().unwrap();
        let mut bytes = Vec::new();
        while let chunk @ [_, ..] = iter.next_chunk().unwrap() {
            bytes.extend_from_slice(chunk);
        }
        let mut keys: Vec<_> =
            bytes.chunks(4).map(|key| u32::from_ne_bytes(key.try_into().unwrap())).collect();
        keys.sort_unstable();
        assert!(keys.into_iter().eq(0..COUNT), "{map_type:?}");
    }
}

/// Sockets have a port by which they are told apart.
fn a_map_s_sockets_are_walked() {
    let map = bpf(MapCreate::new(MapType::SOCKMAP, 4, 4, 8)).unwrap();
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    for (index, fd) in [(1_u32, tcp.as_raw_fd()), (6, udp.as_raw_fd())] {
        let (key, value) = (&index.to_ne_bytes(), &(fd as u32).to_ne_bytes());
        bpf(MapUpdateElem { map: &map, key, value, flags: ElemFlags::empty() }).unwrap();
    }
    let rows = opened("sockmap", ["sk.__sk_common.skc_num"], Scope::Map(&map));
    let ports = all(rows.unwrap(), |row| number(&row[0])).unwrap();
    let wanted = [tcp.local_addr(), udp.local_addr()].map(|address| u64::from(address.unwrap().port()));
    assert_eq!(ports, wanted);
}

fn maps_of_other_types_are_refused() {
    let array = small_map("kw_array");
    let trie = {
        use kwalk::sys::MapFlags;
        bpf(MapCreate { flags: MapFlags::NO_PREALLOC, ..MapCreate::new(MapType::LPM_TRIE, 8, 4, 1) }).unwrap()
    };
    for (target, field, map) in [
        ("bpf_map_elem", "map.id", &trie),
        ("sockmap", "map.id", &array),
        ("bpf_sk_storage_map", "map.id", &array),
    ] {
        let error = opened(target, [field], Scope::Map(map)).unwrap_err();
        let number = map.map_type().0;
        assert_eq!(
            error.to_string(),
            format!("target {target}: it does not walk maps of this type ({number})")
        );
        assert!(matches!(error, Error::MapType { map_type, .. } if map_type.0 == number));
    }
}

fn other_targets_take_no_map() {
    let map = small_map("kw_other");
    for (target, field, scope) in [
        ("task", "pid", Scope::Map(&map)),
        ("tcp", "skc_num", Scope::Map(&map)),
        ("bpf_map_elem", "map.id", Scope::All),
    ] {
        let error = opened(target, [field], scope).unwrap_err();
        assert!(matches!(&error, Error::Scope { target: of, .. } if of == target), "{error}");
    }
}

fn a_map_has_an_id_a_name_and_a_pin() {
    let name = unique("kwm");
    let map = small_map(&name);
    let id = map.info().unwrap().id;
    let bpffs = Bpffs::mount();
    let pin = bpffs.path("pin");
    pin_object(&map, &pin);
    for text in [format!("id:{id}"), format!("name:{name}"), pin.to_str().unwrap().to_owned()] {
        let named = MapName::new(&text).unwrap();
        assert_eq!(named.to_string(), text);
        assert_eq!(named.open().unwrap().info().unwrap().id, id, "{text}");
    }
}

fn the_command_walks_maps() {
    let name = unique("kwc");
    let create = MapCreate { name: ObjName::new(&name), ..MapCreate::new(MapType::HASH, 4, 8, COUNT) };
    let map = bpf(create).unwrap();
    fill(&map);
    let bpffs = Bpffs::mount();
    let pin = bpffs.path("pin");
    pin_object(&map, &pin);
    let id = format!("id:{}", map.info().unwrap().id);
    for what in [&id, &format!("name:{name}"), pin.to_str().unwrap()] {
        let args = ["bpf_map_elem", "--map", what];
        assert_eq!(stdout(kwalk(args).arg("--count")), format!("{COUNT}\n"), "{what}");
        let printed = stdout(kwalk(args).args(["-f", "key, value", "-o", "csv"]));
        let mut lines: Vec<_> = printed.lines().skip(1).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), COUNT as usize, "{what}");
    }
    let plan = stdout(&mut kwalk(["bpf_map_elem", "--map", &id, "--explain"]));
    assert!(plan.contains(&format!("map = {id}")), "{plan}");

    let wrong = "it can't be walked with these parameters";
    refused(&mut kwalk(["bpf_map_elem"]), 2, &format!("target bpf_map_elem: {wrong}"), "--map WHAT");
    refused(&mut kwalk(["tcp", "--map", &id]), 2, &format!("target tcp: {wrong}"), "[--netns PATH|PID|all]");
    let args = ["sockmap", "--map", &id];
    refused(&mut kwalk(args), 1, "target sockmap: it does not walk maps of this type (1)", "sockhashes");
    let args = ["bpf_map_elem", "--map", "id:x"];
    let why = "invalid value 'id:x' for '--map <WHAT>': map id:x: an id is a number from 1 on";
    refused(&mut kwalk(args), 2, why, "id:N");
    let args = ["bpf_map_elem", "--map", "name:no_such_map_at_all"];
    refused(&mut kwalk(args), 1, "map name:no_such_map_at_all: there is no such map", "id:N");
}

/// Why a map can't be opened.
#[track_caller]
fn refusal(text: &str) -> Error {
    MapName::new(text).and_then(|name| name.open()).unwrap_err()
}

fn a_map_that_is_none_is_refused() {
    for text in ["id:", "id:x", "id:0", "id:-1", "id:+1", "id: 1", "id:4294967296"] {
        assert_eq!(refusal(text).to_string(), format!("map {text}: an id is a number from 1 on"));
    }
    assert_eq!(refusal("name:").to_string(), "map name:: the name is empty");
    for text in ["id:4294967295", "name:no_such_map_at_all", "no_such_file"] {
        assert_eq!(refusal(text).to_string(), format!("map {text}: there is no such map"));
    }
    let name = unique("kwnear");
    let _map = small_map(&name);
    let error = refusal(&format!("name:{name}x"));
    let Error::Map { reason: MapError::None { near }, .. } = &error else { panic!("{error}") };
    assert_eq!(*near, [format!("name:{name}")]);

    let bpffs = Bpffs::mount();
    let program = bpffs.path("program");
    pin_object(idle_program("kw_idle", None), &program);
    assert_eq!(
        refusal(program.to_str().unwrap()).to_string(),
        format!("{}: it is not a map", program.display())
    );
    let file = crate::support::dir();
    let file = file.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, why) in [(bpffs.path("gone"), "No such file"), (file, "it is not a map")] {
        let message = refusal(path.to_str().unwrap()).to_string();
        assert!(message.starts_with(&format!("{}: {why}", path.display())), "{message}");
    }
}

fn a_name_of_several_maps_names_their_ids() {
    let name = unique("kwsev");
    let maps = [small_map(&name), small_map(&name), small_map(&name)];
    let mut known = maps.each_ref().map(|map| map.info().unwrap().id).to_vec();
    known.sort_unstable();
    let error = MapName::Name(name.clone()).open().unwrap_err();
    assert_eq!(error.to_string(), format!("map name:{name}: there are 3 maps of this name"));
    let Error::Map { reason: MapError::Several { ids }, .. } = &error else { panic!("{error}") };
    assert_eq!(*ids, known);
}
