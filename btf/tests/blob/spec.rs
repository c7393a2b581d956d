//! A type with all that it holds, written by the writer and read by the reader.

use kwalk_btf::{
    Array, Btf, Component, Enumerator, Error, Fwd, Int, Kind, Linkage, Member, SectionVar, TypeId,
    WriteError, Writer,
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spec {
    Int(String, u32, Int),
    Ptr(TypeId),
    Array(Array),
    /// Members: name, type, offset and width in bits.
    Struct(String, u32, Vec<(String, TypeId, u32, u8)>),
    Union(String, u32, Vec<(String, TypeId, u32, u8)>),
    Enum(String, u32, bool, Vec<(String, i128)>),
    Fwd(String, Fwd),
    Typedef(String, TypeId),
    Volatile(TypeId),
    Const(TypeId),
    Restrict(TypeId),
    Func(String, TypeId, Linkage),
    /// With whether more may follow.
    FuncProto(TypeId, Vec<(String, TypeId)>, bool),
    Var(String, TypeId, Linkage),
    Datasec(String, u32, Vec<SectionVar>),
    Float(String, u32),
    /// With whether it is an attribute.
    DeclTag(String, TypeId, Component, bool),
    TypeTag(String, TypeId, bool),
    Enum64(String, u32, bool, Vec<(String, i128)>),
}

fn members(of: &[(String, TypeId, u32, u8)]) -> Vec<Member<'_>> {
    of.iter()
        .map(|&(ref name, type_id, bit_offset, bitfield_width)| Member {
            name,
            type_id,
            bit_offset,
            bitfield_width,
        })
        .collect()
}

fn enumerators(of: &[(String, i128)]) -> Vec<Enumerator<'_>> {
    of.iter().map(|&(ref name, value)| Enumerator { name, value }).collect()
}

impl Spec {
    pub(crate) fn write(&self, w: &mut Writer) -> Result<TypeId, WriteError> {
        match self {
            Spec::Int(name, size, int) => w.int(name, *size, *int),
            Spec::Ptr(to) => w.ptr(*to),
            Spec::Array(array) => w.array(*array),
            Spec::Struct(name, size, of) => w.struct_(name, *size, &members(of)),
            Spec::Union(name, size, of) => w.union_(name, *size, &members(of)),
            Spec::Enum(name, size, signed, of) => w.enum_(name, *size, *signed, &enumerators(of)),
            Spec::Fwd(name, fwd) => w.fwd(name, *fwd),
            Spec::Typedef(name, to) => w.typedef(name, *to),
            Spec::Volatile(to) => w.volatile(*to),
            Spec::Const(to) => w.const_(*to),
            Spec::Restrict(to) => w.restrict(*to),
            Spec::Func(name, proto, linkage) => w.func(name, *proto, *linkage),
            Spec::FuncProto(ret, params, variadic) => {
                let mut params: Vec<_> = params.iter().map(|(name, ty)| (name.as_str(), *ty)).collect();
                params.extend(variadic.then_some(Writer::VARIADIC));
                w.func_proto(*ret, &params)
            }
            Spec::Var(name, ty, linkage) => w.var(name, *ty, *linkage),
            Spec::Datasec(name, size, vars) => w.datasec(name, *size, vars),
            Spec::Float(name, size) => w.float(name, *size),
            Spec::DeclTag(name, on, component, false) => w.decl_tag(name, *on, *component),
            Spec::DeclTag(name, on, component, true) => w.decl_attribute(name, *on, *component),
            Spec::TypeTag(name, to, false) => w.type_tag(name, *to),
            Spec::TypeTag(name, to, true) => w.type_attribute(name, *to),
            Spec::Enum64(name, size, signed, of) => w.enum64(name, *size, *signed, &enumerators(of)),
        }
    }

    pub(crate) fn read(btf: &Btf, id: TypeId) -> Result<Spec, Error> {
        let ty = btf.get(id)?;
        let name = ty.name().to_string();
        let size = ty.size();
        let to = ty.refers_to();
        let members = || -> Result<Vec<_>, Error> {
            let member =
                |one: Member| (one.name.to_string(), one.type_id, one.bit_offset, one.bitfield_width);
            btf.members(id)?.map(|one| one.map(member)).collect()
        };
        let enumerators = || -> Result<Vec<_>, Error> {
            btf.enumerators(id)?.map(|one| one.map(|one| (one.name.to_string(), one.value))).collect()
        };
        Ok(match ty.kind() {
            Kind::Int => Spec::Int(name, size.unwrap(), ty.int().unwrap()),
            Kind::Ptr => Spec::Ptr(to.unwrap()),
            Kind::Array => Spec::Array(ty.array().unwrap()),
            Kind::Struct => Spec::Struct(name, size.unwrap(), members()?),
            Kind::Union => Spec::Union(name, size.unwrap(), members()?),
            Kind::Enum => Spec::Enum(name, size.unwrap(), ty.kind_flag(), enumerators()?),
            Kind::Fwd => Spec::Fwd(name, ty.fwd().unwrap()),
            Kind::Typedef => Spec::Typedef(name, to.unwrap()),
            Kind::Volatile => Spec::Volatile(to.unwrap()),
            Kind::Const => Spec::Const(to.unwrap()),
            Kind::Restrict => Spec::Restrict(to.unwrap()),
            Kind::Func => Spec::Func(name, to.unwrap(), ty.linkage().unwrap()),
            Kind::FuncProto => {
                let params = btf.params(id)?;
                let variadic = params.is_variadic();
                let params = params.map(|one| one.map(|one| (one.name.to_string(), one.type_id)));
                Spec::FuncProto(to.unwrap(), params.collect::<Result<_, _>>()?, variadic)
            }
            Kind::Var => Spec::Var(name, to.unwrap(), ty.linkage().unwrap()),
            Kind::Datasec => Spec::Datasec(name, size.unwrap(), btf.section_vars(id)?.collect()),
            Kind::Float => Spec::Float(name, size.unwrap()),
            Kind::DeclTag => Spec::DeclTag(name, to.unwrap(), ty.component().unwrap(), ty.kind_flag()),
            Kind::TypeTag => Spec::TypeTag(name, to.unwrap(), ty.kind_flag()),
            Kind::Enum64 => Spec::Enum64(name, size.unwrap(), ty.kind_flag(), enumerators()?),
        })
    }
}
