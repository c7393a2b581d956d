//! The builder of programs: a typed layer between the kernel's types and the instructions, which keeps programs safe.
//!
//! A [`Builder`] writes an iterator program. It knows the target's context struct from BTF, so fields are named by
//! paths. It keeps two registers, [`CTX`] and [`SEQ`], and leaves [`R7`] and [`R8`], which survive calls, to the
//! program. A pointer that may be NULL is an [`Unchecked`], which gives access neither to fields nor to helpers: only
//! [`Builder::non_null`], which emits the check, makes a [`Ptr`] of it. Two mistakes the types can't see: a [`Ptr`]
//! must not be used after its register is overwritten, nor after the label of a failed check.
//! to be used beyond either.

mod call;
mod memory;
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
use crate::mapping::Check;
use crate::operand::{Ptr, StackSlot, Trusted, Unchecked, Untrusted, Value};
use crate::program::{Map, Program, ProgramType};
use crate::target::{End, Target};

pub use output::{OVERFLOW, Rows};

/// The register that holds the context throughout the program.
pub const CTX: Reg = R6;
/// The register that holds the output's `seq_file` throughout the program.
pub const SEQ: Reg = R9;

/// An iterator program being written.
#[derive(Debug)]
pub struct Builder<'a> {
    /// The instructions so far. The program may append others.
    pub asm: Assembler,
    kernel: Kernel<'a>,
    target: Target,
    context: TypeId,
    attach: TypeId,
    /// The kfunc that makes a pointer untrusted; if the target's object is trusted and the kernel has the kfunc.
    cast: Option<Callee>,
    sleepable: bool,
    maps: Vec<Map>,
    kfuncs: Vec<&'static str>,
    stack: i32,
    again: Option<Label>,
    saved: Saved,
    /// The function that checks mappings, if the program calls it.
    check: Option<Check>,
}

/// Which of its arguments a program saves in callee-saved registers. The registers of the others are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// None, for a program that calls nothing before its only output. The context stays in R1, where the kernel passes
    /// it.
    Nothing,
    /// The context in [`CTX`], for a program with one output.
    Context,
    /// The context in [`CTX`], and the output's `seq_file` in [`SEQ`].
    ContextAndSeq,
}

impl<'a> Builder<'a> {
    /// Starts a program for `target` that saves the context in [`CTX`] and the output in [`SEQ`].
    ///
    /// # Errors
    ///
    /// [`Error::NoTarget`] if the kernel does not have the target.
    pub fn new(kernel: &Kernel<'a>, target: &Target) -> Result<Self, Error> {
        Builder::saving(kernel, target, Saved::ContextAndSeq)
    }

