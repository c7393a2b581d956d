//! A walk in progress.

use std::io::{self, ErrorKind};
use std::path::Path;

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::error::Error;
use crate::sys::IterFd;

/// As much as the kernel collects in one read (8 pages, here of 4 KiB, `kernel/bpf/bpf_iter.c`); with less it starts and
/// stops its walk more often.
const BUFFER: usize = 32 << 10;

/// A walk in progress: gives what the program writes, object by object.
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

    /// Starts a walk of the iterator that is pinned at `path`, which takes no more than the right to read that file.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] where it can't be opened, [`Error::NotAnIterator`] where it is some other file.
    pub fn open(path: &Path) -> Result<Iter, Error> {
        let failed = |source: io::Error| Error::open(path, source);
        let other = || Error::NotAnIterator { path: path.into() };
        // Before it is opened, which can be more than looking.
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

    /// What one read gives, which may be nothing before the end.
    ///
    /// # Errors
    ///
    /// As [`Iter::next_chunk`], and where 1,000,000 objects passed without output.
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

    /// The next bytes of the output, some 32 KiB at most; none at the end. The kernel alone can say that this is the
    /// end: whatever keeps it from finishing is an error.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], with how far the walk came.
    pub fn next_chunk(&mut self) -> Result<&[u8], Error> {
        loop {
            match self.read() {
                Ok(len) => return Ok(&self.buffer[..len]),
                // A signal came in between, or 1,000,000 objects passed without output: the walk goes on where it was.
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(source) => return Err(Error::Read { bytes: self.bytes, source }),
            }
        }
    }
}
