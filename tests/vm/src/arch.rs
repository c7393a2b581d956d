//! What differs between the processors of guests: a row each, and nothing anywhere else.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::apt::run;
use crate::error::{Error, Result};
use crate::kernel::Version;

/// A kind of processor that guests can have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arch {
    /// What the kernel calls it (`uname -m`).
    pub(crate) name: &'static str,
    /// What Debian calls it, which is also its name here.
    pub(crate) debian: &'static str,
    /// What its kernels' packages end in.
    pub(crate) flavour: &'static str,
    /// The first of its kernels in Debian that describes its types.
    pub(crate) since: Version,
    /// What its binaries are built for.
    pub(crate) triple: &'static str,
    /// What links them, where that is not what cargo takes by itself.
    pub(crate) linker: Option<&'static str>,
    /// What emulates it.
    pub(crate) qemu: &'static str,
    /// The programs that all this takes, each with the packages that Debian has it in.
    needs: &'static [(&'static str, &'static str)],
    /// The machine and its processor, with a line to each of the character devices "console", "stdout", "stderr" and "events".
    pub(crate) machine: &'static [&'static str],
    /// The kernel's name for the first line.
    pub(crate) console: &'static str,
    /// The devices that the other three lines are in the guest.
    pub(crate) lines: [&'static str; 3],
}

impl Arch {
    /// The one of this name, of Debian or of the kernel; without a name the one that this program runs on.
    pub(crate) fn named(name: Option<&str>) -> Result<&'static Arch> {
        let name = name.unwrap_or(std::env::consts::ARCH);
        let found = ARCHS.iter().find(|arch| [arch.name, arch.debian].contains(&name));
        found.ok_or_else(|| Error::Architecture(name.into()))
    }

    /// The names of all of them.
    pub(crate) fn names() -> String {
        ARCHS.iter().map(|arch| arch.debian).collect::<Vec<_>>().join(", ")
    }

    /// Whether it is the one that this program runs on: its own tools can then be lent to a guest.
    pub(crate) fn is_host(&self) -> bool {
        self.name == std::env::consts::ARCH
    }

    /// Looks whether its tools are installed, before anything is fetched or built for it.
    pub(crate) fn ready(&self) -> Result<()> {
        for (program, _) in self.needs {
            let version = Command::new(program).arg("--version").stdin(Stdio::null()).output();
            version.map_err(Error::start(program))?;
        }
        if !self.is_host() {
            let mut rustc = Command::new("rustc");
            let dir = run("rustc", rustc.args(["--print", "target-libdir", "--target", self.triple]))?;
            if !Path::new(String::from_utf8_lossy(&dir.stdout).trim()).is_dir() {
                return Err(Error::NoStd(self.triple));
            }
        }
        Ok(())
    }
}

/// The packages that Debian has one of the programs in that guests take.
pub(crate) fn package(program: &str) -> Option<&'static str> {
    let mut needs = ARCHS.iter().flat_map(|arch| arch.needs);
    needs.find_map(|(name, package)| (*name == program).then_some(*package))
}

const ARCHS: &[Arch] = &[
    Arch {
        name: "x86_64",
        debian: "amd64",
        flavour: "cloud-amd64",
        since: (5, 10),
        triple: "x86_64-unknown-linux-gnu",
        linker: None,
        qemu: "qemu-system-x86_64",
        needs: &[("qemu-system-x86_64", "qemu-system-x86")],
        // KVM is not asked for: /dev/kvm can be there and not work. Without -cx16, guests of QEMU 7.2 with Linux 6.12 crash
        // at random. Without fast strings (erms, fsrm) the kernel copies by words, which QEMU does not emulate byte by byte.
        #[rustfmt::skip]
        machine: &[
            "-machine", "pc,accel=tcg", "-cpu", "max,-cx16,-erms,-fsrm",
            "-serial", "chardev:console", "-serial", "chardev:stdout", "-serial", "chardev:stderr", "-serial", "chardev:events",
        ],
        console: "ttyS0",
        lines: ["/dev/ttyS1", "/dev/ttyS2", "/dev/ttyS3"],
    },
    Arch {
        name: "aarch64",
        debian: "arm64",
        flavour: "cloud-arm64",
        since: (5, 10),
        triple: "aarch64-unknown-linux-musl",
        linker: Some("rust-lld"),
        qemu: "qemu-system-aarch64",
        needs: &[("qemu-system-aarch64", "qemu-system-arm")],
        // Pointers are authenticated by a hash that costs an emulator less than the real one. Kernels before 5.12 don't boot
        // on processors with LPA2. The kernels have drivers of virtio as modules only, before 6.12.
        #[rustfmt::skip]
        machine: &[
            "-machine", "virt,accel=tcg", "-cpu", "max,pauth-impdef=on,lpa2=off", "-serial", "chardev:console",
            "-device", "pci-serial,chardev=stdout", "-device", "pci-serial,chardev=stderr", "-device", "pci-serial,chardev=events",
        ],
        console: "ttyAMA0",
        lines: ["/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2"],
    },
    Arch {
        name: "s390x",
        debian: "s390x",
        flavour: "s390x",
        since: (6, 12),
        triple: "s390x-unknown-linux-gnu",
        linker: Some("s390x-linux-gnu-gcc"),
        qemu: "qemu-system-s390x",
        needs: &[
            ("qemu-system-s390x", "qemu-system-misc"),
            ("s390x-linux-gnu-gcc", "gcc-s390x-linux-gnu libc6-dev-s390x-cross"),
        ],
        #[rustfmt::skip]
        machine: &[
            "-machine", "s390-ccw-virtio,accel=tcg", "-cpu", "max", "-device", "sclpconsole,chardev=console",
            "-device", "virtio-serial-ccw", "-device", "virtserialport,nr=1,chardev=stdout",
            "-device", "virtserialport,nr=2,chardev=stderr", "-device", "virtserialport,nr=3,chardev=events",
        ],
        console: "ttysclp0",
        lines: ["/dev/vport0p1", "/dev/vport0p2", "/dev/vport0p3"],
    },
];
