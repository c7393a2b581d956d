//! Finds kfuncs: functions of the kernel and of its modules that programs can call.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;

use kwalk_btf::{Btf, Kind, TypeId};

use crate::error::Error;
use crate::sys::{self, BtfFd, KernelBtf, ids, open_id};

/// The directory with the BTF of each module, under the module's name (since 5.11).
const MODULES: &str = "/sys/kernel/btf";

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
    /// [`Error::NoKfunc`] if neither has it, [`Error::Open`] if a module's BTF can't be read, [`Error::Sys`] if the
    /// descriptor of the module's BTF can't be opened, which needs `CAP_SYS_ADMIN`.
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
    let missing = || Error::NoKfunc { name: name.into() };
    let (module, id) = in_modules(MODULES.as_ref(), kernel, name)?.ok_or_else(missing)?;
    // The module may have been unloaded in between.
    Ok((id, BtfFd::of_kernel(&module.to_string_lossy())?.ok_or_else(missing)?))
}

impl BtfFd {
    /// The BTF of the module of this name, or for `vmlinux` that of the kernel itself. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// Those of [`ids`] and [`open_id`].
    pub fn of_kernel(name: &str) -> Result<Option<BtfFd>, sys::Error> {
        for id in ids::<BtfFd>() {
            let btf = match open_id::<BtfFd>(id?) {
                Ok(btf) => btf,
                // Its module was unloaded in between.
                Err(error) if error.errno() == libc::ENOENT => continue,
                Err(error) => return Err(error),
            };
            let info = btf.info()?;
            if info.kernel && info.name == name {
                return Ok(Some(btf));
            }
        }
        Ok(None)
    }
}

/// The module that has a function of this name, and the function's id.
fn in_modules(dir: &Path, kernel: &KernelBtf, name: &str) -> Result<Option<(OsString, TypeId)>, Error> {
    let failed = |path: &Path, source| Error::Open { path: path.into(), source };
    let entries = dir.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut modules: Vec<_> =
        entries.map_err(|error| failed(dir, error))?.iter().map(std::fs::DirEntry::file_name).collect();
    modules.retain(|module| module != "vmlinux");
    modules.sort_unstable();
    let base = Btf::new(kernel.bytes())?;
    for module in modules {
        let path = dir.join(&module);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            // The module was unloaded in between.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&path, error)),
        };
        match Btf::new_split(&bytes, &base).and_then(|types| types.find(Kind::Func, name)) {
            Ok(id) => return Ok(Some((module, id))),
            Err(kwalk_btf::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(&path, io::Error::new(ErrorKind::InvalidData, error))),
        }
    }
    Ok(None)
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
        let dir = tempfile::tempdir().unwrap();
        let find = |name| in_modules(dir.path(), &kernel, name).unwrap();
        assert_eq!(find("second"), None);
        std::fs::write(dir.path().join("vmlinux"), "never read").unwrap();
        std::fs::write(dir.path().join("a"), btf(&[&[8, FUNC, 1]], b"first\0")).unwrap();
        std::fs::write(dir.path().join("b"), btf(&[&[8, 8 << 24, 1], &[8, FUNC, 1]], b"second\0")).unwrap();
        assert_eq!(find("first"), Some(("a".into(), TypeId(3))));
        // Neither the typedef of the same name before it, nor the id in another module.
        assert_eq!(find("second"), Some(("b".into(), TypeId(4))));
        assert_eq!(find("kernel"), None);
        std::fs::write(dir.path().join("c"), "no BTF").unwrap();
        let error = in_modules(dir.path(), &kernel, "third").unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}/c: not BTF", dir.path().display())), "{error}");
    }
}
