//! Memory mappings, as `/proc/PID/maps` shows them.

use crate::columns::{Numbers, Show::{Bytes, Device, Hex, Names, Plain}, columns};
use crate::derived::{By, Derived};
use crate::emit::FMODE_NOACCOUNT;
use crate::expr::{Expr, case, field, page_size, vma_name};
use crate::targets::shared::{READER, READER_PID, READER_TGID};
use crate::view::View;

pub(crate) const VIEW: View = View {
    columns: columns! {
        tgid, default, Plain, ("tgid", field("reader_tgid.nr")),
            "process id (thread group id), in the pid namespace of who asks";
        pid, more, Plain, ("pid", field("reader_pid.nr")),
            "thread id there: of the first thread, unless another was asked for";
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
        dev, default, Device, {
            of_file("f_inode.i_sb.s_dev", "d_inode.i_sb.s_dev").st_dev();
            unless_backing("f_inode.i_sb.s_dev").st_dev()
        }, "device of the mapped file, major:minor, or st_dev as a number";
        inode, default, Plain, {
            of_file("f_inode.i_ino", "d_inode.i_ino");
            unless_backing("f_inode.i_ino")
        }, "inode number of the mapped file";
        path, default, Plain, { vma_name() },
            "path of the mapped file, or a name such as [heap], as maps has it";
    },
    derived: &[
        READER,
        READER_PID,
        READER_TGID,
        Derived::new("backing_file", "vma.vm_file", By::Cast),
    ],
    // The walk holds the lock that keeps the mapping, and so its file. RCU keeps alive what the helper needs of the
    // second.
    files: &["vma.vm_file", "task.mm.exe_file"],
    looked_up: Some(&[
        "backing_file",
        "vm_area_struct",
        "vm_operations_struct",
        "vm_special_mapping",
        "mm_struct",
        "mount",
        "dentry",
        "file",
    ]),
    // The kernel shows the mappings of a process again for each thread with descriptors of its own. Of a process whose first
    // thread has ended, others have the mappings.
    is_object: Some(|| field("task.pid").eq(field("task.tgid")).or(field("task.group_leader.mm").is_null())),
    ..View::NONE
};

/// Whether the mapping's file is one that a file system opened in the place of the user's, as overlayfs does.
fn is_backing() -> Expr {
    (field("vma.vm_file.f_mode") & FMODE_NOACCOUNT).ne(0)
}

/// A number of the file that the user has mapped.
fn of_file(own: &str, user: &str) -> Expr {
    let user = field(format!("backing_file.user_path.dentry.{user}"));
    case([(is_backing(), user)]).or_else(field(format!("vma.vm_file.{own}")))
}

/// The same where the user's file can't be reached: NULL for a file in its place. Only such files have one of these bits,
/// `FMODE_BACKING`, and only since Linux 6.5; before, what the mapping's file says is the best there is.
fn unless_backing(own: &str) -> Expr {
    let is_other = (field("vma.vm_file.f_mode") & (1 << 24 | 1 << 25)).ne(0);
    case([(is_backing().and(is_other).not(), field(format!("vma.vm_file.{own}")))])
}

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
