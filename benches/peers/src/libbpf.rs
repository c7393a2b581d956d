//! The programs that clang compiles, loaded and walked with by libbpf-rs.

use std::io::Read;
use std::path::Path;

use libbpf_rs::{Iter, Link, Object, ObjectBuilder};

use crate::programs::Given;

/// A program of an ELF object, attached.
pub(crate) struct Attached {
    link: Link,
    _object: Object,
    buffer: Vec<u8>,
}

impl Attached {
    pub(crate) fn new(path: &Path) -> libbpf_rs::Result<Attached> {
        let object = ObjectBuilder::default().open_file(path)?.load()?;
        let link = object.progs_mut().next().expect("it has a program").attach()?;
        Ok(Attached { link, _object: object, buffer: vec![0; 32 << 10] })
    }

    /// Walks from the beginning to the end.
    pub(crate) fn walk(&mut self) -> Given {
        let mut walk = Iter::new(&self.link).expect("the walk starts");
        let mut given = Given::default();
        loop {
            match walk.read(&mut self.buffer).expect("the walk ends") {
                0 => return given,
                len => {
                    given.bytes += len;
                    given.rows += self.buffer[..len].iter().filter(|byte| **byte == b'\n').count();
                }
            }
        }
    }
}
