//! What a context argument leads to by more than loads: a socket as what its protocol makes of it, the socket behind a
//! file. Names begin with these as they do with the context's own arguments; where there is none, all behind it is NULL.

use alloc::vec::Vec;

use kwalk_asm::Helper;
use kwalk_btf::TypeId;

use crate::place::Place;

/// An argument that a program finds for itself.
#[derive(Debug)]
pub(crate) struct Derived {
    /// What names begin with.
    pub(crate) name: &'static str,
    /// The struct that it points to.
    pub(crate) ty: &'static str,
    /// The pointer that it is found from; nothing for none.
    pub(crate) from: &'static str,
    pub(crate) by: By,
}

/// How it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A helper says whether it is one.
    Helper(Helper),
    /// It is one (`bpf_rdonly_cast`, since Linux 6.2).
    Cast,
    /// It lies in one of several places: in the second of the first of these pairs whose first, a number or a pointer, is
    /// 0; or else in the one that it is found from, or nowhere.
    Choice(&'static [(&'static str, &'static str)]),
    /// It is the element of an array, the second place, that the number in the first place says: a cast as well.
    Element((&'static str, &'static str)),
}

/// One that a program needs.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) derived: &'static Derived,
    /// The number of the fragment that was the first to need it.
    pub(crate) fragment: u32,
    pub(crate) ty: TypeId,
    pub(crate) from: Option<Place>,
    pub(crate) choices: Vec<(Place, Place)>,
}

impl Derived {
    /// One whose name is that of its struct.
    pub(crate) const fn new(name: &'static str, from: &'static str, by: By) -> Derived {
        Derived { name, ty: name, from, by }
    }
}
