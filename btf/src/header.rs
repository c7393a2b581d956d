//! The header: the positions of a BTF's sections, and its byte order.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::wire::{Endian, Layout, Word};
use crate::{Error, wire};

/// `struct btf_header`, the fields known to every kernel. A newer one may be longer, and says so in `hdr_len`.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    _magic: [u8; 2],
    version: u8,
    _flags: u8,
    /// All offsets that follow are relative to the end of the header.
    hdr_len: Word,
    types: Section,
    strings: Section,
}

/// Offset and length of a section, in bytes.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Section {
    offset: Word,
    len: Word,
}

/// The length of a [`Header`], in bytes.
pub(crate) const HEADER_LEN: usize = size_of::<Header>();

/// The length of a header with the fields of the layout section: `layout_off` and `layout_len`.
const LONG_HEADER_LEN: usize = HEADER_LEN + size_of::<Section>();

/// The sections of a BTF.
pub(crate) struct Sections<'a> {
    pub(crate) endian: Endian,
    pub(crate) types: &'a [u8],
    /// The position of `types` in the whole; `strings_at` is that of `strings`.
    pub(crate) types_at: usize,
    pub(crate) strings: &'a [u8],
    pub(crate) strings_at: usize,
    /// The entries of the layout section, by the kinds' numbers; empty without such a section.
    pub(crate) layouts: &'a [Layout],
}

impl<'a> Sections<'a> {
    /// Splits `bytes` into its sections.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Sections<'a>, Error> {
        let bad = |why| Error::Header { why };
        let endian = bytes.first_chunk().and_then(|&magic| Endian::of_magic(magic)).ok_or(Error::NotBtf)?;
        let cut_short = "it ends before its last field";
        let (header, more) = Header::ref_from_prefix(bytes).map_err(|_| bad(cut_short))?;
        if header.version != wire::VERSION {
            return Err(Error::Version(header.version));
        }
        let end = endian.get(header.hdr_len) as usize;
        if end < HEADER_LEN {
            return Err(bad("its length is less than that of its fields"));
        }
        let cut = |section: &Section| {
            let start = end.checked_add(endian.get(section.offset) as usize)?;
            let section = bytes.get(start..start.checked_add(endian.get(section.len) as usize)?)?;
            Some((section, start))
        };
        let (types, types_at) =
            cut(&header.types).ok_or(bad("the type section lies beyond the end of the file"))?;
        let (strings, strings_at) =
            cut(&header.strings).ok_or(bad("the string section lies beyond the end of the file"))?;
        let mut layouts = &[][..];
        if end >= LONG_HEADER_LEN {
            let (section, _) = Section::ref_from_prefix(more).map_err(|_| bad(cut_short))?;
            let (bytes, _) = cut(section).ok_or(bad("the layout section lies beyond the end of the file"))?;
            layouts = <[Layout]>::ref_from_bytes(bytes)
                .map_err(|_| bad("the length of the layout section is no multiple of 4"))?;
        }
        Ok(Sections { endian, types, types_at, strings, strings_at, layouts })
    }
}
