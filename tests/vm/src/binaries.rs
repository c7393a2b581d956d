//! Static binaries of kwalk, of its tests and of a guest's first process, built by cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::arch::Arch;
use crate::error::{Error, Result};

/// The integration tests that are of a kernel: those of `builds` run cargo.
const TESTS: &str = "integration";

/// What was built.
struct Binary {
    /// The target's name in its manifest.
    name: String,
    /// The file.
    path: PathBuf,
}

/// The manifest of kwalk itself.
pub(crate) fn root() -> &'static Path {
    // Here is tests/vm.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
}

/// The folder that cargo builds in.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(root());
    let output = crate::apt::run("cargo", &mut command)?;
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let why = || Error::Program { name: "cargo", why: "it does not say where the target folder is".into() };
    metadata["target_directory"].as_str().map(PathBuf::from).ok_or_else(why)
}

/// A guest's first process.
pub(crate) fn init(arch: &Arch, target_dir: &Path) -> Result<PathBuf> {
    let manifest = root().join("tests/vm/Cargo.toml");
    let arguments = ["build", "--release", "--package=vm-init", "--bins"];
    one(&build(&arguments, &manifest, arch, target_dir)?, "vm-init")
}

/// The command.
pub(crate) fn kwalk(arch: &Arch, target_dir: &Path) -> Result<PathBuf> {
    one(&build(&["build", "--bin=kwalk"], &root().join("Cargo.toml"), arch, target_dir)?, "kwalk")
}

/// The integration tests, and the command, of which they know where it is.
pub(crate) fn tests(arch: &Arch, target_dir: &Path) -> Result<[PathBuf; 2]> {
    let arguments = ["test", "--no-run", "--package=kwalk-cli", "--test", TESTS];
    let built = build(&arguments, &root().join("Cargo.toml"), arch, target_dir)?;
    Ok([one(&built, TESTS)?, one(&built, "kwalk")?])
}

fn one(built: &[Binary], name: &str) -> Result<PathBuf> {
    let why = || Error::Program { name: "cargo", why: format!("it has built no {name}") };
    built.iter().find(|binary| binary.name == name).map(|binary| binary.path.clone()).ok_or_else(why)
}

fn build(arguments: &[&str], manifest: &Path, arch: &Arch, target_dir: &Path) -> Result<Vec<Binary>> {
    let mut command = cargo();
    command
        .args(arguments)
        .args(["--quiet", "--locked", "--message-format=json-render-diagnostics", "--target", arch.triple])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_dir)
        // In files that lie in a guest's memory; and tests that an emulated processor runs in less time.
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "2")
        // Not moved at each start, which an emulated processor takes its time for.
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(linker) = arch.linker {
        let triple = arch.triple.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{triple}_LINKER"), linker);
    }
    let output = command.output().map_err(Error::start("cargo"))?;
    if !output.status.success() {
        return Err(Error::Program { name: "cargo", why: "it does not build".into() });
    }
    Ok(output.stdout.split(|byte| *byte == b'\n').filter_map(binary).collect())
}

/// What one of cargo's messages says was built, if it is about that.
fn binary(message: &[u8]) -> Option<Binary> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let target = &message["target"];
    Some(Binary { path: message["executable"].as_str()?.into(), name: target["name"].as_str()?.into() })
}
