//! A selection takes no more instructions than what clang makes of the same in C.

use std::process::Command;

use kwalk::asm::Insn;
use kwalk::btf::{Btf, Kind};
use kwalk::select::{Select, sql};
use object::{Object, ObjectSection};

use crate::support::Need::{Bpf, Tool};
use crate::support::{Need, Test, running, test, unique};

pub fn tests() -> Vec<Test> {
    const NEEDS: &[Need] = &[Bpf, Tool(CLANG)];
    vec![test("clang_takes_no_fewer_instructions", NEEDS, compare)]
}

const CLANG: &str = "clang-22";

/// Before each case: what programs in C begin with. Offsets are written as `[field]` of the object, `[struct:field]` of
/// another.
const PROLOGUE: &str = r#"
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
static long (*seq_write)(void *, const void *, u32) = (void *)127;
#define AT(T, P, O) (*(T *)((char *)(P) + (O)))
#define WRITE(ROW) seq_write(AT(void *, AT(void *, ctx, 0), 0), &(ROW), sizeof(ROW))
__attribute__((section("iter"))) int program(void *ctx) {
    char *object = AT(char *, ctx, 8);
    if (!object) return 0;
"#;

/// Target, struct of its object, columns, condition, and the same in C.
const CASES: &[[&str; 5]] = &[
    [
        "task",
        "task_struct",
        "tgid, pid, comm",
        "",
        r#"
        struct { u64 comm[2]; u32 tgid, pid; } row = {
            { AT(u64, object, [comm]), AT(u64, object, [comm] + 8) }, AT(u32, object, [tgid]), AT(u32, object, [pid])
        };
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "pid",
        "tgid = 1234",
        r#"
        if (AT(u32, object, [tgid]) != 1234) return 0;
        u32 row = AT(u32, object, [pid]);
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "tgid",
        "comm = 'sshd'",
        r#"
        if (AT(u32, object, [comm]) != 0x64687373 || AT(u8, object, [comm] + 4) != 0) return 0;
        u32 row = AT(u32, object, [tgid]);
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "tgid",
        "comm like 'systemd%' and tgid > 1000",
        r#"
        if (AT(int, object, [tgid]) <= 1000) return 0;
        if (AT(u32, object, [comm]) != 0x74737973 || (AT(u32, object, [comm] + 4) & 0xffffff) != 0x646d65) return 0;
        u32 row = AT(u32, object, [tgid]);
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "tgid, real_parent.tgid",
        "",
        r#"
        struct { u32 nulls, tgid, parent; } row = { 1, AT(u32, object, [tgid]), 0 };
        char *parent = AT(char *, object, [real_parent]);
        if (parent) { row.nulls = 0; row.parent = AT(u32, parent, [tgid]); }
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "pid",
        "cred.uid.val in (0, 1000, 65534)",
        r#"
        char *cred = AT(char *, object, [cred]);
        if (!cred) return 0;
        u32 uid = AT(u32, cred, [cred:uid.val]);
        if (uid != 0 && uid != 1000 && uid != 65534) return 0;
        u32 row = AT(u32, object, [pid]);
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "pid, prio",
        "prio between 100 and 119 or policy = 1",
        r#"
        int prio = AT(int, object, [prio]);
        if (!(prio >= 100 && prio <= 119) && AT(u32, object, [policy]) != 1) return 0;
        struct { u32 pid, prio; } row = { AT(u32, object, [pid]), AT(u32, object, [prio]) };
        WRITE(row);"#,
    ],
    [
        "task",
        "task_struct",
        "tgid, task.utime + task.stime",
        "task.utime + task.stime > 1000000",
        r#"
        u64 time = AT(u64, object, [utime]) + AT(u64, object, [stime]);
        if (time <= 1000000) return 0;
        struct { u64 time; u32 tgid; } __attribute__((packed)) row = { time, AT(u32, object, [tgid]) };
        WRITE(row);"#,
    ],
    [
        "task_file",
        "task_struct",
        "tgid, fd, file.f_pos",
        "file.f_flags & 3 <> 0",
        r#"
        char *file = AT(char *, ctx, 24);
        if (!file || !(AT(u32, file, [file:f_flags]) & 3)) return 0;
        struct { u64 pos; u32 nulls, tgid, fd; } __attribute__((packed)) row = {
            AT(u64, file, [file:f_pos]), 0, AT(u32, object, [tgid]), AT(u32, ctx, 16)
        };
        WRITE(row);"#,
    ],
    [
        "bpf_map",
        "bpf_map",
        "id, map_type, key_size, value_size, max_entries",
        "map_type = BPF_MAP_TYPE_HASH",
        r#"
        if (AT(u32, object, [map_type]) != 1) return 0;
        struct { u32 id, type, key, value, max; } row = {
            AT(u32, object, [id]), AT(u32, object, [map_type]), AT(u32, object, [key_size]),
            AT(u32, object, [value_size]), AT(u32, object, [max_entries])
        };
        WRITE(row);"#,
    ],
    [
        "tcp",
        "sock_common",
        "skc_num, ntohs(skc_dport) as port, skc_state",
        "skc_state = 10 and skc_family <> 0",
        r#"
        if (AT(u16, object, [skc_family]) == 0 || AT(u8, object, [skc_state]) != 10) return 0;
        struct { u16 num, port; u8 state; } __attribute__((packed)) row = {
            AT(u16, object, [skc_num]), __builtin_bswap16(AT(u16, object, [skc_dport])), AT(u8, object, [skc_state])
        };
        WRITE(row);"#,
    ],
];

/// The context kept, the object and the type to where the call wants them, the call; the object from there.
const CAST: usize = 4;

fn compare() {
    let kernel = running();
    let dir = std::env::temp_dir().join(unique("kwclang"));
    std::fs::create_dir(&dir).unwrap();
    let mut more = Vec::new();
    for [target, object, columns, condition, body] in CASES {
        let mut select = Select::new(*target).fields(sql::columns(columns).unwrap());
        if !condition.is_empty() {
            select = select.filter(sql::expression(condition).unwrap());
        }
        let code = select.plan(&kernel).unwrap().program(&kernel).unwrap().code;
        // Where pointers are followed from an object that the verifier trusts, a call makes it one that it does not
        // (`bpf_rdonly_cast`): of each pointer that is loaded through the first kind, verifiers search all of the kernel's types
        // by name, which on 6.18 takes longer than all else. Clang's program has no such call, and is slow to load.
        let casts = code.insns().iter().filter(|insn| matches!(insn, Insn::CallKfunc { .. })).count();
        let ours = code.len_slots() - CAST * casts;
        let source = format!("{PROLOGUE}{}\n    return 0;\n}}\n", with_offsets(kernel.btf, object, body));
        let (c, o) = (dir.join("case.c"), dir.join("case.o"));
        std::fs::write(&c, source).unwrap();
        let compiled = Command::new(CLANG)
            .args(["-O2", "-mcpu=v3", "-Wall", "-Werror", "-target", "bpf", "-c"])
            .arg(&c)
            .arg("-o")
            .arg(&o)
            .status();
        assert!(compiled.unwrap().success());
        let file = std::fs::read(&o).unwrap();
        let size = object::File::parse(&*file).unwrap().section_by_name("iter").unwrap().size();
        let theirs = size as usize / 8;
        eprintln!("{ours:3} {theirs:3}  {target} {columns} | {condition}");
        if ours > theirs {
            more.push(format!("{target}: {columns} where {condition:?}: {ours}, and clang {theirs}"));
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(more.is_empty(), "{}", more.join("\n"));
}

/// `[field]` and `[struct:field]` as numbers.
fn with_offsets(btf: &Btf<'_>, object: &str, body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some((before, (inside, after))) =
        rest.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    {
        out += before;
        if inside.starts_with(|c: char| c.is_ascii_digit()) {
            out += &format!("[{inside}]");
        } else {
            let (of, field) = inside.split_once(':').unwrap_or((object, inside));
            let id = btf.find(Kind::Struct, of).unwrap();
            out += &btf.path(id, field).unwrap().field.offset.to_string();
        }
        rest = after;
    }
    out + rest
}
