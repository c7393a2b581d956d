//! Emits conditions as jumps.
//!
//! A condition is true, false or unknown, but has only two places to go on. At the top, unknown goes where false goes,
//! since an object is shown only if the condition is true. Below a NOT, unknown goes where true goes, because the NOT
//! of it, unknown again, must go where the NOT's false goes. So no third place is needed: AND and OR stop at the first
//! term that decides, and an unknown term counts as the value that leads to the same place. `IS TRUE` and `IS FALSE`
//! start anew. Constant parts were removed before ([`Condition::simplified`]), because the verifier rejects unreachable
//! instructions.

use kwalk_asm::Reg::{self, R0, R1, R2};
use kwalk_asm::{Address, Condition as Jump, Helper, JumpOp, Label, Operand, Reloc, Width, u64_at};
use kwalk_btf::Class;
use kwalk_progs::{Map, MapKind};

use super::{Emit, REUSED};
use crate::error::Error;
use crate::expr::Compare;
use crate::ir::{Condition, Member, Node, Number, Set, Test};
use crate::number::Signs;
use crate::place::Place;
use crate::reuse::Reused;

/// The labels to which a condition jumps.
#[derive(Clone, Copy)]
pub(crate) struct Fork {
    pub(crate) yes: Label,
    pub(crate) no: Label,
    /// Equal to `yes` or to `no`.
    pub(crate) unknown: Label,
    /// The label that follows immediately, to which no jump is needed.
    pub(crate) next: Label,
}

impl Emit<'_, '_> {
    /// Emits a condition: the program goes on at one of the fork's labels.
    pub(crate) fn condition(&mut self, condition: &Condition, fork: Fork) -> Result<(), Error> {
        let Fork { yes, no, unknown, next } = fork;
        match condition {
            Condition::Known(value) => {
                let to = value.map_or(unknown, |value| if value { yes } else { no });
                self.go(to, next);
            }
            Condition::Not(of) => self.condition(of, Fork { yes: no, no: yes, ..fork })?,
            Condition::Marked(part, of) => {
                let before = self.builder.asm.mark(Some(*part));
                self.condition(of, fork)?;
                self.builder.asm.mark(before);
            }
            Condition::Is(true, of) => self.condition(of, Fork { unknown: no, ..fork })?,
            Condition::Is(false, of) => {
                self.condition(of, Fork { yes: no, no: yes, unknown: no, next })?;
            }
            Condition::And(all) if self.unconditional => self.required_terms(all, fork)?,
            Condition::And(all) => {
                // If all terms are true, the program goes to `yes`. So it does if some are unknown, provided that
                // unknown goes to `yes`.
                self.terms(all, fork, |term, after| Fork {
                    yes: after,
                    unknown: if unknown == no { no } else { after },
                    ..term
                })?;
            }
            Condition::Or(any) => {
                self.terms(any, fork, |term, after| Fork {
                    no: after,
                    unknown: if unknown == yes { yes } else { after },
                    ..term
                })?;
            }
            Condition::Test { number, tests, all } => self.tests(number, tests, *all, fork)?,
            Condition::Compare(op, left, right) => self.compare(*op, left, right, fork)?,
            Condition::Like(text, pattern) => self.like(text, pattern, fork)?,
            Condition::InSet(Member::Text(text), set) => self.text_in_set(text, set, fork)?,
            Condition::InSet(Member::Number(number), set) => {
                let reg = self.number(number, fork.unknown)?;
                let key = self.room(8);
                self.builder.asm.store(u64_at(key), reg);
                self.give_back(reg);
                self.look_up(key, set, fork);
            }
            Condition::NumberIsNull(number) => {
                let reg = self.number(number, yes)?;
                self.give_back(reg);
                self.go(no, next);
            }
            Condition::PointerIsNull(place) => {
                let reg = self.take()?;
                let base = self.follow(reg, place, yes);
                self.load_from(reg, base, place);
                self.branch(reg.eq(0), fork);
                self.give_back(reg);
            }
            Condition::TextIsNull(text) => {
                self.long(text, yes)?;
                self.go(no, next);
            }
            Condition::BehindNull(place) => {
                let reg = self.take()?;
                self.follow(reg, place, yes);
                self.give_back(reg);
                self.go(no, next);
            }
        }
        Ok(())
    }

