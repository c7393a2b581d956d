//! Numbers as text, added to a buffer.

use std::io::Write;
use std::net::IpAddr;

use super::Symbols;
use super::append::append;
use crate::select::Stack;

/// In decimal.
pub(super) fn decimal(value: impl itoa::Integer, out: &mut Vec<u8>) {
    append(itoa::Buffer::new().format(value).as_bytes(), out);
}

/// In hexadecimal, `0x` before it.
pub(super) fn hex(value: u64, out: &mut Vec<u8>) {
    // A vector takes all that is written to it.
    let _ = write!(out, "{value:#x}");
}

/// An IP address.
pub(super) fn ip(value: IpAddr, out: &mut Vec<u8>) {
    match value {
        // The library formats it with a dozen calls, which took half of what a socket takes to print.
        IpAddr::V4(value) => {
            for (nth, octet) in value.octets().into_iter().enumerate() {
                if nth > 0 {
                    out.push(b'.');
                }
                decimal(octet, out);
            }
        }
        // A vector takes all that is written to it.
        IpAddr::V6(value) => drop(write!(out, "{value}")),
    }
}

/// Bytes in hexadecimal, two digits each.
pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'?');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// The addresses of a stack, with `between` between them.
pub(super) fn stack(stack: Stack<'_>, symbols: &Symbols, between: &[u8], out: &mut Vec<u8>) {
    for (nth, address) in stack.addresses().enumerate() {
        out.extend_from_slice(if nth > 0 { between } else { b"" });
        symbols(address, out);
    }
}
