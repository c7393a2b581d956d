//! The kernel's types: from `/sys`, or from a file that the user names.

use std::env::var_os;
use std::fmt;
use std::fs::{File, metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use object::{Object, ObjectSection, ReadCache};

use crate::message::Failure;
use kwalk::btf::{self, Btf};
use kwalk::progs::Kernel;
use kwalk::{Error, KernelBtf};

/// The environment variable that names the file if no option does.
const VARIABLE: &str = "KWALK_BTF";

/// The option for the file with the types.
#[derive(Args)]
pub(crate) struct Types {
    /// Take the kernel's types from a file instead of /sys: raw BTF, or an ELF file with a section .BTF [env:
    /// KWALK_BTF]
    #[arg(long, value_name = "FILE", global = true)]
    btf: Option<PathBuf>,
}

impl Types {
    /// Opens the file that the user names, or else the running kernel's types.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let variable =
            || Some((format!("{VARIABLE}="), var_os(VARIABLE).filter(|file| !file.is_empty())?.into()));
        let named = self.btf.clone().map(|file| ("--btf ".to_owned(), file)).or_else(variable);
        let Some((how, file)) = named else {
            return Ok(Opened { types: KernelBtf::open().map_err(Error::from)?, are_running: true });
        };
        let types = read(&file).map_err(|reason| Failure::Types {
            file: format!("{how}{}", file.display()),
            reason: Box::new(reason),
        })?;
        Ok(Opened { types, are_running: false })
    }
}

/// A kernel's types.
pub(crate) struct Opened {
    types: KernelBtf,
    /// Whether these are the running kernel's own types, and not a file's.
    are_running: bool,
}

impl Opened {
    /// The bytes of the BTF.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.types.bytes()
    }

    /// The kernel with these types, for what is only shown. If they are from a file, nothing else is known about it.
    /// Programs that are loaded are written for [`kwalk::kernel`], whosever types they take: the running kernel's JIT and
    /// page size are what counts for them.
    pub(crate) fn kernel<'a>(&self, btf: &'a Btf<'a>) -> Kernel<'a> {
        if self.are_running { kwalk::kernel(btf) } else { Kernel::described(btf) }
    }
}

/// Why a file can't be used as the kernel's types.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It can't be read.
    Io(io::Error),
    /// It is neither BTF nor ELF.
    Unknown,
    /// It is an ELF file that can't be parsed.
    Elf(object::Error),
    /// It is an ELF file without a section .BTF.
    NoSection,
    /// It is an ELF file whose section .BTF is not BTF.
    OtherSection,
    /// Its BTF can't be parsed.
    Btf(btf::Error),
}

const SECTION: &str = ".BTF";

fn read(path: &Path) -> Result<KernelBtf, Unusable> {
    let (types, otherwise) = match elf(path)? {
        // Only this section is read: the others can have gigabytes.
        Some(file) => (KernelBtf::from(section(file)?), Unusable::OtherSection),
        None => (KernelBtf::open_path(path).map_err(|error| errno(error.errno()))?, Unusable::Unknown),
    };
    match Btf::new(types.bytes()) {
        Ok(_) => Ok(types),
        Err(btf::Error::NotBtf) => Err(otherwise),
        Err(error) => Err(Unusable::Btf(error)),
    }
}

/// Opens the file as ELF; `None` if it is not.
fn elf(path: &Path) -> Result<Option<File>, Unusable> {
    // A pipe can't be read twice.
    if !metadata(path).map_err(Unusable::Io)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(Unusable::Io)?;
    let mut magic = [0; 4];
    Ok((file.read_exact(&mut magic).is_ok() && magic == object::elf::ELFMAG).then_some(file))
}

fn section(file: File) -> Result<Vec<u8>, Unusable> {
    let data = ReadCache::new(file);
    let elf = object::File::parse(&data).map_err(Unusable::Elf)?;
    let section = elf.section_by_name(SECTION).ok_or(Unusable::NoSection)?;
    if section.size() > KernelBtf::MAX_LEN {
        return Err(errno(libc::EFBIG));
    }
    Ok(section.data().map_err(Unusable::Elf)?.into())
}

/// The error of a file whose name the message already has.
fn errno(errno: i32) -> Unusable {
    Unusable::Io(io::Error::from_raw_os_error(errno))
}

impl Unusable {
    /// The hint for the user.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Unusable::Io(_) | Unusable::Unknown => {
                "give it a copy of /sys/kernel/btf/vmlinux, or an uncompressed vmlinux"
            }
            Unusable::NoSection => "a vmlinux has it if the kernel was built with CONFIG_DEBUG_INFO_BTF",
            Unusable::Elf(_) | Unusable::OtherSection | Unusable::Btf(_) => {
                "copy it again; a module's types are not enough, the kernel's are needed"
            }
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Io(error) => error.fmt(f),
            Unusable::Unknown => write!(f, "it is neither BTF nor an ELF file"),
            Unusable::Elf(error) => write!(f, "this ELF file is damaged: {error}"),
            Unusable::NoSection => write!(f, "this ELF file has no section {SECTION}"),
            Unusable::OtherSection => write!(f, "the section {SECTION} of this ELF file is something else"),
            Unusable::Btf(error) => error.fmt(f),
        }
    }
}
