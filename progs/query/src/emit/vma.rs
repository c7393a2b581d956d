//! Emits the name of a memory mapping, as `/proc/PID/maps` shows it (`fs/proc/task_mmu.c`, `get_vma_name`).

use kwalk_asm::Reg::{self, *};
use kwalk_asm::{Helper, Label, Reloc, u8_at, u32_at, u64_at};

use super::long::TEXT;
use super::{Emit, NULLS};
use crate::error::Error;
use crate::ir::{Text, VmaName};

/// `FMODE_NOACCOUNT` (`include/linux/fs.h`): a file that a file system opened itself. Of those that are mapped, all are
/// backing files; the flag of these, `FMODE_BACKING`, has another bit since Linux 6.14.
pub(crate) const FMODE_NOACCOUNT: i32 = 1 << 29;
/// The register that holds the mapping until a call.
const MAPPING: Reg = R5;
/// The size of the longest name that a process can give a mapping, its NUL included (`ANON_VMA_NAME_MAX_LEN`).
const ANON_MAX: i32 = 80;
/// The size of the longest name of a mapping of the kernel's own that is looked at, its NUL included.
const SPECIAL_MAX: i32 = 64;

impl Emit<'_, '_> {
    /// Leaves the offset of the name in NULLS and its length in R0, or goes to `null` if the mapping has none.
    pub(super) fn vma_name(&mut self, text: &Text, vma: &VmaName, null: Label) -> Result<(), Error> {
        let labels = [(); 3].map(|()| self.builder.asm.label());
        let [anonymous, at_start, done] = labels;
        self.mapping(vma, null);
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(MAPPING + vma.file as i32));
        asm.jump_if(R1.eq(0), anonymous);
        if let Some(name) = vma.anon_name {
            let unnamed = self.builder.asm.label();
            self.builder.asm.load(R3, u64_at(MAPPING + name as i32));
            self.builder.asm.jump_if(R3.eq(0), unnamed);
            self.process_name(vma, b"[anon_shmem:", null);
            self.builder.asm.jump(at_start);
            self.builder.asm.bind(unnamed);
        }
        if vma.hides_backing {
            self.backing(vma, done, null)?;
        }
        match vma.dentry {
            None => {
                self.path(text, null)?;
                self.builder.asm.jump(at_start);
            }
            Some(tree) => {
                self.up(text, tree, null)?;
                self.builder.asm.jump(done);
            }
        }

