//! The functions that expressions can call.

/// A function; [`FUNCTIONS`] describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is described in FUNCTIONS")]
pub enum Function {
    Ntohs,
    Ntohl,
    Ip,
    Cidr,
    DPath,
    CgroupPath,
    UnixName,
    VmaName,
    ProgName,
    Cmdline,
    Argv,
    Stack,
    Address,
    Zone,
    PageSize,
    NullIf,
    Positive,
    StDev,
    Copied,
    Bit,
}

impl Function {
    /// The context's argument that the function is about, and what is to be said of targets without it.
    pub(crate) const fn context(self) -> Option<(&'static str, &'static str)> {
        match self {
            Function::Cmdline | Function::Argv | Function::Stack => {
                Some(("task", "a function of tasks for a target without tasks"))
            }
            Function::VmaName => Some(("vma", "a function of mappings for a target without mappings")),
            _ => None,
        }
    }
}

/// The description of a function for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name.
    pub name: &'static str,
    /// Descriptions of its arguments.
    pub arguments: &'static [&'static str],
    /// A description of its result.
    pub about: &'static str,
    /// The function itself.
    pub function: Function,
}

macro_rules! functions {
    ($($name:ident($($argument:literal),*) $function:ident $about:literal;)*) => {
        &[$(FunctionInfo {
            name: stringify!($name),
            arguments: &[$($argument),*],
            about: $about,
            function: Function::$function,
        }),*]
    };
}

/// All functions that a user can call.
pub const FUNCTIONS: &[FunctionInfo] = functions! {
    ntohs("FIELD")              Ntohs      "a 16-bit network-order field as a number";
    ntohl("FIELD")              Ntohl      "a 32-bit network-order field as a number";
    ip("FIELD")                 Ip         "a field of 4 or 16 bytes as an IP address";
    address("FAMILY", "IPV4", "IPV6") Address "the IPv4 or the IPv6 address, as the family says";
    zone("ADDRESS", "INDEX")    Zone       "an address(…) that, where it is link-local, is shown with the index of its device";
    cidr("ADDRESS", "'IP/BITS'") Cidr      "whether an address is in a network";
    d_path("FIELD")             DPath      "the path of a file, from a struct file * or a struct path";
    cgroup_path("FIELD")        CgroupPath "the path of a cgroup, from a struct cgroup *";
    unix_name("FIELD")          UnixName   "the name of a Unix socket, from a struct unix_address *, with @ for each NUL";
    prog_name("FIELD")          ProgName   "the whole name of a BPF program, from a struct bpf_prog_aux *";
    vma_name()                  VmaName    "the name of a memory mapping, as /proc/PID/maps shows it";
    cmdline()                   Cmdline    "the arguments of the process, read from /proc after the walk";
    argv()                      Argv       "the arguments, copied in the kernel: a process can make the reader wait for its memory for ever";
    nullif("X", "Y")            NullIf     "NULL if two numbers are equal, else the first";
    positive("X")               Positive   "a number, or 0 if it is negative";
    st_dev("FIELD")             StDev      "a device number of the kernel's own encoding as stat(2) gives it";
    copied("FIELD")             Copied     "a number that a helper copies: some verifiers refuse to load it";
    bit("FIELD", "NUMBER")      Bit        "the bit of this number in words of 64 bits, of which FIELD is the first, behind a pointer";
    page_size()                 PageSize   "the size of a page in bytes: the kernel counts memory in pages";
    stack()                     Stack      "the kernel stack of the task";
};

impl Function {
    /// Its name.
    pub fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|known| known.function == self).map_or("", |known| known.name)
    }

    /// Whether the result is a condition, not a value.
    pub(crate) fn is_condition(self) -> bool {
        self == Function::Cidr
    }
}
