//! What structs of the running kernel declare, as bpftool writes it in C.
//!
//! Where the kernel has no BTF, or bpftool is not there, the test is reported as ignored, with the reason.

use std::collections::{BTreeMap, HashMap};
use std::process::{Command, ExitCode};

use kwalk_btf::{Btf, Kind, TypeId};
use libtest_mimic::{Arguments, Completion, Trial};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

fn main() -> ExitCode {
    let trial = Trial::ignorable_test("declarations_are_those_that_bpftool_writes", || {
        let bytes = match std::fs::read(VMLINUX) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Completion::ignored_with(format!("{VMLINUX}: {error}"))),
        };
        let mut bpftool = Command::new("bpftool");
        let output = match bpftool.args(["btf", "dump", "file", VMLINUX, "format", "c"]).output() {
            Ok(output) => output,
            Err(error) => return Ok(Completion::ignored_with(format!("bpftool: {error}"))),
        };
        assert!(output.status.success(), "{output:?}");
        declarations_are_those_of_bpftool(&bytes, std::str::from_utf8(&output.stdout).unwrap());
        Ok(Completion::Completed)
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// Every member of every struct and union whose name is its own, in C.
fn declarations_are_those_of_bpftool(bytes: &[u8], c: &str) {
    let written = declared(c);
    let btf = Btf::new(bytes).unwrap();
    let mut named: BTreeMap<String, Vec<TypeId>> = BTreeMap::new();
    for (kind, keyword) in [(Kind::Struct, "struct"), (Kind::Union, "union")] {
        for (id, name) in btf.with_prefix(kind, "").unwrap() {
            named.entry(format!("{keyword} {name}")).or_default().push(id);
        }
    }
    let mut compared = 0;
    for (name, ids) in &named {
        let ([id], Some(expected)) = (&ids[..], written.get(name.as_str())) else { continue };
        let members = btf.named_members(*id).unwrap();
        let declarations: Vec<_> = members
            .iter()
            .map(|member| {
                let declaration = btf.declaration(member.type_id, member.name).unwrap();
                match member.bitfield_width {
                    0 => declaration,
                    width => format!("{declaration}: {width}"),
                }
            })
            .collect();
        assert_eq!(&declarations, expected, "{name}");
        compared += declarations.len();
    }
    assert!(compared > 20_000, "{compared} of {}", named.len());
}

/// What each struct and union declares, those of its anonymous members in their places.
fn declared(c: &str) -> HashMap<&str, Vec<String>> {
    let (mut found, mut open) = (HashMap::new(), Vec::new());
    for line in c.lines() {
        let line = line.trim().trim_end_matches(';').trim_end_matches(" __attribute__((packed))");
        if let Some(keyword) = line.strip_suffix(" {") {
            open.push((keyword, Vec::new()));
        } else if let Some(name) = line.strip_prefix('}') {
            let (keyword, members): (&str, Vec<String>) = open.pop().unwrap();
            match (open.last_mut(), name.trim_start_matches(" __attribute__((packed))").trim()) {
                (None, _) => drop(found.insert(keyword, members)),
                // The names of an anonymous enum are no members.
                (Some(_), "") if keyword == "enum" => {}
                (Some((_, outer)), "") => outer.extend(members),
                (Some((_, outer)), name) => outer.push(format!("{keyword} {{...}} {name}")),
            }
        } else if let Some((_, members)) = open.last_mut().filter(|_| !is_padding(line)) {
            members.push(own_name(line).replace("{}", "{...}").replace("* (", "*("));
        }
    }
    found
}

/// Bits without a name.
fn is_padding(line: &str) -> bool {
    line.split_once(": ")
        .is_some_and(|(ty, _)| !ty.contains(' ') || ty.ends_with(" int") || ty.ends_with(" char"))
}

/// bpftool tells types of one name apart by numbers: `name___2`.
fn own_name(line: &str) -> String {
    let mut pieces = line.split("___");
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        name += &if rest.len() == piece.len() { format!("___{piece}") } else { rest.to_owned() };
    }
    name
}
