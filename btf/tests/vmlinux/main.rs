//! The types of the running kernel and of others, with btf-rs and bpftool as witnesses that they are read right, and
//! what becomes of them when they are copied or damaged.
//!
//! Where the kernel has no BTF, or the others' types or bpftool are not there, the tests are reported as ignored, with the
//! reason.

#[path = "../blob/ask.rs"]
mod ask;
mod bpftool;
#[allow(dead_code, reason = "shared with the tests of small blobs")]
#[path = "../blob/builder.rs"]
mod builder;
mod copy;
#[path = "../blob/cut.rs"]
mod cut;
#[path = "../blob/spec.rs"]
mod spec;

use std::path;
use std::process::ExitCode;
use std::sync::Arc;

use btf_rs::BtfType as _;
use kwalk_btf::{
    Btf, Class, Component, Error, Fwd, Kind, Linkage, Member, Path, Reason, Type, TypeId, Writer,
};
use libtest_mimic::{Arguments, Completion, Trial};
use spec::Spec;

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
const LINKAGES: [Linkage; 3] = [Linkage::Static, Linkage::Global, Linkage::Extern];

/// Those of `cargo vm list`, by the names that `cargo vm btf` gives their types' files.
const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.x", "7.x"];

/// A kernel's types, or why there are none.
type Types = Result<Arc<[u8]>, String>;

