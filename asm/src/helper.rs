//! Helper functions, by number: `___BPF_FUNC_MAPPER` in `include/uapi/linux/bpf.h` of the kernel.

use core::fmt;

use crate::helpers::Helper;

/// The number of a helper, which need not be one that this crate has a name for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HelperId(pub u32);

impl HelperId {
    /// The helper of that number, if it is in this crate's table.
    pub fn known(self) -> Option<Helper> {
        // The table has every number from 1, in order.
        Helper::ALL.get(usize::try_from(self.0).ok()?.checked_sub(1)?).copied()
    }
}

impl From<Helper> for HelperId {
    fn from(helper: Helper) -> Self {
        helper.id()
    }
}

/// The kernel's name where it is known, the number where it isn't.
impl fmt::Display for HelperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(helper) => helper.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

impl Helper {
    /// The helper of that name, with `bpf_` and all.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::find(|(_, known, _)| known == name)
    }

    /// The number that a call instruction holds.
    pub const fn id(self) -> HelperId {
        HelperId(self.row().0)
    }

    /// The kernel's name for it, `bpf_` and all.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// The first kernel that has it, as major and minor version.
    pub const fn since(self) -> (u16, u16) {
        self.row().2
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
