//! `asm` and `dis`: what one writes, the other reads; and a loaded program reads as bpftool and the kernel's symbols say.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use kwalk::asm::{Decoded, Insn, parse};
use kwalk::text::{Options, PROGRAMS, TextProgram};
use kwalk::{Loaded, listing};

use crate::support::objects::text_program;
use crate::support::{Need, Test, dir, failure, kwalk, stdout, test};

const BPF: &[Need] = &[Need::Bpf, Need::Root];

fn load(program: &TextProgram) -> (Loaded, u32) {
    let loaded = Loaded::load(&text_program(program.name, &Options::default())).unwrap();
    let id = loaded.fd().info().unwrap().id;
    (loaded, id)
}

/// The text of a program without numbers of slots, and without what stands in comments.
fn insns(text: &str) -> Vec<Decoded> {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command with something on its stdin.
fn with_input(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

fn asm_and_dis_are_mirrors() {
    let dir = dir();
    let (text, out) = (dir.path().join("x.s"), dir.path().join("x.bin"));
    fs::write(&text, "if r1 == 0 goto end // nothing\n  r1 = *(u32 *)(r1 + 4); r2 = 0x123456789 ll\nend:\n  r0 = 0\n  exit\n").unwrap();
    for (order, first) in [(&[][..], 0x15_01), (&["--big-endian"], 0x15_10)] {
        let asm = kwalk(["asm", path(&text), "-o", path(&out)]).args(order).output().unwrap();
        assert!(asm.status.success() && asm.stdout.is_empty() && asm.stderr.is_empty());
        let bytes = fs::read(&out).unwrap();
        assert_eq!(u16::from_be_bytes([bytes[0], bytes[1]]), first);
        // The same through the standard streams.
        let piped = with_input(kwalk(["asm", "-"]).args(order), &fs::read(&text).unwrap());
        assert_eq!(piped, bytes);
        let listing = stdout(kwalk(["dis", "--file", path(&out)]).args(order));
        let lines = [
            "   0: if r1 == 0x0 goto L4",
            "   1: w1 = *(u32 *)(r1 + 0x4)",
            "   2: r2 = 0x123456789 ll",
            "L4:",
        ];
        assert_eq!(listing.lines().take(4).collect::<Vec<_>>(), lines);
        let again = with_input(kwalk(["asm", "-"]).args(order), listing.as_bytes());
        assert_eq!(again, bytes);
    }
}

fn bad_text_is_shown_where_it_is() {
    let dir = dir();
    let (text, out) = (dir.path().join("x.s"), dir.path().join("x.bin"));
    fs::write(&text, "r0 = 0\nr1 = r11\nexit\n").unwrap();
    let said = failure(&mut kwalk(["asm", path(&text), "-o", path(&out)]), 1);
    assert!(said.starts_with(&format!("kwalk: {}:2:6: expected ", path(&text))), "{said}");
    assert!(said.ends_with("\n2 | r1 = r11\n  |      ^^^\n"), "{said}");
    assert!(!out.exists());
    failure(&mut kwalk(["asm", path(&dir.path().join("absent"))]), 1);
    failure(kwalk(["asm", path(&text)]).arg("--frobnicate"), 2);
}

fn bad_bytes_are_said_where_they_are() {
    let dir = dir();
    let file = dir.path().join("x.bin");
    let exit = [0x95, 0, 0, 0, 0, 0, 0, 0];
    for (bytes, offset) in [([&exit[..], &[0xff; 8]].concat(), "8"), (exit[..7].to_vec(), "0")] {
        fs::write(&file, bytes).unwrap();
        let said = failure(&mut kwalk(["dis", "--file", path(&file)]), 1);
        assert!(said.contains(path(&file)) && said.contains(offset), "{said}");
    }
}

fn one_thing_is_disassembled() {
    failure(&mut kwalk(["dis"]), 2);
    failure(&mut kwalk(["dis", "maps", "--prog-id", "1"]), 2);
    failure(&mut kwalk(["dis", "nosuch"]), 2);
    failure(&mut kwalk(["dis", "maps", "--big-endian"]), 2);
}

fn dis_shows_each_text_program_as_it_is_written() {
    for program in PROGRAMS {
        let text = stdout(&mut kwalk(["dis", program.name]));
        let written = text_program(program.name, &Options::default());
        let expected: Vec<_> = written.code.insns().iter().copied().map(Decoded::Insn).collect();
        assert_eq!(insns(&text), expected, "{}", program.name);
        assert!(text.contains("call bpf_seq_printf#126"), "{text}");
    }
}

/// bpftool prints what the kernel gives it in the words of the verifier, which the parser reads too.
fn dis_of_a_loaded_program_is_what_bpftool_dumps() {
    for program in PROGRAMS {
        let (_loaded, id) = load(program);
        let dump =
            Command::new("bpftool").args(["prog", "dump", "xlated", "id", &id.to_string()]).output().unwrap();
        assert!(dump.status.success(), "{dump:?}");
        // Verifiers use a register of their own, 11 or, since 7.2, 12: on arm64 where they check an address. To us, such an
        // instruction is none.
        let internal =
            |line: &str| line.split([' ', ')', '(', ',']).any(|word| ["r11", "r12"].contains(&word));
        let marked = |line: &str| match line.split_once(": (") {
            Some((number, _)) if internal(line) => format!("{number}: (bf) r10 = r10\n"),
            _ => format!("{line}\n"),
        };
        let theirs: String = std::str::from_utf8(&dump.stdout).unwrap().lines().map(marked).collect();
        let theirs = insns(&theirs);
        let ours = insns(&stdout(&mut kwalk(["dis", "--prog-id", &id.to_string()])));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            match (ours, theirs) {
                // A name that is no helper's reads as that of a kernel function with that number.
                (
                    Decoded::Insn(Insn::CallHelper { helper }),
                    Decoded::Insn(Insn::CallKfunc { btf_id, .. }),
                ) => {
                    assert_eq!(helper.0, btf_id);
                }
                (Decoded::Raw(_), theirs) => assert_eq!(theirs, insns("r10 = r10")[0]),
                // A call of the kernel's own functions has become one by distance.
                (ours, theirs) => assert_eq!(ours, theirs),
            }
        }
    }
}

fn a_loaded_program_has_names() {
    let stacks = PROGRAMS.iter().find(|program| program.name == "stacks").unwrap();
    let (_loaded, id) = load(stacks);
    let text = stdout(&mut kwalk(["dis", "--prog-id", &id.to_string()]));
    for name in ["# sessions", "# zeros", "# bpf_seq_printf", "# bpf_get_task_stack", "map[id:"] {
        assert!(text.contains(name), "no {name} in {text}");
    }
    let said = failure(&mut kwalk(["dis", "--prog-id", "4294967295"]), 1);
    assert!(said.contains("BPF_PROG_GET_FD_BY_ID"), "{said}");
}

fn a_listing_reads_back() {
    let program = parse("r1 = 5\nif r1 s> -1 goto +1\nexit\ncall seq_write\nexit").unwrap();
    assert_eq!(insns(&listing(&program).to_string()), program);
}

pub fn tests() -> Vec<Test> {
    const BPFTOOL: &[Need] = &[Need::Bpf, Need::Root, Need::Tool("bpftool")];
    vec![
        test("asm_and_dis_are_mirrors", &[], asm_and_dis_are_mirrors),
        test("bad_text_is_shown_where_it_is", &[], bad_text_is_shown_where_it_is),
        test("bad_bytes_are_said_where_they_are", &[], bad_bytes_are_said_where_they_are),
        test("one_thing_is_disassembled", &[], one_thing_is_disassembled),
        test("a_listing_reads_back", &[], a_listing_reads_back),
        test(
            "dis_shows_each_text_program_as_it_is_written",
            BPF,
            dis_shows_each_text_program_as_it_is_written,
        ),
        test(
            "dis_of_a_loaded_program_is_what_bpftool_dumps",
            BPFTOOL,
            dis_of_a_loaded_program_is_what_bpftool_dumps,
        ),
        test("a_loaded_program_has_names", BPF, a_loaded_program_has_names),
    ]
}
