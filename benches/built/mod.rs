//! Static binaries, built alike: this repository's command and its example, and a program that does nothing.

use std::env::current_exe;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What rustc is told of all of them.
const FLAGS: [&str; 3] = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static", "-Cstrip=symbols"];

/// The binaries.
pub(crate) struct Built {
    /// Does nothing.
    pub(crate) empty: PathBuf,
    /// The example, without the features that it does not need.
    pub(crate) embed: PathBuf,
    /// The command.
    pub(crate) kwalk: PathBuf,
}

impl Built {
    /// Builds them, from the repository at `root`.
    ///
    /// # Errors
    ///
    /// What can't be built.
    pub(crate) fn new(root: &Path) -> Result<Built, String> {
        let manifest = root.join("Cargo.toml");
        let target = target()?;
        let embed = cargo(&manifest, &target, "release", &["--example", "embed", "--no-default-features"])?;
        let kwalk = cargo(&manifest, &target, "static", &["--package", "kwalk-cli"])?;
        let dir = scratch("empty")?;
        let source = dir.join("empty.rs");
        std::fs::write(&source, "fn main() {}").map_err(|error| format!("{}: {error}", source.display()))?;
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1", "-Cpanic=abort"]);
        done(rustc.args(FLAGS).args(["--target", &target, "--out-dir"]).arg(&dir).arg(&source))?;
        Ok(Built {
            empty: dir.join("empty"),
            embed: embed.join("examples/embed"),
            kwalk: kwalk.join("kwalk"),
        })
    }
}

/// Builds what `args` say of a workspace, static, and gives the folder that it is in.
pub(crate) fn cargo(manifest: &Path, target: &str, profile: &str, args: &[&str]) -> Result<PathBuf, String> {
    let dir = scratch("static")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--profile", profile, "--quiet", "--locked", "--target", target, "--manifest-path"]);
    done(cargo.arg(manifest).args(args).arg("--target-dir").arg(&dir).env("RUSTFLAGS", FLAGS.join(" ")))?;
    Ok(dir.join(target).join(profile))
}

/// A folder for what is made while this program runs, below that of its own binary.
pub(crate) fn scratch(name: &str) -> Result<PathBuf, String> {
    let own = current_exe().map_err(|error| error.to_string())?;
    let target = own.ancestors().find(|dir| dir.ends_with("release")).and_then(Path::parent);
    let dir =
        target.ok_or_else(|| format!("{} is in no folder of cargo's", own.display()))?.join("tmp").join(name);
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(dir)
}

/// Runs what must succeed, and gives what it prints.
pub(crate) fn done(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().find(|line| line.contains("rror")).or(said.lines().next()).unwrap_or_default();
    Err(format!("{:?}: {}: {why}", command.get_program(), output.status))
}

/// The target that binaries for this machine are built for by default.
pub(crate) fn host() -> Result<String, String> {
    let version = done(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not say what it runs on")?.into())
}

/// The one for static binaries: with musl if Rust's library is installed for it, which is smaller and starts faster.
pub(crate) fn target() -> Result<String, String> {
    let host = host()?;
    let musl = host.replace("-gnu", "-musl");
    let dir = done(Command::new("rustc").args(["--print", "target-libdir", "--target", &musl]))?;
    Ok(if Path::new(dir.trim()).is_dir() { musl } else { host })
}
