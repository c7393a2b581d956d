//! Finds kfuncs: functions of the kernel and of its modules that programs can call.

use kwalk_btf::{Btf, Kind, TypeId};

use crate::error::Error;
use crate::sys::{self, BtfFd, BtfInfo, KernelBtf, ids, open_id};

/// A kfunc, as a call instruction refers to it.
#[derive(Debug)]
pub struct Kfunc {
    /// The id of its `FUNC`.
    pub id: TypeId,
    /// The BTF of its module; `None` for the kernel's own functions, whose calls have the offset 0. The offset of a
    /// call to a module's function is the index of this descriptor in the `fd_array` of `BPF_PROG_LOAD`, which is not
    /// 0.
    pub module: Option<BtfFd>,
}

impl Kfunc {
    /// Finds a function by its name: in the kernel's BTF, or else in that of its modules.
    ///
    /// Whether programs of a type may call it, the verifier decides when one is loaded.
    ///
    /// # Errors
    ///
    /// [`Error::NoKfunc`] if neither has it, [`Error::Sys`] if the modules' BTF can't be opened, which needs
    /// `CAP_SYS_ADMIN`, [`Error::Btf`] if one is damaged.
    pub fn find(kernel: &KernelBtf, name: &str) -> Result<Kfunc, Error> {
        match Btf::new(kernel.bytes())?.find(Kind::Func, name) {
            Ok(id) => Ok(Kfunc { id, module: None }),
            Err(kwalk_btf::Error::NotFound { .. }) => {
                let (id, module) = of_module(kernel, name)?;
                Ok(Kfunc { id, module: Some(module) })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Finds functions of modules: the id and the module's BTF for each.
pub(crate) fn of_modules(names: &[&str]) -> Result<Vec<(TypeId, BtfFd)>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let kernel = KernelBtf::open()?;
    names.iter().map(|name| of_module(&kernel, name)).collect()
}

fn of_module(kernel: &KernelBtf, name: &str) -> Result<(TypeId, BtfFd), Error> {
    let base = Btf::new(kernel.bytes())?;
    for module in of_kernel() {
        let (module, info) = module?;
        if info.name != "vmlinux" {
            if let Some(id) = in_module(&module.data()?, &base, name)? {
                return Ok((id, module));
            }
        }
    }
    Err(Error::NoKfunc { name: name.into() })
}

/// The function of this name in a module's BTF.
fn in_module(module: &[u8], base: &Btf<'_>, name: &str) -> Result<Option<TypeId>, kwalk_btf::Error> {
    match Btf::new_split(module, base)?.find(Kind::Func, name) {
        Ok(id) => Ok(Some(id)),
        Err(kwalk_btf::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The BTF of the kernel and of its modules (since 5.11).
fn of_kernel() -> impl Iterator<Item = sys::Result<(BtfFd, BtfInfo)>> {
    ids::<BtfFd>().filter_map(|id| {
        let opened = id.and_then(open_id::<BtfFd>).and_then(|btf| btf.info().map(|info| (btf, info)));
        match opened {
            Ok((_, info)) if !info.kernel => None,
            // Its module was unloaded in between.
            Err(error) if error.errno() == libc::ENOENT => None,
            found => Some(found),
        }
    })
}

impl BtfFd {
    /// The BTF of the module of this name, or for `vmlinux` that of the kernel itself. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// Those of [`ids`] and [`open_id`].
    pub fn of_kernel(name: &str) -> Result<Option<BtfFd>, sys::Error> {
        let is_it = |found: &sys::Result<(BtfFd, BtfInfo)>| {
            found.as_ref().map_or(true, |(_, info)| info.name == name)
        };
        of_kernel().find(is_it).transpose().map(|found| found.map(|(btf, _)| btf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BTF with these types, as words, and these strings.
    fn btf(types: &[&[u32]], strings: &[u8]) -> Vec<u8> {
        let types = types.concat();
        let len = 4 * types.len() as u32;
        let mut bytes = [&0xeb9f_u16.to_ne_bytes()[..], &[1, 0]].concat();
        let words = [24, 0, len, len, strings.len() as u32].into_iter().chain(types);
        bytes.extend(words.flat_map(u32::to_ne_bytes));
        [&bytes, strings].concat()
    }

    const FUNC: u32 = 12 << 24;
    const FUNC_PROTO: u32 = 13 << 24;

    /// Type ids and string offsets of a module continue those of the kernel. The call itself can be tested only on a
    /// kernel with modules.
    #[test]
    fn a_module_s_function_is_found() {
        let kernel = KernelBtf::from(btf(&[&[0, FUNC_PROTO, 0], &[1, FUNC, 1]], b"\0kernel\0"));
        let base = Btf::new(kernel.bytes()).unwrap();
        let first = btf(&[&[8, FUNC, 1]], b"first\0");
        let second = btf(&[&[8, 8 << 24, 1], &[8, FUNC, 1]], b"second\0");
        let find = |module: &[u8], name| in_module(module, &base, name).unwrap();
        assert_eq!(find(&first, "first"), Some(TypeId(3)));
        // Neither the typedef of the same name before it, nor the id in another module.
        assert_eq!(find(&second, "second"), Some(TypeId(4)));
        assert_eq!(find(&first, "second"), None);
        assert!(in_module(b"no BTF", &base, "third").is_err());
    }
}
