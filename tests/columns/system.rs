//! Of `cgroup`, `ksym`, `kmem_cache` and `dmabuf`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use kwalk::Scope;
use kwalk::btf::Kind;
use kwalk::progs::targets;
use kwalk::sys::{CgroupOrder, CgroupStart};

use super::cell::{Cell, found, one, tells, walked};
use super::child::Child;
use super::net::settled;
use super::task::{CGROUPS, Cgroup};
use crate::support::Need::{Bpf, Jit, Root, Target, Tool};
use crate::support::objects::idle_program;
use crate::support::{Need, Test, eventually, running, test, unique};

const CGROUP: Need = Target(&targets::cgroup::TARGET);
const KSYM: Need = Target(&targets::ksym::TARGET);
const CACHE: Need = Target(&targets::kmem_cache::TARGET);
/// Where the machine code of BPF programs has names.
const PROGRAMS: Need = Need::That("net.core.bpf_jit_kallsyms=1", || {
    fs::read_to_string("/proc/sys/net/core/bpf_jit_kallsyms").is_ok_and(|set| set.trim() == "1")
});
const DMABUF: Need = Target(&targets::dmabuf::TARGET);

pub fn tests() -> Vec<Test> {
    vec![
        test("cgroup_is_the_tree", &[Bpf, Root, CGROUP, CGROUPS], cgroup_is_the_tree),
        test("cgroup_frozen", &[Bpf, Root, CGROUP, CGROUPS], cgroup_frozen),
        test("cgroup_dying", &[Bpf, Root, CGROUP, CGROUPS], cgroup_dying),
        test("ksym_is_kallsyms", &[Bpf, Root, KSYM], ksym_is_kallsyms),
        test("ksym_of_a_program", &[Bpf, Root, Jit, KSYM, PROGRAMS], ksym_of_a_program),
        test("kmem_cache_is_slabinfo", &[Bpf, Root, CACHE], kmem_cache_is_slabinfo),
        test("kmem_cache_is_sysfs", &[Bpf, Root, CACHE, Need::File("/sys/kernel/slab")], kmem_cache_is_sysfs),
        test(
            "dmabuf_is_what_was_made",
            &[Bpf, Root, DMABUF, Tool("python3"), Need::File("/dev/udmabuf")],
            dmabuf,
        ),
    ]
}

const COLUMNS: &str = "id, path, level, populated, descendants, frozen, dying";

fn walk(cgroup: &Cgroup, order: CgroupOrder, condition: &str) -> Vec<Vec<Cell>> {
    let file = fs::File::open(&cgroup.0).unwrap();
    let start = CgroupStart::Id(file.metadata().unwrap().ino());
    walked("cgroup", COLUMNS, condition, Scope::Cgroup { order, start })
}

