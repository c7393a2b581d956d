//! Chains of `goto` for kernels that have no `gotol`.
//!
//! Islands can be inserted between instructions, at most [`SPACING`] slots apart. An island has a
//! `goto`, called a link, for each target that is jumped to across it, and one at its start that
//! skips the links, unless the instruction before never continues there. A long jump goes to the
//! next island on its way, the link there to the next island, and the last link to the target. Jumps
//! to one target share the chain of links.
//!
//! A jump and its target are in the same function of the program, hence so are the islands between
//! them. Every link is reachable, as the verifier requires.

use alloc::vec;
use alloc::vec::Vec;

use crate::insn::Insn;
use crate::relax::{Jump, distance};

/// The maximal distance of two islands in slots, if all jumps between them are extended.
const SPACING: usize = 20_000;

/// The maximal number of links of an island. The distance from any slot of an island to any of the
/// next one then fits 16 bits.
const LINKS: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Islands {
    /// The instructions before which there is an island.
    before: Vec<usize>,
    /// Whether the instruction before each island can continue there.
    entered: Vec<bool>,
    /// The number of links of each island, and its first slot.
    links: Vec<usize>,
    starts: Vec<usize>,
    /// The chains, sorted by target; for each target, the forward one comes first.
    chains: Vec<Chain>,
    /// The index of each chain's link in each of its islands.
    numbers: Vec<usize>,
    /// The chains of each island's links.
    members: Vec<Vec<usize>>,
}

/// The links to one target from one direction.
#[derive(Clone, Copy, Debug)]
struct Chain {
    target: usize,
    backward: bool,
    /// The jump that is furthest from the target: the chain begins there.
    source: usize,
    /// Its islands.
    first: usize,
    end: usize,
    /// The index of its first entry in `numbers`.
    numbers: usize,
}

impl Islands {
    pub(crate) fn none() -> Self {
        Self::before(Vec::new(), Vec::new())
    }

    pub(crate) fn place(insns: &[Insn]) -> Self {
        let (mut before, mut entered) = (Vec::new(), Vec::new());
        let mut slots = 0;
        let mut previous = None::<&Insn>;
        for (i, insn) in insns.iter().enumerate() {
            let size = insn.slots() + insn.stretch().unwrap_or(0);
            if slots + size > SPACING {
                before.push(i);
                entered.push(previous.is_none_or(Insn::falls_through));
                slots = 0;
            }
            slots += size;
            previous = Some(insn);
        }
        Self::before(before, entered)
    }

    fn before(before: Vec<usize>, entered: Vec<bool>) -> Self {
        let count = before.len();
        let (links, starts, members) = (vec![0; count], vec![0; count], vec![Vec::new(); count]);
        Self { before, entered, links, starts, chains: Vec::new(), numbers: Vec::new(), members }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    pub(crate) fn is_before(&self, island: usize, insn: usize) -> bool {
        self.before.get(island) == Some(&insn)
    }

    /// Makes all as large as they can be.
    pub(crate) fn fill(&mut self) {
        self.links.fill(LINKS);
    }

    /// Puts an island at a slot, and says how many slots it has.
    pub(crate) fn put(&mut self, island: usize, slot: usize) -> usize {
        self.starts[island] = slot;
        match self.links[island] {
            0 => 0,
            links => links + usize::from(self.entered[island]),
        }
    }

    /// Makes the chains that the jumps of these numbers need. The error is the number of one for
    /// which there is no room.
    pub(crate) fn link(&mut self, jumps: &[Jump], far: impl Iterator<Item = usize>) -> Result<(), usize> {
        let mut far: Vec<_> = far
            .map(|number| {
                let (insn, target) = (jumps[number].from.insn, jumps[number].to.insn);
                (target, insn >= target, insn.abs_diff(target), number)
            })
            .collect();
        // The furthest of each place and side comes first.
        far.sort_unstable_by_key(|&(target, backward, far, _)| (target, backward, usize::MAX - far));
        far.dedup_by_key(|&mut (target, backward, ..)| (target, backward));

        self.chains.clear();
        self.numbers.clear();
        self.links.fill(0);
        self.members.iter_mut().for_each(Vec::clear);
        for (target, backward, _, source) in far {
            let (from, to) =
                if backward { (target, jumps[source].from.insn) } else { (jumps[source].from.insn, target) };
            let (first, end) = (self.after(from), self.after(to));
            if first == end {
                return Err(source);
            }
            let numbers = self.numbers.len();
            for island in first..end {
                if self.links[island] == LINKS {
                    return Err(source);
                }
                self.numbers.push(self.links[island]);
                self.members[island].push(self.chains.len());
                self.links[island] += 1;
            }
            self.chains.push(Chain { target, backward, source, first, end, numbers });
        }
        Ok(())
    }

    /// The first island that comes after an instruction.
    fn after(&self, insn: usize) -> usize {
        self.before.partition_point(|&before| before <= insn)
    }

    /// The slot of a chain's link in an island.
    fn slot(&self, chain: &Chain, island: usize) -> usize {
        let number = self.numbers[chain.numbers + island - chain.first];
        self.starts[island] + usize::from(self.entered[island]) + number
    }

    /// The slot that a jump goes to which goes by islands.
    pub(crate) fn first_link(&self, jump: Jump) -> Option<usize> {
        let key = (jump.to.insn, jump.from.insn >= jump.to.insn);
        let chain = self.chains.binary_search_by_key(&key, |chain| (chain.target, chain.backward)).ok()?;
        let chain = self.chains.get(chain)?;
        let after = self.after(jump.from.insn);
        let island = if chain.backward { after.checked_sub(1)? } else { after };
        (chain.first..chain.end).contains(&island).then(|| self.slot(chain, island))
    }

    /// The instructions of an island, and for each link the number of the jump it is there for;
    /// `None` for an instruction that can't be.
    pub(crate) fn code(
        &self,
        island: usize,
        starts: &[usize],
    ) -> impl Iterator<Item = (Option<usize>, Option<Insn>)> {
        let links = self.links[island];
        let skip = (links > 0 && self.entered[island])
            .then(|| (None, Insn::Jump { offset: 0 }.leading(links as i64)));
        let links = self.members[island].iter().map(move |&chain| {
            let chain = &self.chains[chain];
            let next = match chain.backward {
                true if island > chain.first => self.slot(chain, island - 1),
                false if island + 1 < chain.end => self.slot(chain, island + 1),
                _ => starts[chain.target],
            };
            let link = Insn::Jump { offset: 0 }.leading(distance(self.slot(chain, island), next));
            (Some(chain.source), link)
        });
        skip.into_iter().chain(links)
    }
}
