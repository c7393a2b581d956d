//! Formats numbers, addresses and quantities, for all output formats.

use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

use kwalk_query::{DateTime, Stack};

use super::format::{Symbols, append};

/// Appends a decimal number.
pub(super) fn decimal(value: impl itoa::Integer, out: &mut Vec<u8>) {
    append(itoa::Buffer::new().format(value).as_bytes(), out);
}

/// Appends a hexadecimal number with `0x`.
pub(super) fn hex(value: u64, out: &mut Vec<u8>) {
    // Writing to a vector never fails.
    let _ = write!(out, "{value:#x}");
}

/// Appends an IP address.
pub(super) fn ip(value: IpAddr, out: &mut Vec<u8>) {
    match value {
        // The standard library takes a dozen calls for this, half of the time to print a socket.
        IpAddr::V4(value) => {
            for (nth, octet) in value.octets().into_iter().enumerate() {
                if nth > 0 {
                    out.push(b'.');
                }
                decimal(octet, out);
            }
        }
        // Writing to a vector never fails.
        IpAddr::V6(value) => drop(write!(out, "{value}")),
    }
}

/// Appends a link-local address, after `%` with the index of its device (RFC 4007).
pub(super) fn link_local(value: Ipv6Addr, device: u32, out: &mut Vec<u8>) {
    // Writing to a vector never fails.
    let _ = write!(out, "{value}%{device}");
}

/// The two hexadecimal digits of a byte.
pub(super) fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

/// Appends bytes in hexadecimal, two digits each.
pub(super) fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().flat_map(|byte| digits(*byte)));
}

/// Appends a floating-point number: the shortest text that gives the same number, or `NaN`, `inf` or `-inf`.
pub(super) fn float(value: f64, out: &mut Vec<u8>) {
    // Writing to a vector never fails.
    let _ = write!(out, "{value:?}");
}

/// Appends the addresses of a stack, separated by `between`.
pub(super) fn stack(stack: Stack<'_>, symbols: &Symbols, between: &[u8], out: &mut Vec<u8>) {
    for (nth, address) in stack.addresses().enumerate() {
        out.extend_from_slice(if nth > 0 { between } else { b"" });
        symbols(address, out);
    }
}

/// Appends a date in UTC, as RFC 3339 has it.
pub(super) fn date(date: DateTime, out: &mut Vec<u8>) {
    // Writing to a vector never fails.
    let _ = write!(out, "{date}");
}

/// Appends a set of 64 bits in 16 hexadecimal digits.
pub(super) fn bits(bits: u64, out: &mut Vec<u8>) {
    out.extend(bits.to_be_bytes().into_iter().flat_map(digits));
}

/// A duration in nanoseconds, displayed as `417ns`, `12.3ms`, `1.234s`, `12m03s`, `5h02m` or `3d04h`. Smaller units are
/// cut off.
pub(super) struct Duration(pub(super) u64);

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let nanos = self.0;
        let (seconds, minutes) = (nanos / 1_000_000_000, nanos / 60_000_000_000);
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}.{}us", nanos / 1_000, nanos / 100 % 10),
            1_000_000..1_000_000_000 => write!(f, "{}.{}ms", nanos / 1_000_000, nanos / 100_000 % 10),
            _ if seconds < 60 => write!(f, "{seconds}.{:03}s", nanos / 1_000_000 % 1_000),
            _ if minutes < 60 => write!(f, "{minutes}m{:02}s", seconds % 60),
            _ if minutes < 24 * 60 => write!(f, "{}h{:02}m", minutes / 60, minutes % 60),
            _ => write!(f, "{}d{:02}h", minutes / (24 * 60), minutes / 60 % 24),
        }
    }
}

/// A size in bytes, displayed as by `ls -h`: `512`, `4.0K`, `12M`.
pub(super) struct Size(pub(super) u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut units = ["", "K", "M", "G", "T", "P"].into_iter();
        let (mut unit, mut tenths) = (units.next().unwrap_or_default(), u128::from(self.0) * 10);
        for next in units {
            // Above this, rounding would give 1024K.
            if tenths < 10_235 {
                break;
            }
            (unit, tenths) = (next, tenths.div_ceil(1024));
        }
        match tenths {
            _ if unit.is_empty() => write!(f, "{}", self.0),
            0..100 => write!(f, "{}.{}{unit}", tenths / 10, tenths % 10),
            _ => write!(f, "{}{unit}", tenths.div_ceil(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let second = 1_000_000_000;
        for (nanos, shown) in [
            (0, "0s"),
            (999, "999ns"),
            (1_250, "1.2us"),
            (12_345_678, "12.3ms"),
            (999_999_999, "999.9ms"),
            (1_234_567_890, "1.234s"),
            (60 * second - 1, "59.999s"),
            (723 * second, "12m03s"),
            (3_600 * second - 1, "59m59s"),
            (18_120 * second, "5h02m"),
            (86_400 * second, "1d00h"),
            (76 * 3_600 * second, "3d04h"),
            (u64::MAX, "213503d23h"),
        ] {
            assert_eq!(Duration(nanos).to_string(), shown);
        }
    }

    #[test]
    fn sizes() {
        for (bytes, shown) in [
            (0, "0"),
            (1_023, "1023"),
            (1_024, "1.0K"),
            (4_096, "4.0K"),
            (10_240, "10K"),
            (10_241, "11K"),
            (1_048_575, "1.0M"),
            (1_258_291, "1.2M"),
            (u64::MAX, "16384P"),
        ] {
            assert_eq!(Size(bytes).to_string(), shown);
        }
    }
}