fn cgroup_is_the_tree() {
    let top = Cgroup::new(&unique("kwct"));
    let a = top.below("a".as_ref());
    let b = a.below(OsStr::from_bytes(b"b\x1b[1m \xff"));
    let long = top.below("l".repeat(255).as_ref());
    // They go before their cgroup does.
    let (child, other) = (Child::new(["look"]), Child::new(["look"]));
    b.take(child.pid());
    // Of its own tasks and of those below, it counts two sets.
    a.take(other.pid());
    let said = |cgroup: &Cgroup, file: &str, key: &str| {
        let text = fs::read_to_string(cgroup.0.join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().parse::<i128>().unwrap()
    };
    let level = |cgroup: &Cgroup| cgroup.path().iter().filter(|byte| **byte == b'/').count() as i128;
    let agrees = |row: &[Cell], cgroup: &Cgroup| {
        assert_eq!(row[0], i128::from(fs::metadata(&cgroup.0).unwrap().ino()));
        assert_eq!(row[1], *cgroup.path());
        assert_eq!(row[2], level(cgroup));
        assert_eq!(row[3], said(cgroup, "cgroup.events", "populated"));
        assert_eq!(row[4], said(cgroup, "cgroup.stat", "nr_descendants"));
        assert_eq!(row[5], 0);
        assert_eq!(row[6], said(cgroup, "cgroup.stat", "nr_dying_descendants"));
    };
    for (order, wanted) in [
        (CgroupOrder::DESCENDANTS_PRE, [&top, &a, &b, &long]),
        (CgroupOrder::DESCENDANTS_POST, [&b, &a, &long, &top]),
    ] {
        let rows = walk(&top, order, "");
        assert_eq!(rows.len(), 4);
        for (row, cgroup) in rows.iter().zip(wanted) {
            agrees(row, cgroup);
        }
    }
    let up = walk(&b, CgroupOrder::ANCESTORS_UP, "");
    for (row, cgroup) in up.iter().zip([&b, &a, &top]) {
        agrees(row, cgroup);
    }
    let root = up.last().unwrap();
    assert!(root[1] == "/" && root[2] == 0, "{root:?}");
    let ids = |condition: &str| {
        let rows = walk(&top, CgroupOrder::DESCENDANTS_PRE, condition);
        rows.iter().map(|row| row[0].number() as u64).collect::<Vec<_>>()
    };
    let id = |cgroup: &Cgroup| fs::metadata(&cgroup.0).unwrap().ino();
    assert_eq!(ids("populated"), [id(&top), id(&a), id(&b)]);
    assert_eq!(ids("descendants = 0 and not populated"), [id(&long)]);
    assert_eq!(ids(&format!("path like '/{}/a%'", unique("kwct"))), [id(&a), id(&b)]);
    assert_eq!(ids(&format!("path = '/{}'", unique("kwct"))), [id(&top)]);
}

fn cgroup_frozen() {
    let top = Cgroup::new(&unique("kwcf"));
    let child = Child::new(["look"]);
    top.take(child.pid());
    let frozen = || walk(&top, CgroupOrder::SELF_ONLY, "")[0][5].number();
    assert_eq!(frozen(), 0);
    fs::write(top.0.join("cgroup.freeze"), "1").unwrap();
    let said = || fs::read_to_string(top.0.join("cgroup.events")).unwrap();
    eventually("the cgroup is frozen", || said().contains("frozen 1"));
    assert_eq!(frozen(), 1);
    fs::write(top.0.join("cgroup.freeze"), "0").unwrap();
}

/// A socket keeps the cgroup that it was made in.
fn cgroup_dying() {
    let top = Cgroup::new(&unique("kwcy"));
    let gone = top.below("gone".as_ref());
    let joined = |cgroup: &Cgroup| format!("join={}", cgroup.0.to_str().unwrap());
    let child = Child::new([&*joined(&gone), "socket", &joined(&top)]);
    fs::remove_dir(&gone.0).unwrap();
    let text = fs::read_to_string(top.0.join("cgroup.stat")).unwrap();
    let said = text.lines().find_map(|line| line.strip_prefix("nr_dying_descendants ")).unwrap();
    tells("dying", &walk(&top, CgroupOrder::SELF_ONLY, "")[0][6], said.parse::<i128>().unwrap());
    drop(child);
}

/// Its symbol is in no module, but has the name of one.
fn ksym_of_a_program() {
    let name = unique("kwks");
    let _prog = idle_program(&name, Some(&name));
    let text = fs::read_to_string("/proc/kallsyms").unwrap();
    let line = text.lines().find(|line| line.ends_with(&format!("_{name}\t[bpf]"))).unwrap();
    let words: Vec<&str> = line.split([' ', '\t']).collect();
    let row = one("ksym", "address, type, name, module", &format!("name = '{}'", words[2]));
    tells("address", &row[0], i128::from_str_radix(words[0], 16).unwrap());
    tells("type", &row[1], words[1]);
    tells("name", &row[2], words[2]);
    tells("module", &row[3], "bpf");
}

fn ksym_is_kallsyms() {
    // What a module or a program brings while this looks changes the end of it.
    let look = || {
        let text = fs::read_to_string("/proc/kallsyms").unwrap();
        // Programs come and go, that of the walk itself among them.
        text.lines().filter(|line| !line.ends_with("\t[bpf]")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (lines, rows) = settled(look, || found("ksym", "address, type, name, module", ""));
    let rows: Vec<_> = rows.into_iter().filter(|row| row[3] != "bpf").collect();
    assert!(lines.len() > 20_000);
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(lines) {
        let mut words = line.split([' ', '\t']);
        let address = i128::from_str_radix(words.next().unwrap(), 16).unwrap();
        assert!(
            row[0] == address && row[1] == words.next().unwrap() && row[2] == words.next().unwrap(),
            "{row:?} {line}"
        );
        let module = words.next().unwrap_or("[]");
        assert_eq!(row[3], module[1..module.len() - 1]);
    }
    let text = found("ksym", "name", "type = 't' and name like 'bpf\\_iter\\_%'");
    assert!(text.is_empty(), "a backslash is itself");
    let wanted = rows.iter().filter(|row| row[1] == "T" && row[2].text().starts_with(b"bpf_map_")).count();
    assert_eq!(found("ksym", "name", "type = 'T' and name like 'bpf_map_%' and module = ''").len(), wanted);
}

fn kmem_cache_is_slabinfo() {
    let text = fs::read_to_string("/proc/slabinfo").unwrap();
    let rows = found("kmem_cache", "name, size, object, align, flags, refs, per_slab", "");
    let rows: BTreeMap<String, Vec<Cell>> =
        rows.into_iter().map(|row| (String::from_utf8(row[0].text().to_vec()).unwrap(), row)).collect();
    let mut names = BTreeSet::new();
    for line in text.lines().skip(2) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let row = &rows[words[0]];
        names.insert(words[0].to_owned());
        let number = |nth: usize| words[nth].parse::<i128>().unwrap();
        // The file's object size is the room that an object takes.
        assert_eq!(row[1], number(3), "{line}: {row:?}");
        assert!(row[2].number() <= number(3) && row[2].number() > 0, "{line}: {row:?}");
        assert!(row[3].number() > 0 && row[5].number() != 0, "{line}: {row:?}");
        assert_eq!(row[6], number(4), "{line}: {row:?}");
        let sys = |file: &str| {
            let text = fs::read_to_string(format!("/sys/kernel/slab/{}/{file}", words[0])).ok()?;
            text.trim().parse::<i128>().ok()
        };
        for (cell, file) in
            [(&row[1], "slab_size"), (&row[2], "object_size"), (&row[3], "align"), (&row[6], "objs_per_slab")]
        {
            if let Some(said) = sys(file) {
                assert_eq!(*cell, said, "{}: {file}", words[0]);
            }
        }
    }
    assert!(names.len() > 50);
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), names);
    let large = rows.values().filter(|row| row[1].number() > 1024).count();
    assert_eq!(found("kmem_cache", "name", "size > '1K'").len(), large);
    assert_eq!(found("kmem_cache", "name", "name = 'task_struct' and size >= object").len(), 1);
}

