//! What a guest finds in its memory: an archive of files that the kernel unpacks before it runs the first of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cpio::newc::{Builder, trailer};

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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufWriter;

    use super::*;
    use crate::error::Error;

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
}
