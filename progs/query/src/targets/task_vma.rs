//! Memory mappings, as `/proc/PID/maps` shows them.

use crate::columns::{Numbers, Show::{Bytes, Device, Hex, Names, Plain}, columns};
use crate::expr::{case, field, page_size};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        tgid, default, Plain, "tgid", "process id (thread group id), in the initial pid namespace";
        pid, more, Plain, "pid", 
            "thread id, in the initial pid namespace; the first, unless asked for";
        comm, default, Plain, "comm", "name of the thread, at most 15 bytes";
        uid, more, Plain, "real_cred.uid.val", "real user id, in the initial user namespace";
        start, default, Hex, "vma.vm_start", "first address";
        end, default, Hex, "vma.vm_end", "address behind the last byte";
        size, more, Bytes, { field("vma.vm_end") - field("vma.vm_start") }, "size of the mapping";
        // The last letter is VM_MAYSHARE, as in /proc/PID/maps.
        perms, default, Names(PERMISSIONS), {
            field("vma.vm_flags") & 7 | (field("vma.vm_flags") & 0x80) >> 4
        }, "permissions, as /proc/PID/maps shows them";
        flags, more, Hex, "vma.vm_flags", "VM_... flags (include/linux/mm.h)";
        // For a mapping without a file, `vm_pgoff` has another meaning.
        offset, default, Hex, {
            case([(field("vma.vm_file").is_not_null(), field("vma.vm_pgoff") * page_size())])
        } in "bytes", "offset in the mapped file at which the mapping begins";
        dev, default, Device, { field("vma.vm_file.f_inode.i_sb.s_dev").st_dev() },
            "device of the mapped file, major:minor, or st_dev as a number";
        inode, default, Plain, "vma.vm_file.f_inode.i_ino", "inode number of the mapped file";
        path, default, Plain, { field("vma.vm_file").d_path() }, "path of the mapped file";
    },
    // The walk holds the lock that keeps the mapping, and so its file. RCU keeps alive what the helper needs of the
    // second.
    files: &["vma.vm_file", "task.mm.exe_file"],
    ..View::NONE
};

/// The permissions of `/proc/PID/maps`.
const PERMISSIONS: Numbers = &[
    (0x0, "---p"),
    (0x1, "r--p"),
    (0x2, "-w-p"),
    (0x3, "rw-p"),
    (0x4, "--xp"),
    (0x5, "r-xp"),
    (0x6, "-wxp"),
    (0x7, "rwxp"),
    (0x8, "---s"),
    (0x9, "r--s"),
    (0xa, "-w-s"),
    (0xb, "rw-s"),
    (0xc, "--xs"),
    (0xd, "r-xs"),
    (0xe, "-wxs"),
    (0xf, "rwxs"),
];
