//! What a program prints, and where it lays the texts for that.

use kwalk_asm::Reg::*;
use kwalk_asm::{Helper, Label, u8_at, u32_at, u64_at};
use kwalk_btf::Kind;

use super::{Builder, CTX, SEQ};
use crate::error::Error;
use crate::operand::{Ptr, StackSlot, Value};

/// What output that did not fit leaves in R0: `-EOVERFLOW` (asm-generic/errno.h; MIPS, PA-RISC and SPARC differ).
pub const OVERFLOW: i32 = -75;
/// `-EBUSY`.
const BUSY: i32 = -16;

/// Which objects a program writes a row for.
///
/// It tells how a program knows its first row without keeping state: then, and only then, the buffer is empty and the
/// file's position 0. pread(2), however, leaves the position at 0, and would get a header with each buffer, where the
/// number of the object can't tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// All of them: only the first has the number 0, or one made after the end of a walk of one.
    All,
    /// Some.
    Some,
}

impl Builder<'_> {
    /// Writes `bytes` as they are. R0 is then 0, or negative where the buffer was too full: then the kernel shows
    /// the object again.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        let at = self.stack_bytes(self.stack, bytes);
        self.asm.mov(R1, SEQ);
        self.asm.address(R2, R10 - at);
        self.asm.mov(R3, bytes.len() as i32);
        self.asm.call(Helper::SeqWrite);
    }

    /// Writes `header` before the first row of this read-through. A header whose row no longer fits is thrown away with
    /// it, and both come again.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the kernel's `bpf_iter_meta` or `seq_file` has no such fields.
    #[track_caller]
    pub fn header(&mut self, header: &str, rows: Rows) -> Result<(), Error> {
        let begun = self.asm.label();
        let number = (rows == Rows::All).then_some("meta.seq_num");
        for field in number.into_iter().chain(["meta.seq.count"]) {
            self.load_path(R1, CTX, self.context, field)?;
            self.asm.jump_if(R1.ne(0), begun);
        }
        // Read by a helper, not loaded: for a pointer that is loaded from a trusted one, newer verifiers search all of the
        // kernel's types, by name and several times, which on 6.18 takes longer than all the rest of a program.
        let stack = self.stack;
        let read = self.stack_slot();
        self.asm.mov(R3, SEQ);
        for (struct_name, field) in [("seq_file", "file"), ("file", "f_pos")] {
            let steps = self.path(self.kernel.btf.find(Kind::Struct, struct_name)?, field)?;
            self.asm.address(R3, R3 + steps.field.offset as i32);
            self.probe_read(read, 8);
            self.asm.load(R3, u64_at(read.address()));
        }
        self.asm.jump_if(R3.ne(0), begun);
        self.stack = stack;
        self.write(header.as_bytes());
        self.asm.bind(begun);
        Ok(())
    }

    /// Goes to `done` if the walk has come to its end before. A reader that reads on restarts the kernel's walk, which then
    /// shows what has been made since; no other end call follows (`kernel/bpf/bpf_iter.c`, `bpf_iter_get_info`), so that what
    /// is printed then would stand behind a summary, and have none of its own. R0 to R5 are clobbered.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the kernel's types have no `bpf_iter_priv_data` with these fields.
    #[track_caller]
    pub fn until_end(&mut self, done: Label) -> Result<(), Error> {
        let btf = self.kernel.btf;
        let data = btf.find(Kind::Struct, "bpf_iter_priv_data")?;
        let offset = |field: &str| Ok::<_, Error>(btf.path(data, field)?.field.offset as i32);
        // What `seq_file.private` points to is the last member.
        let before = offset("target_private")? - offset("done_stop")?;
        self.load_path(R3, CTX, self.context, "meta.seq.private")?;
        self.asm.sub(R3, before);
        let stack = self.stack;
        let read = self.stack_slot();
        self.probe_read(read, 1);
        self.asm.load(R1, u8_at(read.address()));
        self.stack = stack;
        self.asm.jump_if(R1.ne(0), done);
        Ok(())
    }

    /// Copies the characters of the array at `path` to the stack, with `?` for each line feed: a name must not make
    /// rows of its own. What can print it is the value that this gives.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] where the field is no character array, or one whose size is no multiple of 8.
    #[track_caller]
    pub fn line<T>(&mut self, object: &Ptr<T>, path: &str) -> Result<Value<'static>, Error> {
        let (size, at) = self.characters(object, path)?;
        if size % 8 != 0 {
            return Err(Error::Field { path: path.into(), needs: "a character array of whole words" });
        }
        let bytes = |byte: u8| u64::from_ne_bytes([byte; 8]);
        self.stack += size;
        let copy = StackSlot(self.stack);
        for word in (0..size).step_by(8) {
            self.asm.load(R1, u64_at(at + word));
            // The top bit of each byte of R2 becomes 1 where R1 has a line feed, and all others 0: x is a zero byte
            // if neither its top bit nor, after adding 0x7f, that of its lower seven is set.
            self.asm.load_imm64(R2, bytes(b'\n'));
            self.asm.xor(R2, R1);
            self.asm.load_imm64(R3, bytes(0x7f));
            self.asm.mov(R4, R2);
            self.asm.and(R4, R3);
            self.asm.add(R4, R3);
            self.asm.or(R2, R4);
            self.asm.or(R2, R3);
            self.asm.xor(R2, -1);
            self.asm.rsh(R2, 7);
            self.asm.mul(R2, i32::from(b'\n' ^ b'?'));
            self.asm.xor(R1, R2);
            if word + 8 == size {
                // The kernel ends every name so; a copy made while it is being changed must end, too.
                self.asm.load_imm64(R2, u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]));
                self.asm.and(R1, R2);
            }
            self.asm.store(u64_at(copy.address() + word), R1);
        }
        Ok(Value::StackAddress(copy))
    }

    /// Writes `values` as `format` says (`bpf_seq_printf`). R0 is then 0, or negative: where the buffer was too full, which
    /// is [`OVERFLOW`], the kernel shows the object again; any other number says that what is to be printed is no good,
    /// such as texts of more than 512 bytes together. Only R0 and the registers that survive calls can be printed.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyValues`] for more than 12; what [`Builder::load`] reports of the values.
    #[track_caller]
    pub fn printf(&mut self, format: &str, values: &[Value<'_>]) -> Result<(), Error> {
        if values.len() > 12 {
            return Err(Error::TooManyValues { format: format.into() });
        }
        let args = self.stack + 8 * values.len() as i32;
        for (value, nth) in values.iter().zip(0..) {
            let reg = if let Value::Reg(reg) = value { *reg } else { R1 };
            self.load(reg, *value)?;
            self.asm.store(u64_at(R10 - args + 8 * nth), reg);
        }
        let terminated = [format.as_bytes(), b"\0"].concat();
        let text = self.stack_bytes(args, &terminated);
        self.asm.mov(R1, SEQ);
        self.asm.address(R2, R10 - text);
        self.asm.mov(R3, terminated.len() as i32);
        self.asm.address(R4, R10 - args);
        self.asm.mov(R5, 8 * values.len() as i32);
        self.asm.call(Helper::SeqPrintf);
        // The helper's own buffers are in use, by programs that were interrupted.
        let again = self.again();
        self.asm.jump_if(R0.eq(BUSY), again);
        Ok(())
    }

    /// Lays `bytes` on the stack, below the `used` bytes in use, and gives how far below the frame's top they begin.
    /// They stay there until the next output: a format or a header needs no map.
    #[track_caller]
    fn stack_bytes(&mut self, used: i32, bytes: &[u8]) -> i32 {
        let at = (used + bytes.len() as i32 + 7) & !7;
        for (chunk, nth) in bytes.chunks(4).zip(0..) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.asm.store(u32_at(R10 - at + 4 * nth), i32::from_ne_bytes(word));
        }
        at
    }
}
