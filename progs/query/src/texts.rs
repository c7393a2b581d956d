//! Resolves what the texts are made from that a program assembles: paths, names, arguments, stacks.

use alloc::borrow::ToOwned as _;

use kwalk_btf::{Class, Kind as BtfKind};
use kwalk_progs::Span;

use crate::error::{Error, Reason};
use crate::ir::{Backing, Cgroups, Mounts, ProgName, Text, TextKind, Tree, VmaName};
use crate::place::Place;
use crate::resolve::Names;

/// The flag of a cgroup that is not removed (`include/linux/cgroup-defs.h`).
const CSS_ONLINE: i32 = 1 << 1;

impl Names<'_> {
    /// The path of a file. The field is a `struct path` or a pointer to a `struct file`.
    pub(crate) fn file(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        let place = self.argument(name, span)?;
        let own = match (place.field.class, self.type_name(&place)) {
            (Class::Struct, "path") => name.to_owned(),
            (Class::Ptr { .. }, "file") => format!("{name}.f_path"),
            _ => return Err(self.needs(place, "a struct path, or a pointer to a struct file", span)),
        };
        let place = self.argument(&own, span)?;
        let stays = self.view.files.iter().any(|file| {
            let known = self.argument(&format!("{file}.f_path"), None);
            known.is_ok_and(|known| known.shares_base(&place) && known.field.offset == place.field.offset)
        });
        // Before 6.5, `bpf_d_path` did not check its argument. This function came soon after, and shows that the kernel
        // is newer.
        if stays && self.has("bpf_map_sum_elem_count") {
            self.paths = true;
            return Ok(Text { place, kind: TextKind::Path });
        }
        let tree = self.dentry(span)?;
        Ok(Text { place: self.place(&format!("{own}.dentry"), span)?, kind: TextKind::Node(tree) })
    }

    /// The name of the context's memory mapping.
    pub(crate) fn vma_name(&mut self, span: Option<&Span>) -> Result<Text, Error> {
        const VMA: &str = "vm_area_struct";
        let Text { place, kind } = self.file("vma.vm_file", span)?;
        let dentry = if let TextKind::Node(tree) = kind { Some(tree) } else { None };
        let anon_name = self.offset(VMA, ["anon_name"], span).ok();
        let vma = VmaName {
            argument: self.argument("vma", span)?.field.offset,
            file: self.offset(VMA, ["vm_file"], span)?,
            ops: self.offset(VMA, ["vm_ops"], span)?,
            private: self.offset(VMA, ["vm_private_data"], span)?,
            mm: self.offset(VMA, ["vm_mm"], span)?,
            start: self.offset(VMA, ["vm_start"], span)?,
            end: self.offset(VMA, ["vm_end"], span)?,
            anon_name,
            anon_text: match anon_name {
                Some(_) => self.offset("anon_vma_name", ["name"], span)?,
                None => 0,
            },
            ops_name: self.offset("vm_operations_struct", ["name"], span)?,
            special_name: self.offset("vm_special_mapping", ["name"], span)?,
            brk: self.offset("mm_struct", ["brk"], span)?,
            start_brk: self.offset("mm_struct", ["start_brk"], span)?,
            start_stack: self.offset("mm_struct", ["start_stack"], span)?,
            dentry,
            backing: self.backing(span),
            hides_backing: self.offset("backing_file", ["user_path"], span).is_ok(),
            mode: self.offset("file", ["f_mode"], span)?,
        };
        Ok(Text { place, kind: TextKind::Vma(vma) })
    }

    /// Files in the place of others, if this kernel has them and a program can get at the others.
    fn backing(&self, span: Option<&Span>) -> Option<Backing> {
        let path = self.offset("backing_file", ["user_path"], span).ok()?;
        if !self.kernel.has_jit || !self.has("bpf_rdonly_cast") {
            return None;
        }
        let btf = self.kernel.btf;
        let mounts = Mounts {
            root: self.offset("mount", ["mnt.mnt_root"], span).ok()?,
            parent: self.offset("mount", ["mnt_parent"], span).ok()?,
            point: self.offset("mount", ["mnt_mountpoint"], span).ok()?,
        };
        Some(Backing {
            path,
            vfsmount: self.offset("mount", ["mnt"], span).ok()?,
            mount_type: btf.find(BtfKind::Struct, "mount").ok()?,
            dentry_type: btf.find(BtfKind::Struct, "dentry").ok()?,
            unhashed: self.offset("dentry", ["d_hash.pprev"], span).ok()?,
            tree: Tree { mounts: Some(mounts), ..self.dentry(span).ok()? },
        })
    }

    /// The names of directory entries.
    fn dentry(&self, span: Option<&Span>) -> Result<Tree, Error> {
        Ok(Tree {
            name: self.offset("dentry", ["d_name.name"], span)?,
            parent: self.offset("dentry", ["d_parent"], span)?,
            online: None,
            mounts: None,
            cgroups: None,
        })
    }

    /// The path of a cgroup, from the root of the reader's cgroup namespace. The field is a pointer to it.
    pub(crate) fn cgroup(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        let place = self.pointer(name, "cgroup", "a pointer to a struct cgroup", span)?;
        let mut tree = Tree {
            name: self.offset("kernfs_node", ["name"], span)?,
            parent: self.offset("kernfs_node", ["__parent", "parent"], span)?,
            online: Some((self.offset("cgroup", ["self.flags"], span)?, CSS_ONLINE)),
            mounts: None,
            cgroups: None,
        };
        // Finds the functions of loops in the same pass over the types as others.
        self.has("bpf_iter_num_new");
        if self.kernel.has_initial_cgroups {
            return Ok(Text { place: self.place(&format!("{name}.kn"), span)?, kind: TextKind::Node(tree) });
        }
        let what = "paths in a cgroup namespace";
        if let Some(reason) = self.lacks_kfunc("bpf_rdonly_cast", what, (6, 2)) {
            return Err(Error::new(reason, span.cloned()));
        }
        let ty = self.kernel.btf.find(BtfKind::Struct, "cgroup");
        tree.cgroups = Some(Cgroups {
            ty: ty.map_err(|error| Error::new(Reason::Field(error), span.cloned()))?,
            node: self.offset("cgroup", ["kn"], span)?,
            level: self.offset("cgroup", ["level"], span)?,
            hierarchy: self.offset("cgroup", ["root"], span)?,
            parent: self.offset("cgroup", ["self.parent"], span)?,
            set: [
                self.offset("task_struct", ["nsproxy"], span)?,
                self.offset("nsproxy", ["cgroup_ns"], span)?,
                self.offset("cgroup_namespace", ["root_cset"], span)?,
            ],
            root: self.offset("css_set", ["dfl_cgrp"], span)?,
            controller: self.controller(name, span)?,
        });
        Ok(Text { place, kind: TextKind::Node(tree) })
    }

    /// How a set leads to the cgroup of the controller that a path names, if it does, as `cgroups.subsys[4].cgroup`.
    fn controller(&self, name: &str, span: Option<&Span>) -> Result<Option<[u32; 2]>, Error> {
        let numbered = self.numbered(name);
        let state = numbered.strip_suffix(".cgroup").and_then(|state| state.rsplit('.').next());
        let Some(state) = state.filter(|state| state.starts_with("subsys[")) else { return Ok(None) };
        Ok(Some([
            self.offset("css_set", [state], span)?,
            self.offset("cgroup_subsys_state", ["cgroup"], span)?,
        ]))
    }

    /// The whole name of a BPF program. The field is a pointer to its `struct bpf_prog_aux`.
    pub(crate) fn prog_name(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        const AUX: &str = "bpf_prog_aux";
        let place = self.pointer(name, AUX, "a pointer to a struct bpf_prog_aux", span)?;
        let of = ProgName {
            name: self.offset(AUX, ["name"], span)?,
            btf: self.offset(AUX, ["btf"], span)?,
            func_info: self.offset(AUX, ["func_info"], span)?,
            type_id: self.offset("bpf_func_info", ["type_id"], span)?,
            types: self.offset("btf", ["types"], span)?,
            str_len: self.offset("btf", ["hdr.str_len"], span)?,
            strings: self.offset("btf", ["strings"], span)?,
        };
        Ok(Text { place, kind: TextKind::ProgName(of) })
    }

    /// The name of a Unix socket. The field is a pointer to its address.
    pub(crate) fn unix_name(&mut self, name: &str, span: Option<&Span>) -> Result<Text, Error> {
        let place = self.pointer(name, "unix_address", "a pointer to a struct unix_address", span)?;
        let len = self.offset("unix_address", ["len"], span)?;
        let start = self.offset("unix_address", ["name"], span)?;
        let before = self.offset("sockaddr_un", ["sun_path"], span)?;
        Ok(Text { place, kind: TextKind::UnixName { len, start, before } })
    }

    /// Resolves a field that must be a pointer to this struct.
    fn pointer(
        &mut self,
        name: &str,
        structure: &str,
        needs: &'static str,
        span: Option<&Span>,
    ) -> Result<Place, Error> {
        let place = self.place(name, span)?;
        match place.field.class {
            Class::Ptr { .. } if self.type_name(&place) == structure => Ok(place),
            _ => Err(self.needs(place, needs, span)),
        }
    }

    /// The arguments of the context's task, which the program copies.
    pub(crate) fn argv(&mut self, span: Option<&Span>) -> Result<Text, Error> {
        let task = self.argument("task", span)?.field.offset;
        // The read would wait for the lock that the walk holds: a deadlock.
        if self.target.target.locks_memory {
            return Err(Error::new(
                Reason::Unsupported("argv() of what is walked under a lock"),
                span.cloned(),
            ));
        }
        if !self.has("bpf_copy_from_user_task") {
            return Err(Error::new(Reason::Since { what: "argv()", since: (5, 18) }, span.cloned()));
        }
        let start = self.offset("mm_struct", ["arg_start"], span)?;
        let end = self.offset("mm_struct", ["arg_end"], span)?;
        self.sleeps = true;
        Ok(Text { place: self.place("task.mm", span)?, kind: TextKind::Argv { task, start, end } })
    }

    /// The kernel stack of the context's task.
    pub(crate) fn stack(&mut self, span: Option<&Span>) -> Result<Text, Error> {
        Ok(Text { place: self.argument("task", span)?, kind: TextKind::Stack })
    }
}
