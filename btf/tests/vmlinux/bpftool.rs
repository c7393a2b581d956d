//! `bpftool btf dump`, of the same file.

use std::fmt::{self, Write};
use std::process::Command;
use std::{fs, path};

use kwalk_btf::{Btf, Component, Fwd, Kind, Linkage, Type, TypeId};

use crate::builder::{add_every_kind, every_kind};
use crate::cut::cut;

/// What bpftool says, or why it says nothing.
pub(crate) fn dump(path: &str) -> Result<String, String> {
    run(&["btf", "dump", "file", path, "format", "raw"])
}

fn run(args: &[&str]) -> Result<String, String> {
    let output = Command::new("bpftool").args(args).output();
    let output = output.map_err(|error| format!("needs the program bpftool: {error}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout).unwrap())
}

pub(crate) fn every_type_is_the_one_bpftool_dumps(bytes: &[u8], dump: &str) {
    compare(&Btf::new(bytes).unwrap(), 1, dump);
}

/// A type of each kind, and the same again in split BTF, with names and references of both.
pub(crate) fn every_type_of_split_btf_is_the_one_bpftool_dumps() -> Result<(), String> {
    let mut b = every_kind();
    let base = b.bytes();
    let again =
        |kind: Kind| TypeId(kind as u32 + if kind as u32 % 2 == 0 { 0 } else { Kind::ALL.len() as u32 });
    add_every_kind(&mut b, again);
    let split = cut(&base, &b.bytes());
    let dir = path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [base_path, split_path] = [("base.btf", &base), ("split.btf", &split)].map(|(name, bytes)| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    });
    let dump = run(&["--base-btf", &base_path, "btf", "dump", "file", &split_path, "format", "raw"])?;
    let base = Btf::new(&base).unwrap();
    compare(&Btf::new_split(&split, &base).unwrap(), base.type_count().unwrap() + 1, &dump);
    Ok(())
}

/// The types from `first` on are those of the dump.
fn compare(btf: &Btf<'_>, first: u32, dump: &str) {
    let mut theirs = dump.lines();
    let mut ours = String::new();
    for id in first..=btf.type_count().unwrap() {
        ours.clear();
        print(btf, &btf.get(TypeId(id)).unwrap(), &mut ours).unwrap();
        for line in ours.lines() {
            assert_eq!(Some(line), theirs.next());
        }
    }
    assert_eq!(theirs.next(), None);
}

/// A type in the words of bpftool.
fn print(btf: &Btf, ty: &Type, out: &mut String) -> fmt::Result {
    fn or_anon(name: &str) -> &str {
        if name.is_empty() { "(anon)" } else { name }
    }
    let to = ty.refers_to().unwrap_or(TypeId::VOID);
    let size = ty.size().unwrap_or(0);
    write!(out, "[{}] {} '{}'", ty.id, ty.kind(), or_anon(ty.name()))?;
    match ty.kind() {
        Kind::Int => {
            let int = ty.int().unwrap();
            let encoding = match (int.signed, int.char, int.bool) {
                (false, false, false) => "(none)",
                (true, false, false) => "SIGNED",
                (false, true, false) => "CHAR",
                (false, false, true) => "BOOL",
                _ => "UNKN",
            };
            let (offset, bits) = (int.offset, int.bits);
            writeln!(out, " size={size} bits_offset={offset} nr_bits={bits} encoding={encoding}")
        }
        Kind::Ptr | Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
            writeln!(out, " type_id={to}")
        }
        Kind::Array => {
            let array = ty.array().unwrap();
            let (element, index, len) = (array.element, array.index, array.len);
            writeln!(out, " type_id={element} index_type_id={index} nr_elems={len}")
        }
        Kind::Struct | Kind::Union => {
            let members = btf.members(ty.id).unwrap();
            writeln!(out, " size={size} vlen={}", members.len())?;
            members.map(Result::unwrap).try_for_each(|member| {
                let (name, id, offset) = (or_anon(member.name), member.type_id, member.bit_offset);
                write!(out, "\t'{name}' type_id={id} bits_offset={offset}")?;
                match member.bitfield_width {
                    0 => writeln!(out),
                    width => writeln!(out, " bitfield_size={width}"),
                }
            })
        }
        Kind::Enum | Kind::Enum64 => {
            let enumerators = btf.enumerators(ty.id).unwrap();
            let encoding = if ty.kind_flag() { "SIGNED" } else { "UNSIGNED" };
            writeln!(out, " encoding={encoding} size={size} vlen={}", enumerators.len())?;
            let suffix = match (ty.kind(), ty.kind_flag()) {
                (Kind::Enum, _) => "",
                (_, true) => "LL",
                (_, false) => "ULL",
            };
            enumerators
                .map(Result::unwrap)
                .try_for_each(|one| writeln!(out, "\t'{}' val={}{suffix}", or_anon(one.name), one.value))
        }
        Kind::Fwd => {
            let what = if ty.fwd() == Some(Fwd::Union) { "union" } else { "struct" };
            writeln!(out, " fwd_kind={what}")
        }
        Kind::Func => writeln!(out, " type_id={to} linkage={}", linkage(ty)),
        Kind::Var => writeln!(out, " type_id={to}, linkage={}", linkage(ty)),
        Kind::FuncProto => {
            let params = btf.params(ty.id).unwrap();
            let more = params.is_variadic();
            writeln!(out, " ret_type_id={to} vlen={}", params.len() + usize::from(more))?;
            params
                .map(Result::unwrap)
                .try_for_each(|one| writeln!(out, "\t'{}' type_id={}", or_anon(one.name), one.type_id))?;
            if more { writeln!(out, "\t'(anon)' type_id=0") } else { Ok(()) }
        }
        Kind::Datasec => {
            let vars = btf.section_vars(ty.id).unwrap();
            writeln!(out, " size={size} vlen={}", vars.len())?;
            vars.into_iter().try_for_each(|var| {
                let (id, offset, size) = (var.type_id, var.offset, var.size);
                let ty = btf.get(id).unwrap();
                writeln!(out, "\ttype_id={id} offset={offset} size={size} ({} '{}')", ty.kind(), ty.name())
            })
        }
        Kind::Float => writeln!(out, " size={size}"),
        Kind::DeclTag => {
            let component = match ty.component().unwrap() {
                Component::Whole => -1,
                Component::Part(index) => i64::from(index),
            };
            writeln!(out, " type_id={to} component_idx={component}")
        }
    }
}

fn linkage(ty: &Type) -> &'static str {
    match ty.linkage().unwrap() {
        Linkage::Static => "static",
        Linkage::Global => "global",
        Linkage::Extern => "extern",
    }
}