    /// Starts a program that saves only these arguments.
    ///
    /// # Errors
    ///
    /// As [`Builder::new`].
    pub fn saving(kernel: &Kernel<'a>, target: &Target, saved: Saved) -> Result<Self, Error> {
        let btf = kernel.btf;
        let (func, context) = btf_names(&target.name);
        let [func, context] = [(Kind::Func, func.as_str()), (Kind::Struct, context.as_str())];
        // All names in one pass over the types.
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
            check: None,
        };
        if saved != Saved::Nothing {
            builder.asm.mov(CTX, R1);
        }
        if saved == Saved::ContextAndSeq {
            builder.load_path(SEQ, CTX, context, "meta.seq")?;
        }
        Ok(builder)
    }

    /// Ends the program: binds `out`, where the program returns 0, and returns it with its maps and kfuncs.
    ///
    /// # Errors
    ///
    /// [`Error::Asm`] if the instructions don't fit together.
    pub fn finish(mut self, name: &'static str, out: Label) -> Result<Program, Error> {
        for (label, value) in [(Some(out), 0), (self.again, 1)] {
            if let Some(label) = label {
                self.asm.bind(label);
                self.asm.mov(R0, value);
                self.asm.exit();
            }
        }
        if let Some(check) = self.check {
            check.emit(&mut self.asm);
        }
        // In a program that is shorter than this, every jump has enough bits, on every kernel.
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

    /// The type of the context: the STRUCT `bpf_iter__<target>`.
    pub fn context(&self) -> TypeId {
        self.context
    }

    /// The kernel for which the program is written.
    pub fn kernel(&self) -> &Kernel<'a> {
        &self.kernel
    }

    /// The register with the context.
    pub fn ctx(&self) -> Reg {
        if self.saved == Saved::Nothing { R1 } else { CTX }
    }

    /// Loads the output's `seq_file` into R1, the first argument of the output helpers.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the context has no such field.
    #[track_caller]
    pub fn load_seq(&mut self) -> Result<(), Error> {
        if self.saved == Saved::ContextAndSeq {
            self.asm.mov(R1, SEQ);
            return Ok(());
        }
        self.load_path(R1, self.ctx(), self.context, "meta.seq")
    }

    /// A label at which the program asks the kernel to discard its output for the object, and to call it again.
    pub fn again(&mut self) -> Label {
        *self.again.get_or_insert_with(|| self.asm.label())
    }

    // Pointers

    /// Loads the object into `reg`, or goes to `end` at the end of the walk. R0 to R5 are clobbered.
    ///
    /// The pointer is made untrusted if the kernel has a kfunc for that (`bpf_rdonly_cast`, Linux 6.2, which the
    /// verifier replaces by a move). For every pointer that is loaded through a trusted one, verifiers since then
    /// search all of the kernel's types by name, which takes longer than the rest of the load.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the context has no such argument.
    #[track_caller]
    pub fn object(&mut self, reg: Reg, end: Label) -> Result<Ptr<Untrusted>, Error> {
        let Some(cast) = self.cast else { return self.uncast_object(reg, end) };
        let object = self.uncast_object(R1, end)?;
        self.asm.mov(R2, object.pointee.0 as i32);
        self.call(cast);
        self.asm.mov(reg, R0);
        Ok(Ptr { reg, ..object })
    }

    /// Whether [`object`](Builder::object) casts: the verifier then never takes what is loaded through it for a pointer that
    /// may be NULL.
    pub fn casts(&self) -> bool {
        self.cast.is_some()
    }

    /// Loads the object without the cast, for programs that load no pointer through it.
    ///
    /// # Errors
    ///
    /// As [`Builder::object`].
    #[track_caller]
    pub fn uncast_object(&mut self, reg: Reg, end: Label) -> Result<Ptr<Untrusted>, Error> {
        let object = self.argument(reg, &self.target.object.clone())?;
        let ptr = self.non_null(object, end);
        if self.target.end == End::Stale {
            // The index is equal to the object's number, and one larger at the end of the walk.
            self.load_path(R2, self.ctx(), self.context, "meta.seq.index")?;
            self.load_path(R3, self.ctx(), self.context, "meta.seq_num")?;
            self.asm.jump_if(R2.ne(R3), end);
        }
        Ok(ptr)
    }

    /// Loads the object of a target whose arguments the verifier trusts, so that helpers and kfuncs accept it. To only
    /// read from the object, [`object`](Builder::object) makes the load of the program faster.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] if the target's arguments are not trusted.
    #[track_caller]
    pub fn trusted_object(&mut self, reg: Reg, end: Label) -> Result<Ptr<Trusted>, Error> {
        if !self.target.trusted {
            let Target { name, object, .. } = &self.target;
            return Err(Error::Untrusted { target: name.as_ref().into(), argument: object.as_ref().into() });
        }
        let Ptr { reg, pointee, .. } = self.uncast_object(reg, end)?;
        Ok(Ptr { reg, pointee, trust: PhantomData })
    }

    /// Loads the context argument `task` of the targets task, task_file and task_vma, or goes to `null` if it is NULL.
    /// It may be passed to helpers, even if the verifier does not trust it: the walk holds a reference during the call.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the context has no such argument.
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
    /// [`Error::Btf`] if the context has no such argument, [`Error::Field`] if it is no pointer.
    #[track_caller]
    pub fn argument(&mut self, reg: Reg, name: &str) -> Result<Unchecked<Untrusted>, Error> {
        // The verifier accepts loads of a context's pointers only with their full width, which is the width of a
        // pointer.
        self.follow_from(reg, self.ctx(), self.context, name)
    }

    /// A context argument that is not a pointer, for [`Builder::printf`].
    pub fn plain_argument<'p>(&self, name: &'p str) -> Value<'p> {
        Value::Field { base: CTX, pointee: self.context, path: name }
    }

    /// Loads the pointer at `path`, starting from `from`, into `reg`.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if there is no such path, [`Error::Field`] if it does not end at a pointer.
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

    /// Goes to `otherwise` if the pointer is NULL. After this, it is not.
    #[track_caller]
    pub fn non_null<T>(&mut self, pointer: Unchecked<T>, otherwise: Label) -> Ptr<T> {
        let Unchecked { reg, pointee, trust } = pointer;
        self.asm.jump_if(reg.eq(0), otherwise);
        Ptr { reg, pointee, trust }
    }

    // Values

    /// Loads a value into `reg`. Signed fields of less than 4 bytes are sign-extended to 64 bits. Fields of 4 bytes
    /// fill the low half, from which 32-bit conversions of a format read.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if there is no such path, [`Error::Field`] if its field does not fit a register.
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
        // To the verifier, what is loaded after an index on a pointer is a number, even if it is a pointer.
        let firsts = found.hops.split_last().map_or(&[][..], |(_, firsts)| firsts);
        if firsts.iter().any(|hop| self.kernel.btf.members(hop.pointee).is_err()) {
            let needs = "within a program's reach, which ends at a pointer to pointers";
            return Err(Error::Field { path: path.into(), needs });
        }
        Ok(found)
    }

    /// Loads the field without checks of the pointers on its path: the verifier makes a read through a bad pointer give
    /// 0.
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

    /// Loads a field's address, with a check of each pointer on its path: unlike a load, a helper could read at an
    /// offset from NULL.
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

    /// Reserves 8 bytes of the stack for the rest of the program.
    pub fn stack_slot(&mut self) -> StackSlot {
        self.stack += 8;
        StackSlot(self.stack)
    }

    /// The number of bytes of the stack in use, from its top down. The bytes below are free until more are reserved.
    pub fn stack_in_use(&self) -> i32 {
        self.stack
    }

    /// Reserves `bytes` of the stack, rounded up to 8. Returns the argument with which [`Builder::give_back_stack`]
    /// frees them.
    pub fn take_stack(&mut self, bytes: usize) -> i32 {
        let before = self.stack;
        self.stack += bytes.next_multiple_of(8) as i32;
        before
    }

    /// Frees what was reserved since the call of [`Builder::take_stack`] that returned `before`.
    pub fn give_back_stack(&mut self, before: i32) {
        self.stack = before;
    }

    /// Adds a map for the loader to create, and returns its index for [`Reloc::Map`](kwalk_asm::Reloc::Map).
    pub fn map(&mut self, map: Map) -> u32 {
        self.maps.push(map);
        (self.maps.len() - 1) as u32
    }

    /// Makes the program sleepable.
    pub fn may_sleep(&mut self) {
        self.sleepable = true;
    }

    /// Whether the program is sleepable.
    pub fn sleeps(&self) -> bool {
        self.sleepable
    }

    /// Stores the id of the reading session, which is different for each reader, in `slot`.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the kernel's `bpf_iter_meta` has no such field.
    #[track_caller]
    pub fn session_id(&mut self, slot: StackSlot) -> Result<(), Error> {
        self.load_path(R1, CTX, self.context, "meta.session_id")?;
        self.asm.store(u64_at(slot.address()), R1);
        Ok(())
    }

    // Texts

    /// Goes to `otherwise` unless the character array at `path` has exactly this text.
    ///
    /// On some kernels, the bytes after a name's NUL are not zero: the comparison ends at the NUL.
    ///
    /// # Errors
    ///
    /// [`Error::Field`] if the field is no character array, or too small for the text.
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
        // Whole words are read, so the array must have all bytes of the last one.
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

    /// The size and address of a character array within the object.
    fn characters<T>(&self, object: &Ptr<T>, path: &str) -> Result<(i32, Address), Error> {
        let steps = self.path(object.pointee, path)?;
        if steps.field.class != Class::Text || !steps.hops.is_empty() {
            return Err(Error::Field { path: path.into(), needs: "a character array in the object itself" });
        }
        Ok((steps.field.size as i32, object.reg + steps.field.offset as i32))
    }
}
