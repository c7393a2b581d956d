//! Emits texts that helpers or loops produce and that may not fit the stack. They are assembled in a map with one
//! value. Each program has a map of its own, and only one reader at a time can run it.

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Helper, Label, Reloc, u8_at, u16_at, u32_at, u64_at};
use kwalk_progs::{Buffer, Map};

use super::{Emit, NULLS};
use crate::error::Error;
use crate::ir::{Text, TextKind};
use crate::limits::{CUT, LONG_MAX, NODE_MAX, STACK_MAX, TEXT_MAX, UNIX_MAX};

/// The offset of a text in the map's value. The 2 bytes before it are for its length.
pub(super) const TEXT: u32 = 8;
/// The length of arguments that are cut, without a NUL. Others are shorter, also with the NUL that they may lack.
const ARGV_CUT: i32 = NODE_MAX as i32 - 1;
/// The size of the longest name of a node, with its NUL (`NAME_MAX`).
pub(super) const NAME_MAX: i32 = 256;

impl Emit<'_, '_> {
    pub(super) fn buffer(&mut self) -> u32 {
        *self.buffer.get_or_insert_with(|| {
            self.builder.map(Map::value("kwalk_text", TEXT + 2 * LONG_MAX as u32 + TEXT_MAX as u32))
        })
    }

    /// Writes a text to the output, after its length in 2 bytes; the length 0 means NULL.
    pub(crate) fn write_long(&mut self, text: &Text) -> Result<(), Error> {
        if let TextKind::Bytes { at, size } = text.kind {
            return self.write_bytes(text, at, size);
        }
        self.or_null(|emit, null| {
            let from = emit.long(text, null)?;
            emit.begin(R2, from);
            let asm = &mut emit.builder.asm;
            asm.store(u16_at(R2 - 2), R0);
            asm.address(R2, R2 - 2);
            asm.mov(R3, R0);
            asm.add(R3, 2);
            emit.builder.load_seq()?;
            emit.builder.asm.call(Helper::SeqWrite);
            Ok(())
        })
    }

    /// Emits `write`, and at the label that it goes to for NULL the length 0.
    fn or_null(&mut self, write: impl FnOnce(&mut Self, Label) -> Result<(), Error>) -> Result<(), Error> {
        let (null, end) = (self.builder.asm.label(), self.builder.asm.label());
        write(self, null)?;
        self.builder.asm.jump(end);
        self.builder.asm.bind(null);
        self.write_length(0)?;
        self.builder.asm.bind(end);
        Ok(())
    }

    /// Leaves the address of an assembled text in `reg`.
    fn begin(&mut self, reg: Reg, from: From) {
        let index = self.buffer();
        self.builder.asm.load_reloc(reg, Reloc::MapValue { index, offset: TEXT });
        if from == From::Offset {
            self.builder.asm.add(reg, NULLS);
        }
    }

    /// Writes a constant length; 0 means NULL.
    fn write_length(&mut self, length: u32) -> Result<(), Error> {
        let at = self.room(8);
        self.builder.asm.store(u16_at(at), length as i32);
        self.write(at, 2)
    }

    /// Writes a part of a key or value, which the program may read directly.
    fn write_bytes(&mut self, text: &Text, at: u32, size: u32) -> Result<(), Error> {
        self.or_null(|emit, null| {
            emit.field(NULLS, &text.place, null);
            emit.write_length(size)?;
            emit.write(NULLS + at as i32, size as usize)
        })
    }

    /// Leaves the address of an assembled text in R3, for a condition, or goes to `null`.
    pub(crate) fn long_address(&mut self, text: &Text, null: Label) -> Result<(), Error> {
        let from = self.long(text, null)?;
        self.begin(R3, from);
        if text.is_cut_at_front() {
            // What is cut begins with the first byte of what says so.
            let whole = self.builder.asm.label();
            self.builder.asm.load(R1, u8_at(R3));
            self.builder.asm.jump_if(R1.ne(CUT.bytes().next().map_or(0, i32::from)), whole);
            self.undecided(null)?;
            self.builder.asm.bind(whole);
        }
        Ok(())
    }

    /// Goes to where what is not decided is counted if the text lacks its end: it has R0 bytes and `more`, NUL included.
    pub(super) fn has_end(&mut self, text: &Text, more: usize, unknown: Label) -> Result<(), Error> {
        if text.is_cut_at_end() {
            let whole = self.builder.asm.label();
            self.builder.asm.jump_if(R0.sle(ARGV_CUT - more as i32), whole);
            self.undecided(unknown)?;
            self.builder.asm.bind(whole);
        }
        Ok(())
    }

