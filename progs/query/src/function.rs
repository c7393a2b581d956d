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
    Cmdline,
    Stack,
    Address,
    PageSize,
    NullIf,
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
    ntohs("FIELD")              Ntohs      "the number that two bytes in network order are";
    ntohl("FIELD")              Ntohl      "the number that four bytes in network order are";
    ip("FIELD")                 Ip         "the IP address that 4 or 16 bytes are";
    address("FAMILY", "IPV4", "IPV6") Address "the IP address that is in one of two places, as a family says";
    cidr("ADDRESS", "'IP/BITS'") Cidr      "whether an address is one of a network";
    d_path("FIELD")             DPath      "the name of an open file, of a struct file * or a struct path";
    cgroup_path("FIELD")        CgroupPath "the path of a cgroup, of a struct cgroup *";
    unix_name("FIELD")          UnixName   "the name of a Unix socket, of a struct unix_address *, with an @ for each NUL";
    cmdline()                   Cmdline    "the arguments that the process was started with";
    nullif("X", "Y")            NullIf     "NULL where two numbers are equal, else the first";
    page_size()                 PageSize   "bytes of a page, in which the kernel counts memory";
    stack()                     Stack      "where in the kernel the task is";
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
