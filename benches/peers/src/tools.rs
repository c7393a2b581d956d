//! What is made of C while this program runs, where the tools for it are installed.

use std::fmt::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use kwalk::asm::{Endian, Reg};
use kwalk::progs::{Builder, Kernel, Program, targets};

use crate::built::{done, host, scratch};

/// The program of this name, where a shell would find it.
pub(crate) fn tool(name: &str) -> Result<PathBuf, String> {
    let found = |dir: PathBuf| Some(dir.join(name)).filter(|path| path.is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find_map(found).ok_or_else(|| format!("{name} is not installed"))
}

/// Some clang: distributions call it by its version.
fn clang() -> Result<PathBuf, String> {
    let versions = (10..100).rev().map(|version| tool(&format!("clang-{version}")));
    let named = tool("clang").into_iter().chain(versions.flatten()).next();
    named.ok_or_else(|| "clang is not installed".into())
}

/// Where the sources in C are.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/c").join(name)
}

/// The ELF object of a BPF program in C.
pub(crate) fn object(name: &str) -> Result<PathBuf, String> {
    let object = scratch("peers")?.join(name).with_extension("o");
    let mut command = Command::new(clang()?);
    command.args(["-target", "bpf", "-g", "-O2", "-c"]).arg(source(&format!("{name}.bpf.c")));
    done(command.arg("-o").arg(&object))?;
    Ok(object)
}

/// A static binary that counts tasks with the light skeleton of `count`.
pub(crate) fn skeleton() -> Result<PathBuf, String> {
    let (bpftool, dir) = (tool("bpftool")?, scratch("peers")?);
    // Named by the object's name.
    let linked = dir.join("count.bpf.o");
    done(Command::new(&bpftool).args(["gen", "object"]).arg(&linked).arg(object("count")?))?;
    let header = done(Command::new(&bpftool).args(["gen", "skeleton", "-L"]).arg(&linked))?;
    write(&dir.join("count.lskel.h"), &header)?;
    compile("skeleton", &["-static"])
}

/// A static binary without a C library that does what the example does for the tasks named `comm`.
pub(crate) fn floor(kernel: &Kernel<'_>, comm: &str) -> Result<PathBuf, String> {
    let program = example(kernel, comm).map_err(|error| error.to_string())?;
    let mut header = String::from("#define TARGET \"bpf_iter_task\"\n#define INSNS");
    for (nth, insn) in program.code.encode(Endian::NATIVE, |_| -1).chunks_exact(8).enumerate() {
        let number = u64::from_ne_bytes(insn.try_into().expect("8 bytes"));
        let comma = if nth == 0 { "" } else { "," };
        write!(header, "{comma} {number:#x}").expect("a string takes all");
    }
    header.push('\n');
    write(&scratch("peers")?.join("floor.h"), &header)?;
    compile("floor", &["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-builtin"])
}

/// The program of src/embed.rs.
fn example(kernel: &Kernel<'_>, comm: &str) -> Result<Program, kwalk::progs::Error> {
    let mut walk = Builder::new(kernel, &targets::task::TARGET)?;
    let done = walk.asm.label();
    let task = walk.object(Reg::R7, done)?;
    walk.text_is(&task, "comm", comm.as_bytes(), done)?;
    let row = [task.field("tgid"), task.field("pid"), task.field("real_parent.tgid"), task.text("comm")];
    walk.printf("tgid=%d pid=%d ppid=%d %s\n", &row)?;
    walk.finish("embed", done)
}

fn compile(name: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let dir = scratch("peers")?;
    let binary = dir.join(name);
    let libbpf = libbpf()?;
    let link = dir.join("bpf");
    // They call one another so.
    if !link.exists() {
        symlink(libbpf.join("src"), &link).map_err(|error| format!("{}: {error}", link.display()))?;
    }
    let mut cc = Command::new(tool("cc")?);
    cc.args(["-O2", "-s"]).args(flags).arg("-I").arg(&dir).arg("-I").arg(libbpf.join("include/uapi"));
    done(cc.arg("-o").arg(&binary).arg(source(&format!("{name}.c"))))?;
    Ok(binary)
}

/// The sources of libbpf, whose headers light skeletons include: those that libbpf-rs is built with.
fn libbpf() -> Result<PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &host()?]);
    let metadata =
        done(cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")))?;
    let manifests = metadata.split('"').filter_map(|word| word.strip_suffix("/Cargo.toml"));
    let package = manifests.into_iter().find(|dir| dir.contains("/libbpf-sys-"));
    Ok(Path::new(package.ok_or("cargo does not say where libbpf-sys is")?).join("libbpf"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
