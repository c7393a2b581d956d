//! `kwalk fields`: the tree is that of the types, as other readers of them have it, and what does not exist is refused.

#[path = "../btf/tests/blob/builder.rs"]
#[allow(dead_code, reason = "these tests write a few types alone")]
mod builder;

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use btf_rs::{BtfType, Type};
use builder::{Builder, SIGNED, VOID, bits};
use kwalk::btf::{Btf, Kind, TypeId};
use kwalk::progs::available;
use kwalk::select::{Select, Show, Source, named_columns, sql};
use tempfile::TempDir;

use crate::support::{Need, Test, dir, failure, kwalk, refused, running, stdout, test};

const NONE: &[Need] = &[];
const BTF: &[Need] = &[Need::Bpf];

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

pub fn tests() -> Vec<Test> {
    vec![
        test("the_columns_of_this_kernel_come_first", NONE, the_columns_of_this_kernel_come_first),
        test("the_arguments_come_first", NONE, the_arguments_come_first),
        test("a_path_leads_below_itself", NONE, a_path_leads_below_itself),
        test("a_path_begins_with_an_argument_or_the_object", NONE, a_path_begins_with_either),
        test("depth_is_what_is_asked_for", NONE, depth_is_what_is_asked_for),
        test("an_enum_has_names", NONE, an_enum_has_names),
        test("an_unknown_target_is_refused_with_near_misses", NONE, an_unknown_target_is_refused),
        test("an_unknown_path_is_refused_with_near_misses", NONE, an_unknown_path_is_refused),
        test("what_can_be_selected_is_listed_and_opened", BTF, what_can_be_selected_is_listed_and_opened),
        test("more_than_anybody_reads_is_refused", BTF, more_than_anybody_reads_is_refused),
        test("every_target_s_fields_are_those_that_btf_rs_reads", BTF, every_target_s_fields),
        test("enums_are_those_that_btf_rs_reads", BTF, enums_are_those_that_btf_rs_reads),
    ]
}

// A small kernel

/// A file of BTF that has the target `task`, and `bpf_map`, whose object is of a type that is not told.
struct Small(TempDir);

impl Small {
    fn new() -> Small {
        let mut b = Builder::default();
        let int = b.int("int", 4, SIGNED);
        let uint = b.int("unsigned int", 4, 0);
        let char = b.int("char", 1, SIGNED);
        let comm = b.array(char, 16);
        let (idle, busy) = (b.name("IDLE"), b.name("BU\x1b[2JSY\n"));
        let state = b.add(Kind::Enum, "state", 1 << 31 | 2, 4, &[idle, 0, busy, u32::MAX]);
        let task = b.next();
        let to_task = TypeId(task.0 + 1);
        let pair = TypeId(task.0 + 2);
        let (pairs, union) = (TypeId(task.0 + 3), TypeId(task.0 + 4));
        b.flagged(
            "task_struct",
            64,
            &[
                ("state", state, bits(0, 0)),
                ("parent", to_task, bits(64, 0)),
                ("", union, bits(128, 0)),
                ("comm", comm, bits(192, 0)),
                ("flag", uint, bits(323, 2)),
                ("pairs", pairs, bits(352, 0)),
                ("e\x1bvil\n", int, bits(480, 0)),
            ],
        );
        b.ptr(task);
        b.structure("pair", 8, &[("left", int, 0), ("right", to_task, 32)]);
        b.array(pair, 2);
        b.union("", 8, &[("pid", int, 0), ("pair", pair, 0)]);
        let seq = b.add(Kind::Fwd, "seq_file", 0, 0, &[]);
        let seq = b.ptr(seq);
        let meta = b.structure("bpf_iter_meta", 8, &[("seq", seq, 0)]);
        let meta = b.ptr(meta);
        let padded = |b: &mut Builder, name, ptr| b.union("", 8, &[(name, ptr, 0)]);
        let (of_meta, of_task) = (padded(&mut b, "meta", meta), padded(&mut b, "task", to_task));
        b.structure("bpf_iter__task", 16, &[("", of_meta, 0), ("", of_task, 64)]);
        let map = b.ptr(VOID);
        let of_map = padded(&mut b, "map", map);
        b.structure("bpf_iter__bpf_map", 16, &[("", of_meta, 0), ("", of_map, 64)]);
        let proto = b.add(Kind::FuncProto, "", 0, int.0, &[]);
        for name in ["bpf_iter_task", "bpf_iter_bpf_map", "bpf_iter_no_target"] {
            b.refer(Kind::Func, name, proto);
        }
        let dir = dir();
        fs::write(dir.path().join("btf"), b.bytes()).unwrap();
        Small(dir)
    }

