//! The values of columns, and how their bytes in a row are decoded.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::net::{IpAddr, Ipv6Addr};

/// The type of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Integers.
    Int {
        /// Whether they are signed.
        signed: bool,
    },
    /// Of a `bool`.
    Bool,
    /// Values of an enum, with their names.
    Enum {
        /// Whether they are signed.
        signed: bool,
        /// The values and their names.
        names: Vec<(i128, String)>,
    },
    /// Texts.
    Text,
    /// Kernel addresses.
    Pointer,
    /// IP addresses.
    Ip,
    /// The addresses of stacks.
    Stack,
    /// Bytes from a map, of an unknown type.
    Bytes,
    /// Floating-point numbers, of 4 or 8 bytes.
    Float,
    /// Lists of texts.
    Texts,
    /// Lists of values of one type.
    List {
        /// The type of the values; no list itself.
        of: Box<Type>,
        /// The offset of the first value, in bytes.
        offset: usize,
        /// The size of a value, in bytes.
        size: usize,
        /// The distance from one value to the next, in bytes.
        stride: usize,
    },
}

/// A value, borrowed from its row.
///
/// Not `non_exhaustive`: code that shows or stores values must handle a new kind before it compiles again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value: a pointer on the path was NULL, or a divisor 0.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A `bool`.
    Bool(bool),
    /// A text: any bytes but NUL.
    Text(&'a [u8]),
    /// A value of an enum.
    Enum {
        /// The value.
        value: i128,
        /// Its name, if the enum has one for it.
        name: Option<&'a str>,
    },
    /// A kernel address.
    Pointer(u64),
    /// An IP address.
    Ip(IpAddr),
    /// A link-local IPv6 address, and the index of the network device that it belongs to.
    LinkLocal(Ipv6Addr, u32),
    /// The kernel stack of a task.
    Stack(Stack<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A floating-point number.
    Float(f64),
    /// A list of texts.
    Texts(Texts<'a>),
    /// The values of a per-CPU map's element, in the order of the CPUs.
    List(List<'a>),
}

/// A list of texts: the arguments of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    /// The list in these bytes, in which each text is followed by a NUL; the last one need not be.
    ///
    /// ```
    /// use kwalk_query::Texts;
    ///
    /// let texts = Texts::new(b"sh\0-c\0\0echo hi\0");
    /// assert_eq!(texts.iter().collect::<Vec<_>>(), [&b"sh"[..], b"-c", b"", b"echo hi"]);
    /// assert!(texts.joined().eq(*b"sh -c  echo hi"));
    /// assert!(Texts::new(b"a title\0\0\0").joined().eq(*b"a title"));
    /// ```
    pub fn new(bytes: &'a [u8]) -> Texts<'a> {
        Texts(bytes.strip_suffix(&[0]).unwrap_or(bytes))
    }

    /// The texts, in their order: any bytes but NUL.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.split(|byte| *byte == 0)
    }

    /// The bytes of all texts, with a space between each and the next, without the empty texts at the end: a process that
    /// sets a shorter title fills the place of its arguments up with NULs, and `ps` doesn't show these.
    pub fn joined(&self) -> impl ExactSizeIterator<Item = u8> + Clone + use<'a> {
        let end = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = self.0.get(..end).unwrap_or_default();
        text.iter().map(|byte| if *byte == 0 { b' ' } else { *byte })
    }
}

/// A list of values of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    bytes: &'a [u8],
    ty: &'a Type,
}

impl<'a> List<'a> {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let Type::List { of, offset, size, stride } = self.ty else {
            return ListValues { bytes: &[], of: &Type::Bytes, size: 0, stride: 1 };
        };
        ListValues {
            bytes: self.bytes.get(*offset..).unwrap_or_default(),
            of,
            size: *size,
            stride: (*stride).max(1),
        }
    }
}

struct ListValues<'a> {
    bytes: &'a [u8],
    of: &'a Type,
    size: usize,
    stride: usize,
}

impl<'a> Iterator for ListValues<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let value = self.bytes.get(..self.size)?;
        self.bytes = self.bytes.get(self.stride..).unwrap_or_default();
        Some(self.of.value(value))
    }
}

/// The kernel addresses of a stack, the innermost function first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a>(&'a [u8]);

impl<'a> Stack<'a> {
    /// The addresses.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.0.chunks_exact(8).map(|bytes| bytes.try_into().map_or(0, u64::from_ne_bytes))
    }
}

