//! Prints a loaded program as text, with names in place of ids and addresses.

use std::cell::LazyCell;
use std::collections::HashMap;

use kwalk_asm::{Decoded, Endian, Helper, HelperId, Insn, Listing, Named, Wide};
use kwalk_btf::{Btf, Kind, TypeId};

use crate::error::Error;
use crate::kallsyms::Kallsyms;
use crate::sys::{KernelBtf, MapFd, ProgFd, open_id};

/// Prints the instructions of a program as the kernel runs them, after the verifier has rewritten them; those that
/// exist only inside the kernel print as `.insn`. Each line has the number of the slot and an instruction. Jumps have
/// labels, maps their ids and names, and the kernel's functions, types and variables their names if this process can
/// read them.
///
/// # Errors
///
/// [`Error::Hidden`] if the kernel does not show the instructions, [`Error::Sys`].
pub fn disassemble(prog: &ProgFd) -> Result<String, Error> {
    let bytes = prog.xlated()?;
    // The kernel returns whole instructions; `Decoded` keeps those that it does not know as bytes.
    let program = Decoded::all(&bytes, Endian::NATIVE).unwrap_or_default();
    if program.is_empty() {
        return Err(Error::Hidden { prog_id: prog.info()?.id });
    }
    let names = names(&program);
    let name = |named| names.get(&named).map(String::as_str);
    Ok(listing(&program).map_ids().names(&name).to_string())
}

/// A listing with slot numbers and labels.
pub fn listing<T>(program: &[T]) -> Listing<'_, T> {
    Listing::new(program).slots().labels()
}

/// The names of the helpers, kfuncs, maps, types and variables that a program refers to.
fn names(program: &[Decoded]) -> HashMap<Named, String> {
    // Each source is read only if an instruction needs it.
    let symbols = LazyCell::new(|| Kallsyms::read().ok());
    let kernel = LazyCell::new(|| KernelBtf::open().ok());
    let helper_name = |helper: HelperId| {
        let symbols = symbols.as_ref()?;
        // In a loaded program, the id is the distance of the helper from a fixed function.
        let base = symbols.address("__bpf_call_base")?;
        best(symbols.at(base.wrapping_add_signed(i64::from(helper.0 as i32)))).map(str::to_owned)
    };
    let type_name = |id, kinds: &[Kind]| {
        let btf = Btf::new(kernel.as_ref()?.bytes()).ok()?;
        let ty = btf.get(TypeId(id)).ok()?;
        kinds.contains(&ty.kind()).then(|| ty.name().to_owned())
    };
    let map_name =
        |id| open_id::<MapFd>(id).and_then(|map| map.info()).ok().map(|info| info.name.to_string());
    let mut names = HashMap::new();
    for decoded in program {
        let (named, name) = match *decoded {
            Decoded::Insn(Insn::CallHelper { helper }) => (Named::Helper(helper), helper_name(helper)),
            Decoded::Insn(Insn::CallKfunc { btf_id, btf_fd_offset }) => {
                (Named::Kfunc { btf_id, btf_fd_offset }, type_name(btf_id, &[Kind::Func]))
            }
            Decoded::Insn(Insn::LoadWide {
                value: Wide::MapFd(id) | Wide::MapFdValue { fd: id, .. },
                ..
            }) => (Named::Map(id), map_name(id as u32)),
            Decoded::Insn(Insn::LoadWide { value: Wide::BtfId { btf_id, btf_fd }, .. }) => {
                (Named::Btf { btf_id, btf_fd }, type_name(btf_id, &[Kind::Func, Kind::Var]))
            }
            _ => continue,
        };
        names.extend(name.map(|name| (named, name)));
    }
    names
}

/// Of several names of one function, the one that is a helper's.
fn best<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_helper = |name: &&str| Helper::ALL.iter().any(|helper| helper.name() == *name);
    names.max_by_key(is_helper)
}
