//! The typed layer between the kernel's types and the instructions: where the safety of a program lives.
//!
//! A [`Builder`] is an iterator program being written. It knows the target's context struct from BTF, so that fields
//! are named by paths; it keeps two registers, [`CTX`] and [`SEQ`], and leaves [`R7`] and [`R8`], which survive
//! calls, to the program. A pointer that may be NULL is an [`Unchecked`], which has no way to a field or to a
//! helper: only [`Builder::non_null`], which emits the check, makes a [`Ptr`] of it. What the types can't see is a program
//! that loads something else into a pointer's register, or goes on at the label of a check that failed: a [`Ptr`] is not
//! to be used beyond either.

mod call;
mod output;

use alloc::vec::Vec;
use core::marker::PhantomData;

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Address, Assembler, Isa, Label, u8_at, u16_at, u32_at, u64_at};
use kwalk_btf::{Class, Kind, Path, TypeId};

use crate::available::btf_names;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::kfunc::{Callee, Owner};
use crate::operand::{Ptr, StackSlot, Trusted, Unchecked, Untrusted, Value};
use crate::program::{Map, Program, ProgramType};
use crate::target::{End, Target};

pub use output::{OVERFLOW, Rows};

/// Holds the context for the whole program.
pub const CTX: Reg = R6;
/// Holds the `seq_file` that output goes to for the whole program.
pub const SEQ: Reg = R9;

/// An iterator program being written.
#[derive(Debug)]
pub struct Builder<'a> {
    /// The instructions so far. The program may add to them what it likes.
    pub asm: Assembler,
    kernel: Kernel<'a>,
    target: Target,
    context: TypeId,
    attach: TypeId,
    /// The function that makes a pointer one that the verifier does not trust: for a target whose object it trusts, where
    /// the kernel has it.
    cast: Option<Callee>,
    sleepable: bool,
    maps: Vec<Map>,
    kfuncs: Vec<&'static str>,
    stack: i32,
    again: Option<Label>,
    saved: Saved,
}

/// Which of its arguments a program saves in callee-saved registers. What it does not save leaves their registers free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// Nothing: a program that calls nothing before its only output. The context stays in R1, where the kernel puts it.
    Nothing,
    /// The context, in [`CTX`]: a program that has one output.
    Context,
    /// The context, and the output's `seq_file` in [`SEQ`].
    ContextAndSeq,
}

impl<'a> Builder<'a> {
    /// Begins a program for `target` that saves the context in [`CTX`] and the output in [`SEQ`].
    ///
    /// # Errors
    ///
    /// [`Error::NoTarget`] where the kernel doesn't have it.
    pub fn new(kernel: &Kernel<'a>, target: &Target) -> Result<Self, Error> {
        Builder::saving(kernel, target, Saved::ContextAndSeq)
    }

    /// The same for a program that saves no more than it needs.
    ///
    /// # Errors
    ///
    /// As [`Builder::new`].
    pub fn saving(kernel: &Kernel<'a>, target: &Target, saved: Saved) -> Result<Self, Error> {
        let btf = kernel.btf;
        let (func, context) = btf_names(&target.name);
        let [func, context] = [(Kind::Func, func.as_str()), (Kind::Struct, context.as_str())];
        // All that it needs by name, in one pass.
        let found = if target.trusted && kernel.has_jit {
            btf.find_many([func, context, (Kind::Func, "bpf_rdonly_cast")])?
        } else {
            let [attach, context] = btf.find_many([func, context])?;
            [attach, context, None]
        };
        let [Some(attach), Some(context), cast] = found else {
            let near = Vec::new();
            return Err(Error::NoTarget { name: target.name.as_ref().into(), since: target.since, near });
        };
        let mut builder = Builder {
            asm: Assembler::new(),
            kernel: *kernel,
            target: target.clone(),
            context,
            attach,
            cast: cast.map(|id| Callee(Owner::Kernel(id))),
            sleepable: false,
            maps: Vec::new(),
            kfuncs: Vec::new(),
            stack: 0,
            again: None,
            saved,
        };
        if saved != Saved::Nothing {
            builder.asm.mov(CTX, R1);
        }
        if saved == Saved::ContextAndSeq {
            builder.load_path(SEQ, CTX, context, "meta.seq")?;
        }
        Ok(builder)
    }

