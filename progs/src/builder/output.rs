//! Output of a program: bytes, headers, formatted text.

use kwalk_asm::Reg::*;
use kwalk_asm::{Helper, Label, u8_at, u32_at, u64_at};
use kwalk_btf::Kind;

use super::{Builder, CTX, SEQ};
use crate::error::Error;
use crate::operand::{Ptr, StackSlot, Value};

/// The result in R0 of output that did not fit: `-EOVERFLOW` (asm-generic/errno.h; MIPS, PA-RISC and SPARC differ).
pub const OVERFLOW: i32 = -75;
/// `-EBUSY`.
const BUSY: i32 = -16;

/// For which objects a program prints a row.
///
/// This decides how a program recognises its first row without state of its own. In general, the buffer is empty and
/// the file's position is 0 at the first row only. But pread(2) leaves the position at 0, so that each buffer would get
/// a header; if every object has a row, the object's number tells as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// For all objects. The first row is that of object 0.
    All,
    /// For some objects.
    Some,
}

impl Builder<'_> {
    /// Writes `bytes` to the output. R0 is then 0; or negative if the buffer is full, and then the kernel calls the
    /// program again for the object.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        let at = self.stack_bytes(self.stack, bytes);
        self.asm.mov(R1, SEQ);
        self.asm.address(R2, R10 - at);
        self.asm.mov(R3, bytes.len() as i32);
        self.asm.call(Helper::SeqWrite);
    }

    /// Writes `header` before the first row. If that row does not fit after it, the kernel discards both, and calls the
    /// program again.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the kernel's `bpf_iter_meta` or `seq_file` has no such fields.
    #[track_caller]
    pub fn header(&mut self, header: &str, rows: Rows) -> Result<(), Error> {
        let begun = self.asm.label();
        let number = (rows == Rows::All).then_some("meta.seq_num");
        for field in number.into_iter().chain(["meta.seq.count"]) {
            self.load_path(R1, CTX, self.context, field)?;
            self.asm.jump_if(R1.ne(0), begun);
        }
        // Read by a helper instead of loaded: for each pointer that is loaded through a trusted one, newer verifiers
        // search all of the kernel's types by name, several times. On 6.18 this takes longer than the rest of the load.
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

    /// Goes to `done` if the walk has reached its end before. A read after the end restarts the kernel's walk, which
    /// then shows objects that were created since, without another call for the end (`kernel/bpf/bpf_iter.c`,
    /// `bpf_iter_get_info`): their output would follow the summary. R0 to R5 are clobbered.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the kernel's types have no `bpf_iter_priv_data` with these fields.
    #[track_caller]
    pub fn until_end(&mut self, done: Label) -> Result<(), Error> {
        let btf = self.kernel.btf;
        let data = btf.find(Kind::Struct, "bpf_iter_priv_data")?;
        let offset = |field: &str| Ok::<_, Error>(btf.path(data, field)?.field.offset as i32);
        // `seq_file.private` points to the last member, `target_private`.
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

    /// Copies the character array at `path` to the stack with `?` for each line feed, so that a name can't break a row.
    /// Returns the value to print.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] if the field is no character array, or its size is no multiple of 8.
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
            // The top bit of each byte of R2 becomes 1 where R1 has a line feed, and all other bits 0. A byte x is 0 if
            // neither its top bit is set nor that of its lower seven bits plus 0x7f.
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
                // The kernel's names end with a NUL; but a name that is copied while it changes may have none.
                self.asm.load_imm64(R2, u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]));
                self.asm.and(R1, R2);
            }
            self.asm.store(u64_at(copy.address() + word), R1);
        }
        Ok(Value::StackAddress(copy))
    }

    /// Prints `values` in this format (`bpf_seq_printf`). R0 is then 0, or negative. [`OVERFLOW`] means that the buffer
    /// is full, and then the kernel calls the program again for the object. Other numbers mean that the values can't be
    /// printed, for example texts of more than 512 bytes together. Values in registers other than R0 must be in
    /// callee-saved ones.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyValues`] for more than 12; those of [`Builder::load`].
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
        // Programs that were interrupted have all of the helper's buffers.
        let again = self.again();
        self.asm.jump_if(R0.eq(BUSY), again);
        Ok(())
    }

    /// Stores `bytes` on the stack below the `used` bytes in use, so that a format or header needs no map. Returns the
    /// distance of their start from the top of the frame. They are valid until the next output.
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
