//! Derived roots: pointers that a program gets from a context argument by more than loads, such as the `struct
//! tcp_sock` of a `struct sock_common`, or the socket of a file. A path can begin with the name of one, as with a
//! context argument. If an object has none, every field behind it is NULL.

use alloc::vec::Vec;
use core::fmt;

use kwalk_asm::Helper;
use kwalk_btf::TypeId;

use crate::place::Place;

/// A derived root.
#[derive(Debug)]
pub(crate) struct Derived {
    /// The name that paths begin with.
    pub(crate) name: &'static str,
    /// The struct that the pointer points to.
    pub(crate) ty: &'static str,
    /// The path of the pointer that it is derived from; empty if there is none.
    pub(crate) from: &'static str,
    pub(crate) by: By,
}

/// How the pointer is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A helper checks whether the object is one, and returns the pointer or NULL.
    Helper(Helper),
    /// The process that reads the rows (`bpf_get_current_task_btf`, since Linux 5.11).
    Reader,
    /// The pointer has another type in the kernel, and is cast (`bpf_rdonly_cast`, since Linux 6.2).
    Cast,
    /// The same, if a field behind the pointer is this number. Where there is no cast, a helper that checks that and more:
    /// those for sockets don't know a protocol whose functions were replaced, as those of a listener in a sockmap.
    CastIf(&'static str, i32, Helper),
    /// As [`By::Cast`], but only if one of these bits is set in a number: what the pointer points to depends on it.
    CastIfAny(&'static str, i32),
    /// The address of one of several fields. Each pair is a guard and a field: the first pair whose guard, a number or
    /// a pointer, is 0 has the field; else it is the address of `from`, or NULL.
    Choice(&'static [(&'static str, &'static str)]),
    /// The address of an array's element, cast as by [`By::Cast`]: the pair is the index and the array.
    Element((&'static str, &'static str)),
    /// The same, by the number of the row among those of one object ([`View::rows`](crate::view::View::rows)).
    RowElement(&'static str),
}

/// A derived root that a program needs, with its fields looked up.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) derived: &'static Derived,
    /// The number of the first fragment that needs it.
    pub(crate) fragment: u32,
    pub(crate) ty: TypeId,
    pub(crate) from: Option<Place>,
    /// The field that decides, if the pointer is cast depending on one.
    pub(crate) guard: Option<Place>,
    /// The pairs of [`By::Choice`] and [`By::Element`].
    pub(crate) choices: Vec<(Place, Place)>,
    /// The array, of [`By::RowElement`].
    pub(crate) array: Option<Place>,
}

/// Displays how the pointer is derived.
impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Derived { ty, from, .. } = self;
        match &self.by {
            By::Helper(helper) => write!(f, "{}({from}), or NULL", helper.name()),
            By::Reader => f.write_str("the process that reads the rows"),
            By::RowElement(array) => write!(f, "{array}, by the number of the row"),
            By::Cast => write!(f, "{from}, cast to a struct {ty} *"),
            By::CastIfAny(field, bits) => {
                write!(f, "{from}, cast to a struct {ty} * if {field} & {bits} is not 0, or NULL")
            }
            By::CastIf(field, is, _) => {
                write!(f, "{from}, cast to a struct {ty} * if {field} is {is}, or NULL")
            }
            By::Element((index, array)) => {
                write!(f, "{}[{index}]", array.strip_suffix("[0]").unwrap_or(array))
            }
            By::Choice(all) => {
                for (guard, field) in *all {
                    write!(f, "{field} if {guard} is 0, else ")?;
                }
                f.write_str(if from.is_empty() { "NULL" } else { from })
            }
        }
    }
}

impl Derived {
    /// A derived root with the name of its struct.
    pub(crate) const fn new(name: &'static str, from: &'static str, by: By) -> Derived {
        Derived { name, ty: name, from, by }
    }
}
