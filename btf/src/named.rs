//! The members that have names, wherever in a struct they stand.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::{Btf, Error, Member, TypeId};

impl<'a> Btf<'a> {
    /// The named members of a struct or union, or of the one behind typedefs and qualifiers, in the order of declaration:
    /// what a field path may go on with. Those of anonymous structs and unions stand in their places, with offsets from
    /// the beginning of the whole.
    ///
    /// A bitfield's offset is that of its first bit, and its width is told, in either form.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`], [`Error::TooLarge`], and what [`resolve`](Btf::resolve) may say of a member's type.
    pub fn named_members(&self, struct_or_union: TypeId) -> Result<Vec<Member<'a>>, Error> {
        let (id, _) = self.resolve(struct_or_union)?;
        // A damaged BTF may nest a struct in itself, or the same one a thousand times: no second visit finds new names.
        let mut seen = BTreeSet::from([id]);
        let mut open = Vec::from([(self.members(id)?, 0u32)]);
        let mut found = Vec::new();
        while let Some((members, base)) = open.last_mut() {
            let base = *base;
            let Some(member) = members.next() else {
                open.pop();
                continue;
            };
            let member = self.placed(member?)?;
            let bit_offset = base.checked_add(member.bit_offset).ok_or(Error::TooLarge { id })?;
            if !member.name.is_empty() {
                found.push(Member { bit_offset, ..member });
                continue;
            }
            // Bits that have no name are padding.
            let inner = self.behind(member.type_id)?.filter(|ty| seen.insert(ty.id));
            if let Some(members) = inner.and_then(|ty| self.members_of(&ty)) {
                open.push((members, bit_offset));
            }
        }
        Ok(found)
    }

    /// A member with its place and width told by itself, where an INT narrower than its own bytes tells them.
    fn placed(&self, member: Member<'a>) -> Result<Member<'a>, Error> {
        let ty = if member.bitfield_width == 0 { self.behind(member.type_id)? } else { None };
        let Some((int, size)) = ty.and_then(|ty| Some((ty.int()?, ty.size()?))) else { return Ok(member) };
        let too_large = Error::TooLarge { id: member.type_id };
        let bit_offset = member.bit_offset.checked_add(int.offset.into()).ok_or(too_large)?;
        let whole = bit_offset % 8 == 0 && u64::from(int.bits) == u64::from(size) * 8;
        Ok(Member { bit_offset, bitfield_width: if whole { 0 } else { int.bits }, ..member })
    }
}
