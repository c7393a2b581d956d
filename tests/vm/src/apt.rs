//! Debian's packages, by an apt that has a directory of its own: the machine's lists and sources stay as they are.
//!
//! Apt checks what it fetches: the lists by their signatures, the packages by the lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::arch::Arch;
use crate::error::{Error, Result};

/// The keys of Debian's archive, where Debian installs them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A private apt, which knows one suite. Its directory goes with it.
pub(crate) struct Apt {
    dir: TempDir,
    arch: &'static Arch,
}

impl Apt {
    /// Makes its directory in `dir`, and gets the suite's list of packages.
    pub(crate) fn update(dir: &Path, suite: &str, arch: &'static Arch) -> Result<Apt> {
        let apt = Apt { dir: TempDir::new_in(dir).map_err(Error::at(dir))?, arch };
        for sub in ["lists/partial", "cache/archives/partial"] {
            let path = apt.dir.path().join(sub);
            fs::create_dir_all(&path).map_err(Error::at(&path))?;
        }
        let mirror = mirror()?;
        let sources = apt.dir.path().join("sources.list");
        let source =
            format!("deb [signed-by={KEYRING} arch={} target=Packages] {mirror} {suite} main\n", arch.debian);
        fs::write(&sources, source).map_err(Error::at(&sources))?;
        // It takes a mirror that does not answer for success, and goes on with the old lists.
        run("apt-get", apt.command("apt-get").args(["update", "-oAPT::Update::Error-Mode=any"]))?;
        Ok(apt)
    }

    /// The names of the suite's packages that begin so.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let output = run("apt-cache", self.command("apt-cache").args(["pkgnames", prefix]))?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect())
    }

    /// A package's version.
    pub(crate) fn version(&self, package: &str) -> Result<Option<String>> {
        let output =
            run("apt-cache", self.command("apt-cache").args(["show", "--no-all-versions", package]))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().find_map(|line| line.strip_prefix("Version: ")).map(String::from))
    }

    /// Fetches a package; gives its path, which goes with this value.
    pub(crate) fn download(&self, package: &str) -> Result<PathBuf> {
        let to = self.dir.path();
        run("apt-get", self.command("apt-get").args(["download", package]).current_dir(to))?;
        let why = || Error::Program {
            name: "apt-get",
            why: format!("it has put no {package} into {}", to.display()),
        };
        packages(to)?.pop().ok_or_else(why)
    }

    /// Fetches packages with all that they depend on; gives their paths, which go with this value.
    pub(crate) fn download_all(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let options = ["install", "--download-only", "--yes", "--no-install-recommends"];
        run("apt-get", self.command("apt-get").args(options).args(packages))?;
        self::packages(&self.dir.path().join("cache/archives"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let dir = self.dir.path().display();
        command.arg("-qq").args([
            format!("-oDir::State={dir}"),
            format!("-oDir::State::Lists={dir}/lists"),
            "-oDir::State::status=/dev/null".into(),
            format!("-oDir::Cache={dir}/cache"),
            format!("-oDir::Etc::sourcelist={dir}/sources.list"),
            "-oDir::Etc::sourceparts=-".into(),
            "-oAcquire::Languages=none".into(),
            format!("-oAPT::Architecture={}", self.arch.debian),
            format!("-oAPT::Architectures={}", self.arch.debian),
        ]);
        command
    }
}

/// The packages in a directory.
fn packages(dir: &Path) -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(dir).map_err(Error::at(dir))?.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
}

/// Where this machine gets Debian's main archive from.
fn mirror() -> Result<String> {
    let targets = ["indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"];
    let output = run("apt-get", Command::new("apt-get").args(targets))?;
    find_mirror(&String::from_utf8_lossy(&output.stdout)).ok_or(Error::NoMirror)
}

/// The archive proper is called "debian" on every mirror, and has a component "main".
fn find_mirror(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let (uri, component) = line.split_once(' ')?;
        let uri = uri.trim_end_matches('/');
        (uri.ends_with("/debian") && component == "main").then(|| uri.into())
    })
}

/// Runs a program to its end. If it fails, what it said last is the reason.
pub(crate) fn run(name: &'static str, command: &mut Command) -> Result<Output> {
    let output = command.env("LC_ALL", "C").output().map_err(Error::start(name))?;
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let why = match stderr.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => line.trim_start_matches("E: ").into(),
        None => output.status.to_string(),
    };
    Err(Error::Program { name, why })
}
