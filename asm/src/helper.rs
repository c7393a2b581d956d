//! Helper functions, by number: `___BPF_FUNC_MAPPER` in `include/uapi/linux/bpf.h` of the kernel.

use core::fmt;

use crate::table::table;

/// The number of a helper, which need not be one that this crate has a name for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HelperId(pub u32);

impl HelperId {
    /// The helper of that number, if it is in this crate's table.
    pub fn known(self) -> Option<Helper> {
        Helper::find(|(id, ..)| id == self.0)
    }
}

impl From<Helper> for HelperId {
    fn from(helper: Helper) -> Self {
        helper.id()
    }
}

/// The kernel's name where it is known, the number where it isn't.
impl fmt::Display for HelperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(helper) => helper.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

table! {
    /// A helper function of the kernel. Its row: number, the kernel's name, since which kernel.
    ///
    /// That a kernel has a helper doesn't mean that it lets every type of program call it.
    pub enum Helper: (u32, &'static str, (u16, u16)) {
        /// `(map, key) -> value or NULL`
        MapLookupElem = (1, "bpf_map_lookup_elem", (3, 19)),
        /// `(map, key, value, flags) -> 0 or -errno`
        MapUpdateElem = (2, "bpf_map_update_elem", (3, 19)),
        /// `(map, key) -> 0 or -errno`
        MapDeleteElem = (3, "bpf_map_delete_elem", (3, 19)),
        /// `(dst, size, unsafe_ptr) -> 0 or -errno`: copies `size` bytes; on failure `dst` is
        /// zeroed.
        ProbeReadKernel = (113, "bpf_probe_read_kernel", (5, 5)),
        /// `(dst, size, unsafe_ptr) -> bytes with the NUL or -errno`: copies a string, cut to
        /// `size` with its NUL.
        ProbeReadKernelStr = (115, "bpf_probe_read_kernel_str", (5, 5)),
        /// `(seq, fmt, fmt_size, data, data_len) -> 0 or -errno`: `data` is an array of u64,
        /// `data_len` its bytes.
        SeqPrintf = (126, "bpf_seq_printf", (5, 8)),
        /// `(seq, data, len) -> 0 or -errno`: `len` bytes as they are.
        SeqWrite = (127, "bpf_seq_write", (5, 8)),
        /// `(sk) -> struct tcp6_sock * or NULL`
        SkcToTcp6Sock = (136, "bpf_skc_to_tcp6_sock", (5, 9)),
        /// `(sk) -> struct tcp_sock * or NULL`
        SkcToTcpSock = (137, "bpf_skc_to_tcp_sock", (5, 9)),
        /// `(sk) -> struct tcp_timewait_sock * or NULL`
        SkcToTcpTimewaitSock = (138, "bpf_skc_to_tcp_timewait_sock", (5, 9)),
        /// `(sk) -> struct tcp_request_sock * or NULL`
        SkcToTcpRequestSock = (139, "bpf_skc_to_tcp_request_sock", (5, 9)),
        /// `(sk) -> struct udp6_sock * or NULL`
        SkcToUdp6Sock = (140, "bpf_skc_to_udp6_sock", (5, 9)),
        /// `(task, buf, size, flags) -> bytes or -errno`: the return addresses of a task's stack,
        /// u64 each.
        GetTaskStack = (141, "bpf_get_task_stack", (5, 9)),
        /// `(path, buf, size) -> bytes with the NUL or -errno`: the name of a `struct path`.
        DPath = (147, "bpf_d_path", (5, 10)),
        /// `(seq, btf_ptr, btf_ptr_size, flags) -> 0 or -errno`: a value as its type reads.
        SeqPrintfBtf = (150, "bpf_seq_printf_btf", (5, 10)),
        /// `(file) -> struct socket * or NULL`
        SockFromFile = (162, "bpf_sock_from_file", (5, 11)),
        /// `(task) -> struct pt_regs *`: the registers a task has in user space.
        TaskPtRegs = (175, "bpf_task_pt_regs", (5, 15)),
        /// `(s1, s1_size, s2) -> like strncmp`; `s2` must be a read-only constant.
        Strncmp = (182, "bpf_strncmp", (5, 17)),
        /// `(dst, size, user_ptr, task, flags) -> 0 or -errno`: memory of a task; sleepable
        /// programs only.
        CopyFromUserTask = (191, "bpf_copy_from_user_task", (5, 18)),
    }
}

impl Helper {
    /// The number that a call instruction holds.
    pub const fn id(self) -> HelperId {
        HelperId(self.row().0)
    }

    /// The kernel's name for it, `bpf_` and all.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// The first kernel that has it, as major and minor version.
    pub const fn since(self) -> (u16, u16) {
        self.row().2
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