    fn fields(&self, args: &str) -> Command {
        let mut command = kwalk(["fields", "--btf"]);
        command.arg(self.0.path().join("btf")).args(args.split(' '));
        command
    }
}

/// The tree, without what can be selected by name.
fn tree(shown: &str) -> &str {
    shown.find("FIELD  ").map_or(shown, |at| &shown[at..])
}

/// Asserts that each tree is what the arguments above it show.
#[track_caller]
fn shows(expected: &str) {
    let small = Small::new();
    let shown = expected.split("$ ").skip(1).map(|shown| {
        let args = shown.lines().next().unwrap();
        format!("$ {args}\n{}", tree(&stdout(&mut small.fields(args))))
    });
    assert_eq!(shown.collect::<Vec<_>>().join("\n"), expected.trim_start());
}

fn the_columns_of_this_kernel_come_first() {
    let shown = stdout(&mut Small::new().fields("task"));
    let sections: Vec<Vec<_>> = shown.split("\n\n").map(|section| section.lines().collect()).collect();
    let [columns, roots, functions, tree] = &sections[..] else { panic!("{shown}") };
    let rows: Vec<Vec<_>> = columns
        .iter()
        .map(|row| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    // None of them has a unit.
    assert_eq!(rows[0], ["COLUMN", "MEANING", "WHAT"]);
    let named = |name: &str| named_columns("task").iter().find(|column| column.name == name).unwrap();
    assert!(
        ["pid", "comm"].iter().all(|name| rows.contains(&vec![*name, named(name).meaning, *name])),
        "{shown}"
    );
    // Its tasks have neither a real_parent nor credentials.
    assert!(!columns.iter().any(|line| line.starts_with("ppid") || line.starts_with("uid")), "{shown}");
    assert!(roots[0].starts_with("ROOT  ") && functions[0].starts_with("FUNCTION  "), "{shown}");
    assert!(tree[0].starts_with("FIELD  "), "{shown}");
    // Below a path that is no column there are fields alone.
    assert!(stdout(&mut Small::new().fields("task parent")).starts_with("FIELD  "));
}

fn the_arguments_come_first() {
    shows(
        r"
$ task
FIELD           OFFSET  SIZE  TYPE
meta            0       8     struct bpf_iter_meta *
  seq           0       8     struct seq_file *
task            8       8     struct task_struct *
  state         0       4     enum state
  parent        8       8     struct task_struct *
  pid           16      4     int
  pair          16      8     struct pair
  comm          24      16    char[16]
  flag          40:3    0:2   unsigned int:2
  pairs         44      16    struct pair[2]
  e\x1bvil\x0a  60      4     int

$ bpf_map
FIELD  OFFSET  SIZE  TYPE
meta   0       8     struct bpf_iter_meta *
  seq  0       8     struct seq_file *
map    8       8     void *
",
    );
}

/// Offsets go on from what surrounds a field, and begin again behind a pointer.
fn a_path_leads_below_itself() {
    shows(
        r"
$ task parent.pair
FIELD        OFFSET  SIZE  TYPE
parent.pair  16      8     struct pair
  left       16      4     int
  right      20      8     struct task_struct *

$ task pairs
FIELD  OFFSET  SIZE  TYPE
pairs  44      16    struct pair[2]
  [0]  44      8     struct pair

$ task pairs[1]
FIELD     OFFSET  SIZE  TYPE
pairs[1]  52      8     struct pair
  left    52      4     int
  right   56      8     struct task_struct *

$ task flag
FIELD  OFFSET  SIZE  TYPE
flag   40:3    0:2   unsigned int:2

$ task comm
FIELD  OFFSET  SIZE  TYPE
comm   24      16    char[16]

$ task comm[3]
FIELD    OFFSET  SIZE  TYPE
comm[3]  27      1     char
",
    );
}

fn a_path_begins_with_either() {
    shows(
        r"
$ task parent.pid
FIELD       OFFSET  SIZE  TYPE
parent.pid  16      4     int

$ task task.parent.pid
FIELD            OFFSET  SIZE  TYPE
task.parent.pid  16      4     int

$ task meta
FIELD  OFFSET  SIZE  TYPE
meta   0       8     struct bpf_iter_meta *
  seq  0       8     struct seq_file *
",
    );
}

/// A task's pair has a task again, whose pair is not listed within itself.
fn depth_is_what_is_asked_for() {
    shows(
        r"
$ task --depth 0
FIELD  OFFSET  SIZE  TYPE
meta   0       8     struct bpf_iter_meta *
task   8       8     struct task_struct *

$ task task.state --depth 0
FIELD       OFFSET  SIZE  TYPE
task.state  0       4     enum state

$ task pairs --depth 2
FIELD      OFFSET  SIZE  TYPE
pairs      44      16    struct pair[2]
  [0]      44      8     struct pair
    left   44      4     int
    right  48      8     struct task_struct *

$ task pair --depth 4294967295
FIELD             OFFSET  SIZE  TYPE
pair              16      8     struct pair
  left            16      4     int
  right           20      8     struct task_struct *
    state         0       4     enum state
    parent        8       8     struct task_struct *
    pid           16      4     int
    pair          16      8     struct pair
    comm          24      16    char[16]
    flag          40:3    0:2   unsigned int:2
    pairs         44      16    struct pair[2]
      [0]         44      8     struct pair
    e\x1bvil\x0a  60      4     int
",
    );
}

/// Whatever they are, they don't command a terminal.
fn an_enum_has_names() {
    shows(
        r"
$ task task.state
FIELD                   OFFSET  SIZE  TYPE
task.state              0       4     enum state
  IDLE = 0
  BU\x1b[2JSY\x0a = -1
",
    );
}

// What is refused

const UNKNOWN: &str = "`kwalk targets` lists what this kernel can walk";

fn an_unknown_target_is_refused() {
    let small = Small::new();
    for (target, status, message, hint) in [
        ("tsk", 2, "no such target in this kernel", "did you mean task?"),
        ("bpf_maps", 2, "no such target in this kernel", "did you mean bpf_map?"),
        ("frobnicate", 2, "no such target in this kernel", UNKNOWN),
        // A function that begins like those of targets.
        ("no_target", 2, "no such target in this kernel", UNKNOWN),
        // Others have it.
        ("dmabuf", 1, "this kernel does not have it; Linux 6.16 is the first that may", UNKNOWN),
        (
            "task_vma",
            1,
            "this kernel does not have it; Linux 5.12 is the first that may",
            "did you mean task?",
        ),
    ] {
        refused(&mut small.fields(target), status, &format!("target {target}: {message}"), hint);
    }
}

/// As a selection refuses it.
fn an_unknown_path_is_refused() {
    let small = Small::new();
    for (args, message, hint) in [
        ("task parnt", "parnt: there is no such column or field", "did you mean parent?"),
        // It may have been meant as an argument.
        ("task tsk.pid", "tsk.pid: there is no such column or field", "task.pid?"),
        (
            "task task.parent.com",
            "task.parent.com: there is no such column or field",
            "did you mean task.parent.comm?",
        ),
        (
            "task parent.piar.left",
            "parent.piar.left: there is no such column or field",
            "did you mean parent.pair.left?",
        ),
        ("task parent.pair.x", "parent.pair.x: there is no such column or field", ""),
        (
            "task pid.x",
            "path `pid.x`, byte 4: `x` is asked of `int`, which has no members; end the path before it",
            "",
        ),
        (
            "task task.state.IDLE",
            "path `task.state.IDLE`, byte 11: `IDLE` is asked of `enum state`, which has no members; end the path before it",
            "",
        ),
        (
            "task pairs.left",
            "path `pairs.left`, byte 6: `left` is asked of `struct pair[2]`, which has no members; end the path before it",
            "",
        ),
        (
            "task pairs[2]",
            "path `pairs[2]`, byte 5: index 2 is out of range for `struct pair[2]`; the array has 2 elements",
            "",
        ),
        (
            "task pid[0]",
            "path `pid[0]`, byte 3: `[0]` is applied to `int`, which is not an array; leave the index out",
            "",
        ),
        (
            "task meta.seq.count",
            "path `meta.seq.count`, byte 9: `count` is asked of `struct seq_file`, which this kernel's BTF declares but does not define",
            "",
        ),
        // A column of other kernels.
        ("bpf_map id", "id: there is no such column or field", ""),
        (
            "bpf_map map.id",
            "path `map.id`, byte 4: `id` is asked of `void`, which has no members; end the path before it",
            "",
        ),
        (
            "task parent..pid",
            "path `parent..pid`, byte 7: a name is missing; write a path like `a.b[3].c`",
            "",
        ),
        (
            "task pairs[x]",
            "path `pairs[x]`, byte 5: `[x]` is not a segment; write names and indices like `a.b[3].c`",
            "",
        ),
        ("task ", "path ``, byte 0: a name is missing; write a path like `a.b[3].c`", ""),
    ] {
        refused(&mut small.fields(args), 2, message, hint);
    }
}

// What selections accept

/// The cells of a table's rows, by the first word of its heading.
fn table<'s>(shown: &'s str, heading: &str) -> Vec<Vec<&'s str>> {
    let mut tables = shown.split("\n\n");
    let Some(table) = tables.find(|table| table.starts_with(&format!("{heading} "))) else {
        return Vec::new();
    };
    let cells = |row: &'s str| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    table.lines().skip(1).map(cells).collect()
}

