//! Places to jump to, known before or after the jump.

use alloc::vec::Vec;
use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A place in the program that one assembler builds; [`Assembler::label`](crate::Assembler::label)
/// makes one, [`Assembler::bind`](crate::Assembler::bind) says where it is, and any number of jumps
/// lead there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    owner: usize,
    index: usize,
}

/// What an assembler knows of a label.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) made: &'static Location<'static>,
    /// The place that the label has, and the line that gave it.
    pub(crate) bound: Option<(Place, &'static Location<'static>)>,
}

/// An instruction that there is or will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Its number.
    pub(crate) insn: usize,
    /// The number of the 8-byte slot that it begins at.
    pub(crate) slot: usize,
}

/// The labels of one assembler.
#[derive(Debug)]
pub(crate) struct Labels {
    owner: usize,
    marks: Vec<Mark>,
}

impl Labels {
    pub(crate) fn new() -> Self {
        // A label is a plain index, so only a number that no other assembler has tells whose it is.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { owner: NEXT.fetch_add(1, Ordering::Relaxed), marks: Vec::new() }
    }

    pub(crate) fn make(&mut self, made: &'static Location<'static>) -> Label {
        self.marks.push(Mark { made, bound: None });
        Label { owner: self.owner, index: self.marks.len() - 1 }
    }

    /// `None` if it is another assembler's.
    pub(crate) fn get(&self, label: Label) -> Option<&Mark> {
        if label.owner == self.owner { self.marks.get(label.index) } else { None }
    }

    /// `None` if it is another assembler's.
    pub(crate) fn get_mut(&mut self, label: Label) -> Option<&mut Mark> {
        if label.owner == self.owner { self.marks.get_mut(label.index) } else { None }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.marks.iter()
    }
}
