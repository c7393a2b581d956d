//! The programs that tests start in a guest, and the libraries that these want: this machine's own, or Debian's where the
//! guest's processor is another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::apt::{Apt, run};
use crate::arch::Arch;
use crate::error::{Error, Result};

/// The programs.
const NAMES: &[&str] = &[
    "bpftool", "cat", "chmod", "cp", "grep", "ls", "mkdir", "mount", "rm", "setpriv", "sh", "strace", "true",
    "umount", "unshare",
];

/// Debian's packages that have them, and the suite that these are taken from.
const PACKAGES: &[&str] = &["bpftool", "coreutils", "dash", "grep", "mount", "strace", "util-linux"];
const SUITE: &str = "bookworm";

/// Each file with its path in the guest. Those of Debian are fetched once, and kept in `dir`.
pub(crate) fn find(dir: &Path, arch: &'static Arch) -> Result<Vec<(PathBuf, PathBuf)>> {
    if arch.is_host() {
        return own();
    }
    let tree = dir.join(arch.name);
    if !tree.exists() {
        fs::create_dir_all(dir).map_err(Error::at(dir))?;
        crate::say(format_args!("vm: fetching the programs that tests start, for {}", arch.debian));
        let apt = Apt::update(dir, SUITE, arch)?;
        let unpacked = TempDir::new_in(dir).map_err(Error::at(dir))?;
        for package in apt.download_all(PACKAGES)? {
            run("dpkg-deb", Command::new("dpkg-deb").arg("--extract").arg(package).arg(unpacked.path()))?;
        }
        fs::rename(unpacked.keep(), &tree).map_err(Error::at(&tree))?;
    }
    Ok(unpacked_in(&tree, arch))
}

/// The machine's own. One that it has not got is left out.
fn own() -> Result<Vec<(PathBuf, PathBuf)>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = Vec::new();
    for name in NAMES {
        let Some(found) = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
        else {
            continue;
        };
        let output = Command::new("ldd").arg(&found).output().map_err(Error::start("ldd"))?;
        let libraries = String::from_utf8_lossy(&output.stdout).into_owned();
        files.extend(libraries.lines().filter_map(library).map(|library| (library.clone(), library)));
        files.push((Path::new("/bin").join(name), found));
    }
    Ok(files)
}

/// Those of a tree that packages were unpacked in: the programs, and all libraries.
fn unpacked_in(tree: &Path, arch: &Arch) -> Vec<(PathBuf, PathBuf)> {
    let all = |dirs: &[String]| {
        let dirs = dirs.iter().filter_map(|dir| fs::read_dir(tree.join(dir)).ok());
        dirs.flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_lent = |path: &PathBuf| NAMES.iter().any(|name| path.ends_with(name));
    let programs = all(&["bin", "sbin", "usr/bin", "usr/sbin"].map(String::from)).into_iter().filter(is_lent);
    // "libz.so.1" is what programs ask for; "libz.so.1.2.13" is the same file.
    let is_asked_for = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.split_once(".so.").is_some_and(|(_, version)| !version.contains('.'))
    };
    let dirs = ["lib", "usr/lib"].map(|dir| [dir.to_owned(), format!("{dir}/{}-linux-gnu", arch.name)]);
    let libraries = all(dirs.as_flattened()).into_iter().filter(is_asked_for);
    let at = |dir| move |path: PathBuf| Some((Path::new(dir).join(path.file_name()?), path));
    programs.filter_map(at("/bin")).chain(libraries.filter_map(at("/lib"))).collect()
}

/// The path in a line of what ldd says: "libc.so.6 => /lib/libc.so.6 (0x…)", "/lib/ld.so (0x…)".
fn library(line: &str) -> Option<PathBuf> {
    line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_programs_come_with_the_libraries_that_they_ask_for() {
        let tree = TempDir::new().unwrap();
        for file in [
            "bin/sh",
            "bin/bash",
            "usr/sbin/bpftool",
            "usr/share/doc/sh",
            "lib/ld64.so.1",
            "lib/s390x-linux-gnu/libc.so.6",
            "usr/lib/s390x-linux-gnu/libz.so.1",
            "usr/lib/s390x-linux-gnu/libz.so.1.2.13",
            "usr/lib/s390x-linux-gnu/gconv/IBM037.so",
        ] {
            let path = tree.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let arch = Arch::named(Some("s390x")).unwrap();
        let mut found = unpacked_in(tree.path(), arch);
        found.sort();
        let expected = [
            ("/bin/bpftool", "usr/sbin/bpftool"),
            ("/bin/sh", "bin/sh"),
            ("/lib/ld64.so.1", "lib/ld64.so.1"),
            ("/lib/libc.so.6", "lib/s390x-linux-gnu/libc.so.6"),
            ("/lib/libz.so.1", "usr/lib/s390x-linux-gnu/libz.so.1"),
        ];
        assert_eq!(found, expected.map(|(to, from)| (PathBuf::from(to), tree.path().join(from))));
    }

    #[test]
    fn libraries_are_read_from_what_ldd_says() {
        let lines =
            "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\t/lib64/ld.so.2 (0x3)\n";
        let paths: Vec<_> = lines.lines().filter_map(library).collect();
        assert_eq!(paths, [Path::new("/lib/x/libc.so.6"), Path::new("/lib64/ld.so.2")]);
        assert_eq!("\tnot a dynamic executable\n".lines().find_map(library), None);
    }
}
