//! A destination: IPVS_DEST_ATTR_*.

use super::service::{addr, array, family_number, nested_of, octets};
use super::stats::{self, Stats32, Stats64};
use crate::netlink::attr::Attrs;
use crate::observed::{Counts, DestFact};
use alloc::vec::Vec;
use core::net::IpAddr;
use ipc::config::ipvs::{Checksum, Method};
use ipc::net::Family;
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLA_F_NESTED, Nla, NlaBuffer, Parseable, emit_u16, emit_u16_be, emit_u32,
    parse_u8, parse_u16, parse_u16_be, parse_u32,
};

const ADDR: u16 = 1;
const PORT: u16 = 2;
const FWD_METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const U_THRESH: u16 = 5;
const L_THRESH: u16 = 6;
const ACTIVE_CONNS: u16 = 7;
const INACT_CONNS: u16 = 8;
const PERSIST_CONNS: u16 = 9;
const STATS: u16 = 10;
const ADDR_FAMILY: u16 = 11;
const STATS64: u16 = 12;
const TUN_TYPE: u16 = 13;
const TUN_PORT: u16 = 14;
const TUN_FLAGS: u16 = 15;

/// IP_VS_CONN_F_FWD_MASK
const METHOD_MASK: u32 = 0x7;
const NAT: u32 = 0;
const TUNNEL: u32 = 2;
const ROUTE: u32 = 3;

/// IP_VS_CONN_F_TUNNEL_TYPE_*, since Linux 5.3
const IPIP: u8 = 0;
const GUE: u8 = 1;
const GRE: u8 = 2;

/// IP_VS_TUNNEL_ENCAP_FLAG_*
const CHECKSUMS: [(Checksum, u16); 3] = [(Checksum::None, 0), (Checksum::Full, 1), (Checksum::Remote, 2)];

/// One attribute of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestAttr {
    /// A `union nf_inet_addr`: IPv4 in the first four bytes.
    Addr([u8; 16]),
    /// Port, big-endian on the wire.
    Port(u16),
    /// IP_VS_CONN_F_* forwarding method.
    Method(u32),
    /// Weight.
    Weight(u32),
    /// Upper threshold.
    Upper(u32),
    /// Lower threshold.
    Lower(u32),
    /// Active connections.
    Active(u32),
    /// Inactive connections.
    Inactive(u32),
    /// Persistent connections.
    Persistent(u32),
    /// Counters of 32 bits.
    Stats(Vec<Stats32>),
    /// AF_INET or AF_INET6, since Linux 3.18.
    Family(u16),
    /// Counters of 64 bits.
    Stats64(Vec<Stats64>),
    /// IP_VS_CONN_F_TUNNEL_TYPE_*
    TunnelType(u8),
    /// Port of the tunnel, big-endian on the wire.
    TunnelPort(u16),
    /// IP_VS_TUNNEL_ENCAP_FLAG_*
    TunnelFlags(u16),
    /// Any other.
    Other(DefaultNla),
}

