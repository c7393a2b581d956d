//! Types that don't come from /sys: a file of raw BTF, an ELF file's section, or neither; and functions found in them.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kwalk::btf::{Btf, Kind};
use kwalk::sys::{BtfFd, MapCreate, MapType, bpf};
use kwalk::{KernelBtf, Kfunc};

use crate::columns::child::Cpus;
use crate::support::objects::MapWriter;
use crate::support::{Need, Test, dir, kwalk, refused, running, stdout, test};

const NONE: &[Need] = &[];
const BPF: &[Need] = &[Need::Bpf];
const NAMED: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(5, 11)];
const OBJCOPY: &[Need] = &[Need::Bpf, Need::Tool("objcopy")];
/// Programs of the type SYSCALL, one of which writes.
const WRITER: &[Need] = &[Need::Bpf, Need::Root, Need::Kernel(5, 14)];
const BASH: &[Need] = &[Need::Bpf, Need::Tool("bash")];

pub fn tests() -> Vec<Test> {
    vec![
        test("a_copy_serves_all_commands", BPF, a_copy_serves_all_commands),
        test("a_copy_serves_for_the_values_of_each_cpu", WRITER, a_copy_serves_for_the_values_of_each_cpu),
        test("an_elf_file_s_section_serves", BPF, an_elf_file_s_section_serves),
        test("objcopy_s_elf_files_serve", OBJCOPY, objcopy_s_elf_files_serve),
        test("a_pipe_serves", BASH, a_pipe_serves),
        test("the_option_comes_before_the_variable", BPF, the_option_comes_before_the_variable),
        test("a_file_that_can_t_be_read_is_named", NONE, a_file_that_can_t_be_read_is_named),
        test("a_file_of_something_else_is_refused", NONE, a_file_of_something_else_is_refused),
        test("a_damaged_file_is_refused", NONE, a_damaged_file_is_refused),
        test("the_doctor_names_the_file", NONE, the_doctor_names_the_file),
        test("a_function_of_the_kernel_is_found", BPF, a_function_of_the_kernel_is_found),
        test("the_kernel_s_own_types_have_a_descriptor", NAMED, the_kernel_s_own_types_have_a_descriptor),
    ]
}

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// `kwalk {args}`, with the types of a file.
fn with(file: &Path, args: &str) -> Command {
    let mut command = kwalk(args.split(' '));
    command.arg("--btf").arg(file);
    command
}

/// An ELF file of 64 bits, of this machine's byte order, with one section that lies at `offset`.
fn elf(path: &Path, section: &str, contents: &[u8], offset: u64) {
    let names = [b"\0", section.as_bytes(), b"\0"].concat();
    let names_at = 64 + 3 * 64;
    let word = |word: u32| word.to_ne_bytes().to_vec();
    let long = |long: u64| long.to_ne_bytes().to_vec();
    let half = |half: u16| half.to_ne_bytes().to_vec();
    // Elf64_Shdr: name, type, flags, addr, offset, size, link, info, addralign, entsize.
    let header = |name, kind, offset, len: usize| {
        [
            word(name),
            word(kind),
            long(0),
            long(0),
            long(offset),
            long(len as u64),
            word(0),
            word(0),
            long(1),
            long(0),
        ]
        .concat()
    };
    let order = if cfg!(target_endian = "big") { 2 } else { 1 };
    let bytes = [
        [&b"\x7fELF"[..], &[2, order, 1, 0], &[0; 8]].concat(),
        // e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags.
        [half(1), half(0), word(1), long(0), long(0), long(64), word(0)].concat(),
        // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx.
        [64, 0, 0, 64, 3, 2].map(half).concat(),
        header(0, 0, 0, 0),
        header(1, 1, offset, contents.len()),
        header(0, 3, names_at, names.len()),
        names,
    ];
    let mut file = File::create(path).unwrap();
    file.write_all(&bytes.concat()).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(contents).unwrap();
}

// What serves

fn a_copy_serves_all_commands() {
    let dir = dir();
    let copy = dir.path().join("btf");
    fs::copy(VMLINUX, &copy).unwrap();
    for args in ["targets", "fields task real_parent", "dis stacks"] {
        // What a file describes may have a JIT.
        if args == "dis stacks" && !running().has_jit {
            continue;
        }
        assert_eq!(stdout(&mut with(&copy, args)), stdout(&mut kwalk(args.split(' '))), "{args}");
    }
    let mut first = kwalk(["--btf"]);
    assert_eq!(stdout(first.arg(&copy).arg("targets")), stdout(&mut kwalk(["targets"])));
    // Its ids are this kernel's own, so that programs load. There is a map to show, and a name may be any bytes.
    let _map = bpf(MapCreate::new(MapType::ARRAY, 4, 8, 1)).unwrap();
    let first_line = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec()
    };
    for program in ["maps", "stacks"] {
        let shown = first_line(&mut with(&copy, &format!("cat {program}")));
        assert!(!shown.is_empty());
        assert_eq!(shown, first_line(&mut kwalk(["cat", program])));
    }
}

