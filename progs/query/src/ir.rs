//! The typed intermediate representation (IR) of a question: numbers, conditions and texts, with all names resolved.
//!
//! Conditions are made of numbers, and numbers (by CASE) of conditions.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use kwalk_btf::{Field, TypeId};

use crate::completion::Fill;
use crate::elements::PerCpuValues;
use crate::error::Kind;
use crate::expr::{Arithmetic, Compare};
use crate::limits::{LONG_MAX, NODE_MAX, PATTERN_MAX, STACK_MAX, TEXT_MAX, UNIX_MAX};
use crate::pattern::Pattern;
use crate::place::Place;

/// A number, with its sign and bounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) node: Node,
    /// Whether its 64 bits are unsigned.
    pub(crate) unsigned: bool,
    /// A lower bound.
    pub(crate) min: i128,
    /// An upper bound.
    pub(crate) max: i128,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Always NULL: a division by the literal 0, or a CASE of which nothing else is left.
    Null,
    /// A constant: `min` and `max` are its value.
    Constant,
    Field(Box<Place>),
    Binary(Arithmetic, Box<Number>, Box<Number>),
    Unary(Unary, Box<Number>),
    /// The sum over the CPUs of what each has.
    Sum(Box<Sum>),
    /// A field that a helper copies, because verifiers refuse to load it.
    Copied(Box<Place>),
    /// A bit of a bitmap.
    Bit(Box<Bit>),
    /// The number of the first condition that is true, else the last number.
    Case(Vec<(Condition, Number)>, Box<Number>),
}

/// An operation on one number, which is read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    /// The number, or 0 if it is negative.
    Positive,
    /// A device number, from the kernel's encoding to that of stat(2).
    Device,
}

/// A number that each CPU has one of, and what is needed to find them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sum {
    /// The per-CPU pointer.
    pub(crate) pointer: Place,
    /// The number. Only its field counts: it is behind the pointer.
    pub(crate) value: Place,
    /// The number of CPUs.
    pub(crate) cpus: u32,
    /// The offset of a per-CPU array's first pointer in its `struct bpf_array`.
    pub(crate) pptrs: u32,
}

/// A bit of a bitmap, and which one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bit {
    /// The last pointer on the path to the bitmap.
    pub(crate) pointer: Place,
    /// The first of its words. Only its field counts: it is behind the pointer.
    pub(crate) word: Place,
    /// The field with the number of the bit, of at most 32 bits.
    pub(crate) number: Place,
}

/// A condition: true, false or unknown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// A constant; `None` is unknown.
    Known(Option<bool>),
    /// A number, compared with constants: all of the comparisons must hold, or one of them.
    Test {
        number: Number,
        tests: Vec<Test>,
        all: bool,
    },
    /// A comparison of two numbers.
    Compare(Compare, Number, Number),
    /// Whether a text matches a pattern.
    Like(Text, Pattern),
    /// Whether a text or a number is in a set.
    InSet(Member, Set),
    /// Whether a number is NULL.
    NumberIsNull(Number),
    /// Whether a pointer is NULL, or one before it on its path.
    PointerIsNull(Place),
    /// Whether a text that the program assembles is NULL.
    TextIsNull(Text),
    /// Whether a pointer on the path of a field is NULL.
    BehindNull(Place),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    /// `IS TRUE` or `IS FALSE`.
    Is(bool, Box<Condition>),
    /// A condition with the number of its fragment of the user's question.
    Marked(u32, Box<Condition>),
}

/// A comparison with a constant.
pub(crate) type Test = (Compare, i128);

/// A text: the field, and what the field holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) place: Place,
    pub(crate) kind: TextKind,
}

/// What the field of a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// The text itself, in an array of characters.
    Array,
    /// A pointer to the text.
    Pointer,
    /// A `struct path`; the text is the result of `bpf_d_path`.
    Path,
    /// A pointer to a node of a tree of named nodes; the text is the path from the root.
    Node(Tree),
    /// A pointer to the `mm_struct` of the context's argument at the offset `task`. The text is the task's arguments:
    /// `start` and `end` are the offsets of the members with their addresses.
    Argv { task: u32, start: u32, end: u32 },
    /// A pointer to a `struct unix_address`; the text is the socket's name. `start` is the offset of the socket
    /// address, `len` that of its length, and `before` is the number of bytes in it before the name.
    UnixName { len: u32, start: u32, before: u32 },
    /// The `struct path` of the file of a mapping, a context argument; the text is the mapping's name.
    Vma(VmaName),
    /// A pointer to a `struct bpf_prog_aux`; the text is the whole name of the program.
    ProgName(ProgName),
    /// A pointer to a task; the value is the addresses of its stack.
    Stack,
    /// A pointer to `size` bytes that the program may read directly.
    Bytes { at: u32, size: u32 },
}