    /// Emits the terms of an AND on which everything after it depends. The operands of each term are read on every path
    /// that goes on.
    fn required_terms(&mut self, all: &[Condition], fork: Fork) -> Result<(), Error> {
        let Some((last, rest)) = all.split_last() else { return Ok(()) };
        for term in rest {
            let after = self.builder.asm.label();
            self.required(term, Fork { yes: after, next: after, ..fork })?;
            self.builder.asm.bind(after);
        }
        self.required(last, fork)
    }

    /// Emits a condition on which everything after it depends. Unknown goes to `no`.
    pub(crate) fn required(&mut self, condition: &Condition, fork: Fork) -> Result<(), Error> {
        let is_unconditional =
            matches!(condition.bare(), Condition::And(_)) || condition.reads_all_operands();
        self.unconditional = is_unconditional;
        let done = self.condition(condition, fork);
        self.unconditional = false;
        done
    }

    /// Emits the terms of AND or OR. Each term that does not decide goes on at the next one.
    fn terms(
        &mut self,
        terms: &[Condition],
        fork: Fork,
        each: impl Fn(Fork, Label) -> Fork,
    ) -> Result<(), Error> {
        let Some((last, rest)) = terms.split_last() else { return Ok(()) };
        for term in rest {
            let after = self.builder.asm.label();
            self.condition(term, Fork { next: after, ..each(fork, after) })?;
            self.builder.asm.bind(after);
        }
        self.condition(last, fork)
    }

    /// Emits the comparisons of a number with constants.
    fn tests(&mut self, number: &Number, tests: &[Test], all: bool, fork: Fork) -> Result<(), Error> {
        // A signed 4-byte field is compared with 32-bit jumps, without sign extension.
        let half = match &number.node {
            Node::Field(place) if is_half(place) => Some(place),
            _ => None,
        };
        let reg = match half {
            Some(place) => {
                let reused = self.reuse(|reused| matches!(reused, Reused::Number(same) if same == number));
                let reg = reused.map_or_else(|| self.take(), Ok)?;
                self.field(reg, place, fork.unknown);
                reg
            }
            None => self.tested(number, fork.unknown)?,
        };
        for (nth, (op, value)) in tests.iter().enumerate() {
            let after = self.builder.asm.label();
            let fork = match (nth + 1 == tests.len(), all) {
                (true, _) => fork,
                (false, true) => Fork { yes: after, next: after, ..fork },
                (false, false) => Fork { no: after, next: after, ..fork },
            };
            let constant = Number::constant(*value);
            match (half, i32::try_from(*value as u64 as i64)) {
                (Some(_), _) => {
                    let op = jump_op(*op, true);
                    let right = Operand::Imm(*value as i32);
                    self.branch(Jump { width: Width::W32, op, left: reg, right }, fork);
                }
                (None, Ok(small)) => {
                    let op = jump_op(*op, Signs::of(number, &constant) == Signs::Signed);
                    self.branch(Jump { width: Width::W64, op, left: reg, right: Operand::Imm(small) }, fork);
                }
                (None, Err(_)) => {
                    let wide = self.take()?;
                    self.constant(wide, *value);
                    self.against(*op, reg, wide, Signs::of(number, &constant), fork);
                    self.give_back(wide);
                }
            }
            self.builder.asm.bind(after);
        }
        if !REUSED.contains(&reg) {
            self.give_back(reg);
        }
        Ok(())
    }

