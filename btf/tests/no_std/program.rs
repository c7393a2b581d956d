//! Writes types and reads them again, without std: this builds only if kwalk-btf and what it depends on don't need it. Of
//! C, it has the start and the memory.

#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use kwalk_btf::{Btf, Int, Kind, Member, Writer};

#[link(name = "c")]
unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn free(memory: *mut u8);
}

struct C;

// SAFETY: malloc aligns to 16 bytes, and nothing here asks for more.
unsafe impl GlobalAlloc for C {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size will do.
        unsafe { malloc(layout.size()) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        // SAFETY: `memory` is from `alloc`.
        unsafe { free(memory) }
    }
}

#[global_allocator]
static MEMORY: C = C;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// What the libraries that come with the compiler name in case they unwind, which nothing here does.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {}

fn check() -> Option<bool> {
    let mut w = Writer::new();
    let int = w.int("int", 4, Int::new(32)).ok()?;
    let member = Member { name: "pid", type_id: int, bit_offset: 64, bitfield_width: 0 };
    w.struct_("task", 16, &[member]).ok()?;
    let bytes = w.finish();
    let btf = Btf::new(&bytes).ok()?;
    let task = btf.find(Kind::Struct, "task").ok()?;
    Some(btf.path(task, "pid").ok()?.field.offset == 8 && btf.path(task, "pd").is_err())
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    if check() == Some(true) { 0 } else { 1 }
}
