//! Emits the names of nodes of a tree, such as a cgroup, as a path from the root.

use kwalk_asm::Reg::*;
use kwalk_asm::{Address, Helper, Label, Reloc, u8_at, u32_at, u64_at};

use super::long::{NAME_MAX, TEXT};
use super::rounds::Rounds;
use super::{Emit, NULLS};
use crate::error::Error;
use crate::ir::{Cgroups, Text, Tree};
use crate::limits::{CUT, NODE_MAX};

/// The most levels of a tree: a path of [`NODE_MAX`] bytes has no more.
const LEVELS_MAX: i32 = NODE_MAX as i32 / 2;
/// The most levels where the verifier follows each of them.
const LEVELS_FOLLOWED: i32 = 256;
/// The offset of the NUL that ends a path: paths are assembled from their end.
const END: i32 = NODE_MAX as i32 - 1;
/// What ends the path of a node that was removed, as in /proc.
const DELETED: &[u8; 10] = b" (deleted)";

/// The stack of the way up.
pub(super) struct Way {
    name: Address,
    counter: Address,
    /// The pointer to the node.
    pub(super) node: Address,
    /// The pointer to its mount, if nodes are directory entries of several file systems.
    pub(super) mount: Address,
}

/// The ways out of the rounds that write a path.
struct Ends {
    /// There is no room for more.
    cut: Label,
    /// The path is whole.
    done: Label,
    /// A name can't be read.
    failed: Label,
    /// Behind the rounds.
    ended: Label,
}

impl Emit<'_, '_> {
    /// Writes the path of a node, as [`climb`](Emit::climb) leaves it.
    pub(super) fn up(&mut self, text: &Text, tree: Tree, null: Label) -> Result<(), Error> {
        if let Some(cgroups) = tree.cgroups {
            return self.up_in_namespace(text, tree, &cgroups, null);
        }
        let exists = self.builder.asm.label();
        let way = self.way();
        let base = self.follow(R1, &text.place, null);
        if let Some((flags, _)) = tree.online {
            self.builder.asm.load(R3, u32_at(base + flags as i32));
        }
        self.load_from(R1, base, &text.place);
        let asm = &mut self.builder.asm;
        asm.jump_if(R1.eq(0), null);
        asm.store(u64_at(way.node), R1);
        self.end_path();
        if let Some((_, online)) = tree.online {
            self.builder.asm.and(R3, online);
            self.builder.asm.jump_if(R3.ne(0), exists);
            self.end_deleted_path();
        }
        self.builder.asm.bind(exists);
        self.climb(&way, tree, null)
    }

    /// Reserves the stack of a way up.
    pub(super) fn way(&mut self) -> Way {
        let name = self.room(24 + NAME_MAX as usize);
        Way { name, counter: name + NAME_MAX, node: name + (NAME_MAX + 8), mount: name + (NAME_MAX + 16) }
    }

    /// Writes the NUL that ends a path. R2 is clobbered.
    pub(super) fn end_path(&mut self) {
        let buffer = self.buffer();
        let asm = &mut self.builder.asm;
        asm.load_reloc(R2, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.store(u8_at(R2 + END), 0);
        asm.mov(NULLS, END);
    }

    /// Writes what ends the path of a node that was removed, before the NUL.
    pub(super) fn end_deleted_path(&mut self) {
        let start = END - DELETED.len() as i32;
        for (byte, at) in DELETED.iter().zip(start..) {
            self.builder.asm.store(u8_at(R2 + at), i32::from(*byte));
        }
        self.builder.asm.mov(NULLS, start);
    }

    /// Follows the parents of a node up to the root, and writes each name before those of its descendants, so that the
    /// text ends at the end of the buffer. The offset of the text's start is left in NULLS, its length in R0.
    ///
    /// A path that is too long, or has too many levels, begins with [`CUT`] in place of its first names; any other
    /// begins with a slash.
    pub(super) fn climb(&mut self, way: &Way, tree: Tree, null: Label) -> Result<(), Error> {
        let labels = [(); 5].map(|()| self.builder.asm.label());
        let [each, cut, done, failed, ended] = labels;
        let rounds = self.begin_rounds(way.counter, LEVELS_MAX, LEVELS_FOLLOWED)?;

        self.builder.asm.bind(each);
        self.next_round(&rounds, cut)?;
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(way.node));
        if let Some(mounts) = tree.mounts {
            // The root of a mount has the place, and so the name, of what it is mounted on.
            let below = asm.label();
            asm.load(R2, u64_at(way.mount));
            asm.load(R3, u64_at(R2 + mounts.root as i32));
            asm.jump_if(R3.ne(R1), below);
            asm.load(R3, u64_at(R2 + mounts.parent as i32));
            asm.jump_if(R3.eq(0), done);
            asm.jump_if(R3.eq(R2), done);
            asm.load(R4, u64_at(R2 + mounts.point as i32));
            asm.jump_if(R4.eq(0), done);
            asm.store(u64_at(way.mount), R3);
            asm.store(u64_at(way.node), R4);
            asm.jump(each);
            asm.bind(below);
        }
        asm.load(R2, u64_at(R1 + tree.parent as i32));
        asm.jump_if(R2.eq(0), done);
        asm.jump_if(R2.eq(R1), done);
        asm.store(u64_at(way.node), R2);
        asm.load(R3, u64_at(R1 + tree.name as i32));
        self.write_name(way, cut, failed);
        self.builder.asm.jump(each);

        self.leave_rounds(&rounds, Ends { cut, done, failed, ended }, null)
    }