/// The offsets of a tree node's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The pointer to the node's name.
    pub(crate) name: u32,
    /// The pointer to the node's parent. That of the root is NULL, or points to the root.
    pub(crate) parent: u32,
    /// Of the object whose field is the node: its flags, of 4 bytes, and the flag that it has unless it was removed.
    pub(crate) online: Option<(u32, i32)>,
    /// If the nodes are directory entries: the offsets in a mount.
    pub(crate) mounts: Option<Mounts>,
    /// If the path begins at the root of the reader's cgroup namespace: how cgroups are followed. The text's field is then a
    /// pointer to the cgroup, whose node has the name.
    pub(crate) cgroups: Option<Cgroups>,
}

/// The offsets of members that lead from a cgroup to the one above, and from the reader to the root of its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cgroups {
    pub(crate) ty: TypeId,
    /// Of a `struct cgroup`: the node, the depth, the hierarchy, and the pointer to the state of the cgroup above, with which
    /// that begins.
    pub(crate) node: u32,
    pub(crate) level: u32,
    pub(crate) hierarchy: u32,
    pub(crate) parent: u32,
    /// The pointers to follow from the `struct task_struct` to the `struct css_set`, and from that to the root in the
    /// hierarchy of cgroup v2.
    pub(crate) set: [u32; 3],
    pub(crate) root: u32,
    /// The pointers to follow to the root in the hierarchy of the controller that the field is of.
    pub(crate) controller: Option<[u32; 2]>,
}

/// The offsets of the members of a `struct mount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mounts {
    /// The pointer to the directory entry at its root.
    pub(crate) root: u32,
    /// The pointer to the mount that it is mounted in. That of the first one points to itself.
    pub(crate) parent: u32,
    /// The pointer to the directory entry that it is mounted on.
    pub(crate) point: u32,
}

/// Where the whole name of a BPF program comes from: offsets of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProgName {
    /// Of a `struct bpf_prog_aux`: the beginning of the name, in 16 bytes.
    pub(crate) name: u32,
    pub(crate) btf: u32,
    pub(crate) func_info: u32,
    /// Of a `struct bpf_func_info`.
    pub(crate) type_id: u32,
    /// Of a `struct btf`.
    pub(crate) types: u32,
    pub(crate) str_len: u32,
    pub(crate) strings: u32,
}

/// Where the name of a memory mapping comes from: offsets of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VmaName {
    /// The mapping, in the context.
    pub(crate) argument: u32,
    /// Of a `struct vm_area_struct`.
    pub(crate) file: u32,
    pub(crate) ops: u32,
    pub(crate) private: u32,
    pub(crate) mm: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The pointer to the name that the process has given it; since Linux 5.17, if the kernel was built with them.
    pub(crate) anon_name: Option<u32>,
    /// The name in a `struct anon_vma_name`.
    pub(crate) anon_text: u32,
    /// The function for the name, in a `struct vm_operations_struct`.
    pub(crate) ops_name: u32,
    /// Of a `struct vm_special_mapping`.
    pub(crate) special_name: u32,
    /// Of a `struct mm_struct`.
    pub(crate) brk: u32,
    pub(crate) start_brk: u32,
    pub(crate) start_stack: u32,
    /// How a file's path is assembled where `bpf_d_path` can't be called.
    pub(crate) dentry: Option<Tree>,
    /// Files that a file system opens in the place of the user's, such as overlayfs; since Linux 6.7.
    pub(crate) backing: Option<Backing>,
    /// Whether such files have no name here, because a program can't get at the user's.
    pub(crate) hides_backing: bool,
    /// The mode of a `struct file`.
    pub(crate) mode: u32,
}

/// Where a file in the place of another has the path of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backing {
    /// The path in a `struct backing_file`, which begins with a `struct file`.
    pub(crate) path: u32,
    /// The `struct vfsmount` in a `struct mount`.
    pub(crate) vfsmount: u32,
    pub(crate) mount_type: TypeId,
    pub(crate) dentry_type: TypeId,
    /// In a `struct dentry`: NULL if it was removed.
    pub(crate) unhashed: u32,
    pub(crate) tree: Tree,
}

/// A value that is looked up in a set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Member {
    Text(Box<Text>),
    Number(Number),
}

/// A set of texts or numbers: the keys of a hash map of the program.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    /// The keys: 8 bytes for a number. A text is followed by at least two zeros, so that a longer text, which is cut to
    /// the size of a key, equals none.
    pub(crate) keys: Arc<[Vec<u8>]>,
    /// The size of a key in bytes, a multiple of 8.
    pub(crate) key_size: usize,
}

