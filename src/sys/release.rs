//! Which kernel is running, and how it counts memory.

use nix::sys::utsname::uname;

/// The running kernel's version, major and minor, as it says itself; `None` if it says something else.
///
/// Distributions take over what is newer: where a feature can be asked for, that tells more.
pub fn release() -> Option<(u16, u16)> {
    let name = uname().ok()?;
    let mut numbers = name.release().to_str()?.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Bytes of a page.
pub fn page_size() -> u64 {
    // SAFETY: it takes a number and gives one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}
