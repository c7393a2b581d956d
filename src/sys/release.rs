//! The running kernel's version and page size.

use nix::sys::utsname::uname;

/// The running kernel's version, major and minor, from uname(2); `None` if it has another form.
///
/// Distributions port features back: to probe for a feature is more reliable, if that is possible.
pub fn release() -> Option<(u16, u16)> {
    let name = uname().ok()?;
    let mut numbers = name.release().to_str()?.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The size of a page, in bytes.
pub fn page_size() -> u64 {
    // SAFETY: sysconf takes a number and returns one; no memory is involved.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}
