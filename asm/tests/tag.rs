//! Tags that kernels gave: the SHA-256 ones are what Linux 6.18 answered for the same bytes, in `tag` of `struct
//! bpf_prog_info`; the SHA-1 one of the first program is known from older kernels.

use kwalk_asm::Reg::*;
use kwalk_asm::{Assembler, Endian, Insn, Reloc, TagHash, Wide, program_tag};

/// What comes before `r0 = 0; exit`, its tag in new kernels, its tag in old ones.
type Vector = (fn(&mut Assembler), &'static str, &'static str);

const VECTORS: &[Vector] = &[
    (|_| (), "59f4a931744dcdc6", "a04f5eef06a7f555"),
    (|a| a.load_reloc(R1, Reloc::Map(3)), "0bd0168676c7c779", "2c24d7c519a868e3"),
    // The offset in the value doesn't count.
    (|a| a.load_reloc(R1, Reloc::MapValue { index: 3, offset: 4 }), "28813e616f1f93d1", "e76de9ef2eb663cb"),
    (|a| a.load_imm64(R1, 0x4_0000_0007), "1e30a6a8000f3a9f", "8d5cbcb6c48350a8"),
    (
        |a| {
            a.emit(Insn::CallLocal { offset: 1 });
            a.exit();
        },
        "7ed397078be9b1e7",
        "5a737521f223c716",
    ),
];

fn hex(tag: [u8; 8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn end(mut a: Assembler) -> kwalk_asm::Code {
    a.mov(R0, 0);
    a.exit();
    a.finish().unwrap()
}

#[test]
fn tags_are_those_of_the_kernel() {
    for &(write, new, old) in VECTORS {
        let mut a = Assembler::new();
        write(&mut a);
        let code = end(a);
        assert_eq!(hex(code.tag(Endian::Little, TagHash::Sha256)), new);
        assert_eq!(hex(code.tag(Endian::Little, TagHash::Sha1)), old);
        // Descriptors don't count.
        let bytes = code.encode(Endian::Little, |_| 17);
        assert_eq!(hex(program_tag(&bytes, Endian::Little, TagHash::Sha256)), new);
    }
}

#[test]
fn maps_by_index_count() {
    let by_index = [
        (Wide::MapIdx(0), "6de516f40cf25b2c"),
        (Wide::MapIdx(1), "a21f8a2c54979fac"),
        (Wide::MapIdxValue { index: 1, offset: 4 }, "dcb84a73cf0accf2"),
    ];
    for (value, tag) in by_index {
        let mut bytes = Vec::new();
        Insn::LoadWide { dst: R1, value }.encode(Endian::Little, &mut bytes);
        bytes.extend(end(Assembler::new()).encode(Endian::Little, |_| 0));
        assert_eq!(hex(program_tag(&bytes, Endian::Little, TagHash::Sha256)), tag);
    }
}

#[test]
fn a_map_is_found_in_either_order() {
    let tag = |fd, endian| {
        let mut a = Assembler::new();
        a.load_reloc(R1, Reloc::MapValue { index: 0, offset: 4 });
        program_tag(&end(a).encode(endian, |_| fd), endian, TagHash::Sha256)
    };
    assert_eq!(tag(1, Endian::Big), tag(2, Endian::Big));
    assert_ne!(tag(1, Endian::Big), tag(1, Endian::Little));
}

#[test]
fn kernels_changed_their_hash() {
    assert_eq!(TagHash::linux(6, 17), TagHash::Sha1);
    assert_eq!(TagHash::linux(6, 18), TagHash::Sha256);
    assert_eq!(TagHash::linux(7, 0), TagHash::Sha256);
    assert_eq!(TagHash::linux(5, 19), TagHash::Sha1);
}
