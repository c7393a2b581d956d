//! Whatever is read can be written, and what is written reads the same in either byte order.

#![no_main]

use kwalk_btf::{Btf, Endian, Kind, TypeId, Writer};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/blob/spec.rs"]
mod spec;

use spec::Spec;

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, rest)) = bytes.split_first() else { return };
    let (types, strings) = rest.split_at((usize::from(cut) * 4).min(rest.len()));
    let strings = [&[0], strings, &[0]].concat();
    let header = [24, 0, types.len(), types.len(), strings.len()].map(|len| len as u32);
    let bytes = [&[0x9f, 0xeb, 1, 0][..], &header.map(u32::to_le_bytes).concat(), types, &strings].concat();
    let Ok(btf) = Btf::new(&bytes) else { return };
    let mut w = Writer::new();
    let mut specs = Vec::new();
    // Up to what is damaged, or too much for the format.
    for id in (1..).map(TypeId) {
        let Ok(ty) = btf.get(id) else { break };
        if matches!(ty.kind(), Kind::Func | Kind::Var) && ty.linkage().is_none() {
            break;
        }
        let Ok(spec) = Spec::read(&btf, id) else { break };
        if spec.write(&mut w) != Ok(TypeId(specs.len() as u32 + 1)) {
            break;
        }
        specs.push(spec);
    }
    for order in [Endian::Little, Endian::Big] {
        let copy = w.finish_in(order);
        let copy = Btf::new(&copy).expect("it is whole");
        assert_eq!(copy.type_count(), Ok(specs.len() as u32));
        for (spec, id) in specs.iter().zip(1..) {
            assert_eq!(Spec::read(&copy, TypeId(id)).as_ref(), Ok(spec));
        }
    }
});
