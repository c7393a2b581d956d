//! Resolves jumps to their labels, and extends those whose distance does not fit 16 bits.
//!
//! A `goto` becomes a `gotol`, which has 32 bits. A conditional jump becomes its inverse, over a
//! `gotol`; one without an inverse jumps to a `gotol`, which is preceded by a `goto` over it. For
//! kernels without `gotol`, *islands* are inserted at intervals: each has a `goto` for every target
//! that is jumped to across it, which leads to the next island or to the target, and a `goto` at
//! its start by which the code before it skips the island.
//!
//! Extending one jump can put another out of range. So jumps are extended until all others are in
//! range, which gives the smallest set. Programs made to take many rounds get a larger set after a
//! few, so that the time is linear in the program's length.

use alloc::vec;
use alloc::vec::Vec;
use core::panic::Location;

use crate::error::{AsmError, AsmErrorKind};
use crate::insn::Insn;
use crate::island::Islands;
use crate::label::Place;
use crate::operand::Condition;
use crate::wide::Wide;

/// A jump, a call or a function's address, and its target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jump {
    pub(crate) from: Place,
    pub(crate) to: Place,
}

impl Jump {
    /// The distance if no jump is extended.
    fn distance(&self) -> i64 {
        distance(self.from.slot, self.to.slot)
    }
}

type Line = &'static Location<'static>;

/// Instructions with all jumps resolved.
pub(crate) struct Tied {
    pub(crate) insns: Vec<Insn>,
    pub(crate) lines: Vec<Line>,
    /// The new position of each instruction, if some were inserted.
    pub(crate) moved: Option<Vec<Place>>,
}

impl Insn {
    /// The instruction with this distance; `None` if it does not fit.
    pub(crate) fn leading(self, distance: i64) -> Option<Self> {
        let near = i16::try_from(distance);
        let far = i32::try_from(distance);
        Some(match self {
            Self::Jump { .. } => Self::Jump { offset: near.ok()? },
            Self::JumpIf { condition, .. } => Self::JumpIf { condition, offset: near.ok()? },
            Self::MayGoto { .. } => Self::MayGoto { offset: near.ok()? },
            Self::JumpLong { .. } => Self::JumpLong { offset: far.ok()? },
            Self::CallLocal { .. } => Self::CallLocal { offset: far.ok()? },
            Self::LoadWide { dst, value: Wide::Func { .. } } => {
                Self::LoadWide { dst, value: Wide::Func { offset: far.ok()? } }
            }
            other => other,
        })
    }

    /// The number of slots that extending the jump adds; `None` if it has more than 16 bits
    /// already.
    pub(crate) fn stretch(&self) -> Option<usize> {
        match self {
            Self::Jump { .. } => Some(0),
            Self::JumpIf { condition, .. } if condition.op.inverse().is_some() => Some(1),
            Self::JumpIf { .. } | Self::MayGoto { .. } => Some(2),
            _ => None,
        }
    }

    /// Whether the next instruction can follow.
    pub(crate) fn falls_through(&self) -> bool {
        !matches!(self, Self::Jump { .. } | Self::JumpLong { .. } | Self::JumpReg { .. } | Self::Exit)
    }
}

