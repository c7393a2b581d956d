//! Labels in text, which jumps may come before.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::insn::Insn;
use crate::program::Decoded;
use crate::scan::Scanned;
use crate::text::helper;
use crate::text_error::{Expected, Fault, line_of};
use crate::wide::Wide;

/// The labels of a text, and what leads to them.
pub(crate) struct Ties<'t> {
    /// The numbers of names, which count from 0 in the order of their first appearance.
    names: BTreeMap<&'t str, usize>,
    places: Vec<Option<Place>>,
    /// The instructions whose distance is 0 until all labels have their places.
    jumps: Vec<Jump>,
}

/// Where something stands in the text, and the slot of the instruction there.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) slot: usize,
}

struct Jump {
    name: usize,
    place: Place,
    /// The number of the instruction.
    insn: usize,
}

impl<'t> Ties<'t> {
    pub(crate) fn new() -> Self {
        Self { names: BTreeMap::new(), places: Vec::new(), jumps: Vec::new() }
    }

    /// Instruction number `insn` leads to the label of that name, or calls the helper.
    pub(crate) fn jump(&mut self, name: &'t str, place: Place, insn: usize) {
        let name = self.number(name);
        self.jumps.push(Jump { name, place, insn });
    }

    /// The label stands here.
    pub(crate) fn bind(&mut self, name: &'t str, here: Place, text: &str) -> Scanned<()> {
        let number = self.number(name);
        match self.places.get_mut(number) {
            Some(Some(first)) => {
                let first = line_of(text.get(..first.at).unwrap_or_default());
                Err(Fault::new(here.at, Expected::NewLabel { first }))
            }
            Some(place) => {
                *place = Some(here);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn number(&mut self, name: &'t str) -> usize {
        let next = self.places.len();
        let number = *self.names.entry(name).or_insert(next);
        if number == next {
            self.places.push(None);
        }
        number
    }

    /// Gives every instruction that leads to a label its distance, in a program of so many slots.
    pub(crate) fn tie(&self, program: &mut [Decoded], slots: usize) -> Scanned<()> {
        // Looked up by name once, however often they are called.
        let mut helpers = Vec::new();
        helpers.resize(self.places.len(), None);
        for (&name, &number) in &self.names {
            if let (Some(None), Some(entry)) = (self.places.get(number), helpers.get_mut(number)) {
                *entry = helper(name);
            }
        }
        for &Jump { name, place: Place { at, slot }, insn } in &self.jumps {
            let fault = |expected| Err(Fault::new(at, expected));
            let Some(Decoded::Insn(insn)) = program.get_mut(insn) else { continue };
            match (self.places.get(name).copied().flatten(), helpers.get(name).copied().flatten()) {
                (Some(place), _) if place.slot >= slots => return fault(Expected::LabelOfInstruction),
                (Some(place), _) => {
                    let distance = place.slot as i64 - (slot as i64 + 1);
                    match led(*insn, distance) {
                        Some(tied) => *insn = tied,
                        None => return fault(Expected::NearLabel { distance }),
                    }
                }
                (None, helper) => match (&insn, helper) {
                    (Insn::CallLocal { .. }, Some(helper)) => {
                        *insn = Insn::CallHelper { helper: helper.id() }
                    }
                    (Insn::CallLocal { .. }, None) => return fault(Expected::BoundLabelOrHelper),
                    _ => return fault(Expected::BoundLabel),
                },
            }
        }
        Ok(())
    }
}

/// The same instruction, leading that far; `None` if it can't.
fn led(insn: Insn, distance: i64) -> Option<Insn> {
    let near = i16::try_from(distance).ok();
    let far = i32::try_from(distance).ok();
    Some(match insn {
        Insn::Jump { .. } => Insn::Jump { offset: near? },
        Insn::JumpIf { condition, .. } => Insn::JumpIf { condition, offset: near? },
        Insn::MayGoto { .. } => Insn::MayGoto { offset: near? },
        Insn::JumpLong { .. } => Insn::JumpLong { offset: far? },
        Insn::CallLocal { .. } => Insn::CallLocal { offset: far? },
        Insn::LoadWide { dst, .. } => Insn::LoadWide { dst, value: Wide::Func { offset: far? } },
        other => other,
    })
}