/// Each column and each root that is listed can be selected and opened; and what can't be selected can't be opened.
fn what_can_be_selected_is_listed_and_opened() {
    let kernel = running();
    let (mut with_roots, mut with_names) = (0, 0);
    for found in available(kernel.btf).unwrap() {
        let target = &*found.target.name;
        let shown = stdout(&mut kwalk(["fields", target]));
        let (columns, roots) = (table(&shown, "COLUMN"), table(&shown, "ROOT"));
        let selects = |name: &str| Select::new(target).fields([name]).plan(&kernel).is_ok();
        for column in named_columns(target) {
            let is_listed = columns.iter().any(|row| row[0] == column.name);
            assert_eq!(is_listed, selects(column.name), "{target}.{}", column.name);
            let mut opened = kwalk(["fields", target, column.name]);
            if !is_listed {
                failure(&mut opened, 2);
                continue;
            }
            let opened = stdout(&mut opened);
            assert_eq!(table(&opened, "COLUMN")[0][0], column.name, "{opened}");
            // The names that a condition can have.
            if let Show::Names(names) = column.show {
                with_names += 1;
                let shown: Vec<_> = table(&opened, "NAME").iter().map(|row| row.join(" ")).collect();
                let wanted: Vec<_> = names.iter().map(|(value, name)| format!("{name} {value}")).collect();
                assert_eq!(shown, wanted, "{target}.{}", column.name);
            }
            // A path leads to its field.
            if let Source::Paths(paths) = column.source {
                let field = table(&opened, "FIELD")[0][0];
                assert!(paths.contains(&field) && selects(field), "{opened}");
            }
        }
        // Not those of a task where there is none.
        for (function, _) in table(&shown, "FUNCTION").iter().filter_map(|row| row[0].split_once("()")) {
            let call = sql::expression(&format!("{function}()")).unwrap();
            assert!(Select::new(target).fields([call]).plan(&kernel).is_ok(), "{target} {function}");
        }
        for root in roots {
            with_roots += 1;
            // A column may have its name.
            if columns.iter().any(|row| row[0] == root[0]) {
                continue;
            }
            let opened = stdout(&mut kwalk(["fields", target, root[0]]));
            let fields = table(&opened, "FIELD");
            assert_eq!(format!("{} *", fields[0].last().unwrap()), root[1], "{opened}");
            // Its numbers can be selected and opened, and the struct as a whole is none.
            let numbers = fields.iter().filter(|row| {
                ["int", "u32", "u16", "u64", "long unsigned int"].contains(row.last().unwrap())
            });
            for number in numbers {
                let path = format!("{}.{}", root[0], number[0]);
                assert!(selects(&path), "{target} {path}");
                let field = table(&stdout(&mut kwalk(["fields", target, &path])), "FIELD").concat().join(" ");
                assert_eq!(field, format!("{path} {}", number[1..].join(" ")));
            }
            let said = failure(&mut kwalk([target, "--explain", "-f", root[0]]), 2);
            // Of what needs a map, that is said first.
            let is_of_a_map = said.contains("hint: give it --map");
            assert!(is_of_a_map || said.contains("is a struct, where") && said.contains(".FIELD"), "{said}");
        }
    }
    assert!(with_names > 5 && with_roots > 5, "{with_names} {with_roots}");
}