/// Resolves `jumps`, at most one per instruction, in the order of the instructions. `is_reloc`
/// tells the instructions whose offset is not known yet.
pub(crate) fn tie(
    mut insns: Vec<Insn>,
    lines: Vec<Line>,
    jumps: &[Jump],
    gotol: bool,
    is_reloc: impl Fn(usize) -> bool,
) -> Result<Tied, AsmError> {
    if jumps.iter().all(|jump| insns[jump.from.insn].leading(jump.distance()).is_some()) {
        for jump in jumps {
            let insn = &mut insns[jump.from.insn];
            *insn = insn.leading(jump.distance()).unwrap_or(*insn);
        }
        return Ok(Tied { insns, lines, moved: None });
    }

    let mut starts = Vec::with_capacity(insns.len());
    let mut slot = 0;
    for insn in &insns {
        starts.push(slot);
        slot += insn.slots();
    }
    let jumps = with_untied(&insns, &lines, jumps, &starts, is_reloc)?;
    let islands = if gotol { Islands::none() } else { Islands::place(&insns) };
    let mut plan = Plan { far: vec![false; jumps.len()], starts, insns: &insns, jumps: &jumps, islands };
    plan.settle().and_then(|()| plan.carry_out(&lines)).map_err(|jump| {
        let jump = jumps[jump];
        let kind = AsmErrorKind::JumpTooFar { distance: jump.distance() };
        AsmError { line: lines[jump.from.insn], kind }
    })
}

/// The distance of a jump from one slot to another.
pub(crate) fn distance(from: usize, to: usize) -> i64 {
    to as i64 - (from as i64 + 1)
}

/// Adds the jumps that were emitted with an offset: their distance grows, too, if slots are
/// inserted in between.
fn with_untied(
    insns: &[Insn],
    lines: &[Line],
    jumps: &[Jump],
    starts: &[usize],
    is_reloc: impl Fn(usize) -> bool,
) -> Result<Vec<Jump>, AsmError> {
    let mut tied = jumps.iter().peekable();
    let mut all = Vec::with_capacity(jumps.len());
    for (i, insn) in insns.iter().enumerate() {
        if let Some(jump) = tied.next_if(|jump| jump.from.insn == i) {
            all.push(*jump);
        } else if let Some(offset) = insn.relative().filter(|_| !is_reloc(i)) {
            let slot = starts[i] as i64 + 1 + i64::from(offset);
            let target = usize::try_from(slot).ok().and_then(|slot| {
                let insn = starts.binary_search(&slot).ok()?;
                Some(Place { insn, slot })
            });
            let kind = AsmErrorKind::NothingThere { offset };
            let to = target.ok_or(AsmError { line: lines[i], kind })?;
            all.push(Jump { from: Place { insn: i, slot: starts[i] }, to });
        }
    }
    Ok(all)
}

/// How often the set of extended jumps is changed before a larger set is accepted.
const ROUNDS: usize = 16;

struct Plan<'a> {
    insns: &'a [Insn],
    jumps: &'a [Jump],
    /// Whether each jump is extended.
    far: Vec<bool>,
    /// The slot of each instruction, with these jumps extended.
    starts: Vec<usize>,
    islands: Islands,
}

