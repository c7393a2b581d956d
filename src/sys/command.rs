//! What a command of `bpf(2)` is, the patterns that commands share, and the function that issues them.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Caps, Error, Result, Returned, raise_memlock};

/// A command of `bpf(2)`: its number, its attribute, its result. Issue it with [`bpf`].
///
/// # Safety
///
/// - `Attr` lays out the fields of `union bpf_attr` that `CMD` reads or writes, from its start on.
/// - Each address that [`attr`](Command::attr) puts there is 0, or leads into memory that `self` owns or borrows; where
///   the kernel writes, exclusively so, and as much of it as the kernel may write. The memory is not moved and not used
///   until [`output`](Command::output).
/// - `Returned` is a type of descriptor if and only if the command returns a new descriptor, and one of this type.
pub unsafe trait Command: Sized {
    /// The number in `enum bpf_cmd`.
    const CMD: c_int;
    /// The name in `enum bpf_cmd`, for errors.
    const NAME: &'static str;
    /// The kernel that first has the command, as major and minor, if that is younger than the kernel's own BTF (5.4).
    ///
    /// Source: `enum bpf_cmd` of include/uapi/linux/bpf.h, release by release.
    const SINCE: Option<(u16, u16)> = None;
    /// Kernels before 5.11 charge what the command allocates against `RLIMIT_MEMLOCK`, and answer `EPERM` above it.
    const CHARGES_MEMLOCK: bool = false;
    /// `EAGAIN` means that a signal interrupted the command, and that it had no effect.
    const AGAIN_ON_SIGNAL: bool = false;
    /// The attribute. No padding and no invalid bits: the kernel reads and writes it byte by byte.
    type Attr: FromBytes + IntoBytes + Immutable + KnownLayout;
    /// The type of the system call's return value.
    type Returned: Returned;
    /// The result for the caller.
    type Output;

    /// The attribute; or an [`Error`] for inputs that the kernel can't check.
    fn attr(&mut self) -> Result<Self::Attr>;

    /// The length of the log that the kernel has written to the attribute, in bytes; 0 if it has not.
    fn log_true_size(_: &Self::Attr) -> u32 {
        0
    }

    /// The result, from the return value and from what the kernel wrote to the attribute and to the lent memory.
    fn output(self, returned: Self::Returned, attr: &Self::Attr) -> Result<Self::Output>;
}

/// The items of a [`Command`] whose output is the system call's return value: `()` or a new descriptor. `since` is the
/// kernel that first has the command.
macro_rules! command {
    ($number:literal $name:literal, $attr:ty => $output:ty $(, since $since:expr)?) => {
        const CMD: std::ffi::c_int = $number;
        const NAME: &'static str = $name;
        $(const SINCE: Option<(u16, u16)> = Some($since);)?
        type Attr = $attr;
        type Returned = $output;
        type Output = $output;

        fn output(self, returned: $output, _: &$attr) -> Result<$output> {
            Ok(returned)
        }
    };
}
pub(super) use command;

/// Issues a command.
///
/// Two refusals are retried for all commands: a signal during a verification, and a locked-memory limit that this
/// process may raise.
///
/// # Errors
///
/// The command that the kernel refused and its error number, or inputs that don't fit together (as `EINVAL`, with the
/// detail in words).
pub fn bpf<C: Command>(mut command: C) -> Result<C::Output> {
    // Bounded, so that a caller with a busy timer gets the error.
    let mut again = if C::AGAIN_ON_SIGNAL { 5 } else { 0 };
    let mut may_raise = C::CHARGES_MEMLOCK;
    let mut attr = command.attr()?;
    let value = loop {
        match call::<C>(&mut attr) {
            Err(libc::EAGAIN) if again > 0 => again -= 1,
            Err(libc::EPERM) if may_raise && may_load() && raise_memlock().unwrap_or(false) => {
                may_raise = false;
            }
            Err(errno) => return Err(refused::<C>(errno, &attr)),
            Ok(value) => break value,
        }
    };
    // SAFETY: the value is what this command has just returned, and `Command` promises that it is a `Returned`.
    let returned = unsafe { C::Returned::from_value(value) }.map_err(|e| Error::from_io(C::NAME, &e))?;
    command.output(returned, &attr)
}

fn refused<C: Command>(errno: i32, attr: &C::Attr) -> Error {
    Error::refused(C::NAME, errno, C::SINCE, C::log_true_size(attr))
}

/// Whether this process has the privileges to load programs, so that `EPERM` has another cause.
fn may_load() -> bool {
    Caps::effective().is_ok_and(|caps| (Caps::BPF | Caps::PERFMON).missing_from(caps).is_empty())
}

