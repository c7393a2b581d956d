//! Numbers as text, added to a buffer.

use std::io::Write;
use std::net::Ipv4Addr;

/// In decimal.
pub(super) fn decimal(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// In hexadecimal, `0x` before it.
pub(super) fn hex(value: u64, out: &mut Vec<u8>) {
    // A vector takes all that is written to it.
    let _ = write!(out, "{value:#x}");
}

/// An IPv4 address whose bytes lie in memory in the order in which they are written.
pub(super) fn ipv4(value: u64, out: &mut Vec<u8>) {
    let _ = write!(out, "{}", Ipv4Addr::from((value as u32).to_ne_bytes()));
}
