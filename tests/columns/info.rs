//! Of `bpf_map`, `bpf_prog` and `bpf_link`, beside what bpf(2) says of the same objects.

use kwalk::progs::{btf_names, targets};
use kwalk::sys::{
    AttachType, BtfLoad, LinkFd, MapBtf, MapCreate, MapFd, MapFlags, MapFreeze, MapType, ObjName,
    ProgBindMap, ProgFd, ProgFlags, ProgLoad, bpf, open_id,
};
use nix::unistd::{Uid, setresuid};

use super::cell::{one, tells};
use super::task::since_boot;
use crate::support::Need::{Bpf, Kernel, Root, Target};
use crate::support::objects::{function_btf, idle_program, small_map};
use crate::support::pins::attach;
use crate::support::{Need, Test, running, test, test_alone, unique};

const BPF: &[Need] = &[Bpf, Root];
const LINK: &[Need] = &[Bpf, Root, Target(&targets::bpf_link::TARGET)];
/// Since when iterators may sleep.
const SLEEPABLE: &[Need] = &[Bpf, Root, Kernel(5, 18)];

pub fn tests() -> Vec<Test> {
    vec![
        test("bpf_map_is_what_bpf_says", BPF, maps),
        test_alone("bpf_prog_is_what_bpf_says", BPF, progs),
        test("bpf_prog_may_sleep", SLEEPABLE, sleepable),
        test_alone("bpf_link_is_what_bpf_says", LINK, links),
    ]
}

/// This process becomes another user's, and keeps its privileges.
fn another_user() -> u32 {
    let user = 1_600_000_000 + std::process::id();
    setresuid(Uid::from_raw(user), Uid::from_raw(0), Uid::from_raw(0)).unwrap();
    user
}

fn maps() {
    let btf = bpf(BtfLoad { btf: &function_btf("f", ""), log: None }).unwrap();
    let btf = Some(MapBtf { btf: &btf, key_type_id: 1, value_type_id: 1 });
    let name = unique("kwin");
    let create = MapCreate {
        name: ObjName::new(&name),
        flags: MapFlags::NO_PREALLOC,
        btf,
        ..MapCreate::new(MapType::HASH, 4, 4, 77)
    };
    let map = bpf(create).unwrap();
    let info = map.info().unwrap();
    // Three descriptors.
    let _more: [MapFd; 2] = [open_id(info.id).unwrap(), open_id(info.id).unwrap()];
    bpf(MapFreeze { map: &map }).unwrap();
    let row = one(
        "bpf_map",
        "id, type, name, key, value, max, flags, refs, frozen, btf",
        &format!("id = {}", info.id),
    );
    tells("id", &row[0], info.id);
    tells("type", &row[1], info.map_type.0);
    assert_eq!(row[1], "BPF_MAP_TYPE_HASH");
    tells("name", &row[2], &*info.name.to_string());
    tells("key", &row[3], info.key_size);
    tells("value", &row[4], info.value_size);
    tells("max", &row[5], info.max_entries);
    tells("flags", &row[6], info.flags.bits());
    tells("refs", &row[7], 3_u32);
    tells("frozen", &row[8], 1_u32);
    tells("btf", &row[9], info.btf_id);
    assert_eq!(info.name.to_string(), name);
}

fn progs() {
    let user = another_user();
    let before = since_boot();
    let plain = idle_program(&unique("kwpi"), Some("its_function"));
    let after = since_boot();
    bpf(ProgBindMap { prog: &plain, map: &small_map("m") }).unwrap();
    let info = plain.info().unwrap();
    let columns = "id, type, name, insns, jited, loaded, uid, maps, verified, btf";
    let row = one("bpf_prog", columns, &format!("id = {}", info.id));
    tells("id", &row[0], info.id);
    tells("type", &row[1], info.prog_type.0);
    tells("name", &row[2], &*unique("kwpi"));
    tells("insns", &row[3], info.xlated_prog_len / 8);
    if running().has_jit {
        tells("jited", &row[4], info.jited_prog_len);
    }
    tells("loaded", &row[5], info.load_time);
    assert!((before..=after).contains(&row[5].number()));
    tells("uid", &row[6], user);
    assert_eq!(info.created_by_uid, user);
    tells("maps", &row[7], info.nr_map_ids);
    if !row[8].is_absent() {
        tells("verified", &row[8], info.verified_insns);
    }
    tells("btf", &row[9], info.btf_id);
    // One that attaches.
    let link = attach("progs", &unique("kwpj"));
    let row = one("bpf_prog", "attach, function", &format!("id = {}", link.info().unwrap().prog_id));
    tells("attach", &row[0], AttachType::TRACE_ITER.0);
    tells("function", &row[1], "bpf_iter_bpf_prog");
}

fn sleepable() {
    let (function, _) = btf_names("task");
    let btf_id = running().btf.find(kwalk::btf::Kind::Func, &function).unwrap();
    let insns = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    for (flags, wanted) in [(ProgFlags::SLEEPABLE, 1), (ProgFlags::empty(), 0)] {
        let prog = bpf(ProgLoad { flags, ..ProgLoad::iter(&insns, c"Dual MIT/GPL", btf_id.0) }).unwrap();
        let row = one("bpf_prog", "sleepable", &format!("id = {}", prog.info().unwrap().id));
        assert_eq!(row[0], wanted);
    }
}

fn links() {
    let user = another_user();
    let name = unique("kwlk");
    let link = attach("maps", &name);
    let info = link.info().unwrap();
    let _also: LinkFd = open_id(info.id).unwrap();
    let prog = open_id::<ProgFd>(info.prog_id).unwrap().info().unwrap();
    let row =
        one("bpf_link", "id, type, prog, name, attach, function, loaded, uid", &format!("id = {}", info.id));
    tells("id", &row[0], info.id);
    tells("type", &row[1], info.link_type.0);
    tells("prog", &row[2], info.prog_id);
    tells("name", &row[3], &*prog.name.to_string());
    tells("attach", &row[4], AttachType::TRACE_ITER.0);
    tells("function", &row[5], format!("bpf_iter_{}", info.iter.unwrap().target).as_str());
    tells("loaded", &row[6], prog.load_time);
    tells("uid", &row[7], user);
    assert_eq!((prog.name.to_string(), prog.created_by_uid), (name, user));
}
