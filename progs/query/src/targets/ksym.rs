//! The kernel's symbols, as `/proc/kallsyms` shows them.

use crate::columns::{Show::{Char, Hex, Plain}, columns};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        address, default, Hex, "ksym.value", "address of the symbol";
        type, default, Char, "ksym.type", "type, as in /proc/kallsyms";
        name, default, Plain, "ksym.name", "name of the symbol";
        module, default, Plain, "ksym.module_name", "module that it is in; empty for the kernel itself";
    },
    ..View::NONE
};
