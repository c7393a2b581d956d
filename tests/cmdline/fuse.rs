//! A file system in user space whose only file can be opened, and never read: a process that looks at what it has mapped of
//! the file waits for ever.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::NamedTempFile;

/// The mount. When it goes, whoever waits for it is let go.
pub(super) struct Fuse(NamedTempFile);

impl Fuse {
    pub(super) fn mount() -> Fuse {
        let place = NamedTempFile::new().unwrap();
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=100644,user_id=0,group_id=0", device.as_raw_fd());
        mount(Some("kwalk"), place.path(), Some("fuse"), MsFlags::empty(), Some(&*options)).unwrap();
        thread::spawn(move || serve(device));
        Fuse(place)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        // By force: what is asked fails at once, and so does what will be.
        let _ = umount2(&PathBuf::from(self.0.path()), MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
    }
}

const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// Answers the kernel, but for reads (include/uapi/linux/fuse.h).
fn serve(mut device: File) {
    let mut request = vec![0; 1 << 20];
    while let Ok(len) = device.read(&mut request) {
        assert!(len >= 40);
        let code = u32::from_ne_bytes(request[4..8].try_into().unwrap());
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        let (error, answer) = match code {
            // 7.31, and the size of reads and writes.
            INIT => (0, words(&[7, 31, 1 << 16, 0, 0, 1 << 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            GETATTR => {
                // For how long it is right, and the file: its number, size and blocks, its times, mode and links.
                let numbers = [10_u64, 0, 1, 1 << 20, 2048, 0, 0, 0].map(u64::to_ne_bytes).concat();
                (0, [numbers, words(&[0, 0, 0, 0o100_644, 1, 0, 0, 0, 4096, 0])].concat())
            }
            OPEN => (0, words(&[1, 0, 0, 0])),
            FLUSH | RELEASE => (0, Vec::new()),
            READ | FORGET | INTERRUPT | BATCH_FORGET => continue,
            _ => (-libc::ENOSYS, Vec::new()),
        };
        let header = [(16 + answer.len() as u32).to_ne_bytes(), error.to_ne_bytes()].concat();
        // Who asked may have gone.
        let _ = device.write(&[&header[..], &request[8..16], &answer].concat());
    }
}