    /// Ends the rounds that wrote a path from its end: marks what was cut, or goes to `null` where that failed.
    fn leave_rounds(&mut self, rounds: &Rounds, ends: Ends, null: Label) -> Result<(), Error> {
        self.builder.asm.bind(ends.cut);
        self.write_cut(ends.failed);
        self.builder.asm.bind(ends.done);
        self.end_rounds(rounds)?;
        self.builder.asm.jump(ends.ended);

        self.builder.asm.bind(ends.failed);
        self.end_rounds(rounds)?;
        self.builder.asm.jump(null);

        self.builder.asm.bind(ends.ended);
        self.begin_path(null);
        Ok(())
    }

    /// Writes the name at the address in R3, and a slash before it.
    fn write_name(&mut self, way: &Way, cut: Label, failed: Label) {
        let buffer = self.buffer();
        let asm = &mut self.builder.asm;
        asm.address(R1, way.name);
        asm.mov(R2, NAME_MAX);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.sle(0), failed);
        asm.jump_if(R0.sgt(NAME_MAX), failed);
        // The slash takes the room of the NUL.
        asm.mov(R5, NULLS);
        asm.sub(R5, R0);
        asm.jump_if(R5.slt(CUT.len() as i32), cut);
        asm.mov(NULLS, R5);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.add(R1, NULLS);
        asm.store(u8_at(R1), i32::from(b'/'));
        asm.add(R1, 1);
        asm.mov(R2, R0);
        asm.sub(R2, 1);
        asm.address(R3, way.name);
        asm.call(Helper::ProbeReadKernel);
        self.forget(buffer, END, failed);
    }

    /// Writes what says that the rest is missing.
    fn write_cut(&mut self, failed: Label) {
        // There is always room, which the verifier does not know any more.
        self.builder.asm.jump_if(NULLS.lt(CUT.len() as i32), failed);
        self.write_before(CUT.as_bytes());
    }

    /// Writes some bytes before the text. There must be room for them.
    fn write_before(&mut self, bytes: &[u8]) {
        let buffer = self.buffer();
        let asm = &mut self.builder.asm;
        asm.sub(NULLS, bytes.len() as i32);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.add(R1, NULLS);
        for (byte, at) in bytes.iter().zip(0..) {
            asm.store(u8_at(R1 + at), i32::from(*byte));
        }
    }

    /// Completes a path: that of the root is a slash. Leaves the length in R0.
    fn begin_path(&mut self, null: Label) {
        let buffer = self.buffer();
        let named = self.builder.asm.label();
        self.builder.asm.jump_if(NULLS.ne(END), named);
        self.write_before(b"/");
        self.builder.asm.bind(named);
        self.forget(buffer, END - 1, null);
        self.builder.asm.mov(R0, END + 1);
        self.builder.asm.sub(R0, NULLS);
    }

    /// Writes the path of a cgroup as `/proc/PID/cgroup` has it in a cgroup namespace: from the root of the reader's, by
    /// `/..` to what is not below that (`kernfs_path_from_node`).
    fn up_in_namespace(&mut self, text: &Text, tree: Tree, of: &Cgroups, null: Label) -> Result<(), Error> {
        let labels = [(); 9].map(|()| self.builder.asm.label());
        let [exists, each, raise, cut, failed, met, above, over, ended] = labels;
        let way = self.way();
        let slots = self.with_stack(24 + NAME_MAX as usize, |emit| emit.room(16));
        let (kept, above_count) = (slots, slots + 8);
        self.field(R1, &text.place, null);
        self.cast_cgroup(of, way.node)?;
        let same = self.builder.asm.label();
        let [task, namespace, set] = of.set;
        self.readers_root(&[task, namespace, set, of.root], of, way.mount, null)?;
        self.hierarchies(&way, of);
        self.builder.asm.jump_if(R3.eq(R4), same);
        match of.controller {
            Some([state, cgroup]) => {
                self.readers_root(&[task, namespace, set, state, cgroup], of, way.mount, null)?;
                self.hierarchies(&way, of);
                self.builder.asm.jump_if(R3.ne(R4), null);
            }
            None => self.builder.asm.jump(null),
        }
        self.builder.asm.bind(same);
        let asm = &mut self.builder.asm;
        asm.store(u64_at(above_count), 0);
        asm.load(R1, u64_at(way.node));
        let (flags, online) = tree.online.unwrap_or((0, -1));
        asm.load(R3, u32_at(R1 + flags as i32));
        self.end_path();
        self.builder.asm.and(R3, online);
        self.builder.asm.jump_if(R3.ne(0), exists);
        self.end_deleted_path();
        self.builder.asm.bind(exists);

        let rounds = self.begin_rounds(way.counter, LEVELS_MAX, LEVELS_FOLLOWED)?;
        self.builder.asm.bind(each);
        self.next_round(&rounds, cut)?;
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(way.node));
        asm.load(R2, u64_at(way.mount));
        asm.jump_if(R1.eq(R2), met);
        asm.load(R3, u32_at(R1 + of.level as i32));
        asm.load(R4, u32_at(R2 + of.level as i32));
        asm.jump_if(R3.lt(R4), raise);
        asm.load(R3, u64_at(R1 + of.node as i32));
        asm.jump_if(R3.eq(0), failed);
        asm.load(R3, u64_at(R3 + tree.name as i32));
        asm.store(u64_at(kept), R3);
        asm.load(R1, u64_at(R1 + of.parent as i32));
        asm.jump_if(R1.eq(0), failed);
        self.cast_cgroup(of, way.node)?;
        self.builder.asm.load(R3, u64_at(kept));
        self.write_name(&way, cut, failed);
        self.builder.asm.jump(each);

        let asm = &mut self.builder.asm;
        asm.bind(raise);
        asm.load(R1, u64_at(R2 + of.parent as i32));
        asm.jump_if(R1.eq(0), failed);
        asm.load(R3, u64_at(above_count));
        asm.add(R3, 1);
        asm.store(u64_at(above_count), R3);
        self.cast_cgroup(of, way.mount)?;
        self.builder.asm.jump(each);

        self.builder.asm.bind(met);
        self.end_rounds(&rounds)?;
        let rounds = self.begin_rounds(way.counter, LEVELS_MAX, LEVELS_FOLLOWED)?;
        self.builder.asm.bind(above);
        self.next_round(&rounds, cut)?;
        let asm = &mut self.builder.asm;
        asm.load(R2, u64_at(above_count));
        asm.jump_if(R1.ge(R2), over);
        const UP: &[u8; 3] = b"/..";
        asm.jump_if(NULLS.lt((UP.len() + CUT.len()) as i32), cut);
        self.write_before(UP);
        let buffer = self.buffer();
        self.forget(buffer, END, failed);
        self.builder.asm.jump(above);

        self.leave_rounds(&rounds, Ends { cut, done: over, failed, ended }, null)
    }

    /// Stores the root of the reader's namespace in one hierarchy.
    fn readers_root(&mut self, hops: &[u32], of: &Cgroups, to: Address, null: Label) -> Result<(), Error> {
        self.builder.asm.call(Helper::GetCurrentTaskBtf);
        for hop in hops {
            self.builder.asm.load(R0, u64_at(R0 + *hop as i32));
            self.builder.asm.jump_if(R0.eq(0), null);
        }
        self.builder.asm.mov(R1, R0);
        self.cast_cgroup(of, to)
    }

    /// Loads the hierarchies of the cgroup and of the reader's root to R3 and R4.
    fn hierarchies(&mut self, way: &Way, of: &Cgroups) {
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(way.node));
        asm.load(R2, u64_at(way.mount));
        asm.load(R3, u64_at(R1 + of.hierarchy as i32));
        asm.load(R4, u64_at(R2 + of.hierarchy as i32));
    }

    /// Stores the pointer in R1 as one to a cgroup.
    fn cast_cgroup(&mut self, of: &Cgroups, to: Address) -> Result<(), Error> {
        self.builder.asm.mov(R2, of.ty.0 as i32);
        self.kfunc("bpf_rdonly_cast")?;
        self.builder.asm.store(u64_at(to), R0);
        Ok(())
    }
}
