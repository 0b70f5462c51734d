//! The IP header around an advert, whole, of either family: written in front of what is sent, read from what came in.
//!
//! Linux gives a raw IPv4 socket the packet with its header, and a raw IPv6 socket what follows the header; there the shell puts one in
//! front again, so that the core sees the same thing of both.

use super::{ah, checksum};
use crate::stats::Malformed;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipc::net::Family;

/// Length of an IPv4 header without options, in bytes.
pub const HEADER_LEN: usize = 20;

/// Length of an IPv6 header, in bytes.
pub const HEADER6_LEN: usize = 40;

/// Internetwork control (precedence 6). COMPAT: keepalived 2.2.7 sends it in every advert of both families.
const TOS: u8 = 0xc0;

/// A header to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// Time to live, hop limit.
    pub ttl: u8,
    /// Identification (IPv4): counts up per instance, never zero.
    pub id: u16,
    /// Number of the protocol that follows.
    pub protocol: u8,
    /// Length of what follows, in bytes.
    pub payload_len: u16,
}

impl Outgoing {
    /// The header's bytes; none when the addresses differ in family.
    pub fn encode(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.v4(source, destination).to_vec(),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.v6(source, destination).to_vec(),
            _ => Vec::new(),
        }
    }

    /// No options, TOS 0xc0, no fragmentation flags, checksum filled in. COMPAT: keepalived 2.2.7, byte for byte.
    fn v4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> [u8; HEADER_LEN] {
        let [len_a, len_b] = self.payload_len.saturating_add(20).to_be_bytes();
        let [id_a, id_b] = self.id.to_be_bytes();
        let [s0, s1, s2, s3] = source.octets();
        let [d0, d1, d2, d3] = destination.octets();
        let (ttl, protocol) = (self.ttl, self.protocol);
        let with = |c_a, c_b| {
            [0x45, TOS, len_a, len_b, id_a, id_b, 0, 0, ttl, protocol, c_a, c_b, s0, s1, s2, s3, d0, d1, d2, d3]
        };
        let [c_a, c_b] = checksum::plain(&with(0, 0)).to_be_bytes();
        with(c_a, c_b)
    }

    /// RFC 8200 §3. COMPAT: keepalived 2.2.7 but for the flow label, which the kernel makes up there and is zero here.
    fn v6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> [u8; HEADER6_LEN] {
        let mut header = [0; HEADER6_LEN];
        let first = 0x6000_0000 | u32::from(TOS) << 20;
        let parts: [&[u8]; 5] = [
            &first.to_be_bytes(),
            &self.payload_len.to_be_bytes(),
            &[self.protocol, self.ttl],
            &source.octets(),
            &destination.octets(),
        ];
        for (to, from) in header.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        header
    }
}

/// A received header, as far as VRRP cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live, hop limit.
    pub ttl: u8,
    /// Bytes in front of the VRRP header, those of an authentication header included.
    pub header_len: usize,
    /// Length of the packet as its IP header says, in bytes.
    pub total_len: usize,
    /// The authentication header, if there is one.
    pub ah: Option<ah::Incoming>,
}

impl Incoming {
    /// Its address family.
    pub fn family(&self) -> Family {
        Family::of(self.source)
    }
}

/// Splits a received packet into headers and payload, or says why it holds no VRRP. The header checksum was verified by the kernel.
pub fn split(packet: &[u8]) -> Result<(Incoming, &[u8]), Malformed> {
    let (mut header, protocol) = match packet.first().map(|first| first >> 4) {
        Some(4) => v4(packet),
        Some(6) => v6(packet),
        _ => None,
    }
    .ok_or(Malformed::IpHeader)?;
    let mut payload = packet.get(header.header_len..).ok_or(Malformed::IpHeader)?;
    // RFC 2402 over IPv6 is not VRRP's: keepalived has AH for IPv4 only.
    if protocol == super::PROTOCOL_AH && header.family() == Family::V4 {
        let (ah, rest) = ah::split(payload).ok_or(Malformed::AhHeader)?;
        header.ah = Some(ah);
        header.header_len = header.header_len.saturating_add(ah::HEADER_LEN);
        payload = rest;
    } else if protocol != super::PROTOCOL {
        return Err(Malformed::Protocol);
    }
    Ok((header, payload))
}

fn v4(packet: &[u8]) -> Option<(Incoming, u8)> {
    let (head, _) = packet.split_first_chunk::<HEADER_LEN>()?;
    let [version_ihl, _, len_a, len_b, _, _, _, _, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    let header_len = usize::from(version_ihl & 0x0f).wrapping_mul(4);
    if header_len < HEADER_LEN {
        return None;
    }
    let header = Incoming {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        ttl,
        header_len,
        total_len: usize::from(u16::from_be_bytes([len_a, len_b])),
        ah: None,
    };
    Some((header, protocol))
}

fn v6(packet: &[u8]) -> Option<(Incoming, u8)> {
    let (_, rest) = packet.split_first_chunk::<4>()?;
    let ([len_a, len_b, protocol, ttl], rest) = rest.split_first_chunk::<4>()?;
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let (destination, _) = rest.split_first_chunk::<16>()?;
    let header = Incoming {
        source: Ipv6Addr::from(*source).into(),
        destination: Ipv6Addr::from(*destination).into(),
        ttl: *ttl,
        header_len: HEADER6_LEN,
        total_len: usize::from(u16::from_be_bytes([*len_a, *len_b])).saturating_add(HEADER6_LEN),
        ah: None,
    };
    Some((header, *protocol))
}
