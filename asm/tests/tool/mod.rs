//! LLVM's tools, as functions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use kwalk_asm::Endian;

pub(crate) const ORDERS: [(Endian, &str); 2] = [(Endian::Little, "bpfel"), (Endian::Big, "bpfeb")];

/// An installed LLVM.
pub(crate) struct Tool {
    /// What its programs have at the end of their names: `-22`, or nothing.
    suffix: String,
    pub(crate) version: u32,
}

impl Tool {
    pub(crate) const NAMES: &str = "llvm-mc-14 to llvm-mc-29 and llvm-mc";

    pub(crate) fn newest() -> Option<Self> {
        let numbered = (14..30).map(|version| format!("-{version}"));
        let tools = numbered.chain([String::new()]).filter_map(|suffix| {
            let text = Self::output(Command::new(format!("llvm-mc{suffix}")).arg("--version"), "")?.0;
            let version = text.split("LLVM version ").nth(1)?.split('.').next()?.parse().ok()?;
            let tool = Self { suffix, version };
            let works = tool.run("llvm-objdump", &["--version"], "").is_some()
                && tool
                    .run("llvm-mc", &["-triple", "bpfel", "-show-encoding"], "exit")
                    .is_some_and(|(out, _)| out.contains("0x95"));
            works.then_some(tool)
        });
        tools.max_by_key(|tool| tool.version)
    }

    /// The bytes of each text, or `None` if it isn't an instruction by itself.
    pub(crate) fn assemble(&self, triple: &str, texts: &[String]) -> Vec<Option<Vec<u8>>> {
        let cpu = self.cpu();
        let assemble = |text: &str| {
            let args = ["-triple", triple, cpu, "-show-encoding"];
            self.run("llvm-mc", &args, text).expect("llvm-mc ran before")
        };
        let (_, errors) = assemble(&texts.join("\n"));
        let refused: BTreeSet<usize> = errors
            .lines()
            .filter(|line| line.contains(": error:"))
            .filter_map(|line| line.strip_prefix("<stdin>:")?.split(':').next()?.parse().ok())
            .collect();
        let kept =
            (1..).zip(texts).filter(|(line, _)| !refused.contains(line)).map(|(_, text)| text.as_str());
        let (printed, _) = assemble(&kept.collect::<Vec<_>>().join("\n"));
        let mut encodings = printed.lines().filter_map(|line| Some(line.split_once("encoding: [")?.1));
        // What a symbol is part of is marked by a letter.
        let byte = |text: &str| u8::from_str_radix(text.strip_prefix("0x")?, 16).ok();
        let bytes = |text: &str| text.trim_end_matches(']').split(',').map(byte).collect();
        (1..=texts.len())
            .map(
                |line| {
                    if refused.contains(&line) { None } else { bytes(encodings.next().expect("one each")) }
                },
            )
            .collect()
    }

    /// The text of each instruction, by the slot it begins at, without where it leads.
    pub(crate) fn disassemble(&self, triple: &str, code: &[u8]) -> BTreeMap<usize, String> {
        let printed = self.print(triple, code);
        let lines = printed.lines().filter_map(|line| {
            let (slot, text) = line.trim().split_once(':')?;
            let text = text.trim().replace('\t', " ");
            let text = text.split(" <.text").next()?;
            Some((slot.parse().ok()?, text.to_owned()))
        });
        lines.collect()
    }

    /// What `llvm-objdump` prints, without its headings.
    pub(crate) fn print(&self, triple: &str, code: &[u8]) -> String {
        let bytes: Vec<_> = code.iter().map(|byte| format!(".byte {byte}")).collect();
        let object = self.object(triple, &bytes.join("\n"));
        let args = ["-d", "--no-show-raw-insn", "--print-imm-hex", "--mattr=+alu32", object.path()];
        let (printed, _) = self.run("llvm-objdump", &args, "").expect("llvm-objdump ran before");
        printed.split_once("<.text>:\n").expect("a section with code").1.to_owned()
    }

    pub(crate) fn object(&self, triple: &str, text: &str) -> Object {
        let object = Object::new();
        let args = ["-triple", triple, self.cpu(), "-filetype=obj", "-o", object.path()];
        let (_, errors) = self.run("llvm-mc", &args, text).expect("llvm-mc ran before");
        assert_eq!(errors, "");
        object
    }

    fn cpu(&self) -> &'static str {
        if self.version >= 17 { "-mcpu=v4" } else { "-mcpu=v3" }
    }

    fn run(&self, program: &str, args: &[&str], input: &str) -> Option<(String, String)> {
        Self::output(Command::new(format!("{program}{}", self.suffix)).args(args), input)
    }

    /// What the command writes; `None` if it can't be run.
    fn output(command: &mut Command, input: &str) -> Option<(String, String)> {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().ok()?;
        let mut stdin = child.stdin.take()?;
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input.as_bytes()));
            let output = child.wait_with_output().ok()?;
            Some((String::from_utf8(output.stdout).ok()?, String::from_utf8(output.stderr).ok()?))
        })
    }
}

/// An object file, as long as this lives.
pub(crate) struct Object(tempfile::NamedTempFile);

impl Object {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().expect("a temporary file"))
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("a path in UTF-8")
    }

    /// The bytes of its section `.text`.
    pub(crate) fn code(&self) -> Vec<u8> {
        let file = std::fs::read(self.path()).expect("an object file");
        let big = file[5] == 2;
        let number = |at: usize, len: usize| {
            let digits = file[at..at + len].iter();
            let join = |sum: usize, &byte: &u8| sum << 8 | usize::from(byte);
            if big { digits.fold(0, join) } else { digits.rev().fold(0, join) }
        };
        // ELF64: e_shoff, e_shentsize, e_shnum, e_shstrndx.
        let section = |index: usize| number(0x28, 8) + index * number(0x3a, 2);
        let names = number(section(number(0x3e, 2)) + 0x18, 8);
        let text = (0..number(0x3c, 2))
            .map(section)
            .find(|&at| file[names + number(at, 4)..].starts_with(b".text\0"))
            .expect("a section with code");
        let start = number(text + 0x18, 8);
        file[start..start + number(text + 0x20, 8)].to_vec()
    }
}
