//! Reads the output of a walk.

use std::io::{self, ErrorKind};
use std::path::Path;

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::error::Error;
use crate::sys::IterFd;

/// The size of the kernel's own buffer (8 pages, here of 4 KiB, `kernel/bpf/bpf_iter.c`). With a smaller one, the
/// kernel stops and resumes the walk more often.
const BUFFER: usize = 32 << 10;

/// A walk in progress: reads what the program writes for each object.
#[derive(Debug)]
pub struct Iter {
    fd: IterFd,
    buffer: Vec<u8>,
    bytes: u64,
}

impl Iter {
    pub(crate) fn new(fd: IterFd) -> Iter {
        Iter { fd, buffer: vec![0; BUFFER], bytes: 0 }
    }

    /// Starts a walk of the iterator that is pinned at `path`. The right to read that file suffices.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if the file can't be opened, [`Error::NotAnIterator`] if it is not a pinned iterator.
    pub fn open(path: &Path) -> Result<Iter, Error> {
        let failed = |source: io::Error| Error::open(path, source);
        let other = || Error::NotAnIterator { path: path.into() };
        // Checked before open(2), which has side effects on some files (FIFOs, devices).
        let file_system = statfs(path).map_err(|errno| failed(errno.into()))?.filesystem_type();
        if file_system != BPF_FS_MAGIC || path.is_dir() {
            return Err(other());
        }
        match IterFd::open(path) {
            Ok(fd) => Ok(Iter::new(fd)),
            Err(source) if source.raw_os_error() == Some(libc::EIO) => Err(other()),
            Err(source) => Err(failed(source)),
        }
    }

    /// The result of one read(2).
    ///
    /// # Errors
    ///
    /// As [`Iter::next_chunk`], and `EAGAIN` after 1,000,000 objects without output.
    #[cfg(feature = "select")]
    pub(crate) fn read_once(&mut self) -> Result<&[u8], Error> {
        let len = self.read().map_err(|source| Error::Read { bytes: self.bytes, source })?;
        Ok(&self.buffer[..len])
    }

    fn read(&mut self) -> io::Result<usize> {
        let len = self.fd.read(&mut self.buffer)?;
        self.bytes += len as u64;
        Ok(len)
    }

    /// The next bytes of the output, about 32 KiB at most; none at the end of the walk. A walk that ends before its
    /// last object is an error.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], with the number of bytes read before.
    pub fn next_chunk(&mut self) -> Result<&[u8], Error> {
        loop {
            match self.read() {
                Ok(len) => return Ok(&self.buffer[..len]),
                // A signal, or 1,000,000 objects without output: the next read continues the walk.
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(source) => return Err(Error::Read { bytes: self.bytes, source }),
            }
        }
    }
}
