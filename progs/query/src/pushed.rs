//! Pushes a part of a condition down to the link.

use kwalk_btf::Class;
use kwalk_progs::{Parameters, Target};

use crate::expr::Compare;
use crate::ir::{Condition, Node, Number};
use crate::place::{Base, Place};
use crate::resolve::Names;

/// A filter for a link, taken from a condition. The program tests the condition nevertheless. The numbers are those of
/// the pid namespace of the process that opens the link's iterator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The threads of this process.
    Tgid(u32),
    /// This thread.
    Tid(u32),
}

/// The filter for the link, if the condition requires one process or one thread.
pub(crate) fn pushed(target: &Target, names: &mut Names<'_>, condition: &Condition) -> Option<Pushed> {
    if target.parameters != Parameters::Task {
        return None;
    }
    // In another pid namespace, the kernel's own numbers in the fields are not those of the link.
    let has_initial_pids = names.kernel.has_initial_pids;
    let mut own = |name: &str| names.place(&format!("{}.{name}", target.object), None).ok();
    let (tgid, pid) = (own("tgid")?, own("pid")?);
    let number = |wanted: &Place, of_reader: &str| {
        condition.terms().find_map(|term| match term {
            Condition::Test { number: Number { node: Node::Field(place), .. }, tests, .. } => {
                let own = match has_initial_pids {
                    true => {
                        place.base == Base::Object
                            && place.hops.is_empty()
                            && place.field == wanted.field
                            && matches!(place.field.class, Class::Int { .. })
                    }
                    false => place.path == of_reader,
                };
                match tests.as_slice() {
                    [(Compare::Eq, value)] if own => u32::try_from(*value).ok().filter(|value| *value > 0),
                    _ => None,
                }
            }
            _ => None,
        })
    };
    // By the thread if possible: that visits fewer objects, and the kernel accepts only one of the two. Walks of shared
    // objects visit only the first thread of a process, unless their link asks for another.
    number(&pid, "reader_pid.nr")
        .map(Pushed::Tid)
        .or_else(|| number(&tgid, "reader_tgid.nr").map(Pushed::Tgid))
}