    /// Assembles a text in the map. R0 is then its length in bytes, with the NUL.
    pub(crate) fn long(&mut self, text: &Text, null: Label) -> Result<From, Error> {
        match text.kind {
            TextKind::Path => self.path(text, null)?,
            TextKind::Stack => self.task_stack(null)?,
            TextKind::Argv { task, start, end } => self.argv(text, [task, start, end], null)?,
            TextKind::Node(tree) => self.up(text, tree, null)?,
            TextKind::ProgName(of) => self.prog_name(text, of, null),
            TextKind::Vma(vma) => self.vma_name(text, &vma, null)?,
            TextKind::UnixName { len, start, before } => self.unix_name(text, [len, start, before], null),
            TextKind::Array | TextKind::Pointer | TextKind::Bytes { .. } => {}
        }
        Ok(match text.kind {
            TextKind::Node(_) | TextKind::Vma(_) => From::Offset,
            _ => From::Start,
        })
    }

    /// Calls `bpf_d_path`. The helper takes no reference to the file: the context or RCU keeps it alive. A sleepable
    /// program runs outside of RCU, and has to enter it.
    pub(super) fn path(&mut self, text: &Text, null: Label) -> Result<(), Error> {
        let buffer = self.buffer();
        let sleeps = self.builder.sleeps();
        let none = if sleeps { self.builder.asm.label() } else { null };
        if sleeps {
            self.kfunc("bpf_rcu_read_lock")?;
        }
        let base = self.follow(R1, &text.place, none);
        let asm = &mut self.builder.asm;
        if text.place.hops.len() > 2 {
            // The executable is reached through the process's memory descriptor, which may be freed meanwhile, and the
            // file reused for another without a path yet. The helper does not check `mnt` and `dentry` for NULL.
            for pointer in [0, 8] {
                asm.load(R2, u64_at(base + (text.place.field.offset + pointer) as i32));
                asm.jump_if(R2.eq(0), none);
            }
        }
        asm.address(R1, base + text.place.field.offset as i32);
        asm.load_reloc(R2, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.mov(R3, LONG_MAX as i32);
        asm.call(Helper::DPath);
        if sleeps {
            let done = asm.label();
            asm.mov(NULLS, R0);
            asm.jump(done);
            asm.bind(none);
            asm.mov(NULLS, 0);
            asm.bind(done);
            self.kfunc("bpf_rcu_read_unlock")?;
            self.builder.asm.mov(R0, NULLS);
        }
        self.builder.asm.jump_if(R0.sle(0), null);
        self.builder.asm.jump_if(R0.sgt(LONG_MAX as i32), null);
        Ok(())
    }

    /// Gets the addresses of the task's stack.
    fn task_stack(&mut self, null: Label) -> Result<(), Error> {
        let to = Buffer::MapValue { index: self.buffer(), offset: TEXT };
        let task = self.builder.held_task(NULLS, null)?;
        self.builder.get_task_stack(&task, to, STACK_MAX as i32)?;
        let asm = &mut self.builder.asm;
        asm.jump_if(R0.sle(0), null);
        asm.jump_if(R0.sgt(STACK_MAX as i32), null);
        Ok(())
    }

    /// Copies the arguments, and replaces the NULs between them by spaces.
    fn argv(&mut self, text: &Text, [task, start, end]: [u32; 3], null: Label) -> Result<(), Error> {
        let buffer = self.buffer();
        self.field(R1, &text.place, null);
        let ctx = self.builder.ctx();
        let fits = self.builder.asm.label();
        let asm = &mut self.builder.asm;
        asm.load(R3, u64_at(R1 + start as i32));
        asm.load(NULLS, u64_at(R1 + end as i32));
        asm.sub(NULLS, R3);
        asm.jump_if(NULLS.sle(0), null);
        asm.jump_if(NULLS.slt(ARGV_CUT), fits);
        asm.mov(NULLS, ARGV_CUT);
        asm.bind(fits);
        // The first address, the last one, and the result of the check.
        let range = self.room(24);
        let asm = &mut self.builder.asm;
        asm.store(u64_at(range), R3);
        asm.add(R3, NULLS);
        asm.sub(R3, 1);
        asm.store(u64_at(range + 8), R3);
        self.builder.owns_memory(ctx + task as i32, range, null)?;
        let asm = &mut self.builder.asm;
        asm.load(R3, u64_at(range));
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.mov(R2, NULLS);
        asm.load(R4, u64_at(ctx + task as i32));
        asm.jump_if(R4.eq(0), null);
        asm.mov(R5, 0);
        asm.call(Helper::CopyFromUserTask);
        asm.jump_if(R0.ne(0), null);
        // The last bytes of arguments that are cut say so.
        let whole = asm.label();
        asm.jump_if(NULLS.ne(ARGV_CUT), whole);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT + ARGV_CUT as u32 });
        for (byte, before) in CUT.bytes().rev().zip(1..) {
            asm.store(u8_at(R1 - before), i32::from(byte));
        }
        asm.bind(whole);
        // A process that has written a title over its arguments may have left no NUL at their end, and arguments that were
        // cut have none there. If the last byte is not 0, a NUL is added behind it.
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.add(R1, NULLS);
        asm.load(R2, u8_at(R1 - 1));
        asm.store(u8_at(R1), 0);
        asm.add(R2, 0xff);
        asm.rsh(R2, 8);
        asm.add(NULLS, R2);

