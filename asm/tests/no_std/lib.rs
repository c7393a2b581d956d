//! Assembles a program and decodes it again, without std: with a panic handler of its own, which a crate can't have that
//! has std behind it, this builds only if kwalk-asm and what it depends on don't need it.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use kwalk_asm::Reg::*;
use kwalk_asm::{Assembler, Endian, Insn};

#[cfg(feature = "alone")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Whether it comes out as it went in.
pub fn check() -> bool {
    let mut a = Assembler::new();
    let end = a.label();
    a.jump_if(R1.eq(0), end);
    a.mov(R1, 1);
    a.bind(end);
    a.exit();
    let Ok(code) = a.finish() else { return false };
    let bytes: Vec<u8> = code.encode(Endian::Little, |_| 0);
    #[cfg(feature = "tag")]
    if code.tag(Endian::Little, kwalk_asm::TagHash::Sha1) == [0; 8] {
        return false;
    }
    Insn::decode_program(&bytes, Endian::Little).as_deref() == Ok(code.insns())
}