impl Nla for DestAttr {
    fn value_len(&self) -> usize {
        match self {
            DestAttr::Addr(_) => 16,
            DestAttr::Port(_) | DestAttr::Family(_) | DestAttr::TunnelPort(_) | DestAttr::TunnelFlags(_) => 2,
            DestAttr::TunnelType(_) => 1,
            DestAttr::Method(_)
            | DestAttr::Weight(_)
            | DestAttr::Upper(_)
            | DestAttr::Lower(_)
            | DestAttr::Active(_)
            | DestAttr::Inactive(_)
            | DestAttr::Persistent(_) => 4,
            DestAttr::Stats(stats) => stats.as_slice().buffer_len(),
            DestAttr::Stats64(stats) => stats.as_slice().buffer_len(),
            DestAttr::Other(other) => other.value_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self {
            DestAttr::Addr(_) => ADDR,
            DestAttr::Port(_) => PORT,
            DestAttr::Method(_) => FWD_METHOD,
            DestAttr::Weight(_) => WEIGHT,
            DestAttr::Upper(_) => U_THRESH,
            DestAttr::Lower(_) => L_THRESH,
            DestAttr::Active(_) => ACTIVE_CONNS,
            DestAttr::Inactive(_) => INACT_CONNS,
            DestAttr::Persistent(_) => PERSIST_CONNS,
            DestAttr::Stats(_) => STATS | NLA_F_NESTED,
            DestAttr::Family(_) => ADDR_FAMILY,
            DestAttr::Stats64(_) => STATS64 | NLA_F_NESTED,
            DestAttr::TunnelType(_) => TUN_TYPE,
            DestAttr::TunnelPort(_) => TUN_PORT,
            DestAttr::TunnelFlags(_) => TUN_FLAGS,
            DestAttr::Other(other) => other.kind(),
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        // The buffer is as long as value_len() says; the results of emit_* only say otherwise.
        match self {
            DestAttr::Addr(bytes) => buffer.copy_from_slice(bytes),
            DestAttr::Port(n) | DestAttr::TunnelPort(n) => drop(emit_u16_be(buffer, *n)),
            DestAttr::Family(n) | DestAttr::TunnelFlags(n) => drop(emit_u16(buffer, *n)),
            DestAttr::TunnelType(n) => buffer.copy_from_slice(&[*n]),
            DestAttr::Method(n)
            | DestAttr::Weight(n)
            | DestAttr::Upper(n)
            | DestAttr::Lower(n)
            | DestAttr::Active(n)
            | DestAttr::Inactive(n)
            | DestAttr::Persistent(n) => drop(emit_u32(buffer, *n)),
            DestAttr::Stats(stats) => stats.as_slice().emit(buffer),
            DestAttr::Stats64(stats) => stats.as_slice().emit(buffer),
            DestAttr::Other(other) => other.emit_value(buffer),
        }
    }
}

impl<'a> Parseable<NlaBuffer<&'a [u8]>> for DestAttr {
    fn parse(attribute: &NlaBuffer<&'a [u8]>) -> Result<Self, DecodeError> {
        let value = attribute.value();
        Ok(match attribute.kind() {
            ADDR => DestAttr::Addr(array(value)?),
            PORT => DestAttr::Port(parse_u16_be(value)?),
            FWD_METHOD => DestAttr::Method(parse_u32(value)?),
            WEIGHT => DestAttr::Weight(parse_u32(value)?),
            U_THRESH => DestAttr::Upper(parse_u32(value)?),
            L_THRESH => DestAttr::Lower(parse_u32(value)?),
            ACTIVE_CONNS => DestAttr::Active(parse_u32(value)?),
            INACT_CONNS => DestAttr::Inactive(parse_u32(value)?),
            PERSIST_CONNS => DestAttr::Persistent(parse_u32(value)?),
            STATS => DestAttr::Stats(nested_of(attribute)?),
            ADDR_FAMILY => DestAttr::Family(parse_u16(value)?),
            STATS64 => DestAttr::Stats64(nested_of(attribute)?),
            TUN_TYPE => DestAttr::TunnelType(parse_u8(value)?),
            TUN_PORT => DestAttr::TunnelPort(parse_u16_be(value)?),
            TUN_FLAGS => DestAttr::TunnelFlags(parse_u16(value)?),
            _ => DestAttr::Other(DefaultNla::parse(attribute)?),
        })
    }
}

/// Writes what identifies a destination within its service.
pub fn put_key(addr: IpAddr, port: u16, to: &mut Attrs) {
    to.put_u16(ADDR_FAMILY, family_number(Family::of(addr)));
    to.put(ADDR, &octets(addr));
    to.put_be16(PORT, port);
}

/// Writes a whole destination. The order is that of ipvsadm; a tunnel of IP in IP, which is what every kernel knows, is not spelt out.
pub fn put(fact: &DestFact, to: &mut Attrs) {
    let flags = |checksum: Checksum| CHECKSUMS.iter().find(|(c, _)| *c == checksum).map_or(0, |(_, n)| *n);
    let (method, tunnel) = match fact.method {
        None | Some(Method::Nat) => (NAT, None),
        Some(Method::Dr) => (ROUTE, None),
        Some(Method::Tun) => (TUNNEL, None),
        Some(Method::Gue { port, checksum }) => (TUNNEL, Some((GUE, port, flags(checksum)))),
        Some(Method::Gre { checksum }) => (TUNNEL, Some((GRE, 0, flags(checksum)))),
    };
    put_key(fact.addr, fact.port, to);
    to.put_u32(FWD_METHOD, method);
    to.put_u32(WEIGHT, fact.weight);
    if let Some((kind, port, flags)) = tunnel {
        to.put_u8(TUN_TYPE, kind);
        to.put_be16(TUN_PORT, port);
        to.put_u16(TUN_FLAGS, flags);
    }
    to.put_u32(U_THRESH, fact.upper);
    to.put_u32(L_THRESH, fact.lower);
}

/// The destination that the attributes describe; `None` if they do not identify one. Without an address family (before
/// Linux 3.18) it is IPv4.
pub fn fact(attributes: &[DestAttr]) -> Option<DestFact> {
    let (mut family, mut octets, mut port) = (2, None, None);
    let (mut method, mut weight, mut upper, mut lower) = (0, 0, 0, 0);
    let mut tunnel = (IPIP, 0, 0);
    for attribute in attributes {
        match attribute {
            DestAttr::Family(n) => family = *n,
            DestAttr::Addr(bytes) => octets = Some(*bytes),
            DestAttr::Port(n) => port = Some(*n),
            DestAttr::Method(n) => method = *n & METHOD_MASK,
            DestAttr::Weight(n) => weight = *n,
            DestAttr::Upper(n) => upper = *n,
            DestAttr::Lower(n) => lower = *n,
            DestAttr::TunnelType(n) => tunnel.0 = *n,
            DestAttr::TunnelPort(n) => tunnel.1 = *n,
            DestAttr::TunnelFlags(n) => tunnel.2 = *n,
            _ => {}
        }
    }
    let method = forwarding(method, tunnel);
    Some(DestFact { addr: addr(family, octets?)?, port: port?, method, weight, upper, lower })
}

fn forwarding(method: u32, (kind, port, flags): (u8, u16, u16)) -> Option<Method> {
    let checksum = || CHECKSUMS.iter().find(|(_, n)| *n == flags).map(|(c, _)| *c);
    match (method, kind) {
        (NAT, _) => Some(Method::Nat),
        (ROUTE, _) => Some(Method::Dr),
        (TUNNEL, IPIP) => Some(Method::Tun),
        (TUNNEL, GUE) => Some(Method::Gue { port, checksum: checksum()? }),
        (TUNNEL, GRE) => Some(Method::Gre { checksum: checksum()? }),
        _ => None,
    }
}

/// What is counted for it.
pub fn counts(attributes: &[DestAttr]) -> Counts {
    let mut counts = Counts::default();
    for attribute in attributes {
        match attribute {
            DestAttr::Active(n) => counts.active = *n,
            DestAttr::Inactive(n) => counts.inactive = *n,
            DestAttr::Persistent(n) => counts.persistent = *n,
            DestAttr::Stats64(all) => stats::add(all, &mut counts),
            _ => {}
        }
    }
    counts
}
