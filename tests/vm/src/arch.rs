//! What differs between the processors of guests.

use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// A kind of processor that guests can have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arch {
    /// What the kernel calls it (`uname -m`).
    pub(crate) name: &'static str,
    /// What Debian calls it.
    pub(crate) debian: &'static str,
    /// What its kernels' packages end in.
    pub(crate) flavour: &'static str,
    /// What its binaries are built for.
    pub(crate) triple: &'static str,
    /// What emulates it.
    pub(crate) qemu: &'static str,
    /// The machine and its processor.
    pub(crate) machine: &'static [&'static str],
    /// The kernel's name for the first serial line.
    pub(crate) console: &'static str,
}

impl Arch {
    /// The one that this program runs on, which is the only one so far: its own tools can then be lent to a guest.
    pub(crate) fn host() -> Result<&'static Arch> {
        let name = std::env::consts::ARCH;
        ARCHS.iter().find(|arch| arch.name == name).ok_or_else(|| Error::Architecture(name.into()))
    }

    /// Looks whether its emulator is there, before anything is fetched or built for it.
    pub(crate) fn emulator(&self) -> Result<()> {
        let version = Command::new(self.qemu).arg("--version").stdin(Stdio::null()).output();
        version.map(drop).map_err(Error::start(self.qemu))
    }
}

const ARCHS: &[Arch] = &[Arch {
    name: "x86_64",
    debian: "amd64",
    flavour: "cloud-amd64",
    triple: "x86_64-unknown-linux-gnu",
    qemu: "qemu-system-x86_64",
    // KVM is not asked for: /dev/kvm can be there and not work. Without -cx16, guests of QEMU 7.2 with Linux 6.12 crash at
    // random. Without fast strings (erms, fsrm) the kernel copies by words, which QEMU does not emulate byte by byte.
    machine: &["-machine", "pc,accel=tcg", "-cpu", "max,-cx16,-erms,-fsrm"],
    console: "ttyS0",
}];
