//! Labels in text, which jumps may come before.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::insn::Insn;
use crate::scan::Scanned;
use crate::text::helper;
use crate::text_error::{Expected, Fault, line_of};
use crate::wide::Wide;
use crate::wire::{Endian, Raw};

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
}

impl<'t> Ties<'t> {
    pub(crate) fn new() -> Self {
        Self { names: BTreeMap::new(), places: Vec::new(), jumps: Vec::new() }
    }

    /// The instruction there leads to the label of that name, or calls the helper.
    pub(crate) fn jump(&mut self, name: &'t str, place: Place) {
        let name = self.number(name);
        self.jumps.push(Jump { name, place });
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

    /// Gives every instruction of the program that leads to a label its distance.
    pub(crate) fn tie(&self, program: &mut [u8], endian: Endian) -> Scanned<()> {
        let slots = program.len() / Raw::BYTES;
        // Looked up by name once, however often they are called.
        let mut helpers = Vec::new();
        helpers.resize(self.places.len(), None);
        for (&name, &number) in &self.names {
            if let (Some(None), Some(entry)) = (self.places.get(number), helpers.get_mut(number)) {
                *entry = helper(name);
            }
        }
        let mut bytes = Vec::new();
        for &Jump { name, place: Place { at, slot } } in &self.jumps {
            let fault = |expected| Err(Fault::new(at, expected));
            let Some(here) = program.get_mut(slot * Raw::BYTES..) else { continue };
            let Ok((insn, len)) = Insn::decode(here, endian) else { continue };
            let tied = match (self.places.get(name).copied().flatten(), helpers.get(name).copied().flatten())
            {
                (Some(place), _) if place.slot >= slots => return fault(Expected::LabelOfInstruction),
                (Some(place), _) => {
                    let distance = place.slot as i64 - (slot as i64 + 1);
                    match led(insn, distance) {
                        Some(tied) => tied,
                        None => return fault(Expected::NearLabel { distance }),
                    }
                }
                (None, helper) => match (insn, helper) {
                    (Insn::CallLocal { .. }, Some(helper)) => Insn::CallHelper { helper: helper.id() },
                    (Insn::CallLocal { .. }, None) => return fault(Expected::BoundLabelOrHelper),
                    _ => return fault(Expected::BoundLabel),
                },
            };
            bytes.clear();
            tied.encode(endian, &mut bytes);
            if let Some(room) = here.get_mut(..len) {
                room.copy_from_slice(&bytes);
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