fn call<C: Command>(attr: &mut C::Attr) -> std::result::Result<RawFd, i32> {
    let size = size_of::<C::Attr>();
    // SAFETY: the attribute is `size` bytes, initialized (IntoBytes), ours to be written, and valid whatever is written
    // (FromBytes). The addresses in it are valid for this command, as `Command` promises.
    let value = unsafe { libc::syscall(libc::SYS_bpf, C::CMD as c_long, &raw mut *attr, size) };
    match RawFd::try_from(value) {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// The address of memory that the kernel reads; 0 for an empty slice, which some commands require.
pub(super) fn address<T>(memory: &[T]) -> u64 {
    if memory.is_empty() { 0 } else { memory.as_ptr().expose_provenance() as u64 }
}

/// The address of memory that the kernel writes.
pub(super) fn address_mut<T>(memory: &mut [T]) -> u64 {
    if memory.is_empty() { 0 } else { memory.as_mut_ptr().expose_provenance() as u64 }
}

/// The address of memory that the kernel reads, and its length in items.
pub(super) fn slice<T>(call: &'static str, memory: &[T]) -> Result<(u64, u32)> {
    Ok((address(memory), count(call, memory)?))
}

/// The address of memory that the kernel writes, and its length in items.
pub(super) fn slice_mut<T: FromBytes + IntoBytes>(
    call: &'static str,
    memory: &mut [T],
) -> Result<(u64, u32)> {
    Ok((address_mut(memory), count(call, memory)?))
}

/// The number of a descriptor, for `bpf_attr`.
pub(super) fn raw(fd: &impl AsRawFd) -> u32 {
    fd.as_raw_fd() as u32
}

/// A length in items, for which `bpf_attr` has 32 bits.
fn count<T>(call: &'static str, memory: &[T]) -> Result<u32> {
    u32::try_from(memory.len())
        .map_err(|_| Error::misuse(call, format!("{} items are too many", memory.len())))
}

/// Text that the kernel wrote to a buffer: up to the NUL.
pub(super) fn text(buf: &[u8]) -> String {
    let text = buf.split(|&b| b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Declares a struct that the kernel reads or writes. Compiles only if the size and the fields' offsets are those
/// given, which are the uapi's.
macro_rules! wire {
    ($(#[$doc:meta])* $vis:vis $name:ident: $size:literal { $($offset:literal $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[doc(hidden)]
        #[repr(C)]
        #[derive(Debug, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)]
        $vis struct $name {
            $($field: $type),*
        }

        const _: () = {
            assert!(size_of::<$name>() == $size);
            $(assert!(std::mem::offset_of!($name, $field) == $offset);)*
        };
    };
}
pub(super) use wire;

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use crate::sys::object::{GetFdById, GetNextId};
    use crate::sys::{IterCreate, LinkCreate, LinkFd, LinkUpdate, ObjGet, ProgBindMap, ProgRun};

    use super::*;

    #[test]
    fn a_command_that_the_kernel_is_too_old_for_says_since_when() {
        fn since<C: Command>(errno: i32, release: Option<(u16, u16)>) -> Option<(u16, u16)> {
            refused::<C>(errno, &C::Attr::new_zeroed()).since_on(release)
        }
        assert_eq!(since::<IterCreate<'_>>(libc::EINVAL, Some((5, 7))), Some((5, 8)));
        assert_eq!(since::<GetNextId<LinkFd>>(libc::EINVAL, Some((4, 19))), Some((5, 8)));
        assert_eq!(since::<GetFdById<LinkFd>>(libc::EINVAL, Some((4, 19))), Some((5, 8)));
        assert_eq!(since::<LinkCreate<'_>>(libc::EINVAL, Some((5, 4))), Some((5, 7)));
        assert_eq!(since::<LinkUpdate<'_>>(libc::EINVAL, Some((5, 4))), Some((5, 7)));
        assert_eq!(since::<ProgBindMap<'_>>(libc::EINVAL, Some((5, 9))), Some((5, 10)));
        assert_eq!(since::<ProgRun<'_>>(libc::EINVAL, Some((5, 10))), Some((5, 14)));
        // Any other reason is not about that.
        assert_eq!(since::<IterCreate<'_>>(libc::EINVAL, Some((5, 8))), None);
        assert_eq!(since::<IterCreate<'_>>(libc::EINVAL, None), None);
        assert_eq!(since::<IterCreate<'_>>(libc::EBADF, Some((5, 7))), None);
        assert_eq!(since::<ObjGet<'_>>(libc::EINVAL, Some((4, 3))), None);
    }
}