impl Value<'_> {
    /// Compares two values of one column: numbers (NaN after all others), addresses and enum values as numbers, texts byte
    /// by byte, lists of texts text by text, false before true, IPv4 before IPv6 addresses, the same link-local ones by
    /// their devices.
    pub fn order(&self, other: &Value<'_>) -> Ordering {
        let number = |value: &Value<'_>| match *value {
            Value::Int(value) => Some(value.into()),
            Value::Uint(value) | Value::Pointer(value) => Some(value.into()),
            Value::Bool(value) => Some(value.into()),
            Value::Enum { value, .. } => Some(value),
            Value::Null
            | Value::Text(_)
            | Value::Ip(_)
            | Value::LinkLocal(..)
            | Value::Stack(_)
            | Value::Bytes(_)
            | Value::Float(_)
            | Value::Texts(_)
            | Value::List(_) => None,
        };
        let ip = |value: &Value<'_>| match *value {
            Value::Ip(ip) => Some((ip, 0)),
            Value::LinkLocal(ip, device) => Some((ip.into(), device)),
            _ => None,
        };
        match (self, other) {
            (Value::Text(left), Value::Text(right)) | (Value::Bytes(left), Value::Bytes(right)) => {
                left.cmp(right)
            }
            (Value::Stack(Stack(left)), Value::Stack(Stack(right))) => left.cmp(right),
            (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
            (Value::Texts(left), Value::Texts(right)) => left.iter().cmp(right.iter()),
            (Value::List(left), Value::List(right)) => left.bytes.cmp(right.bytes),
            _ => (number(self), ip(self)).cmp(&(number(other), ip(other))),
        }
    }
}

impl Type {
    pub(crate) fn value<'a>(&'a self, bytes: &'a [u8]) -> Value<'a> {
        match self {
            Type::Ip => return ip(bytes).unwrap_or(Value::Null),
            Type::Stack => return Value::Stack(Stack(bytes)),
            Type::Bytes => return Value::Bytes(bytes),
            Type::Float => return float(bytes).map_or(Value::Null, Value::Float),
            Type::Texts => return Value::Texts(Texts::new(bytes)),
            Type::List { .. } => return Value::List(List { bytes, ty: self }),
            _ => {}
        }
        let Some((unsigned, signed)) = number(bytes).filter(|_| *self != Type::Text) else {
            let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            return if *self == Type::Text { Value::Text(text) } else { Value::Null };
        };
        match self {
            Type::Int { signed: true } => Value::Int(signed),
            Type::Int { signed: false } => Value::Uint(unsigned),
            Type::Bool => Value::Bool(unsigned != 0),
            Type::Enum { signed: with_sign, names } => {
                let value = if *with_sign { signed.into() } else { unsigned.into() };
                let name = names.iter().find(|(known, _)| *known == value);
                Value::Enum { value, name: name.map(|(_, name)| name.as_str()) }
            }
            Type::Pointer => Value::Pointer(unsigned),
            Type::Text
            | Type::Ip
            | Type::Stack
            | Type::Bytes
            | Type::Float
            | Type::Texts
            | Type::List { .. } => Value::Null,
        }
    }
}

/// Decodes an IP address of 4 or 16 bytes, or a family in 4 bytes and an address after it, perhaps with the index of its
/// device in 4 bytes between them.
pub(crate) fn ip(bytes: &[u8]) -> Option<Value<'static>> {
    const AF_INET: u32 = 2;
    const AF_INET6: u32 = 10;
    let v4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    let Some((family, rest)) = bytes.split_first_chunk().filter(|(_, rest)| rest.len() >= 16) else {
        return v4(bytes).or_else(|| v6(bytes)).map(Value::Ip);
    };
    let (device, address) = rest.split_at_checked(rest.len() - 16)?;
    let device = device.first_chunk().map_or(0, |device| u32::from_ne_bytes(*device));
    match (u32::from_ne_bytes(*family), device) {
        (AF_INET, _) => v4(address.get(..4)?).map(Value::Ip),
        (AF_INET6, 1..) => v6(address).map(|ip| match ip {
            IpAddr::V6(ip) if is_link_local(ip) => Value::LinkLocal(ip, device),
            ip => Value::Ip(ip),
        }),
        (AF_INET6, 0) => v6(address).map(Value::Ip),
        _ => None,
    }
}

/// Decodes a floating-point number of 4 or 8 bytes.
fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => bytes.try_into().ok().map(|bytes| f32::from_ne_bytes(bytes).into()),
        _ => bytes.try_into().ok().map(f64::from_ne_bytes),
    }
}

/// Whether the address means something only together with a device: `fe80::/10`, and of multicast `ff01::/16` and
/// `ff02::/16` (RFC 4007).
fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.is_multicast() && matches!(ip.segments()[0] & 0xf, 1 | 2)
}

/// Decodes a number of 1, 2, 4 or 8 bytes, as unsigned and as signed.
fn number(bytes: &[u8]) -> Option<(u64, i64)> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        Some((u32::from_ne_bytes(bytes).into(), i32::from_ne_bytes(bytes).into()))
    } else if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        Some((u64::from_ne_bytes(bytes), i64::from_ne_bytes(bytes)))
    } else if let Ok(bytes) = <[u8; 2]>::try_from(bytes) {
        Some((u16::from_ne_bytes(bytes).into(), i16::from_ne_bytes(bytes).into()))
    } else if let Ok(bytes) = <[u8; 1]>::try_from(bytes) {
        Some((bytes[0].into(), i8::from_ne_bytes(bytes).into()))
    } else {
        None
    }
}
