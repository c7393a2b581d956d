//! Asks everything there is to ask; the answers don't matter, nor do the errors.

use kwalk_btf::{Btf, Kind, TypeId};

/// How many types are asked about, and how many of a base, so that large inputs take no longer than it takes to read them.
const MOST: u32 = 256;

pub(crate) fn ask_everything(bytes: &[u8], path: &str) {
    if let Ok(btf) = Btf::new(bytes) {
        ask(&btf, 1, path);
    }
}

/// The same of split BTF, if the base can be read.
pub(crate) fn ask_split(base: &[u8], bytes: &[u8], path: &str) {
    let Ok(base) = Btf::new(base) else { return };
    if let Ok(btf) = Btf::new_split(bytes, &base) {
        ask(&btf, base.type_count().unwrap() + 1, path);
    }
}

/// Types from `first` on are found by their names.
fn ask(btf: &Btf<'_>, first: u32, path: &str) {
    for &kind in Kind::ALL {
        let _ = btf.find(kind, "either");
        let _ = btf.with_prefix(kind, "");
        let _ = btf.near(kind, "eiter");
    }
    let two = [(Kind::Struct, "pair"), (Kind::Func, "absent")];
    // The second answer comes from what the first left behind.
    assert_eq!(btf.find_many(two), btf.find_many(two));
    let count = btf.type_count().unwrap_or(64).min(first.saturating_add(MOST));
    for id in (first.saturating_sub(MOST)..=count.saturating_add(1)).chain([0, u32::MAX]).map(TypeId) {
        if let Ok(ty) = btf.get(id) {
            let _ = (ty.kind(), ty.name(), ty.size(), ty.refers_to(), ty.kind_flag());
            let _ = (ty.int(), ty.array(), ty.fwd(), ty.linkage(), ty.component());
            if let Ok(found) = btf.find(ty.kind(), ty.name()) {
                assert!(found <= id || id.0 < first);
                assert_eq!(btf.find(ty.kind(), ty.name()), Ok(found));
            }
        }
        let _ = btf.resolve(id);
        let _ = btf.named_members(id);
        let _ = btf.declaration(id, "name");
        let _ = btf.size_of(id);
        let _ = btf.class(id);
        let _ = btf.members(id).map(|members| members.count());
        let _ = btf.enumerators(id).map(|enumerators| enumerators.count());
        let _ = btf.params(id).map(|params| (params.is_variadic(), params.count()));
        let _ = btf.section_vars(id).map(|vars| vars.count());
        let _ = btf.string(id.0);
        for path in [path, "left", "pair.left", "x[1].y", "absent"] {
            if let Err(error) = btf.path(id, path) {
                let _ = error.to_string();
            }
        }
    }
}