fn more_than_anybody_reads_is_refused() {
    let said = failure(&mut kwalk(["fields", "task", "--depth", "100"]), 2);
    assert!(said.starts_with("kwalk: --depth 100: more than 100000 fields; "), "{said}");
}

// Witnesses

/// What btf-rs reads of a kernel's types.
struct Witness {
    btf: btf_rs::Btf,
    structs: HashMap<String, u32>,
}

/// A field: its name, its offset and size as they are listed.
type Row = (String, String, String);

impl Witness {
    fn new() -> Witness {
        let btf = btf_rs::Btf::from_bytes(&fs::read(VMLINUX).unwrap()).unwrap();
        let mut structs = HashMap::new();
        for (id, found) in (1..).map_while(|id| Some((id, btf.resolve_type_by_id(id).ok()?))) {
            if let Type::Struct(found) = found {
                structs.entry(btf.resolve_name(&found).unwrap_or_default()).or_insert(id);
            }
        }
        Witness { btf, structs }
    }

    fn behind(&self, id: u32) -> Type {
        let mut found = self.btf.resolve_type_by_id(id).unwrap();
        while let Type::Typedef(_)
        | Type::Const(_)
        | Type::Volatile(_)
        | Type::Restrict(_)
        | Type::TypeTag(_) = &found
        {
            let next = found.as_btf_type().unwrap().get_type_id().unwrap();
            found = self.btf.resolve_type_by_id(next).unwrap();
        }
        found
    }