fn main() -> ExitCode {
    let running = types(VMLINUX.as_ref());
    let mut trials = Vec::from(tests("", &running));
    trials.push(Trial::ignorable_test("every_type_is_the_one_bpftool_dumps", move || {
        match running.and_then(|bytes| Ok((bytes, bpftool::dump(VMLINUX)?))) {
            Ok((bytes, dump)) => {
                bpftool::every_type_is_the_one_bpftool_dumps(&bytes, &dump);
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    }));
    trials.push(Trial::ignorable_test("every_type_of_split_btf_is_the_one_bpftool_dumps", || {
        Ok(bpftool::every_type_of_split_btf_is_the_one_bpftool_dumps()
            .map_or_else(Completion::ignored_with, |()| Completion::Completed))
    }));
    let dir = path::Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("vm").join("btf");
    for kernel in KERNELS {
        let types = types(&dir.join(format!("{kernel}.btf")));
        let types = types.map_err(|reason| format!("{reason}; `cargo vm btf {kernel}` puts it there"));
        trials.extend(tests(&format!("linux_{kernel}::"), &types));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn types(path: &path::Path) -> Types {
    std::fs::read(path).map(Arc::from).map_err(|error| format!("{}: {error}", path.display()))
}

/// What is tested of any kernel's types.
fn tests(prefix: &str, types: &Types) -> [Trial; 10] {
    type Test = fn(&[u8]);
    let tests: [(&str, Test); 10] = [
        ("every_type_is_the_one_btf_rs_reads", every_type_is_the_one_btf_rs_reads),
        ("every_type_of_split_btf_is_the_one_btf_rs_reads", every_type_of_split_btf_is_the_one_btf_rs_reads),
        ("every_name_is_found", every_name_is_found),
        ("iterator_contexts_lead_to_their_objects", iterator_contexts_lead_to_their_objects),
        ("an_index_crosses_a_pointer", an_index_crosses_a_pointer),
        ("fields_of_a_task_are_the_members_written", fields_of_a_task_are_the_members_written),
        ("every_member_of_every_struct_has_a_path", every_member_of_every_struct_has_a_path),
        ("every_type_is_copied_in_either_order", copy::every_type_is_copied_in_either_order),
        ("damaged_slices_are_survived", copy::damaged_slices_are_survived),
        ("damage_anywhere_is_survived", copy::damage_anywhere_is_survived),
    ];
    tests.map(|(name, test)| {
        let types = types.clone();
        Trial::ignorable_test(format!("{prefix}{name}"), move || match types {
            Ok(bytes) => {
                test(&bytes);
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    })
}

fn name(witness: &btf_rs::Btf, named: &dyn btf_rs::BtfType) -> String {
    // An anonymous type has no name to resolve.
    named.get_name_offset().map_or(String::new(), |_| witness.resolve_name(named).unwrap())
}

/// What btf-rs calls the kind, and the size where it has one.
fn kind_and_size(ty: &btf_rs::Type) -> (Kind, Option<usize>) {
    use btf_rs::Type as T;
    match ty {
        T::Int(int) => (Kind::Int, Some(int.size())),
        T::Ptr(_) => (Kind::Ptr, Some(8)),
        T::Array(_) => (Kind::Array, None),
        T::Struct(of) => (Kind::Struct, Some(of.size())),
        T::Union(of) => (Kind::Union, Some(of.size())),
        T::Enum(of) => (Kind::Enum, Some(of.size())),
        T::Fwd(_) => (Kind::Fwd, None),
        T::Typedef(_) => (Kind::Typedef, None),
        T::Volatile(_) => (Kind::Volatile, None),
        T::Const(_) => (Kind::Const, None),
        T::Restrict(_) => (Kind::Restrict, None),
        T::Func(_) => (Kind::Func, None),
        T::FuncProto(_) => (Kind::FuncProto, None),
        T::Var(_) => (Kind::Var, None),
        T::Datasec(of) => (Kind::Datasec, Some(of.size())),
        T::Float(of) => (Kind::Float, Some(of.size())),
        T::DeclTag(_) => (Kind::DeclTag, None),
        T::TypeTag(_) => (Kind::TypeTag, None),
        T::Enum64(of) => (Kind::Enum64, Some(of.size())),
        other => panic!("{other:?}"),
    }
}

fn every_type_is_the_one_btf_rs_reads(bytes: &[u8]) {
    compare(&Btf::new(bytes).unwrap(), &btf_rs::Btf::from_bytes(bytes).unwrap());
}

/// The kernel's types, cut in two.
fn every_type_of_split_btf_is_the_one_btf_rs_reads(bytes: &[u8]) {
    let kernel = Btf::new(bytes).unwrap();
    let count = kernel.type_count().unwrap();
    let (mut w, mut base) = (Writer::new(), Vec::new());
    for id in 1..=count {
        if id == count / 2 {
            base = w.finish();
        }
        Spec::read(&kernel, TypeId(id)).unwrap().write(&mut w).unwrap();
    }
    let split = cut::cut(&base, &w.finish());
    let base_witness = btf_rs::Btf::from_bytes(&base).unwrap();
    let base = Btf::new(&base).unwrap();
    assert_eq!(base.type_count(), Ok(count / 2 - 1));
    let btf = Btf::new_split(&split, &base).unwrap();
    assert_eq!(btf.type_count(), Ok(count));
    compare(&btf, &btf_rs::Btf::from_split_bytes(&split, &base_witness).unwrap());
    for (kind, name) in [(Kind::Func, "bpf_iter_task"), (Kind::Struct, "task_struct")] {
        let found = [&base, &btf].map(|btf| btf.find(kind, name).ok());
        assert_eq!(found[0].or(found[1]), kernel.find(kind, name).ok(), "{name}");
    }
}

fn compare(btf: &Btf<'_>, witness: &btf_rs::Btf) {
    let count = btf.type_count().unwrap();
    assert!(count > 1000, "{count}");
    assert!(witness.resolve_type_by_id(count).is_ok());
    assert!(witness.resolve_type_by_id(count + 1).is_err());
    for id in (1..=count).map(TypeId) {
        let ours = btf.get(id).unwrap();
        let theirs = witness.resolve_type_by_id(id.0).unwrap();
        let (kind, size) = kind_and_size(&theirs);
        assert_eq!((ours.kind(), ours.size().map(|size| size as usize)), (kind, size), "{id}");
        let refers_to = ours.refers_to().or(ours.array().map(|array| array.element));
        let (name, their_type) = match (&theirs, theirs.as_btf_type()) {
            (btf_rs::Type::FuncProto(proto), _) => (String::new(), Some(proto.return_type_id())),
            (_, general) => (name(witness, general.unwrap()), general.unwrap().get_type_id()),
        };
        assert_eq!((ours.name(), refers_to.map(|id| id.0)), (name.as_str(), their_type), "{id}");
        compare_details(btf, witness, &ours, &theirs);
    }
}

fn compare_details(btf: &Btf, witness: &btf_rs::Btf, ours: &Type, theirs: &btf_rs::Type) {
    let id = ours.id;
    match theirs {
        btf_rs::Type::Int(theirs) => {
            let int = ours.int().unwrap();
            let flags = (theirs.is_signed(), theirs.is_char(), theirs.is_bool());
            assert_eq!((int.signed, int.char, int.bool), flags, "{id}");
        }
        btf_rs::Type::Array(theirs) => assert_eq!(ours.array().unwrap().len as usize, theirs.len(), "{id}"),
        btf_rs::Type::Fwd(theirs) => {
            let fwd = (theirs.is_struct(), theirs.is_union());
            assert_eq!((ours.fwd() == Some(Fwd::Struct), ours.fwd() == Some(Fwd::Union)), fwd, "{id}");
        }
        btf_rs::Type::Func(theirs) => {
            let linkage = [theirs.is_static(), theirs.is_global(), theirs.is_extern()];
            assert_eq!(LINKAGES.map(|linkage| ours.linkage() == Some(linkage)), linkage, "{id}");
        }
        btf_rs::Type::Var(theirs) => {
            let linkage = [theirs.is_static(), theirs.is_global(), theirs.is_extern()];
            assert_eq!(LINKAGES.map(|linkage| ours.linkage() == Some(linkage)), linkage, "{id}");
        }
        btf_rs::Type::FuncProto(theirs) => {
            let params = btf.params(id).unwrap();
            let more = theirs.parameters.last().is_some_and(|last| last.is_variadic());
            assert_eq!(params.is_variadic(), more, "{id}");
            assert_eq!(params.len() + usize::from(more), theirs.parameters.len(), "{id}");
            for (ours, theirs) in params.zip(&theirs.parameters) {
                let ours = ours.unwrap();
                assert_eq!(ours.name, name(witness, theirs), "{id}");
                assert_eq!(Some(ours.type_id.0), theirs.get_type_id(), "{id}");
            }
        }
        btf_rs::Type::Datasec(theirs) => {
            let vars = btf.section_vars(id).unwrap();
            assert_eq!(vars.len(), theirs.variables.len(), "{id}");
            for (ours, theirs) in vars.zip(&theirs.variables) {
                assert_eq!(Some(ours.type_id.0), theirs.get_type_id(), "{id}");
                assert_eq!((ours.offset, ours.size as usize), (theirs.offset(), theirs.size()), "{id}");
            }
        }
        btf_rs::Type::DeclTag(theirs) => {
            let component = theirs.component_index().map_or(Component::Whole, Component::Part);
            assert_eq!(ours.component(), Some(component), "{id}");
            assert_eq!(ours.kind_flag(), theirs.is_attribute(), "{id}");
        }
        btf_rs::Type::TypeTag(theirs) => assert_eq!(ours.kind_flag(), theirs.is_attribute(), "{id}"),
        btf_rs::Type::Struct(theirs) | btf_rs::Type::Union(theirs) => {
            let members = btf.members(id).unwrap();
            assert_eq!(members.len(), theirs.members.len(), "{id}");
            for (ours, theirs) in members.zip(&theirs.members) {
                let ours = ours.unwrap();
                assert_eq!(ours.name, name(witness, theirs), "{id}");
                assert_eq!(Some(ours.type_id.0), theirs.get_type_id(), "{id}");
                assert_eq!(ours.bit_offset, theirs.bit_offset(), "{id}");
                assert_eq!(u32::from(ours.bitfield_width), theirs.bitfield_size().unwrap_or(0), "{id}");
            }
        }
        btf_rs::Type::Enum(theirs) => {
            assert_eq!(ours.kind_flag(), theirs.is_signed(), "{id}");
            for (ours, theirs) in btf.enumerators(id).unwrap().zip(&theirs.members) {
                let ours = ours.unwrap();
                assert_eq!(
                    (ours.name, ours.value as u32),
                    (name(witness, theirs).as_str(), theirs.val()),
                    "{id}"
                );
            }
        }
        btf_rs::Type::Enum64(theirs) => {
            assert_eq!(ours.kind_flag(), theirs.is_signed(), "{id}");
            for (ours, theirs) in btf.enumerators(id).unwrap().zip(&theirs.members) {
                let ours = ours.unwrap();
                assert_eq!(
                    (ours.name, ours.value as u64),
                    (name(witness, theirs).as_str(), theirs.val()),
                    "{id}"
                );
            }
        }
        _ => {}
    }
}

fn every_name_is_found(bytes: &[u8]) {
    let btf = Btf::new(bytes).unwrap();
    let witness = btf_rs::Btf::from_bytes(bytes).unwrap();
    let count = btf.type_count().unwrap();
    for id in (1..=count).step_by(997) {
        let ty = btf.get(TypeId(id)).unwrap();
        if ty.name().is_empty() {
            continue;
        }
        let of_kind = |id: &u32| kind_and_size(&witness.resolve_type_by_id(*id).unwrap()).0 == ty.kind();
        let first =
            witness.resolve_ids_by_name(ty.name()).unwrap().into_iter().filter(of_kind).min().unwrap();
        assert_eq!(btf.find(ty.kind(), ty.name()), Ok(TypeId(first)), "{}", ty.name());
    }
    let absent = "kwalk_no_such_function";
    assert_eq!(btf.find(Kind::Func, absent), Err(Error::NotFound { kind: Kind::Func, name: absent.into() }));

    let contexts = btf.with_prefix(Kind::Struct, "bpf_iter__").unwrap();
    assert!(contexts.iter().any(|&(_, name)| name == "bpf_iter__task"), "{contexts:?}");
    for (id, name) in contexts {
        assert_eq!(btf.find(Kind::Struct, name), Ok(id));
    }
    let both = btf.find_many([(Kind::Func, "bpf_iter_task"), (Kind::Struct, "bpf_iter__task")]).unwrap();
    assert_eq!(both[0], btf.find(Kind::Func, "bpf_iter_task").ok());
    assert_eq!(both[1], btf.find(Kind::Struct, "bpf_iter__task").ok());
}

fn iterator_contexts_lead_to_their_objects(bytes: &[u8]) {
    let btf = Btf::new(bytes).unwrap();
    let context = btf.find(Kind::Struct, "bpf_iter__task").unwrap();
    let pointees = |path: &Path| {
        path.hops.iter().map(|hop| btf.get(hop.pointee).unwrap().name().to_string()).collect::<Vec<_>>()
    };

    let tgid = btf.path(context, "task.real_parent.tgid").unwrap();
    assert_eq!(pointees(&tgid), ["task_struct", "task_struct"]);
    assert_eq!((tgid.hops[0].offset, tgid.field.size), (8, 4));
    assert_eq!(tgid.field.class, Class::Int { signed: true });
    assert_eq!(btf.get(tgid.field.ty).unwrap().name(), "pid_t");

    let f_pos = btf.path(context, "meta.seq.file.f_pos").unwrap();
    assert_eq!(pointees(&f_pos), ["bpf_iter_meta", "seq_file", "file"]);
    assert_eq!((f_pos.field.size, f_pos.field.class), (8, Class::Int { signed: true }));

    let comm = btf.path(context, "task.comm").unwrap();
    assert_eq!((comm.field.size, comm.field.class), (16, Class::Text));
    assert_eq!(btf.path(context, "task.comm[15]").unwrap().field.offset, comm.field.offset + 15);

    let Err(Error::Path { reason, type_name, .. }) = btf.path(context, "task.real_parnt.tgid") else {
        panic!()
    };
    assert_eq!(type_name, "struct task_struct");
    let Reason::NoSuchMember { near } = reason else { panic!("{reason:?}") };
    assert_eq!(near.first().map(String::as_str), Some("real_parent"));
}

/// The open file of a number, as C's `task->files->fdt->fd[3]->f_pos` has it, by the witness's word.
fn an_index_crosses_a_pointer(bytes: &[u8]) {
    let btf = Btf::new(bytes).unwrap();
    let witness = btf_rs::Btf::from_bytes(bytes).unwrap();
    let offset = |of: &str, member: &str| {
        let types = witness.resolve_types_by_name(of).unwrap();
        let members = types.into_iter().find_map(|ty| match ty {
            btf_rs::Type::Struct(of) => Some(of.members),
            _ => None,
        });
        let named = |one: &&btf_rs::Member| name(&witness, *one) == member;
        members.unwrap().iter().find(named).unwrap().bit_offset() / 8
    };
    let task = btf.find(Kind::Struct, "task_struct").unwrap();
    let path = btf.path(task, "files.fdt.fd[3].f_mode").unwrap();
    let offsets: Vec<_> = path.hops.iter().map(|hop| hop.offset).collect();
    let [files, fdt] = [("task_struct", "files"), ("files_struct", "fdt")].map(|(of, name)| offset(of, name));
    assert_eq!(offsets, [files, fdt, offset("fdtable", "fd"), 3 * 8]);
    assert_eq!(btf.get(path.hops[2].pointee).unwrap().kind(), Kind::Ptr);
    assert_eq!(btf.get(path.hops[3].pointee).unwrap().name(), "file");
    assert_eq!(path.field.offset, btf.path(path.hops[3].pointee, "f_mode").unwrap().field.offset);
}

fn fields_of_a_task_are_the_members_written(bytes: &[u8]) {
    let btf = Btf::new(bytes).unwrap();
    let task = btf.find(Kind::Struct, "task_struct").unwrap();
    let member = |name: &str| {
        btf.members(task).unwrap().map(Result::unwrap).find(|member| member.name == name).unwrap()
    };
    // Both are single bits, in Linux since long before the first iterator.
    for name in ["in_execve", "sched_reset_on_fork"] {
        let field = btf.path(task, name).unwrap().field;
        let bits = field.bits.unwrap();
        assert_eq!((bits.width, field.size), (1, 1), "{name}");
        assert_eq!(field.offset * 8 + u32::from(bits.offset), member(name).bit_offset, "{name}");
        assert_eq!(field.class, Class::Int { signed: false }, "{name}");
    }
    let mm = btf.path(task, "mm").unwrap().field;
    let Class::Ptr { pointee } = mm.class else { panic!("{mm:?}") };
    assert_eq!((btf.get(pointee).unwrap().name(), mm.offset * 8), ("mm_struct", member("mm").bit_offset));
    assert!(matches!(btf.path(task, "se").unwrap().field.class, Class::Struct));
}

/// A struct's named members, those of anonymous ones too, with their offsets in bits.
fn flat<'a>(btf: &Btf<'a>, of: TypeId, base: u32, found: &mut Vec<(Member<'a>, u32)>) {
    for member in btf.members(of).unwrap() {
        let member = member.unwrap();
        let bit = base + member.bit_offset;
        if !member.name.is_empty() {
            found.push((member, bit));
        } else if matches!(btf.resolve(member.type_id).unwrap().1.kind(), Kind::Struct | Kind::Union) {
            flat(btf, member.type_id, bit, found);
        }
    }
}

fn every_member_of_every_struct_has_a_path(bytes: &[u8]) {
    let btf = Btf::new(bytes).unwrap();
    let mut members = Vec::new();
    for (id, name) in btf.with_prefix(Kind::Struct, "").unwrap() {
        members.clear();
        flat(&btf, id, 0, &mut members);
        // Some structs have thousands of members; a few of each will do.
        for &(member, bit) in members.iter().step_by(1 + members.len() / 8) {
            let Path { hops, field } =
                btf.path(id, member.name).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (offset, width) = field.bits.map_or((0, 0), |bits| (bits.offset, bits.width));
            assert!(hops.is_empty());
            assert_eq!(field.offset * 8 + u32::from(offset), bit, "{name}.{}", member.name);
            assert_eq!((field.ty, width), (member.type_id, member.bitfield_width), "{name}.{}", member.name);
        }
    }
}