impl Set {
    /// A set of texts. They have no NUL.
    pub(crate) fn texts<'t>(texts: impl Iterator<Item = &'t [u8]> + Clone) -> Set {
        let longest = texts.clone().map(<[u8]>::len).max().unwrap_or(0);
        let key_size = (longest + 2).next_multiple_of(8);
        Set::new(key_size, texts.map(<[u8]>::to_vec))
    }

    /// A set of 64-bit numbers, signed or not.
    pub(crate) fn numbers(numbers: impl Iterator<Item = i128>) -> Set {
        Set::new(8, numbers.map(|number| (number as u64).to_ne_bytes().to_vec()))
    }

    fn new(key_size: usize, keys: impl Iterator<Item = Vec<u8>>) -> Set {
        let padded = keys.map(|mut key| {
            key.resize(key_size, 0);
            key
        });
        let unique: BTreeSet<_> = padded.collect();
        Set { keys: unique.into_iter().collect(), key_size }
    }
}

impl TextKind {
    /// Whether the program assembles the text in a map.
    pub(crate) fn is_made(self) -> bool {
        !matches!(self, TextKind::Array | TextKind::Pointer | TextKind::Bytes { .. })
    }
}

impl Text {
    /// Whether programs always have the whole text. Arguments, deep paths and texts behind pointers may be cut.
    pub(crate) fn is_whole(&self) -> bool {
        match self.kind {
            TextKind::Array => self.place.field.size as usize <= TEXT_MAX,
            TextKind::Path
            | TextKind::UnixName { .. }
            | TextKind::ProgName(_)
            | TextKind::Stack
            | TextKind::Bytes { .. } => true,
            TextKind::Pointer | TextKind::Node(_) | TextKind::Vma(_) | TextKind::Argv { .. } => false,
        }
    }

    /// Whether only the beginning of the text may be read, as of a text behind a pointer.
    pub(crate) fn may_be_cut(&self) -> bool {
        match self.kind {
            TextKind::Array => self.place.field.size as usize >= TEXT_MAX,
            kind => kind == TextKind::Pointer,
        }
    }

    /// The longest text that it can be compared with, in bytes; with bytes that may precede it or not.
    pub(crate) fn pattern_max(&self, open_start: bool) -> usize {
        match (open_start, self.kind.is_made()) {
            (true, _) => PATTERN_MAX,
            (false, true) => LONG_MAX - 1,
            (false, false) => TEXT_MAX - 1,
        }
    }

    /// Whether the text is assembled from its end, and may lack its front.
    pub(crate) fn is_cut_at_front(&self) -> bool {
        match self.kind {
            TextKind::Node(_) => true,
            TextKind::Vma(vma) => vma.dentry.is_some() || vma.backing.is_some(),
            _ => false,
        }
    }

    /// Whether the text is assembled from its beginning, and may lack its end.
    pub(crate) fn is_cut_at_end(&self) -> bool {
        matches!(self.kind, TextKind::Argv { .. })
    }

    /// The greatest possible size, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self.kind {
            TextKind::Array | TextKind::Pointer | TextKind::ProgName(_) => TEXT_MAX,
            TextKind::Path => LONG_MAX,
            TextKind::Node(_) | TextKind::Vma(_) | TextKind::Argv { .. } => NODE_MAX,
            TextKind::Stack => STACK_MAX,
            TextKind::UnixName { .. } => UNIX_MAX,
            TextKind::Bytes { size, .. } => size as usize,
        }
    }
}

/// The value of an expression that is no condition.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(Number),
    Text(Text),
    /// A pointer, other than one to a text.
    Pointer(Place),
    /// A floating-point number of 4 or 8 bytes, which programs can only copy.
    Float(Place),
    /// An IP address.
    Ip(Box<IpPlace>),
    /// The addresses of a task's stack.
    Stack(Text),
    /// A map's key or value, as bytes.
    Bytes(Text),
    /// What each CPU has of a per-CPU map's value: the values' bytes, and the field in each, if its type is known.
    List(Text, PerCpuValues, Option<Field>),
    /// A literal text.
    Literal(Vec<u8>),
    /// What user space fills in.
    Filled(Fill),
}

/// An IP address: if `family` is given, it tells which of the two fields has it; else there is one field. `device` has the
/// index of the network device that a link-local one belongs to, or 0.
#[derive(Debug, Clone)]
pub(crate) struct IpPlace {
    pub(crate) family: Option<Place>,
    pub(crate) v4: Option<Place>,
    pub(crate) v6: Option<Place>,
    pub(crate) device: Option<Place>,
}

impl IpPlace {
    pub(crate) fn may_be_null(&self) -> bool {
        [&self.family, &self.v4, &self.v6, &self.device].into_iter().flatten().any(Place::may_be_null)
    }
}

impl Value {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::Number(_) => Kind::Number,
            Value::Text(_) | Value::Literal(_) => Kind::Text,
            Value::Pointer(_) => Kind::Pointer,
            Value::Float(_) => Kind::Float,
            Value::Ip(_) => Kind::Ip,
            Value::Stack(_) => Kind::Stack,
            Value::Bytes(_) => Kind::Bytes,
            Value::Filled(Fill::Arguments) => Kind::Texts,
            Value::Filled(Fill::Argument(_)) => Kind::Text,
            Value::Filled(Fill::Number { .. }) => Kind::Number,
            Value::List(..) => Kind::List,
        }
    }
}