    /// Goes to `yes` if the key at an address is in a set.
    pub(super) fn look_up(&mut self, key: Address, set: &Set, fork: Fork) {
        let known = self.sets.iter().find(|(known, _)| known == set).map(|(_, index)| *index);
        let index = known.unwrap_or_else(|| {
            let keys = set.keys.to_vec();
            let index = self.builder.map(Map {
                max_entries: keys.len() as u32,
                keys,
                ..Map::new("kwalk_set", MapKind::Hash, set.key_size as u32, 1)
            });
            self.sets.push((set.clone(), index));
            index
        });
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::Map(index));
        asm.address(R2, key);
        asm.call(Helper::MapLookupElem);
        self.branch(R0.ne(0), fork);
    }

    /// Computes a number; in its reserved register if it is reused.
    fn tested(&mut self, number: &Number, null: Label) -> Result<Reg, Error> {
        let Some(reg) = self.reuse(|reused| matches!(reused, Reused::Number(same) if same == number)) else {
            return self.number(number, null);
        };
        // The reserved register is free here and the next to be taken, so the result is in it unless that takes more
        // registers.
        self.give_back(reg);
        let found = self.number(number, null)?;
        if found != reg {
            self.builder.asm.mov(reg, found);
            self.free.retain(|free| *free != reg);
            self.give_back(found);
        }
        Ok(reg)
    }

    fn compare(&mut self, op: Compare, left: &Number, right: &Number, fork: Fork) -> Result<(), Error> {
        // A reused number is in a register that survives calls, so that the other side may be computed after it.
        let (l, r) = if self.is_to_reuse(left) {
            let l = self.tested(left, fork.unknown)?;
            (l, self.tested(right, fork.unknown)?)
        } else if self.is_to_reuse(right) {
            let r = self.tested(right, fork.unknown)?;
            (self.number(left, fork.unknown)?, r)
        } else {
            self.both(left, right, fork.unknown)?
        };
        self.against(op, l, r, Signs::of(left, right), fork);
        for reg in [r, l] {
            if !REUSED.contains(&reg) {
                self.give_back(reg);
            }
        }
        Ok(())
    }

    /// Whether a number that is computed now is to be reused.
    fn is_to_reuse(&self, number: &Number) -> bool {
        let is = |reused: &Reused| matches!(reused, Reused::Number(same) if same == number);
        self.unconditional && self.to_reuse.iter().any(|(reused, _)| is(reused))
    }

    /// Compares the numbers themselves, signed or not.
    fn against(&mut self, op: Compare, left: Reg, right: Reg, signs: Signs, fork: Fork) {
        let negative = match signs {
            Signs::Left => Some((left, matches!(op, Compare::Lt | Compare::Le | Compare::Ne))),
            Signs::Right => Some((right, matches!(op, Compare::Gt | Compare::Ge | Compare::Ne))),
            Signs::Signed | Signs::Unsigned => None,
        };
        // A negative signed number is less than every unsigned one.
        if let Some((reg, holds)) = negative {
            let to = if holds { fork.yes } else { fork.no };
            self.builder.asm.jump_if(reg.slt(0), to);
        }
        let op = jump_op(op, signs == Signs::Signed);
        self.branch(Jump { width: Width::W64, op, left, right: Operand::Reg(right) }, fork);
    }

    /// Goes to `yes` if the jump's condition holds, else to `no`.
    pub(crate) fn branch(&mut self, jump: Jump, fork: Fork) {
        match jump.op.inverse() {
            Some(op) if fork.next == fork.yes => self.builder.asm.jump_if(Jump { op, ..jump }, fork.no),
            _ => {
                self.builder.asm.jump_if(jump, fork.yes);
                self.go(fork.no, fork.next);
            }
        }
    }
}

/// Whether the field is a signed 4-byte number in the machine's byte order.
fn is_half(place: &Place) -> bool {
    let signed = matches!(place.field.class, Class::Int { signed: true } | Class::Enum { signed: true });
    signed && place.field.size == 4 && place.field.bits.is_none() && !place.swap
}

fn jump_op(op: Compare, signed: bool) -> JumpOp {
    match (op, signed) {
        (Compare::Eq, _) => JumpOp::Eq,
        (Compare::Ne, _) => JumpOp::Ne,
        (Compare::Lt, true) => JumpOp::Slt,
        (Compare::Le, true) => JumpOp::Sle,
        (Compare::Gt, true) => JumpOp::Sgt,
        (Compare::Ge, true) => JumpOp::Sge,
        (Compare::Lt, false) => JumpOp::Lt,
        (Compare::Le, false) => JumpOp::Le,
        (Compare::Gt, false) => JumpOp::Gt,
        (Compare::Ge, false) => JumpOp::Ge,
    }
}