/// What else is true of the running kernel counts for programs that are loaded, whatever file their types are from: how many
/// CPUs a map has values for.
fn a_copy_serves_for_the_values_of_each_cpu() {
    let dir = dir();
    let copy = dir.path().join("btf");
    fs::copy(VMLINUX, &copy).unwrap();
    let map = bpf(MapCreate::new(MapType::PERCPU_ARRAY, 4, 8, 1)).unwrap();
    let possible = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
    let last: usize = possible.trim().rsplit(['-', ',']).next().unwrap().parse().unwrap();
    // Those that are not there have none of their own.
    let (writer, cpus) = (MapWriter::new(&map, 4, 8), Cpus::all());
    let value = |cpu: usize| {
        let value = cpus.nth_of(cpu).map_or(0, |nth| {
            cpus.on(nth);
            0xabcd_0001 + cpu as u64
        });
        if value > 0 {
            writer.write(&[0; 4], &value.to_ne_bytes());
        }
        value.to_ne_bytes()
    };
    let values: Vec<_> = (0..=last).map(value).collect();
    let question = format!("bpf_map_elem --map id:{} -f value -o ndjson", map.info().unwrap().id);
    let shown = stdout(&mut with(&copy, &question));
    let hex = |value: &[u8; 8]| value.map(|byte| format!("{byte:02x}")).concat();
    let wanted: Vec<_> = values.iter().map(|value| format!("\"{}\"", hex(value))).collect();
    assert_eq!(shown, format!("{{\"value\":[{}]}}\n", wanted.join(",")));
    assert_eq!(shown, stdout(&mut kwalk(question.split(' '))));
}

fn an_elf_file_s_section_serves() {
    let (dir, types) = (dir(), fs::read(VMLINUX).unwrap());
    let path = dir.path().join("vmlinux");
    // Debugging information lies before it, as of a vmlinux, and is not read.
    for offset in [1 << 10, 8 << 30] {
        elf(&path, ".BTF", &types, offset);
        assert_eq!(stdout(&mut with(&path, "targets")), stdout(&mut kwalk(["targets"])));
    }
}

fn objcopy_s_elf_files_serve() {
    let dir = dir();
    let path = dir.path().join("vmlinux");
    let mut objcopy = Command::new("objcopy");
    objcopy.arg("--add-section").arg(format!(".BTF={VMLINUX}")).arg(env!("CARGO_BIN_EXE_kwalk"));
    stdout(objcopy.arg(&path));
    assert_eq!(stdout(&mut with(&path, "targets")), stdout(&mut kwalk(["targets"])));
}

fn a_pipe_serves() {
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("\"$0\" targets --btf <(cat {VMLINUX})"), env!("CARGO_BIN_EXE_kwalk")]);
    assert_eq!(stdout(bash.stdin(Stdio::null())), stdout(&mut kwalk(["targets"])));
}

fn the_option_comes_before_the_variable() {
    let dir = dir();
    let (types, missing) = (Path::new(VMLINUX), dir.path().join("missing"));
    let targets = stdout(&mut kwalk(["targets"]));
    assert_eq!(stdout(with(types, "targets").env("KWALK_BTF", &missing)), targets);
    assert_eq!(stdout(kwalk(["targets"]).env("KWALK_BTF", types)), targets);
    // As if it were not set.
    assert_eq!(stdout(kwalk(["targets"]).env("KWALK_BTF", "")), targets);
    let message = format!("KWALK_BTF={}: No such file or directory (os error 2)", missing.display());
    refused(kwalk(["targets"]).env("KWALK_BTF", &missing), 1, &message, "a copy of /sys/kernel/btf/vmlinux");
}

// What doesn't

/// Every command that needs types.
const COMMANDS: [&str; 7] = [
    "targets",
    "fields task",
    "cat maps",
    "pin maps /sys/fs/bpf/x",
    "preload --dir /sys/fs/bpf/x",
    "dis maps",
    "dis progs",
];

