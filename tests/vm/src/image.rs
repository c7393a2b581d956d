//! What a guest finds in its memory: an archive of files that the kernel unpacks before it runs the first of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cpio::newc::{Builder, trailer};

use crate::arch::Arch;
use crate::error::{Error, Result};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const PLAIN: u32 = 0o100_644;
const LINK: u32 = 0o120_777;
const DEVICE: u32 = 0o020_666;

/// An initramfs being written (cpio in the format "newc", not compressed).
pub(crate) struct Image<W> {
    out: W,
    made: BTreeSet<PathBuf>,
    inode: u32,
}

impl<W: Write> Image<W> {
    /// Begins one with the devices that the first process finds before it has mounted any.
    pub(crate) fn begin(out: W) -> io::Result<Image<W>> {
        let mut image = Image { out, made: BTreeSet::new(), inode: 0 };
        for (path, numbers) in [("/dev/console", (5, 1)), ("/dev/null", (1, 3))] {
            image.add(Path::new(path), DEVICE, numbers, b"")?;
        }
        Ok(image)
    }

    /// Adds a program, with a copy of the file `from`.
    pub(crate) fn program(&mut self, path: &Path, from: &Path) -> io::Result<()> {
        self.add(path, PROGRAM, (0, 0), &fs::read(from)?)
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.add(path, PLAIN, (0, 0), bytes)
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &Path, to: &Path) -> io::Result<()> {
        self.add(path, LINK, (0, 0), to.as_os_str().as_bytes())
    }

    /// Adds a directory, and those above it.
    pub(crate) fn directory(&mut self, path: &Path) -> io::Result<()> {
        self.add(path, DIRECTORY, (0, 0), b"")
    }

    /// Ends it.
    pub(crate) fn finish(self) -> io::Result<()> {
        trailer(self.out)?.flush()
    }

    /// Adds something and the directories above it, unless it is there already.
    fn add(&mut self, path: &Path, mode: u32, device: (u32, u32), bytes: &[u8]) -> io::Result<()> {
        if let Some(above) = path.parent() {
            self.directory(above)?;
        }
        let name = path.strip_prefix("/").unwrap_or(path);
        if name.as_os_str().is_empty() || !self.made.insert(path.into()) {
            return Ok(());
        }
        let name = name.to_str().ok_or_else(|| io::Error::other(format!("{}: no UTF-8", path.display())))?;
        let len = bytes.len().try_into().map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.inode += 1;
        let entry = Builder::new(name).ino(self.inode).mode(mode).rdev_major(device.0).rdev_minor(device.1);
        let mut entry = entry.write(&mut self.out, len);
        entry.write_all(bytes)?;
        entry.finish()?;
        Ok(())
    }
}

/// The machine's own programs of these names, and the libraries that they want: each file with its place in the guest.
///
/// One that is not here is left out.
pub(crate) fn lent(names: &[&str]) -> Result<Vec<(PathBuf, PathBuf)>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = Vec::new();
    for name in names {
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

/// The same of programs of another processor, from a tree that Debian's packages were unpacked in, and all of its libraries.
pub(crate) fn foreign(names: &[&str], tree: &Path, arch: &Arch) -> Vec<(PathBuf, PathBuf)> {
    let all = |dirs: &[String]| {
        let dirs = dirs.iter().filter_map(|dir| fs::read_dir(tree.join(dir)).ok());
        dirs.flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_lent = |path: &PathBuf| names.iter().any(|name| path.ends_with(name));
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
    use std::fs::File;
    use std::io::BufWriter;

    use super::*;

    #[test]
    fn an_image_holds_what_was_put_there() {
        let mut bytes = Vec::new();
        let mut image = Image::begin(&mut bytes).unwrap();
        image.file(Path::new("/a/b/c"), b"text").unwrap();
        image.file(Path::new("/a/b/d"), b"").unwrap();
        image.link(Path::new("/a/l"), Path::new("/a/b/c")).unwrap();
        image.directory(Path::new("/a/b")).unwrap();
        image.finish().unwrap();

        let mut rest = &bytes[..];
        let mut entries = Vec::new();
        loop {
            let mut reader = cpio::newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut content = Vec::new();
            io::copy(&mut reader, &mut content).unwrap();
            rest = reader.finish().unwrap();
            entries.push((name, mode, String::from_utf8(content).unwrap()));
        }
        let expected = [
            ("dev", DIRECTORY, ""),
            ("dev/console", DEVICE, ""),
            ("dev/null", DEVICE, ""),
            ("a", DIRECTORY, ""),
            ("a/b", DIRECTORY, ""),
            ("a/b/c", PLAIN, "text"),
            ("a/b/d", PLAIN, ""),
            ("a/l", LINK, "/a/b/c"),
        ];
        assert_eq!(
            entries,
            expected.map(|(name, mode, content)| (name.to_owned(), mode, content.to_owned()))
        );
    }

    #[test]
    fn a_full_disk_is_said() {
        let mut image = Image::begin(BufWriter::new(File::create("/dev/full").unwrap())).unwrap();
        let written = image.file(Path::new("/large"), &[0; 100_000]).and_then(|()| image.finish());
        let error = Error::at(Path::new("/dev/full"))(written.unwrap_err());
        assert_eq!(error.to_string(), "/dev/full: No space left on device (os error 28)");
        assert!(error.hint().unwrap().contains("CARGO_TARGET_DIR"));
    }

    #[test]
    fn foreign_programs_come_with_the_libraries_that_they_ask_for() {
        let tree = tempfile::TempDir::new().unwrap();
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
        let mut found = foreign(&["sh", "bpftool"], tree.path(), arch);
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
