//! Writes BTF byte by byte, right or wrong as a test wants it.

use kwalk_btf::{Kind, TypeId};

pub(crate) const SIGNED: u32 = 1;
pub(crate) const CHAR: u32 = 2;
pub(crate) const BOOL: u32 = 4;
pub(crate) const VOID: TypeId = TypeId(0);

#[derive(Default)]
pub(crate) struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Builder {
    pub(crate) fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        offset
    }

    /// The id of the type added next, for types that refer to later ones.
    pub(crate) fn next(&self) -> TypeId {
        TypeId(self.count + 1)
    }

    pub(crate) fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    /// Any record: name offset and info as they come, and what follows.
    pub(crate) fn raw(&mut self, name_off: u32, info: u32, size_or_type: u32, trail: &[u32]) -> TypeId {
        self.words(&[name_off, info, size_or_type]);
        self.words(trail);
        self.count += 1;
        TypeId(self.count)
    }

    pub(crate) fn add(
        &mut self,
        kind: Kind,
        name: &str,
        info: u32,
        size_or_type: u32,
        trail: &[u32],
    ) -> TypeId {
        let name_off = self.name(name);
        self.raw(name_off, (kind as u32) << 24 | info, size_or_type, trail)
    }

    /// An integer that fills its bytes.
    pub(crate) fn int(&mut self, name: &str, size: u32, encoding: u32) -> TypeId {
        self.add(Kind::Int, name, 0, size, &[(encoding << 24) | (size * 8)])
    }

    /// A kind that is no more than its name and the type it refers to.
    pub(crate) fn refer(&mut self, kind: Kind, name: &str, to: TypeId) -> TypeId {
        self.add(kind, name, 0, to.0, &[])
    }

    pub(crate) fn ptr(&mut self, to: TypeId) -> TypeId {
        self.refer(Kind::Ptr, "", to)
    }

    pub(crate) fn array(&mut self, element: TypeId, len: u32) -> TypeId {
        self.add(Kind::Array, "", 0, 0, &[element.0, 1, len])
    }

    fn composite(
        &mut self,
        kind: Kind,
        name: &str,
        flag: u32,
        size: u32,
        members: &[(&str, TypeId, u32)],
    ) -> TypeId {
        let trail: Vec<u32> =
            members.iter().flat_map(|&(name, ty, offset)| [self.name(name), ty.0, offset]).collect();
        self.add(kind, name, flag << 31 | members.len() as u32, size, &trail)
    }

    /// A struct whose members' offsets are in bits, without kind flag.
    pub(crate) fn structure(&mut self, name: &str, size: u32, members: &[(&str, TypeId, u32)]) -> TypeId {
        self.composite(Kind::Struct, name, 0, size, members)
    }

    /// A struct with the kind flag; see [`bits`].
    pub(crate) fn flagged(&mut self, name: &str, size: u32, members: &[(&str, TypeId, u32)]) -> TypeId {
        self.composite(Kind::Struct, name, 1, size, members)
    }

    pub(crate) fn union(&mut self, name: &str, size: u32, members: &[(&str, TypeId, u32)]) -> TypeId {
        self.composite(Kind::Union, name, 0, size, members)
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        self.name("");
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut bytes = header(24, [0, types, types, strings], &[]);
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

/// A header of the given length with its two sections' offsets and lengths, and whatever it has more.
pub(crate) fn header(hdr_len: u32, sections: [u32; 4], more: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&0xeb9f_u16.to_ne_bytes());
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&hdr_len.to_ne_bytes());
    bytes.extend(sections.iter().flat_map(|word| word.to_ne_bytes()));
    bytes.extend_from_slice(more);
    bytes
}

/// The offset of a bitfield in the form with kind flag.
pub(crate) const fn bits(offset: u32, width: u32) -> u32 {
    width << 24 | offset
}

/// One type of every kind, in the kernel's order of kinds, so that each type's id is its kind's number.
pub(crate) fn every_kind() -> Builder {
    let mut b = Builder::default();
    add_every_kind(&mut b, |kind| TypeId(kind as u32));
    b
}

/// One type of every kind, in the kernel's order of kinds. They refer to those that `id` gives, and have names of their own.
pub(crate) fn add_every_kind(b: &mut Builder, id: impl Fn(Kind) -> TypeId) {
    let int = id(Kind::Int);
    b.int("int", 4, SIGNED);
    b.ptr(int);
    b.array(int, 7);
    b.flagged("pair", 12, &[("left", int, 0), ("right", int, 32), ("flag", int, bits(67, 3))]);
    b.union("either", 8, &[("number", int, 0), ("pointer", id(Kind::Ptr), 0)]);
    let (red, blue) = (b.name("RED"), b.name("BLUE"));
    b.add(Kind::Enum, "color", 1 << 31 | 2, 4, &[red, 1, blue, u32::MAX]);
    b.add(Kind::Fwd, "opaque", 0, 0, &[]);
    b.refer(Kind::Typedef, "int_t", int);
    b.refer(Kind::Volatile, "", int);
    b.refer(Kind::Const, "", id(Kind::Typedef));
    b.refer(Kind::Restrict, "", id(Kind::Ptr));
    // A function's linkage stands where others have the number of what follows.
    b.add(Kind::Func, "either", 2, id(Kind::FuncProto).0, &[]);
    let argument = b.name("argument");
    b.add(Kind::FuncProto, "", 2, int.0, &[argument, int.0, 0, 0]);
    b.add(Kind::Var, "counter", 0, int.0, &[1]);
    b.add(Kind::Datasec, ".data", 1, 4, &[id(Kind::Var).0, 0, 4]);
    b.add(Kind::Float, "double", 0, 8, &[]);
    b.add(Kind::DeclTag, "tag", 0, id(Kind::Struct).0, &[1]);
    b.refer(Kind::TypeTag, "user", int);
    let (low, high) = (b.name("LOW"), b.name("HIGH"));
    b.add(Kind::Enum64, "wide", 2, 8, &[low, 1, 0, high, 0, 0x8000_0000]);
}
