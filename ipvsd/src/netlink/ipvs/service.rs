//! A service: IPVS_SVC_ATTR_*.

use super::nested;
use super::stats::{self, Stats32, Stats64};
use crate::netlink::attr::Attrs;
use crate::observed::{Counts, ServiceFact};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::config::ipvs::{Protocol, ServiceKey};
use ipc::net::Family;
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLA_F_NESTED, Nla, NlaBuffer, Parseable, emit_u16, emit_u16_be, emit_u32,
    parse_string, parse_u16, parse_u16_be, parse_u32,
};

const AF: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDR: u16 = 3;
const PORT: u16 = 4;
const FWMARK: u16 = 5;
const SCHED_NAME: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const STATS: u16 = 10;
const PE_NAME: u16 = 11;
const STATS64: u16 = 12;

/// One attribute of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAttr {
    /// AF_INET or AF_INET6.
    Family(u16),
    /// IPPROTO_*
    Protocol(u16),
    /// A `union nf_inet_addr`: IPv4 in the first four bytes.
    Addr([u8; 16]),
    /// Port, big-endian on the wire.
    Port(u16),
    /// Firewall mark.
    Fwmark(u32),
    /// Scheduler.
    Scheduler(String),
    /// A `struct ip_vs_flags`.
    Flags {
        /// IP_VS_SVC_F_*
        flags: u32,
        /// Which of them are meant.
        mask: u32,
    },
    /// Persistence timeout in seconds.
    Timeout(u32),
    /// IPv4 netmask in network order, or IPv6 prefix length in host order.
    Netmask([u8; 4]),
    /// Persistence engine.
    PeName(String),
    /// Counters of 32 bits.
    Stats(Vec<Stats32>),
    /// Counters of 64 bits.
    Stats64(Vec<Stats64>),
    /// Any other.
    Other(DefaultNla),
}

impl Nla for ServiceAttr {
    fn value_len(&self) -> usize {
        match self {
            ServiceAttr::Family(_) | ServiceAttr::Protocol(_) | ServiceAttr::Port(_) => 2,
            ServiceAttr::Addr(_) => 16,
            ServiceAttr::Fwmark(_) | ServiceAttr::Timeout(_) | ServiceAttr::Netmask(_) => 4,
            ServiceAttr::Flags { .. } => 8,
            ServiceAttr::Scheduler(name) | ServiceAttr::PeName(name) => name.len().saturating_add(1),
            ServiceAttr::Stats(stats) => stats.as_slice().buffer_len(),
            ServiceAttr::Stats64(stats) => stats.as_slice().buffer_len(),
            ServiceAttr::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            ServiceAttr::Family(_) => AF,
            ServiceAttr::Protocol(_) => PROTOCOL,
            ServiceAttr::Addr(_) => ADDR,
            ServiceAttr::Port(_) => PORT,
            ServiceAttr::Fwmark(_) => FWMARK,
            ServiceAttr::Scheduler(_) => SCHED_NAME,
            ServiceAttr::Flags { .. } => FLAGS,
            ServiceAttr::Timeout(_) => TIMEOUT,
            ServiceAttr::Netmask(_) => NETMASK,
            ServiceAttr::PeName(_) => PE_NAME,
            ServiceAttr::Stats(_) => STATS | NLA_F_NESTED,
            ServiceAttr::Stats64(_) => STATS64 | NLA_F_NESTED,
            ServiceAttr::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        // The buffer is as long as value_len() says; the results of emit_* only say otherwise.
        match self {
            ServiceAttr::Family(n) | ServiceAttr::Protocol(n) => drop(emit_u16(buffer, *n)),
            ServiceAttr::Port(n) => drop(emit_u16_be(buffer, *n)),
            ServiceAttr::Fwmark(n) | ServiceAttr::Timeout(n) => drop(emit_u32(buffer, *n)),
            ServiceAttr::Addr(bytes) => buffer.copy_from_slice(bytes),
            ServiceAttr::Netmask(bytes) => buffer.copy_from_slice(bytes),
            ServiceAttr::Flags { flags, mask } => {
                if let Some((first, second)) = buffer.split_at_mut_checked(4) {
                    first.copy_from_slice(&flags.to_ne_bytes());
                    second.copy_from_slice(&mask.to_ne_bytes());
                }
            }
            ServiceAttr::Scheduler(name) | ServiceAttr::PeName(name) => {
                for (byte, value) in buffer.iter_mut().zip(name.bytes().chain([0])) {
                    *byte = value;
                }
            }
            ServiceAttr::Stats(stats) => stats.as_slice().emit(buffer),
            ServiceAttr::Stats64(stats) => stats.as_slice().emit(buffer),
            ServiceAttr::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for ServiceAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            AF => ServiceAttr::Family(parse_u16(value)?),
            PROTOCOL => ServiceAttr::Protocol(parse_u16(value)?),
            ADDR => ServiceAttr::Addr(array(value)?),
            PORT => ServiceAttr::Port(parse_u16_be(value)?),
            FWMARK => ServiceAttr::Fwmark(parse_u32(value)?),
            SCHED_NAME => ServiceAttr::Scheduler(parse_string(value)?),
            FLAGS => {
                let [a, b, c, d, e, f, g, h] = array(value)?;
                ServiceAttr::Flags { flags: u32::from_ne_bytes([a, b, c, d]), mask: u32::from_ne_bytes([e, f, g, h]) }
            }
            TIMEOUT => ServiceAttr::Timeout(parse_u32(value)?),
            NETMASK => ServiceAttr::Netmask(array(value)?),
            PE_NAME => ServiceAttr::PeName(parse_string(value)?),
            STATS => ServiceAttr::Stats(nested_of(attribute)?),
            STATS64 => ServiceAttr::Stats64(nested_of(attribute)?),
            _ => ServiceAttr::Other(DefaultNla::parse(attribute)?),
        })
    }
}

