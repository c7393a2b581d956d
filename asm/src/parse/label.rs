//! Labels in text. A jump may precede its label.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use super::error::{Expected, Fault, line_of};
use super::helper;
use super::scan::Parsed;
use crate::insn::Insn;
use crate::program::Decoded;
use crate::relax::distance;

/// The labels of a text, and the references to them.
#[derive(Default)]
pub(crate) struct Labels<'t> {
    bound: BTreeMap<&'t str, Label>,
    references: Vec<Reference<'t>>,
}

struct Label {
    /// Its position in the text.
    position: usize,
    /// The slot of the instruction after it.
    slot: usize,
}

/// A reference to a label in an instruction, whose distance is 0 until [`Labels::resolve`].
pub(crate) struct Reference<'t> {
    pub(crate) name: &'t str,
    /// The position of the name in the text.
    pub(crate) position: usize,
    /// The index of the instruction, and its slot.
    pub(crate) insn: usize,
    pub(crate) slot: usize,
}

impl<'t> Labels<'t> {
    pub(crate) fn refer(&mut self, reference: Reference<'t>) {
        self.references.push(reference);
    }

    pub(crate) fn bind(&mut self, name: &'t str, position: usize, slot: usize, text: &str) -> Parsed<()> {
        match self.bound.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(Label { position, slot });
                Ok(())
            }
            Entry::Occupied(first) => {
                let first = line_of(text.get(..first.get().position).unwrap_or_default());
                Err(Fault::new(position, Expected::NewLabel { first }))
            }
        }
    }

    /// Resolves the references to labels. A call of a name that is no label calls the helper with
    /// this name.
    pub(crate) fn resolve(&self, program: &mut [Decoded], slots: usize) -> Parsed<()> {
        for &Reference { name, position, insn, slot } in &self.references {
            let Some(Decoded::Insn(insn)) = program.get_mut(insn) else { continue };
            let resolved = match (self.bound.get(name), &*insn) {
                (Some(label), _) if label.slot >= slots => Err(Expected::LabelOfInstruction),
                (Some(label), _) => {
                    let distance = distance(slot, label.slot);
                    insn.leading(distance).ok_or(Expected::NearLabel { distance })
                }
                (None, Insn::CallLocal { .. }) => {
                    let call = helper(name).map(|helper| Insn::CallHelper { helper: helper.id() });
                    call.ok_or(Expected::BoundLabelOrHelper)
                }
                (None, _) => Err(Expected::BoundLabel),
            };
            *insn = resolved.map_err(|expected| Fault::new(position, expected))?;
        }
        Ok(())
    }
}
