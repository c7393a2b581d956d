//! Which kernel is running.

use nix::sys::utsname::uname;

/// The running kernel's version, major and minor, as it says itself; `None` if it says something else.
///
/// Distributions take over what is newer: where a feature can be asked for, that tells more.
pub fn release() -> Option<(u16, u16)> {
    let name = uname().ok()?;
    let mut numbers = name.release().to_str()?.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
