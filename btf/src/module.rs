//! Types of modules: split BTF, which goes on where the kernel's ends. Read by the crate btf-rs.

use core::fmt;

use btf_rs::{Btf, Type};

use crate::TypeId;

/// The kernel's types, on which those of its modules build.
///
/// To have them read takes some 100 ms and 40 MB for the kernel of a distribution: look there only for what the kernel
/// itself doesn't have.
pub struct Base(Btf);

impl Base {
    /// Reads the kernel's BTF.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn new(kernel: &[u8]) -> Result<Base, ModuleError> {
        Ok(Base(Btf::from_bytes(kernel)?))
    }

    /// The FUNC of this name in a module's BTF, if it has one. Its id counts on from the kernel's.
    ///
    /// # Errors
    ///
    /// What is wrong with the module's BTF.
    pub fn function(&self, module: &[u8], name: &str) -> Result<Option<TypeId>, ModuleError> {
        let both = Btf::from_split_bytes(module, &self.0)?;
        let Some(module) = both.split() else { return Ok(None) };
        for id in module.resolve_ids_by_name(name)? {
            if let Type::Func(_) = module.resolve_type_by_id(id)? {
                return Ok(Some(TypeId(id)));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").finish_non_exhaustive()
    }
}

/// Why a module's BTF, or the kernel's below it, can't be read.
#[derive(Debug)]
pub struct ModuleError(btf_rs::Error);

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad BTF of a module, or of the kernel below it: {}", self.0)
    }
}

impl core::error::Error for ModuleError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<btf_rs::Error> for ModuleError {
    fn from(error: btf_rs::Error) -> ModuleError {
        ModuleError(error)
    }
}
