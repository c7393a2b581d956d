//! Copies of the kernel's types: whole ones in either byte order, and pieces with damage.

use kwalk_btf::{Btf, Endian, Kind, TypeId, Writer};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use crate::ask::{ask_everything, ask_split};
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

/// The section of types and that of strings.
fn sections(bytes: &[u8]) -> [&[u8]; 2] {
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    [8, 16].map(|at| &bytes[word(4) + word(at)..][..word(at + 4)])
}

/// Both of them behind a header that tells the truth.
fn blob(types: &[u8], strings: &[u8]) -> Vec<u8> {
    let lengths = [24, 0, types.len(), types.len(), strings.len()].map(|len| (len as u32).to_ne_bytes());
    [&0xeb9f_u16.to_ne_bytes()[..], &[1, 0], &lengths.concat(), types, strings].concat()
}

fn damage(most: usize) -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec((any::<Index>(), any::<u8>()), 0..most)
}

fn change(bytes: &mut [u8], changes: Vec<(Index, u8)>) {
    for (place, value) in changes {
        if !bytes.is_empty() {
            bytes[place.index(bytes.len())] = value;
        }
    }
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(strategy, |value| {
        test(value);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

pub(crate) fn damaged_slices_are_survived(bytes: &[u8]) {
    let [types, all_strings] = sections(bytes);
    let slice = (any::<Index>(), 0usize..8192, damage(8), any::<Index>());
    run(256, &slice, |(at, len, changes, names)| {
        // Records begin at words; most slices begin within one, which is damage too.
        let at = at.index(types.len()) & !3;
        let mut slice = types[at..].iter().copied().take(len).collect::<Vec<u8>>();
        change(&mut slice, changes);
        // A few of the strings, the rest of the names being outside of them.
        let names = names.index(all_strings.len() - 4096);
        let strings = [&[0], &all_strings[names..names + 4096], &[0]].concat();
        let slice = blob(&slice, &strings);
        ask_everything(&slice, "comm");
        ask_split(bytes, &slice, "comm");
    });
}

/// Of the whole: bytes changed, and either section cut short.
pub(crate) fn damage_anywhere_is_survived(bytes: &[u8]) {
    let cut = || prop::option::of(any::<Index>());
    run(16, &(damage(64), cut(), cut()), |(changes, types_end, strings_end)| {
        let [types, strings] = sections(bytes);
        let end = |of: &[u8], end: Option<Index>| end.map_or(of.len(), |end| end.index(of.len()));
        let strings = [&strings[..end(strings, strings_end)], &[0]].concat();
        let mut copy = blob(&types[..end(types, types_end)], &strings);
        change(&mut copy, changes);
        ask_everything(&copy, "comm");
        // And with a header that promises more.
        copy.pop();
        ask_everything(&copy, "comm");
    });
}