    fn size(&self, id: u32) -> usize {
        match self.behind(id) {
            Type::Int(int) => int.size(),
            Type::Ptr(_) => size_of::<usize>(),
            Type::Array(array) => array.len() * self.size(array.get_type_id().unwrap()),
            Type::Struct(of) | Type::Union(of) => of.size(),
            Type::Enum(of) => of.size(),
            Type::Enum64(of) => of.size(),
            Type::Float(of) => of.size(),
            other => panic!("{other:?}"),
        }
    }

    /// The members of a struct as they are to be listed, each with its type.
    fn members(&self, id: u32, base: u32) -> Vec<(Row, u32)> {
        let (Type::Struct(outer) | Type::Union(outer)) = self.behind(id) else { return Vec::new() };
        let mut found = Vec::new();
        for member in &outer.members {
            let name = self.btf.resolve_name(member).unwrap_or_default();
            let (bit, id) = (base + member.bit_offset(), member.get_type_id().unwrap());
            if name.is_empty() {
                found.extend(self.members(id, bit));
                continue;
            }
            let bits = member.bitfield_size().filter(|bits| *bits != 0);
            let size = bits.map_or_else(|| self.size(id).to_string(), extent);
            found.push(((name, extent(bit), size), id));
        }
        found
    }
}

fn extent(bits: u32) -> String {
    if bits % 8 == 0 { (bits / 8).to_string() } else { format!("{}:{}", bits / 8, bits % 8) }
}

fn every_target_s_fields() {
    let (witness, bytes) = (Witness::new(), fs::read(VMLINUX).unwrap());
    let targets = available(&Btf::new(&bytes).unwrap()).unwrap();
    assert!(targets.iter().any(|target| target.target.name == "task"));
    for target in targets.iter().map(|target| &*target.target.name) {
        let mut expected = Vec::new();
        for (row, id) in witness.members(witness.structs[&format!("bpf_iter__{target}")], 0) {
            expected.push(row);
            if let Type::Ptr(pointer) = witness.behind(id) {
                if pointer.get_type_id() != Some(0) {
                    let below = witness.members(pointer.get_type_id().unwrap(), 0);
                    expected.extend(
                        below.into_iter().map(|((name, at, size), _)| (format!("  {name}"), at, size)),
                    );
                }
            }
        }
        assert_eq!(rows(&stdout(&mut kwalk(["fields", target]))), expected, "{target}");
    }
}

/// The rows below the heading, without their types.
fn rows(shown: &str) -> Vec<Row> {
    let row = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        let mut cells = line.split_whitespace().map(String::from);
        let mut next = || cells.next().unwrap();
        (format!("{:indent$}{}", "", next()), next(), next())
    };
    tree(shown).lines().skip(1).map(row).collect()
}

fn enums_are_those_that_btf_rs_reads() {
    let witness = Witness::new();
    let maps = witness.members(witness.structs["bpf_map"], 0);
    let (_, id) = maps.iter().find(|((name, ..), _)| name == "map_type").unwrap();
    let Type::Enum(of) = witness.behind(*id) else { panic!("{id}") };
    let names = of
        .members
        .iter()
        .map(|member| format!("  {} = {}", witness.btf.resolve_name(member).unwrap(), member.val()));
    let shown = stdout(&mut kwalk(["fields", "bpf_map", "map_type"]));
    assert!(shown.contains("  BPF_MAP_TYPE_ARRAY = 2\n"), "{shown}");
    assert_eq!(tree(&shown).lines().skip(2).collect::<Vec<_>>(), names.collect::<Vec<_>>());
}