fn a_file_that_can_t_be_read_is_named() {
    let dir = dir();
    let path = dir.path().join("missing");
    let lost = dir.path().join("lost");
    symlink(&path, &lost).unwrap();
    for (path, why) in [
        (&*path, "No such file or directory (os error 2)"),
        (&*lost, "No such file or directory (os error 2)"),
        (dir.path(), "Is a directory (os error 21)"),
    ] {
        let message = format!("--btf {}: {why}", path.display());
        refused(&mut with(path, "targets"), 1, &message, "a copy of /sys/kernel/btf/vmlinux");
    }
    // What needs no types does not look for them.
    stdout(&mut with(&path, "programs"));
}

fn written(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn a_file_of_something_else_is_refused() {
    let dir = dir();
    let garbage = [&b""[..], b"\x7f", b"not BTF at all, yet long enough for a header", &[0; 4096]];
    for (nth, bytes) in garbage.into_iter().enumerate() {
        let path = written(dir.path(), &nth.to_string(), bytes);
        let message = format!("--btf {}: it is neither BTF nor an ELF file", path.display());
        for args in COMMANDS.iter().filter(|args| !args.contains("/sys/fs/bpf")) {
            refused(&mut with(&path, args), 1, &message, "or an uncompressed vmlinux");
        }
    }
    let path = dir.path().join("elf");
    elf(&path, ".BTF.ext", b"BTF", 1 << 10);
    let message = format!("--btf {}: this ELF file has no section .BTF", path.display());
    refused(&mut with(&path, "targets"), 1, &message, "CONFIG_DEBUG_INFO_BTF");
}

fn a_damaged_file_is_refused() {
    let dir = dir();
    let header = [&0xeb9f_u16.to_ne_bytes()[..], &[1, 0]].concat();
    let path = written(dir.path(), "btf", &header);
    let message = format!(
        "--btf {}: bad BTF header: it ends before its last field; the file is cut short or damaged",
        path.display()
    );
    refused(&mut with(&path, "targets"), 1, &message, "copy it again");

    // Nothing of this size is read.
    let path = dir.path().join("huge");
    elf(&path, ".BTF", &[], 1 << 10);
    let huge = fs::OpenOptions::new().write(true).open(&path).unwrap();
    huge.set_len(8 << 30).unwrap();
    huge.write_all_at(&(4u64 << 30).to_ne_bytes(), 64 + 64 + 32).unwrap();
    let message = format!("--btf {}: File too large (os error 27)", path.display());
    refused(&mut with(&path, "targets"), 1, &message, "an uncompressed vmlinux");

    let path = dir.path().join("elf");
    elf(&path, ".BTF", b"no BTF", 1 << 10);
    let message = format!("--btf {}: the section .BTF of this ELF file is something else", path.display());
    refused(&mut with(&path, "targets"), 1, &message, "copy it again");
    let whole = fs::read(&path).unwrap();
    for len in [4, 63, 64, 200, 1 << 10] {
        let path = written(dir.path(), "cut", &whole[..len]);
        let said = crate::support::failure(&mut with(&path, "targets"), 1);
        assert!(
            said.starts_with(&format!("kwalk: --btf {}: this ELF file is damaged: ", path.display())),
            "{said}"
        );
    }
}

fn the_doctor_names_the_file() {
    let dir = dir();
    let path = dir.path().join("missing");
    let output = with(&path, "doctor").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let finding = format!(
        "failed   types: --btf {}: No such file or directory (os error 2)\n         hint: ",
        path.display()
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&finding), "{said}");
}

// Functions

/// Those of modules are looked for where there are some.
fn a_function_of_the_kernel_is_found() {
    let kernel = KernelBtf::open().unwrap();
    let btf = Btf::new(kernel.bytes()).unwrap();
    let found = Kfunc::find(&kernel, "bpf_iter_task").unwrap();
    assert_eq!((found.id, found.module.is_none()), (btf.find(Kind::Func, "bpf_iter_task").unwrap(), true));
    // A struct is none.
    for name in ["task_struct", "kwalk_no_such_function"] {
        let error = Kfunc::find(&kernel, name).unwrap_err();
        assert_eq!(error.to_string(), format!("function {name}: this kernel does not have it"));
    }
}

/// Which have a name since 5.11.
fn the_kernel_s_own_types_have_a_descriptor() {
    let Some(btf) = BtfFd::of_kernel("vmlinux").unwrap() else { panic!("no BTF of that name") };
    assert_eq!(btf.data().unwrap(), fs::read(VMLINUX).unwrap());
    assert!(BtfFd::of_kernel("kwalk_no_such_module").unwrap().is_none());
}