    /// Ends the program: `out`, where it returns 0, and what a loader needs beside the instructions.
    ///
    /// # Errors
    ///
    /// [`Error::Asm`] where the instructions don't fit together.
    pub fn finish(mut self, name: &'static str, out: Label) -> Result<Program, Error> {
        for (label, value) in [(Some(out), 0), (self.again, 1)] {
            if let Some(label) = label {
                self.asm.bind(label);
                self.asm.mov(R0, value);
                self.asm.exit();
            }
        }
        // Jumps of shorter programs reach everywhere, whatever instructions the kernel has.
        let isa = if self.asm.len_slots() > i16::MAX as usize { self.kernel.isa()? } else { Isa::NEWEST };
        Ok(Program {
            name,
            program_type: ProgramType::Iter { target: self.target, attach_btf_id: self.attach.0 },
            code: self.asm.finish_for(isa)?,
            sleepable: self.sleepable,
            maps: self.maps,
            kfuncs: self.kfuncs,
            fragments: Vec::new(),
        })
    }

    /// The type of the program's context: the STRUCT `bpf_iter__<target>`.
    pub fn context(&self) -> TypeId {
        self.context
    }

    /// The kernel that the program is written for.
    pub fn kernel(&self) -> &Kernel<'a> {
        &self.kernel
    }

    /// The register that the context is in.
    pub fn ctx(&self) -> Reg {
        if self.saved == Saved::Nothing { R1 } else { CTX }
    }

    /// Puts the output's `seq_file` in R1, where helpers want it.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the context has no such field.
    #[track_caller]
    pub fn load_seq(&mut self) -> Result<(), Error> {
        if self.saved == Saved::ContextAndSeq {
            self.asm.mov(R1, SEQ);
            return Ok(());
        }
        self.load_path(R1, self.ctx(), self.context, "meta.seq")
    }

    /// Where the program tells the kernel to throw away what it has written for this object, and to show it again.
    pub fn again(&mut self) -> Label {
        *self.again.get_or_insert_with(|| self.asm.label())
    }

    // Pointers

    /// Loads the object of this call into `reg` and goes to `end` if the walk has ended, however this target says so. R0 to
    /// R5 are clobbered.
    ///
    /// It is one that the verifier does not trust, where the kernel has what does that (`bpf_rdonly_cast`, Linux 6.2, for
    /// which the verifier puts one move): for each pointer that is loaded through a trusted one, verifiers since then
    /// search all of the kernel's types by name, which takes longer than all the rest of a program's loading.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the context has no such argument.
    #[track_caller]
    pub fn object(&mut self, reg: Reg, end: Label) -> Result<Ptr<Untrusted>, Error> {
        let Some(cast) = self.cast else { return self.uncast_object(reg, end) };
        let object = self.uncast_object(R1, end)?;
        self.asm.mov(R2, object.pointee.0 as i32);
        self.call(cast);
        self.asm.mov(reg, R0);
        Ok(Ptr { reg, ..object })
    }

    /// Whether [`object`](Builder::object) casts: what is loaded through it, the verifier then never takes for a pointer that
    /// may be NULL.
    pub fn casts(&self) -> bool {
        self.cast.is_some()
    }

    /// The same without the cast, for an object through which no pointer is loaded.
    ///
    /// # Errors
    ///
    /// As [`Builder::object`].
    #[track_caller]
    pub fn uncast_object(&mut self, reg: Reg, end: Label) -> Result<Ptr<Untrusted>, Error> {
        let object = self.argument(reg, &self.target.object.clone())?;
        let ptr = self.non_null(object, end);
        if self.target.end == End::Stale {
            // Past the last object the index is ahead of the object's number; before, they are equal.
            self.load_path(R2, self.ctx(), self.context, "meta.seq.index")?;
            self.load_path(R3, self.ctx(), self.context, "meta.seq_num")?;
            self.asm.jump_if(R2.ne(R3), end);
        }
        Ok(ptr)
    }

    /// The object for a target whose arguments the verifier trusts, as one that helpers and kfuncs take. What is only read
    /// is loaded faster by [`object`](Builder::object).
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] where it does not.
    #[track_caller]
    pub fn trusted_object(&mut self, reg: Reg, end: Label) -> Result<Ptr<Trusted>, Error> {
        if !self.target.trusted {
            let Target { name, object, .. } = &self.target;
            return Err(Error::Untrusted { target: name.as_ref().into(), argument: object.as_ref().into() });
        }
        let Ptr { reg, pointee, .. } = self.uncast_object(reg, end)?;
        Ok(Ptr { reg, pointee, trust: PhantomData })
    }

    /// Loads the context argument `task` of the targets task, task_file and task_vma, on which the walk holds a reference
    /// during the call, whatever the verifier knows of that: helpers may have it. Goes to `null` where it is NULL.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the context has no such argument.
    #[track_caller]
    pub fn held_task(&mut self, reg: Reg, null: Label) -> Result<Ptr<Trusted>, Error> {
        let task = self.argument(reg, "task")?;
        let Ptr { reg, pointee, .. } = self.non_null(task, null);
        Ok(Ptr { reg, pointee, trust: PhantomData })
    }

    /// Loads the context argument `name`, a pointer, into `reg`.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the context has no such argument, [`Error::Field`] where it is no pointer.
    #[track_caller]
    pub fn argument(&mut self, reg: Reg, name: &str) -> Result<Unchecked<Untrusted>, Error> {
        // The verifier takes loads of a context's pointers only with their full width, which a pointer's is.
        self.follow_from(reg, self.ctx(), self.context, name)
    }

    /// A context argument that is no pointer, for [`Builder::printf`].
    pub fn plain_argument<'p>(&self, name: &'p str) -> Value<'p> {
        Value::Field { base: CTX, pointee: self.context, path: name }
    }

    /// Loads the pointer at `path`, behind `from`, into `reg`.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where there is no such path, [`Error::Field`] where its end is no pointer.
    #[track_caller]
    pub fn follow<T>(&mut self, reg: Reg, from: &Ptr<T>, path: &str) -> Result<Unchecked<Untrusted>, Error> {
        self.follow_from(reg, from.reg, from.pointee, path)
    }

    #[track_caller]
    fn follow_from(
        &mut self,
        reg: Reg,
        base: Reg,
        root: TypeId,
        path: &str,
    ) -> Result<Unchecked<Untrusted>, Error> {
        let steps = self.path(root, path)?;
        let Class::Ptr { pointee } = steps.field.class else {
            return Err(Error::Field { path: path.into(), needs: "a pointer" });
        };
        self.load_path(reg, base, root, path)?;
        Ok(Unchecked { reg, pointee, trust: PhantomData })
    }

    /// Goes to `otherwise` where the pointer is NULL; beyond, it is not.
    #[track_caller]
    pub fn non_null<T>(&mut self, pointer: Unchecked<T>, otherwise: Label) -> Ptr<T> {
        let Unchecked { reg, pointee, trust } = pointer;
        self.asm.jump_if(reg.eq(0), otherwise);
        Ptr { reg, pointee, trust }
    }

    // Values

    /// Loads a value into `reg`. Of a field of fewer than 4 bytes that is signed the sign is extended to all 64
    /// bits; one of 4 bytes fills the low half, as 32-bit conversions of a format read it.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where there is no such path, [`Error::Field`] where a register can't hold its end.
    #[track_caller]
    pub fn load(&mut self, reg: Reg, value: Value<'_>) -> Result<(), Error> {
        match value {
            Value::Reg(from) if from == reg => Ok(()),
            Value::Reg(from) => {
                self.asm.mov(reg, from);
                Ok(())
            }
            Value::Stack(slot) => {
                self.asm.load(reg, u64_at(slot.address()));
                Ok(())
            }
            Value::StackAddress(slot) => {
                self.asm.address(reg, slot.address());
                Ok(())
            }
            Value::Field { base, pointee, path } => self.load_path(reg, base, pointee, path),
            Value::Address { base, pointee, path } => {
                let path = self.path(pointee, path)?;
                self.address_of(reg, base, &path);
                Ok(())
            }
        }
    }

    fn path(&self, root: TypeId, path: &str) -> Result<Path, Error> {
        let found = self.kernel.btf.path(root, path)?;
        // What lies behind an index on a pointer is a number to the verifier, even if it is a pointer.
        let firsts = found.hops.split_last().map_or(&[][..], |(_, firsts)| firsts);
        if firsts.iter().any(|hop| self.kernel.btf.members(hop.pointee).is_err()) {
            let needs = "within a program's reach, which ends at a pointer to pointers";
            return Err(Error::Field { path: path.into(), needs });
        }
        Ok(found)
    }

    /// Pointers on the way need no check: the verifier makes a read through them give 0 where it faults.
    #[track_caller]
    fn load_path(&mut self, reg: Reg, base: Reg, root: TypeId, path: &str) -> Result<(), Error> {
        let steps = self.path(root, path)?;
        let mut base = base;
        for hop in &steps.hops {
            self.asm.load(reg, u64_at(base + hop.offset as i32));
            base = reg;
        }
        let field = &steps.field;
        let at = base + field.offset as i32;
        let signed = matches!(field.class, Class::Int { signed: true } | Class::Enum { signed: true });
        let loadable = field.bits.is_none()
            && matches!(
                field.class,
                Class::Int { .. } | Class::Bool | Class::Char | Class::Enum { .. } | Class::Ptr { .. }
            );
        match field.size {
            size @ (1 | 2) if loadable => {
                self.asm.load(reg, if size == 1 { u8_at(at) } else { u16_at(at) });
                if signed {
                    let unused = 64 - 8 * size as i32;
                    self.asm.lsh(reg, unused);
                    self.asm.arsh(reg, unused);
                }
            }
            4 if loadable => self.asm.load(reg, u32_at(at)),
            8 if loadable => self.asm.load(reg, u64_at(at)),
            _ => {
                return Err(Error::Field { path: path.into(), needs: "a number of 1, 2, 4 or 8 bytes" });
            }
        }
        Ok(())
    }

    /// An address, unlike a value, is checked at every hop: an offset added to NULL is a pointer that a helper may
    /// well be able to read.
    #[track_caller]
    fn address_of(&mut self, reg: Reg, base: Reg, path: &Path) {
        let done = self.asm.label();
        let mut base = base;
        for hop in &path.hops {
            self.asm.load(reg, u64_at(base + hop.offset as i32));
            self.asm.jump_if(reg.eq(0), done);
            base = reg;
        }
        self.asm.address(reg, base + path.field.offset as i32);
        self.asm.bind(done);
    }

    // Memory of the program's own

    /// Takes 8 bytes of the stack for the rest of the program.
    pub fn stack_slot(&mut self) -> StackSlot {
        self.stack += 8;
        StackSlot(self.stack)
    }

    /// How many bytes of the stack are in use, from its top down. What lies below is free, until more of it is taken.
    pub fn stack_in_use(&self) -> i32 {
        self.stack
    }

    /// Takes `bytes` of the stack, rounded up to 8, and gives what [`Builder::give_back_stack`] wants to free them again.
    pub fn take_stack(&mut self, bytes: usize) -> i32 {
        let before = self.stack;
        self.stack += bytes.next_multiple_of(8) as i32;
        before
    }

    /// Frees what of the stack was taken since `before`, which is what [`Builder::take_stack`] gave.
    pub fn give_back_stack(&mut self, before: i32) {
        self.stack = before;
    }

    /// Asks the loader for a map; the index is what [`Reloc::Map`](kwalk_asm::Reloc::Map) takes.
    pub fn map(&mut self, map: Map) -> u32 {
        self.maps.push(map);
        (self.maps.len() - 1) as u32
    }

    /// Has the program loaded as one that may sleep.
    pub fn may_sleep(&mut self) {
        self.sleepable = true;
    }

    /// Whether it is.
    pub fn sleeps(&self) -> bool {
        self.sleepable
    }

    /// Stores the number of this reading session, which no two readers share, in `slot`.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] where the kernel's `bpf_iter_meta` has no such field.
    #[track_caller]
    pub fn session_id(&mut self, slot: StackSlot) -> Result<(), Error> {
        self.load_path(R1, CTX, self.context, "meta.session_id")?;
        self.asm.store(u64_at(slot.address()), R1);
        Ok(())
    }

    // Texts

    /// Goes to `otherwise` unless the text in the character array at `path` is exactly `text`.
    ///
    /// What lies behind the NUL of a name is not zero on every kernel, so the comparison ends there.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] where the field is no character array with room for the text.
    #[track_caller]
    pub fn text_is<T>(
        &mut self,
        object: &Ptr<T>,
        path: &str,
        text: &[u8],
        otherwise: Label,
    ) -> Result<(), Error> {
        let (size, at) = self.characters(object, path)?;
        let terminated = [text, b"\0"].concat();
        // Whole words are read, so the array must have them whole.
        if (size as usize) < terminated.len().next_multiple_of(8) {
            return Err(Error::Field {
                path: path.into(),
                needs: "a character array with room for the text",
            });
        }
        for (chunk, nth) in terminated.chunks(8).zip(0..) {
            let (mut word, mut mask) = ([0; 8], [0; 8]);
            word[..chunk.len()].copy_from_slice(chunk);
            mask[..chunk.len()].fill(0xff);
            self.asm.load(R1, u64_at(at + 8 * nth));
            if chunk.len() < 8 {
                self.asm.load_imm64(R2, u64::from_ne_bytes(mask));
                self.asm.and(R1, R2);
            }
            self.asm.load_imm64(R2, u64::from_ne_bytes(word));
            self.asm.jump_if(R1.ne(R2), otherwise);
        }
        Ok(())
    }

    /// The size and place of a character array that lies in the object itself.
    fn characters<T>(&self, object: &Ptr<T>, path: &str) -> Result<(i32, Address), Error> {
        let steps = self.path(object.pointee, path)?;
        if steps.field.class != Class::Text || !steps.hops.is_empty() {
            return Err(Error::Field { path: path.into(), needs: "a character array in the object itself" });
        }
        Ok((steps.field.size as i32, object.reg + steps.field.offset as i32))
    }
}
