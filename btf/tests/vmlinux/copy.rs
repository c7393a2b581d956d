//! Copies of the kernel's types: whole ones in either byte order, and pieces with damage.

use kwalk_btf::{Btf, Endian, Kind, TypeId, Writer};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use crate::ask::ask_everything;
use crate::spec::Spec;

pub(crate) fn every_type_is_copied_in_either_order(bytes: &[u8]) {
    let kernel = Btf::new(bytes).unwrap();
    let mut w = Writer::new();
    let specs: Vec<Spec> = (1..=kernel.type_count().unwrap())
        .map(|id| {
            let spec = Spec::read(&kernel, TypeId(id)).unwrap();
            assert_eq!(spec.write(&mut w), Ok(TypeId(id)));
            spec
        })
        .collect();
    for order in [Endian::Little, Endian::Big] {
        let copy = w.finish_in(order);
        // Texts are there once, as they are in the kernel's; an end of one as a text of its own costs its length.
        assert!(copy.len() < bytes.len() * 2, "{} from {}", copy.len(), bytes.len());
        let btf = Btf::new(&copy).unwrap();
        assert_eq!(btf.endian(), order);
        for (spec, id) in specs.iter().zip(1..) {
            assert_eq!(&Spec::read(&btf, TypeId(id)).unwrap(), spec, "{id}");
        }
        for (kind, name) in [(Kind::Func, "bpf_iter_task"), (Kind::Struct, "task_struct")] {
            assert_eq!(btf.find(kind, name), kernel.find(kind, name));
        }
        let task = btf.find(Kind::Struct, "task_struct").unwrap();
        for path in ["real_parent.tgid", "comm[3]", "in_execve", "mm.pgd"] {
            assert_eq!(btf.path(task, path), kernel.path(task, path), "{path}");
        }
    }
}

pub(crate) fn damaged_slices_are_survived(bytes: &[u8]) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let word = |at| if cfg!(target_endian = "big") { word(at).swap_bytes() } else { word(at) };
    let [start, types_off, types_len] = [4, 8, 12].map(|at| word(at) as usize);
    let types = &bytes[start + types_off..][..types_len];
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..8);
    let slice = (any::<Index>(), 0usize..8192, changes, any::<Index>());
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&slice, |(at, len, changes, names)| {
        // Records begin at words; most slices begin within one, which is damage too.
        let at = at.index(types.len()) & !3;
        let mut slice = types[at..].iter().copied().take(len).collect::<Vec<u8>>();
        for (place, value) in changes.into_iter().filter(|_| len > 0) {
            let place = place.index(slice.len());
            slice[place] = value;
        }
        // A few of the strings, the rest of the names being outside of them.
        let names = names.index(bytes.len() - 4096);
        let strings = [&[0], &bytes[names..names + 4096], &[0]].concat();
        let lengths = [24, 0, slice.len(), slice.len(), strings.len()].map(|len| (len as u32).to_ne_bytes());
        let header = [&0xeb9f_u16.to_ne_bytes()[..], &[1, 0], &lengths.concat()].concat();
        ask_everything(&[header, slice, strings].concat(), "comm");
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
