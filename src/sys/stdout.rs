//! Whether standard output was open when the process started.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set before `main`.
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the process started.
///
/// Before `main`, `std` opens `/dev/null` in its place. Afterwards nothing tells that what is written there is lost, and
/// not discarded as somebody wants it.
pub fn stdout_was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

extern "C" fn look() {
    // SAFETY: fcntl takes two numbers and returns one; no memory is involved.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}

// SAFETY: the C library calls the functions in this section before `main`, and so before `std` looks at the descriptors.
// `look` needs nothing that `std` sets up.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;