/// The files there that are 1 for a flag, with its bit's name since Linux 6.9 and the flag before.
const SLAB_FLAGS: &[(&str, &str, i128)] = &[
    ("hwcache_align", "_SLAB_HWCACHE_ALIGN", 0x2000),
    ("reclaim_account", "_SLAB_RECLAIM_ACCOUNT", 0x2_0000),
    ("destroy_by_rcu", "_SLAB_TYPESAFE_BY_RCU", 0x8_0000),
];

fn kmem_cache_is_sysfs() {
    let btf = running().btf;
    let bits = btf.find(Kind::Enum, "_slab_flag_bits");
    let flag = |name: &str, old: i128| match bits {
        Ok(bits) => {
            let mut all = btf.enumerators(bits).unwrap().map(Result::unwrap);
            1 << all.find(|one| one.name == name).unwrap().value
        }
        Err(_) => old,
    };
    let (mut seen, mut merged) = (BTreeSet::new(), 0);
    for row in found("kmem_cache", "name, flags, refs", "") {
        let dir = Path::new("/sys/kernel/slab").join(OsStr::from_bytes(row[0].text()));
        let said = |file: &str| {
            let text = fs::read_to_string(dir.join(file)).ok()?;
            text.trim().parse::<i128>().ok()
        };
        // Some are not there, as those of a cgroup's own before 5.9.
        let Some(aliases) = said("aliases") else { continue };
        merged += i128::from(aliases > 0);
        tells("refs", &row[2], aliases + 1);
        for (file, name, old) in SLAB_FLAGS {
            let is_set = said(file) == Some(1);
            assert_eq!(row[1].number() & flag(name, *old) != 0, is_set, "{row:?} {file}");
            if is_set {
                seen.insert(file);
            }
        }
    }
    assert_eq!(seen.len(), SLAB_FLAGS.len());
    assert!(merged > 0);
}

fn dmabuf() {
    const MAKE: &str = "
import fcntl, os, struct, sys
memory = os.memfd_create('m', os.MFD_ALLOW_SEALING)
os.ftruncate(memory, 3 << 12)
fcntl.fcntl(memory, 1033, 2)
device = os.open('/dev/udmabuf', os.O_RDWR)
made = fcntl.ioctl(device, 0x40187542, struct.pack('IIQQ', memory, 1, 0, 3 << 12))
fcntl.ioctl(made, 0x40086201, b'its name\\0')
print(os.fstat(made).st_ino, flush=True)
sys.stdin.read(1)
";
    use std::io::{BufRead, BufReader};
    let mut child = Command::new("python3")
        .args(["-c", MAKE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let inode: i128 = line.trim().parse().unwrap();
    let rows = found("dmabuf", "inode, size, exporter, name", &format!("inode = {inode}"));
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0][0] == inode && rows[0][1] == 3 << 12 && rows[0][2] == "udmabuf" && rows[0][3] == "its name",
        "{rows:?}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