        self.builder.asm.bind(anonymous);
        self.without_file(vma, at_start, null);
        self.builder.asm.bind(at_start);
        self.builder.asm.mov(NULLS, 0);
        self.builder.asm.bind(done);
        Ok(())
    }

    /// Loads the mapping, a context argument.
    fn mapping(&mut self, vma: &VmaName, null: Label) {
        let ctx = self.builder.ctx();
        self.builder.asm.load(MAPPING, u64_at(ctx + vma.argument as i32));
        self.builder.asm.jump_if(MAPPING.eq(0), null);
    }

    /// Writes the path of the file that the user has mapped, if the mapping's own is one that a file system opened in
    /// its place, and goes to `done`; to `null` if a program can't get at it.
    fn backing(&mut self, vma: &VmaName, done: Label, null: Label) -> Result<(), Error> {
        let own = self.builder.asm.label();
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(MAPPING + vma.file as i32));
        asm.jump_if(R1.eq(0), null);
        asm.load(R2, u32_at(R1 + vma.mode as i32));
        asm.and(R2, FMODE_NOACCOUNT);
        asm.jump_if(R2.eq(0), own);
        let Some(backing) = &vma.backing else {
            asm.jump(null);
            asm.bind(own);
            return Ok(());
        };
        let way = self.way();
        let exists = self.builder.asm.label();
        let asm = &mut self.builder.asm;
        // Behind the `struct file`, where the verifier allows no loads.
        asm.address(R3, R1 + backing.path as i32);
        asm.address(R1, way.node);
        asm.mov(R2, 16);
        asm.call(Helper::ProbeReadKernel);
        asm.jump_if(R0.ne(0), null);
        // The order of `struct path`: the mount, which is within a `struct mount`, and the directory entry.
        asm.load(R1, u64_at(way.node));
        asm.jump_if(R1.eq(0), null);
        asm.sub(R1, backing.vfsmount as i32);
        asm.mov(R2, backing.mount_type.0 as i32);
        self.kfunc("bpf_rdonly_cast")?;
        let asm = &mut self.builder.asm;
        asm.load(R1, u64_at(way.mount));
        asm.jump_if(R1.eq(0), null);
        asm.store(u64_at(way.mount), R0);
        asm.mov(R2, backing.dentry_type.0 as i32);
        self.kfunc("bpf_rdonly_cast")?;
        self.builder.asm.store(u64_at(way.node), R0);
        self.builder.asm.load(R3, u64_at(R0 + backing.unhashed as i32));
        self.end_path();
        self.builder.asm.jump_if(R3.ne(0), exists);
        self.end_deleted_path();
        self.builder.asm.bind(exists);
        self.climb(&way, backing.tree, null)?;
        self.builder.asm.jump(done);
        self.builder.asm.bind(own);
        Ok(())
    }

    /// Writes the name of a mapping without a file, and its length to R0; goes to `done` or, without a name, to `null`.
    fn without_file(&mut self, vma: &VmaName, done: Label, null: Label) {
        let buffer = self.buffer();
        let labels = [(); 4].map(|()| self.builder.asm.label());
        let [ordinary, no_heap, no_stack, vdso] = labels;
        let pointer = self.room(8);
        let asm = &mut self.builder.asm;
        // Mappings of the kernel's own, such as [vdso]: only their operations have a function for the name.
        asm.load(R2, u64_at(MAPPING + vma.ops as i32));
        asm.jump_if(R2.eq(0), ordinary);
        asm.load(R3, u64_at(R2 + vma.ops_name as i32));
        asm.jump_if(R3.eq(0), ordinary);
        asm.load(R3, u64_at(MAPPING + vma.private as i32));
        asm.jump_if(R3.eq(0), ordinary);
        asm.add(R3, vma.special_name as i32);
        asm.address(R1, pointer);
        asm.mov(R2, 8);
        asm.call(Helper::ProbeReadKernel);
        asm.jump_if(R0.ne(0), null);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        asm.mov(R2, SPECIAL_MAX);
        asm.load(R3, u64_at(pointer));
        asm.jump_if(R3.eq(0), null);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.sle(0), null);
        asm.jump(done);

        asm.bind(ordinary);
        asm.load(R1, u64_at(MAPPING + vma.mm as i32));
        asm.jump_if(R1.eq(0), vdso);
        asm.load(R2, u64_at(MAPPING + vma.start as i32));
        asm.load(R3, u64_at(MAPPING + vma.end as i32));
        asm.load(R4, u64_at(R1 + vma.brk as i32));
        asm.jump_if(R2.ge(R4), no_heap);
        asm.load(R4, u64_at(R1 + vma.start_brk as i32));
        asm.jump_if(R3.le(R4), no_heap);
        self.fixed(b"[heap]");
        let asm = &mut self.builder.asm;
        asm.jump(done);
        asm.bind(no_heap);
        asm.load(R4, u64_at(R1 + vma.start_stack as i32));
        asm.jump_if(R2.gt(R4), no_stack);
        asm.jump_if(R3.lt(R4), no_stack);
        self.fixed(b"[stack]");
        self.builder.asm.jump(done);
        self.builder.asm.bind(vdso);
        self.fixed(b"[vdso]");
        self.builder.asm.jump(done);
        self.builder.asm.bind(no_stack);
        match vma.anon_name {
            Some(name) => {
                self.builder.asm.load(R3, u64_at(MAPPING + name as i32));
                self.builder.asm.jump_if(R3.eq(0), null);
                self.process_name(vma, b"[anon:", null);
            }
            None => self.builder.asm.jump(null),
        }
    }

    /// Writes the name in the `struct anon_vma_name` at R3 after `before`, and its length to R0.
    fn process_name(&mut self, vma: &VmaName, before: &[u8], null: Label) {
        let buffer = self.buffer();
        self.fixed(before);
        let start = TEXT + before.len() as u32;
        let asm = &mut self.builder.asm;
        asm.add(R3, vma.anon_text as i32);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: start });
        asm.mov(R2, ANON_MAX);
        asm.call(Helper::ProbeReadKernelStr);
        asm.jump_if(R0.sle(0), null);
        asm.jump_if(R0.sgt(ANON_MAX), null);
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: start });
        asm.add(R1, R0);
        // In the place of the NUL.
        asm.store(u8_at(R1 - 1), i32::from(b']'));
        asm.store(u8_at(R1), 0);
        asm.add(R0, before.len() as i32 + 1);
    }

    /// Writes a text, and its length with the NUL to R0. R1 is clobbered.
    fn fixed(&mut self, text: &[u8]) {
        let buffer = self.buffer();
        let asm = &mut self.builder.asm;
        asm.load_reloc(R1, Reloc::MapValue { index: buffer, offset: TEXT });
        for (byte, at) in text.iter().chain(&[0]).zip(0..) {
            asm.store(u8_at(R1 + at), i32::from(*byte));
        }
        asm.mov(R0, text.len() as i32 + 1);
    }
}
