//! What a link can filter in the place of a condition.

use kwalk_btf::Class;
use kwalk_progs::{Parameters, Target};

use crate::expr::Compare;
use crate::ir::{Condition, Node, Number};
use crate::place::{Base, Place};
use crate::resolve::Names;

/// A restriction that a link can apply in the place of a condition, which the program tests all the same: the numbers here
/// are those of the first pid namespace, a link takes those of whoever opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Only the threads of this process.
    Tgid(u32),
    /// Only this thread.
    Tid(u32),
}

/// What the link can filter: the process or thread that a condition is about, if it is about one.
pub(crate) fn pushed(target: &Target, names: &mut Names<'_>, condition: &Condition) -> Option<Pushed> {
    if target.parameters != Parameters::Task {
        return None;
    }
    let mut own = |name: &str| names.place(&format!("{}.{name}", target.object), None).ok();
    let (tgid, pid) = (own("tgid")?, own("pid")?);
    let number = |wanted: &Place| {
        condition.terms().find_map(|term| match term {
            Condition::Test { number: Number { node: Node::Field(place), .. }, tests, .. } => {
                let own = place.base == Base::Object
                    && place.hops.is_empty()
                    && place.field == wanted.field
                    && matches!(place.field.class, Class::Int { .. });
                match tests.as_slice() {
                    [(Compare::Eq, value)] if own => u32::try_from(*value).ok().filter(|value| *value > 0),
                    _ => None,
                }
            }
            _ => None,
        })
    };
    // What threads share, a walk shows of one of them, and not if that is not the one it is told of: there the process,
    // or none. Elsewhere one thread is less to walk, and the kernel takes only one of the two.
    let tid = number(&pid).filter(|_| !target.shared).map(Pushed::Tid);
    tid.or_else(|| number(&tgid).map(Pushed::Tgid))
}