/// Attributes of an attribute that lives as long as the message.
pub(super) fn nested_of<A>(attribute: &NlaBuffer<&[u8]>) -> Result<Vec<A>, DecodeError>
where
    A: for<'b> Parseable<NlaBuffer<&'b [u8]>>,
{
    nested(attribute.value())
}

pub(super) fn array<const N: usize>(value: &[u8]) -> Result<[u8; N], DecodeError> {
    value.try_into().map_err(|_| DecodeError::invalid_number(N, value.len()))
}

pub(super) fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

pub(super) fn octets(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(addr) => {
            let [a, b, c, d] = addr.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(addr) => addr.octets(),
    }
}

pub(super) fn addr(family: u16, octets: [u8; 16]) -> Option<IpAddr> {
    match family {
        2 => {
            let [a, b, c, d, ..] = octets;
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        10 => Some(IpAddr::V6(Ipv6Addr::from(octets))),
        _ => None,
    }
}

const PROTOCOLS: [(Protocol, u16); 3] = [(Protocol::Tcp, 6), (Protocol::Udp, 17), (Protocol::Sctp, 132)];

/// Writes what identifies a service. The order is that of ipvsadm.
pub fn put_key(key: &ServiceKey, to: &mut Attrs) {
    to.put_u16(AF, family_number(key.family()));
    match *key {
        ServiceKey::Addr { addr, port, protocol } => {
            to.put_u16(PROTOCOL, PROTOCOLS.iter().find(|(p, _)| *p == protocol).map_or(0, |(_, n)| *n));
            to.put(ADDR, &octets(addr));
            to.put_be16(PORT, port);
        }
        ServiceKey::Fwmark { mark, .. } => to.put_u32(FWMARK, mark),
    }
}

/// Writes a whole service.
pub fn put(fact: &ServiceFact, to: &mut Attrs) {
    put_key(&fact.key, to);
    to.put_text(SCHED_NAME, &fact.scheduler);
    let [f0, f1, f2, f3] = fact.flags.to_ne_bytes();
    let [m0, m1, m2, m3] = u32::MAX.to_ne_bytes();
    to.put(FLAGS, &[f0, f1, f2, f3, m0, m1, m2, m3]);
    to.put_u32(TIMEOUT, fact.timeout);
    match fact.key.family() {
        Family::V4 => to.put(NETMASK, &fact.netmask.to_be_bytes()),
        Family::V6 => to.put_u32(NETMASK, fact.netmask),
    }
    if let Some(engine) = &fact.engine {
        to.put_text(PE_NAME, engine);
    }
}

/// The service that the attributes describe; `None` if they do not identify one that a configuration can name.
pub fn fact(attributes: &[ServiceAttr]) -> Option<ServiceFact> {
    let (mut family, mut protocol, mut address, mut port, mut mark) = (None, None, None, None, None);
    let (mut scheduler, mut flags, mut timeout, mut netmask) = (String::new(), 0, 0, [0; 4]);
    let mut engine = None;
    for attribute in attributes {
        match attribute {
            ServiceAttr::Family(n) => family = Some(*n),
            ServiceAttr::Protocol(n) => protocol = PROTOCOLS.iter().find(|(_, m)| m == n).map(|(p, _)| *p),
            ServiceAttr::Addr(octets) => address = Some(*octets),
            ServiceAttr::Port(n) => port = Some(*n),
            ServiceAttr::Fwmark(n) => mark = Some(*n),
            ServiceAttr::Scheduler(name) => scheduler.clone_from(name),
            ServiceAttr::Flags { flags: f, .. } => flags = *f,
            ServiceAttr::Timeout(n) => timeout = *n,
            ServiceAttr::Netmask(bytes) => netmask = *bytes,
            ServiceAttr::PeName(name) => engine = Some(name.clone()),
            ServiceAttr::Stats(_) | ServiceAttr::Stats64(_) | ServiceAttr::Other(_) => {}
        }
    }
    let family = family?;
    let key = match mark {
        Some(mark) => ServiceKey::Fwmark { mark, family: if family == 10 { Family::V6 } else { Family::V4 } },
        None => ServiceKey::Addr { addr: addr(family, address?)?, port: port?, protocol: protocol? },
    };
    let netmask = if family == 10 { u32::from_ne_bytes(netmask) } else { u32::from_be_bytes(netmask) };
    Some(ServiceFact { key, scheduler, flags, timeout, netmask, engine })
}

/// What is counted for it.
pub fn counts(attributes: &[ServiceAttr]) -> Counts {
    let mut counts = Counts::default();
    for attribute in attributes {
        if let ServiceAttr::Stats64(all) = attribute {
            stats::add(all, &mut counts);
        }
    }
    counts
}