        self.replace_nuls(buffer, b' ', NODE_MAX);
        self.forget(buffer, NODE_MAX as i32, null);
        let asm = &mut self.builder.asm;
        asm.jump_if(NULLS.eq(0), null);
        // The NUL of the last argument ends the text.
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.add(R1, NULLS);
        asm.store(u8_at(R1 - 1), 0);
        asm.mov(R0, NULLS);
        Ok(())
    }

    /// Copies the name of a Unix socket. A path has its NUL in the address. An abstract name begins with a NUL and has
    /// none at the end: each NUL in it is shown as `@`.
    fn unix_name(&mut self, text: &Text, [len, start, before]: [u32; 3], null: Label) {
        let buffer = self.buffer();
        self.field(R1, &text.place, null);
        let done = self.builder.asm.label();
        let asm = &mut self.builder.asm;
        asm.load(NULLS, u32_at(R1 + len as i32));
        asm.sub(NULLS, before as i32);
        asm.jump_if(NULLS.sle(0), null);
        asm.jump_if(NULLS.sge(UNIX_MAX as i32), null);
        asm.address(R3, R1 + (start + before) as i32);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.mov(R2, NULLS);
        asm.call(Helper::ProbeReadKernel);
        asm.jump_if(R0.ne(0), null);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.load(R2, u8_at(R1));
        asm.jump_if(R2.ne(0), done);
        self.replace_nuls(buffer, b'@', UNIX_MAX);
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.add(R1, NULLS);
        asm.store(u8_at(R1), 0);
        asm.add(NULLS, 1);
        asm.bind(done);
        asm.mov(R0, NULLS);
    }

    /// Replaces each NUL by a space or an `@`, eight bytes at a time, in the first NULLS bytes of the text; also in up
    /// to seven bytes after them.
    fn replace_nuls(&mut self, buffer: u32, by: u8, most: usize) {
        let (each, done) = (self.builder.asm.label(), self.builder.asm.label());
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.load_imm64(R3, u64::from_ne_bytes([0x7f; 8]));
        asm.mov(R5, 0);
        asm.bind(each);
        asm.load(R2, u64_at(R1));
        // The top bit of each byte of R4 becomes 0 where R2 has a NUL; all other bits become 1.
        asm.mov(R4, R2);
        asm.and(R4, R3);
        asm.add(R4, R3);
        asm.or(R4, R2);
        asm.or(R4, R3);
        asm.xor(R4, -1);
        asm.rsh(R4, by.leading_zeros() as i32);
        asm.or(R2, R4);
        asm.store(u64_at(R1), R2);
        asm.add(R1, 8);
        asm.add(R5, 8);
        asm.jump_if(R5.ge(most as i32), done);
        asm.jump_if(R5.lt(NULLS), each);
        asm.bind(done);
    }

    /// Makes the verifier forget what it knows about a number except an upper bound. After a loop it has another value
    /// of the number for each iteration, and would verify the rest of the program once for each.
    pub(super) fn forget(&mut self, buffer: u32, most: i32, null: Label) {
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: 0 });
        asm.store(u32_at(R1), NULLS);
        asm.load(NULLS, u32_at(R1));
        asm.jump_if(NULLS.gt(most), null);
    }
}

/// Where an assembled text starts.
#[derive(PartialEq)]
pub(crate) enum From {
    /// At the offset [`TEXT`].
    Start,
    /// At [`TEXT`] plus the number in NULLS.
    Offset,
}
