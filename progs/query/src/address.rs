//! Plans comparisons of IP addresses, as comparisons of their words.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::error::{Error, Reason};
use crate::expr::{Arithmetic, Compare, Expr, Node};
use crate::ir::Condition;
use crate::ir::Number;
use crate::ir::{IpPlace, Value};
use crate::place::Place;
use crate::planner::Planner;

const AF_INET: i128 = 2;
const AF_INET6: i128 = 10;

impl Planner<'_> {
    /// Tests whether an address is in a network: whether its first `bits` bits equal those of `network`.
    fn within(&self, ip: &IpPlace, network: IpAddr, bits: u32) -> Condition {
        let (place, network, bits) = match (network, &ip.family, &ip.v4, &ip.v6) {
            (IpAddr::V4(v4), Some(family), ..) => {
                let top = |address: Number| match 32 - bits {
                    0 => address,
                    below => Number::binary(Arithmetic::Shr, address, Number::constant(below.into())),
                };
                let network = top(Number::constant(v4.to_bits().into()));
                return Condition::compared(Compare::Eq, top(self.ipv4(ip, family)), network);
            }
            (IpAddr::V4(v4), None, Some(place), _) => (place, u128::from(v4.to_bits()) << 96, bits),
            // A kernel object with 16-byte addresses alone has IPv4 addresses in their IPv4-mapped form.
            (IpAddr::V4(v4), None, None, Some(place)) => (place, v4.to_ipv6_mapped().to_bits(), bits + 96),
            (IpAddr::V6(v6), _, _, Some(place)) => (place, v6.to_bits(), bits),
            // It has no address of this kind, if it has one at all.
            _ => return Condition::unless_null(self.ip_is_null(ip), false),
        };
        let mut terms = Vec::new();
        terms.extend(ip.family.as_ref().map(|family| self.is_of(family, AF_INET6)));
        let size = place.field.size.min(8);
        for from in (0..place.field.size).step_by(size as usize) {
            // The bits of the network that lie in this word, and how many of them are compared.
            let word = (network << (8 * from)) >> (128 - 8 * size);
            let bits = bits.saturating_sub(8 * from).min(8 * size);
            if bits == 0 {
                continue;
            }
            let all = (1_u128 << (8 * size)) - 1;
            let mask = all & !(all >> bits);
            let field = self.names.unsigned(place.part(from, size).big_endian());
            let number = match mask == all {
                true => field,
                false => Number::binary(Arithmetic::And, field, Number::constant(mask as i128)),
            };
            terms.push(Condition::compared(Compare::Eq, number, Number::constant((word & mask) as i128)));
        }
        match self.is_ip(ip) {
            // A socket of another family has no address: the result is unknown.
            Some(is_ip) => {
                let unknown = vec![Condition::Not(Box::new(is_ip)), Condition::Known(None)];
                Condition::Or(vec![Condition::And(terms), Condition::And(unknown)])
            }
            // A network of 0 bits contains every address; NULL stays unknown.
            None if terms.is_empty() => {
                Condition::unless_null(Condition::is_null(self.names.unsigned(place.part(0, 1))), true)
            }
            None => Condition::And(terms),
        }
    }

    /// An address as a number, if it is one of IPv4, or of IPv6 and an IPv4-mapped one: that of a connection over IPv4 to
    /// a socket for both. Any other IPv6 address is a number that no IPv4 address is; of other families it is NULL.
    fn ipv4(&self, ip: &IpPlace, family: &Place) -> Number {
        const NONE: i128 = 1 << 32;
        let part = |place: &Place, from, size| self.names.unsigned(place.part(from, size).big_endian());
        let equal = |number, value| Condition::compared(Compare::Eq, number, Number::constant(value));
        let v4 = ip.v4.as_ref().map_or(Number::constant(NONE), |place| part(place, 0, 4));
        let mut arms = vec![(self.is_of(family, AF_INET), v4)];
        if let Some(place) = &ip.v6 {
            let is_mapped = vec![
                self.is_of(family, AF_INET6),
                equal(self.names.unsigned(place.part(0, 8)), 0),
                equal(part(place, 8, 4), 0xffff),
            ];
            arms.push((Condition::And(is_mapped), part(place, 12, 4)));
        }
        arms.push((self.is_of(family, AF_INET6), Number::constant(NONE)));
        Number::case(arms, Number::null())
    }

    fn is_of(&self, family: &Place, number: i128) -> Condition {
        let family = self.names.unsigned(family.clone());
        Condition::compared(Compare::Eq, family, Number::constant(number))
    }

    /// Tests whether the family is AF_INET or AF_INET6; `None` if no field tells the family.
    fn is_ip(&self, ip: &IpPlace) -> Option<Condition> {
        let number = self.names.unsigned(ip.family.clone()?);
        let tests = vec![(Compare::Eq, AF_INET), (Compare::Eq, AF_INET6)];
        Some(Condition::Test { number, tests, all: false })
    }

    pub(crate) fn ip_is_null(&self, ip: &IpPlace) -> Condition {
        let Some(place) = ip.family.as_ref().or(ip.v4.as_ref()).or(ip.v6.as_ref()) else {
            return Condition::Known(Some(false));
        };
        let is_null = Condition::is_null(self.names.unsigned(place.part(0, 1)));
        match self.is_ip(ip) {
            Some(is_ip) => Condition::Or(vec![is_null, Condition::Not(Box::new(is_ip))]),
            None => is_null,
        }
    }

    pub(crate) fn ip(
        &self,
        op: Compare,
        ip: &IpPlace,
        bytes: &[u8],
        literal: &Expr,
    ) -> Result<Condition, Error> {
        let text = String::from_utf8_lossy(bytes);
        let fail = |reason| Err(Error::new(reason, literal.span.clone()));
        let (address, device) = match text.split_once('%') {
            Some((address, device)) => (address, Some(device)),
            None => (&*text, None),
        };
        let zone = match (&ip.device, device.map(str::parse::<u32>)) {
            (_, None) => Some(None),
            (Some(place), Some(Ok(index))) => Some(Some((place, index))),
            _ => None,
        };
        let (Ok(address), Some(zone)) = (address.parse::<IpAddr>(), zone) else {
            let needs = match (&ip.device, device) {
                (Some(_), Some(_)) => "an IP address; after % comes the index of its device, not the name",
                (None, Some(_)) => "an IP address; here, none has a device after %",
                _ if prefix(&text).is_some() => {
                    "an IP address, but a network: cidr(ADDRESS, 'IP/BITS') tests it"
                }
                _ if text.parse::<SocketAddr>().is_ok() => {
                    "an IP address alone; the port is a column of its own"
                }
                _ => "an IP address",
            };
            return fail(Reason::Literal { text: text.into(), needs, near: Vec::new() });
        };
        let mut equal = self.within(ip, address, if address.is_ipv4() { 32 } else { 128 });
        if let Some((place, index)) = zone {
            let device = self.names.unsigned(place.clone());
            let index = Number::constant(index.into());
            equal = Condition::And(vec![equal, Condition::compared(Compare::Eq, device, index)]);
        }
        match op {
            Compare::Eq => Ok(equal),
            Compare::Ne => Ok(Condition::Not(Box::new(equal))),
            _ => fail(Reason::Unsupported("the order of addresses")),
        }
    }

    pub(crate) fn cidr(&mut self, address: &Expr, network: &Expr) -> Result<Condition, Error> {
        let ip = match self.value(address, None)? {
            Value::Ip(ip) => ip,
            other => return Err(Error::kind(address, other.kind(), "an IP address")),
        };
        let Node::Text(bytes) = &network.node else {
            return Err(Error::kind(network, self.kind(network), "a network in quotes"));
        };
        let text = String::from_utf8_lossy(bytes);
        match prefix(&text) {
            Some((network, bits)) => Ok(self.within(&ip, network, bits)),
            None => {
                let needs = "a network, such as '10.0.0.0/8' or 'fe80::/10'";
                Err(Error::new(
                    Reason::Literal { text: text.into(), needs, near: Vec::new() },
                    network.span.clone(),
                ))
            }
        }
    }
}

/// The address of a network and the length of its prefix, of a text such as `10.0.0.0/8`.
fn prefix(text: &str) -> Option<(IpAddr, u32)> {
    let (ip, bits) = text.split_once('/')?;
    let (ip, bits) = (ip.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
    (bits <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, bits))
}
