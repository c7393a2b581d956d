//! A loaded program as text, with names for what its instructions have the number of.

use std::collections::HashMap;

use kwalk_asm::{Decoded, Endian, Helper, Insn, Listing, Named, Wide};
use kwalk_btf::{Btf, Kind, TypeId};

use crate::kallsyms::Kallsyms;
use crate::sys::{MapFd, ProgFd, open_id};
use crate::{Error, KernelBtf};

/// The instructions of a program, as the kernel runs them: what the verifier has rewritten prints as it is, and what only
/// exists inside the kernel as `.insn`. One a line, after the number of its slot, with labels for its jumps, the ids and
/// names of its maps, and the names of the kernel's functions, types and variables where they can be had.
///
/// # Errors
///
/// [`Error::Hidden`] where the kernel does not show them, [`Error::Sys`].
pub fn disassemble(prog: &ProgFd) -> Result<String, Error> {
    let bytes = prog.xlated()?;
    // The kernel gives out whole instructions; what is none stays raw.
    let program = Decoded::all(&bytes, Endian::NATIVE).unwrap_or_default();
    if program.is_empty() {
        return Err(Error::Hidden { prog_id: prog.info()?.id });
    }
    let names = Names::of(&program);
    Ok(listing(&program).map_ids().names(&|named| names.get(named)).to_string())
}

/// A listing as people read it.
pub fn listing<T>(program: &[T]) -> Listing<'_, T> {
    Listing::new(program).slots().labels()
}

/// The names of what a program has the number of.
struct Names(HashMap<Named, String>);

impl Names {
    fn of(program: &[Decoded]) -> Names {
        let insns = || {
            program
                .iter()
                .filter_map(|decoded| if let Decoded::Insn(insn) = decoded { Some(insn) } else { None })
        };
        let mut names = HashMap::new();
        // Each source is read only if an instruction asks for it.
        let (mut symbols, mut kernel) = (None, None);
        for insn in insns() {
            match *insn {
                // In a loaded program, the number is the distance of the helper from a fixed function.
                Insn::CallHelper { helper } => {
                    let symbols = symbols.get_or_insert_with(|| Kallsyms::read().ok());
                    let name = symbols.as_ref().and_then(|symbols| {
                        let base = symbols.address("__bpf_call_base")?;
                        best(symbols.at(base.wrapping_add_signed(i64::from(helper.0 as i32))))
                    });
                    names.extend(name.map(|name| (Named::Helper(helper), name.to_owned())));
                }
                Insn::CallKfunc { btf_id, btf_fd_offset } => {
                    let kernel = kernel.get_or_insert_with(|| KernelBtf::open().ok());
                    let name = kernel.as_ref().and_then(|kernel| type_name(kernel, btf_id, &[Kind::Func]));
                    names.extend(name.map(|name| (Named::Kfunc { btf_id, btf_fd_offset }, name)));
                }
                Insn::LoadWide { value: Wide::MapFd(id) | Wide::MapFdValue { fd: id, .. }, .. } => {
                    let info = open_id::<MapFd>(id as u32).and_then(|map| map.info());
                    names.extend(info.map(|info| (Named::Map(id), info.name.to_string())));
                }
                Insn::LoadWide { value: Wide::BtfId { btf_id, btf_fd }, .. } => {
                    let kernel = kernel.get_or_insert_with(|| KernelBtf::open().ok());
                    let kinds = &[Kind::Func, Kind::Var];
                    let name = kernel.as_ref().and_then(|kernel| type_name(kernel, btf_id, kinds));
                    names.extend(name.map(|name| (Named::Btf { btf_id, btf_fd }, name)));
                }
                _ => {}
            }
        }
        Names(names)
    }

    fn get(&self, named: Named) -> Option<&str> {
        self.0.get(&named).map(String::as_str)
    }
}

/// Of several names of one function, the one that helpers have.
fn best<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_helper = |name: &&str| Helper::ALL.iter().any(|helper| helper.name() == *name);
    names.max_by_key(is_helper)
}

fn type_name(kernel: &KernelBtf, id: u32, kinds: &[Kind]) -> Option<String> {
    let btf = Btf::new(kernel.bytes()).ok()?;
    let ty = btf.get(TypeId(id)).ok()?;
    kinds.contains(&ty.kind()).then(|| ty.name().to_owned())
}
