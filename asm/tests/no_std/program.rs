//! Assembles a program and decodes it again, without std: this builds only if kwalk-asm and what it depends on don't
//! need it. Of C, it has the start and the copying of memory.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use kwalk_asm::Reg::*;
use kwalk_asm::{Assembler, Endian, Insn};

#[link(name = "c")]
unsafe extern "C" {}

const SIZE: usize = 1 << 16;

/// Memory that is handed out once.
struct Arena {
    used: AtomicUsize,
    memory: Memory,
}

#[repr(align(16))]
struct Memory(core::cell::UnsafeCell<[u8; SIZE]>);

// SAFETY: bytes are handed out once, by one addition each.
unsafe impl Sync for Memory {}

// SAFETY: what is returned is within `memory`, as aligned as asked for (up to 16), and no one else's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let begin = self.used.fetch_add(layout.size().next_multiple_of(16), Ordering::Relaxed);
        if begin + layout.size() > SIZE || layout.align() > 16 {
            return ptr::null_mut();
        }
        // SAFETY: `begin` is within the memory.
        unsafe { self.memory.0.get().cast::<u8>().add(begin) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ARENA: Arena =
    Arena { used: AtomicUsize::new(0), memory: Memory(core::cell::UnsafeCell::new([0; SIZE])) };

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// What the libraries that come with the compiler name in case they unwind, which nothing here does.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {}

fn check() -> bool {
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

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    if check() { 0 } else { 1 }
}