impl Plan<'_> {
    /// Finds the jumps to extend. The error is the index of a jump that can't be extended.
    fn settle(&mut self) -> Result<(), usize> {
        for _ in 0..ROUNDS {
            self.lay_out()?;
            let mut settled = true;
            for i in 0..self.jumps.len() {
                if !self.far[i] && !self.reaches(i) {
                    self.far[i] = true;
                    settled = false;
                }
            }
            if settled {
                return Ok(());
            }
        }

        // Now from the other side: jumps that are in range while all others are extended need not
        // be extended, and stay in range when others become short.
        for (far, jump) in self.far.iter_mut().zip(self.jumps) {
            *far = self.insns[jump.from.insn].stretch().is_some();
        }
        self.islands.fill();
        self.place();
        self.shorten();
        for _ in 0..ROUNDS {
            self.lay_out()?;
            if !self.shorten() {
                return Ok(());
            }
        }
        self.lay_out()
    }

    /// Makes extended jumps short that are in range; returns whether there were any.
    fn shorten(&mut self) -> bool {
        let mut shorter = false;
        for i in 0..self.jumps.len() {
            if self.far[i] && self.reaches(i) {
                self.far[i] = false;
                shorter = true;
            }
        }
        shorter
    }

    /// Whether a jump is in range if it is short.
    fn reaches(&self, jump: usize) -> bool {
        let Jump { from, to } = self.jumps[jump];
        self.insns[from.insn].leading(distance(self.starts[from.insn], self.starts[to.insn])).is_some()
    }

    fn lay_out(&mut self) -> Result<(), usize> {
        if !self.islands.is_empty() {
            let far = self.far.iter().enumerate().filter_map(|(i, far)| far.then_some(i));
            self.islands.link(self.jumps, far)?;
        }
        self.place();
        Ok(())
    }

    /// Assigns slots to all instructions and islands.
    fn place(&mut self) {
        let mut jumps = self.jumps.iter().zip(&self.far).peekable();
        let mut slot = 0;
        let mut island = 0;
        for (i, insn) in self.insns.iter().enumerate() {
            if self.islands.is_before(island, i) {
                slot += self.islands.put(island, slot);
                island += 1;
            }
            self.starts[i] = slot;
            slot += insn.slots();
            if let Some((_, far)) = jumps.next_if(|(jump, _)| jump.from.insn == i) {
                slot += if *far { insn.stretch().unwrap_or(0) } else { 0 };
            }
        }
    }

    fn carry_out(&self, lines: &[Line]) -> Result<Tied, usize> {
        let mut out = Out { insns: Vec::new(), lines: Vec::new(), slots: 0 };
        let mut moved = Vec::with_capacity(self.insns.len());
        let mut jumps = self.jumps.iter().copied().enumerate().peekable();
        let mut island = 0;
        for (i, (&insn, &line)) in self.insns.iter().zip(lines).enumerate() {
            if self.islands.is_before(island, i) {
                for (source, link) in self.islands.code(island, &self.starts) {
                    let line = source.map_or(lines[i - 1], |jump| lines[self.jumps[jump].from.insn]);
                    let link = link.ok_or(source.unwrap_or(0))?;
                    out.push(link, line);
                }
                island += 1;
            }
            moved.push(Place { insn: out.insns.len(), slot: out.slots });
            let Some((number, jump)) = jumps.next_if(|(_, jump)| jump.from.insn == i) else {
                out.push(insn, line);
                continue;
            };
            let there = self.starts[jump.to.insn];
            if !self.far[number] {
                out.push(insn.leading(distance(out.slots, there)).ok_or(number)?, line);
                continue;
            }
            match insn {
                Insn::JumpIf { condition: Condition { op, .. }, .. } if op.inverse().is_some() => {
                    out.push(opposite(insn), line);
                }
                Insn::JumpIf { condition, .. } => {
                    out.push(Insn::JumpIf { condition, offset: 1 }, line);
                    out.push(Insn::Jump { offset: 1 }, line);
                }
                Insn::MayGoto { .. } => {
                    out.push(Insn::MayGoto { offset: 1 }, line);
                    out.push(Insn::Jump { offset: 1 }, line);
                }
                _ => {}
            }
            let long = if self.islands.is_empty() {
                Insn::JumpLong { offset: 0 }.leading(distance(out.slots, there))
            } else {
                let link = self.islands.first_link(jump).ok_or(number)?;
                Insn::Jump { offset: 0 }.leading(distance(out.slots, link))
            };
            out.push(long.ok_or(number)?, line);
        }
        Ok(Tied { insns: out.insns, lines: out.lines, moved: Some(moved) })
    }
}

/// The inverse of a conditional jump, with the distance of one slot.
fn opposite(insn: Insn) -> Insn {
    match insn {
        Insn::JumpIf { condition, .. } => {
            let op = condition.op.inverse().unwrap_or(condition.op);
            Insn::JumpIf { condition: Condition { op, ..condition }, offset: 1 }
        }
        other => other,
    }
}

struct Out {
    insns: Vec<Insn>,
    lines: Vec<Line>,
    slots: usize,
}

impl Out {
    fn push(&mut self, insn: Insn, line: Line) {
        self.insns.push(insn);
        self.lines.push(line);
        self.slots += insn.slots();
    }
}
