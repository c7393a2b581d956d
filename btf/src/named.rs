//! The named members of a struct or union, including those of its anonymous members.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::{Btf, Error, Kind, Member, TypeId};

impl<'a> Btf<'a> {
    /// The named members of a struct or union (also behind typedefs and qualifiers), in the order of declaration: the
    /// names with which a field path can continue. Members of anonymous structs and unions are included, with offsets
    /// from the start of the outermost one.
    ///
    /// A bitfield has the offset of its first bit and its width, with or without the kind flag.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], [`Error::TooLarge`], [`Error::Name`], and those of [`resolve`](Btf::resolve) for a
    /// member's type.
    pub fn named_members(&self, struct_or_union: TypeId) -> Result<Vec<Member<'a>>, Error> {
        let (id, outer) = self.resolve(struct_or_union)?;
        if !matches!(outer.kind(), Kind::Struct | Kind::Union) {
            return Err(Error::WrongKind { id, kind: outer.kind(), wanted: "STRUCT or UNION" });
        }
        let mut found = Vec::new();
        let broken = self.each_member(&outer, |name_off, member, bit| {
            match self.string(name_off).and_then(|name| self.placed(id, Member { name, ..member }, bit)) {
                Ok(member) => {
                    found.push(member);
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            }
        })?;
        broken.map_or(Ok(found), Err)
    }

    /// A member at this bit of `outer`. If its type is an INT that is narrower than its bytes, the offset and width in
    /// the INT are added.
    fn placed(&self, outer: TypeId, member: Member<'a>, bit: u64) -> Result<Member<'a>, Error> {
        let ty = if member.bitfield_width == 0 { self.behind(member.type_id)? } else { None };
        let (mut bit, mut bitfield_width) = (bit, member.bitfield_width);
        if let Some((int, size)) = ty.and_then(|ty| Some((ty.int()?, ty.size()?))) {
            bit = bit.saturating_add(int.offset.into());
            let whole = bit % 8 == 0 && u64::from(int.bits) == u64::from(size) * 8;
            bitfield_width = if whole { 0 } else { int.bits };
        }
        let bit_offset = bit.try_into().map_err(|_| Error::TooLarge { id: outer })?;
        Ok(Member { bit_offset, bitfield_width, ..member })
    }
}
