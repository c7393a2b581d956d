//! What a command of `bpf(2)` is, and the one place that issues it.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Caps, Error, Result, fd, raise_memlock};

/// A command of `bpf(2)`: its number, its attribute, its result. Issue it with [`bpf`].
///
/// # Safety
///
/// - `Attr` lays out the fields of `union bpf_attr` that `CMD` reads or writes, from its start on.
/// - Each address that [`attr`](Command::attr) puts there is 0, or leads into memory that `self` owns or borrows; where
///   the kernel writes, exclusively so, and as much of it as the kernel may write. It stays in place, untouched, until
///   [`output`](Command::output).
/// - `Returned` is [`OwnedFd`] if and only if the command returns a new file descriptor.
pub unsafe trait Command: Sized {
    /// The number in `enum bpf_cmd`.
    const CMD: c_int;
    /// The name in `enum bpf_cmd`, for errors.
    const NAME: &'static str;
    /// Kernels before 5.11 charge what the command allocates against `RLIMIT_MEMLOCK`, and answer `EPERM` above it.
    const CHARGES_MEMLOCK: bool = false;
    /// `EAGAIN` means that a signal came in between, and that nothing was done.
    const AGAIN_ON_SIGNAL: bool = false;
    /// The attribute. No padding and no invalid bits: the kernel reads and writes it byte by byte.
    type Attr: FromBytes + IntoBytes + Immutable + KnownLayout;
    /// What the system call's return value means.
    type Returned: Returned;
    /// What the caller gets.
    type Output;

    /// The attribute that makes the kernel do it; or an [`Error`] for inputs that the kernel can't check.
    fn attr(&mut self) -> Result<Self::Attr>;

    /// What the kernel says of the length of its log, in bytes; 0 if it doesn't.
    fn log_true_size(_: &Self::Attr) -> u32 {
        0
    }

    /// The result, from the return value and from what the kernel wrote to the attribute and to the lent memory.
    fn output(self, returned: Self::Returned, attr: &Self::Attr) -> Result<Self::Output>;
}

/// What a [`Command`] says that has nothing to give back but that it was done.
macro_rules! no_output {
    () => {
        type Returned = ();
        type Output = ();

        fn output(self, (): (), _: &Self::Attr) -> Result<()> {
            Ok(())
        }
    };
}
pub(super) use no_output;

/// The meaning of a return value that is no error.
pub trait Returned: Sized {
    /// Takes over what the kernel returned.
    ///
    /// # Safety
    ///
    /// `value` comes from a system call that returns a `Self`, and is used nowhere else.
    unsafe fn from_value(value: RawFd) -> io::Result<Self>;
}

impl Returned for () {
    unsafe fn from_value(_: RawFd) -> io::Result<()> {
        Ok(())
    }
}

impl Returned for OwnedFd {
    unsafe fn from_value(value: RawFd) -> io::Result<OwnedFd> {
        // SAFETY: the caller hands over a descriptor that is new, hence open and ours alone.
        fd::above_stdio(unsafe { OwnedFd::from_raw_fd(value) })
    }
}

/// Issues a command.
///
/// Two refusals are not final, and are handled here for all commands: a signal in the middle of a verification, and a
/// locked-memory limit that this process may raise.
///
/// # Errors
///
/// What the kernel refused and why, or inputs that don't fit together (as `EINVAL`, with the detail in words).
pub fn bpf<C: Command>(mut command: C) -> Result<C::Output> {
    // A caller with a busy timer should see the error at some point.
    let mut again = if C::AGAIN_ON_SIGNAL { 5 } else { 0 };
    let mut may_raise = C::CHARGES_MEMLOCK;
    let mut attr = command.attr()?;
    let value = loop {
        match call::<C>(&mut attr) {
            Err(libc::EAGAIN) if again > 0 => again -= 1,
            Err(libc::EPERM) if may_raise && may_load() && raise_memlock().unwrap_or(false) => {
                may_raise = false;
            }
            Err(errno) => return Err(Error::refused(C::NAME, errno, C::log_true_size(&attr))),
            Ok(value) => break value,
        }
    };
    // SAFETY: the value is what this command has just returned, and `Command` promises that `Returned` tells its meaning.
    let returned = unsafe { C::Returned::from_value(value) }.map_err(|e| Error::from_io(C::NAME, &e))?;
    command.output(returned, &attr)
}

/// Whether `EPERM` can't have come from a lack of privilege.
fn may_load() -> bool {
    Caps::effective().is_ok_and(|caps| (Caps::BPF | Caps::PERFMON).missing_from(caps).is_empty())
}

fn call<C: Command>(attr: &mut C::Attr) -> std::result::Result<RawFd, i32> {
    let size = size_of::<C::Attr>();
    // SAFETY: the attribute is `size` bytes, initialized (IntoBytes), ours to be written, and valid whatever is written
    // (FromBytes). The addresses in it are good for what this command does with them, as `Command` promises.
    let value = unsafe { libc::syscall(libc::SYS_bpf, C::CMD as c_long, &raw mut *attr, size) };
    match RawFd::try_from(value) {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// The address of memory lent to the kernel, as `bpf_attr` wants it; 0 for an empty slice, which some commands insist on.
pub(super) fn address<T>(memory: &[T]) -> u64 {
    if memory.is_empty() { 0 } else { memory.as_ptr().expose_provenance() as u64 }
}

/// The same for memory that the kernel writes to.
pub(super) fn address_mut<T>(memory: &mut [T]) -> u64 {
    if memory.is_empty() { 0 } else { memory.as_mut_ptr().expose_provenance() as u64 }
}

/// A length or count, which `bpf_attr` holds in 32 bits.
pub(super) fn count<T>(call: &'static str, memory: &[T]) -> Result<u32> {
    u32::try_from(memory.len())
        .map_err(|_| Error::misuse(call, format!("{} items are too many", memory.len())))
}

/// Holds a struct against the uapi: its size, and where each field lies.
macro_rules! layout {
    ($type:ty: $size:literal $(, $field:ident @ $offset:literal)* $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            $(assert!(std::mem::offset_of!($type, $field) == $offset);)*
        };
    };
}
pub(super) use layout;
